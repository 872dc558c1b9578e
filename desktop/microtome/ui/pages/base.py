"""What every page is: a tab with a restorable key, built from a desk and, for a run's page, the run's name."""

from __future__ import annotations

from typing import Any, ClassVar

from PySide6.QtWidgets import QWidget

from microtome.results.fold import RunState
from microtome.session import Change
from microtome.ui.desk import Desk


class Page(QWidget):
    """A tab of the window.

    A page is built from the theme and the language of the moment; when either changes the window builds it anew, so a page
    needs no code for that (what the user set up in it goes through `keep` and `restore`). Subclasses set `prefix`, build
    their widgets in __init__ and override what they need.
    """

    prefix: ClassVar[str] = ""
    icon: ClassVar[str] = "page"

    def __init__(self, desk: Desk, argument: str = "") -> None:
        super().__init__()
        self.desk = desk
        self.argument = argument  # for run pages: the run's name

    @property
    def key(self) -> str:
        """`prefix` or `prefix:argument`; opening the key again gives this page back."""
        return f"{self.prefix}:{self.argument}" if self.argument else self.prefix

    def title(self) -> str:
        """The tab's words."""
        raise NotImplementedError

    def refresh(self, change: Change) -> None:
        """Something changed (also called once with Change.ALL when the page is opened)."""

    def show_state(self, state: RunState) -> None:
        """For a run's page: its run's folded state is new (at most 30 times a second, only while the page is in front)."""

    def keep(self) -> dict[str, Any]:
        """What to restore when the page is built anew or the project is opened again, as plain JSON."""
        return {}

    def restore(self, kept: dict[str, Any]) -> None:
        """Take up what `keep` returned."""
