"""A look through a whole volume: how far it is, and how it is stopped."""

from __future__ import annotations

from collections.abc import Iterator

from microtome.errors import MicrotomeError
from microtome.plugin import Report


class LookStoppedError(MicrotomeError):
    """The look was stopped where it was asked to stop."""

    def __init__(self) -> None:
        super().__init__("The measurement was stopped.", "Start it again to have its result.")


def steps(count: int, report: Report, *, start: float = 0.0, end: float = 1.0) -> Iterator[int]:
    """0 … count - 1, reporting the share done (from `start` to `end`) before each; LookStoppedError where it is to stop."""
    for i in range(count):
        if report(start + (end - start) * i / count):
            raise LookStoppedError
        yield i
    if count and report(end):
        raise LookStoppedError
