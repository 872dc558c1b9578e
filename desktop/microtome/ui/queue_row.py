"""A run that waits for its turn, in the jobs strip: its place, moved by arrows or by dragging, and taken out again."""

from __future__ import annotations

from PySide6.QtCore import QMimeData, QPoint, QPointF, Qt
from PySide6.QtGui import (
    QColor,
    QDrag,
    QDragEnterEvent,
    QDragLeaveEvent,
    QDropEvent,
    QMouseEvent,
    QPainter,
    QPaintEvent,
)
from PySide6.QtWidgets import QApplication, QLabel, QScrollArea, QSizePolicy, QWidget

from microtome.session import Change
from microtome.ui.desk import Desk
from microtome.ui.i18n import tr
from microtome.ui.icons import pixmap
from microtome.ui.queueing import limit_words
from microtome.ui.tail import RunTail
from microtome.ui.theme import GRID, current
from microtome.ui.widgets import button, label, row, tool
from microtome.ui.words import kind_word, page_of, run_title, state_word

MIME = "application/x-microtome-queued"
_HEIGHT = 40
_LINE = 2


class QueueRow(QWidget):
    """One waiting run."""

    def __init__(self, desk: Desk, tail: RunTail) -> None:
        super().__init__()
        self.desk, self.tail = desk, tail
        self.setAcceptDrops(True)
        self.setCursor(Qt.CursorShape.OpenHandCursor)
        self._pressed, self._at = False, QPointF()
        self.side = ""  # where a carried run would come: above | below
        name = tail.run.name
        picture = QLabel()
        picture.setPixmap(pixmap("optimise" if tail.kind == "search" else "train", 16))
        link = button(run_title(name), self._open, kind="link")
        link.setToolTip(f"{kind_word(tail.kind)} · {name}")
        self.badge = label(state_word("queued"), "badge")
        self.words = label("", "muted")
        self.words.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Preferred)
        self.up = tool("chevron-up", tr("Earlier in the queue"), lambda: self._move(-1))
        self.down = tool("chevron-down", tr("Later in the queue"), lambda: self._move(1))
        self.now = button(tr("Start now"), self._start, kind="small", icon_name="play")
        self.now.setToolTip(tr("Start this run at once, beside what runs"))
        self.out = button(tr("Take out"), self._remove, kind="small", icon_name="close")
        self.out.setToolTip(tr("Take this run out of the queue; one that never began is deleted"))
        layout = row(picture, link, self.badge, self.words, self.up, self.down, self.now, self.out, gap=GRID)
        layout.setContentsMargins(2 * GRID, 0, GRID, 0)
        layout.setStretchFactor(self.words, 1)
        self.setLayout(layout)
        self.setFixedHeight(_HEIGHT)
        self.show_now()

    def show_now(self) -> None:
        """Show the place of this moment."""
        queueing = self.desk.queueing
        place = queueing.place(self.tail.run.name)
        if place is None:
            return
        last = len(queueing.waiting) - 1
        words = tr("next in the queue") if place == 0 else tr("place {n} in the queue", n=place + 1)
        limit = limit_words(queueing.waiting[place].limit)
        self.words.setText(" · ".join(part for part in (words, limit) if part))
        self.up.setEnabled(place > 0)
        self.down.setEnabled(place < last)

    def _open(self) -> None:
        self.desk.open_page(page_of(self.tail.kind, self.tail.run.name))
        self.desk.select(f"run:{self.tail.run.name}")

    def _move(self, step: int) -> None:
        place = self.desk.queueing.place(self.tail.run.name)
        if place is not None:
            self.put(self.tail.run.name, place + step)

    def put(self, name: str, place: int) -> None:
        """Put a waiting run at a place."""

        def act() -> Change:
            self.desk.session.queue.move(name, place)
            return Change.RUNS

        self.desk.perform(act)

    def _start(self) -> None:
        # Begun beside the others, whatever the queue allows; it leaves the queue as soon as it is driven.
        limit = next((w.limit for w in self.desk.queueing.waiting if w.run == self.tail.run.name), None)

        def act() -> Change:
            if limit:
                self.tail.run.order("until", **limit.to_json())
            self.desk.session.drive(self.tail.run)
            self.desk.session.queue.drop(self.tail.run.name)
            return Change.RUNS

        self.desk.perform(act)

    def _remove(self) -> None:
        def act() -> Change:
            self.desk.session.queue.remove(self.tail.run.name)
            return Change.RUNS

        self.desk.perform(act)

    # --- dragging

    def mousePressEvent(self, event: QMouseEvent) -> None:
        """The beginning of a drag."""
        self._pressed = event.button() == Qt.MouseButton.LeftButton
        self._at = event.position()

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        """Far enough, and the row is carried to another place."""
        far = self._pressed and (event.position() - self._at).manhattanLength() >= QApplication.startDragDistance()
        if not far:
            return
        self._pressed = False
        # The strip makes its rows anew when the queue moves on, also while one is carried: the drag must outlive its row.
        drag = QDrag(self.window())
        drag.setMimeData(self.carried())
        drag.setPixmap(self.grab())
        drag.exec(Qt.DropAction.MoveAction)

    def carried(self) -> QMimeData:
        """What is carried in a drag: the run's name."""
        data = QMimeData()
        data.setData(MIME, self.tail.run.name.encode())
        return data

    def _mark(self, name: str) -> None:
        """Show on which side of this row the carried run would come; "": nothing is carried over it."""
        here, there = (self.desk.queueing.place(n) for n in (self.tail.run.name, name))
        self.side = ""
        if here is not None and there is not None and here != there:
            self.side = "above" if here < there else "below"
        self.update()

    def dragEnterEvent(self, event: QDragEnterEvent) -> None:
        """Another waiting run may be put here."""
        if event.mimeData().hasFormat(MIME):
            event.acceptProposedAction()
            self._mark(_carried(event.mimeData()))
            self._reveal()

    def _reveal(self) -> None:
        """Bring the neighbours to sight: a queue may be longer than the strip is high."""
        around: QWidget | None = self.parentWidget()
        while around is not None and not isinstance(around, QScrollArea):
            around = around.parentWidget()
        inner = around.widget() if isinstance(around, QScrollArea) else None
        if isinstance(around, QScrollArea) and inner is not None:
            bar, top = around.verticalScrollBar(), self.mapTo(inner, QPoint(0, 0)).y()
            last = top + 2 * _HEIGHT - around.viewport().height()
            bar.setValue(min(max(bar.value(), last), max(0, top - _HEIGHT)))

    def dragLeaveEvent(self, event: QDragLeaveEvent) -> None:
        """It is carried on."""
        super().dragLeaveEvent(event)
        self._mark("")

    def paintEvent(self, event: QPaintEvent) -> None:
        """A line where the carried run would come."""
        super().paintEvent(event)
        if self.side:
            painter = QPainter(self)
            y = 0 if self.side == "above" else self.height() - _LINE
            painter.fillRect(0, y, self.width(), _LINE, QColor(current().accent))
            painter.end()

    def dropEvent(self, event: QDropEvent) -> None:
        """Put the carried run at this row's place."""
        name = _carried(event.mimeData())
        self._mark("")
        place = self.desk.queueing.place(self.tail.run.name)
        if place is not None and name != self.tail.run.name:
            event.acceptProposedAction()
            self.put(name, place)


def _carried(data: QMimeData) -> str:
    return bytes(data.data(MIME).data()).decode()
