"""Colour maps: perceptually even ramps for grey values and for numbers, and distinct colours for labels."""

from __future__ import annotations

import colorsys
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

NAMES = ("grey", "viridis", "magma", "cividis", "labels")
"""In the order in which they are offered; "labels" gives every whole number a colour of its own, 0 is black."""
LABELS = "labels"
_VALUES = "viridis"  # the ramp of numbers that are no grey values
_TURN = 0.618033988749895  # the golden ratio's fraction: neighbours in number are far apart in hue
# Thirty-three evenly spaced colours a ramp; between them the published tables are straight within their rounding.
# Viridis and magma: S. van der Walt, N. Smith (2015), CC0. Cividis: J. R. Nuñez et al., PLoS ONE 13, e0199239 (2018).
_NODES = {
    "viridis": """440154 460c5f 481769 482273 472c7a 453681 423f85 3e4889 3b518b 375a8c 33628d 2f6a8e 2c718e 29798e 26818e
        23888e 21908c 1f978b 1f9f88 21a685 27ad80 31b57a 3dbc73 4cc26b 5cc862 6ece57 81d34c 95d83f aadc31 c0df24
        d5e219 eae51a fde725""",
    "magma": """000004 030311 090721 120d33 1c1046 281159 35106a 430f75 50127b 5c167f 691c81 752181 822581 8f2a81 9b2e7f
        a9327d b63679 c23b75 cf406f db4769 e55063 ee5b5e f4695c f9785d fb8761 fd9668 fea571 feb47b fec287 fed194
        fde0a1 fceeb0 fcfdbf""",
    "cividis": """00204d 002559 002b68 00306f 05366e 1e3b6d 2c416c 37476b 404d6b 49526b 51586c 595e6d 60646f 676970 6e6f73
        757575 7c7b78 848179 8b8779 938e78 9b9477 a39a76 aca174 b4a871 bcaf6f c5b56b cebc67 d7c463 e0cb5d e9d357
        f2da4f fbe247 ffea46""",
}


@lru_cache(maxsize=8)
def ramp(name: str) -> NDArray[np.uint8]:
    """The map's colours (256, 3), red, green and blue 0 … 255, from the lowest level to the highest; of labels 0 … 255."""
    if name == LABELS:
        return _labels()
    if name not in _NODES:
        return np.repeat(np.arange(256, dtype=np.uint8)[:, None], 3, axis=1)
    nodes = np.array([[int(n[i : i + 2], 16) for i in (0, 2, 4)] for n in _NODES[name].split()], dtype=np.float64)
    at = np.linspace(0, len(nodes) - 1, 256)
    columns = [np.interp(at, np.arange(len(nodes)), nodes[:, c]) for c in range(3)]
    return np.rint(np.stack(columns, axis=1)).astype(np.uint8)


def shade_of(value: float | None, ends: tuple[float, float] | None) -> str:
    """The colour of a number between the smallest and the greatest; "" of none."""
    if value is None or ends is None:
        return ""
    low, high = ends
    share = (value - low) / (high - low) if high > low else 0.5
    red, green, blue = ramp(_VALUES)[round(255 * min(1.0, max(0.0, share)))]
    return f"#{red:02x}{green:02x}{blue:02x}"


def _labels() -> NDArray[np.uint8]:
    made = np.zeros((256, 3), np.uint8)
    for i in range(1, 256):
        # Hue by the golden ratio; brightness in three steps tells hues apart that come close after many labels.
        colour = colorsys.hsv_to_rgb(0.58 + i * _TURN, (0.55, 0.75, 0.65)[i % 3], (0.95, 0.80, 0.65)[(i // 3) % 3])
        made[i] = [round(255 * c) for c in colour]
    return made
