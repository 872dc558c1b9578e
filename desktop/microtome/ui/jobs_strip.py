"""The strip at the bottom, always visible: every job that runs or was interrupted, with its orders."""

from __future__ import annotations

from PySide6.QtCore import Qt, QTimer
from PySide6.QtWidgets import QFrame, QLabel, QProgressBar, QSizePolicy, QWidget

from microtome.session import Change
from microtome.store.run import Order
from microtome.ui.desk import Desk
from microtome.ui.i18n import tr
from microtome.ui.icons import icon, pixmap
from microtome.ui.import_card import ImportRow
from microtome.ui.numbers import between, percent, span
from microtome.ui.queue_row import QueueRow
from microtome.ui.sentences import said
from microtome.ui.tail import RunTail
from microtome.ui.theme import GRID
from microtome.ui.time_budget import LimitButton
from microtome.ui.views.slices.makes import CutControls
from microtome.ui.widgets import button, clear, column, holding, label, row, scrolling, set_property
from microtome.ui.words import kind_word, page_of, run_title, state_tone, state_word

_REDRAW_MS = 200  # words that change faster cannot be read
_ROW = 40


class JobRow(QWidget):
    """One job."""

    def __init__(self, desk: Desk, tail: RunTail) -> None:
        super().__init__()
        self.desk, self.tail = desk, tail
        picture = QLabel()
        picture.setPixmap(pixmap("optimise" if tail.kind == "search" else "train", 16))
        self.name = button(run_title(tail.run.name), self._open, kind="link")
        self.name.setToolTip(f"{kind_word(tail.kind)} · {tail.run.name}")
        self.badge = label("", "badge")
        self.bar = QProgressBar()
        self.bar.setRange(0, 1000)
        self.bar.setTextVisible(False)
        self.bar.setMinimumWidth(80)
        self.share = label("", "muted")
        self.share.setMinimumWidth(52)
        self.share.setAlignment(Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter)
        self.words = label("", "muted")
        self.words.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Preferred)
        self.pause = button(tr("Pause"), self._pause, kind="small", icon_name="pause")
        self.stop = button(tr("Stop"), lambda: self._order("stop"), kind="small", icon_name="stop")
        self.stop.setToolTip(
            tr("Start nothing new; a search finishes its running trials, a training keeps a checkpoint. Continue goes on later")
        )
        self.abort = button(tr("Abort"), lambda: self._order("abort"), kind="small", icon_name="abort")
        self.abort.setToolTip(tr("End at once; all finished epochs are kept"))
        self.limit = LimitButton(desk, tail)
        parts = (
            picture,
            self.name,
            self.badge,
            self.bar,
            self.share,
            self.words,
            self.limit,
            self.pause,
            self.stop,
            self.abort,
        )
        layout = row(*parts, gap=GRID)
        layout.setContentsMargins(2 * GRID, 0, GRID, 0)
        layout.setStretchFactor(self.bar, 2)
        layout.setStretchFactor(self.words, 3)
        self.setLayout(layout)
        self.setFixedHeight(_ROW)
        self.show_now()

    def show_now(self) -> None:
        """Show the run's state of this moment."""
        tail, word = self.tail, self.tail.word
        self.badge.setText(state_word(word))
        set_property(self.badge, "tone", state_tone(word))
        set_property(self.bar, "tone", {"accent": ""}.get(state_tone(word), state_tone(word)))
        fraction = tail.fraction()
        self.bar.setValue(round(1000 * fraction))
        self.share.setText(percent(fraction))
        text = said(tail.problem) or self._facts()
        self.words.setText(text)
        self.words.setToolTip(text)
        interrupted, paused = word == "interrupted", word in ("paused", "pausing")
        self.pause.setText(tr("Continue") if interrupted else tr("Resume") if paused else tr("Pause"))
        self.pause.setIcon(icon("play" if interrupted or paused else "pause"))
        self.pause.setEnabled(word in ("running", "paused", "pausing", "interrupted"))
        self.limit.setVisible(not interrupted)
        self.limit.setEnabled(word in ("running", "paused", "pausing"))
        self.stop.setVisible(not interrupted)
        self.abort.setVisible(not interrupted)
        self.stop.setEnabled(word in ("starting", "running", "pausing", "paused"))

    def _facts(self) -> str:
        tail, state = self.tail, self.tail.state
        parts: list[str] = []
        if tail.again:
            return ""
        if tail.word == "interrupted":
            parts.append(tr("The job ended unexpectedly; everything it finished is kept."))
        if state.phase is not None and not state.running_trials():
            parts.append(tr(state.phase.name))
        elif state.kind == "search":
            parts.append(tr("trial {n} of {total}", n=len(state.ended_trials()), total=state.planned_trials))
        elif (trials := state.running_trials()) and state.planned_epochs:
            epoch = min(len(trials[0].epochs) + 1, state.planned_epochs)
            parts.append(tr("epoch {n} of {total}", n=epoch, total=state.planned_epochs))
        if self.limit.words:
            parts.append(self.limit.words)
        eta = tail.eta_range()
        if eta is not None:
            parts.append(tr("{time} left", time=between(*eta)))
        if tail.active and (speed := tail.speed()):
            parts.append(tr("{n} images/s", n=f"{speed:.0f}"))
        parts.extend(tail.devices())
        return " · ".join(parts)

    def _open(self) -> None:
        self.desk.open_page(page_of(self.tail.kind, self.tail.run.name))
        self.desk.select(f"run:{self.tail.run.name}")

    def _pause(self) -> None:
        self._order("resume" if self.tail.word in ("paused", "pausing", "interrupted") else "pause")

    def _order(self, command: Order) -> None:
        self.desk.perform(lambda: self.desk.session.order(self.tail.run, command))


class CutRow(QWidget):
    """Slices that are being cut."""

    def __init__(self, desk: Desk) -> None:
        super().__init__()
        picture = QLabel()
        picture.setPixmap(pixmap("slices", 16))
        name = button(tr("Slice set"), lambda: desk.open_page("slices"), kind="link")
        layout = row(picture, name, CutControls(desk), gap=GRID)
        layout.setContentsMargins(2 * GRID, 0, GRID, 0)
        layout.setStretch(2, 1)
        self.setLayout(layout)
        self.setFixedHeight(_ROW)


class JobsStrip(QFrame):
    """All jobs that run or wait for the user, newest first; three rows are seen at once."""

    def __init__(self, desk: Desk) -> None:
        super().__init__()
        self.desk = desk
        self.setProperty("role", "strip")
        self._rows: dict[str, JobRow] = {}
        self._queued: dict[str, QueueRow] = {}
        self._imports: dict[str, ImportRow] = {}
        self._cut: CutRow | None = None
        self._list = column(gap=0)
        self._area = scrolling(holding(self._list))
        self._quiet = label("", "muted")
        self._quiet_row = holding(row(self._quiet, None, gap=GRID))
        self._quiet_row.layout().setContentsMargins(2 * GRID, 0, 2 * GRID, 0)  # type: ignore[union-attr]
        self._quiet_row.setFixedHeight(_ROW)
        self.setLayout(column(self._quiet_row, self._area, gap=0))
        self._redraw = QTimer(self)
        self._redraw.setSingleShot(True)
        self._redraw.setInterval(_REDRAW_MS)
        self._redraw.timeout.connect(self._show_rows)
        desk.tails.changed.connect(self._run_changed)
        desk.changed.connect(self._changed)
        desk.imports.changed.connect(self._run_changed)
        desk.cutting.changed.connect(self._run_changed)
        desk.queueing.changed.connect(self._queue_changed)
        self._show_rows()

    def rows(self) -> list[JobRow]:
        """The jobs on show."""
        return list(self._rows.values())

    def queued(self) -> list[QueueRow]:
        """The waiting runs on show, the next one first."""
        return list(self._queued.values())

    def _changed(self, change: Change) -> None:
        if change & (Change.PROJECT | Change.RUNS):
            self._show_rows()

    def _queue_changed(self) -> None:
        self._run_changed("")

    def _run_changed(self, _name: str) -> None:
        if not self._redraw.isActive():
            self._redraw.start()

    def _show_rows(self) -> None:
        shown = [t for t in reversed(self.desk.tails.all()) if self._wanted(t)]
        waiting = [t for w in self.desk.queueing.waiting if (t := self.desk.tails.get(w.run)) is not None and t.queued]
        imports = [i.entry_id for i in self.desk.imports.all.values()]
        cutting = self.desk.cutting.now is not None
        there = [*(r.tail for r in self._rows.values()), *(q.tail for q in self._queued.values())]
        anew = list(map(id, there)) != list(map(id, [*shown, *waiting]))
        if anew or imports != list(self._imports) or cutting != (self._cut is not None):
            self._make_rows(shown, waiting, imports, cutting)
        rows: list[ImportRow | JobRow | QueueRow] = [*self._imports.values(), *self._rows.values(), *self._queued.values()]
        for made in rows:
            made.show_now()
        count = len(shown) + len(waiting) + len(imports) + cutting
        self._area.setVisible(count > 0)
        self._area.setFixedHeight(_ROW * min(3, max(1, count)))
        self._quiet_row.setVisible(count == 0)
        self._quiet.setText(self._quiet_words())

    def _make_rows(self, shown: list[RunTail], waiting: list[RunTail], imports: list[str], cutting: bool) -> None:
        clear(self._list)
        self._cut = CutRow(self.desk) if cutting else None
        self._imports = {entry: ImportRow(self.desk, entry) for entry in imports}
        self._rows = {tail.run.name: JobRow(self.desk, tail) for tail in shown}
        self._queued = {tail.run.name: QueueRow(self.desk, tail) for tail in waiting}
        cut = [self._cut] if self._cut is not None else []
        for made in (*cut, *self._imports.values(), *self._rows.values(), *self._queued.values()):
            self._list.addWidget(made)

    @staticmethod
    def _wanted(tail: RunTail) -> bool:
        if tail.queued and not tail.driving:
            return False
        return tail.caught_up and (tail.active or tail.word == "interrupted" or bool(tail.problem))

    def _quiet_words(self) -> str:
        done = [t for t in self.desk.tails.all() if t.state.finished and t.state.ended]
        if not done:
            return tr("No job is running.")
        last = max(done, key=lambda t: t.state.ended or 0.0)
        took = span(last.state.took)
        return tr(
            "No job is running. Last: {name}, {state} after {time}.",
            name=run_title(last.run.name),
            state=state_word(last.word),
            time=took,
        )
