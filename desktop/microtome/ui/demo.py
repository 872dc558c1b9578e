"""The demo: the whole main job on simulated structures through the real window, clicked as a user would, with screenshots."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable
from pathlib import Path

from PySide6.QtCore import QElapsedTimer, QEvent, QEventLoop, Qt, QTimer
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QAbstractButton, QApplication

from microtome.errors import FileError, MicrotomeError
from microtome.results.report import write_report
from microtome.results.words import duration
from microtome.search.driver import summary
from microtome.session import Session
from microtome.store.atomic import explain
from microtome.terminal import Progress, finished
from microtome.ui import theme
from microtome.ui.app import build_app, build_window
from microtome.ui.i18n import tr
from microtome.ui.menus import set_theme
from microtome.ui.pages.base import Page
from microtome.ui.projects import open_sample
from microtome.ui.qt_log import log_qt
from microtome.ui.tail import RunTail

SIZES = ((1280, 800), (1920, 1080))
THEMES = ("light", "dark")
#: Small enough for eight minutes on two cores, large enough to learn something.
SETTINGS = {
    "slices.field_of_view": 64.0,
    "slices.pixels": 48,
    "slices.train": 400,
    "slices.validation": 100,
    "slices.evaluation": 150,
    "network.width": 16,
    "network.dense_width": 256,
    "training.epochs": 12,
    "training.learning_rate": 2e-3,
    "search.algorithm": "two-points-de",
    "search.budget": 8,
    "search.workers": 2,
}
AXES = ("training.learning_rate", "network.convolutions", "network.activation", "network.dropout")
_STEPS = 8
_WAIT_MS = 20


class Tour:
    """A user at the window: opens pages, presses buttons, waits for what the window shows, takes screenshots."""

    def __init__(self, out: Path, progress: Progress) -> None:
        self.out = out
        self.app = build_app()
        theme.apply(self.app, "light")
        self.session = Session()
        self.window = build_window(self.session)
        self.desk = self.window.desk
        self._progress = progress
        self._step = 0
        self._problems = len(self.desk.messages)

    def step(self, words: str) -> None:
        """Say where the demo is."""
        self._progress.phase(words, self._step, _STEPS)
        self._step += 1

    def settle(self, milliseconds: int = 300) -> None:
        """Let the window draw and its background reading land."""
        while True:
            self.until(lambda: self.desk.tasks.pending() == 0, "background reading", 180)
            loop = QEventLoop()
            QTimer.singleShot(milliseconds, loop.quit)
            loop.exec()
            if self.desk.tasks.pending() == 0:  # what landed may have asked for more
                return

    def until(self, condition: Callable[[], bool], what: str, seconds: float) -> None:
        """Run the window until the condition holds; FileError after `seconds` or when the window reports an error."""
        clock = QElapsedTimer()
        clock.start()
        loop = QEventLoop()
        timer = QTimer()
        timer.setInterval(_WAIT_MS)
        held = condition()  # remembered: it may hold for a moment only

        def look() -> None:
            nonlocal held
            held = condition()
            if held or clock.elapsed() > seconds * 1000:
                loop.quit()

        timer.timeout.connect(look)
        if held:
            return
        timer.start()
        loop.exec()
        timer.stop()
        errors = [m for m in self.desk.messages[self._problems :] if m.level == "error"]
        if errors:
            raise FileError(errors[0].text, errors[0].hint)
        if not held:
            raise MicrotomeError(f"The demo waited {duration(seconds)} for {what}, in vain.", "Try again on a machine at rest.")

    def press(self, words: str) -> None:
        """Click the button with these words, wherever it is on the page in front."""
        page = self.window.tabs.currentWidget()
        assert isinstance(page, Page)
        for made in page.findChildren(QAbstractButton):
            if made.text().replace("&", "") == words and made.isVisible() and made.isEnabled():
                QTest.mouseClick(made, Qt.MouseButton.LeftButton)
                return
        raise AssertionError(f"there is no button “{words}” on {page.title()}")

    def shoot(self, name: str) -> None:
        """Save the window in every size and theme."""
        folder = self.out / "screenshots"
        for mode in THEMES:
            set_theme(self.window, mode)
            for width, height in SIZES:
                self.window.resize(width, height)
                self.settle()
                picture = self.window.grab().toImage()
                path = folder / f"{name}-{mode}-{width}x{height}.png"
                if not picture.save(str(path)):
                    raise FileError(f"Could not write {path}.", "Choose another folder with --out.")
        set_theme(self.window, THEMES[0])
        self.window.resize(*SIZES[0])
        self.settle(50)

    def run(self, prefix: str, page: str, words: str, shots: Callable[[RunTail], None]) -> RunTail:
        """Press Start on a set-up page, watch the run that opens, return it when it has ended."""
        self.desk.open_page(page)
        self.settle()
        self.shoot(f"{prefix}-setup")
        before = {tail.run.name for tail in self.desk.tails.all()}
        self.press(words)
        self.until(lambda: len(self.desk.tails.all()) > len(before), "the run to start", 60)
        tail = next(t for t in self.desk.tails.all() if t.run.name not in before)
        shots(tail)
        self.until(lambda: tail.state.finished and tail.caught_up, f"the {prefix} to end", 600)
        if tail.state.state != "done":
            raise MicrotomeError(f"The {prefix} of the demo ended as {tail.state.state}: {tail.state.message}")
        self.settle()
        return tail


def run_demo(out: Path, *, as_json: bool) -> int:
    """Make a project, a report and screenshots in `out`; returns the exit code."""
    begun = time.monotonic()
    try:
        (out / "screenshots").mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise explain(error, out, "make the folder") from error
    # The demo leaves no trace in the user's settings.
    os.environ["MICROTOME_HOME"] = str((out / "home").resolve())
    progress = Progress(as_json=as_json)
    tour = Tour(out, progress)
    log_qt()
    tour.window.resize(*SIZES[0])
    tour.window.show()
    data = _job(tour, _free(out / "project"))
    tour.window.close()
    QApplication.sendPostedEvents(None, QEvent.Type.DeferredDelete)
    progress.close()
    seconds = time.monotonic() - begun
    data["seconds"] = round(seconds, 1)
    sentence = (
        f"Project {data['project']}, report {data['report']}, screenshots in {out / 'screenshots'}, "
        f"after {duration(seconds)}. Open it with: microtome {data['project']}"
    )
    finished(data, as_json=as_json, sentence=sentence)
    return 0


def _free(path: Path) -> Path:
    """A project folder of its own for every demo: what an earlier one made is never touched."""
    number = 1
    found = path
    while found.exists():
        number += 1
        found = path.with_name(f"{path.name}-{number}")
    return found


def _job(tour: Tour, project: Path) -> dict[str, object]:
    session, desk = tour.session, tour.desk
    tour.step("the start page")
    tour.shoot("start")
    tour.step("simulating volumes")
    open_sample(desk, project)
    for name, value in SETTINGS.items():
        desk.perform(lambda n=name, v=value: session.set_value(n, v))  # type: ignore[misc]
    desk.open_page("volumes")
    desk.select(f"volume:{session.need_project().volumes[0].id}")
    tour.shoot("volumes")
    tour.step("looking at slices")
    desk.open_page("slices")
    tour.shoot("slices")
    tour.step("training")

    def while_training(tail: RunTail) -> None:
        tour.until(lambda: bool(tail.state.trials) and len(tail.state.trials[1].epochs) >= 3, "three epochs", 300)
        tour.shoot("training")

    training = tour.run("train", "train", tr("Start training"), while_training)
    tour.shoot("training-done")
    tour.step("searching")
    for name in AXES:
        desk.perform(lambda n=name: session.set_axis(n, session.default_axis(n)))  # type: ignore[misc]
    desk.perform(lambda: session.set_axis("network.convolutions", {"low": 2, "high": 4}))
    desk.perform(lambda: session.set_value("training.epochs", 6))

    def while_searching(tail: RunTail) -> None:
        tour.until(lambda: len(tail.state.ended_trials()) >= 4, "four trials", 400)
        tour.shoot("search")

    search = tour.run("search", "optimise", tr("Start search"), while_searching)
    tour.shoot("search-done")
    tour.step("evaluating")
    desk.open_page(f"evaluation:{training.run.name}")
    tour.shoot("evaluation")
    tour.step("writing the report")
    report = tour.out / "report.html"
    write_report(project, report)
    return {
        "project": str(project),
        "report": str(report),
        "screenshots": sorted(str(p) for p in (tour.out / "screenshots").glob("*.png")),
        "training": summary(training.run),
        "search": summary(search.run),
        "python": sys.version.split()[0],
    }
