"""Which augmentations a training has: added from the plugins, set, ordered, removed, and seen before and after."""

from __future__ import annotations

from functools import partial

from PySide6.QtCore import QPoint, Signal
from PySide6.QtWidgets import QFrame, QMenu, QWidget

from microtome.plugin import Plugin
from microtome.registry import registry
from microtome.session import Change
from microtome.ui.desk import Desk
from microtome.ui.form import Form, FormOptions
from microtome.ui.i18n import tr
from microtome.ui.theme import GRID
from microtome.ui.views.training.augment_preview import AugmentPreview
from microtome.ui.widgets import button, clear, column, holding, label, row, tool

#: The switch in the training's own form.
_ELSEWHERE = ("symmetries",)


class AugmentChooser(QWidget):
    """The chosen augmentations in their order at the left, what they do to slices at the right.

    `changed` comes after each edit, also when it made a problem. The page that holds it calls `refresh`.
    """

    changed = Signal()

    def __init__(self, desk: Desk) -> None:
        super().__init__()
        self.desk = desk
        self.forms: dict[str, Form] = {}
        self.preview = AugmentPreview(desk)
        self.add = button(tr("Add an augmentation"), self._offer, icon_name="add")
        self._names: tuple[str, ...] | None = None
        self._list = column(gap=GRID)
        left = column(self._list, row(self.add, None), None, gap=GRID)
        whole = row(holding(left), self.preview, gap=2 * GRID)
        whole.setStretch(0, 2)
        whole.setStretch(1, 3)
        self.setLayout(whole)
        self.refresh()

    @property
    def names(self) -> tuple[str, ...]:
        """The chosen ones in their order."""
        return self._names or ()

    def problems(self) -> dict[str, str]:
        """Setting → sentence, for those that are wrong now."""
        return {name: words for form in self.forms.values() for name, words in form.problems().items()}

    def refresh(self, change: Change = Change.ALL) -> None:
        """Show what the session holds."""
        if not change & (Change.PROJECT | Change.VOLUMES | Change.RECIPE):
            return
        session = self.desk.session
        chosen = () if session.project is None else tuple(str(item["name"]) for item in session.augmentations())
        if chosen != self._names:
            self._names = chosen
            self._build()
        else:
            for form in self.forms.values():
                form.refresh(change)
        self.preview.setVisible(bool(chosen))
        self.preview.refresh(change)

    def choose(self, names: tuple[str, ...]) -> None:
        """Have these, in this order; settings of those that stay are kept."""
        kept = {str(item["name"]): item for item in self.desk.session.augmentations()}
        self.desk.perform(lambda: self.desk.session.set_augmentations([kept.get(n, {"name": n}) for n in names]))

    def menu(self) -> QMenu:
        """Those that are not chosen yet, by what they change."""
        made = QMenu(self)
        made.setToolTipsVisible(True)
        for title, plugins in _groups():
            left = [p for p in plugins if p.name not in (*self.names, *_ELSEWHERE)]
            if left:
                made.addSection(title)
            for plugin in left:
                action = made.addAction(tr(plugin.label))
                action.setToolTip(tr(plugin.summary))
                action.triggered.connect(partial(self._add, plugin.name))
        return made

    def _add(self, name: str, _checked: bool = False) -> None:
        self.choose((*self.names, name))

    def _offer(self) -> None:
        made = self.menu()
        made.aboutToHide.connect(made.deleteLater)
        made.popup(self.add.mapToGlobal(QPoint(0, self.add.height())))

    def _build(self) -> None:
        clear(self._list)
        self.forms = {}
        for place, name in enumerate(self.names):
            self._list.addWidget(self._item(registry().get("augmentation", name), place))
        if not self.names:
            words = tr("Only flips and quarter turns, where they are on. Add others: their effect is seen at once.")
            self._list.addWidget(label(words, "muted", wrap=True))

    def _item(self, plugin: Plugin, place: int) -> QWidget:
        up = tool("chevron-up", tr("Earlier"), lambda: self._move(place, -1))
        down = tool("chevron-down", tr("Later"), lambda: self._move(place, 1))
        up.setEnabled(place > 0)
        down.setEnabled(place < len(self.names) - 1)
        remove = tool("trash", tr("Remove this augmentation"), lambda: self._remove(plugin.name))
        words = label(tr(plugin.summary), "muted", wrap=True)
        inside = column(
            row(label(tr(plugin.label), "section"), None, up, down, remove, gap=2), words, margin=GRID, gap=GRID // 2
        )
        fields = [f"{plugin.name}.{key}" for key in plugin.fields]
        if fields:
            form = Form(self.desk, "augmentation", FormOptions(names=fields))
            form.changed.connect(self.changed)
            self.forms[plugin.name] = form
            inside.addWidget(form)
        made = QFrame()
        made.setProperty("role", "card")
        made.setAccessibleName(tr(plugin.label))
        made.setLayout(inside)
        return made

    def _move(self, place: int, by: int) -> None:
        names = list(self.names)
        names.insert(place + by, names.pop(place))
        self.choose(tuple(names))

    def _remove(self, name: str) -> None:
        self.choose(tuple(n for n in self.names if n != name))


def _groups() -> list[tuple[str, list[Plugin]]]:
    """The augmentations by what they change."""
    known = registry().of_kind("augmentation")
    mixing = [p for p in known if p.extra["mixes"]]
    greys = [p for p in known if p.extra["greys"] and p not in mixing]
    rest = [p for p in known if p not in mixing and p not in greys]
    return [(tr("Positions and shapes"), rest), (tr("Greys and noise"), greys), (tr("Mixing"), mixing)]
