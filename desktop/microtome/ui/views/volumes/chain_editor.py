"""The chain of corrections as cards: added from the plugins, reordered, switched, set, removed, and undone."""

from __future__ import annotations

from functools import partial
from typing import Any

from PySide6.QtCore import QPoint, Signal
from PySide6.QtWidgets import QMenu, QWidget

from microtome.registry import registry
from microtome.ui.correction_chain import Chain, Link
from microtome.ui.i18n import tr
from microtome.ui.theme import GRID
from microtome.ui.views.volumes.step_card import StepCard
from microtome.ui.widgets import button, clear, column, holding, label, row, scrolling


class ChainEditor(QWidget):
    """Edits a Chain; `edited` comes after each change of it, `chose` when another card is opened."""

    edited = Signal()
    chose = Signal()

    def __init__(self) -> None:
        super().__init__()
        self.chain = Chain()
        self.chosen = -1
        self.cards: list[StepCard] = []
        self.add = button(tr("Add a correction"), self._offer, icon_name="add")
        self.back = button(tr("Undo"), self.undo, kind="small", icon_name="reset")
        self._list = column(gap=GRID // 2)
        self.area = scrolling(holding(column(self._list, None)))
        # Cards that came, went or opened have their places by then.
        self.area.verticalScrollBar().rangeChanged.connect(lambda *_: self._show_chosen())
        inner = column(row(self.add, None, self.back), self.area)
        inner.setStretch(1, 1)
        self.setLayout(inner)

    def show_links(self, links: tuple[Link, ...]) -> None:
        """Begin with these; there is nothing to undo then."""
        self.chain = Chain(links)
        self.chosen = len(links) - 1
        self._rebuild()

    def insert(self, link: Link, *, seen: bool = False) -> None:
        """Add a correction where such a one usually stands (or where its slice numbers are those `seen`), and open it."""
        self.chosen = self.chain.add(link, seen=seen)
        self._restructured()

    def undo(self) -> None:
        """Back to the state before the last change."""
        self.chain.undo()
        self.chosen = min(max(0, self.chosen), len(self.chain.links) - 1)
        self._restructured()

    def refresh(self) -> None:
        """Show what is known of each link by now."""
        for made, link in zip(self.cards, self.chain.links, strict=True):
            made.show_link(link)
        self.back.setEnabled(self.chain.can_undo)

    def say(self, place: int, sentence: str) -> None:
        """Say what is wrong with a correction as a whole; "" when nothing is."""
        if 0 <= place < len(self.cards):
            self.cards[place].say("", sentence)

    @property
    def wrong(self) -> bool:
        """Whether a setting or a correction is wrong now."""
        return any(card.problems for card in self.cards)

    def _offer(self) -> None:
        menu = QMenu(self)
        menu.setToolTipsVisible(True)
        for plugin in registry().of_kind("transform"):
            action = menu.addAction(tr(plugin.label))
            action.setToolTip(tr(plugin.summary))
            action.triggered.connect(lambda _=False, name=plugin.name: self.insert(Link(name=name)))
        menu.aboutToHide.connect(menu.deleteLater)
        menu.popup(self.add.mapToGlobal(QPoint(0, self.add.height())))

    def _restructured(self) -> None:
        self._rebuild()
        self.edited.emit()

    def _rebuild(self) -> None:
        clear(self._list)
        self.cards = []
        last = len(self.chain.links) - 1
        for i, link in enumerate(self.chain.links):
            made = StepCard(link, first=i == 0, last=i == last)
            made.chosen.connect(partial(self._choose, i))
            made.switched.connect(partial(self._switch, i))
            made.moved.connect(partial(self._move, i))
            made.removed.connect(partial(self._remove, i))
            made.edited.connect(partial(self._set, i))
            made.show_open(i == self.chosen)
            self.cards.append(made)
            self._list.addWidget(made)
        if not self.cards:
            words = tr("No corrections yet. Add one: what it does is seen on a slice before it is kept.")
            self._list.addWidget(label(words, "muted", wrap=True))
        self.refresh()

    def _show_chosen(self) -> None:
        """Scroll to the card that is open: a panel may have room for one."""
        if 0 <= self.chosen < len(self.cards):
            card = self.cards[self.chosen]
            # Its head where the card as a whole is higher than the panel.
            self.area.ensureVisible(0, card.geometry().bottom(), 0, 0)
            self.area.ensureVisible(0, card.geometry().top(), 0, 0)

    def _choose(self, index: int) -> None:
        if index != self.chosen:
            self.chosen = index
            for i, made in enumerate(self.cards):
                made.show_open(i == index)
            self.chose.emit()

    def _switch(self, index: int, on: bool) -> None:
        self.chain.switch(index, on)
        self.refresh()
        self.edited.emit()

    def _move(self, index: int, by: int) -> None:
        self.chosen = self.chain.move(index, by)
        self._restructured()

    def _remove(self, index: int) -> None:
        self.chain.remove(index)
        self.chosen = min(max(0, index - 1), len(self.chain.links) - 1)
        self._restructured()

    def _set(self, index: int, name: str, value: Any) -> None:
        self.chain.set(index, name, value)
        self.refresh()
        self.edited.emit()
