"""The camera of the 3-D view: where it stands, what it projects where, and how it turns; Qt-free arithmetic.

The first slice is on top and z runs down, so that the view from above, from the front and from the side are the very pictures
xy, xz and yz of the slice view. Points are (z, y, x); in the camera's frame they are (right, down, forward).
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from microtome.ui.views.space.scene import Triple

FIELD = 28.0  # degrees across the shorter edge of the view
NEAR = 1e-3  # of the distance; what is nearer is not drawn
_STEEPEST = 90.0
_MARGIN = 0.87  # of the view's shorter edge that the box takes
_NEAREST, _FARTHEST = 0.02, 12.0  # of the fitting distance

#: Standard views: (azimuth, elevation) in degrees.
VIEWS: dict[str, tuple[float, float]] = {
    "corner": (-32.0, 26.0),
    "xy": (0.0, 90.0),
    "xz": (0.0, 0.0),
    "yz": (90.0, 0.0),
}


@dataclass(frozen=True, kw_only=True)
class Camera:
    """Looks at `target` (z, y, x) from `distance`, turned by `azimuth` about z and lifted by `elevation`, both in degrees."""

    target: Triple
    distance: float
    fitting: float  # the distance from which the sphere around the box just fits: the measure of near and far
    azimuth: float = VIEWS["corner"][0]
    elevation: float = VIEWS["corner"][1]

    @classmethod
    def fitted(cls, box: Triple, *, view: str = "corner") -> Camera:
        """The whole box in sight from a standard direction, with room for words around it."""
        azimuth, elevation = VIEWS[view]
        middle = (box[0] / 2, box[1] / 2, box[2] / 2)
        at = cls(target=middle, distance=0.0, fitting=1.0, azimuth=azimuth, elevation=elevation)
        corners = np.array([[z, y, x] for z in (0, box[0]) for y in (0, box[1]) for x in (0, box[2])], dtype=np.float64)
        seen = (corners - middle) @ at.axes().T
        # Each corner is within the margin at the distance where |sideways| / (distance + depth) is its tangent.
        reach = np.abs(seen[:, :2]).max(axis=1) / (_MARGIN * np.tan(np.radians(FIELD / 2))) - seen[:, 2]
        around = float(np.linalg.norm(box) / 2 / np.sin(np.radians(FIELD / 2)))
        away = float(reach.max())
        # Perspective makes the near side larger: the box's outline is brought to the middle.
        slopes = seen[:, :2] / (away + seen[:, 2:])
        right, down = away * (slopes.min(axis=0) + slopes.max(axis=0)) / 2
        z, y, x = np.asarray(middle) + right * at.axes()[0] + down * at.axes()[1]
        return replace(at, target=(float(z), float(y), float(x)), distance=away, fitting=around)

    def axes(self) -> NDArray[np.float64]:
        """(3, 3): the rows right, down and forward as (z, y, x) unit vectors; right × down = forward."""
        a, e = np.radians(self.azimuth), np.radians(self.elevation)
        right = np.array([0.0, np.sin(a), np.cos(a)])
        level = np.array([0.0, -np.cos(a), np.sin(a)])
        z = np.array([1.0, 0.0, 0.0])
        return np.stack([right, np.cos(e) * z - np.sin(e) * level, np.cos(e) * level + np.sin(e) * z])

    def eye(self) -> NDArray[np.float64]:
        """Where the camera stands, (z, y, x)."""
        return np.asarray(np.asarray(self.target) - self.distance * self.axes()[2])

    def seen(self, points: NDArray[np.floating]) -> NDArray[np.float32]:
        """Points (n, 3) in the camera's frame: (right, down, forward), forward being the depth."""
        axes, eye = self.axes(), self.eye()
        # The shift is applied after the turn: float32 then keeps its digits however far away the camera is.
        turned = np.asarray(points, dtype=np.float32) @ axes.T.astype(np.float32)
        return np.asarray(turned - (axes @ eye).astype(np.float32))

    @staticmethod
    def focal(width: int, height: int) -> float:
        """Pixels of one unit of length at the depth 1."""
        return float(min(width, height) / 2 / np.tan(np.radians(FIELD / 2)))

    def project(self, points: NDArray[np.floating], width: int, height: int) -> NDArray[np.float64]:
        """Points (n, 3) on the picture: (column, row, depth) in pixels; what is behind the camera has a depth below 0."""
        seen = (np.asarray(points, dtype=np.float64) - self.eye()) @ self.axes().T
        depth = np.where(np.abs(seen[:, 2]) < 1e-12, 1e-12, seen[:, 2])
        focal = self.focal(width, height)
        return np.stack([width / 2 + focal * seen[:, 0] / depth, height / 2 + focal * seen[:, 1] / depth, seen[:, 2]], 1)

    def ray(self, column: float, row: float, width: int, height: int) -> NDArray[np.float64]:
        """The direction (z, y, x), of unit length, in which the camera sees a point of the picture."""
        focal = self.focal(width, height)
        away = np.array([(column - width / 2) / focal, (row - height / 2) / focal, 1.0]) @ self.axes()
        return np.asarray(away / np.linalg.norm(away))

    def pixel(self, width: int, height: int) -> float:
        """The length of one pixel at the depth of the target."""
        return self.distance / self.focal(width, height)

    def orbited(self, right: float, down: float) -> Camera:
        """Turned with the mouse by degrees: what is in front follows it."""
        lifted = min(_STEEPEST, max(-_STEEPEST, self.elevation + down))
        return replace(self, azimuth=(self.azimuth + right + 180.0) % 360.0 - 180.0, elevation=lifted)

    def zoomed(self, factor: float) -> Camera:
        """Nearer by a factor above 1, within reason."""
        away = min(_FARTHEST * self.fitting, max(_NEAREST * self.fitting, self.distance / factor))
        return replace(self, distance=away)

    def panned(self, right: float, down: float, width: int, height: int) -> Camera:
        """Moved so that the picture follows the mouse by so many pixels."""
        axes, step = self.axes(), self.pixel(width, height)
        z, y, x = np.asarray(self.target) - (right * axes[0] + down * axes[1]) * step
        return replace(self, target=(float(z), float(y), float(x)))
