"""Several processes that share every batch train what one trains, go on where they were stopped, and leave nothing behind."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import pytest
from safetensors.numpy import load_file
from tests.unit.training.conftest import write_textures

from microtome.events import Event, Note
from microtome.jobs.local import LocalRunner
from microtome.jobs.runner import Cancelled, Crashed, Ended, Message, Report, Task
from microtome.slices.imageset import ImageSet
from microtome.training.changes import Changes
from microtome.training.checkpoint import NAME, PART
from microtome.training.distributed import Crew
from microtome.training.ranks import places
from microtome.training.spec import ImportanceSpec, NetworkChoice, TransferSpec, TrialSpec, training_settings
from microtome.training.trial import run_trial

NETWORK = {"convolutions": 2, "dense": 1, "width": 4, "dense_width": 16, "batch_norm": True, "dropout": 0.0}
ENTRY = "microtome.training.trial:run_trial"
KINDS: dict[str, dict[str, Any]] = {
    # 51 images in batches of 8: 7 of 7 or 8, of which a process has 3 or 4
    "plain": {"training": {"schedule": "one-cycle", "balance": "weights", "label_smoothing": 0.1, "ema": 0.9}},
    "chosen": {
        "training": {"augmentations": ["rotation", "mixup"], "weight_decay": 0.01},
        "importance": ImportanceSpec(candidates=2, share=0.5),
        "transfer": TransferSpec(head_epochs=1),
        "at_once": 2,
        "batch_norm": False,  # which would look at two images at once
    },
}


@pytest.fixture(scope="module")
def image_set(tmp_path_factory: pytest.TempPathFactory) -> ImageSet:
    return write_textures(tmp_path_factory.mktemp("distributed") / "set", counts=(17, 5, 5))


def spec_of(image_set: ImageSet, folder: Path, kind: str = "plain", devices: int = 2, **network: Any) -> TrialSpec:
    wishes = KINDS[kind]
    settings = {"epochs": 2, "batch_size": 8, "learning_rate": 0.03, "optimizer": "sgd", "momentum": 0.9, "devices": devices}
    folder.mkdir()
    Changes(at_once=wishes.get("at_once", 0)).save(folder)
    return TrialSpec(
        image_set=str(image_set.path),
        image_set_hash=image_set.hash,
        network=NetworkChoice(parameters={**NETWORK, "batch_norm": wishes.get("batch_norm", True), **network}),
        training=training_settings({**settings, **wishes["training"]}),
        transfer=wishes.get("transfer", TransferSpec()),
        importance=wishes.get("importance", ImportanceSpec()),
        folder=str(folder),
        device="cpu",
        threads=1,
    )


def found(spec: TrialSpec) -> tuple[list[dict[str, Any]], dict[str, np.ndarray[Any, Any]]]:
    """The curve and the weights in a finished trial's folder."""
    folder = Path(spec.folder)
    lines = json.loads((folder / "result.json").read_text())["history"]
    clock = ("time", "seconds", "images_per_second")
    curve = [{k: v for k, v in json.loads(line).items() if k not in clock} for line in lines]
    return curve, load_file(folder / "model.safetensors")


@pytest.mark.slow
@pytest.mark.parametrize("kind", KINDS)
def test_two_processes_train_what_one_trains(image_set: ImageSet, tmp_path: Path, kind: str) -> None:
    specs = [spec_of(image_set, tmp_path / f"of-{devices}", kind, devices) for devices in (1, 2)]
    events: list[Event] = []
    for spec in specs:
        assert run_trial(spec.to_json(), events.append, lambda: "")["outcome"] == "done"
    (one, weights), (two, others) = map(found, specs)
    assert len(one) == 2
    for alone, shared in zip(one, two, strict=True):
        for name in ("train_loss", "validation_loss"):
            assert shared[name] == pytest.approx(alone[name], rel=1e-6)
        for name in ("train_accuracy", "validation_accuracy", "per_class", "confusion", "learning_rate"):
            assert shared[name] == alone[name]
    assert weights.keys() == others.keys()
    for name, values in weights.items():
        np.testing.assert_allclose(others[name], values, rtol=1e-4, atol=1e-6, err_msg=name)
    assert specs[0].key() == specs[1].key()


RANK = """
import json, sys
from microtome.training.trial import run_rank
spec, rank, meeting, most = json.loads(sys.argv[1]), int(sys.argv[2]), sys.argv[3], int(sys.argv[4])
asked = iter([""] * most + ["pause"])
run_rank(spec, lambda event: None, lambda: next(asked), rank=rank, size=2, meeting=meeting, trial=0)
"""


@pytest.mark.slow
def test_stopped_in_mid_epoch_they_go_on_as_if_never_stopped(image_set: ImageSet, tmp_path: Path) -> None:
    # Dropout, whose numbers are the processes' own, must go on, too.
    whole, stopped = (spec_of(image_set, tmp_path / name, dropout=0.3) for name in ("whole", "stopped"))
    run_trial(whole.to_json(), lambda event: None, lambda: "")
    arguments = [sys.executable, "-c", RANK, json.dumps(stopped.to_json())]
    meeting = str(tmp_path / "meeting")
    processes = [subprocess.Popen([*arguments, str(rank), meeting, "10"]) for rank in (0, 1)]
    assert [process.wait(timeout=120) for process in processes] == [0, 0]
    assert Path(stopped.folder, PART).exists() and Path(stopped.folder, NAME).exists()  # in the second of two epochs of 7
    assert run_trial(stopped.to_json(), lambda event: None, lambda: "")["outcome"] == "done"
    (one, weights), (two, others) = found(whole), found(stopped)
    assert one == two
    for name, values in weights.items():
        np.testing.assert_array_equal(others[name], values, err_msg=name)


@pytest.fixture
def runner(tmp_path: Path) -> Iterator[LocalRunner]:
    made = LocalRunner(1, logs=tmp_path / "logs", warm=("microtome.training.trial",))
    yield made
    made.close()


def until(runner: LocalRunner, kind: type[Message]) -> Any:
    """Poll for a message of a kind."""
    for _ in range(600):
        for message in runner.poll(0.2):
            if isinstance(message, kind):
                return message
            assert not isinstance(message, Ended), message
    raise AssertionError(f"no {kind.__name__} came")


def ranks(runner: LocalRunner) -> list[psutil.Process]:
    """The processes that the runner's worker has started for its training."""
    children = psutil.Process(runner.pids()[0]).children()
    return [child for child in children if "spawn_main" in " ".join(child.cmdline())]


@pytest.mark.slow
def test_a_death_ends_the_trial_and_leaves_no_process(image_set: ImageSet, tmp_path: Path, runner: LocalRunner) -> None:
    spec = spec_of(image_set, tmp_path / "trial")
    endless = replace(spec, training=replace(spec.training, epochs=10_000, schedule="constant"))
    task = Task(id=1, function=ENTRY, arguments={"spec": endless.to_json()})
    runner.submit(task)
    until(runner, Report)
    first = ranks(runner)
    assert len(first) == 2
    first[1].kill()
    outcome = until(runner, Ended).outcome
    assert isinstance(outcome, Crashed) and outcome.signal == 9 and "microtome-rank-1" in outcome.log
    # Its worker lives, and trains it on: asked to stop, they all stop; where their worker is killed, they end by themselves.
    runner.submit(task)
    until(runner, Report)
    second = ranks(runner)
    runner.cancel(1, "pause")
    assert isinstance(until(runner, Ended).outcome, Cancelled)
    assert Path(spec.folder, PART).exists() or Path(spec.folder, NAME).exists()
    runner.submit(task)
    until(runner, Report)
    third = ranks(runner)
    psutil.Process(runner.pids()[0]).kill()
    gone, alive = psutil.wait_procs([*first, *second, *third], timeout=20)
    assert alive == [] and len(gone) == 6


NARROW = '''
from microtome.plugin import network


@network(name="narrow", label="Narrow", minimum_size=8, any_size=True)
def narrow(channels, classes, image_size):
    """A network whose memory holds three images at once."""
    import torch

    class Narrow(torch.nn.Sequential):
        def forward(self, images):
            if self.training and len(images) > 3:
                raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB.")
            return super().forward(images)

    return Narrow(torch.nn.Flatten(), torch.nn.Linear(channels * image_size**2, classes))
'''


@pytest.mark.slow
def test_where_memory_ends_all_begin_again_with_less(
    image_set: ImageSet, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "home" / "data" / "plugins" / "networks").mkdir(parents=True)
    (tmp_path / "home" / "data" / "plugins" / "networks" / "narrow.py").write_text(NARROW)
    monkeypatch.setenv("MICROTOME_HOME", str(tmp_path / "home"))
    spec = replace(spec_of(image_set, tmp_path / "trial"), network=NetworkChoice(name="narrow"))
    events: list[Event] = []
    assert run_trial(spec.to_json(), events.append, lambda: "")["outcome"] == "done"
    notes = [event.text for event in events if isinstance(event, Note)]
    assert [text.split(":")[0] for text in notes] == ["The memory holds no 4 images at once"]
    assert Changes.load(Path(spec.folder)).at_once == 2


def test_as_many_processes_as_have_work_and_a_gpu(image_set: ImageSet, tmp_path: Path) -> None:
    spec = spec_of(image_set, tmp_path / "trial", devices=4)
    assert places(spec, 0, (51, 15)) == (["cpu"] * 4, "")
    assert places(replace(spec, device="auto"), 8, (51, 15)) == ([f"cuda:{n}" for n in range(4)], "")
    assert places(replace(spec, device="cuda:6"), 8, (51, 15))[0] == ["cuda:6", "cuda:7", "cuda:0", "cuda:1"]
    fewer, why = places(replace(spec, device="auto"), 2, (51, 15))
    assert fewer == ["cuda:0", "cuda:1"] and "4 GPUs are asked for" in why
    fewer, why = places(spec, 0, (51, 3))
    assert len(fewer) == 3 and "No more than 3" in why
    assert len(places(spec, 0, (5, 15))[0]) == 4 and len(places(spec, 0, (9, 15))[0]) == 4
    assert len(places(spec, 0, (3, 15))[0]) == 3


@pytest.mark.parametrize("count", [2, 3, 7, 8])
@pytest.mark.parametrize("at_once", [0, 2, 3])
def test_every_process_takes_as_many_steps_over_its_share(count: int, at_once: int) -> None:
    most = -(-count // 2)
    shares = [Crew._parts(own, most, at_once) for own in (count // 2, most)]
    assert len(shares[0]) == len(shares[1])
    for own, parts in zip((count // 2, most), shares, strict=True):
        rows = [row for part in parts for row in range(own)[part]]
        assert rows == list(range(own))
        assert all(1 <= part.stop - part.start <= (at_once or count) for part in parts)
