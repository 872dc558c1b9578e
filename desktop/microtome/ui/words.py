"""The words of states and kinds, in the language in use."""

from __future__ import annotations

from microtome.ui.i18n import tr

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


def page_of(kind: str, name: str) -> str:
    """The page key of a run."""
    return f"search:{name}" if kind == "search" else f"run:{name}"
