"""A runner in this very process, one task at a time: for plain callables and for tests."""

from __future__ import annotations

from collections import deque
from typing import Any

from microtome.jobs.runner import Cancelled, Ended, How, Judge, Message, Report, Task
from microtome.jobs.worker import run_guarded


class _Channel:
    """What a task gets as `report`."""

    def __init__(self, task: int, runner: InlineRunner) -> None:
        self._task = task
        self._runner = runner

    def __call__(self, event: Any) -> None:
        self._runner.messages.append(Report(self._task, event))

    def ask(self, event: Any) -> str:
        """Report, and return the verdict: "" to go on, or "prune"."""
        report = Report(self._task, event)
        self._runner.messages.append(report)
        return self._runner.judge(report)


class InlineRunner:
    """Runs a submitted task when it is polled; its reports are returned together with its end."""

    def __init__(self, judge: Judge = lambda report: "") -> None:
        self.judge = judge
        self.messages: list[Message] = []
        self._waiting: deque[Task] = deque()

    @property
    def idle(self) -> int:
        """1 while nothing waits to run."""
        return 0 if self._waiting else 1

    def submit(self, task: Task) -> int:
        """Keep the task for the next poll."""
        self._waiting.append(task)
        return 0

    def poll(self, timeout: float) -> list[Message]:
        """Run what waits, however long it takes, and return its messages."""
        if self._waiting:
            task = self._waiting.popleft()
            arguments = {**task.arguments, "report": _Channel(task.id, self), "should_stop": lambda: ""}
            self.messages.append(Ended(task.id, run_guarded(task.function, arguments)))
        messages, self.messages = self.messages, []
        return messages

    def cancel(self, task: int, how: How) -> None:
        """Drop the task if it has not begun."""
        for waiting in [t for t in self._waiting if t.id == task]:
            self._waiting.remove(waiting)
            self.messages.append(Ended(task, Cancelled()))

    def resize(self, workers: int) -> None:
        """One at a time is all there is."""

    def close(self) -> None:
        """Forget what waits."""
        self._waiting.clear()
