"""Smoothness: gaps of the window's event loop while a training, and then a search with two workers, run at full speed.

A timer of two milliseconds notes when it is served; a gap is the time between two services, which is what a click at that
moment would wait at most. The run's page is in front, and small networks on few images make epochs come in quick succession.
`--where` also prints what the window was doing in its longest gaps.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
import threading
import time
import traceback
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import numpy as np
from PySide6.QtCore import QElapsedTimer, QEventLoop, Qt, QTimer

TICK_MS = 2
LATE = 0.05  # seconds; longer gaps are looked into
SETTINGS: dict[str, object] = {
    "slices.field_of_view": 64.0,
    "slices.pixels": 48,
    "slices.train": 100,
    "slices.validation": 50,
    "network.width": 8,
    "network.dense_width": 128,
    "training.epochs": 10_000,
}


class Gaps:
    """Notes when a fast timer was served."""

    def __init__(self, where: bool) -> None:
        self.times: list[float] = []
        self.busy = 0.0  # seconds of a core that the window needed, a second
        self.places: Counter[str] = Counter()
        self._timer = QTimer()
        self._timer.setTimerType(Qt.TimerType.PreciseTimer)
        self._timer.setInterval(TICK_MS)
        self._timer.timeout.connect(lambda: self.times.append(time.perf_counter()))
        self._main = threading.get_ident()
        self._over = threading.Event()
        self._watcher = threading.Thread(target=self._watch, daemon=True) if where else None

    def measure(self, seconds: float) -> None:
        """Run the event loop for that long."""
        self._timer.start()
        if self._watcher is not None:
            self._watcher.start()
        loop = QEventLoop()
        QTimer.singleShot(round(seconds * 1000), loop.quit)
        worked, begun = time.process_time(), time.perf_counter()
        loop.exec()
        self.busy = (time.process_time() - worked) / (time.perf_counter() - begun)
        self._timer.stop()
        self._over.set()

    def _watch(self) -> None:
        while not self._over.wait(0.01):
            if self.times and time.perf_counter() - self.times[-1] > LATE:
                frame = sys._current_frames()[self._main]
                lines = [f"{Path(f.filename).name}:{f.lineno} {f.name}" for f in traceback.extract_stack(frame)[-5:]]
                self.places[" > ".join(lines)] += 1

    def report(self, words: str) -> None:
        """Print the figures."""
        gaps = np.diff(self.times) * 1000
        # A click falls into a long gap more often than into a short one: the share of time tells more than the share of gaps.
        order = np.sort(gaps)
        by_time = order[np.searchsorted(np.cumsum(order), 0.99 * order.sum())]
        print(
            f"{words:<10} {len(gaps)} gaps in {gaps.sum() / 1000:.0f} s: median {np.median(gaps):.1f}, "
            f"p99 {np.percentile(gaps, 99):.1f}, p99 by time {by_time:.1f}, maximum {gaps.max():.1f} ms; "
            f"over 33 ms: {(gaps > 33).sum()}, over 150 ms: {(gaps > 150).sum()}; "
            f"the window needs {100 * self.busy:.1f} % of a core",
            flush=True,
        )
        for place, count in self.places.most_common(5):
            print(f"    {count * 10} ms in {place}")


def wait(condition: Callable[[], bool], seconds: float, what: str) -> None:
    """Run the event loop until the condition holds; SystemExit where it does not in time."""
    clock, loop, timer = QElapsedTimer(), QEventLoop(), QTimer()
    clock.start()
    timer.setInterval(50)
    timer.timeout.connect(lambda: loop.quit() if condition() or clock.elapsed() > seconds * 1000 else None)
    timer.start()
    loop.exec()
    if not condition():
        raise SystemExit(f"Waited {seconds:.0f} s for {what}, in vain.")


def main(seconds: float, where: bool, home: str) -> None:
    """Measure a window at rest, beside a training, and beside a search."""
    os.environ["MICROTOME_HOME"] = home
    from microtome.session import Change, Session
    from microtome.ui.app import build_app, build_window
    from microtome.ui.projects import open_sample

    build_app()
    session = Session()
    window = build_window(session)
    window.resize(1920, 1080)
    window.show()
    desk = window.desk
    open_sample(desk, Path(home) / "project")
    for name, value in SETTINGS.items():
        session.set_value(name, value)
    wait(lambda: desk.tasks.pending() == 0, 120, "the window to be at rest")

    def measured(words: str, page: str, search: bool) -> None:
        run = session.start(search=search, name=words)
        desk.announce(Change.RUNS)
        desk.open_page(f"{page}:{run.name}")
        wait(lambda: started(run.name), 300, f"the {words} to train")
        gaps = Gaps(where)
        gaps.measure(seconds)
        gaps.report(words)
        # What plotting costs is what the window needs beyond following the run behind another page.
        desk.open_page("start")
        behind = Gaps(where=False)
        behind.measure(min(seconds, 10))
        behind.report("behind")
        session.order(run, "abort")
        wait(lambda: not session.driving(run), 60, f"the {words} to end")

    def started(name: str) -> bool:
        tail = desk.tails.get(name)
        return tail is not None and any(t.epochs for t in tail.state.trials.values())

    rest = Gaps(where)
    rest.measure(min(seconds, 10))
    rest.report("at rest")
    measured("training", "run", search=False)
    session.set_value("training.epochs", 4)
    session.set_value("search.budget", 10_000)
    session.set_value("search.workers", 2)
    session.set_value("search.algorithm", "two-points-de")
    for name in ("training.learning_rate", "network.dropout", "network.activation"):
        session.set_axis(name, session.default_axis(name))
    session.set_axis("network.convolutions", {"low": 2, "high": 4})
    measured("search", "search", search=True)
    window.close()


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--where", action="store_true")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        main(options.seconds, options.where, folder)
