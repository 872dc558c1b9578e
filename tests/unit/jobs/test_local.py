"""Worker processes: what they are, how they end, and that none is left over."""

from __future__ import annotations

import errno
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest

from microtome.errors import MicrotomeError
from microtome.jobs.local import LocalRunner
from microtome.jobs.runner import Cancelled, Crashed, Done, Ended, Failed, Message, Pruned, Report, Task, WorkerDied, cores
from microtome.jobs.worker import run_guarded
from microtome.store.atomic import explain

HERE = Path(__file__).parent


@pytest.fixture(autouse=True)
def tasks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(HERE))


def until(runner: LocalRunner, done: Callable[[list[Message]], bool]) -> list[Message]:
    """Poll until `done` says so."""
    messages: list[Message] = []
    while not done(messages):
        messages += runner.poll(1.0)
    return messages


def ends(messages: list[Message]) -> list[Ended]:
    return [m for m in messages if isinstance(m, Ended)]


def reports(messages: list[Message]) -> list[Report]:
    return [m for m in messages if isinstance(m, Report)]


def task(name: str, id_: int = 1, **arguments: object) -> Task:
    return Task(id=id_, function=f"worker_tasks:{name}", arguments=arguments)


def test_a_worker_is_light_polite_and_kept(tmp_path: Path) -> None:
    with LocalRunner(2, logs=tmp_path, warm=("json",)) as runner:
        seen = []
        for number in range(3):
            runner.submit(task("environment", number))
            (end,) = ends(until(runner, lambda m: bool(ends(m))))
            assert isinstance(end.outcome, Done)
            seen.append(end.outcome.result)
        assert seen[0]["threads"] == str(max(1, cores() // 2))
        assert seen[0]["nice"] >= 10
        assert "json" in seen[0]["modules"]
        assert not {"torch", "PySide6", "numpy", "pytest"} & set(seen[0]["modules"])
        assert len({s["pid"] for s in seen}) <= 2
        pids = runner.pids()
    assert not any(psutil.pid_exists(pid) for pid in pids)


@pytest.mark.parametrize(("how", "kind"), [("prune", Pruned), ("pause", Cancelled), ("stop", Cancelled)])
def test_cancel_is_heard_and_the_worker_kept(tmp_path: Path, how: str, kind: type) -> None:
    with LocalRunner(1, logs=tmp_path) as runner:
        runner.submit(task("wait_for_word"))
        (report,) = reports(until(runner, lambda m: bool(reports(m))))
        runner.cancel(1, how)
        (end,) = ends(until(runner, lambda m: bool(ends(m))))
        assert type(end.outcome) is kind
        assert end.outcome.result["word"] == how
        runner.submit(task("environment", 2))
        (end,) = ends(until(runner, lambda m: bool(ends(m))))
        assert end.outcome.result["pid"] == report.event


@pytest.mark.parametrize("how", ["stop", "kill"])
def test_the_deaf_are_killed_and_replaced(tmp_path: Path, how: str) -> None:
    with LocalRunner(1, logs=tmp_path, grace=0.1) as runner:
        runner.submit(task("deaf"))
        (report,) = reports(until(runner, lambda m: bool(reports(m))))
        runner.cancel(1, how)
        (end,) = ends(until(runner, lambda m: bool(ends(m))))
        assert isinstance(end.outcome, Cancelled)
        assert not psutil.pid_exists(report.event)
        runner.submit(task("environment", 2))
        assert isinstance(ends(until(runner, lambda m: bool(ends(m))))[0].outcome, Done)


@pytest.mark.parametrize("number", [signal.SIGSEGV, signal.SIGKILL])
def test_a_crash_is_a_value_with_the_last_words(tmp_path: Path, number: int) -> None:
    with LocalRunner(2, logs=tmp_path) as runner:
        runner.submit(task("wait_for_word", 1))
        runner.submit(task("die", 2, number=int(number)))
        messages = until(runner, lambda m: bool(ends(m)) and bool(reports(m)))
        (end,) = ends(messages)
        assert (end.task, type(end.outcome), end.outcome.signal) == (2, Crashed, number)
        assert "last words" in end.outcome.log
        if number == signal.SIGSEGV:
            assert "worker_tasks.py" in end.outcome.log  # where it happened
        # The other trial is not disturbed, and there are two slots again.
        runner.submit(task("environment", 3))
        (end,) = ends(until(runner, lambda m: bool(ends(m))))
        assert end.task == 3
        runner.cancel(1, "stop")
        assert ends(until(runner, lambda m: bool(ends(m))))[0].task == 1
        assert runner.idle == 2


def test_an_exit_is_a_crash_too(tmp_path: Path) -> None:
    with LocalRunner(1, logs=tmp_path) as runner:
        runner.submit(task("leave"))
        (end,) = ends(until(runner, lambda m: bool(ends(m))))
        assert end.outcome == Crashed(-7, "")
        assert "exit code 7" in end.outcome.message


def test_a_worker_that_dies_idle_is_said_and_replaced(tmp_path: Path) -> None:
    with LocalRunner(1, logs=tmp_path) as runner:
        runner.submit(task("environment"))
        until(runner, lambda m: bool(ends(m)))
        (pid,) = runner.pids()
        os.kill(pid, signal.SIGKILL)
        messages = until(runner, bool)
        assert isinstance(messages[0], WorkerDied)
        runner.submit(task("environment", 2))
        (end,) = ends(until(runner, lambda m: bool(ends(m))))
        assert end.outcome.result["pid"] != pid


def test_workers_that_cannot_start_end_in_a_sentence(tmp_path: Path) -> None:
    with (
        LocalRunner(1, logs=tmp_path, warm=("no_such_module_anywhere",)) as runner,
        pytest.raises(MicrotomeError, match="no_such_module_anywhere"),
    ):
        until(runner, lambda m: False)


def test_resize_grows_at_once_and_shrinks_without_disturbing(tmp_path: Path) -> None:
    with LocalRunner(1, logs=tmp_path) as runner:
        runner.submit(task("wait_for_word", 1))
        runner.resize(3)
        assert runner.idle == 2
        runner.submit(task("wait_for_word", 2))
        until(runner, lambda m: len(reports(m)) == 2)
        runner.resize(1)
        assert runner.idle == 0
        assert len(runner.pids()) == 2
        with pytest.raises(RuntimeError):
            runner.submit(task("environment", 3))
        runner.cancel(1, "stop")
        runner.cancel(2, "stop")
        until(runner, lambda m: len(ends(m)) == 2)
        assert runner.idle == 1
        assert len(runner.pids()) == 1


DRIVER = """
import sys
sys.path.insert(0, {here!r})
from pathlib import Path
from microtome.jobs.local import LocalRunner
from microtome.jobs.runner import Task
runner = LocalRunner(2, logs=Path({logs!r}))  # no __main__ guard: a worker must not run this script again
runner.submit(Task(id=1, function="worker_tasks:deaf"))
while not runner.poll(1.0):
    pass
print(*runner.pids(), flush=True)
sys.stdin.read()
"""


def test_workers_die_with_their_parent_however_it_dies(tmp_path: Path) -> None:
    script = tmp_path / "script.py"
    script.write_text(DRIVER.format(here=str(HERE), logs=str(tmp_path)))
    with subprocess.Popen([sys.executable, str(script)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as driver:
        assert driver.stdout is not None
        pids = [int(word) for word in driver.stdout.readline().split()]
        workers = [psutil.Process(pid) for pid in pids]
        assert len(workers) == 2
        driver.kill()
        driver.wait()
    _, alive = psutil.wait_procs(workers, timeout=20)
    assert not alive, "a worker outlived its parent"


@pytest.mark.parametrize(
    "error", [OSError(errno.ENOSPC, "full", "a.npz"), explain(OSError(errno.EDQUOT, "x"), Path("a"), "write")]
)
def test_a_disk_without_room_is_told_apart_from_a_tasks_own_fault(error: OSError) -> None:
    def fail(**_: object) -> None:
        raise error

    outcome = run_guarded(fail, {})
    assert isinstance(outcome, Failed) and outcome.no_room and not outcome.trace
    assert "free some space" in outcome.message


def test_a_worker_that_dies_before_it_has_started_has_not_begun_its_task(tmp_path: Path) -> None:
    with LocalRunner(1, logs=tmp_path) as runner:
        os.kill(runner.pids()[0], signal.SIGKILL)
        runner.submit(task("environment"))
        (end,) = ends(until(runner, lambda m: bool(ends(m))))
        assert end.outcome == Crashed(9, begun=False)
        runner.submit(task("die", 2, number=int(signal.SIGKILL)))
        (end,) = ends(until(runner, lambda m: bool(ends(m))))
        assert isinstance(end.outcome, Crashed) and end.outcome.begun
