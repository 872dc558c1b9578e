"""A worker process for sums that take seconds and heavy libraries: kept while a page is open, one question at a time."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from PySide6.QtCore import QObject, QTimer

from microtome.errors import MicrotomeError
from microtome.jobs.local import LocalRunner
from microtome.jobs.runner import Crashed, Done, Ended, Failed, Report, Task

_POLL_MS = 60


@dataclass
class _Question:
    """One call: what to do with its result, its progress, its failure."""

    number: int
    slot: str
    function: str
    arguments: dict[str, Any]
    done: Callable[[Any], None]
    progress: Callable[[float], None]
    failed: Callable[[str], None]
    dropped: bool = field(default=False)


class _Process:
    """The worker process and its log, outside the window's objects, so that it can be ended after them."""

    def __init__(self) -> None:
        self.runner: LocalRunner | None = None
        self._logs: tempfile.TemporaryDirectory[str] | None = None

    def start(self) -> LocalRunner:
        """The process, begun where there is none."""
        if self.runner is None:
            self._logs = tempfile.TemporaryDirectory(prefix="microtome-analysis-")
            self.runner = LocalRunner(1, logs=Path(self._logs.name))
        return self.runner

    def close(self) -> None:
        """End it."""
        if self.runner is not None:
            self.runner.close()
            self.runner = None
        if self._logs is not None:
            self._logs.cleanup()
            self._logs = None


class Analysis(QObject):
    """Asks functions "module:function" that take `report` and `should_stop`; results land in the window's thread.

    A newer question of the same slot replaces an older one that waits or runs. The process starts with the first question
    and ends with `close`, or with the page.
    """

    def __init__(self, parent: QObject) -> None:
        super().__init__(parent)
        process = self._process = _Process()
        # Not a method of this object: it is gone by then.
        self.destroyed.connect(lambda: process.close())
        self._waiting: list[_Question] = []
        self._now: _Question | None = None
        self._count = 0
        self._timer = QTimer(self)
        self._timer.setInterval(_POLL_MS)
        self._timer.timeout.connect(self._poll)

    def ask(
        self,
        slot: str,
        function: str,
        arguments: dict[str, Any],
        done: Callable[[Any], None],
        *,
        progress: Callable[[float], None] = lambda share: None,
        failed: Callable[[str], None] = lambda words: None,
    ) -> None:
        """Call the function in the process; `done(result)`, or `failed(words)` where it raised or died."""
        self.cancel(slot)
        self._count += 1
        self._waiting.append(_Question(self._count, slot, function, arguments, done, progress, failed))
        self._timer.start()
        self._next()

    def cancel(self, slot: str) -> None:
        """Forget a question; one that runs is asked to stop, its result will not land."""
        self._waiting = [q for q in self._waiting if q.slot != slot]
        if self._now is not None and self._now.slot == slot:
            self._now.dropped = True
            self._process.start().cancel(self._now.number, "kill")

    def busy(self, slot: str) -> bool:
        """Whether a question of that slot waits or runs."""
        running = self._now is not None and self._now.slot == slot and not self._now.dropped
        return running or any(q.slot == slot for q in self._waiting)

    @property
    def idle(self) -> bool:
        """True while there is no question."""
        return self._now is None and not self._waiting

    def close(self) -> None:
        """End the process and forget every question."""
        self._timer.stop()
        self._waiting, self._now = [], None
        self._process.close()

    def _next(self) -> None:
        if self._now is not None or not self._waiting:
            return
        runner = self._process.start()
        if runner.idle:
            self._now = self._waiting.pop(0)
            runner.submit(Task(id=self._now.number, function=self._now.function, arguments=self._now.arguments))

    def _poll(self) -> None:
        try:
            messages = self._process.start().poll(0.0)
        except MicrotomeError as error:  # no process can be started
            questions = [*([self._now] if self._now is not None else []), *self._waiting]
            self.close()
            for question in questions:
                question.failed(str(error))
            return
        for message in messages:
            match message:
                case Report(event=float() as share) if self._now is not None and not self._now.dropped:
                    self._now.progress(share)
                case Ended(outcome=outcome):
                    self._landed(outcome)
        self._next()
        if self.idle:
            self._timer.stop()

    def _landed(self, outcome: object) -> None:
        question, self._now = self._now, None
        if question is None or question.dropped:
            return
        match outcome:
            case Done(result=result):
                question.done(result)
            case Failed(message=message, trace=trace):
                if trace:
                    raise RuntimeError(trace)
                question.failed(message)
            case Crashed():
                question.failed(outcome.message)
