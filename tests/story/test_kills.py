"""Whoever is killed at whatever moment: the run goes on, nothing finished is lost or done twice, no process stays behind."""

from __future__ import annotations

import json
import random
import subprocess
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import psutil
import pytest

from microtome.events import EpochEnded, RunEnded, TrialEnded, TrialStarted
from microtome.store.journal import read_all
from microtome.store.run import RunFolder, RunLock

sys.path.insert(0, str(Path(__file__).parents[1] / "unit" / "search"))
from small import make

EPOCHS = 6
SEARCH = {
    "algorithm": "two-points-de",
    "budget": 5,
    "workers": 2,
    "space": {"network.width": {"low": 8, "high": 32}, "training.learning_rate": {"low": 1e-3, "high": 1e-2, "log": True}},
}


def new_run(folder: Path, *, search: bool) -> RunFolder:
    """A training, or a search, of some seconds."""
    sections: dict[str, Any] = {"search": SEARCH} if search else {}
    return make(folder, training={"epochs": EPOCHS}, **sections)


def start(run: RunFolder) -> subprocess.Popen[str]:
    """The driver, as the window starts it."""
    command = [sys.executable, "-m", "microtome", "resume", str(run.path), "--json"]
    # A short pipe: the driver must not come to its end before who reads what it says kills it.
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, pipesize=4096)


def read(driver: subprocess.Popen[str], lines: int) -> list[dict[str, Any]]:
    """The driver's next lines, fewer where it ends."""
    assert driver.stdout is not None
    texts = (driver.stdout.readline() for _ in range(lines))
    return [json.loads(text) for text in texts if text]


def finish(run: RunFolder) -> None:
    """Let a driver go to the end."""
    with start(run) as driver:
        out, err = driver.communicate(timeout=150)
    assert driver.returncode == 0, err
    assert json.loads(out.splitlines()[-1])["event"] == "finished"


def curves(run: RunFolder) -> dict[tuple[int, int], tuple[float, float | None]]:
    """What was measured after each epoch of each trial."""
    ended = [e for e in read_all(run.events) if isinstance(e, EpochEnded)]
    return {(e.trial, e.epoch): (e.validation_accuracy, e.validation_loss) for e in ended}


def check(run: RunFolder, *, search: bool) -> None:
    """The journal is whole: every epoch once, every trial ended once, the run done; nobody works on."""
    events = read_all(run.events)
    trials = range(1, SEARCH["budget"] + 1) if search else range(1, 2)
    epochs = Counter((e.trial, e.epoch) for e in events if isinstance(e, EpochEnded))
    assert epochs == {(trial, epoch): 1 for trial in trials for epoch in range(EPOCHS)}
    ended = Counter(e.trial for e in events if isinstance(e, TrialEnded))
    assert ended == dict.fromkeys(trials, 1)
    assert isinstance(events[-1], RunEnded) and events[-1].state == "done"
    for trial in trials:
        points = {json.dumps(e.parameters) for e in events if isinstance(e, TrialStarted) and e.trial == trial}
        assert len(points) == 1
        # The trial's own log is written after its checkpoint: what is in it was never computed again.
        log = (run.trial(trial) / "log.txt").read_text()
        assert all(log.count(f"epoch {epoch}:") <= 1 for epoch in range(EPOCHS))
    assert RunLock(run).holder() is None


def kill_the_driver(run: RunFolder, moment: int) -> None:
    """Kill it after so many lines; all of its workers must end by themselves."""
    with start(run) as driver:
        read(driver, moment)
        try:
            family = psutil.Process(driver.pid).children(recursive=True)
        except psutil.NoSuchProcess:
            family = []
        driver.kill()
    _, alive = psutil.wait_procs(family, timeout=30)
    assert not alive, "a worker outlived its driver"


def story(folder: Path, moments: list[int], *, search: bool) -> RunFolder:
    run = new_run(folder, search=search)
    for moment in moments:
        before = curves(run) if run.events.exists() else {}
        kill_the_driver(run, moment)
        after = curves(run)
        assert {key: after[key] for key in before} == before
    if not any(isinstance(e, RunEnded) for e in read_all(run.events)):
        finish(run)
    check(run, search=search)
    return run


@pytest.mark.slow
def test_the_driver_of_a_training_is_killed_twice(tmp_path: Path) -> None:
    disturbed = story(tmp_path, random.Random(1).sample(range(5, 12), 2), search=False)
    calm = new_run(tmp_path / "calm", search=False)
    finish(calm)
    assert curves(disturbed) == curves(calm)  # to the bit


def test_the_driver_of_a_search_is_killed(tmp_path: Path) -> None:
    story(tmp_path, [random.Random(2).randrange(8, 25)], search=True)


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(12))
def test_the_driver_is_killed_at_any_moment(tmp_path: Path, seed: int) -> None:
    rng = random.Random(100 + seed)
    story(tmp_path, [rng.randrange(0, 30) for _ in range(rng.randrange(1, 4))], search=bool(seed % 2))


@pytest.mark.parametrize("seed", [3, *(pytest.param(seed, marks=pytest.mark.slow) for seed in range(4, 12))])
def test_a_worker_is_killed_and_the_search_goes_on(tmp_path: Path, seed: int) -> None:
    rng = random.Random(seed)
    run = new_run(tmp_path, search=True)
    with start(run) as driver:
        seen = read(driver, rng.randrange(2, 16))
        workers = [p for p in psutil.Process(driver.pid).children() if "spawn_main" in " ".join(p.cmdline())]
        rng.choice(workers).kill()
        seen += read(driver, 10_000)
        driver.wait(timeout=100)
    assert seen[-1]["event"] == "finished"
    assert driver.returncode == 0
    assert sum(1 for e in seen if e["event"] == "worker-ended") == 1
    check(run, search=True)


WINDOW = """
import sys
from pathlib import Path
from microtome.session import Session
from microtome.store.run import RunFolder
session = Session()
session.open_project(Path(sys.argv[1]))
session.drive(RunFolder.open(Path(sys.argv[2])))
print(session.drivers[Path(sys.argv[2]).name].pid, flush=True)
sys.stdin.read()
"""


def test_the_window_is_killed_and_the_run_is_none_the_worse(tmp_path: Path) -> None:
    run = new_run(tmp_path, search=False)
    project = str(run.path.parent.parent)
    command = [sys.executable, "-c", WINDOW, project, str(run.path)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as window:
        assert window.stdout is not None
        driver = psutil.Process(int(window.stdout.readline()))
        window.kill()
    driver.wait(timeout=100)
    check(run, search=False)
