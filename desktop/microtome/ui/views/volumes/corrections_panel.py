"""The corrections of a volume: the chain as cards, each seen before and after on a slice before it is kept."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QSplitter, QStackedWidget, QWidget

from microtome.errors import MicrotomeError
from microtome.store.project import VolumeEntry
from microtome.ui.corrected import Compared, bare, measure_all
from microtome.ui.correction_chain import link_of, links_of
from microtome.ui.desk import Desk
from microtome.ui.i18n import tr
from microtome.ui.numbers import number, shape, unit_word
from microtome.ui.passes import Pass
from microtome.ui.theme import GRID
from microtome.ui.views.volumes.chain_editor import ChainEditor
from microtome.ui.views.volumes.comparison import ComparisonView
from microtome.ui.widgets import EmptyState, button, column, holding, label, row
from microtome.volumes.volume import Volume

_AT_ONCE = 2**25  # voxels; smaller volumes are measured without being asked
_CHAIN = 330  # pixels of the cards


class CorrectionsPanel(QWidget):
    """The page calls `show_entry` with the volume that is looked at, `show_slice` with its slice, and `propose` with a step
    that another panel recommends. Nothing is kept before “Keep”; the source is never changed."""

    def __init__(self, desk: Desk) -> None:
        super().__init__()
        self.desk = desk
        self.entry: VolumeEntry | None = None
        self._seen: Compared | None = None  # of the chain as it is now
        self._pass = Pass(self, self._measuring_failed)
        self._pass.progressed.connect(self._show_progress)
        self._pass.ended.connect(self._pass_ended)
        self.editor = ChainEditor()
        self.editor.edited.connect(self._edited)
        self.editor.chose.connect(self._compare)
        self.comparison = ComparisonView(desk)
        self.comparison.compared.connect(self._compared)
        self.comparison.failed.connect(self._failed)
        self.order, self.leaves = label("", "warn", wrap=True), label("", "muted", wrap=True)
        self.measure = button(tr("Measure"), self._measure, kind="primary", icon_name="target")
        self.stop = button(tr("Stop"), self._pass.stop, icon_name="stop")
        self.discard = button(tr("Discard"), self._discard)
        self.discard.setToolTip(tr("Back to the corrections that are kept"))
        self.keep = button(tr("Keep"), self.keep_now, kind="primary", icon_name="use")
        self.keep.setToolTip(tr("Use these corrections wherever the volume is read; the file itself stays as it is"))
        self.stack = QStackedWidget()
        self.stack.addWidget(EmptyState("volume", tr("Choose a volume that lies in a file: its corrections are made here.")))
        self.stack.addWidget(self._halves())
        self.setLayout(column(self.stack))
        desk.leaving.connect(self._pass.stop)
        self.show_entry(None)

    def _halves(self) -> QSplitter:
        foot = row(self.measure, self.stop, None, self.discard, self.keep, gap=GRID // 2)
        left = column(self.editor, self.order, self.leaves, foot, margin=GRID)
        left.setStretch(0, 1)
        splitter = QSplitter(Qt.Orientation.Horizontal)
        chain = holding(left)
        chain.setMinimumWidth(_CHAIN)
        splitter.addWidget(chain)
        splitter.addWidget(self.comparison)
        splitter.setStretchFactor(1, 1)
        splitter.setSizes([_CHAIN + 20, 600])
        splitter.setChildrenCollapsible(False)
        return splitter

    # --- what the page says

    def show_entry(self, entry: VolumeEntry | None) -> None:
        """Show the corrections of a volume; changes of another one that were not kept are gone."""
        usable = entry is not None and entry.in_file
        before, self.entry = self.entry, entry if usable else None
        self.stack.setCurrentIndex(1 if usable else 0)
        same = entry is not None and before is not None and usable and entry.id == before.id
        if same and links_of(entry) in (links_of(before), self.editor.chain.links):  # type: ignore[arg-type]
            # A name, a class or a voxel size was changed, or what is shown was kept: what is edited here stays.
            self._show_state()
            if bare(entry) != bare(before):  # type: ignore[arg-type]
                self._compare()
            return
        self._pass.stop()
        self._seen = None
        self.editor.show_links(links_of(entry) if entry is not None and usable else ())
        self._show_state()
        self._compare()

    def show_slice(self, index: int) -> None:
        """Compare this slice, counted from 0."""
        self.comparison.show_z(index)

    def propose(self, step: Mapping[str, Any]) -> None:
        """Add a step that was recommended for the volume as it is shown; it is measured where it must be, and seen, before it
        is kept."""
        if self.entry is not None:
            self.editor.insert(link_of(step), seen=True)

    # --- editing

    @property
    def changed(self) -> bool:
        """Whether there is something to keep."""
        return self.entry is not None and self.editor.chain.links != links_of(self.entry)

    def _edited(self) -> None:
        self._pass.stop()
        self._seen = None
        self._show_state()
        self._compare()
        shape = self.entry.shape if self.entry is not None else None
        if shape is not None and shape[0] * shape[1] * shape[2] <= _AT_ONCE:
            self._measure()

    def _discard(self) -> None:
        if self.entry is not None:
            self.editor.show_links(links_of(self.entry))
            self._edited()

    def _compare(self) -> None:
        self.comparison.show_chain(self.entry, self.editor.chain, self.editor.chosen)

    def _show_state(self) -> None:
        chain, running = self.editor.chain, self._pass.running
        self.editor.refresh()
        waiting = bool(chain.waiting())
        self.measure.setVisible(waiting and not running)
        self.stop.setVisible(running)
        self.keep.setEnabled(self.changed and not waiting and not self.editor.wrong)
        self.discard.setVisible(self.changed)
        self.order.setText(
            "\n".join(
                tr("“{first}” usually comes after “{second}”.", first=tr(a.title), second=tr(b.title))
                for a, b in chain.unusual()
            )
        )
        self.order.setVisible(bool(self.order.text()))
        self._show_leaves()

    def _show_leaves(self) -> None:
        words = ""
        if self._seen is not None:
            words = _changes(self._seen.source, self._seen.result)
        self.leaves.setText(words)
        self.leaves.setVisible(bool(words))

    def keep_now(self) -> None:
        """Keep the chain with the volume; every page then reads the corrected voxels."""
        entry, chain, result = self.entry, self.editor.chain, self._seen.result if self._seen is not None else None
        if entry is not None:
            steps, aside = chain.steps(), chain.aside()
            self.desk.perform(lambda: self.desk.session.set_transforms(entry.id, steps, aside=aside, result=result))
            self.entry = self.desk.session.volume(entry.id)
            self._show_state()

    # --- measuring

    def _measure(self) -> None:
        project, entry, chain = self.desk.session.project, self.entry, self.editor.chain
        waiting = chain.waiting()
        if project is None or entry is None or not waiting or self.editor.wrong:
            return
        on = [i for i, link in enumerate(chain.links) if link.on]
        steps, places = chain.steps(), [on.index(i) for i in waiting]

        def landed(found: dict[int, Any]) -> None:
            for place, known in found.items():
                chain.know(on[place], known)
            self._show_state()
            self._compare()

        self._pass.start(lambda report: measure_all(project, entry, steps, places, report), landed)
        self._show_state()

    def _show_progress(self, share: float, left: tuple[float, float] | None) -> None:
        waiting = self.editor.chain.waiting()
        for order, place in enumerate(waiting):
            part = share * len(waiting) - order
            self.editor.cards[place].show_progress(part if 0 <= part <= 1 else None, left)

    def _pass_ended(self) -> None:
        for made in self.editor.cards:
            made.show_progress(None)
        self._show_state()

    def _measuring_failed(self, error: MicrotomeError) -> None:
        self.editor.say(next(iter(self.editor.chain.waiting()), -1), str(error))
        self._show_state()

    # --- what was compared

    def _compared(self, found: Compared) -> None:
        for place in range(len(self.editor.cards)):
            self.editor.say(place, "")
        self._seen, entry = found, self.entry
        kept = entry is not None and entry.transforms and not self.changed and not self.editor.chain.waiting()
        if kept and entry is not None and entry.corrected_shape is None:
            # What the kept corrections leave is part of what is known of the volume.
            self.desk.perform(lambda: self.desk.session.note_corrected(entry.id, found.result))
        self._show_state()

    def _failed(self, error: MicrotomeError) -> None:
        self.editor.say(self.editor.chosen, str(error))
        self._seen = None
        self._show_state()


def _changes(source: Volume, result: Volume) -> str:
    """Shape and voxel size before and after; once where they stay."""
    shapes = [shape(v.shape) for v in (source, result)]
    sizes = [_edges(v) for v in (source, result)]
    said = [" → ".join(dict.fromkeys(pair)) for pair in (shapes, sizes)]
    return ";  ".join(part for part in said if part)


def _edges(volume: Volume) -> str:
    size = volume.voxel_size
    return "" if size is None else " × ".join(number(v, 4) for v in size) + f" {unit_word(volume.unit)}"
