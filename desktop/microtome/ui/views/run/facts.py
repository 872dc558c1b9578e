"""What a training was fed with, in words: images a class, the pixel's size, how independent the sets are."""

from __future__ import annotations

from typing import Any

from PySide6.QtWidgets import QWidget

from microtome.errors import MicrotomeError
from microtome.events import ImageSetReady
from microtome.results.words import per_class_counts
from microtome.store.atomic import read_json
from microtome.ui.desk import Desk
from microtome.ui.i18n import tr
from microtome.ui.numbers import length
from microtome.ui.sentences import said
from microtome.ui.theme import GRID
from microtome.ui.widgets import clear, column, label, note


class RunFacts(QWidget):
    """Filled once by `show_set`; what the set's own file says is read in the background."""

    def __init__(self, desk: Desk) -> None:
        super().__init__()
        self.desk = desk
        self._set_hash = ""
        self._body = column(gap=GRID // 2)
        self.setLayout(self._body)

    def show_set(self, ready: ImageSetReady | None) -> None:
        """Show a run's image set."""
        if ready is None or ready.hash == self._set_hash:
            return
        self._set_hash = ready.hash
        clear(self._body)
        counts = tr(
            "Images a class: {train} for training, {validation} for validation, "
            "{evaluation} for evaluation (locked until the end).",
            train=per_class_counts(ready, "train"),
            validation=per_class_counts(ready, "validation"),
            evaluation=per_class_counts(ready, "evaluation"),
        )
        pixel = tr("A pixel is {size}.", size=length(ready.pixel_size, ready.unit))
        self._body.addWidget(label(f"{counts} {pixel}", "muted", wrap=True, selectable=True))
        for words in ready.warnings:
            self._body.addWidget(note(words, "warn"))
        project = self.desk.session.project
        if project is not None:
            file = project.imagesets / ready.hash / "plan.json"
            # A set that was deleted since has nothing to say; the run's own figures stay.
            self.desk.tasks.request(self, "independence", lambda: read_json(file), self._say_independence, failed=self._no_plan)

    def _say_independence(self, plan: dict[str, Any]) -> None:
        words = str(plan.get("independence", ""))
        if words:
            self._body.addWidget(label(said(words), "muted", wrap=True, selectable=True))

    def _no_plan(self, error: MicrotomeError) -> None:
        self._body.addWidget(label(tr("The slice set of this run is no longer there."), "muted", wrap=True))
