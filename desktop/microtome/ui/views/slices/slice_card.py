"""One slice, large: to scale, with its pose, its place in the volume, and ways to save it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
from PySide6.QtCore import Qt
from PySide6.QtGui import QGuiApplication, QKeyEvent
from PySide6.QtWidgets import QDialog, QFileDialog, QWidget

from microtome.ui.desk import Desk
from microtome.ui.i18n import tr
from microtome.ui.numbers import length, number, unit_word
from microtome.ui.slices_gallery import Tile
from microtome.ui.slices_space import tile_scene
from microtome.ui.theme import GRID
from microtome.ui.views.picture import Contrast, Picture, as_image, grey_levels
from microtome.ui.views.slices.gallery import set_colour, set_words
from microtome.ui.views.space.canvas import SpaceCanvas
from microtome.ui.views.viewer.slice_export import Exported, save_png, save_tiff, screenshot
from microtome.ui.views.viewer.slice_view import SliceView
from microtome.ui.widgets import button, clear, column, facts, holding, label, row, tool


class SliceCard(QDialog):
    """Shows a tile of the gallery; the space bar and a button go on to the next."""

    def __init__(self, desk: Desk, parent: QWidget) -> None:
        super().__init__(parent)
        self._desk = desk
        self.tile: Tile | None = None
        self._tiles: dict[tuple[int, int], Tile] = {}
        self._at = (0, 0)
        self.setWindowTitle(tr("Slice"))
        self.resize(900, 560)
        self.view = SliceView()
        self.view.setAccessibleName(tr("Slice"))
        self.view.setMinimumSize(320, 320)
        self.space = SpaceCanvas(desk)
        self.space.setAccessibleName(tr("Place in the volume"))
        self.space.setMinimumSize(260, 220)
        self.heading = label("", "heading", wrap=True)
        self._facts = column()
        side = column(self.heading, self._facts, self.space, gap=GRID)
        side.setStretch(2, 1)
        held = holding(side)
        held.setFixedWidth(320)
        before = tool("chevron-right", tr("Next slice"), lambda: self.step(1))
        copy = tool("copy", tr("Copy picture"), self.copy)
        png = button(tr("Save as PNG…"), lambda: self._ask(".png"), kind="small")
        tiff = button(tr("Save as TIFF…"), lambda: self._ask(".tif"), kind="small")
        tiff.setToolTip(tr("The values that the network sees, with the pixel size and the pose"))
        left = column(self.view, row(copy, png, tiff, None, before), gap=GRID)
        left.setStretch(0, 1)
        whole = row(holding(left), held, margin=2 * GRID, gap=2 * GRID)
        whole.setStretch(0, 1)
        self.setLayout(whole)

    def show_tiles(self, rows: list[list[Tile]], at: tuple[int, int] | None = None) -> None:
        """Take other tiles, by row, and show one of them; None: the one in the place of the present one."""
        self._tiles = {(r, i): tile for r, tiles in enumerate(rows) for i, tile in enumerate(tiles)}
        self._at = at or self._at
        if self._tiles:
            self._at = self._at if self._at in self._tiles else next(iter(self._tiles))
            self._show(self._tiles[self._at])

    def step(self, steps: int) -> None:
        """Go on, or back, by so many tiles; behind the last comes the first."""
        places = list(self._tiles)
        if places:
            self._at = places[(places.index(self._at) + steps) % len(places)]
            self._show(self._tiles[self._at])

    def _show(self, tile: Tile) -> None:
        self.tile = tile
        contrast = Contrast(*tile.levels)
        picture = Picture.of(tile.brightness, contrast, pixel=(tile.pixel, tile.pixel), unit=tile.unit)
        if tile.values.ndim == 3:
            picture = replace(picture, image=as_image(grey_levels(tile.values, tile.levels)))
        self.view.show_picture(picture)
        self.view.fit()
        self.heading.setText(f"{tile.told or tile.class_name} · {set_words(tile.set_name)}")
        self.heading.setStyleSheet(f"border-left: 4px solid {set_colour(tile.set_name)}; padding-left: 8px;")
        clear(self._facts)
        self._facts.addWidget(facts(self._pairs(tile)))
        self.space.show_scene(tile_scene(tile, set_colour(tile.set_name)))

    @staticmethod
    def _pairs(tile: Tile) -> list[tuple[str, str]]:
        unit = unit_word(tile.box_unit)
        place = (tile.centre + 0.5) * tile.voxel
        normal = np.cross(tile.axes[0], tile.axes[1])
        tilt = float(np.degrees(np.arccos(min(1.0, abs(float(normal[0]))))))
        edge = tile.values.shape[-1]
        return [
            (tr("Volume"), tile.source.name),
            (tr("Centre"), f"{' · '.join(f'{a} {number(v, 5)}' for a, v in zip('zyx', place, strict=True))} {unit}"),
            (tr("Normal"), " · ".join(f"{a} {v:.3f}" for a, v in zip("zyx", normal, strict=True))),
            (tr("Tilt"), tr("{n}° from the xy plane", n=f"{tilt:.1f}")),
            (tr("Field of view"), length(tile.pixel * edge, tile.unit)),
            (tr("A pixel is"), f"{length(tile.pixel, tile.unit)} ({edge} × {edge})"),
            (tr("Grey values"), f"{tile.values.mean():.3g} ± {tile.values.std():.3g}"),
        ]

    def copy(self) -> None:
        """Put the picture with its scale bar on the clipboard."""
        QGuiApplication.clipboard().setImage(screenshot(self.view))

    def _ask(self, suffix: str) -> None:
        if self.tile is None:
            return
        name = f"{Path(self.tile.source.name).stem}-{self.tile.set_name}{suffix}"
        chosen, _ = QFileDialog.getSaveFileName(self, tr("Save as"), name, f"{suffix[1:].upper()} (*{suffix})")
        if chosen:
            self.save(Path(chosen) if Path(chosen).suffix else Path(chosen + suffix))

    def save(self, path: Path) -> None:
        """Save as PNG with a scale bar, or as TIFF with the values, the pixel size and the pose."""
        tile = self.tile
        assert tile is not None

        def work() -> bool:
            if path.suffix.lower() == ".png":
                save_png(screenshot(self.view), path)
            else:
                save_tiff(exported(tile), path)
            return True

        if self._desk.perform(work):
            self._desk.say(tr("Saved {path}", path=path), level="good")

    def keyPressEvent(self, event: QKeyEvent) -> None:
        """Space and Backspace go from slice to slice."""
        if event.key() == Qt.Key.Key_Space:
            self.step(1)
        elif event.key() == Qt.Key.Key_Backspace:
            self.step(-1)
        else:
            super().keyPressEvent(event)


def exported(tile: Tile) -> Exported:
    """A slice to be saved: its values, and its pose in words."""
    words = {"source": tile.source.name, "class": tile.class_name, "set": tile.set_name, "vectors": "z y x"}
    words |= {"value": tile.told} if tile.told else {}
    words["centre"] = f"{' '.join(f'{v:.8g}' for v in (tile.centre + 0.5) * tile.voxel)} {tile.box_unit}"
    words |= {n: " ".join(f"{v:.8g}" for v in a) for n, a in zip(("down", "right"), tile.axes, strict=True)}
    return Exported(tile.brightness, (tile.pixel, tile.pixel), tile.unit, words)
