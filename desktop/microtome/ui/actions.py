"""Run an action of the session: its mistakes become toasts, its change is announced to every page."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, TypeVar

from microtome.errors import MicrotomeError
from microtome.session import Change
from microtome.store.run import RunFolder

if TYPE_CHECKING:
    from microtome.ui.desk import Desk

T = TypeVar("T")


def perform(desk: Desk, action: Callable[[], T]) -> T | None:
    """Call `action`, show a MicrotomeError as a toast (and return None), announce the Change (or the new run) it returns."""
    try:
        result = action()
    except MicrotomeError as error:
        desk.report(error)
        return None
    if isinstance(result, Change):
        desk.announce(result)
    elif isinstance(result, RunFolder):
        desk.announce(Change.RUNS)
    return result
