"""A run's events as the lines that a terminal shows: every figure with its interval and how many images it is of."""

from __future__ import annotations

from microtome.events import (
    EpochEnded,
    Evaluated,
    Event,
    ImageSetReady,
    Note,
    Ranked,
    Retrained,
    TrialEnded,
    WarmStarted,
    images_of,
)
from microtome.results.fold import RunState
from microtome.results.scores import Score
from microtome.results.tables import ranking_rows
from microtome.results.words import ranked_baselines, standing_words, value_words


def lines(event: Event, state: RunState) -> list[str]:
    """What is said of an event, in English; nothing of most. `state` is the run's, with the event folded in."""
    match event:
        case ImageSetReady():
            return [f"warning: {words}" for words in event.warnings]
        case EpochEnded():
            return [_epoch(event)]
        case TrialEnded() if state.kind == "search":
            return [_ended(event, _score(state))]
        case WarmStarted():
            left = f"; {event.left_out} were left out, of other settings or outside the space" if event.left_out else ""
            return [f"warm start: the engine knows {len(event.points)} trials of earlier runs{left}"]
        case Retrained():
            of = f", n = {event.total}" if event.total else ""
            return [f"trial {event.trial} trained again, seed {event.seed}: {_score(state).words(event.value)}{of}"]
        case Ranked():
            return _ranking(state, event)
        case Evaluated():
            return _evaluation(event)
        case Note():
            return [f"{event.level}: {event.text} {event.hint}".rstrip()]
        case _:
            return []


def _score(state: RunState) -> Score:
    return Score.of(list(state.trials.values()))


def _epoch(event: EpochEnded) -> str:
    good = f"accuracy {event.validation_accuracy:.1%}" if event.r2 is None else f"R² {event.r2:.3f}"
    return (
        f"trial {event.trial} epoch {event.epoch + 1}: loss {_loss(event.train_loss)} / {_loss(event.validation_loss)}, "
        f"validation {good}, {event.images_per_second:.0f} images/s"
    )


def _loss(value: float | None) -> str:
    return "not a number" if value is None else f"{value:.3f}"


def _ended(event: TrialEnded, score: Score) -> str:
    value = "" if event.value is None else f", value {score.words(event.value)}"
    whence = f" (from {event.reused_from})" if event.reused_from else ""
    message = f": {event.message}" if event.message else ""
    return f"trial {event.trial} {event.outcome}{value}{whence}{message}"


def _ranking(state: RunState, event: Ranked) -> list[str]:
    score = _score(state)
    found = [f"ranking: {event.words}"]
    for trial, mean, low, high, seeds, _, remark in ranking_rows(state)[1]:
        of = f"95 % interval {score.between(low, high)}, n = {seeds} seeds"
        found.append(f"  trial {trial}: {score.words(mean)} ({of}) {remark}".rstrip())
    return found


def _evaluation(event: Evaluated) -> list[str]:
    if event.r2 is not None:
        found = [f"evaluation {value_words(event)}. {event.caution}".rstrip()]
        found += [f"  {name}: R² {value:.3f}" for name, value, _ in ranked_baselines(event)]
    else:
        low, high = event.interval
        n = images_of(event.per_class)
        found = [f"evaluation accuracy {event.accuracy:.1%} (95 % interval {low:.1%} … {high:.1%}, n = {n})"]
        found += [event.caution] if event.caution else []
        for name, accuracy, between in ranked_baselines(event):
            of = "" if between is None else f" (95 % interval {between[0]:.1%} … {between[1]:.1%})"
            found.append(f"  {name}: {accuracy:.1%}{of}")
    return [*found, *([words] if (words := standing_words(event)) else [])]
