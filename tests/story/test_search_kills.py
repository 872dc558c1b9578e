"""Driver and workers of searches are killed at random moments: in the end all is as if nothing had happened."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import uuid
from collections import Counter, deque
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import IO, Any

import psutil
import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from microtome.events import EpochEnded, RunEnded, TrialEnded, TrialStarted, Unknown, WorkerEnded
from microtome.search.known.ledger import Ledger
from microtome.search.records import Records
from microtome.store.journal import read_all
from microtome.store.locked import try_lock
from microtome.store.run import RunFolder, RunLock

HERE = Path(__file__).parent
sys.path[:0] = [str(HERE), str(HERE.parent / "unit" / "search")]
from cheap_trial import BEGUN  # noqa: E402 - found by the line above
from small import make  # noqa: E402

_MARK = "MICROTOME_STORY"  # in the environment of a story's processes, by which orphans are found
_LIVES = 40  # drivers of one search at most

SPACE = {"network.width": {"low": 4, "high": 40}, "training.learning_rate": {"low": 1e-4, "high": 1e-1, "log": True}}
GRID = {"network.width": {"choices": list(range(4, 12))}, "training.learning_rate": {"choices": [1e-4, 1e-3, 3e-3, 1e-2]}}


@dataclass(frozen=True)
class Blow:
    """One moment at which a search is struck, and who is killed then."""

    lines: int  # of what the driver says, before it; 0 at first: while the driver starts
    wait: float  # seconds more
    workers: tuple[int, ...] = ()  # which of those that live, one after another; none: the driver
    between: float = 0.0  # seconds from one to the next


MOMENTS = st.floats(0, 0.05)
BLOWS = st.one_of(
    st.builds(Blow, lines=st.just(0), wait=st.floats(0, 1.2)),
    st.builds(Blow, lines=st.integers(1, 12), wait=MOMENTS),
    # A trial is killed twice at most before it comes further: a third time would count as its own fault.
    *2 * [st.builds(Blow, lines=st.integers(0, 12), wait=MOMENTS, workers=st.tuples(st.integers(0, 1)), between=MOMENTS)],
    st.builds(
        Blow, lines=st.integers(0, 12), wait=MOMENTS, workers=st.tuples(*2 * [st.integers(0, 1)]), between=st.floats(0, 0.4)
    ),
)


@dataclass
class Story:
    """A search that is killed again and again."""

    run: RunFolder
    cheap: bool
    plan: deque[Blow] = field(default_factory=deque)
    mark: str = field(default_factory=lambda: uuid.uuid4().hex)
    workers_killed: int = 0
    drivers_killed: int = 0
    _victims: list[psutil.Process] = field(default_factory=list)

    @property
    def kills(self) -> int:
        return self.workers_killed + self.drivers_killed

    def start(self, errors: IO[bytes]) -> subprocess.Popen[bytes]:
        """A new driver."""
        ways = [str(HERE / "cheap_trial.py")] if self.cheap else ["-m", "microtome", "resume", "--json"]
        paths = os.pathsep.join([str(HERE), *filter(None, [os.environ.get("PYTHONPATH")])])
        environment = {**os.environ, _MARK: self.mark, "PYTHONPATH": paths}
        command = [sys.executable, *ways, str(self.run.path)]
        # A short pipe: the driver must not run far ahead of who reads what it says, and kills it then.
        return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=errors, env=environment, pipesize=4096)

    def processes(self) -> list[psutil.Process]:
        """All that this story has started and that is alive, whoever its parent is now."""
        found = []
        for process in psutil.process_iter():
            try:
                if process.environ().get(_MARK) == self.mark and process.status() != psutil.STATUS_ZOMBIE:
                    found.append(process)
            except psutil.Error:
                continue
        return found

    def tell(self) -> None:
        """Strike as planned, or until the search is done; then let it come to its end."""
        for _ in range(_LIVES):
            self._live()
            if self.ended():
                return
        raise AssertionError(f"the search has not come to its end with {_LIVES} drivers")

    def ended(self) -> bool:
        """Whether the run has come to its end."""
        events = read_all(self.run.events) if self.run.events.exists() else []
        return bool(events) and isinstance(events[-1], RunEnded) and events[-1].state == "done"

    def _live(self) -> None:
        """One driver, and the blows that it suffers."""
        before = measured(self.run)
        with open(self.run.path.parent / "errors.txt", "ab") as errors, self.start(errors) as driver:
            self._haunt(driver)
            assert driver.stdout is not None
            rest = driver.stdout.read()
        killed = driver.returncode == -9
        assert killed or driver.returncode == 0, (self.run.path.parent / "errors.txt").read_text()[-3000:] + str(rest[-500:])
        _, alive = psutil.wait_procs(self.processes(), timeout=30)
        assert not alive, "a worker outlived its driver"
        after = measured(self.run)
        assert {key: after.get(key) for key in before} == before, "an epoch was lost"

    def _haunt(self, driver: subprocess.Popen[bytes]) -> None:
        """Strike until the driver itself is hit, or at its end."""
        watch, pace = Watch(driver), 1 if self.cheap else 4
        while self.plan:
            blow = self.plan.popleft()
            if not watch.lines(blow.lines):
                return
            self._wait(driver, pace * blow.wait)
            if not blow.workers:
                self.drivers_killed += self._kill(driver)
                return
            deaths = 0
            for which in blow.workers:
                deaths += self._kill_a_worker(driver, which)
                self._wait(driver, pace * blow.between)
            self.workers_killed += deaths
            watch.until_all_move(deaths)

    def _wait(self, driver: subprocess.Popen[bytes], seconds: float) -> None:
        try:
            driver.wait(timeout=seconds)
        except subprocess.TimeoutExpired:
            return

    def _kill(self, driver: subprocess.Popen[bytes]) -> int:
        """1 where it was still alive."""
        if driver.poll() is not None:
            return 0
        driver.kill()
        return 1

    def _kill_a_worker(self, driver: subprocess.Popen[bytes], which: int) -> int:
        """1 where there was one that was still alive."""
        try:
            children = psutil.Process(driver.pid).children()
            workers = [p for p in children if p not in self._victims and "spawn_main" in " ".join(p.cmdline())]
            if workers:
                self._victims.append(sorted(workers, key=lambda p: p.pid)[which % len(workers)])
                self._victims[-1].kill()
            return min(1, len(workers))
        except psutil.Error:
            return 0


class Watch:
    """Follows what a driver says."""

    def __init__(self, driver: subprocess.Popen[bytes]) -> None:
        self._out = driver.stdout
        self._running: set[int] = set()
        self._still: set[int] = set()  # trials that have not come further since they were looked at
        self._from: dict[int, int] = {}  # trial → the epoch from which on it is news
        self._deaths = self._awaited = 0  # of workers, so far

    def lines(self, count: int) -> bool:
        """Read so many lines; False where it ended before."""
        return all(self._line() for _ in range(count))

    def until_all_move(self, deaths: int) -> bool:
        """Read until so many more deaths were noticed, and every trial that ran then has come further."""
        self._awaited += deaths
        while self._deaths < self._awaited:
            if not self._line():
                return False
        self._still = set(self._running)
        while self._still:
            if not self._line():
                return False
        return True

    def _line(self) -> bool:
        assert self._out is not None
        text = self._out.readline()
        if not text:
            return False
        event = json.loads(text)
        match event.get("event"):
            case "trial-started":
                self._running.add(event["trial"])
                self._from[event["trial"]] = event["start_epoch"]
            case "worker-ended":
                self._deaths += 1
            case "epoch" if event["epoch"] >= self._from[event["trial"]]:  # none that was saved before, and is told now
                self._still.discard(event["trial"])
            case "trial-ended" | "trial-paused":
                self._running.discard(event["trial"])
                self._still.discard(event["trial"])
        return True


# --- what must be true in the end


def measured(run: RunFolder) -> dict[tuple[int, int], tuple[float, float | None]]:
    """What was measured after each epoch of each trial."""
    events = read_all(run.events) if run.events.exists() else []
    return {(e.trial, e.epoch): (e.validation_accuracy, e.validation_loss) for e in events if isinstance(e, EpochEnded)}


def known(run: RunFolder) -> dict[str, tuple[float | None, int | None, list[float | None]]]:
    """What the ledger has: the value, the best epoch and the losses of each key."""
    ledger = Ledger(run.path.parent)
    keys = [key for key, _ in ledger]
    found = [(key, ledger.find(key)) for key in keys]
    return {key: (f.value, f.best_epoch, [e.train_loss for e in f.history]) for key, f in found if f is not None}


def curves_of_keys(run: RunFolder) -> dict[tuple[str, int], tuple[float, float | None]]:
    """What was measured after each epoch of each key, finished or not."""
    keys = {e.trial: e.key for e in read_all(run.events) if isinstance(e, TrialStarted) and e.key}
    return {(keys[trial], epoch): value for (trial, epoch), value in measured(run).items()}


def check_journal(run: RunFolder, *, budget: int, epochs: int) -> None:
    """Every epoch is there once, every trial ended once, in one point, and the run is done."""
    events = read_all(run.events)
    assert not [e for e in events if isinstance(e, Unknown)]
    assert isinstance(events[-1], RunEnded) and events[-1].state == "done"
    counted = Counter((e.trial, e.epoch) for e in events if isinstance(e, EpochEnded))
    assert set(counted.values()) == {1}
    records = Records.of(events)
    trials = range(1, max(budget, *records.trials) + 1)  # those beyond the budget were begun early
    assert all(records.trials[number].outcome == "dropped" for number in trials[budget:])
    assert Counter(e.trial for e in events if isinstance(e, TrialEnded)) == dict.fromkeys(trials, 1)
    assert sorted(records.trials) == list(trials)
    for record in records.trials.values():
        assert sorted(record.epochs) == list(range(len(record.epochs)))
        assert record.outcome != "done" or len(record.epochs) == epochs
        assert record.outcome in ("done", "reused", "pruned", "dropped")
    points = {(e.trial, json.dumps(e.parameters), e.key) for e in events if isinstance(e, TrialStarted)}
    assert len(points) == len(trials)
    trained = Counter(r.key for r in records.trials.values() if not r.reused_from)
    assert set(trained.values()) == {1}, "the same was trained twice"


def check_work(story: Story) -> None:
    """No epoch was computed twice beyond those that were under way when their worker died."""
    again = 0
    for folder in (story.run.path / "trials").iterdir():
        log = (folder / "log.txt").read_text() if (folder / "log.txt").exists() else ""
        done = Counter(line.split("epoch ")[1].split(":")[0] for line in log.splitlines() if "epoch " in line and ":" in line)
        if story.cheap:
            begun = (folder / BEGUN).read_text().split() if (folder / BEGUN).exists() else []
            again += len(begun) - len(set(begun))
            assert set(done) <= set(begun)
            # It is written after the checkpoint: what is in it was never computed again.
            assert all(number == 1 for number in done.values())
    assert again <= story.workers_killed + 2 * story.drivers_killed


def check_remains(story: Story) -> None:
    """No process, no lock that is held, no torn or half-written file."""
    assert story.processes() == []
    assert RunLock(story.run).holder() is None
    project = story.run.path.parent.parent
    for path in project.rglob("*"):
        assert not path.name.endswith(".part"), path
        if path.suffix == ".json":
            json.loads(path.read_text())
    for claim in (project / ".cache" / "claims").iterdir():
        with open(claim, "r+b") as file:
            assert try_lock(file, at=512), "a claim outlived its search"


@dataclass(frozen=True)
class Way:
    """How a search proposes and stops. `strict`: whoever dies, the same trials come to the same ends."""

    search: dict[str, Any]
    strict: bool = False
    budget: int = 40
    epochs: int = 4
    cheap: bool = True

    def story(self, folder: Path, plan: Iterable[Blow] = ()) -> Story:
        """A new search."""
        search = {"workers": 2, "seed": 3, "space": SPACE, "budget": self.budget, **self.search}
        return Story(make(folder, training={"epochs": self.epochs}, search=search), self.cheap, deque(plan))

    def tell(self, story: Story) -> None:
        """From its beginning to its end."""
        story.tell()
        check_journal(story.run, budget=self.budget, epochs=self.epochs)

    def compare(self, calm: Story, folder: Path, plan: Iterable[Blow], *, cutting: bool = True) -> int:
        """The same search with blows beside the undisturbed one; returns how many were killed.

        `cutting`: its slices are cut again, and blows may hit that too.
        """
        killed = self.story(folder, plan)
        if not cutting:
            sets = [story.run.path.parents[1] / "imagesets" for story in (calm, killed)]
            shutil.copytree(*sets, dirs_exist_ok=True)
        self.tell(killed)
        check_work(killed)
        check_remains(killed)
        deaths = sum(isinstance(e, WorkerEnded) for e in read_all(killed.run.events))
        assert deaths <= killed.workers_killed
        one, two = curves_of_keys(calm.run), curves_of_keys(killed.run)
        assert all(two[key] == one[key] for key in one.keys() & two.keys())
        if self.strict:
            assert known(killed.run) == known(calm.run)
            assert two == one
            best = [Records.of(read_all(story.run.events)).best() for story in (calm, killed)]
            assert best[0] is not None and best[1] is not None
            assert (best[0].number, best[0].value) == (best[1].number, best[1].value)
        return killed.kills


FIXED = {"early_stopping": "none"}
WAYS = {
    "grid": Way({"algorithm": "grid", "space": GRID, **FIXED}, strict=True, budget=32),
    "random": Way({"algorithm": "random", **FIXED}, strict=True),
    "random-asha": Way({"algorithm": "random", "early_stopping": "asha"}, epochs=9, budget=60),
    "tpe-asha": Way({"algorithm": "tpe", "early_stopping": "asha"}, epochs=9, budget=60),
    "de": Way({"algorithm": "two-points-de", **FIXED}),
    "speculating": Way({"algorithm": "tpe", "early_stopping": "asha", "speculate": True}, epochs=9, budget=60),
    # One after another: what the engine proposes, and who goes on, follows from what it was told, whoever dies.
    "tpe-asha-alone": Way({"algorithm": "tpe", "early_stopping": "asha", "workers": 1}, strict=True, epochs=9, budget=60),
    "de-alone": Way({"algorithm": "two-points-de", "workers": 1, **FIXED}, strict=True),
}
EACH = 26  # kills of a way: more than two hundred of all


def test_some_kills(tmp_path: Path) -> None:
    way = Way({"algorithm": "grid", "space": GRID, **FIXED}, strict=True, budget=20)
    calm = way.story(tmp_path / "calm")
    way.tell(calm)
    plan = [Blow(9, 0.0, (0,)), Blow(4, 0.0, (1, 0), 0.1), Blow(4, 0.02)]
    assert way.compare(calm, tmp_path / "killed", plan, cutting=False) >= 3


@pytest.mark.slow
@pytest.mark.timeout(400)
@pytest.mark.parametrize("name", list(WAYS))
def test_many_kills(tmp_path: Path, name: str) -> None:
    way = WAYS[name]
    calm = way.story(tmp_path / "calm")
    way.tell(calm)
    kills: list[int] = []

    # Nothing is shrunk: what a blow hits depends on the machine's own moments too.
    @settings(max_examples=8, deadline=None, phases=(Phase.generate,), database=None)
    @given(plan=st.lists(BLOWS, min_size=10, max_size=14))
    def struck(plan: list[Blow]) -> None:
        if sum(kills) < EACH:
            kills.append(way.compare(calm, tmp_path / f"killed-{len(kills)}", plan, cutting=not kills))

    struck()
    print(f"{name}: {kills} killed")
    assert sum(kills) >= EACH


@pytest.mark.slow
@pytest.mark.timeout(400)
@pytest.mark.parametrize("name", ["random", "random-asha"])
def test_kills_of_real_trainings(tmp_path: Path, name: str) -> None:
    # Few and long: none comes to its end while another one's worker imports torch again.
    way = replace(WAYS[name], cheap=False, budget=3, epochs=60)
    calm = way.story(tmp_path / "calm")
    way.tell(calm)
    plan = [Blow(9, 0.02, (0,)), Blow(2, 0.01, (1, 0), 0.1), Blow(5, 0.01), Blow(9, 0.0, (0,)), Blow(3, 0.0)]
    assert way.compare(calm, tmp_path / "killed", plan) >= 5
