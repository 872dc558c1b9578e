"""The workers of an existing cluster as slots: those that join are used, what a lost one did is said to be lost."""

from __future__ import annotations

import hashlib
import queue
import threading
import time
import uuid
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from microtome.jobs.cluster import ConnectionLostError, Member, Scheduler
from microtome.jobs.dask import Link, refusal
from microtome.jobs.errand import Errand
from microtome.jobs.runner import Cancelled, Ended, How, Judge, Lost, Message, Outcome, Task, WorkerDied

_WATCH_EVERY = 0.5  # seconds between two looks at who is there
_EMPTY = "The cluster has no workers at present: trials begin as soon as one joins."


@dataclass
class _Slot:
    """A worker that can be used."""

    number: int
    member: Member
    errand: Errand | None = None


class ClusterRunner:
    """All workers of a cluster, one task at a time on each; `resize` limits their number.

    `folder` is the run's, by which it is found out whether workers see this computer's files. A connection that is cut is
    tried again for `patience` seconds; then `gave_up` is called with a sentence, and what waits has ended as cancelled.
    """

    def __init__(
        self,
        scheduler: Scheduler,
        *,
        folder: Path,
        gave_up: Callable[[str], None] = lambda reason: None,
        judge: Judge = lambda report: "",
        patience: float = 300.0,
        grace: float = 60.0,
    ) -> None:
        """Raises InputError or ConnectionLostError where the scheduler cannot be used at all."""
        self._scheduler = scheduler
        self._gave_up = gave_up
        self._judge = judge
        self._patience = patience
        self._grace = grace
        self._owner = hashlib.sha256(str(folder.resolve()).encode()).hexdigest()
        self._content = uuid.uuid4().hex
        self._marker = folder / f".cluster-{self._content}"
        self._lock = threading.RLock()
        self._outbox: queue.Queue[Message] = queue.Queue()
        self._slots: dict[str, _Slot] = {}  # by address
        self._refused: set[str] = set()
        self._haunted: set[str] = set()  # workers that may still be at a task of ours that we wait for no longer
        self._errands: dict[int, Errand] = {}  # by task
        self._waiting: deque[Task] = deque()
        self._limit = 0  # slots; 0: all
        self._told_empty = self._over = False
        self._closing = threading.Event()
        self._link: Link | None = Link(scheduler, self._heard)
        folder.mkdir(parents=True, exist_ok=True)
        self._marker.write_text(self._content)
        try:
            self._look(self._link)
        except ConnectionLostError:
            self.close()
            raise
        self._watcher = threading.Thread(target=self._watch, name="cluster", daemon=True)
        self._watcher.start()

    # --- the protocol

    @property
    def idle(self) -> int:
        """Workers that are free now."""
        with self._lock:
            if self._over or self._haunted:
                return 0
            free = sum(1 for s in self._slots.values() if s.errand is None)
            if self._limit:
                free = min(free, self._limit - len(self._errands))
            return max(0, free - len(self._waiting))

    def submit(self, task: Task) -> int:
        """Give a task to a free worker, or to the next that is; returns its slot's number, 0 where none is free."""
        with self._lock:
            if self._over:
                self._outbox.put(Ended(task.id, Cancelled()))
                return 0
            free = [s for s in self._slots.values() if s.errand is None]
            if not free or self._link is None:
                self._waiting.append(task)
                return 0
            slot = min(free, key=lambda s: s.number)
            self._begin(slot, task, self._link)
            return slot.number

    def poll(self, timeout: float) -> list[Message]:
        """Wait up to `timeout` seconds for messages and return them in their order."""
        if not self._watcher.is_alive() and not self._over:
            raise RuntimeError("the watcher of the cluster has died of a bug; its traceback is in the log")
        messages = []
        try:
            messages.append(self._outbox.get(timeout=max(0.001, timeout)))
            while True:
                messages.append(self._outbox.get_nowait())
        except queue.Empty:
            pass
        with self._lock:
            if any(not errand.thread.is_alive() for errand in self._errands.values()):
                raise RuntimeError("a task's thread has died of a bug; its traceback is in the log")
        return messages

    def cancel(self, task: int, how: How) -> None:
        """Ask a task to end: "prune" at its next epoch, "pause" and "stop" at its next batch; "kill" waits for nothing."""
        with self._lock:
            if task in self._errands:
                self._errands[task].inbox.put(("cancel", how))
            for waiting in [t for t in self._waiting if t.id == task]:
                self._waiting.remove(waiting)
                self._outbox.put(Ended(task, Cancelled()))

    def resize(self, workers: int) -> None:
        """Use so many workers at most; a busy one that is too many ends its task."""
        self._limit = max(1, workers)

    def close(self) -> None:
        """Let go of all tasks, whose workers stop them, and of the cluster, which stays."""
        self._closing.set()
        with self._lock:
            errands = list(self._errands.values())
        for errand in errands:
            errand.inbox.put(("cancel", "kill"))
        for errand in errands:
            errand.thread.join(timeout=2.0)
        if self._link is not None:
            self._link.close()
        self._marker.unlink(missing_ok=True)

    def __enter__(self) -> ClusterRunner:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    # --- tasks

    def _begin(self, slot: _Slot, task: Task, link: Link) -> None:
        neighbours = sum(1 for s in self._slots.values() if s.member.host == slot.member.host)
        slot.errand = self._errands[task.id] = Errand(
            task=task,
            link=link,
            member=slot.member,
            number=slot.number,
            threads=max(1, slot.member.cores // neighbours),
            owner=self._owner,
            judge=self._judge,
            grace=self._grace,
            send_files=self._scheduler.send_files or not slot.member.sees,
            said=self._outbox.put,
            ended=self._ended,
        )
        slot.errand.start()

    def _heard(self, message: dict[str, Any]) -> None:
        with self._lock:
            for errand in self._errands.values():
                if errand.token == message["token"]:
                    errand.inbox.put(("report", message))

    def _ended(self, errand: Errand, outcome: Outcome) -> None:
        with self._lock:
            del self._errands[errand.task.id]
            address = errand.member.address
            slot = self._slots.get(address)
            if slot is not None and slot.errand is errand:
                slot.errand = None
                if errand.left_running or isinstance(outcome, Lost):
                    self._slots.pop(address)  # it is greeted again
            if errand.left_running:
                self._haunted.add(address)  # until it is seen idle or is gone
            self._outbox.put(Ended(errand.task.id, outcome, errand.number))

    # --- who is there

    def _watch(self) -> None:
        cut = None  # since when there has been no connection
        while not self._closing.wait(_WATCH_EVERY):
            try:
                if self._link is None:
                    self._link = Link(self._scheduler, self._heard)
                self._look(self._link)
                cut = None
            except ConnectionLostError as error:
                self._cut(error.message)
                cut = cut or time.monotonic()
                if time.monotonic() - cut >= self._patience:
                    self._give_up(error.message)
                    return

    def _look(self, link: Link) -> None:
        """Take in who has joined, let go who has left, and give out what waits."""
        present = link.workers()
        with self._lock:
            for address in [a for a in self._slots if a not in present]:
                self._lose(self._slots.pop(address), f"The worker {address} was lost.")
            self._refused.intersection_update(present)
            self._haunted.intersection_update(present)
            strangers = [a for a in present if a not in self._slots and a not in self._refused]
        for address in strangers:
            try:
                self._welcome(link, address)
            except ConnectionLostError:
                if not link.alive:
                    raise
        with self._lock:
            if not present and not self._told_empty:
                self._outbox.put(WorkerDied(0, _EMPTY))
            self._told_empty = not present
            for slot in self._slots.values():
                if self._waiting and slot.errand is None and not self._haunted:
                    self._begin(slot, self._waiting.popleft(), link)

    def _welcome(self, link: Link, address: str) -> None:
        member, reason = refusal(link, address, str(self._marker), self._content)
        with self._lock:
            if member is None or reason:
                self._refused.add(address)
                self._haunted.discard(address)
                self._outbox.put(WorkerDied(0, reason))
            elif member.busy == self._owner:
                self._haunted.add(address)  # a task of ours from before: the same trial must not be at work twice
            elif not member.busy:
                self._haunted.discard(address)
                taken = {s.number for s in self._slots.values()}
                number = next(n for n in range(1, len(taken) + 2) if n not in taken)
                self._slots[address] = _Slot(number, member)

    def _lose(self, slot: _Slot, message: str) -> None:
        if slot.errand is not None:
            slot.errand.inbox.put(("lost", message))

    def _cut(self, message: str) -> None:
        """The connection is gone: the scheduler forgets our tasks, so they are lost, and go on from their checkpoints."""
        with self._lock:
            link, self._link = self._link, None
            for slot in self._slots.values():
                self._lose(slot, message)
            self._slots.clear()
        if link is not None:
            link.close()

    def _give_up(self, message: str) -> None:
        sentence = f"{message} The connection was tried again for {self._patience:.0f} seconds; the run can go on later."
        with self._lock:
            self._over = True
            while self._waiting:
                self._outbox.put(Ended(self._waiting.popleft().id, Cancelled()))
        self._gave_up(sentence)
