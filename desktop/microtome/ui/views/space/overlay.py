"""What is drawn around the 3-D picture with lines and words: background, box with lengths, axes, handles, legend."""

from __future__ import annotations

from itertools import product

import numpy as np
from numpy.typing import NDArray
from PySide6.QtCore import QPointF, QRectF, QSize, Qt
from PySide6.QtGui import QColor, QLinearGradient, QPainter, QPen, QPolygonF

from microtome.ui.numbers import number, unit_word, with_commas
from microtome.ui.theme import GRID, Theme
from microtome.ui.views.scale_bar import nice_length
from microtome.ui.views.space.camera import NEAR, Camera
from microtome.ui.views.space.handle import Pose, handles
from microtome.ui.views.space.scene import RGB, Look, SpaceScene, Triple, hex_rgb

_AXES = ("z", "y", "x")
_TICK = 5.0  # pixels
_TICK_GAP = 52.0  # pixels between ticks with a number
_SHORT = 56.0  # pixels; a shorter edge has no ticks
_BEHIND, _OUTLINE, _BEFORE = 0, 1, 2


def look_of(theme: Theme) -> Look:
    """The colours of a 3-D picture in a theme."""
    dark = theme.name == "dark"
    return Look(
        top=hex_rgb(theme.raised),
        bottom=hex_rgb(theme.sunken),
        line=hex_rgb(theme.faint),
        text=hex_rgb(theme.text),
        surface=(211, 194, 163) if not dark else (202, 186, 156),
        particle=(137, 170, 191) if not dark else (132, 168, 190),
        kinds=tuple(hex_rgb(c) for c in theme.classes),
        named={"line": hex_rgb(theme.faint), "accent": hex_rgb(theme.accent), "muted": hex_rgb(theme.muted)},
    )


def _colour(rgb: RGB, alpha: int = 255) -> QColor:
    return QColor(*rgb, alpha)


def paint_background(painter: QPainter, area: QRectF, look: Look) -> None:
    """A quiet gradient."""
    gradient = QLinearGradient(area.topLeft(), area.bottomLeft())
    gradient.setColorAt(0, _colour(look.top))
    gradient.setColorAt(1, _colour(look.bottom))
    painter.fillRect(area, gradient)


def edges_of(box: Triple, camera: Camera) -> list[tuple[int, NDArray[np.float64], NDArray[np.float64], int]]:
    """The twelve edges: (axis, start, end, layer). What lies in the box is before an edge of two faces that look away, and
    behind an edge of two faces that are seen; beside it are the edges of the outline."""
    eye = camera.eye()
    seen = {(a, side): (eye[a] > box[a]) if side else (eye[a] < 0) for a in range(3) for side in (0, 1)}
    found = []
    for axis in range(3):
        others = [a for a in range(3) if a != axis]
        for sides in product((0, 1), repeat=2):
            start = np.zeros(3)
            for a, side in zip(others, sides, strict=True):
                start[a] = box[a] * side
            end = start.copy()
            end[axis] = box[axis]
            count = sum(bool(seen[a, side]) for a, side in zip(others, sides, strict=True))
            found.append((axis, start, end, (_BEHIND, _OUTLINE, _BEFORE)[count]))
    return found


def _segment(
    start: NDArray[np.float64], end: NDArray[np.float64], camera: Camera, width: int, height: int
) -> tuple[QPointF, QPointF] | None:
    """A line on the picture, shortened to what is before the camera."""
    near, forward = NEAR * camera.fitting * 2, camera.axes()[2]
    depths = [float((p - camera.eye()) @ forward) for p in (start, end)]
    if max(depths) <= near:
        return None
    points = [start, end]
    for i in (0, 1):
        if depths[i] < near:
            share = (near - depths[i]) / (depths[1 - i] - depths[i])
            points[i] = points[i] + share * (points[1 - i] - points[i])
    at = camera.project(np.stack(points), width, height)
    return QPointF(at[0, 0], at[0, 1]), QPointF(at[1, 0], at[1, 1])


def paint_edges(painter: QPainter, scene: SpaceScene, camera: Camera, look: Look, size: QSize, *, before: bool) -> None:
    """The box's edges behind what it holds, or those before and around it."""
    width, height = size.width(), size.height()
    for _, start, end, layer in edges_of(scene.box, camera):
        if (layer != _BEHIND) != before:
            continue
        line = _segment(start, end, camera, width, height)
        if line is not None:
            painter.setPen(
                QPen(
                    _colour(look.line, {_BEHIND: 150, _BEFORE: 110 if scene.away else 255}.get(layer, 255)),
                    1.0 if layer == _BEHIND else 1.3,
                )
            )
            painter.drawLine(*line)


def paint_lengths(painter: QPainter, scene: SpaceScene, camera: Camera, look: Look, size: QSize) -> None:
    """Along one edge of the outline an axis: ticks at round lengths, and the axis's name with the whole length."""
    width, height = size.width(), size.height()
    middle = camera.project(np.asarray(scene.box)[None] / 2, width, height)[0]
    for axis in range(3):
        lines = []
        for a, start, end, layer in edges_of(scene.box, camera):
            if a == axis and layer == _OUTLINE:
                line = _segment(start, end, camera, width, height)
                if line is not None:
                    lines.append((line, start, end))
        if not lines:
            continue
        # Horizontal axes are read below the box, the depth at its left.
        key = (lambda f: f[0][0].x() + f[0][1].x()) if axis == 0 else (lambda f: -(f[0][0].y() + f[0][1].y()))
        (first, last), start, end = min(lines, key=key)
        out = _outward(first, last, QPointF(middle[0], middle[1]))
        if out is not None:
            _paint_axis(painter, scene, camera, look, size, axis, (start, end), (first, last), out)


def _outward(first: QPointF, last: QPointF, middle: QPointF) -> QPointF | None:
    """The unit vector across a line, away from the middle; None for a line that is seen end-on."""
    along = last - first
    pixels = float(np.hypot(along.x(), along.y()))
    if pixels < _SHORT:
        return None
    across = QPointF(-along.y(), along.x()) / pixels
    inward = middle - (first + last) / 2
    return -across if QPointF.dotProduct(across, inward) > 0 else across


def _paint_axis(
    painter: QPainter,
    scene: SpaceScene,
    camera: Camera,
    look: Look,
    size: QSize,
    axis: int,
    edge: tuple[NDArray[np.float64], NDArray[np.float64]],
    line: tuple[QPointF, QPointF],
    out: QPointF,
) -> None:
    whole = scene.box[axis]
    across = line[1] - line[0]
    pixels = float(np.hypot(across.x(), across.y()))
    # The least round step whose numbers do not touch each other.
    step = nice_length(whole * _TICK_GAP / pixels * 2.5)
    factor, unit = (1e-3, "um") if scene.unit == "nm" and whole >= 1e4 else (1.0, scene.unit)
    font = painter.font()
    small = painter.font()
    small.setPixelSize(11)
    painter.setFont(small)
    widest = 0.0
    width, height = size.width(), size.height()
    for value in np.arange(0.0, whole * (1 + 1e-9), step) if step > 0 else ():
        at = camera.project((edge[0] + (edge[1] - edge[0]) * value / whole)[None], width, height)[0]
        point = QPointF(at[0], at[1])
        painter.setPen(QPen(_colour(look.line), 1.2))
        painter.drawLine(point, point + out * _TICK)
        words = number(float(value) * factor, 4)
        wide = painter.fontMetrics().horizontalAdvance(words)
        widest = max(widest, float(wide))
        _words(painter, point + out * (_TICK + 4), out, words, look, size, 170)
    painter.setFont(font)
    away = _TICK + 8 + abs(out.x()) * widest + abs(out.y()) * painter.fontMetrics().height()
    title = f"{_AXES[axis]}  {number(whole * factor, 4)} {unit_word(unit)}"
    _words(painter, (line[0] + line[1]) / 2 + out * away, out, title, look, size, 255)


def _words(painter: QPainter, at: QPointF, out: QPointF, words: str, look: Look, size: QSize, alpha: int) -> None:
    """Words that begin where a line out of the box ends, whichever way it goes."""
    metrics = painter.fontMetrics()
    wide, high = float(metrics.horizontalAdvance(words)), float(metrics.height())
    centre = QPointF(at.x() + out.x() * wide / 2, at.y() + out.y() * high / 2)
    left = min(max(centre.x() - wide / 2, 2.0), size.width() - wide - 2)
    top = min(max(centre.y() - high / 2, 2.0), size.height() - high - 2)
    painter.setPen(_colour(look.text, alpha))
    painter.drawText(QRectF(left, top, wide + 1, high), Qt.AlignmentFlag.AlignCenter, words)


def paint_triad(painter: QPainter, camera: Camera, look: Look, size: QSize) -> None:
    """Which way z, y and x run, in the lower left corner; the arrow that points away first."""
    middle, arm = QPointF(5 * GRID, size.height() - 5 * GRID), 3.2 * GRID
    axes = camera.axes()
    for axis in sorted(range(3), key=lambda a: -axes[2, a]):
        tip = middle + QPointF(axes[0, axis], axes[1, axis]) * arm
        colour = _colour(look.kinds[(0, 2, 1)[axis]])
        painter.setPen(QPen(colour, 2.2, Qt.PenStyle.SolidLine, Qt.PenCapStyle.RoundCap))
        painter.drawLine(middle, tip)
        reach = float(np.hypot(axes[0, axis], axes[1, axis]))
        if reach > 0.25:
            word = middle + QPointF(axes[0, axis], axes[1, axis]) * (arm + 9 / reach)
            painter.drawText(QRectF(word.x() - 8, word.y() - 9, 16, 18), Qt.AlignmentFlag.AlignCenter, _AXES[axis])


def paint_handles(painter: QPainter, pose: Pose, diagonal: float, camera: Camera, look: Look, size: QSize, held: str) -> None:
    """The free plane's arrow: its foot moves the plane, its tip turns it."""
    where = handles(pose, diagonal, camera, size.width(), size.height())
    foot, tip = QPointF(*where["move"]), QPointF(*where["turn"])
    accent, rim = _colour(look.named["accent"]), QColor("white")
    for colour, wide in ((rim, 4.5), (accent, 2.5)):
        painter.setPen(QPen(colour, wide, Qt.PenStyle.SolidLine, Qt.PenCapStyle.RoundCap))
        painter.drawLine(foot, tip)
    for point, part in ((foot, "move"), (tip, "turn")):
        painter.setPen(QPen(rim, 1.6))
        painter.setBrush(accent if held != part else rim)
        if part == "turn":
            painter.drawEllipse(point, 6.5, 6.5)
        else:
            corners = [QPointF(-7, 0), QPointF(0, -7), QPointF(7, 0), QPointF(0, 7)]
            painter.drawPolygon(QPolygonF([point + c for c in corners]))
    painter.setBrush(Qt.BrushStyle.NoBrush)


def paint_legend(painter: QPainter, scene: SpaceScene, look: Look, most: int = 10) -> None:
    """The kinds of particles with their colours and numbers, in the upper left corner."""
    found = scene.particles
    if found is None or len(found.radii) == 0:
        return
    names = found.names if found.kinds is not None and len(found.names) > 1 else ("",)
    counts = [len(found.radii)] if len(names) == 1 else np.bincount(found.kinds, minlength=len(names)).tolist()  # type: ignore[arg-type]
    palette = look.palette(len(names))
    high = painter.fontMetrics().height() + 3
    for i, (name, count) in enumerate(list(zip(names, counts, strict=False))[:most]):
        top = 1.5 * GRID + i * high
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(QColor(*(int(v) for v in palette[i])))
        painter.drawEllipse(QRectF(1.5 * GRID, top + (high - 10) / 2 - 1, 10, 10))
        painter.setPen(_colour(look.text, 210))
        words = f"{name}  {with_commas(count)}" if name else f"n = {with_commas(count)}"
        painter.drawText(QPointF(3.5 * GRID, top + high - 7), words)
    painter.setBrush(Qt.BrushStyle.NoBrush)
