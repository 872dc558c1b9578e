"""The cage: a volume's box with the slices of each set as planes in its colour, and the block that holds them."""

from __future__ import annotations

from PySide6.QtGui import QGuiApplication
from PySide6.QtWidgets import QCheckBox, QPushButton

from microtome.ui.desk import Desk
from microtome.ui.i18n import tr
from microtome.ui.latest import Superseded
from microtome.ui.numbers import with_commas
from microtome.ui.sentences import said
from microtome.ui.slices_sources import Asked, Source
from microtome.ui.slices_space import MOST, CageRead, read_cage
from microtome.ui.theme import GRID
from microtome.ui.views.slices.gallery import set_colour, set_words
from microtome.ui.views.slices.source_view import SourceView
from microtome.ui.views.space.canvas import SpaceCanvas
from microtome.ui.widgets import Choice, button, column, label, row, tool

SETS = ("train", "validation", "evaluation")
_FEW = 40  # planes of a set: more are a tangle


class Cage(SourceView[CageRead]):
    """Sets can be left out, and planes: all of them show where, a few show how."""

    def __init__(self, desk: Desk) -> None:
        super().__init__(desk)
        self.canvas = SpaceCanvas(desk)
        self.canvas.setAccessibleName(tr("Planes in the volume"))
        self.canvas.setAccessibleDescription(tr("Drag to turn, Shift + drag to move, wheel to zoom, double click to reset"))
        self.buttons = {name: self._button(name) for name in SETS}
        self.most = Choice([(str(n), str(n)) for n in (10, _FEW, 100, MOST)], str(_FEW))
        self.most.setAccessibleName(tr("Planes of a set"))
        self.most.setToolTip(tr("How many planes of each set are drawn"))
        self.most.activated.connect(lambda _: self._draw())
        self.blocks = QCheckBox(tr("Blocks"))
        self.blocks.setChecked(True)
        self.blocks.setToolTip(tr("The part of the volume that each set is cut from"))
        self.blocks.toggled.connect(lambda _: self._draw())
        copy = tool("copy", tr("Copy picture"), lambda: QGuiApplication.clipboard().setImage(self.canvas.render_image()))
        reset = tool(
            "reset", tr("Show the whole box from the first side (double click)"), lambda: self.canvas.look_from("corner")
        )
        self.words = label("", "muted", wrap=True)
        made = column(
            row(self.choice, self.most, self.blocks, None, copy, reset),
            row(*self.buttons.values(), None, gap=GRID // 2),
            self.canvas,
            self.words,
            margin=GRID,
        )
        made.setStretch(2, 1)
        self.setLayout(made)

    def _button(self, name: str) -> QPushButton:
        made = button(set_words(name), kind="small")
        made.setCheckable(True)
        made.setChecked(True)
        made.setStyleSheet(f"QPushButton {{ border-left: 4px solid {set_colour(name)}; }}")
        made.setToolTip(tr("Show or hide the planes of this set"))
        made.toggled.connect(lambda _: self._draw())
        return made

    def read(self, asked: Asked, source: Source, superseded: Superseded) -> CageRead | None:
        """Place the slices."""
        return None if superseded() else read_cage(asked, source, {name: set_colour(name) for name in SETS})

    def show_found(self, found: CageRead | None) -> None:
        """Draw the planes of one volume."""
        self.found = found
        for name, made in self.buttons.items():
            count = found.counts.get(name, 0) if found is not None else 0
            made.setText(f"{set_words(name)} {with_commas(count)}")
            made.setVisible(found is None or count > 0)
        self._draw()

    def _draw(self) -> None:
        found = self.found
        if found is None:
            self.canvas.show_scene(None)
            self.words.setText("")
            return
        most = int(self.most.value())
        shown = frozenset(name for name, made in self.buttons.items() if made.isChecked())
        self.canvas.show_scene(found.scene(shown, most=most, blocks=self.blocks.isChecked()))
        words = [said(found.lost)] if found.lost else []
        if any(n > most for n in found.counts.values()):
            words.insert(0, tr("The first {n} planes of each set are drawn.", n=most))
        self.words.setText(" ".join(words))
        self.words.setVisible(bool(words))

    def show_busy(self, words: str) -> None:
        """Over the picture."""
        self.canvas.show_busy(words if self.found is None else "")
