"""The properties of a volume: class and voxel size to edit, facts, findings, where its data lie."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from PySide6.QtCore import Signal
from PySide6.QtWidgets import QComboBox, QFileDialog, QGridLayout, QSizePolicy, QWidget

from microtome.errors import InputError
from microtome.store.project import VolumeEntry
from microtome.ui.correction_chain import links_of
from microtome.ui.editors import UnitEdit
from microtome.ui.i18n import tr
from microtome.ui.import_card import ImportPart
from microtome.ui.numbers import length, number, shape, size_of, unit_word, with_commas
from microtome.ui.sentences import said
from microtome.ui.theme import GRID
from microtome.ui.widgets import Choice, breakable, button, column, facts, hide_unless, label, note, row, set_property
from microtome.ui.words import pixel_words
from microtome.volumes.read import Claim, Description, describe

if TYPE_CHECKING:
    from microtome.ui.desk import Desk

UNITS = ("nm", "um", "mm")


def class_combo(classes: list[str], value: str) -> QComboBox:
    """An editable drop-down of class names."""
    made = QComboBox()
    made.setEditable(True)
    made.setInsertPolicy(QComboBox.InsertPolicy.NoInsert)
    made.addItems(classes)
    made.setCurrentText(value)
    made.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
    made.setMinimumContentsLength(8)
    line = made.lineEdit()
    if line is not None:
        line.setPlaceholderText(tr("class name"))
        line.setAcceptDrops(False)
        line.setCursorPosition(0)
    made.setAccessibleName(tr("Class"))
    return made


class VoxelSizeEdit(QWidget):
    """Three lengths (z, y, x) and their unit; each red where it is missing. `value()` is None until all three are there.

    `pixel` (y, x) in nm is shown where the file knows these two alone: z is then what is asked for.
    """

    changed = Signal()  # something was entered; it may make no sense

    def __init__(
        self,
        size: tuple[float, float, float] | None,
        unit: str,
        pixel: tuple[float, float] | None = None,
        *,
        narrow: bool = False,
    ) -> None:
        super().__init__()
        # What is shown is rounded for reading; an untouched number keeps all its digits.
        self._exact: tuple[float | None, ...] = size or (None, *(pixel or (None, None)))
        self._known = size is not None
        self.lines = [UnitEdit(axis) for axis in ("z", "y", "x")]
        self.unit = Choice([(u, {"um": "µm"}.get(u, u)) for u in UNITS], unit if unit in UNITS else "nm")
        self.unit.setAccessibleName(tr("Unit"))
        grid = QGridLayout()
        grid.setContentsMargins(0, 0, 0, 0)
        grid.setSpacing(GRID // 2)
        for i, line in enumerate(self.lines):
            line.setMinimumWidth(52)
            line.setAccessibleName(tr("Voxel size {axis}", axis="zyx"[i]))
            line.setPlaceholderText("?")
            line.setText(_text(self._exact[i]))
            line.setCursorPosition(0)
            line.settled.connect(self._settled)
            grid.addWidget(line, 0, i)
        # In a narrow panel the unit stands below.
        grid.addWidget(self.unit, *((1, 0) if narrow else (0, 3)))
        self.setLayout(grid)
        self._mark()

    def value(self) -> tuple[float, float, float] | None:
        """The size; None where nothing is given; InputError where it makes no sense."""
        texts = [line.text().strip() for line in self.lines]
        if not any(texts) or (not self._known and texts == [_text(v) for v in self._exact]):
            return None
        exact = list(self._exact)
        if texts[0] and not texts[1] and not texts[2]:
            texts, exact = texts[:1] * 3, exact[:1] * 3  # one number means a cube
        try:
            z, y, x = (v if v is not None and t == _text(v) else float(t) for t, v in zip(texts, exact, strict=True))
        except ValueError:
            raise InputError(tr("The voxel size needs three numbers (z, y, x).")) from None
        if not all(0 < v < float("inf") for v in (z, y, x)):
            raise InputError(tr("A voxel size must be above 0."))
        return (z, y, x)

    def take_from(self, other: VoxelSizeEdit) -> None:
        """Show the size and unit of another one."""
        for mine, theirs in zip(self.lines, other.lines, strict=True):
            mine.setText(theirs.text())
        self._exact, self._known = other._exact, other._known
        self.unit.choose(other.unit.value())
        self._settled()

    def show_nm(self, edges: Sequence[float | None]) -> None:
        """Show lengths in nm, one an axis (z, y, x); None leaves what is there."""
        self.unit.choose("nm")
        self._exact = tuple(given if given is not None else old for given, old in zip(edges, self._exact, strict=True))
        for line, given in zip(self.lines, edges, strict=True):
            if given is not None:
                line.setText(number(given))
                line.setCursorPosition(0)
        self._known = all(v is not None for v in self._exact)
        self._settled()

    def _settled(self) -> None:
        self._mark()
        self.changed.emit()

    def _mark(self) -> None:
        try:
            state = "missing" if self.value() is None else "false"
        except InputError:
            state = "true"
        partly = any(line.text().strip() for line in self.lines[1:])
        for line in self.lines:
            mine = state
            if state != "false" and partly:
                mine = "missing" if not line.text().strip() else "true" if not _positive(line.text()) else "false"
            set_property(line, "wrong", mine)

    @property
    def anisotropy(self) -> str:
        """How much longer a voxel is than it is wide, in words; "" for cubes and unknown ones."""
        try:
            size = self.value()
        except InputError:
            return ""
        if size is None or max(size) <= 1.001 * min(size):
            return ""
        return tr("anisotropic, {n} : 1", n=number(max(size) / min(size), 3))


class ClaimsRow(QWidget):
    """What contradicting sources say of the voxel size, each with a button that takes it."""

    def __init__(self, claims: Sequence[Claim], edit: VoxelSizeEdit) -> None:
        super().__init__()
        self.buttons = [
            button(f"{source}: {_claimed(edges)}", partial(edit.show_nm, edges), kind="small") for source, *edges in claims
        ]
        for made in self.buttons:
            made.setToolTip(tr("Use this voxel size"))
        said = label(tr("The sources contradict each other; use"), "warn", wrap=True)
        self.setLayout(column(said, *(row(made, None) for made in self.buttons), gap=GRID // 2))
        hide_unless(self, bool(claims))


def particles_words(particles: Mapping[str, Any]) -> str:
    """A structure in a line: how many particles, their box, where it is periodic."""
    box, unit, wraps = particles["box"], str(particles["unit"]), [bool(w) for w in particles["periodic"]]
    edges = " × ".join(number(v, 4) for v in box) + (f" {unit_word(unit)}" if unit else "")
    axes = ", ".join(axis for axis, wrap in zip("zyx", wraps, strict=True) if wrap)
    how = tr("periodic") if all(wraps) else tr("periodic along {axes}", axes=axes) if axes else tr("not periodic")
    return tr("{n} particles, box {edges}, {how}", n=with_commas(int(particles["count"])), edges=edges, how=how)


def _claimed(edges: Sequence[float | None]) -> str:
    return " × ".join("?" if v is None else number(v, 5) for v in edges) + " nm"


def _text(value: float | None) -> str:
    return "" if value is None else number(value)


def _positive(text: str) -> bool:
    try:
        return 0 < float(text) < float("inf")
    except ValueError:
        return False


def measure_again(desk: Desk, entry_id: str) -> None:
    """Look at the header again, under the voxel size that was given: how many voxels a structure has, and what was missing."""
    project, entry = desk.session.need_project(), desk.session.volume(entry_id)
    path, options = project.resolve(entry), dict(entry.options)
    if entry.voxel_size is not None:
        options |= {"voxel_size": entry.voxel_size, "unit": entry.unit}

    def keep(found: Description) -> None:
        shape = found.shape if found.particles is not None else entry.shape
        if (shape, found.findings) != (entry.shape, entry.findings):
            desk.perform(lambda: desk.session.change_volume(entry_id, shape=shape, findings=found.findings))

    # A file that is gone by now says so where it is shown.
    desk.tasks.request(desk, f"measure {entry_id}", lambda: describe(path, **options), keep, failed=lambda _: None)


class VolumeProperties(QWidget):
    """What the panel shows of a volume."""

    def __init__(self, desk: Desk, entry: VolumeEntry) -> None:
        super().__init__()
        self.desk, self.entry = desk, entry
        self.class_box = class_combo(desk.session.classes(), entry.class_name)
        self.class_box.activated.connect(lambda _: self._set_class())
        line = self.class_box.lineEdit()
        assert line is not None
        line.editingFinished.connect(self._set_class)
        self.voxel = VoxelSizeEdit(entry.voxel_size, entry.unit, entry.pixel_size, narrow=True)
        parts: list[QWidget] = [
            label(tr("VOLUME"), "section"),
            label(breakable(entry.name), "heading", wrap=True, selectable=True),
        ]
        parts += [label(tr("Class"), "muted"), self.class_box]
        if entry.simulate is None and not entry.images:
            self.problem = label("", "problem", wrap=True)
            self.problem.hide()
            parts += [label(tr("Voxel size"), "muted"), self.voxel, self.problem]
            for edit in self.voxel.lines:
                edit.editingFinished.connect(self._set_voxel)
            self.voxel.unit.activated.connect(lambda _: self._set_voxel())
            if entry.claims:
                claims = ClaimsRow(entry.claims, self.voxel)
                self.voxel.changed.connect(self._set_voxel)
                parts.append(claims)
            if entry.voxel_size is None:
                parts.append(label(self._missing_words(), "problem", wrap=True))
            elif self.voxel.anisotropy:
                parts.append(label(self.voxel.anisotropy, "muted"))
        parts.append(self._facts())
        parts += [note(finding) for finding in entry.findings]
        if entry.in_file:
            parts.append(ImportPart(desk, entry))
        parts += self._place()
        parts.append(button(tr("Remove from the project"), self._remove, icon_name="trash"))
        self.setLayout(column(*parts))

    def _missing_words(self) -> str:
        if self.entry.pixel_size is not None:
            return tr("The distance between slices (z) is missing: lengths are counted in voxels until it is entered.")
        return tr("Missing: lengths are then counted in voxels.")

    def _facts(self) -> QWidget:
        entry, pairs = self.entry, []
        if entry.simulate is not None:
            pairs = [(tr("Simulated"), str(entry.simulate.get("kind", "")))]
            for key, value in entry.simulate.items():
                if key != "kind":
                    said = length(float(value), "nm") if key == "voxel_size" else str(value)
                    pairs.append((tr(key.replace("_", " ").capitalize()), said))
        else:
            pairs.append((tr("Images (number, y, x)") if entry.images else tr("Shape (z, y, x)"), shape(entry.shape)))
            pairs.append((tr("Grey values"), entry.dtype or "?"))
            if entry.images:
                pairs.append((tr("Pixel size"), pixel_words(entry) or tr("not in the files: counted in pixels")))
            elif entry.voxel_size is not None and entry.shape:
                edges = [
                    length(n * v, entry.unit).replace(" ", "\u00a0") for n, v in zip(entry.shape, entry.voxel_size, strict=True)
                ]
                pairs.append((tr("Edges"), " × ".join(edges)))
            pairs.append((tr("On disk"), size_of(entry.size)))
            if entry.shape and entry.dtype and not entry.images:
                count = float(np.prod(entry.shape)) * np.dtype(entry.dtype).itemsize
                pairs.append((tr("In memory"), size_of(count)))
            pairs += self._corrections()
        return facts(pairs)

    def _corrections(self) -> list[tuple[str, str]]:
        entry = self.entry
        if not entry.transforms:
            return []
        pairs = [(tr("Corrections"), ", ".join(tr(link.title) for link in links_of(entry) if link.on))]
        if entry.corrected_shape is not None:
            pairs.append((tr("Corrected"), shape(entry.corrected_shape)))
        if entry.corrected_voxel_size is not None and entry.corrected_voxel_size != entry.voxel_size:
            edges = " × ".join(number(v, 4) for v in entry.corrected_voxel_size)
            pairs.append((tr("Voxel size then"), f"{edges} {unit_word(entry.unit)}"))
        return pairs

    def _place(self) -> list[QWidget]:
        if self.entry.simulate is not None:
            return []
        path = self.desk.session.need_project().resolve(self.entry)
        words = label(breakable(str(path)), "faint", wrap=True, selectable=True)
        if path.exists():
            return [words]
        lost = note(tr("The data are no longer there. Show where they are now; the project keeps everything else."), "bad")
        return [words, lost, button(tr("Find the data…"), self._relink, icon_name="link")]

    def _set_class(self) -> None:
        name = self.class_box.currentText().strip()
        if name != self.entry.class_name:
            self.desk.perform(lambda: self.desk.session.change_volume(self.entry.id, class_name=name))

    def _set_voxel(self) -> None:
        try:
            size = self.voxel.value()
        except InputError as error:
            self.problem.setText(said(error))
            self.problem.show()
            return
        unit = self.voxel.unit.value()
        if size != self.entry.voxel_size or (size is not None and unit != self.entry.unit):
            kept = unit if size is not None else self.entry.unit
            self.desk.perform(lambda: self.desk.session.change_volume(self.entry.id, voxel_size=size, unit=kept))
            measure_again(self.desk, self.entry.id)

    def _relink(self) -> None:
        path, _ = QFileDialog.getOpenFileName(self, tr("Find {name}", name=self.entry.name))
        if path:
            reference = self.desk.session.need_project().refer(Path(path))
            self.desk.perform(lambda: self.desk.session.change_volume(self.entry.id, path=reference))

    def _remove(self) -> None:
        self.desk.perform(lambda: self.desk.session.remove_volume(self.entry.id))
