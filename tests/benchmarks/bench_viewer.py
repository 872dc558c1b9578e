"""The viewer's smoothness: how long a turn of the wheel takes until its slice is on the screen, by events in a real window.

A stack of 2048 × 2048 slices is written, opened and memory-mapped; every slice is read once, so that the system has it cached.
A wheel event is then delivered to the view and the time noted until the view has painted that slice. The same is done for the
free plane. Run it offscreen (QT_QPA_PLATFORM=offscreen) or under an X server.
"""

from __future__ import annotations

import argparse
import os
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
from PySide6.QtCore import QElapsedTimer, QEvent, QEventLoop, QObject, QPoint, QPointF, Qt, QTimer
from PySide6.QtGui import QWheelEvent
from PySide6.QtWidgets import QApplication

EDGE, SLICES = 2048, 48


class Painted(QObject):
    """Calls back after a widget has painted."""

    def __init__(self, done: Callable[[], None]) -> None:
        super().__init__()
        self.done = done

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        """The paint event itself is delivered first by calling the widget's own handler."""
        if event.type() == QEvent.Type.Paint:
            watched.event(event)
            self.done()
            return True
        return False


def wait(condition: Callable[[], bool], seconds: float = 120.0) -> None:
    """Run the event loop until the condition holds; SystemExit where it does not in time."""
    clock, loop, timer = QElapsedTimer(), QEventLoop(), QTimer()
    clock.start()

    def look() -> None:
        # What holds once is enough: a moment later something newer may be read.
        if condition():
            loop.exit(0)
        elif clock.elapsed() > seconds * 1000:
            loop.exit(1)

    timer.setInterval(5)
    timer.timeout.connect(look)
    timer.start()
    if loop.exec():
        raise SystemExit("Waited in vain.")


def write(path: Path, dtype: str) -> None:
    """A textured stack: noise over a few large waves."""
    import tifffile

    rng = np.random.default_rng(0)
    noise = rng.integers(0, 60, (EDGE, EDGE), dtype=np.uint8)
    wave = (90 + 60 * np.sin(np.arange(EDGE) / 90.0)).astype(np.uint8)
    scale = {"uint8": 1, "uint16": 200, "float32": 0.01}[dtype]
    with tifffile.TiffWriter(path, bigtiff=True) as file:
        pages = ((np.roll(noise, 7 * z, 0) + wave[None] * ((z % 5) / 5)) * scale for z in range(SLICES))
        file.write((p.astype(dtype) for p in pages), shape=(SLICES, EDGE, EDGE), dtype=dtype, contiguous=True)


def turn(view: QObject, n: int) -> None:
    """Send a wheel event through the application, as the window system would."""
    at = QPointF(view.rect().center())  # type: ignore[attr-defined]
    event = QWheelEvent(
        *(at, view.mapToGlobal(at), QPoint(), QPoint(0, 120 * n), Qt.MouseButton.NoButton),  # type: ignore[attr-defined]
        *(Qt.KeyboardModifier.NoModifier, Qt.ScrollPhase.NoScrollPhase, False),
    )
    QApplication.sendEvent(view, event)


def steps(view: object, ready: Callable[[int], bool], count: int) -> list[float]:
    """Seconds from the wheel to the paint, for so many steps to and fro."""
    times: list[float] = []
    for i in range(count):
        loop, began = QEventLoop(), time.perf_counter()
        way = 1 if (i // (SLICES // 2 - 2)) % 2 == 0 else -1

        def painted(i: int = i, began: float = began, loop: QEventLoop = loop) -> None:
            if ready(i):
                times.append(time.perf_counter() - began)
                loop.quit()

        watcher = Painted(painted)
        view.installEventFilter(watcher)  # type: ignore[attr-defined]
        turn(view, way)  # type: ignore[arg-type]
        QTimer.singleShot(5000, loop.quit)
        loop.exec()
        view.removeEventFilter(watcher)  # type: ignore[attr-defined]
    return times


def report(words: str, times: list[float]) -> None:
    """Print the figures."""
    ms = 1000 * np.array(times)
    print(
        f"{words:<28} {len(ms)} steps: median {np.median(ms):.1f}, p90 {np.percentile(ms, 90):.1f}, "
        f"p99 {np.percentile(ms, 99):.1f}, maximum {ms.max():.1f} ms; over 33 ms: {(ms > 33).sum()}",
        flush=True,
    )


def main(home: str, size: str, count: int, dtypes: list[str]) -> None:
    """Measure one plane, three planes and the free plane of a stack of each dtype."""
    os.environ["MICROTOME_HOME"] = home
    from microtome.session import Session
    from microtome.ui.app import build_app, build_window
    from microtome.volumes.read import describe

    build_app()
    session = Session()
    window = build_window(session)
    window.resize(*(int(n) for n in size.split("x")))
    window.show()
    desk = window.desk
    desk.perform(lambda: session.new_project(Path(home) / "project"))
    for dtype in dtypes:
        path = Path(home) / f"{dtype}.tif"
        write(path, dtype)
        desk.perform(lambda path=path: session.add_volume(describe(path), "a"))  # type: ignore[misc]
    desk.open_page("volumes")
    page = window.tabs.current()
    viewer = page.viewer  # type: ignore[union-attr]
    print(f"{QApplication.platformName()}, window {size}, view {viewer.view.width()} × {viewer.view.height()} pixels")
    for entry in session.need_project().volumes:
        viewer.head.choose(mode="one", plane="xy")
        viewer.wiring.choose()
        desk.select(f"volume:{entry.id}")
        wait(lambda: desk.tasks.pending() == 0 and viewer.facts is not None and viewer.view.picture is not None)
        for z in range(SLICES):
            viewer.go((z, EDGE // 2, EDGE // 2))
            wait(lambda z=z: viewer.reads["xy"].index == z)  # type: ignore[misc]
        viewer.go((2, EDGE // 2, EDGE // 2))
        wait(lambda: desk.tasks.pending() == 0)
        for mode, words in (("one", "one plane"), ("three", "three planes")):
            viewer.head.choose(mode=mode, plane="xy")
            viewer.wiring.choose()
            wait(lambda: desk.tasks.pending() == 0)
            view = viewer.planes.views["xy"]
            report(f"{entry.dtype}, {words}", steps(view, lambda _: viewer.reads["xy"].index == viewer.place[0], count))
        viewer.head.choose(mode="oblique")
        viewer.wiring.choose()
        wait(lambda: desk.tasks.pending() == 0 and viewer.cut is not None)
        moved = lambda _: viewer.cut is not None and viewer.cut.pose == viewer.pose  # noqa: E731
        report(f"{entry.dtype}, free plane", steps(viewer.oblique, moved, count))
        wait(lambda: desk.tasks.pending() == 0)
    window.close()


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--size", default="1920x1080")
    parser.add_argument("--steps", type=int, default=200)
    parser.add_argument("--dtypes", default="uint8,uint16,float32")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        main(folder, options.size, options.steps, options.dtypes.split(","))
