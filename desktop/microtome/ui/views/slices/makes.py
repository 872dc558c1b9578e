"""What the settings make: classes, images, a pixel, disk and time; whether it is there already, and “Cut now”."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from PySide6.QtWidgets import QProgressBar, QSizePolicy, QWidget

from microtome.slices.plan import SlicePlan
from microtome.ui.desk import Desk
from microtome.ui.i18n import tr
from microtome.ui.numbers import between, length, percent, size_of, span, with_commas
from microtome.ui.sentences import said
from microtome.ui.slices_outlook import Outlook
from microtome.ui.theme import GRID
from microtome.ui.views.slices.audit_view import audit_tone, audit_words
from microtome.ui.views.slices.leak_meter import leak_tone, verdict_words
from microtome.ui.widgets import button, clear, column, facts, label, note, row

_MANY_BYTES = 8e9


class CutControls(QWidget):
    """Words, bar and stop while it cuts, else nothing; the button “Cut now” is placed beside it."""

    def __init__(self, desk: Desk) -> None:
        super().__init__()
        self._desk = desk
        self._wanted = 0
        self.go = button(tr("Cut now"), self._start, icon_name="slices")
        self.bar = QProgressBar()
        self.bar.setRange(0, 1000)
        self.bar.setTextVisible(False)
        self.words = label("", "muted")
        self.words.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Preferred)
        self.stop = button(tr("Stop"), desk.cutting.stop, kind="small", icon_name="stop")
        self.stop.setToolTip(tr("Nothing of an unfinished image set is kept"))
        self.setLayout(row(column(self.words, self.bar, gap=GRID // 2), self.stop))
        desk.cutting.changed.connect(self._changed)
        self.show_now()

    def show_wanted(self, size: int, *, there: bool, possible: bool) -> None:
        """What would be cut: its bytes, whether it is there already, and whether the settings allow it."""
        self._wanted = size
        self.go.setEnabled(possible and not there)
        self.go.setText(tr("Cut already") if there else tr("Cut now"))

    def _start(self) -> None:
        self._desk.perform(lambda: self._desk.cutting.start(self._wanted))

    def _changed(self, _name: str) -> None:
        # A bound method: it is disconnected when this widget goes.
        self.show_now()

    def show_now(self) -> None:
        """Show the cutting of this moment."""
        now = self._desk.cutting.now
        self.go.setVisible(not self._desk.cutting.running)
        self.setVisible(now is not None)
        if now is None:
            return
        self.bar.setVisible(now.state == "running")
        self.bar.setValue(round(1000 * now.share))
        self.stop.setText(tr("Stop") if now.state == "running" else tr("Dismiss"))
        left = now.eta.range()
        words = [tr(now.phase) if now.phase else tr("starting…"), percent(now.share, 0) if now.total else ""]
        words.append(tr("{time} left", time=between(*left)) if left else "")
        self.words.setText(said(now.problem) or " · ".join(w for w in words if w))
        self.words.setToolTip(self.words.text())


class Makes(QWidget):
    """Facts first, then what is said of them, then the order."""

    def __init__(self) -> None:
        super().__init__()
        self._facts, self._notes = column(), column(gap=GRID // 2)
        self.setLayout(column(self._facts, self._notes, gap=GRID))
        self._plan, self._classes, self._images, self._channels = SlicePlan(), list[str](), 0, 1

    @property
    def wanted(self) -> int:
        """The bytes of the image set."""
        return self.images * self._channels * self._plan.pixels**2 * 4

    @property
    def images(self) -> int:
        """The images of all classes."""
        return self._images

    def show_plan(self, plan: SlicePlan, classes: Sequence[str]) -> None:
        """Show what is known at once; the outlook of another plan no longer counts."""
        self._plan, self._classes = plan, list(classes)
        self._images = (plan.train + plan.validation + plan.evaluation) * len(classes)
        self._show_facts(None)

    def show_outlook(self, look: Outlook) -> None:
        """Show what was measured."""
        self._images, self._channels = look.images, look.channels
        self._show_facts(look)

    def _show_facts(self, look: Outlook | None) -> None:
        plan = self._plan
        arranged = look is not None and look.arranged
        a_class = self.images // max(1, len(self._classes))
        clear(self._facts)
        words = tr("{n} ({k} a class)", n=with_commas(self.images), k=with_commas(a_class))
        pairs = [
            (tr("Images"), with_commas(self.images) if arranged or len(self._classes) < 2 else words),
            *([] if arranged else [(tr("A pixel is"), length(plan.field_of_view / plan.pixels, plan.unit))]),
            (tr("On disk"), tr("about {size}", size=size_of(self.wanted))),
            (tr("Time"), _time_words(look)),
        ]
        self._facts.addWidget(facts(pairs))

    def show_notes(self, leak: dict[str, Any] | None, cues: Sequence[dict[str, Any]], warnings: Sequence[str]) -> None:
        """The verdicts in a line each, and what else must be known before training."""
        clear(self._notes)
        if leak:
            self._notes.addWidget(note(verdict_words(str(leak["verdict"])), leak_tone(str(leak["verdict"]))))
        if cues:
            self._notes.addWidget(note(audit_words(cues), audit_tone(cues)))
        if self.wanted > _MANY_BYTES:
            self._notes.addWidget(note(tr("This is a lot of disk: fewer images or fewer pixels may do.")))
        for sentence in warnings:
            self._notes.addWidget(note(sentence))


def _time_words(look: Outlook | None) -> str:
    if look is None:
        return tr("measuring…")
    if look.seconds is None:
        return tr("not known")
    words = tr("about {time} of cutting, at {n} slices/s", time=span(look.seconds), n=with_commas(round(look.rate)))
    return words + (", " + tr("after simulating {n} structures", n=look.simulated) if look.simulated else "")
