"""The queue: order, removal, room, and what dies in between."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from microtome.errors import FileError, InputError
from microtome.events import RunEnded, RunStarted
from microtome.search.steer import SIGNALLED
from microtome.session import Queue, TimeLimit, go_on
from microtome.store.run import Orders, RunFolder, RunLock


@pytest.fixture
def queue(tmp_path: Path) -> Queue:
    return Queue(tmp_path / "project")


@pytest.fixture
def processes() -> Iterator[list[subprocess.Popen[bytes]]]:
    begun: list[subprocess.Popen[bytes]] = []
    yield begun
    for process in begun:
        process.communicate()  # its input ends, and so does it


class Starter:
    """Starts processes that live as long as their input, in place of drivers; they take no lock unless told to."""

    def __init__(self, processes: list[subprocess.Popen[bytes]]) -> None:
        self.processes = processes
        self.runs: list[str] = []

    def __call__(self, run: RunFolder) -> subprocess.Popen[bytes]:
        self.runs.append(run.name)
        command = [sys.executable, "-c", "import sys; sys.stdin.read()"]
        process = subprocess.Popen(command, stdin=subprocess.PIPE)
        self.processes.append(process)
        return process

    def end(self, index: int) -> None:
        """End one of them."""
        self.processes[index].communicate()


@pytest.fixture
def starter(processes: list[subprocess.Popen[bytes]]) -> Starter:
    return Starter(processes)


def made(queue: Queue, name: str) -> RunFolder:
    return RunFolder.create(queue.project / "runs", name=name, info={"kind": "train"}, recipe_toml="")


def three(queue: Queue) -> list[str]:
    runs = [made(queue, name) for name in "abc"]
    for run in runs:
        queue.add(run)
    return [run.name for run in runs]


def names(queue: Queue) -> list[str]:
    return [w.run for w in queue.waiting()]


def test_without_a_file_nothing_waits_and_none_is_made(queue: Queue, starter: Starter) -> None:
    assert queue.waiting() == []
    assert queue.at_once() == 1
    assert queue.advance(starter) == {}
    assert not queue.file.exists()


def test_one_at_a_time_in_their_order(queue: Queue, starter: Starter) -> None:
    a, b, c = three(queue)
    assert list(queue.advance(starter)) == [a]
    assert names(queue) == [b, c]
    assert queue.advance(starter) == {}, "a driver that has no lock yet counts"
    starter.end(0)
    assert list(queue.advance(starter)) == [b]
    starter.end(1)
    assert list(queue.advance(starter)) == [c]
    assert names(queue) == []


def test_a_run_that_was_started_by_hand_counts(queue: Queue, starter: Starter) -> None:
    three(queue)
    lock = RunLock(made(queue, "by-hand"))
    lock.take()
    assert queue.advance(starter) == {}
    lock.release()
    assert len(queue.advance(starter)) == 1


def test_more_at_once(queue: Queue, starter: Starter) -> None:
    a, b, c = three(queue)
    queue.set_at_once(2)
    assert list(queue.advance(starter)) == [a, b]
    assert names(queue) == [c]
    assert Queue(queue.project).at_once() == 2
    for wrong in (0, -1, 1000):
        with pytest.raises(InputError, match="at once"):
            queue.set_at_once(wrong)


def test_reordering(queue: Queue) -> None:
    a, b, c = three(queue)
    queue.move(c, 0)
    assert names(queue) == [c, a, b]
    queue.move(c, 99)
    assert names(queue) == [a, b, c]
    queue.move(b, -5)
    assert names(queue) == [b, a, c]
    queue.move("gone", 0)
    assert names(queue) == [b, a, c]


def test_what_never_began_leaves_with_its_folder_and_what_began_keeps_it(queue: Queue) -> None:
    a, b, _ = three(queue)
    begun = RunFolder(queue.project / "runs" / b)
    with begun.writer() as journal:
        journal.append(RunStarted(run=b, kind="train", classes=("x", "y"), trials=1, epochs=1, pid=1))
    queue.remove(a)
    queue.remove(b)
    assert len(names(queue)) == 1
    assert not (queue.project / "runs" / a).exists()
    assert begun.events.exists()
    queue.remove(a)
    assert len(names(queue)) == 1


def test_removing_what_does_not_wait_leaves_its_folder(queue: Queue) -> None:
    three(queue)
    other = made(queue, "other")
    queue.remove(other.name)
    assert other.recipe.exists()


def test_a_run_waits_once_and_not_while_it_runs(queue: Queue) -> None:
    run = made(queue, "a")
    queue.add(run)
    with pytest.raises(InputError, match="already"):
        queue.add(run)
    driven = made(queue, "b")
    lock = RunLock(driven)
    lock.take()
    with pytest.raises(InputError, match="running"):
        queue.add(driven)
    lock.release()


def test_a_limit_becomes_an_order_when_the_run_starts(queue: Queue, starter: Starter) -> None:
    run = made(queue, "a")
    queue.add(run, TimeLimit(seconds=3600.0))
    assert Orders(run).latest("until") is None
    queue.advance(starter)
    order = Orders(run).latest("until")
    assert order is not None and order["seconds"] == 3600.0


def test_a_run_whose_folder_is_gone_is_passed_over(queue: Queue, starter: Starter) -> None:
    a, b, _ = three(queue)
    (queue.project / "runs" / a / "run.json").unlink()
    assert list(queue.advance(starter)) == [b]


def test_killed_between_start_and_note_the_run_is_not_begun_twice(queue: Queue, starter: Starter) -> None:
    a, b, c = three(queue)
    lock = RunLock(RunFolder(queue.project / "runs" / a))
    lock.take()  # started, but whoever did died before it left the queue
    assert queue.advance(starter) == {}
    assert names(queue) == [b, c]
    lock.release()


def test_many_that_see_an_end_start_the_next_once(queue: Queue, starter: Starter) -> None:
    three(queue)
    with ThreadPoolExecutor(8) as pool:
        begun = [name for found in pool.map(lambda _: queue.advance(starter), range(8)) for name in found]
    assert len(begun) == 1
    assert len(queue.waiting()) == 2


def test_many_add_at_once_and_none_is_lost(queue: Queue) -> None:
    runs = [made(queue, f"r{i}") for i in range(12)]
    with ThreadPoolExecutor(6) as pool:
        list(pool.map(queue.add, runs))
    assert set(names(queue)) == {r.name for r in runs}


@pytest.mark.parametrize(
    "text", ['{"waiting": [3]}', '{"waiting": 3}', '{"starting": {"a": 1}}', '{"at_once": "x"}', "[", "[]"]
)
def test_a_damaged_file_is_said(queue: Queue, text: str) -> None:
    queue.project.mkdir()
    queue.file.write_text(text)
    with pytest.raises(FileError, match="damaged"):
        queue.waiting()


def test_after_a_signal_the_queue_rests(queue: Queue) -> None:
    run = made(queue, "ended")
    waiting = made(queue, "a")
    queue.add(waiting)
    with run.writer() as journal:
        journal.append(RunEnded(state="stopped", message=SIGNALLED))
    go_on(run)
    assert names(queue) == [waiting.name]


def test_a_driver_that_was_begun_by_hand_counts_before_it_has_its_lock(queue: Queue, starter: Starter) -> None:
    three(queue)
    run = made(queue, "by-hand")
    assert queue.advance(starter, begun_elsewhere=[run.name]) == {}
    assert len(queue.advance(starter, begun_elsewhere=["of-another-project"])) == 1
