"""One worker process of the window, for what needs torch: started with the first question, warm for the next."""

from __future__ import annotations

import threading
from typing import Any

from microtome.errors import MicrotomeError
from microtome.jobs.local import LocalRunner
from microtome.jobs.runner import Crashed, Done, Ended, Failed, Lost, Task, WorkerDied
from microtome.paths import log_dir

_POLL = 0.2


class WorkerChild:
    """Asks `function` ("package.module:name", of a spec and with a JSON answer) in its process; from background threads.

    An answer {error, hint} is raised as a MicrotomeError. `failing` is said where the worker names no reason, `late` (with the
    hint behind it) where no answer comes within `patience` seconds, the import of torch included.
    """

    def __init__(self, function: str, logs: str, *, patience: float, failing: str, late: tuple[str, str]) -> None:
        self._function, self._logs, self._patience = function, logs, patience
        self._failing, self._late = failing, late
        self._lock = threading.Lock()
        self._runner: LocalRunner | None = None
        self._number = 0

    def ask(self, spec: dict[str, Any]) -> dict[str, Any]:
        """The answer. Raises MicrotomeError where there is none."""
        with self._lock:
            if self._runner is None:
                self._runner = LocalRunner(1, logs=log_dir() / self._logs, warm=("torch",))
            self._number += 1
            self._runner.submit(Task(id=self._number, function=self._function, arguments={"spec": spec}))
            waited = 0.0
            while waited < self._patience:
                for message in self._runner.poll(_POLL):
                    match message:
                        case Ended(outcome=Done(result=result)):
                            if "error" in result:
                                raise MicrotomeError(result["error"], result["hint"])
                            return dict(result)
                        case Ended(outcome=Failed(message=words) | Crashed(log=words) | Lost(message=words)):
                            raise MicrotomeError(words or self._failing)
                        case WorkerDied(reason=words):
                            raise MicrotomeError(words)
                waited += _POLL
            self._end()
            raise MicrotomeError(*self._late)

    def close(self) -> None:
        """End the worker, unless it is busy: then its answer is still wanted."""
        if self._lock.acquire(blocking=False):
            try:
                self._end()
            finally:
                self._lock.release()

    def _end(self) -> None:
        runner, self._runner = self._runner, None
        if runner is not None:
            runner.close()
