"""The loop over virtual workers: whatever happens in whatever order, nothing is lost, trained twice or kept waiting."""

from __future__ import annotations

import random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from virtual import World

from microtome.jobs.runner import Cancelled, Done, Outcome, Task
from microtome.registry import registry
from microtome.search.engine import make_engine
from microtome.search.loop import Again, Answer, Elsewhere, Entry, Follow, Later, Loop, Rest
from microtome.search.space import space_from_table
from microtome.search.stopping.rules import make_scheduler
from microtome.search.stopping.schedule import Scheduler
from microtome.search.workers.devices import Devices, gpus

SPACE = space_from_table({"x": {"low": 0.0, "high": 1.0}, "y": {"low": 1, "high": 64, "log": True}, "z": ["a", "b", "c"]})
RULES = ("none", "asha", "asha-stop", "median", "curve")


def curves(count: int, epochs: int, seed: int) -> dict[int, list[float]]:
    """Random curves that rise, with noise; some are flat."""
    rng = random.Random(seed)
    made = {}
    for trial in range(1, count + 1):
        end, speed, noise = rng.random(), rng.uniform(0.2, 2.0), rng.choice((0.0, 0.02, 0.2))
        made[trial] = [end * (1 - (epoch + 1) ** -speed) + rng.uniform(-noise, noise) for epoch in range(epochs)]
    return made


def drive(world: World, *, budget: int, engine: str = "random", speculate: bool = False) -> Loop:
    """Run a search to its end; no worker may be idle while there is work."""
    asks = make_engine(engine, SPACE, budget=budget, seed=world.seed, workers=world.workers)
    loop = Loop(asks, world, world, budget=budget, scheduler=world.scheduler, speculate=speculate)
    while not loop.finished:
        loop.fill()
        if world.idle:
            assert loop.asked >= budget and not loop.queue
            assert world.scheduler.next() is None
        loop.collect(1.0)
    loop.close()
    return loop


@given(
    rule=st.sampled_from(RULES),
    budget=st.integers(1, 25),
    epochs=st.integers(1, 14),
    workers=st.integers(1, 5),
    deaths=st.sampled_from((0.0, 0.05, 0.4)),
    speculate=st.booleans(),
    seed=st.integers(0, 2**20),
)
def test_nothing_is_lost_or_trained_twice_and_the_best_comes_to_its_end(
    rule: str, budget: int, epochs: int, workers: int, deaths: float, speculate: bool, seed: int
) -> None:
    values = curves(2 * budget + workers, epochs, seed)
    world = World(make_scheduler(rule, max_epochs=epochs), values, workers=workers, deaths=deaths, seed=seed)
    loop = drive(world, budget=budget, speculate=speculate)
    asked = range(1, loop.asked + 1)
    assert set(world.outcomes) == set(asked)
    assert set(world.outcomes.values()) <= {"done", "pruned", "dropped"}
    assert max(world.trained.values()) == 1
    for trial in asked:
        assert sorted(e for t, e in world.trained if t == trial) == list(range(world.saved[trial]))
        assert (world.outcomes[trial] == "done") == (world.saved[trial] == epochs)
    extra = [t for t in asked if t > budget]
    assert loop.asked >= budget and set(extra) <= world.early and (speculate or not extra)
    # Whoever was best by what was seen of it has been trained to its end.
    seen = {t: max(values[t][: world.saved[t]]) for t in asked if world.saved[t]}
    best = max(seen.values())
    assert any(world.outcomes[t] == "done" for t in seen if seen[t] == best)
    if rule == "none":
        assert all(world.outcomes[t] == "done" for t in asked if t <= budget)
    # Told the same again, as a journal does, a fresh scheduler is where this one is.
    fresh = make_scheduler(rule, max_epochs=epochs)
    for name, *arguments in world.log:
        getattr(fresh, name)(*arguments)
    assert (fresh.next(), fresh.last(), fresh.waiting) == (
        world.scheduler.next(),
        world.scheduler.last(),
        world.scheduler.waiting,
    )
    assert fresh.curves == world.scheduler.curves


@pytest.mark.parametrize("engine", [n for n in registry().names("search") if n not in ("gp", "ngopt")])
def test_no_worker_waits_for_a_generation(engine: str) -> None:
    # A straggler takes twenty times as long; drive asserts that no worker is idle before the budget is given out.
    world = World(Scheduler(4), curves(40, 4, 7), workers=4, seed=3)
    drive(world, budget=27, engine=engine)
    assert list(world.outcomes.values()).count("done") == 27


def test_promotion_trains_a_fraction_and_finds_the_best_of_honest_curves() -> None:
    rng = random.Random(1)
    ends = [rng.random() for _ in range(60)]
    values = {t: [ends[t - 1] * (1 - 0.5 ** (e + 1)) for e in range(27)] for t in range(1, 61)}
    world = World(make_scheduler("asha", max_epochs=27), values, workers=4)
    drive(world, budget=60)
    assert sum(world.trained.values()) < 0.35 * 60 * 27
    assert world.outcomes[ends.index(max(ends)) + 1] == "done"


def test_speculation_uses_idle_workers_and_gives_way() -> None:
    def run(speculate: bool) -> tuple[World, Any]:
        values = {t: [0.5 + t / 100] * 6 for t in range(1, 20)}
        world = World(Scheduler(6), values, workers=3, seed=5)
        return world, drive(world, budget=4, speculate=speculate)

    calm, _ = run(False)
    world, loop = run(True)
    assert loop.asked > 4 and world.early == set(range(5, loop.asked + 1))
    assert all(world.outcomes[t] == "done" for t in range(1, 5))
    assert world.clock >= calm.clock
    assert all(world.outcomes[t] in ("done", "dropped") for t in world.early)


def test_a_speculation_ends_for_real_work_and_goes_on_when_it_is_wanted() -> None:
    values = {t: [0.9 - t / 100] * 30 for t in range(1, 20)}
    world = World(Scheduler(30), values, workers=2, seed=5)
    loop = Loop(make_engine("random", SPACE, budget=1, seed=0), world, world, budget=1, speculate=True)
    loop.fill()
    assert world.early == {2} and loop.running[2].speculative
    loop.budget = 3
    loop.fill()  # the second is within the budget now: no speculation any more
    assert not loop.running[2].speculative
    world.resize(3)
    loop.fill()
    assert set(loop.running) == {1, 2, 3}
    while not loop.finished:
        loop.fill()
        loop.collect(1.0)
    loop.close()
    assert {world.outcomes[t] for t in (1, 2, 3)} == {"done"}


def test_a_gpu_takes_as_many_trials_as_its_memory_has_room_for() -> None:
    assert Devices(0).room(100) and Devices(0).choose([]) == "auto"
    one = Devices(1)
    assert one.room(0) and not one.room(1)  # nobody knows yet what a trial needs
    one.learn({"memory": 3e9, "memory_total": 10e9})
    assert one.room(2) and not one.room(3)
    one.learn({"memory": 1e9, "memory_total": 10e9})  # a smaller one: the hungriest counts
    assert not one.room(3)
    two = Devices(2)
    assert two.choose([]) == "cuda:0" and two.choose(["cuda:0"]) == "cuda:1"
    assert two.choose(["cuda:0", "cuda:1", "cuda:1"]) == "cuda:0"
    assert two.room(1) and not two.room(2)


def test_the_gpus_that_a_process_may_use(monkeypatch: pytest.MonkeyPatch) -> None:
    for said, count in (("", 0), ("-1", 0), ("0", 1), ("1,3", 2)):
        monkeypatch.setenv("CUDA_VISIBLE_DEVICES", said)
        assert gpus() == count
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES")
    assert gpus() >= 0


class Repeating:
    """An engine of few points, which it proposes again and again."""

    def __init__(self, points: list[int]) -> None:
        self.points = points

    def ask(self) -> dict[str, Any] | None:
        return {"x": self.points.pop(0)} if self.points else None

    def tell(self, parameters: dict[str, Any], value: Any) -> None:
        """Nothing is learnt."""


class Twins(World):
    """A world in which the same point is trained once: twins wait for the first, or for another run that has begun it."""

    def __post_init__(self) -> None:
        super().__post_init__()
        self.first: dict[int, int] = {}
        self.known: dict[int, float] = {}
        self.elsewhere: dict[int, int] = {}  # point → how often it is asked for before the other run has finished it

    def prepare(self, entry: Entry) -> Task | Answer | Rest | Follow | Elsewhere:
        point = entry.parameters["x"]
        if self.elsewhere.get(point, 0) > 0:
            self.elsewhere[point] -= 1
            return Elsewhere()
        if point in self.elsewhere or point in self.known:
            self.outcomes[entry.number] = "reused"
            return Answer(self.known.get(point, 0.5))
        leader = self.first.setdefault(point, entry.number)
        return super().prepare(entry) if leader == entry.number else Follow(leader)

    def ended(self, entry: Entry, outcome: Outcome, worker: int) -> Answer | Rest | Again | Later:
        if isinstance(outcome, Cancelled):
            return Later()
        if isinstance(outcome, Done):
            self.known[entry.parameters["x"]] = outcome.result
        return super().ended(entry, outcome, worker)


@given(
    points=st.lists(st.integers(1, 4), min_size=1, max_size=12),
    workers=st.integers(1, 4),
    deaths=st.sampled_from((0.0, 0.3)),
    pauses=st.sets(st.integers(1, 30), max_size=4),
    elsewhere=st.dictionaries(st.integers(1, 4), st.integers(0, 3), max_size=2),
    seed=st.integers(0, 2**20),
)
def test_twins_of_trials_that_die_or_are_interrupted_never_wait_in_vain(
    points: list[int], workers: int, deaths: float, pauses: set[int], elsewhere: dict[int, int], seed: int
) -> None:
    count = len(points)
    world = Twins(Scheduler(3), {t: [0.5] * 3 for t in range(1, count + 1)}, workers=workers, deaths=deaths, seed=seed)
    world.elsewhere = dict(elsewhere)
    loop = Loop(Repeating(list(points)), world, world, budget=count)
    turns = 0
    while not loop.finished:
        turns += 1
        assert turns < 1000, "the search waits for ever"
        loop._asked_again = -1e9  # other runs are looked for at once
        if turns in pauses:
            loop.interrupt()
        loop.fill()
        loop.collect(1.0)
    assert loop.asked == count and set(world.outcomes.values()) <= {"done", "reused"}
    assert sorted(world.outcomes) == list(range(1, count + 1))
    assert list(world.outcomes.values()).count("done") == len(set(points) - set(elsewhere)), "each point is trained once"
