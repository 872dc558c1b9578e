"""The processes of one training: started together, obeyed together, and gone together; imports no torch until they run.

Their parent, a trial's worker, computes nothing: it passes orders on to the first of them and takes its events and its result.
"""

from __future__ import annotations

import multiprocessing
import os
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from functools import partial
from multiprocessing.connection import Connection, wait
from multiprocessing.context import SpawnProcess
from pathlib import Path
from typing import Any

from microtome.errors import MicrotomeError
from microtome.events import Event, Note
from microtome.jobs.local import no_main_module
from microtome.jobs.runner import CrashError, Done, cores, resolve
from microtome.jobs.worker import run_guarded
from microtome.training.spec import TrialSpec

_LOOK = 0.05  # seconds between two looks at the orders
_LAST_WORDS = 2.0  # seconds in which a death is found that explains an error of another process
_ENTRY = "microtome.training.trial:run_rank"

Report = Callable[[Event], None]


@dataclass(frozen=True)
class _Rank:
    """One process, and the line to it."""

    process: SpawnProcess
    line: Connection

    def say(self, word: str) -> None:
        """Give it an order; one that has just died is found by its sentinel."""
        with suppress(OSError):
            self.line.send(word)

    def crash(self) -> CrashError:
        """How it died."""
        self.process.join()
        return CrashError(-(self.process.exitcode or 0), f"It was {self.process.name}, one of those that trained together.")

    def messages(self) -> Iterator[tuple[str, Any]]:
        """What it has said; a broken line is no news beside the process's end."""
        try:
            while self.line.poll():
                yield self.line.recv()
        except (EOFError, OSError):
            return


def together(
    spec: TrialSpec, devices: list[str], report: Report, should_stop: Callable[[], str], *, trial: int
) -> dict[str, Any]:
    """Train a trial in a process on each of `devices` and return its result, as run_trial does; none outlives the call.

    Raises MicrotomeError for what the user can mend, CrashError where a process died, RuntimeError for a bug.
    """
    threads = max(1, (spec.threads or cores()) // len(devices))
    specs = [replace(spec, device=device, threads=threads).to_json() for device in devices]
    told: set[str] = set()  # notes: of processes that find the same, one says it

    def tell(event: Event) -> None:
        if not isinstance(event, Note) or event.text not in told:
            report(event)
        if isinstance(event, Note):
            told.add(event.text)

    while True:
        with _started(specs, trial) as ranks:
            found = _attended(ranks, tell, should_stop)
        if found is not None:
            return found


def places(spec: TrialSpec, gpus: int, images: tuple[int, int]) -> tuple[list[str], str]:
    """The devices of a trial's processes, one each, and why they are fewer than the settings ask for ("" where not).

    `images`: of training and of validation. Each process needs an image of every batch, and on GPUs one of its own.
    """
    wanted, (training, validation) = spec.training.devices, images
    most = max(1, min(training // max(1, -(-training // spec.training.batch_size)), validation))
    why = "" if wanted <= most else f"No more than {most} processes can share the images of a batch."
    wanted = min(wanted, most)
    if spec.device == "cpu" or gpus == 0:
        return ["cpu"] * wanted, why
    if wanted > gpus:
        wanted, why = gpus, f"{spec.training.devices} GPUs are asked for; this computer has {gpus}, which train together."
    first = int(spec.device.partition(":")[2] or 0)
    return [f"cuda:{(first + number) % gpus}" for number in range(wanted)], why


@contextmanager
def _started(specs: list[dict[str, Any]], trial: int) -> Iterator[list[_Rank]]:
    """The processes, which end with the block and with this process."""
    context = multiprocessing.get_context("spawn")
    ranks: list[_Rank] = []
    with tempfile.TemporaryDirectory(prefix="microtome-", ignore_cleanup_errors=True) as folder:
        try:
            for number, spec in enumerate(specs):
                ours, theirs = context.Pipe()
                own = {
                    "spec": spec,
                    "rank": number,
                    "size": len(specs),
                    "meeting": str(Path(folder, "meeting")),
                    "trial": trial,
                }
                process = context.Process(target=_serve, args=(theirs, own), name=f"microtome-rank-{number}", daemon=True)
                with no_main_module(), _allowed():
                    process.start()
                theirs.close()
                ranks.append(_Rank(process, ours))
            yield ranks
        finally:
            for rank in ranks:
                rank.process.kill()
            for rank in ranks:
                rank.process.join()
                rank.line.close()


@contextmanager
def _allowed() -> Iterator[None]:
    # A worker is a daemon, which is ended with its parent, and may have no children lest they be left behind. These cannot
    # be: each watches its line.
    me = multiprocessing.current_process()
    before = me.daemon
    if before:
        me.daemon = False
    try:
        yield
    finally:
        if before:
            me.daemon = True


def _attended(ranks: list[_Rank], tell: Report, should_stop: Callable[[], str]) -> dict[str, Any] | None:
    """Pass on orders and events until there is a result; None where all are to begin again."""
    order = ""
    while True:
        if (word := should_stop()) != order:
            order = word
            ranks[0].say(word)
        wait([thing for rank in ranks for thing in (rank.line, rank.process.sentinel)], _LOOK)
        for rank in ranks:
            dead = not rank.process.is_alive()  # asked first: what it said before it died is heard
            for kind, value in rank.messages():
                match kind:
                    case "event":
                        tell(value)
                    case "result" if rank is ranks[0]:
                        result: dict[str, Any] = value
                        return result
                    case "again":
                        return None
                    case "mistake":
                        raise MicrotomeError(*value)
                    case "bug":
                        _find_dead([other for other in ranks if other is not rank])
                        raise RuntimeError(f"A process of the training failed:\n{value}")
            if dead:
                raise rank.crash()


def _find_dead(ranks: list[_Rank]) -> None:
    """Where a process has just died, the others fail for that alone: CrashError says so."""
    wait([rank.process.sentinel for rank in ranks], _LAST_WORDS)
    for rank in ranks:
        if not rank.process.is_alive():
            raise rank.crash()


def _serve(line: Connection, arguments: dict[str, Any]) -> None:
    """One process: trains its share, says what came of it, and waits for its end."""
    heard = [""]
    listener = threading.Thread(target=_listen, args=(line, heard), daemon=True)
    listener.start()
    outcome = run_guarded(partial(_share, line, heard), arguments)
    line.send(outcome.result if isinstance(outcome, Done) else ("bug", getattr(outcome, "trace", "") or str(outcome)))
    sys.stdout.flush()
    sys.stderr.flush()
    listener.join()


def _share(line: Connection, heard: list[str], **arguments: Any) -> tuple[str, Any]:
    from microtome.training.distributed import BeginAgainError

    try:
        result = resolve(_ENTRY)(report=lambda event: line.send(("event", event)), should_stop=lambda: heard[-1], **arguments)
        return "result", result
    except MicrotomeError as error:
        return "mistake", (error.message, error.hint)
    except BeginAgainError:
        return "again", None


def _listen(line: Connection, heard: list[str]) -> None:
    """Take orders; the parent's end, seen as that of the line, ends this process at once."""
    while True:
        try:
            wait([line])
            heard.append(line.recv())
        except (EOFError, OSError):
            os._exit(0)
