"""The parts of the report: a run's verdict, slices, settings, curves, search, methods and origin, as HTML."""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from html import escape
from typing import Any

from microtome.events import Evaluated, images_of
from microtome.intervals import wilson
from microtome.results.fold import RunState, TrialState
from microtome.results.methods import methods, settings_words, source_words
from microtome.results.scores import Score
from microtome.results.svg import DASHES, Series, chart, legend
from microtome.results.tables import cell, ranked, ranking_rows, short, varied
from microtome.results.words import (
    chance,
    duration,
    interval,
    number,
    percent,
    promise_words,
    ranked_baselines,
    standing_words,
    value_words,
)
from microtome.search.recipe import Recipe
from microtome.slices.trust.shortcut import CUES
from microtome.slices.trust.verdict import VERDICTS
from microtome.training.spec import AUGMENTATIONS

_CLASSES = 8  # colours of the theme
_TRIALS = 300  # rows of the search's table
_NORMALISED = {
    "none": "as they are",
    "volume": "normalised over each volume",
    "slice": "normalised over each slice",
    "volume-percentile": "1st to 99th percentile of each volume brought to 0 … 1",
    "slice-percentile": "1st to 99th percentile of each slice brought to 0 … 1",
    "histogram": "histogram of each volume matched to that of the training volumes",
}


@dataclass(frozen=True)
class RunReport:
    """What is known of a run."""

    name: str
    info: dict[str, Any]
    state: RunState
    recipe: Recipe | None
    plan: dict[str, Any]  # the image set's plan.json, {} where it is gone
    problems: tuple[str, ...] = ()

    @property
    def independence(self) -> str:
        """How the sets were separated, in words."""
        found = self.state.evaluated
        return (found.independence if found is not None else "") or str(self.plan.get("independence", ""))


class Html(str):
    """Text that is HTML already; any other text is escaped."""

    __slots__ = ()


def tag(name: str, *inside: str, cls: str = "", **attributes: str) -> Html:
    """An element; plain text inside is escaped."""
    extra = {"class": cls, **attributes} if cls else attributes
    head = "".join(f' {key}="{escape(value)}"' for key, value in extra.items())
    return Html(f"<{name}{head}>{join(inside)}</{name}>")


def join(parts: Iterable[str]) -> Html:
    """Parts one after the other; plain text is escaped."""
    return Html("".join(p if isinstance(p, Html) else escape(p) for p in parts))


def table(header: Sequence[str], rows: Iterable[Sequence[str]], numeric: Sequence[int] = (), best: int = -1) -> Html:
    """A table; the columns `numeric` are right-aligned, the row `best` is strong."""

    def cells(kind: str, row: Sequence[str]) -> Html:
        return join(tag(kind, value, cls="n" if i in numeric else "") for i, value in enumerate(row))

    body = join(tag("tr", cells("td", row), cls="best" if i == best else "") for i, row in enumerate(rows))
    return tag("div", tag("table", tag("thead", tag("tr", cells("th", header))), tag("tbody", body)), cls="scroll")


def facts(pairs: Iterable[tuple[str, str]]) -> Html:
    """Names and values."""
    return tag("dl", join(part for name, value in pairs for part in (tag("dt", name), tag("dd", value))), cls="facts")


def colour(index: int) -> str:
    """A class's colour."""
    return f"var(--c{index % _CLASSES})"


def runs_table(reports: Sequence[RunReport]) -> Html:
    """All runs with their accuracy."""
    rows = []
    for report in reports:
        state, found = report.state, report.state.evaluated
        n = images_of(found.per_class) if found is not None else 0
        link = tag("a", report.name, href=f"#{report.name}")
        accuracy = (percent(found.accuracy), interval(*found.interval), str(n)) if found is not None else ("–", "–", "–")
        if found is not None and found.r2 is not None:
            low, high = found.interval
            accuracy = (f"R² {found.r2:.3f}", f"{low:.3f} … {high:.3f}", str(found.n))
        rows.append([link, str(report.info.get("kind", "")), state.state, str(len(state.trials)), *accuracy])
    header = ["Run", "Kind", "State", "Trials", "Accuracy", "95 % interval", "n"]
    return tag("nav", tag("div", table(header, rows, numeric=(3, 4, 5, 6)), cls="card"))


def run_section(report: RunReport) -> Html:
    """Everything about one run."""
    state = report.state
    head = tag("h2", report.name, Html(" "), tag("span", state.state, cls=f"badge {state.state}"), id=report.name)
    when = time.strftime("%Y-%m-%d %H:%M", time.localtime(float(report.info.get("created", 0))))
    took = f" · {duration(state.took)}" if state.ended and state.started else ""
    parts = [head, tag("div", f"{report.info.get('kind', '')} · {when}{took}", cls="muted")]
    parts += [tag("div", text, cls="note") for text in (*report.problems, *([state.message] if state.message else []))]
    if state.evaluated is not None:
        parts.append(_verdict(state.evaluated))
    parts.append(_slices(report))
    trial = state.best or next((t for t in state.trials.values() if t.epochs), None)
    if trial is not None:
        parts.append(_training(report, trial))
    if state.kind == "search":
        parts += [_search(state), _winner(state)]
    if state.evaluated is not None:
        known = state.evaluated
        parts.append(_value_table(known) if known.r2 is not None else _confusion(state.classes, known.confusion))
    if report.recipe is not None and state.trials:
        parts.append(tag("h3", "Methods"))
        parts.append(tag("p", methods(report.recipe, state, report.info, report.independence, report.plan), cls="card"))
    parts.append(_origin(report))
    return tag("section", join(parts))


def _verdict(found: Evaluated) -> Html:
    if found.r2 is not None:
        return _value_verdict(found)
    n = images_of(found.per_class)
    left = tag(
        "div",
        tag("div", "Accuracy on the evaluation set", cls="muted"),
        tag("div", percent(found.accuracy), cls="big"),
        tag("div", f"95 % interval {interval(*found.interval)}, n = {n}", cls="muted"),
        *_baselines(found),
        tag("div", f"{percent(chance(len(found.per_class)))} guessing", cls="muted"),
        *([tag("div", words)] if (words := standing_words(found)) else []),
        *([tag("div", found.caution, cls="muted")] if found.caution else []),
    )
    rows = []
    for i, (name, (correct, total)) in enumerate(found.per_class.items()):
        low, high = wilson(correct, total)
        value = correct / total if total else 0.0
        span = f"left:{100 * low:.2f}%;width:{100 * (high - low):.2f}%;background:{colour(i)}"
        dot = f"left:{100 * value:.2f}%;background:{colour(i)}"
        bar = tag("div", tag("i", style=span), tag("b", style=dot), cls="bar")
        rows.append([name, bar, percent(value), f"{correct} / {total}", interval(low, high)])
    right = tag("div", table(["Class", "", "Accuracy", "Correct", "95 % interval"], rows, numeric=(2, 3, 4)))
    return tag("div", left, right, cls="card verdict")


def _value_verdict(found: Evaluated) -> Html:
    beside = [f"R² {value:.3f} {name}; {found.baseline_details.get(name, '')}" for name, value, _ in ranked_baselines(found)]
    lines = [value_words(found), *beside, standing_words(found), found.caution]
    return tag(
        "div",
        tag("div", "R² on the evaluation set", cls="muted"),
        tag("div", f"{found.accuracy:.3f}", cls="big"),
        *(tag("div", words, cls="muted") for words in lines if words),
        cls="card",
    )


def _value_table(found: Evaluated) -> Html:
    rows = [[f"{t:.4g}", f"{mean:.4g}", f"{sd:.2g}", f"{mean - t:+.3g}", str(n)] for t, mean, sd, n in sorted(found.points)]
    unit = f" ({found.unit})" if found.unit else ""
    header = [f"Value of the volume{unit}", "Told, mean of its slices", "Standard deviation", "Error of the mean", "Slices"]
    return join([tag("h3", "Told values, evaluation set"), tag("div", table(header, rows, numeric=range(5)), cls="card")])


def _baselines(found: Evaluated) -> list[Html]:
    few = f", n = {found.baseline_images}" if found.baseline_images else ""
    rows = []
    for name, value, between in ranked_baselines(found):
        spread = f" ({interval(*between)}{few})" if between else ""
        how = f"; {found.baseline_details[name]}" if name in found.baseline_details else ""
        rows.append(tag("div", f"{percent(value)}{spread} {name}{how}", cls="muted"))
    return rows


def _slices(report: RunReport) -> Html:
    recipe, ready = report.recipe, report.state.image_set
    if recipe is None:
        return Html("")
    plan = recipe.slices
    volumes = {v.get("name", ""): v for v in report.plan.get("volumes", [])}
    rows = []
    for i, source in enumerate(recipe.classes):
        mine = [v for v in volumes.values() if v.get("class") == source.name]
        sizes = ", ".join(" × ".join(str(n) for n in v["shape"]) for v in mine if "shape" in v) or "–"
        voxels = [f"{' × '.join(f'{s:g}' for s in v['voxel_size'])} {v.get('unit', '')}" for v in mine if v.get("voxel_size")]
        counts = [
            str(ready.counts.get(s, {}).get(source.name, 0)) if ready else "–" for s in ("train", "validation", "evaluation")
        ]
        dot = tag("span", "● ", style=f"color:{colour(i)}")
        rows.append([join([dot, source.name]), source_words(source), sizes, ", ".join(dict.fromkeys(voxels)) or "–", *counts])
    header = ["Class", "From", "Voxels (z, y, x)", "Voxel size", "Training", "Validation", "Evaluation"]
    unit = {"voxel": "voxels", "um": "µm"}.get(plan.unit, plan.unit)
    pairs = [("Field of view", f"{plan.field_of_view:g} {unit}, seen with {plan.pixels} × {plan.pixels} pixels")]
    if ready is not None:
        pairs.append(("A pixel is", f"{ready.pixel_size:.4g} {'voxels' if ready.unit == 'voxel' else ready.unit}"))
    pairs.append(("Orientation", plan.orientation))
    pairs.append(("Grey values", _NORMALISED[plan.normalisation]))
    if report.independence:
        pairs.append(("Independence", report.independence))
    pairs += trust_facts(report.plan)
    notes = [tag("div", text, cls="note") for text in (ready.warnings if ready else ())]
    return join(
        [tag("h3", "What was cut"), tag("div", table(header, rows, numeric=(4, 5, 6)), facts(pairs), *notes, cls="card")]
    )


def trust_facts(image_set: Mapping[str, Any]) -> list[tuple[str, str]]:
    """The leak meter, what was rejected and the shortcut audit of an image set's plan.json; empty for sets without them."""
    pairs: list[tuple[str, str]] = []
    if leak := image_set.get("leak"):
        alike = (leak.get("similarity") or {}).get("all")
        words = [VERDICTS[leak["verdict"]], *leak["why"]]
        if alike:
            words.append(f"The most similar images of different sets correlate by {alike['correlation']:.2f}.")
        pairs.append(("Leak meter", " ".join(words)))
    if rejected := image_set.get("rejected"):
        pairs.append(("Empty slices", ", ".join(f"{name}: {n} rejected" for name, n in rejected.items())))
    cues = [
        f"{CUES[s['cue']]} {percent(s['accuracy'])} ({interval(*s['interval'])}, n = {s['n']}; chance {percent(s['chance'])})"
        for s in image_set.get("shortcuts", ())
    ]
    if cues:
        pairs.append(("Classes told on validation images by one cue alone", "; ".join(cues)))
    return pairs


def _training(report: RunReport, trial: TrialState) -> Html:
    recipe = report.recipe
    parts = [tag("h3", "Network and training" + (f" of trial {trial.number}" if report.state.kind == "search" else ""))]
    if recipe is not None:
        full = recipe.with_values(trial.parameters)
        network = [("Network", full.network.name)]
        network += [(short(f"network.{k}"), number(v)) for k, v in full.network.parameters.items()]
        training = [(short(f"training.{k}"), number(v)) for k, v in vars(full.training).items() if k != AUGMENTATIONS]
        training += [(f"Augmentation {a['name']}", settings_words(a)) for a in full.training.augmentations]
        parts.append(tag("div", tag("div", facts(network), cls="card"), tag("div", facts(training), cls="card"), cls="two"))
    best = trial.best
    mark = (best.epoch + 1.0, "best") if best is not None and len(trial.epochs) > 1 else None
    epochs = trial.epochs
    losses = [
        Series("Training", [(e.epoch + 1, e.train_loss) for e in epochs], "var(--muted)", "6 4"),
        Series("Validation", [(e.epoch + 1, e.validation_loss) for e in epochs]),
    ]
    means = [
        Series("Training", [(e.epoch + 1, 100 * e.train_accuracy) for e in epochs], "var(--muted)", "6 4"),
        Series("Validation", [(e.epoch + 1, 100 * e.validation_accuracy) for e in epochs]),
    ]
    classes = [_class_series(trial, name, i) for i, name in enumerate(report.state.classes)]
    if any(e.r2 is not None for e in epochs):
        parts.append(tag("div", *_value_figures(trial, losses, mark), cls="three"))
        return join(parts)
    figures = [
        _figure("Loss", losses, chart(losses, x="epoch", y="cross entropy", mark=mark)),
        _figure("Accuracy", means, chart(means, x="epoch", y="%", mark=mark)),
        _figure("Accuracy of every class (validation)", classes, chart(classes, x="epoch", y="%", mark=mark)),
    ]
    parts.append(tag("div", *figures, cls="three"))
    return join(parts)


def _value_figures(trial: TrialState, losses: list[Series], mark: tuple[float, str] | None) -> list[Html]:
    fits = [
        Series("Training", [(e.epoch + 1, max(-1.0, e.train_accuracy)) for e in trial.epochs], "var(--muted)", "6 4"),
        Series("Validation", [(e.epoch + 1, None if e.r2 is None else max(-1.0, e.r2)) for e in trial.epochs]),
    ]
    return [
        _figure("Loss", losses, chart(losses, x="epoch", y="error of standardised values", mark=mark)),
        _figure("R² (below −1 drawn at −1)", fits, chart(fits, x="epoch", y="R²", mark=mark)),
    ]


def _class_series(trial: TrialState, name: str, index: int) -> Series:
    points: list[tuple[float, float | None]] = []
    for e in trial.epochs:
        correct, total = e.per_class.get(name, (0, 0))
        points.append((e.epoch + 1, 100 * correct / total if total else None))
    return Series(name, points, colour(index), DASHES[index % len(DASHES)])


def _figure(title: str, series: Sequence[Series], drawing: str) -> Html:
    caption = tag("figcaption", tag("b", title))
    return tag("figure", caption, Html(drawing), Html(legend(series)), cls="card")


def _winner(state: RunState) -> Html:
    """The finalists, trained again, and what a pilot had promised."""
    took = state.took if state.ended and state.started and state.state == "done" else None
    promise = [tag("p", promise_words(state.piloted, took), cls="muted")] if state.piloted is not None else []
    if state.ranked is None:
        return join(promise)
    score = Score.of(list(state.trials.values()))
    header = ["Trial", "Mean R²" if score.kind == "R²" else "Mean", "95 % interval", "Seeds", "p against the first", ""]
    rows = [
        [str(trial), score.words(mean, 2), score.between(low, high), str(seeds), "" if p is None else f"{p:.2g}", remark]
        for trial, mean, low, high, seeds, p, remark in ranking_rows(state)[1]
    ]
    made = table(header, rows, numeric=(0, 1, 2, 3, 4))
    return join([tag("h3", "The best, trained again on fresh seeds and slices"), tag("p", state.ranked.words), made, *promise])


def _search(state: RunState) -> Html:
    steps, score = state.staircase(), Score.of(list(state.trials.values()))
    stairs: list[tuple[float, float | None]] = []
    for count, _, best in steps:
        if stairs:
            stairs.append((count, stairs[-1][1]))
        stairs.append((count, score.factor * best))
    ended = state.ended_trials()
    if stairs and len(ended) > stairs[-1][0]:
        stairs.append((len(ended), stairs[-1][1]))
    dots = [(float(i), _drawn(t, score)) for i, t in enumerate(ended, start=1)]
    series = [Series("Best so far", stairs), Series("Trials", dots, "var(--grey_curve)", dots=True)]
    drawing = chart(series, x="trials", y=score.title if score.kind == "R²" else score.title.lower(), width=960.0)
    names = varied(state.trials.values())
    order = ranked(state)
    order += [t for t in state.trials.values() if t not in order]
    header = ["Trial", "State", "R²" if score.kind == "R²" else "Value", *(short(n) for n in names), "Epochs", "Seconds"]
    rows = []
    for t in order[:_TRIALS]:
        values = [number(t.parameters.get(n)) for n in names]
        seconds = f"{cell(t, 'seconds') or 0:.1f}"
        rows.append([str(t.number), t.outcome, score.words(t.value, 2), *values, str(len(t.epochs)), seconds])
    right = (0, 2, *range(3, len(header)))
    best_row = 0 if state.best is not None else -1
    left_out = [tag("p", f"The best {_TRIALS} of {len(order)} trials; trials.csv in the run folder holds all.", cls="muted")]
    parts = [tag("h3", "Search"), _figure("Best value so far", series, drawing)]
    parts.append(
        tag("div", table(header, rows, numeric=right, best=best_row), *(left_out if len(order) > _TRIALS else []), cls="card")
    )
    return join(parts)


def _drawn(trial: TrialState, score: Score) -> float | None:
    if trial.value is None:
        return None
    return max(-1.0, trial.value) if score.kind == "R²" else score.factor * trial.value


def _confusion(classes: Sequence[str], counts: Sequence[Sequence[int]]) -> Html:
    rows = []
    for true, line in enumerate(counts):
        total = sum(line)
        cells = []
        for said, count in enumerate(line):
            share = count / total if total else 0.0
            tone = "accent" if true == said else "bad"
            depth = round(100 * (0.06 + 0.6 * (share if true == said else share**0.5))) if count else 0
            shade = f"background:color-mix(in srgb, var(--{tone}) {depth}%, var(--surface))"
            cells.append(tag("td", str(count), tag("small", percent(share)), style=shade))
        rows.append(tag("tr", tag("th", classes[true], scope="row"), *cells))
    head = tag("tr", tag("th", "true \\ predicted"), *(tag("th", name, scope="col") for name in classes))
    body = tag("div", tag("table", head, *rows, cls="matrix"), cls="scroll")
    return join([tag("h3", "Confusion on the evaluation set"), tag("div", body, cls="card")])


def _origin(report: RunReport) -> Html:
    info, recipe = report.info, report.recipe
    pairs = []
    if recipe is not None:
        seeds = [f"slices {recipe.slices.seed}", f"training {recipe.training.seed}"]
        seeds += [f"search {recipe.search.seed}"] if recipe.search is not None else []
        pairs.append(("Seeds", ", ".join(seeds)))
    if report.state.image_set is not None:
        pairs.append(("Image set", report.state.image_set.hash))
    pairs.append(("Versions", ", ".join(f"{k} {v}" for k, v in info.get("versions", {}).items())))
    plugins = [f"{p['kind']} {p['name']} {p.get('version', '')} ({p.get('hash', '')})" for p in info.get("plugins", [])]
    pairs.append(("Plugins", ", ".join(plugins)))
    machine = info.get("machine", {})
    memory = f", {machine['memory'] / 1e9:.0f} GB" if isinstance(machine.get("memory"), int | float) else ""
    pairs.append(("Computer", f"{machine.get('system', '')}, {machine.get('cores', '?')} cores{memory}"))
    return join([tag("h3", "Origin"), tag("div", facts(pairs), cls="card")])
