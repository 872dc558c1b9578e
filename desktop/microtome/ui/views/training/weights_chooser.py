"""Where a network's first weights come from: none, published ones, a file that is chosen or dropped, or the hub."""

from __future__ import annotations

from pathlib import Path

from PySide6.QtCore import Signal
from PySide6.QtGui import QDragEnterEvent, QDropEvent
from PySide6.QtWidgets import QFileDialog, QWidget

from microtome.errors import InputError
from microtome.plugin import PublishedWeights
from microtome.registry import registry
from microtome.session import Change
from microtome.training import hub
from microtome.ui.desk import Desk
from microtome.ui.editors import UnitEdit
from microtome.ui.i18n import tr
from microtome.ui.numbers import number, size_of
from microtome.ui.sentences import said
from microtome.ui.theme import GRID
from microtome.ui.views.fold import spaced
from microtome.ui.widgets import Choice, button, clear, column, label, note, row

SETTING = "transfer.weights"
PUBLISHED = "published"
_FILE, _HUB = "file", "hub"
_SUFFIXES = (".safetensors", ".pth", ".pt")


class WeightsChooser(QWidget):
    """`changed` comes after each choice. The card that holds it calls `refresh`."""

    changed = Signal()

    def __init__(self, desk: Desk) -> None:
        super().__init__()
        self.desk = desk
        self.setAcceptDrops(True)
        self.choice = Choice([])
        self.choice.setAccessibleName(tr("Pretrained weights"))
        self.choice.activated.connect(lambda _: self._choose())
        self.line = UnitEdit()
        self.line.setAccessibleName(tr("File or name of the weights"))
        self.line.settled.connect(self._typed)
        self.browse = button(tr("Choose a file…"), self.ask, kind="small", icon_name="open")
        self.words = label("", "muted", wrap=True)
        self.problem = label("", "problem", wrap=True)
        self.problem.hide()
        self._needs = column()
        self._offered: tuple[PublishedWeights, ...] = ()
        self._pending = ""  # file or hub was chosen, and nothing named yet
        line = row(self.line, self.browse, gap=GRID)
        top = spaced(tr("Pretrained weights"), self.choice)
        self.setLayout(column(top, line, self.words, self.problem, self._needs, gap=GRID // 2))

    def refresh(self) -> None:
        """Show what the session holds."""
        session = self.desk.session
        plugin = registry().get("network", session.network_name())
        offered: tuple[PublishedWeights, ...] = plugin.extra.get("published", ())
        if offered != self._offered or not self.choice.count():
            self._offered = offered
            self._fill()
        value = str(session.value(SETTING))
        kind = self._pending or self.kind(value)
        self.choice.choose(kind)
        named = kind in (_FILE, _HUB)
        self.line.setVisible(named)
        self.browse.setVisible(kind == _FILE)
        example = tr("file.safetensors or file.pth") if kind == _FILE else tr("OWNER/NAME or OWNER/NAME/FILE")
        self.line.setPlaceholderText(example)
        if named and not self._pending:
            self.line.show_text(value.removeprefix(hub.PREFIX))
        self._say(kind, value)

    def kind(self, value: str) -> str:
        """Which of the choices a value is."""
        if value in ("", PUBLISHED) or any(value == p.source for p in self._offered[1:]):
            return value
        return _HUB if value.startswith(hub.PREFIX) else _FILE

    def published(self) -> PublishedWeights | None:
        """The published weights that are chosen, if any."""
        value = str(self.desk.session.value(SETTING))
        if value == PUBLISHED:
            return self._offered[0] if self._offered else None
        return next((p for p in self._offered if p.source == value), None)

    def ask(self) -> None:
        """Ask for a file."""
        words = tr("Weights")
        path, _ = QFileDialog.getOpenFileName(self, tr("Choose a file…"), "", f"{words} (*.safetensors *.pth *.pt)")
        if path:
            self.put(path)

    def put(self, value: str) -> None:
        """Take other weights."""
        self._pending = ""
        self.problem.hide()
        self.desk.perform(lambda: self.desk.session.set_value(SETTING, value))
        self.refresh()
        self.changed.emit()

    def _fill(self) -> None:
        self.choice.clear()
        items = [("", tr("none: it begins with random weights"))]
        for place, one in enumerate(self._offered):
            items.append((one.source if place else PUBLISHED, tr("published: {name}", name=tr(one.name))))
        items += [(_FILE, tr("from a file")), (_HUB, tr("from the Hugging Face hub"))]
        for key, words in items:
            self.choice.addItem(words, key)

    def _choose(self) -> None:
        kind = self.choice.value()
        if kind in (_FILE, _HUB):
            self._pending = kind
            self.line.setText("")
            self.refresh()
            self.line.setFocus()
        else:
            self.put(kind)

    def _typed(self) -> None:
        text = self.line.text().strip()
        if not text:
            return
        kind = self._pending or self.kind(str(self.desk.session.value(SETTING)))
        value, wrong = text, ""
        if kind == _HUB:
            value = hub.PREFIX + text.removeprefix(hub.PREFIX)
            try:
                hub.parse_source(value)
            except InputError as error:
                wrong = said(error)
        elif not Path(text).expanduser().is_file():
            wrong = tr("{path} does not exist.", path=text)
        else:
            value = str(Path(text).expanduser().resolve())
        self.problem.setText(wrong)
        self.problem.setVisible(bool(wrong))
        if not wrong:
            self.put(value)

    def _say(self, kind: str, value: str) -> None:
        one = self.published()
        if one is not None:
            self.words.setText(_about(one))
        elif kind == _HUB:
            self.words.setText(tr("Fetched when the run starts, unless it was before; that needs the network."))
        elif kind == _FILE:
            self.words.setText(tr("Names of timm, of torchvision or our own; or drop the file here."))
        else:
            self.words.setText("")
        self.words.setVisible(bool(self.words.text()))
        if value == PUBLISHED and not self._offered:
            self.problem.setText(tr("This network has no published weights."))
            self.problem.show()
        clear(self._needs)
        wrong = self._unlike(one) if one is not None else {}
        if wrong:
            listed = ", ".join(f"{name} = {v if isinstance(v, str) else number(v)}" for name, v in wrong.items())
            self._needs.addWidget(note(tr("These weights need {settings}.", settings=listed)))
            self._needs.addLayout(row(button(tr("Set the network so"), lambda: self._set(wrong), kind="small"), None))

    def _unlike(self, one: PublishedWeights) -> dict[str, str | float]:
        """The settings of the network that these weights need and that it has not."""
        session = self.desk.session
        specs = session.specs("network")
        return {k: v for k, v in one.settings.items() if k in specs and session.value(f"network.{k}") != v}

    def _set(self, settings: dict[str, str | float]) -> None:
        def act() -> Change:
            for name, value in settings.items():
                self.desk.session.set_value(f"network.{name}", value)
            return Change.RECIPE

        self.desk.perform(act)

    def dragEnterEvent(self, event: QDragEnterEvent) -> None:
        """A file of weights may be dropped."""
        urls = event.mimeData().urls()
        if len(urls) == 1 and urls[0].toLocalFile().lower().endswith(_SUFFIXES):
            event.acceptProposedAction()

    def dropEvent(self, event: QDropEvent) -> None:
        """Take the dropped file."""
        event.acceptProposedAction()
        self.put(event.mimeData().urls()[0].toLocalFile())


def _about(one: PublishedWeights) -> str:
    """Where published weights are, their licence, and whether they can be had without a network."""
    licence = tr("Licence: {name}.", name=one.licence) if one.licence else ""
    if not one.source.startswith(hub.PREFIX):
        return " ".join([tr("Installed with the program: works offline."), licence]).strip()
    there = hub.cached(one.source, one.sha256)
    if there is not None:
        where = tr("Fetched before ({size}): works offline.", size=size_of(there.stat().st_size))
    else:
        name = one.source.removeprefix(hub.PREFIX)
        where = tr("From the Hugging Face hub ({name}), fetched once when a run starts: that needs the network.", name=name)
    return " ".join([where, licence]).strip()
