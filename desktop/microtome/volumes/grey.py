"""One grey value a pixel, from samples that were stored as colour, inverted or through a palette."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

LUMINANCE = np.array([0.2126, 0.7152, 0.0722])
"""What red, green and blue count in the brightness (ITU-R BT.709)."""


@dataclass(frozen=True, kw_only=True)
class GreyRule:
    """How stored samples become grey: number of samples, how many are colours, inversion, palette."""

    samples: int = 1
    colours: int = 1
    planar: bool = False
    pick: int = 0  # which sample is the grey value, where they are no colours
    invert: int | None = None  # grey = invert − value
    table: NDArray[Any] | None = None  # a palette whose colours are all grey
    findings: tuple[str, ...] = ()

    @classmethod
    def make(
        cls,
        *,
        samples: int,
        colours: int,
        planar: bool = False,
        invert: int | None = None,
        table: NDArray[Any] | None = None,
        pick: int | None = None,
    ) -> GreyRule:
        """A rule; a palette of true colours is not applied, since its indices (labels, mostly) are the data.

        `pick` was chosen among samples that are channels; where it is None, what follows the grey or the colours is dropped.
        """
        findings: list[str] = []
        grey = None
        if table is not None:
            if bool((table[0] == table[1]).all() and (table[0] == table[2]).all()):
                grey = (table[0] >> 8).astype(np.uint8) if table.dtype.itemsize > 1 else table[0]
            else:
                findings.append("It is stored with a colour table; the numbers behind the colours were taken.")
        if pick is None and samples in (2, 4):
            findings.append("Its transparency was dropped.")
        elif pick is None and samples > 4:
            findings.append(f"The {samples - colours} samples behind its colours were dropped.")
        return cls(
            samples=samples,
            colours=colours,
            planar=planar,
            pick=pick or 0,
            invert=invert,
            table=grey,
            findings=tuple(findings),
        )

    @property
    def colour(self) -> bool:
        """Whether three colours have to be made one grey."""
        return self.colours == 3

    @property
    def plain(self) -> bool:
        """Whether the stored numbers are the grey values as they are."""
        return self.samples == 1 and self.invert is None and self.table is None


def _split(page: NDArray[Any], rule: GreyRule) -> NDArray[Any]:
    """The samples in front: (s, y, x)."""
    return page if rule.planar else np.moveaxis(page, -1, 0)


BRIGHTNESS_TAKEN = "It is a colour image; its brightness (BT.709) was taken as the grey value."
"""What is said of a volume that is stored in colour; single images may be taken in their colours."""


def colour_words(page: NDArray[Any], rule: GreyRule) -> str:
    """What is said of a colour image, by its first page."""
    red, green, blue = _split(page, rule)[:3]
    if np.array_equal(red, green) and np.array_equal(red, blue):
        return "Its grey values are stored as colour; one of the equal channels was taken."
    return BRIGHTNESS_TAKEN


def to_grey(page: NDArray[Any], rule: GreyRule) -> NDArray[Any]:
    """Grey (y, x) of one page in its own dtype; 1-bit becomes 0 and 1 as uint8."""
    if rule.samples > 1:
        samples = _split(page, rule)
        page = _brightness(samples[:3]) if rule.colour else samples[rule.pick]
    if page.dtype == bool:
        page = page.astype(np.uint8)
    if rule.table is not None:
        page = rule.table[page]
    if rule.invert is not None:
        page = (rule.invert - page).astype(page.dtype)
    return page if page.dtype.isnative else page.astype(page.dtype.newbyteorder("="))


def _brightness(colours: NDArray[Any]) -> NDArray[Any]:
    red, green, blue = colours
    if np.array_equal(red, green) and np.array_equal(red, blue):
        return np.asarray(red)
    mixed = np.tensordot(LUMINANCE, colours.astype(np.float64), axes=1)
    if colours.dtype.kind != "f":
        mixed = np.rint(mixed)
    return mixed.astype(colours.dtype)
