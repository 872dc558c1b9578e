"""The hand on parallel coordinates: what the mouse holds, what the keys do."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from PySide6.QtCore import QPoint, QPointF, Qt
from PySide6.QtGui import QKeyEvent
from PySide6.QtWidgets import QToolTip

from microtome.ui.i18n import tr
from microtome.ui.words import trial_words

if TYPE_CHECKING:
    from microtome.ui.views.search.parallel import ParallelView

GRIP = 11  # pixels beside an axis that belong to it
_EDGE = 5  # pixels of a brush's end that move the end alone
_KEY_STEP = 0.05


@dataclass
class _Drag:
    """What the mouse holds: a new brush, a brush or one of its ends, or an axis."""

    what: str  # new | brush | low | high | axis
    axis: int
    index: int = -1
    began: float = 0.0  # place where it began
    x: float = 0.0
    moved: bool = False


class BrushHand:
    """Turns mouse and keys into brushes and an order of axes of one view."""

    def __init__(self, view: ParallelView) -> None:
        self.view = view
        self._drag: _Drag | None = None

    def press(self, at: QPointF) -> bool:
        """Take hold of a brush, an axis or its title; False where there is none."""
        view, frame = self.view, self.view.frame()
        title = at.y() < frame.titles
        axis = view.axis_at(at.x(), min(frame.step / 2, 40.0) if title else GRIP)
        if axis is None:
            return False
        view.focus_axis = axis
        place, name = frame.place(at.y()), view.axes[axis].name
        index = view.brushes.at(name, place, frame.place(0) - frame.place(_EDGE))
        if title:
            self._drag = _Drag("axis", axis, x=at.x())
        elif index is None:
            self._drag = _Drag("new", axis, began=place)
        else:
            low, high = view.brushes.by_axis[name][index]
            near = min((abs(at.y() - frame.y(end)), word) for end, word in ((low, "low"), (high, "high")))
            self._drag = _Drag(near[1] if near[0] <= _EDGE else "brush", axis, index, place)
        return True

    def move(self, at: QPointF, on_screen: QPoint) -> None:
        """Brush while the mouse is down; else show what could be taken hold of."""
        drag, view = self._drag, self.view
        if drag is None:
            self._hover(at, on_screen)
            return
        if drag.what == "axis":
            drag.moved = drag.moved or abs(at.x() - drag.x) > 4
            return
        drag.moved = True
        place, name = view.frame().place(at.y()), view.axes[drag.axis].name
        if drag.what == "new" and drag.index < 0:
            made = view.brushes.add(name, drag.began, place)
            drag.index = -1 if made is None else made
        elif drag.what == "new":
            view.brushes.put(name, drag.index, drag.began, place)
        elif drag.what == "brush":
            view.brushes.move(name, drag.index, place - drag.began)
            drag.began = place
        else:
            low, high = view.brushes.by_axis[name][drag.index]
            ends = (min(place, high - 0.01), high) if drag.what == "low" else (low, max(place, low + 0.01))
            view.brushes.put(name, drag.index, *ends)
        view.brush_again()

    def release(self, at: QPointF) -> None:
        """Let go: an axis lands at its new place, a click on a stretch removes it."""
        drag, self._drag = self._drag, None
        if drag is None:
            return
        view = self.view
        if drag.what == "axis":
            target = view.axis_at(at.x(), 1e9)
            if drag.moved and target is not None:
                view.move_axis(drag.axis, target)
        elif drag.what != "new" and not drag.moved:
            view.brushes.remove(view.axes[drag.axis].name, drag.index)
            view.brush_again()

    def clear(self, at: QPointF) -> None:
        """Clear the axis under the mouse."""
        view = self.view
        axis = view.axis_at(at.x(), GRIP)
        if axis is not None and view.brushes.by_axis.get(view.axes[axis].name):
            view.brushes.clear(view.axes[axis].name)
            view.brush_again()

    def _hover(self, at: QPointF, on_screen: QPoint) -> None:
        """The whole title of an axis, or which trial a line is."""
        view = self.view
        title = at.y() < view.frame().titles
        axis = view.axis_at(at.x(), 40.0 if title else GRIP)
        trial = view.state.trials.get(view.trial_at(at) or 0) if axis is None else None
        shape, words = Qt.CursorShape.ArrowCursor, ""
        if axis is not None:
            shape = Qt.CursorShape.SizeHorCursor if title else Qt.CursorShape.CrossCursor
            words = tr(view.axes[axis].title) if title else ""
        elif trial is not None:
            shape, words = Qt.CursorShape.PointingHandCursor, trial_words(trial)
        QToolTip.showText(on_screen, words, view)
        view.setCursor(shape)

    def key(self, event: QKeyEvent) -> bool:
        """Choose, brush and move axes; False for a key of no meaning here."""
        view, key = self.view, event.key()
        name = view.axes[view.focus_axis].name
        stretches = view.brushes.by_axis.get(name, [])
        match key:
            case Qt.Key.Key_Left | Qt.Key.Key_Right:
                target = min(max(0, view.focus_axis + (1 if key == Qt.Key.Key_Right else -1)), len(view.axes) - 1)
                if event.modifiers() & Qt.KeyboardModifier.ControlModifier:
                    view.move_axis(view.focus_axis, target)
                view.focus_axis = target
            case Qt.Key.Key_Space if not stretches:
                view.brushes.add(name, 2 / 3, 1.0)
            case Qt.Key.Key_Up | Qt.Key.Key_Down if stretches:
                self._shift(name, stretches[-1], _KEY_STEP if key == Qt.Key.Key_Up else -_KEY_STEP, event)
            case Qt.Key.Key_Delete | Qt.Key.Key_Backspace if stretches:
                view.brushes.remove(name, len(stretches) - 1)
            case Qt.Key.Key_Escape if view.brushes:
                view.brushes.clear()
            case _:
                return False
        view.brush_again()
        return True

    def _shift(self, name: str, stretch: tuple[float, float], by: float, event: QKeyEvent) -> None:
        brushes, (low, high) = self.view.brushes, stretch
        last = len(brushes.by_axis[name]) - 1
        if event.modifiers() & Qt.KeyboardModifier.ShiftModifier:
            brushes.put(name, last, low, max(low + _KEY_STEP, high + by))
        else:
            brushes.move(name, last, by)
