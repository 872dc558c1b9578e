"""Workers of a real cluster with TLS: words, deaths, newcomers, files and plugins that travel, and a scheduler that is gone."""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from microtome.errors import InputError
from microtome.jobs.cluster import Member, Scheduler
from microtome.jobs.clustered import ClusterRunner
from microtome.jobs.runner import Cancelled, Done, Ended, Lost, Message, Pruned, Report, Task
from microtome.paths import user_plugins
from microtome.store.atomic import write_json


def _kit() -> ModuleType:
    spec = importlib.util.spec_from_file_location("cluster_kit", Path(__file__).with_name("cluster_kit.py"))
    assert spec is not None and spec.loader is not None
    module = sys.modules[spec.name] = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    made = _kit().Cluster(tmp_path_factory.mktemp("cluster"), workers=1)
    yield made
    made.close()


@pytest.fixture
def runner(cluster: Any, tmp_path: Path) -> Iterator[ClusterRunner]:
    with ClusterRunner(cluster.place(send_files=True), folder=tmp_path) as made:
        yield made


def until(runner: ClusterRunner, true: Callable[[list[Message]], bool]) -> list[Message]:
    """Poll until the messages say so; the test's own time limit ends what never comes."""
    messages: list[Message] = []
    while not true(messages):
        messages += runner.poll(0.1)
    return messages


def ended(messages: list[Message]) -> Any:
    """The outcome, once there is one."""
    return next((m.outcome for m in messages if isinstance(m, Ended)), None)


def reported(messages: list[Message]) -> bool:
    """Whether the task has said anything."""
    return any(isinstance(m, Report) for m in messages)


def do(runner: ClusterRunner, task: Task) -> Any:
    """The outcome of a task."""
    until(runner, lambda _: runner.idle > 0)
    runner.submit(task)
    return ended(until(runner, lambda m: ended(m) is not None))


@pytest.mark.slow
def test_words_reach_a_task_and_plugins_travel(runner: ClusterRunner) -> None:
    file = user_plugins() / "networks" / "mine.py"
    file.parent.mkdir(parents=True)
    file.write_text(
        'from microtome.plugin import network\n\n@network("from-afar")\n'
        "def mine(channels: int, classes: int, image_size: int) -> object:\n    raise NotImplementedError\n"
    )
    assert "from-afar" in do(runner, Task(id=1, function="worker_tasks:networks")).result
    file.unlink()
    assert "from-afar" not in do(runner, Task(id=2, function="worker_tasks:networks")).result
    for how, kind in (("prune", Pruned), ("pause", Cancelled), ("kill", Cancelled)):
        until(runner, lambda _: runner.idle > 0)
        runner.submit(Task(id=3, function="worker_tasks:wait_for_word"))
        until(runner, reported)
        assert runner.idle == 0
        runner.cancel(3, how)  # type: ignore[arg-type]
        assert isinstance(ended(until(runner, lambda m: ended(m) is not None)), kind)


@pytest.mark.slow
def test_files_travel_before_an_epoch_is_told(runner: ClusterRunner, tmp_path: Path) -> None:
    images, folder = tmp_path / "images", tmp_path / "trial"
    images.mkdir()
    folder.mkdir()
    write_json(images / "plan.json", {"hash": "abc"})
    (images / "images.npy").write_bytes(b"0" * 100)
    (images / "empty.csv").touch()
    for name in ("checkpoint", "part"):
        (folder / f"{name}.safetensors").write_text("first")
    spec = {"folder": str(folder), "image_set": str(images)}
    until(runner, lambda _: runner.idle > 0)
    runner.submit(Task(id=1, function="worker_tasks:writes", arguments={"spec": spec}))
    until(runner, reported)
    assert (folder / "checkpoint.safetensors").read_text() == "second"
    assert str(images) in (folder / "params.json").read_text()
    runner.cancel(1, "stop")
    outcome = ended(until(runner, lambda m: ended(m) is not None))
    assert outcome.result["before"] == "first" and outcome.result["images"] == ["empty.csv", "images.npy", "plan.json"]
    assert outcome.result["folder"] != str(folder) and not Path(outcome.result["folder"]).exists()
    assert {p.name for p in folder.iterdir()} == {"checkpoint.safetensors", "params.json", "result.json"}


@pytest.mark.slow
def test_a_dead_worker_is_said_and_a_newcomer_is_used_until_the_scheduler_goes(cluster: Any, tmp_path: Path) -> None:
    reasons: list[str] = []
    with ClusterRunner(cluster.place(), folder=tmp_path, gave_up=reasons.append, patience=0) as runner:
        until(runner, lambda _: runner.idle > 0)
        runner.submit(Task(id=1, function="worker_tasks:wait_for_word"))
        until(runner, reported)
        cluster.workers[0].kill()
        assert isinstance(ended(until(runner, lambda m: ended(m) is not None)), Lost)
        cluster.join()
        assert do(runner, Task(id=2, function="worker_tasks:double", arguments={"number": 2})) == Done({"value": 4})
        until(runner, lambda _: runner.idle > 0)
        runner.submit(Task(id=3, function="worker_tasks:wait_for_word"))
        until(runner, reported)
        cluster.scheduler.kill()
        assert isinstance(ended(until(runner, lambda m: ended(m) is not None)), Lost)
        until(runner, lambda _: bool(reasons))
        assert "can go on later" in reasons[0] and runner.idle == 0
        runner.submit(Task(id=4, function="worker_tasks:double"))
        assert runner.poll(1.0) == [Ended(4, Cancelled())]


@pytest.mark.parametrize(
    ("scheduler", "words"),
    [
        (Scheduler("head:8786"), "not a scheduler's address"),
        (Scheduler("tls://head"), "not a scheduler's address"),
        (Scheduler("tls://head:8786"), "file of the authority"),
        (Scheduler("tcp://head:8786", "a.pem"), "not encrypted"),
        (Scheduler("tls://head:8786", "a.pem", "b.pem", "c.pem"), "a.pem does not exist"),
    ],
)
def test_a_wrong_place_is_said(scheduler: Scheduler, words: str) -> None:
    with pytest.raises(InputError, match=words):
        scheduler.check()


def test_a_worker_of_another_version_is_refused_in_a_sentence() -> None:
    member = Member("tls://w:1", "p", "w", 4, "1.0", "2.7.0+cu128", sees=False, busy="")
    assert member.refusal("1.0", "2.7.0+cpu") == ""
    assert "has Microtome 1.0, this computer has 1.1" in member.refusal("1.1", "2.7.0")
    assert "has torch 2.7.0+cu128, this computer has 2.6.0" in member.refusal("1.0", "2.6.0")
