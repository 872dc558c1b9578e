"""The search page's speed: how long after a mouse move ten thousand trials are brushed, drawn and filtered in every view.

A made-up search (a true journal, its values from a formula) is opened in a real window; a brush is drawn along an axis with
real mouse events, from the first trial to nearly all. A step ends when every view that can be seen shows the same trials and
is painted; after the last one the views that are scrolled away must follow too. Given on the wall clock and in processor time
(another load on the computer changes only the first). Run it offscreen (QT_QPA_PLATFORM=offscreen) or under an X server.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
from PySide6.QtCore import QEvent, QEventLoop, QObject, QPoint, Qt, QTimer
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication

sys.path.insert(0, str(Path(__file__).parents[1] / "unit" / "results"))


def until(condition: Any, seconds: float = 120.0) -> None:
    """Run the event loop until the condition holds; SystemExit where it does not in time."""
    loop, timer, end = QEventLoop(), QTimer(), time.monotonic() + seconds
    timer.setInterval(1)
    timer.timeout.connect(lambda: loop.quit() if condition() or time.monotonic() > end else None)
    timer.start()
    loop.exec()
    if not condition():
        raise SystemExit("Waited in vain.")


class Paints(QObject):
    """Counts what is painted, to know when nothing is left to paint."""

    def __init__(self) -> None:
        super().__init__()
        app = QApplication.instance()
        assert app is not None
        app.installEventFilter(self)
        self._count = 0

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        """Count."""
        self._count += event.type() in (QEvent.Type.Paint, QEvent.Type.UpdateRequest)
        return False

    def settle(self) -> None:
        """Let the window paint until it has nothing more to paint."""
        before = -1
        while before != self._count:
            before = self._count
            QApplication.processEvents()


def lay(folder: Path, trials: int) -> Any:
    """A window with a project that holds a made-up search of so many trials; (window, the search's page)."""
    from made_search import CLASSES, EPOCHS, SPACE, made_search

    from microtome.search.recipe import dumps, parse
    from microtome.session import Session
    from microtome.store.run import RunFolder
    from microtome.ui.app import build_app, build_window

    build_app()
    window = build_window(Session())
    window.resize(1920, 1080)
    window.show()
    desk = window.desk
    desk.perform(lambda: desk.session.new_project(folder / "project"))
    classes = [{"name": name, "simulate": {"kind": "rnd", "seed": i}} for i, name in enumerate(CLASSES)]
    table = {"class": classes, "training": {"epochs": EPOCHS}, "search": {"algorithm": "random", "space": SPACE}}
    run = RunFolder.create(
        desk.session.need_project().runs_dir, name="search", info={"kind": "search"}, recipe_toml=dumps(parse(table))
    )
    with run.writer() as journal:
        for event in made_search(trials, epochs=3):
            journal.append(event)
    desk.tails.sync()
    tail = desk.tails.get(run.name)
    assert tail is not None
    until(lambda: tail.caught_up)
    return window, window.tabs.open(f"search:{run.name}")


def main() -> None:
    """Print the milliseconds of brushing."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--trials", type=int, default=10_000)
    parser.add_argument("--moves", type=int, default=40)
    given = parser.parse_args()
    folder = Path(tempfile.mkdtemp())
    os.environ["MICROTOME_HOME"] = str(folder / "home")
    window, page = lay(folder, given.trials)
    board = page.board
    until(lambda: page.sums.analysis.idle and board.redraw.idle and page.sums.space is not None)
    begun = time.thread_time()
    board._seen.clear()
    board.show_run(page.state)
    board.redraw.now()
    print(f"{given.trials} trials: all views drawn anew in {1000 * (time.thread_time() - begun):.0f} ms of processor time")
    painted = Paints()
    painted.settle()
    view = board.parallel
    frame = view.frame()
    x = round(float(frame.x[0]))
    measured: dict[str, list[float]] = {}
    QTest.mousePress(view, Qt.MouseButton.LeftButton, pos=QPoint(x, round(frame.y(0.3))))
    for i in range(given.moves):
        wall, own = time.perf_counter(), time.thread_time()
        QTest.mouseMove(view, QPoint(x, round(frame.y(0.3 + 0.65 * (i + 1) / given.moves))))
        painted.settle()
        measured.setdefault("lines brushed and painted, wall clock", []).append(time.perf_counter() - wall)
        until(lambda: not board._restricting.isActive())
        painted.settle()
        measured.setdefault("every view in sight, wall clock", []).append(time.perf_counter() - wall)
        measured.setdefault("every view in sight, processor", []).append(time.thread_time() - own)
    QTest.mouseRelease(view, Qt.MouseButton.LeftButton, pos=QPoint(x, round(frame.y(0.95))))
    late, begun = len(board._late), time.thread_time()
    until(lambda: board.settled)
    painted.settle()
    for words, seconds in measured.items():
        print(f"{words}: median {1000 * np.median(seconds):.0f} ms, worst {1000 * max(seconds):.0f} ms of {len(seconds)} steps")
    print(f"{late} views out of sight follow in {1000 * (time.thread_time() - begun):.0f} ms of processor time")
    for card in (board.stairs, board.slice, board.pareto):
        assert set(card.numbers[card.seen]) <= set(view.kept_numbers())
    assert len(board.table.shown.trials) == len(view.kept_numbers())
    print(f"{len(view.kept_numbers())} trials kept at last, the same in all views")
    window.close()


if __name__ == "__main__":
    main()
