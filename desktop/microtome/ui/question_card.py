"""The row of a file that must be asked about: which channel, which data set, how its raw voxels are stored."""

from __future__ import annotations

import re

from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import QFrame, QHeaderView, QLabel, QLineEdit, QTreeWidget, QTreeWidgetItem, QWidget

from microtome.questions import Choice
from microtome.ui.candidates import Asked
from microtome.ui.desk import Desk
from microtome.ui.i18n import tr
from microtome.ui.icons import icon, pixmap
from microtome.ui.raw_card import RawEditor
from microtome.ui.sentences import said
from microtome.ui.theme import GRID, current
from microtome.ui.widgets import button, column, hide_unless, holding, label, row

_KEY = int(Qt.ItemDataRole.UserRole)
_MOST_LINES, _LINE = 8, 25
_FILTER_FROM = 9  # choices; fewer are seen at a glance
_VOXELS = re.compile(r"^(\d+(?: ?[×x] ?\d+)+)[ ,]+([a-z]+\d+)[, ]*(.*)$")


class ChoiceTree(QTreeWidget):
    """The choices as lines, or where their labels are /paths as a tree; one or several can be chosen."""

    decided = Signal()  # a double click, or Enter

    def __init__(self, choices: tuple[Choice, ...], *, paths: bool) -> None:
        super().__init__()
        self._items: dict[int, QTreeWidgetItem] = {}
        self._choices = choices
        self.setAccessibleName(tr("Choices"))
        self.setSelectionMode(QTreeWidget.SelectionMode.ExtendedSelection)
        self.setUniformRowHeights(True)
        self.setRootIsDecorated(paths)
        self.setColumnCount(4)
        self.setHeaderLabels([tr("Data set") if paths else tr("Choice"), tr("Shape"), tr("Type"), ""])
        header = self.header()
        header.setStretchLastSection(True)
        header.setSectionResizeMode(QHeaderView.ResizeMode.ResizeToContents)
        groups: dict[str, QTreeWidgetItem] = {}
        for i, choice in enumerate(choices):
            parent, name = self._parent(groups, choice.label) if paths else (self.invisibleRootItem(), said(choice.label))
            item = QTreeWidgetItem(parent, [name, *_columns(choice.detail)])
            item.setData(0, _KEY, i)
            item.setToolTip(0, choice.label if paths else said(choice.label))
            self._items[i] = item
        self.expandAll()
        if not any(self._items[i].text(2) for i in self._items):
            self.header().hide()
        if choices:
            self.setCurrentItem(self._items[0])
        self.itemActivated.connect(lambda item, _: self.decided.emit() if item.data(0, _KEY) is not None else None)
        lines = min(_MOST_LINES, len(choices) + len(groups))
        self.setFixedHeight(_LINE * max(2, lines) + (10 if self.isHeaderHidden() else 38))

    def _parent(self, groups: dict[str, QTreeWidgetItem], path: str) -> tuple[QTreeWidgetItem, str]:
        """The item of the group that a data set lies in, made where it is new."""
        parts = [p for p in path.split("/") if p]
        parent, here = self.invisibleRootItem(), ""
        for part in parts[:-1]:
            here = f"{here}/{part}"
            if here not in groups:
                groups[here] = QTreeWidgetItem(parent, [part])
                groups[here].setIcon(0, icon("folder"))
                groups[here].setFlags(Qt.ItemFlag.ItemIsEnabled)
            parent = groups[here]
        return parent, parts[-1] if parts else path

    def chosen(self) -> list[Choice]:
        """What is chosen, in the order of the choices."""
        return [self._choices[i] for i, item in self._items.items() if item.isSelected() and not item.isHidden()]

    def narrow(self, text: str) -> None:
        """Show only those whose label or detail holds the text."""
        for i, item in self._items.items():
            choice = self._choices[i]
            item.setHidden(text.lower() not in f"{choice.label} {choice.detail}".lower())
        for i in range(self.topLevelItemCount()):
            found = self.topLevelItem(i)
            if found is not None:
                _hide_empty(found)


class QuestionRow(QFrame):
    """One file and its question; `answered` carries the choices, of which each becomes an item of its own."""

    answered = Signal(object)  # list[Choice]

    def __init__(self, desk: Desk, asked: Asked) -> None:
        super().__init__()
        self.asked = asked
        self.setProperty("role", "card")
        self.setProperty("tone", "accent")
        picture = QLabel()
        picture.setPixmap(pixmap("info", 20, current().accent))
        name = label(" · ".join((asked.name, *asked.said)), "heading")
        name.setToolTip(asked.path)
        self.problem = label("", "problem", wrap=True)
        self.problem.hide()
        self.take = button(tr("Use this"), self._decide, kind="primary")
        self.tree: ChoiceTree | None = None
        self.raw: RawEditor | None = None
        body = self._body(desk)
        self.busy = label("", "muted")
        asks = tr("It has no header. How are its voxels stored?") if self.raw is not None else said(asked.question.text)
        inner = column(label(asks, wrap=True), body, self.problem, row(self.busy, None, self.take), gap=GRID)
        inner.setContentsMargins(26, 0, 0, 0)
        self.setLayout(column(row(picture, name, None, gap=GRID), holding(inner), margin=GRID + 4, gap=GRID // 2))

    def _body(self, desk: Desk) -> QWidget:
        question = self.asked.question
        if question.kind == "raw":
            self.raw = RawEditor(desk, self.asked)
            self.raw.fits.connect(self.take.setEnabled)
            self.take.setEnabled(self.raw.fitting())
            return self.raw
        paths = question.kind == "tree"
        tree = self.tree = ChoiceTree(question.choices, paths=paths)
        tree.decided.connect(self._decide)
        tree.itemSelectionChanged.connect(self._count)
        self._count()
        many = label(tr("Ctrl or Shift and a click choose several: each becomes a volume of its own."), "faint", wrap=True)
        filter_box = QLineEdit()
        filter_box.setPlaceholderText(tr("Filter"))
        filter_box.setAccessibleName(tr("Filter"))
        filter_box.setAcceptDrops(False)
        filter_box.textChanged.connect(tree.narrow)
        hide_unless(filter_box, len(question.choices) >= _FILTER_FROM)
        hide_unless(many, len(question.choices) > 1)
        return holding(column(filter_box, tree, many, gap=GRID // 2))

    def _count(self) -> None:
        assert self.tree is not None
        n = len(self.tree.chosen())
        self.take.setEnabled(n > 0)
        self.take.setText(tr("Use these {n}", n=n) if n > 1 else tr("Use this"))

    def _decide(self) -> None:
        choices = [self.raw.choice()] if self.raw is not None else self.tree.chosen() if self.tree is not None else []
        if choices and self.take.isEnabled():
            self.problem.hide()
            self.take.setEnabled(False)
            self.busy.setText(tr("Reading…"))
            self.answered.emit(choices)

    def refuse(self, sentence: str) -> None:
        """Say why the answer cannot be; another one may."""
        self.busy.setText("")
        self.problem.setText(said(sentence))
        self.problem.show()
        self.take.setEnabled(True)


def _columns(detail: str) -> list[str]:
    """Shape, type and the rest of a choice's detail; all of it in the last column where it says something else."""
    match = _VOXELS.match(detail)
    return [match[1], match[2], match[3]] if match else ["", "", said(detail)]


def _hide_empty(item: QTreeWidgetItem) -> bool:
    """Hide groups of which no data set is seen; answers whether the item is seen."""
    below = [child for i in range(item.childCount()) if (child := item.child(i)) is not None]
    if below:
        seen = [_hide_empty(child) for child in below]
        item.setHidden(not any(seen))
    return not item.isHidden()
