"""The evaluation of a run: the verdict, the confusion matrix, and the images behind each of its cells."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray
from PySide6.QtWidgets import QCheckBox, QStackedWidget, QWidget

from microtome.errors import FileError, MicrotomeError
from microtome.results.fold import RunState
from microtome.results.tables import confusion_rows
from microtome.store.atomic import explain
from microtome.ui.desk import Desk
from microtome.ui.i18n import tr
from microtome.ui.pages.base import Page
from microtome.ui.sentences import said
from microtome.ui.theme import GRID
from microtome.ui.views.run.confusion import ConfusionView
from microtome.ui.views.run.value_cards import ScatterCard
from microtome.ui.views.run.verdict import Verdict
from microtome.ui.views.saving import Savers
from microtome.ui.views.slices.gallery import Gallery, GalleryRow, to_images
from microtome.ui.widgets import EmptyState, button, card, column, holding, label, row, scrolling
from microtome.ui.words import page_of, run_title

_MOST = 48  # images of a cell that are shown


@dataclass(frozen=True)
class CellImages:
    """The images of one cell: those shown, the least certain first, and how many there are."""

    images: NDArray[np.float32]
    total: int


def cell_images(predictions: Path, images: Path, true: str, said: str) -> CellImages:
    """Read the images that were of class `true` and called `said`; belongs on a background thread.

    Raises FileError where the predictions or the images are no longer there.
    """
    try:
        with open(predictions, encoding="utf-8", newline="") as file:
            rows = [r for r in csv.DictReader(file) if r["true"] == true and r["predicted"] == said]
        stack = np.load(images, mmap_mode="r")
    except OSError as error:
        raise explain(error, Path(str(error.filename or predictions)), "read") from error
    except (KeyError, ValueError, csv.Error) as error:
        raise FileError(f"{predictions} is damaged: {error}.", "Restore it from a copy.") from error
    rows.sort(key=lambda r: float(r[f"p_{said}"]))
    wanted = [int(r["image"]) for r in rows[:_MOST]]
    return CellImages(np.array(stack[wanted], dtype=np.float32), len(rows))


class EvaluationPage(Page):
    """Of one run, once its evaluation set was opened."""

    prefix: ClassVar[str] = "evaluation"
    icon: ClassVar[str] = "evaluation"

    def __init__(self, desk: Desk, argument: str = "") -> None:
        super().__init__(desk, argument)
        self.state = RunState()
        self.verdict = Verdict()
        self.confusion = ConfusionView(clickable=True)
        self.confusion.picked.connect(self._pick)
        self.confusion.setMinimumHeight(260)
        self.counts = QCheckBox(tr("Counts"))
        self.counts.setToolTip(tr("Numbers of images instead of percent of each row"))
        self.counts.toggled.connect(lambda on: self.confusion.show_shares(not on))
        self.gallery = Gallery()
        self._about = label(tr("Click on a cell to see its images."), "muted", wrap=True)
        self._stack = QStackedWidget()
        self._stack.addWidget(self._empty())
        self._stack.addWidget(scrolling(holding(self._body())))
        self.setLayout(column(self._stack))

    def title(self) -> str:
        """The tab's words."""
        return tr("Evaluation of {name}", name=run_title(self.argument))

    def _empty(self) -> QWidget:
        text = tr("Not evaluated yet")
        hint = tr("The evaluation set stays locked until the run has ended; it is opened once, for the best network.")
        return EmptyState("evaluation", text, hint, ((tr("Go to the run"), self._go_to_run),))

    def _go_to_run(self) -> None:
        tail = self.desk.tails.get(self.argument)
        self.desk.open_page(page_of(tail.kind if tail is not None else "train", self.argument))

    def _body(self) -> Any:
        back = button(tr("Go to the run"), self._go_to_run, icon_name="train")
        head = row(label(self.title(), "title"), None, back)
        matrix = card(
            row(label(tr("Confusion on the evaluation set"), "heading"), None, self.counts),
            label(tr("Rows add up to 100 %."), "faint"),
            self.confusion,
        )
        self._savers = Savers(self.desk, matrix, self._table, f"{self.argument}-evaluation")
        pictures = card(label(tr("Images of a cell"), "heading"), self._about, self.gallery, None)
        matrix.setMinimumWidth(280)
        pictures.setMinimumWidth(280)
        both = row(matrix, pictures, gap=GRID)
        both.setStretch(0, 1)
        both.setStretch(1, 1)
        self._of_classes = (matrix, pictures)
        self.scatter = ScatterCard(self.desk, self.argument, tr("Told values, evaluation set"))
        self.scatter.setMinimumHeight(360)
        self.scatter.hide()
        body = column(head, self.verdict, both, self.scatter, margin=2 * GRID, gap=GRID)
        body.setStretch(2, 1)
        body.setStretch(3, 1)
        self._below = body
        return body

    def _table(self) -> tuple[Sequence[str], Sequence[Sequence[Any]]]:
        return confusion_rows(self.confusion.classes, self.confusion.counts)

    def show_state(self, state: RunState) -> None:
        """Show the evaluation where there is one."""
        self.state = state
        found = state.evaluated
        self._stack.setCurrentIndex(0 if found is None else 1)
        if found is None:
            return
        self.verdict.show_result(found)
        numbers = found.r2 is not None
        for part in self._of_classes:
            part.setVisible(not numbers)
        self.scatter.setVisible(numbers)
        self._below.setStretch(2, 0 if numbers else 1)
        if numbers:
            self.scatter.show_points(found.points, found.unit)
            return
        first = not self.confusion.counts
        self.confusion.show_matrix(state.classes, found.confusion)
        if first and self.confusion.chosen is None:
            self._pick(*_worst(found.confusion))
        elif first:
            assert self.confusion.chosen is not None
            self._pick(*self.confusion.chosen)

    def _pick(self, true: int, said: int) -> None:
        tail, project, ready = self.desk.tails.get(self.argument), self.desk.session.project, self.state.image_set
        found, classes = self.state.evaluated, self.state.classes
        if tail is None or project is None or ready is None or found is None or max(true, said) >= len(classes):
            return
        self.confusion.choose((true, said))
        predictions = tail.run.trial(found.trial) / "predictions.csv"
        images = project.imagesets / ready.hash / "images.npy"
        names = classes[true], classes[said]
        self._about.setText(tr("reading…"))
        self.desk.tasks.request(
            self,
            "cell",
            lambda: cell_images(predictions, images, *names),
            lambda cell: self._show_cell(cell, true, said),
            failed=self._no_images,
        )

    def _show_cell(self, cell: CellImages, true: int, said: int) -> None:
        classes = self.state.classes
        words = tr("{n} images of {true} that were called {said}", n=cell.total, true=classes[true], said=classes[said])
        shown = len(cell.images)
        more = " " + tr("The {n} least certain are shown.", n=shown) if shown < cell.total else ""
        self._about.setText(f"{words}.{more}")
        caption = tr("least certain first") if shown > 1 else ""
        self.gallery.show_rows([GalleryRow(classes[true], caption, to_images(cell.images), colour=true)] if shown else [])

    def _no_images(self, error: MicrotomeError) -> None:
        self.gallery.show_rows([])
        self._about.setText(said(error))

    def keep(self) -> dict[str, Any]:
        """The chosen cell, counts or percent."""
        return {"cell": self.confusion.chosen, "counts": self.counts.isChecked()}

    def restore(self, kept: dict[str, Any]) -> None:
        """Take them up."""
        self.counts.setChecked(bool(kept.get("counts", False)))
        cell = kept.get("cell")
        if isinstance(cell, list | tuple) and len(cell) == 2:
            self.confusion.choose((int(cell[0]), int(cell[1])))
            if self.confusion.counts:
                self._pick(int(cell[0]), int(cell[1]))


def _worst(confusion: Sequence[Sequence[int]]) -> tuple[int, int]:
    """The cell with most mistakes; the first hit where there are none."""
    cells = [(count, -t, -s) for t, line in enumerate(confusion) for s, count in enumerate(line) if t != s]
    count, true, said = max(cells, default=(0, 0, 0))
    return (-true, -said) if count else (0, 0)
