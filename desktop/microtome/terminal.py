"""What a command says while it works: lines or one JSON object a line on stdout, a bar with phase and ETA on the terminal."""

from __future__ import annotations

import json
import shutil
import sys
import time
from typing import Any

from microtome.events import BatchProgress, EpochEnded, Event, Phase, encode
from microtome.results.fold import RunState, fold
from microtome.results.lines import lines
from microtome.results.words import duration

_REFRESH = 0.2  # seconds between two drawings of the bar


def finished(data: dict[str, Any], *, as_json: bool, sentence: str) -> None:
    """End a command: the "finished" object, or a sentence for people."""
    if as_json:
        print(json.dumps({"event": "finished", **data}, ensure_ascii=False), flush=True)
    elif sentence:
        print(sentence, flush=True)


def size_words(count: float) -> str:
    """Bytes in the largest fitting unit, with three digits: `12.6 MB`."""
    for unit, factor in (("TB", 1e12), ("GB", 1e9), ("MB", 1e6), ("kB", 1e3)):
        if count >= factor:
            return f"{count / factor:.3g} {unit}"
    return f"{count:.0f} bytes"


class Progress:
    """Shows a run's events on the terminal as they come."""

    def __init__(self, *, as_json: bool) -> None:
        self._json = as_json
        self._bar = not as_json and sys.stderr.isatty()
        self._state = RunState()
        self._begun = time.monotonic()
        self._drawn = 0.0
        self._phase = ""

    def event(self, event: Event) -> None:
        """Take one event."""
        fold(self._state, event)
        if self._json:
            if not isinstance(event, BatchProgress):
                print(encode(event).decode(), flush=True)
            return
        match event:
            case Phase():
                self._show_phase(event.name, event.done, event.total)
            case BatchProgress():
                self._draw("training", self._state.fraction())
            case _:
                for line in lines(event, self._state):
                    self._line(line)
                if isinstance(event, EpochEnded):
                    self._draw("training", self._state.fraction())

    def phase(self, name: str, done: float, total: float, unit: str = "") -> None:
        """Take the progress of a step outside a run."""
        self.event(Phase(name=name, done=done, total=total, unit=unit))

    def close(self) -> None:
        """Clear the bar."""
        if self._bar:
            print("\r\033[K", end="", file=sys.stderr, flush=True)

    def _show_phase(self, name: str, done: float, total: float) -> None:
        if name != self._phase:
            self._phase, self._begun = name, time.monotonic()
            if not self._bar:
                print(f"{name} …", flush=True)
        self._draw(name, done / total if total else 0.0)

    def _line(self, text: str) -> None:
        self.close()
        print(text, flush=True)

    def _draw(self, name: str, fraction: float) -> None:
        now = time.monotonic()
        if not self._bar or now - self._drawn < _REFRESH:
            return
        self._drawn = now
        width = max(10, min(40, shutil.get_terminal_size().columns - 40))
        filled = round(width * min(1.0, fraction))
        left = (now - self._begun) * (1 - fraction) / fraction if fraction > 0.01 else None
        eta = f"about {duration(left)} left" if left is not None else ""
        bar = "█" * filled + "·" * (width - filled)
        print(f"\r\033[K{name:<18} {bar} {fraction:4.0%} {eta}", end="", file=sys.stderr, flush=True)
