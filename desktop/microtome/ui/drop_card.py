"""The card that a drop opens: what was found, what it will be called, what is missing; one answer for all of it."""

from __future__ import annotations

from dataclasses import replace
from functools import partial

import psutil
from PySide6.QtCore import Qt, Signal
from PySide6.QtGui import QCloseEvent, QKeyEvent
from PySide6.QtWidgets import QCheckBox, QFrame, QLabel, QWidget

from microtome.errors import InputError
from microtome.paths import default_projects_dir
from microtome.questions import Choice as Answer
from microtome.ui.candidates import Candidate, Dropped, Naming, answered
from microtome.ui.desk import Desk
from microtome.ui.i18n import tr
from microtome.ui.icons import pixmap
from microtome.ui.numbers import shape, size_of
from microtome.ui.question_card import QuestionRow
from microtome.ui.sentences import said
from microtome.ui.theme import GRID, current
from microtome.ui.volume_properties import ClaimsRow, VoxelSizeEdit, class_combo, particles_words
from microtome.ui.widgets import Choice, button, column, framed, hide_unless, holding, label, row, scrolling, set_property
from microtome.volumes.read import Description

_WIDTH, _HEIGHT = 880, 700
_CHROME, _SIDES = 200, 80  # pixels of the card about its list
_INDENT = 26
_LITTLE = 0.1  # of the free disk
_NAMED = 3  # open questions


class CandidateRow(QFrame):
    """One candidate: taken or not, its facts, its class, its voxel size."""

    changed = Signal()
    same_for_all = Signal(object)

    def __init__(self, candidate: Candidate, classes: list[str], naming: Naming) -> None:
        super().__init__()
        self.candidate = candidate
        description = candidate.description
        self.setProperty("role", "card")
        self.take = QCheckBox()
        self.take.setChecked(True)
        self.take.setAccessibleName(tr("Add {name}", name=candidate.name))
        self.take.toggled.connect(lambda _: self.changed.emit())
        name = label(candidate.name, "heading")
        name.setToolTip(description.path)
        self.class_box = class_combo(classes, candidate.class_name(naming))
        self.class_box.setMinimumWidth(150)
        self.voxel = VoxelSizeEdit(description.voxel_size, description.unit, description.pixel_size)
        self.voxel.setMaximumWidth(330)
        self.same = button(tr("Same for all"), lambda: self.same_for_all.emit(self.voxel), kind="link")
        self.same.setToolTip(tr("Give every item this voxel size"))
        words = {"volume": tr("one volume"), "images": tr("many images")}
        self.copy = QCheckBox()
        self.way = Choice([(w, words[w]) for w in candidate.ways])
        self.way.setAccessibleName(tr("Understand {name} as", name=description.name))
        hide_unless(self.way, len(candidate.ways) > 1)
        self._lay_out(name, description)

    def _lay_out(self, name: QLabel, description: Description) -> None:
        head = row(self.take, name, label(self._facts(description), "muted"), None, self.way, gap=GRID)
        need = description.memory_bytes
        if need > psutil.virtual_memory().available:
            head.insertWidget(3, label(tr("more than the free memory"), "warn"))
        self.missing, self.stretch = label(), label("", "muted")
        self._of_volume: list[QWidget] = [self.missing, self.voxel, self.stretch, self.same]
        self.voxel.changed.connect(self._show_missing)
        edits = row(label(tr("Class"), "muted"), self.class_box, GRID, self.missing, self.voxel, self.stretch, self.same, None)
        edits.setSpacing(6)
        edits.setContentsMargins(_INDENT, 0, 0, 0)
        parts: list[QWidget | int] = [holding(head), holding(edits)]
        below: list[QWidget] = []
        if description.particles is not None:
            below.append(label(particles_words(description.particles), "muted", wrap=True))
        if description.claims:
            below.append(ClaimsRow(description.claims, self.voxel))
            self._of_volume.append(below[-1])
        if self.candidate.slow:
            below.append(self._copy_offer())
        contradicts = bool(description.claims)
        told = {f: label(said(f), "warn", wrap=True) for f in description.findings if not (contradicts and "contradict" in f)}
        below += told.values()
        self._of_volume += [made for finding, made in told.items() if finding not in description.findings_of_images]
        for words in below:
            words.setContentsMargins(_INDENT, 0, 0, 0)
        body = column(*parts, *below, gap=GRID // 2)
        body.setContentsMargins(GRID + 4, GRID, GRID + 4, GRID)
        self.setLayout(body)
        self._show_missing()
        self.way.currentIndexChanged.connect(lambda _: self._show_way())
        self._show_way()

    def _copy_offer(self) -> QWidget:
        """Why it is slow to read, and a tick for what helps; set where the copy takes little of what is free."""
        self.copy.setText(tr("Import to a fast copy ({size} in the project's cache)", size=size_of(self.candidate.copy_bytes)))
        free = psutil.disk_usage(str(default_projects_dir().anchor)).free
        self.copy.setChecked(self.candidate.copy_bytes < _LITTLE * free)
        return holding(column(label(tr(self.candidate.slow), "warn", wrap=True), self.copy, gap=2))

    def _show_way(self) -> None:
        """Single images have the pixel size of their files, and no distance between them."""
        way = self.way.value() if self.candidate.ways else self.candidate.description.kind
        for made in self._of_volume:
            made.setVisible(way not in ("images", "image", "images folder"))

    def _show_missing(self) -> None:
        """Name the voxel size, red where it is missing, and say where voxels are no cubes."""
        try:
            missing = self.voxel.value() is None
        except InputError:
            missing = True
        particles = self.candidate.description.particles
        # Where a structure's lengths have no unit, the size of a voxel is what gives them one.
        words = tr("Drawn at") if particles is not None and particles["unit"] else tr("Voxel size")
        self.missing.setText(f"{words}?" if missing else words)
        set_property(self.missing, "role", "problem" if missing else "muted")
        self.stretch.setText(self.voxel.anisotropy)

    @staticmethod
    def _facts(description: Description) -> str:
        parts = [description.reader or tr("images"), shape(description.shape), description.dtype]
        parts.append(tr("{size} on disk", size=size_of(description.file_bytes)))
        parts.append(tr("{size} in memory", size=size_of(description.memory_bytes)))
        return "  ·  ".join(parts)

    def answer(self) -> Description:
        """The description with the voxel size that was entered; InputError where it makes no sense."""
        try:
            size = self.voxel.value()
        except InputError as error:
            raise InputError(f"{self.candidate.description.name}: {error.message}", error.hint) from error
        unit = self.voxel.unit.value() if size is not None else "voxel"
        return replace(self.candidate.description, voxel_size=size, unit=unit)


class DropCard(QFrame):
    """Covers the window until it is answered; `accepted` carries the rows to add."""

    accepted = Signal(object)
    gone = Signal(object)  # the card itself, when it was answered or cancelled

    def __init__(self, desk: Desk, host: QWidget, where: str, classes: list[str]) -> None:
        super().__init__(host)
        self._desk, self._classes, self._host = desk, classes, host
        self.rows: list[CandidateRow] = []
        self.questions: list[QuestionRow] = []
        self.setProperty("role", "veil")
        self.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        self._head = label(tr("Looking at what was dropped…"), "heading")
        self._where = label(where, "muted", wrap=True)
        self._list = column(gap=GRID)
        self._naming = Choice([("file", tr("file names")), ("folder", tr("folder names"))])
        self._naming.setAccessibleName(tr("Classes from"))
        self._naming.activated.connect(lambda _: self._rename())
        self._naming_row = holding(row(label(tr("Classes from"), "muted"), self._naming))
        self._naming_row.hide()
        self._problem = label("", "problem", wrap=True)
        self.cancel = button(tr("Cancel"), self.close)
        self.add = button(tr("Add"), self._accept, kind="primary", icon_name="add")
        self.add.setEnabled(False)
        self._open = label("", "warn", wrap=True)
        self._open.hide()
        foot = row(self._naming_row, self._open, self.cancel, self.add)
        foot.insertStretch(2)
        foot.setStretch(1, 1)
        content = column(self._list, None)
        content.setContentsMargins(0, 0, GRID + 4, 0)
        area = scrolling(holding(content))
        inner = column(self._head, self._where, area, self._problem, foot, margin=3 * GRID, gap=GRID + 4)
        inner.setStretch(2, 1)
        self.card = framed(inner)
        self.card.setParent(self)
        self.setGeometry(host.rect())
        self.resize_to_host()

    def show_dropped(self, found: Dropped) -> None:
        """Fill the card: what cannot be used comes first, or it would be overlooked, then what must be asked."""
        for name, sentence in found.problems:
            self._list.addWidget(self._problem_row(name, sentence))
        self._naming.choose(found.naming)
        self._insert(found, self._list.count())
        self._count()
        (self.add if self.rows and not self.questions else self.cancel).setFocus()

    def _insert(self, found: Dropped, at: int) -> None:
        """Put rows of questions and candidates into the list."""
        for asked in found.questions:
            question = QuestionRow(self._desk, asked)
            question.answered.connect(partial(self._ask_again, question))
            self.questions.append(question)
            self._list.insertWidget(at, question)
            at += 1
        for candidate in found.candidates:
            made = CandidateRow(candidate, self._classes, self._naming_now())
            made.changed.connect(self._count)
            made.same_for_all.connect(self._spread)
            self.rows.append(made)
            self._list.insertWidget(at, made)
            at += 1
        for made in self.rows:
            made.same.setVisible(len(self.rows) > 1)
        self._naming_row.setVisible(any(r.candidate.folder for r in self.rows))
        self.resize_to_host()

    def _ask_again(self, question: QuestionRow, choices: list[Answer]) -> None:
        """Read the file's headers once more, under the answers."""
        asked = question.asked
        self._desk.tasks.request(
            question, "answer", lambda: answered(asked, choices), lambda found: self._answered(question, found)
        )

    def _answered(self, question: QuestionRow, found: Dropped) -> None:
        """Put what a file is by now in the place of its question; an answer that cannot be is refused."""
        if found.problems and not found.candidates and not found.questions:
            question.refuse(" ".join(sentence for _, sentence in found.problems))
            return
        at = self._list.indexOf(question)
        for name, sentence in found.problems:
            self._list.insertWidget(at, self._problem_row(name, sentence))
            at += 1
        self.questions.remove(question)
        self._list.removeWidget(question)
        question.hide()
        question.deleteLater()
        self._insert(found, at)
        self._count()

    @staticmethod
    def _problem_row(name: str, sentence: str) -> QFrame:
        picture = QLabel()
        picture.setPixmap(pixmap("error", 20, current().bad))
        picture.setAlignment(Qt.AlignmentFlag.AlignTop)
        words = column(label(name, "heading"), label(said(sentence), "problem", wrap=True, selectable=True), gap=2)
        body = row(picture, words, margin=GRID + 4)
        body.setStretch(1, 1)
        return framed(body)

    def _count(self) -> None:
        taken, n = sum(r.take.isChecked() for r in self.rows), len(self.questions)
        head = tr("Add {n} of {k}", n=taken, k=len(self.rows))
        if not self.rows:
            head = tr("First a question") if n else tr("Nothing here can be used")
        self._head.setText(head)
        self.add.setEnabled(taken > 0)
        self._open.setVisible(n > 0)
        files = list(dict.fromkeys(q.asked.name for q in self.questions))
        names = ", ".join(files[:_NAMED])
        rest = tr("and {n} more", n=len(files) - _NAMED) if len(files) > _NAMED else ""
        self._open.setText(tr("Left out until it is answered: {names}.", names=f"{names} {rest}".strip()))

    def _spread(self, source: VoxelSizeEdit) -> None:
        for made in self.rows:
            made.voxel.take_from(source)

    def _naming_now(self) -> Naming:
        return "folder" if self._naming.value() == "folder" else "file"

    def _rename(self) -> None:
        for made in self.rows:
            made.class_box.setCurrentText(made.candidate.class_name(self._naming_now()))

    def _accept(self) -> None:
        try:
            for made in self.rows:
                made.answer()
        except InputError as error:
            self._problem.setText(said(error))
            return
        self.accepted.emit([r for r in self.rows if r.take.isChecked()])

    def resize_to_host(self) -> None:
        """Cover the host; the card stays in the middle."""
        self.setGeometry(self._host.rect())
        width = min(self.width() - 6 * GRID, _WIDTH)
        wanted = _CHROME + sum(self._height_at(i, width - _SIDES) + GRID for i in range(self._list.count()))
        height = min(self.height() - 6 * GRID, max(260, min(_HEIGHT, wanted)))
        self.card.setGeometry((self.width() - width) // 2, (self.height() - height) // 2, width, height)

    def _height_at(self, place: int, width: int) -> int:
        """The height that a row takes at a width; words wrap."""
        item = self._list.itemAt(place)
        made = item.widget() if item is not None else None
        if made is None:
            return 0
        made.ensurePolished()
        return max(made.sizeHint().height(), made.heightForWidth(width))

    def closeEvent(self, event: QCloseEvent) -> None:
        """Say that it is gone."""
        self.gone.emit(self)
        super().closeEvent(event)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        """Escape cancels."""
        if event.key() == Qt.Key.Key_Escape:
            self.close()
        else:
            super().keyPressEvent(event)
