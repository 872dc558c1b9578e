"""Copy or save what a view shows: picture to the clipboard, PNG, SVG, or its numbers as CSV; by the view's right-click menu."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from PySide6.QtCore import QPoint, QRect, QSize, Qt
from PySide6.QtGui import QGuiApplication, QImage, QPainter
from PySide6.QtSvg import QSvgGenerator
from PySide6.QtWidgets import QFileDialog, QMenu, QWidget

from microtome.errors import FileError
from microtome.results.export import write_csv
from microtome.ui.desk import Desk
from microtome.ui.i18n import tr
from microtome.ui.icons import icon
from microtome.ui.theme import current

Table = tuple[Sequence[str], Sequence[Sequence[Any]]]
_SCALE = 3  # of a saved PNG: sharp in print


def picture(widget: QWidget, scale: float = _SCALE) -> QImage:
    """The widget as an image, `scale` times its size on the screen."""
    image = QImage(widget.size() * scale, QImage.Format.Format_RGB32)
    image.setDevicePixelRatio(scale)
    image.fill(current().surface)
    painter = QPainter(image)
    widget.render(painter, QPoint(0, 0))
    painter.end()
    return image


def save_png(widget: QWidget, path: Path) -> None:
    """Save the widget as a PNG picture; FileError where it cannot be written."""
    if not picture(widget).save(str(path)):
        raise FileError(f"Could not write {path}.", "Choose another folder, or free some space.")


def save_svg(widget: QWidget, path: Path) -> None:
    """Save the widget as an SVG drawing; FileError where it cannot be written."""
    generator = QSvgGenerator()
    generator.setFileName(str(path))
    generator.setSize(QSize(widget.width(), widget.height()))
    generator.setViewBox(QRect(0, 0, widget.width(), widget.height()))
    generator.setTitle(widget.accessibleName())
    painter = QPainter()
    if not painter.begin(generator):
        raise FileError(f"Could not write {path}.", "Choose another folder, or free some space.")
    painter.fillRect(widget.rect(), current().surface)
    widget.render(painter, QPoint(0, 0))
    painter.end()


class Savers:
    """The right-click menu of one view. `table` gives (header, rows); `name` is proposed as file name."""

    def __init__(self, desk: Desk, widget: QWidget, table: Callable[[], Table], name: str) -> None:
        self.desk, self.widget, self.table, self.name = desk, widget, table, name
        self.extra: list[tuple[str, Callable[[], object]]] = []
        widget.setContextMenuPolicy(Qt.ContextMenuPolicy.CustomContextMenu)
        widget.customContextMenuRequested.connect(self._open)

    def menu(self) -> QMenu:
        """The menu, made anew each time it opens."""
        made = QMenu(self.widget)
        for words, act in self.extra:
            made.addAction(words).triggered.connect(lambda _=False, act=act: act())
        if self.extra:
            made.addSeparator()
        made.addAction(icon("copy"), tr("Copy picture")).triggered.connect(self.copy_picture)
        made.addAction(icon("copy"), tr("Copy numbers")).triggered.connect(self.copy_numbers)
        made.addSeparator()
        for words, suffix, save in (
            (tr("Save as PNG…"), ".png", lambda path: save_png(self.widget, path)),
            (tr("Save as SVG…"), ".svg", lambda path: save_svg(self.widget, path)),
            (tr("Save numbers as CSV…"), ".csv", lambda path: write_csv(path, *self.table())),
        ):
            made.addAction(words).triggered.connect(lambda _=False, s=suffix, f=save: self._ask(s, f))
        return made

    def copy_picture(self) -> None:
        """Put the picture on the clipboard."""
        QGuiApplication.clipboard().setImage(picture(self.widget, 2))

    def copy_numbers(self) -> None:
        """Put the numbers on the clipboard, tab-separated as spreadsheets take them."""
        header, rows = self.table()
        lines = ["\t".join("" if v is None else str(v) for v in row) for row in [header, *rows]]
        QGuiApplication.clipboard().setText("\n".join(lines))

    def _open(self, where: QPoint) -> None:
        self.menu().popup(self.widget.mapToGlobal(where))

    def _ask(self, suffix: str, save: Callable[[Path], None]) -> None:
        kind = suffix[1:].upper()
        chosen, _ = QFileDialog.getSaveFileName(self.widget, tr("Save as"), f"{self.name}{suffix}", f"{kind} (*{suffix})")
        if not chosen:
            return
        path = Path(chosen) if Path(chosen).suffix else Path(chosen + suffix)

        def work() -> bool:
            save(path)
            return True

        if self.desk.perform(work):
            self.desk.say(tr("Saved {path}", path=path), level="good")
