"""An import as a row of the jobs strip, and as a part of the volume's properties, where one is offered, too."""

from __future__ import annotations

from PySide6.QtWidgets import QLabel, QProgressBar, QSizePolicy, QWidget

from microtome.store.project import VolumeEntry
from microtome.ui.desk import Desk
from microtome.ui.i18n import tr
from microtome.ui.icons import icon, pixmap
from microtome.ui.importing import Import, copy_bytes, memory_of, room_problem
from microtome.ui.numbers import between, percent, size_of
from microtome.ui.sentences import said
from microtome.ui.theme import GRID
from microtome.ui.widgets import button, column, hide_unless, holding, label, row, set_property
from microtome.volumes.memory import fits_whole

_ROW = 40
_SLOW_ACROSS = 2**28  # bytes of voxels, from which on unpacking them all for one plane takes more than a second or two
_COMPRESSED = 0.9  # of the voxels' bytes: what is smaller on the disk is packed


def state_words(found: Import) -> str:
    """What an import does now, in a line."""
    if found.state == "failed":
        return said(found.problem)
    if found.state == "stopped":
        return tr("Stopped; what was done is kept.")
    if found.state == "waiting":
        return tr("Waits for its turn.")
    left = found.eta.range()
    return tr("Reading…") if left is None else tr("{time} left", time=between(*left))


class ImportControls(QWidget):
    """Bar, share, words, and the orders that make sense now; the strip and the properties show the same."""

    def __init__(self, desk: Desk, entry_id: str) -> None:
        super().__init__()
        self.desk, self.entry_id = desk, entry_id
        self.bar = QProgressBar()
        self.bar.setRange(0, 1000)
        self.bar.setTextVisible(False)
        self.bar.setMinimumWidth(80)
        self.share = label("", "muted")
        self.share.setMinimumWidth(52)
        self.words = label("", "muted")
        self.words.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Preferred)
        self.go = button(tr("Stop"), self._go, kind="small", icon_name="stop")
        self.forget = button(tr("Forget"), lambda: desk.imports.forget(entry_id), kind="small", icon_name="abort")
        self.forget.setToolTip(tr("Do without the copy, and delete what was made of it"))

    def _go(self) -> None:
        found = self.desk.imports.of(self.entry_id)
        if found is not None and found.active:
            self.desk.imports.stop(self.entry_id)
        else:
            self.desk.perform(lambda: self.desk.imports.start(self.entry_id))

    def show_now(self) -> None:
        """Show the import's state of this moment."""
        found = self.desk.imports.of(self.entry_id)
        if found is None:
            return
        tone = {"failed": "bad", "stopped": "warn"}.get(found.state, "")
        set_property(self.bar, "tone", tone)
        self.bar.setValue(round(1000 * found.share))
        self.share.setText(percent(found.share, 0))
        self.words.setText(state_words(found))
        self.words.setToolTip(state_words(found))
        self.go.setText(tr("Stop") if found.active else tr("Continue"))
        self.go.setIcon(icon("stop" if found.active else "play"))
        self.forget.setVisible(not found.active)


class ImportRow(ImportControls):
    """The row of the jobs strip."""

    def __init__(self, desk: Desk, entry_id: str) -> None:
        super().__init__(desk, entry_id)
        picture = QLabel()
        picture.setPixmap(pixmap("volume", 16))
        found = desk.imports.of(entry_id)
        name = button(found.name if found is not None else "", self._show, kind="link")
        badge = label(tr("import"), "badge")
        layout = row(picture, name, badge, self.bar, self.share, self.words, self.go, self.forget, gap=GRID)
        layout.setContentsMargins(2 * GRID, 0, GRID, 0)
        layout.setStretchFactor(self.bar, 2)
        layout.setStretchFactor(self.words, 3)
        self.setLayout(layout)
        self.setFixedHeight(_ROW)
        self.show_now()

    def _show(self) -> None:
        self.desk.open_page("volumes")
        self.desk.select(f"volume:{self.entry_id}")


class ImportPart(ImportControls):
    """The part of a volume's properties: the offer, the import under way, or the copy that is in use."""

    def __init__(self, desk: Desk, entry: VolumeEntry) -> None:
        super().__init__(desk, entry.id)
        self.entry = entry
        self.said = label("", "muted", wrap=True)
        self.offer = button(tr("Import to a fast copy"), lambda: desk.perform(lambda: desk.imports.start(entry.id)))
        self.offer.setToolTip(
            tr("For compressed and slow files: a copy in bricks in the project's cache, from which any slice is read quickly")
        )
        self.drop = button(tr("Delete the copy"), lambda: desk.imports.forget(entry.id), kind="link")
        self._running = holding(column(row(self.bar, self.share), self.words, row(self.go, self.forget, None), gap=GRID // 2))
        self.setLayout(column(self.said, self.offer, self._running, row(self.drop, None), gap=GRID // 2))
        desk.imports.changed.connect(self._changed)
        self.show_now()

    def _changed(self, entry_id: str) -> None:
        if entry_id == self.entry_id:
            self.show_now()

    def show_now(self) -> None:
        """Show the offer, the import or the copy."""
        super().show_now()
        under_way = self.desk.imports.of(self.entry_id) is not None
        project = self.desk.session.project
        copied = project is not None and "copy" in project.reader_options(self.entry)
        self._running.setVisible(under_way)
        self.drop.setVisible(copied and not under_way)
        offered = not copied and not under_way and _worth_a_copy(self.entry)
        self.offer.setVisible(offered)
        size = size_of(copy_bytes(memory_of(self.entry)))
        in_use = copied and not under_way
        words = tr("Read from its fast copy in the project's cache ({size}).", size=size) if in_use else ""
        if offered and project is not None:
            problem = room_problem(project, self.entry)
            self.offer.setEnabled(not problem)
            words = problem or tr("A fast copy takes {size} in the project's cache.", size=size)
        self.said.setText(words)
        self.said.setVisible(bool(words))
        hide_unless(self, offered or under_way or copied)


def _worth_a_copy(entry: VolumeEntry) -> bool:
    """Whether a copy is offered: for what does not fit into the memory, and for packed files whose planes across are slow."""
    memory = memory_of(entry)
    return not fits_whole(memory) or (memory >= _SLOW_ACROSS and entry.size < _COMPRESSED * memory)
