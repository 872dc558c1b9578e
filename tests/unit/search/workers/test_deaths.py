"""Whose fault a worker's death is: only deaths in a row, in the same epoch of a trial that had begun, are the trial's."""

from __future__ import annotations

from dataclasses import dataclass, field

from virtual import World

from microtome.jobs.runner import Cancelled, Crashed, Lost, Outcome, Task
from microtome.search.engine import OneTrial
from microtome.search.loop import Again, Answer, Entry, Follow, Later, Loop, Rest
from microtome.search.stopping.schedule import Leg, Scheduler
from microtome.search.workers.deaths import ATTEMPTS, in_a_row


def test_deaths_in_a_row() -> None:
    assert in_a_row(0, Crashed(9), moved=False) == in_a_row(0, Lost(), moved=False) == 1
    assert in_a_row(2, Crashed(9), moved=False) == 3
    assert in_a_row(2, Crashed(9), moved=True) == in_a_row(2, Lost(), moved=True) == 1  # it died in a later epoch
    assert in_a_row(2, Crashed(9, begun=False), moved=False) == 2  # it had not taken the trial yet


class Rungs(Scheduler):
    """A trial waits after its first epoch, and is let go on at once."""

    def first(self, trial: int) -> int:
        return 1

    def next(self) -> Leg | None:
        return Leg(min(self.waiting), 0) if self.waiting else None


@dataclass
class Grave(World):
    """Workers die at the given attempts; an end is judged by the rule of the search."""

    dying: set[int] = field(default_factory=set)
    later: set[int] = field(default_factory=set)  # attempts that are interrupted
    entries: list[Entry] = field(default_factory=list)

    def prepare(self, entry: Entry) -> Task | Answer | Rest | Follow:
        task = super().prepare(entry)
        self.entries.append(entry)
        return task

    def ended(self, entry: Entry, outcome: Outcome, worker: int) -> Answer | Rest | Again | Later:
        if isinstance(outcome, Crashed):
            deaths = in_a_row(entry.deaths, outcome, moved=False)
            return Again(deaths) if deaths < ATTEMPTS else Answer(None)
        if isinstance(outcome, Cancelled):
            return Later()
        return super().ended(entry, outcome, worker)

    def submit(self, task: Task) -> int:
        worker = super().submit(task)
        attempt = self.entries[-1].attempt
        self.slots[task.id].order = "pause" if attempt in self.later else ""
        self.deaths = 1.0 if attempt in self.dying else 0.0
        return worker


def last_of(world: Grave) -> Entry:
    """Run one trial to its end."""
    loop = Loop(OneTrial(), world, world, budget=1, scheduler=world.scheduler)
    while not loop.finished:
        loop.fill()
        loop.collect(1.0)
    return world.entries[-1]


def test_deaths_before_a_rest_do_not_count_after_it() -> None:
    # Two before its rung, two behind it: never three in a row.
    world = Grave(Rungs(4), {1: [0.1, 0.2, 0.3, 0.4]}, dying={1, 2, 4, 5})
    assert last_of(world).attempt == 6
    assert [e.deaths for e in world.entries] == [0, 1, 2, 0, 1, 2]
    assert world.outcomes == {1: "done"}


def test_deaths_before_an_interruption_do_not_count_after_it() -> None:
    world = Grave(Scheduler(4), {1: [0.1, 0.2, 0.3, 0.4]}, dying={1, 2, 4, 5}, later={3})
    assert last_of(world).attempt == 6
    assert [e.deaths for e in world.entries] == [0, 1, 2, 0, 1, 2]
    assert world.outcomes == {1: "done"}


def test_three_in_a_row_are_the_trials_fault() -> None:
    world = Grave(Scheduler(4), {1: [0.1, 0.2, 0.3, 0.4]}, dying={1, 2, 3})
    assert last_of(world).attempt == 3
    assert world.outcomes == {1: "running"}  # nobody said that it came to its end
