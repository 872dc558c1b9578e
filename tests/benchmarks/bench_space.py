"""The 3-D view: from a particle file to the first picture, and milliseconds a frame while it turns, with both painters.

python -m tests.benchmarks.bench_space [particles …]
"""

from __future__ import annotations

import os
import statistics
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

COUNTS = (79_596, 200_000)
SIZE = (800, 600)
DIAMETER, FRACTION = 20.0, 0.2
FRAMES = 20


def write_particles(path: Path, count: int) -> None:
    """An extended XYZ file of spheres at random places in a periodic box."""
    rng = np.random.default_rng(0)
    edge = (count * np.pi / 6 * DIAMETER**3 / FRACTION) ** (1 / 3)
    rows = np.column_stack([rng.uniform(0, edge, (count, 3)), rng.lognormal(np.log(DIAMETER / 2), 0.2, count)])
    lattice = f"{edge} 0 0 0 {edge} 0 0 0 {edge}"
    head = f'{count}\nLattice="{lattice}" Properties=species:S:1:pos:R:3:radius:R:1 pbc="T T T"\n'
    with path.open("w", encoding="utf-8") as file:
        file.write(head)
        np.savetxt(file, rows, fmt="C %.4f %.4f %.4f %.4f")


def main(counts: tuple[int, ...] = COUNTS) -> None:
    """Measure and print a table."""
    if not os.environ.get("DISPLAY"):
        os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")
    from PySide6.QtWidgets import QApplication

    from microtome.ui import theme
    from microtome.ui.views.space.camera import Camera
    from microtome.ui.views.space.frame import Frame, PainterLostError
    from microtome.ui.views.space.gl import GlPainter
    from microtome.ui.views.space.load import scene_of
    from microtome.ui.views.space.overlay import look_of
    from microtome.ui.views.space.painter import Painter, PlainPainter
    from microtome.volumes.read import open_volume

    application = QApplication.instance() or QApplication([])
    painters: list[Painter] = [PlainPainter()]
    try:
        card = GlPainter(software=True)
        painters.append(card)
        print(f"OpenGL: {card.renderer}")
    except PainterLostError as error:
        print(f"OpenGL: {error}")
    look = look_of(theme.load("light"))
    print(f"{'particles':>10}{'painter':>9}{'open s':>9}{'first ms':>10}{'turning ms':>12}{'fine ms':>9}")
    with tempfile.TemporaryDirectory() as folder:
        for count in counts:
            path = Path(folder) / f"{count}.xyz"
            write_particles(path, count)
            for painter in painters:
                start = time.perf_counter()
                scene = scene_of(open_volume(path, unit="nm"))
                opened = time.perf_counter() - start
                camera = Camera.fitted(scene.box)
                start = time.perf_counter()
                painter.image(Frame(scene, camera, *SIZE, look, False))
                first = time.perf_counter() - start
                times = {}
                for fine, frames in ((False, FRAMES), (True, FRAMES // 4)):
                    took = []
                    for k in range(frames):
                        start = time.perf_counter()
                        painter.image(Frame(scene, camera.orbited(4.0 * k, 0.0), *SIZE, look, fine))
                        took.append(time.perf_counter() - start)
                    times[fine] = 1000 * statistics.median(took)
                print(
                    f"{count:>10}{painter.name:>9}{opened:>9.2f}{1000 * first:>10.0f}{times[False]:>12.1f}{times[True]:>9.0f}"
                )
    for painter in painters:
        painter.close()
    application.quit()


if __name__ == "__main__":
    main(tuple(int(a) for a in sys.argv[1:]) or COUNTS)
