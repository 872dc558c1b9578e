"""One task on a worker of a cluster: its files there and back, its reports, its words, its end, in a thread of its own."""

from __future__ import annotations

import queue
import threading
import time
import uuid
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from microtome.errors import MicrotomeError
from microtome.events import EpochEnded
from microtome.jobs import remote
from microtome.jobs.cluster import ConnectionLostError, Member
from microtome.jobs.dask import Link
from microtome.jobs.freight import Freight, send_plugins
from microtome.jobs.runner import Cancelled, Failed, How, Judge, Lost, Outcome, Report, Task

_FETCH_EVERY = 30.0  # seconds between two looks for checkpoints in mid-epoch
_TICK = 1.0


@dataclass
class Errand:
    """A task, the worker that does it, and what comes of it."""

    task: Task
    link: Link
    member: Member
    number: int  # of the slot
    threads: int  # of the CPU
    owner: str
    judge: Judge
    grace: float  # seconds until a task that was asked to end is no longer waited for
    send_files: bool
    said: Callable[[Report], None]
    ended: Callable[[Errand, Outcome], None]
    token: str = field(default_factory=lambda: uuid.uuid4().hex)
    inbox: queue.Queue[tuple[str, Any]] = field(default_factory=queue.Queue)
    left_running: bool = False  # the worker may still be at it when the errand has ended
    _heard: set[int] = field(default_factory=set)  # numbers of the reports that were passed on
    _deadline: float | None = None
    _how: How | None = None
    _thread: threading.Thread | None = None

    def start(self) -> None:
        """Begin; `ended` is called once, at the end."""
        self._thread = threading.Thread(target=self._run, name=f"errand {self.task.id}", daemon=True)
        self._thread.start()

    @property
    def thread(self) -> threading.Thread:
        """What carries it."""
        assert self._thread is not None
        return self._thread

    def _run(self) -> None:
        try:
            outcome = self._work()
        except ConnectionLostError as error:
            self.left_running = True
            asked = self._how is not None and self._how != "prune"
            outcome = Cancelled() if asked else Lost(error.message)
        except MicrotomeError as error:
            outcome = Failed(str(error))
        self.ended(self, outcome)

    def _call(self, function: Callable[..., Any], *arguments: Any) -> Any:
        return self.link.call(self.member.address, function, *arguments)

    def _work(self) -> Outcome:
        plugins = send_plugins(self._call, self.token)
        arguments = dict(self.task.arguments)
        freight = None
        spec = arguments.get("spec")
        if isinstance(spec, dict) and "folder" in spec:
            spec = {**spec, "threads": self.threads}
            if self.send_files:
                freight = Freight(self._call, self.token, spec)
                spec = freight.send()
            arguments["spec"] = spec
        errand = {
            "key": f"microtome-{self.token}",
            "token": self.token,
            "topic": self.link.topic,
            "process": self.member.process,
            "owner": self.owner,
            "plugins": plugins,
            "function": self.task.function,
            "arguments": arguments,
        }
        future = self.link.submit(self.member.address, errand, lambda: self.inbox.put(("done", None)))
        if not self._follow(freight):
            self.left_running = True
            self.link.forget(future)
            return Cancelled()
        returned = self.link.result(future, self.member.address)
        if freight is not None:
            freight.fetch(final=True)
            freight.discard()
        self._pass_on(sorted(returned["reports"], key=lambda m: int(m["number"])))
        outcome: Outcome = returned["outcome"]
        return outcome

    def _follow(self, freight: Freight | None) -> bool:
        """Pass on what the task says until it is done (True), or until it is not waited for any longer."""
        fetched = time.monotonic()
        while True:
            batch = self._received()
            reports = [value for kind, value in batch if kind == "report"]
            due = time.monotonic() - fetched >= _FETCH_EVERY
            # What is told of an epoch must not be lost with the worker: its checkpoint is fetched first.
            if freight is not None and (due or any(isinstance(remote.event_of(m), EpochEnded) for m in reports)):
                freight.fetch()
                fetched = time.monotonic()
            self._pass_on(reports)
            for kind, value in batch:
                if kind == "lost":
                    raise ConnectionLostError(value)
                if kind == "cancel" and self._cancel(value):
                    return False
            if any(kind == "done" for kind, _ in batch):
                return True
            if self._deadline is not None and time.monotonic() >= self._deadline:
                return False

    def _received(self) -> list[tuple[str, Any]]:
        """All that has come, after a while of waiting."""
        batch = []
        try:
            batch.append(self.inbox.get(timeout=_TICK))
            while True:
                batch.append(self.inbox.get_nowait())
        except queue.Empty:
            return batch

    def _cancel(self, how: How) -> bool:
        """Say it to the task; True where it is not to be waited for."""
        if how == self._how:
            return False
        self._how = how
        self._call(remote.whisper, self.token, "cancel", "stop" if how == "kill" else how)
        if how != "prune" and self._deadline is None:
            self._deadline = time.monotonic() + self.grace
        return how == "kill"

    def _pass_on(self, messages: list[dict[str, Any]]) -> None:
        for message in messages:
            if message["number"] in self._heard:
                continue
            self._heard.add(message["number"])
            report = Report(self.task.id, remote.event_of(message))
            self.said(report)
            if message["asks"]:
                self._call(remote.whisper, self.token, "verdict", self.judge(report))
