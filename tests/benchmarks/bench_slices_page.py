"""The gallery's speed: how long after a change of the settings its new slices are on the screen, in a real window.

A project of three simulated structures (or of the volumes given as arguments, one a class) is opened; each setting is changed
as its editor does, and the time noted until the gallery has painted slices of that plan. Run it offscreen
(QT_QPA_PLATFORM=offscreen) or under an X server.
"""

from __future__ import annotations

import argparse
import os
import tempfile
import time
from pathlib import Path
from typing import Any

from PySide6.QtCore import QEventLoop, QTimer

#: Each change brings another plan: nothing that is shown was cut before.
CHANGES: tuple[tuple[str, Any], ...] = (
    *(("field_of_view", v) for v in (60.0, 48.0, 52.0, 56.0, 44.0, 40.0)),
    *(("pixels", v) for v in (32, 48, 64, 96, 128)),
    *(("orientation", v) for v in ("xy", "xz", "yz", "random")),
    *(("normalisation", v) for v in ("none", "slice", "volume-percentile", "histogram", "volume")),
    *(("train", v) for v in (200, 400, 1000)),
    *(("seed", v) for v in (1, 2)),
)


def until(condition: Any, seconds: float = 120.0) -> None:
    """Run the event loop until the condition holds; SystemExit where it does not in time."""
    loop, timer, end = QEventLoop(), QTimer(), time.monotonic() + seconds
    timer.setInterval(1)
    timer.timeout.connect(lambda: loop.quit() if condition() or time.monotonic() > end else None)
    timer.start()
    loop.exec()
    if not condition():
        raise SystemExit("Waited in vain.")


def main() -> None:
    """Print the milliseconds of each kind of change."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("volumes", nargs="*", type=Path)
    given = parser.parse_args()
    folder = Path(tempfile.mkdtemp())
    os.environ["MICROTOME_HOME"] = str(folder / "home")

    from microtome.session import Change, Session
    from microtome.ui.app import build_app, build_window
    from microtome.ui.pages.slices import SlicesPage
    from microtome.ui.projects import new_project, open_sample
    from microtome.volumes.read import describe

    build_app()
    window = build_window(Session())
    window.resize(1280, 800)
    window.show()
    desk = window.desk
    if given.volumes:
        new_project(desk, folder / "project")
        for path in given.volumes:
            desk.session.add_volume(describe(path), path.stem)
        desk.announce(Change.VOLUMES)
    else:
        open_sample(desk, folder / "project")
    desk.open_page("slices")
    page = window.tabs.current()
    assert isinstance(page, SlicesPage)

    def rest() -> None:
        until(lambda: desk.tasks.pending() == 0 and not page.waiting)

    rest()
    taken: dict[str, list[float]] = {}
    for name, value in CHANGES:
        begun = time.perf_counter()
        desk.announce(desk.session.set_value(f"slices.{name}", value))
        wanted = page.plan()
        until(lambda wanted=wanted: page.read_plan == wanted)
        page.gallery.repaint()
        taken.setdefault(name, []).append(1e3 * (time.perf_counter() - begun))
        rest()
    for name, times in taken.items():
        print(f"{name:14} {' '.join(f'{t:.0f}' for t in times)} ms")
    every = sorted(t for times in taken.values() for t in times)
    print(f"median {every[len(every) // 2]:.0f} ms, worst {every[-1]:.0f} ms of {len(every)} changes")
    window.close()


if __name__ == "__main__":
    main()
