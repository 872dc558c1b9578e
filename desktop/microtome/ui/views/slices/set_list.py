"""The project's image sets: what was cut, when, how large, which runs use it; to be exported, or deleted."""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import partial
from html import escape
from pathlib import Path

from PySide6.QtCore import QUrl
from PySide6.QtGui import QDesktopServices
from PySide6.QtWidgets import QBoxLayout, QFileDialog, QFrame, QInputDialog, QMenu, QMessageBox, QProgressBar, QWidget

from microtome.plugin import Report
from microtome.results.words import with_unit
from microtome.session import Change
from microtome.slices.shelf import Kept, delete_set, kept_sets
from microtome.ui.desk import Desk
from microtome.ui.i18n import tr
from microtome.ui.numbers import between, number, size_of, unit_word, with_commas
from microtome.ui.passes import Pass
from microtome.ui.sentences import said
from microtome.ui.theme import GRID
from microtome.ui.widgets import button, clear, column, framed, holding, label, row, scrolling, set_property, tool
from microtome.ui.words import run_title

FORMATS = ("tiff", "png", "npz", "zarr")


def format_words(name: str) -> str:
    """A format to export to."""
    return {
        "tiff": tr("Folders of TIFF files, to scale"),
        "png": tr("Folders of PNG files, to scale"),
        "npz": tr("One NumPy file"),
        "zarr": tr("Zarr store"),
    }[name]


class SetList(QWidget):
    """One card a set, the newest first; the one that the present settings make is marked."""

    def __init__(self, desk: Desk) -> None:
        super().__init__()
        self._desk = desk
        self._current = ""
        self.kept: list[Kept] = []
        self._body = column(gap=GRID)
        self._bar = QProgressBar()
        self._bar.setRange(0, 1000)
        self._bar.setTextVisible(False)
        self._words = label("", "muted")
        self._pass = Pass(self, desk.report)
        stop = button(tr("Stop"), self._pass.stop, kind="small", icon_name="stop")
        self._exporting = holding(row(self._bar, self._words, stop))
        self._pass.progressed.connect(self._progressed)
        self._pass.ended.connect(self._exporting.hide)
        self._exporting.hide()
        self.setLayout(column(self._exporting, scrolling(holding(column(self._body, None, margin=GRID)))))

    def fill(self) -> None:
        """Read the project's sets anew."""
        project = self._desk.session.project
        if project is None:
            self._show([])
        else:
            folder = project.imagesets
            self._desk.tasks.request(self, "sets", lambda: kept_sets(folder), self._show)

    def mark(self, hash_: str) -> None:
        """Say which set the present settings make."""
        if hash_ != self._current:
            self._current = hash_
            self._show(self.kept)

    def used_by(self, kept: Kept) -> list[str]:
        """The runs that were trained on a set."""
        return [
            t.run.name for t in self._desk.tails.all() if t.state.image_set is not None and t.state.image_set.hash == kept.hash
        ]

    def _show(self, kept: list[Kept]) -> None:
        self.kept = kept
        clear(self._body)
        if not kept:
            words = tr("No image set was cut yet. “Cut now” makes one; a training makes its own where there is none.")
            self._body.addWidget(label(words, "muted", wrap=True))
        for one in kept:
            self._body.addWidget(self._card(one))

    def _card(self, kept: Kept) -> QFrame:
        made = column(label(_title(kept), "heading"), margin=GRID, gap=GRID // 2)
        if kept.hash == self._current:
            badge = label(tr("these settings"), "badge")
            set_property(badge, "tone", "good")
            made.addLayout(row(badge, None))
        unit = str(self._desk.session.value("training.value_unit"))
        words, role = (said(kept.problem), "problem") if kept.problem else (_facts(kept, unit), "muted")
        made.addWidget(label(words, role, wrap=True, selectable=True))
        used = self.used_by(kept)
        words = tr("Used by {runs}", runs=", ".join(run_title(n) for n in used)) if used else tr("Used by no run")
        made.addWidget(label(words, "muted", wrap=True))
        if kept.warnings:
            remarks = label(tr("Remarks: {n} (rest the mouse here)", n=len(kept.warnings)), "warn")
            remarks.setToolTip("<p>" + "</p><p>".join(escape(said(w)) for w in kept.warnings) + "</p>")
            made.addWidget(remarks)
        made.addLayout(self._orders(kept))
        return framed(made)

    def _orders(self, kept: Kept) -> QBoxLayout:
        folder = QUrl.fromLocalFile(str(kept.path))
        export = button(tr("Export…"), kind="small")
        menu = QMenu(export)
        for name in FORMATS:
            menu.addAction(format_words(name)).triggered.connect(lambda _=False, n=name: self._ask_export(kept, n))
        export.setMenu(menu)
        export.setEnabled(not kept.problem)
        show = tool("folder", tr("Open its folder"), lambda: QDesktopServices.openUrl(folder))
        return row(export, show, None, tool("trash", tr("Delete this image set"), lambda: self._ask_delete(kept)))

    # --- delete

    def _ask_delete(self, kept: Kept) -> None:
        used = self.used_by(kept)
        words = tr("Delete this image set ({size})?", size=size_of(kept.size))
        more = tr("It can be cut again from the same volumes: it will be the same to the bit.")
        if used:
            more += "\n" + tr("{n} runs were trained on it; until then they cannot go on or show their images.", n=len(used))
        asked = QMessageBox(QMessageBox.Icon.Question, tr("Delete"), words, QMessageBox.StandardButton.Cancel, self)
        asked.setInformativeText(more)
        yes = asked.addButton(tr("Delete"), QMessageBox.ButtonRole.DestructiveRole)
        asked.exec()
        if asked.clickedButton() is yes:
            self.delete(kept)

    def delete(self, kept: Kept) -> None:
        """Delete a set in the background; one that a running job uses stays."""
        running = [n for n in self.used_by(kept) if (tail := self._desk.tails.get(n)) is not None and tail.active]
        if running:
            words = tr("{run} is using this image set.", run=run_title(running[0]))
            self._desk.say(words, hint=tr("Stop it first."), level="error")
            return

        def done(_: object) -> None:
            self._desk.say(tr("The image set was deleted."))
            self._desk.announce(Change.RUNS)

        self._desk.tasks.request(self, "delete", lambda: delete_set(kept), done)

    # --- export

    def _ask_export(self, kept: Kept, name: str) -> None:
        depths = ("uint16", "uint8") if name == "png" else ("float32", "uint16", "uint8")
        depth, taken = QInputDialog.getItem(self, tr("Export"), tr("Values of a pixel"), depths, 0, False)
        if not taken:
            return
        start = str(Path.home() / f"slices-{kept.hash[:8]}-{name}")
        chosen, _ = QFileDialog.getSaveFileName(self, tr("Export to a new folder"), start)
        if not chosen:
            return
        path = Path(chosen)
        self.export(kept, path, name, depth=depth)

    def export(self, kept: Kept, path: Path, name: str, *, depth: str = "") -> None:
        """Write a set in another format into the new folder `path`, in the background."""
        self._exporting.show()
        self._bar.setValue(0)
        self._pass.start(_exporter(kept, path, name, depth), partial(self._exported, path))

    def _progressed(self, share: float, left: tuple[float, float] | None) -> None:
        self._bar.setValue(round(1000 * share))
        self._words.setText(tr("{time} left", time=between(*left)) if left else tr("exporting…"))

    def _exported(self, path: Path, images: int) -> None:
        words = tr("{n} images were exported to {path}.", n=with_commas(images), path=path)
        folder = QUrl.fromLocalFile(str(path))
        self._desk.say(words, level="good", action=tr("Show"), act=lambda: QDesktopServices.openUrl(folder))


def _exporter(kept: Kept, path: Path, name: str, depth: str) -> Callable[[Report], int]:
    def work(report: Report) -> int:
        from microtome.slices.export.folder import export_set
        from microtome.slices.imageset import ImageSet

        stop = False

        def progress(_name: str, done: float, total: float, _unit: str) -> None:
            nonlocal stop
            stop = report(done / total if total else 0.0)

        export_set(ImageSet.open(kept.path), path, format=name, depth=depth, progress=progress, should_stop=lambda: stop)
        return kept.images

    return work


def _title(kept: Kept) -> str:
    if kept.plan is None:
        return kept.hash[:8]
    size = f"{number(kept.plan.field_of_view, 4)} {unit_word(kept.plan.unit)}"
    return f"{size} → {kept.plan.pixels} px"


def _facts(kept: Kept, unit: str) -> str:
    assert kept.plan is not None
    sets = f"{kept.plan.train} / {kept.plan.validation} / {kept.plan.evaluation}"
    if len(kept.classes) == 1:
        counted = tr("{n} images ({counts})", n=with_commas(kept.images), counts=sets)
    else:
        counted = tr("{n} images ({counts} a class)", n=with_commas(kept.images), counts=sets)
    told = ""
    if kept.values:
        low, high = f"{kept.values[0]:.4g}", with_unit(kept.values[-1], unit)
        told = tr("values {low} … {high} of {n} volumes", low=low, high=high, n=len(kept.values))
    parts = [
        counted,
        told or ", ".join(kept.classes),
        size_of(kept.size),
        time.strftime("%Y-%m-%d %H:%M", time.localtime(kept.made)),
        kept.hash[:8],
    ]
    return " · ".join(parts)
