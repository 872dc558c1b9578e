"""The words of states and kinds, in the language in use."""

from __future__ import annotations

from microtome.results.fold import TrialState
from microtome.results.scores import score_of
from microtome.results.tables import current_value
from microtome.store.project import VolumeEntry
from microtome.ui.i18n import tr
from microtome.ui.numbers import number, unit_word

_STATES = {
    "waiting": "waiting",
    "queued": "queued",
    "starting": "starting",
    "running": "running",
    "pausing": "pausing",
    "paused": "paused",
    "stopping": "stopping",
    "stopped": "stopped",
    "done": "done",
    "aborted": "aborted",
    "failed": "failed",
    "interrupted": "interrupted",
}
_TONES = {
    "running": "accent",
    "starting": "accent",
    "done": "good",
    "pausing": "warn",
    "paused": "warn",
    "stopping": "warn",
    "stopped": "warn",
    "interrupted": "warn",
    "aborted": "bad",
    "failed": "bad",
}
_PHASES = {"train": "Training", "search": "Search", "slices": "Slice set"}


def state_word(word: str) -> str:
    """A run's state word."""
    return tr(_STATES.get(word, word))


def trial_words(trial: TrialState) -> str:
    """Which trial it is, how it stands, and its value: `trial 12 · done · 93.1 %`."""
    parts = [tr("trial {n}", n=trial.number), state_word(trial.outcome), score_of(trial).words(current_value(trial))]
    parts += [tr("begun early")] if trial.speculative else []
    parts += [tr("went on from its checkpoint")] if trial.promotions else []
    return " · ".join(parts)


def mark_words(kind: str) -> str:
    """What a mark of a trial means, in a sentence."""
    words = {
        "reused": tr("A run of this project had trained the same before: it was answered at once."),
        "promoted": tr("It waited after its first epochs, was among the best, and went on from its checkpoint."),
        "paused": tr("It waits after its first epochs, and goes on from its checkpoint if it is among the best."),
        "early": tr("Begun by a worker that had nothing else to do, before it was known that it is wanted."),
        "dropped": tr("Begun early, and not wanted in the end."),
        "stopped": tr("It fell behind and was stopped: its value is of fewer epochs, and does not count."),
    }
    return words[kind]


def state_tone(word: str) -> str:
    """The badge's tone of a state word."""
    return _TONES.get(word, "")


def kind_word(kind: str) -> str:
    """What a run is: Training, Search, Slice set."""
    return tr(_PHASES.get(kind, kind))


def run_title(name: str) -> str:
    """A run's folder name without its time stamp: “20260102-030405-train-2” is “train-2 · 03:04”."""
    date, _, rest = name.partition("-")
    clock, _, words = rest.partition("-")
    if len(date) == 8 and len(clock) >= 6 and date.isdigit() and clock[:6].isdigit() and words:
        return f"{words} · {clock[:2]}:{clock[2:4]}"
    return name


def pixel_words(entry: VolumeEntry) -> str:
    """The pixel of an entry's images, by the first of them; "" where the files do not say it."""
    edges, unit = (entry.voxel_size[1:], entry.unit) if entry.voxel_size is not None else (entry.pixel_size, "nm")
    if edges is None:
        return ""
    y, x = (number(edge, 4) for edge in edges)
    return f"{y if y == x else f'{y} × {x}'} {unit_word(unit)}"


def page_of(kind: str, name: str) -> str:
    """The page key of a run."""
    return f"search:{name}" if kind == "search" else f"run:{name}"
