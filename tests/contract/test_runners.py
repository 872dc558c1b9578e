"""What every runner keeps, whether it is this process or many."""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest

from microtome.jobs.clustered import ClusterRunner
from microtome.jobs.inline import InlineRunner
from microtome.jobs.local import LocalRunner
from microtome.jobs.runner import Done, Ended, Failed, Message, Pruned, Report, Runner, Task

TASKS = Path(__file__).parents[1] / "unit" / "jobs"


def judge(report: Report) -> str:
    """Stops at the third report."""
    return "prune" if report.event == 2 else ""


def _kit() -> ModuleType:
    spec = importlib.util.spec_from_file_location("cluster_kit", TASKS / "cluster_kit.py")
    assert spec is not None and spec.loader is not None
    module = sys.modules[spec.name] = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def clusters(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ClusterRunner]:
    cluster = _kit().Cluster(tmp_path_factory.mktemp("cluster"), workers=1)
    runner = ClusterRunner(cluster.place(), folder=cluster.folder, judge=judge)
    yield runner
    runner.close()
    cluster.close()


@pytest.fixture(params=["inline", "local", "cluster"])
def runner(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Runner]:
    monkeypatch.syspath_prepend(str(TASKS))
    if request.param == "cluster":  # one for all: its processes take seconds to start
        yield request.getfixturevalue("clusters")
        return
    made: Runner = InlineRunner(judge) if request.param == "inline" else LocalRunner(1, logs=tmp_path, judge=judge)
    yield made
    made.close()


def run(runner: Runner, task: Task) -> tuple[list[Message], Ended]:
    """Submit a task and poll until its end."""
    messages: list[Message] = []
    while runner.idle < 1:  # a cluster's worker has yet to join
        messages += runner.poll(0.1)
    messages.clear()
    runner.submit(task)
    while True:
        messages += runner.poll(1.0)
        for message in messages:
            if isinstance(message, Ended):
                assert message.task == task.id
                return messages, message


def test_a_task_reports_in_order_and_returns(runner: Runner) -> None:
    messages, end = run(runner, Task(id=5, function="worker_tasks:double", arguments={"number": 21}))
    assert messages[:2] == [Report(5, "half way"), Report(5, 21)]
    assert end.outcome == Done({"value": 42})


def test_a_mistake_fails_with_its_sentence_and_a_bug_with_its_traceback(runner: Runner) -> None:
    _, end = run(runner, Task(id=1, function="worker_tasks:user_mistake"))
    assert end.outcome == Failed("The batch is empty. Use more images.")
    _, end = run(runner, Task(id=2, function="worker_tasks:bug"))
    assert isinstance(end.outcome, Failed)
    assert "ZeroDivisionError" in end.outcome.message and "in bug" in end.outcome.trace
    _, end = run(runner, Task(id=3, function="worker_tasks:says_failed"))
    assert end.outcome == Failed("the loss is not a number")
    _, end = run(runner, Task(id=4, function="worker_tasks:double", arguments={"number": 1}))
    assert end.outcome == Done({"value": 2})


@pytest.mark.parametrize("name", ["nowhere:f", "worker_tasks:nothing", "no-colon", "worker_tasks:"])
def test_a_function_that_does_not_exist_is_said(runner: Runner, name: str) -> None:
    _, end = run(runner, Task(id=1, function=name))
    assert isinstance(end.outcome, Failed)
    assert not end.outcome.trace
    assert name.split(":")[0] in end.outcome.message


def test_a_verdict_reaches_the_task_before_its_next_epoch(runner: Runner) -> None:
    _, end = run(runner, Task(id=1, function="worker_tasks:asks", arguments={"epochs": 10}))
    assert end.outcome == Pruned({"outcome": "pruned", "epochs": 3})
