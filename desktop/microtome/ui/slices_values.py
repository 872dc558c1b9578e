"""Random slices for the gallery where numbers are told: a row a volume, in the order and the colours of their numbers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from microtome.errors import MicrotomeError
from microtome.results.words import with_unit
from microtome.ui.colourmaps import shade_of
from microtome.ui.i18n import tr
from microtome.ui.sentences import said
from microtome.ui.slices_gallery import GalleryRead, Tile, read_gallery, reference_of, tiles_of
from microtome.ui.slices_sources import Asked, Source, Superseded, open_source, sources
from microtome.ui.views.picture import as_image, grey_levels, levels_of
from microtome.ui.views.slices.gallery import GalleryRow

_ROWS = 8  # volumes at a time


def read_rows(asked: Asked, superseded: Superseded = lambda: False) -> GalleryRead | None:
    """The rows of the gallery (in a background thread): classes, or volumes by their numbers."""
    return read_values(asked, superseded) if asked.values and not asked.has_images else read_gallery(asked, superseded)


def read_values(asked: Asked, superseded: Superseded) -> GalleryRead | None:
    """Cut slices of some volumes, spread over their numbers; one that cannot be cut, or has none, says so in its row."""
    try:
        group = [source for label in range(len(asked.classes)) for source in sources(asked, label)]
    except MicrotomeError as error:
        return GalleryRead(rows=[GalleryRow(name=name, problem=said(error)) for name, _ in asked.classes])
    reference = reference_of(asked)
    found: list[tuple[float | None, Source, list[Tile], str]] = []
    for source in spread(group, asked.seed):
        if superseded():
            return None
        found.append(_read(asked, source, reference))
    found.sort(key=lambda one: (one[0] is None, one[0] or 0.0))
    every = [tile.values for _, _, tiles, _ in found for tile in tiles]
    levels = levels_of(np.concatenate(every), 0.5, 99.5) if every else (0.0, 1.0)
    known = [v for v in (*(s.member.value for s in group), *(one[0] for one in found)) if v is not None]
    read = GalleryRead(settled=not asked.quick, ends=(min(known), max(known)) if known else None)
    for value, source, tiles, problem in found:
        read.rows.append(
            GalleryRow(
                name=with_unit(value, asked.unit),
                caption=source.name,
                images=tuple(as_image(grey_levels(tile.values, levels)) for tile in tiles),
                problem=problem,
                strips=tuple(tile.set_name for tile in tiles),
                shade=shade_of(value, read.ends),
            )
        )
        read.tiles.append([replace(tile, levels=levels, told=with_unit(value, asked.unit)) for tile in tiles])
    return read


def _read(asked: Asked, source: Source, reference: tuple[float, ...]) -> tuple[float | None, Source, list[Tile], str]:
    from microtome.slices.targets import value_of

    value: float | None = None
    try:
        value = value_of(source.member, open_source(asked.project, source))
        if value is None:
            return None, source, [], tr("It carries no number yet: enter its value in the table of volumes.")
        return value, source, tiles_of(asked, source, asked.count, reference), ""
    except MicrotomeError as error:
        return value, source, [], said(error)


def spread(group: Sequence[Source], seed: int) -> list[Source]:
    """At most eight volumes, one of each eighth of the numbers; with another seed others of it."""
    values = [s.member.value for s in group]
    order = sorted(range(len(group)), key=lambda i: (values[i] is None, values[i] or 0.0))
    rows = min(_ROWS, len(group))
    parts = [order[i * len(order) // rows : (i + 1) * len(order) // rows] for i in range(rows)]
    return [group[part[seed % len(part)]] for part in parts]
