"""Axes and where trials lie on them; fronts; how workers were used."""

from __future__ import annotations

import msgspec
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from made_search import SPACE, made_search

from microtome.events import Event, RunEnded, RunStarted, StateChanged, TrialEnded, TrialPaused, TrialStarted
from microtome.results.axes import Axis, axes_of, places
from microtome.results.fold import RunState, fold_all
from microtome.results.pareto import nondominated, pareto_front
from microtome.results.worker_use import worker_use
from microtome.search.space import space_from_table


@pytest.fixture(scope="module")
def state() -> RunState:
    return fold_all(made_search(80))


def test_places_are_those_of_each_value_alone(state: RunState) -> None:
    axes = axes_of(state, {p.name: p for p in space_from_table(SPACE)})
    trials = list(state.trials.values())
    found = places(trials, axes)
    for row, trial in zip(found, trials, strict=True):
        for at, axis in zip(row, axes, strict=True):
            value = trial.parameters.get(axis.name) if axis.name else trial.value and 100 * trial.value
            alone = axis.place(value)
            assert (np.isnan(at) and alone is None) or at == pytest.approx(alone)
    momentum = [a.name for a in axes].index("training.momentum")
    assert 0 < np.isnan(found[:, momentum]).sum() < len(trials), "an axis that only some trials have"


@given(st.floats(0, 1), st.sampled_from([Axis("a", "A", 1e-5, 0.1, True), Axis("a", "A", -3.0, 7.0), Axis("a", "A", 2.0, 2.0)]))
def test_a_value_lies_where_it_was_taken_from(share: float, axis: Axis) -> None:
    back = axis.place(axis.value_at(share))
    assert back == pytest.approx(share if axis.high > axis.low else 0.5, abs=1e-6)


def test_choices_and_whole_numbers_are_taken_whole() -> None:
    assert [Axis("a", "A", choices=("x", "y", "z")).value_at(s) for s in (0.0, 0.4, 1.0)] == ["x", "y", "z"]
    assert Axis("a", "A", 0.0, 4.0, whole=True).value_at(0.6) == 2


@pytest.mark.parametrize(
    ("axis", "words"),
    [
        (Axis("a", "A", 1e-5, 0.1, True), ["1e-05", "0.0001", "0.001", "0.01", "0.1"]),
        (Axis("a", "A", 8.0, 128.0, True), ["10", "20", "50", "100"]),
        (Axis("a", "A", 0.0, 0.5), ["0", "0.1", "0.2", "0.3", "0.4", "0.5"]),
        (Axis("a", "A", 3.0, 3.0), ["3"]),
        (Axis("a", "A", choices=("relu", True)), ["relu", "yes"]),
    ],
)
def test_ticks_are_round(axis: Axis, words: list[str]) -> None:
    assert [w for _, w in axis.ticks()] == words
    assert all(0 <= p <= 1 for p, _ in axis.ticks())


def test_a_loss_is_shown_as_it_is_and_a_share_in_percent() -> None:
    begun = [TrialStarted(trial=n, parameters={"x": n}, key=str(n), worker=1) for n in (1, 2)]
    ends = [TrialEnded(trial=n, outcome="done", value=-0.5 * n) for n in (1, 2)]
    loss = axes_of(fold_all([*begun, *ends]), {})[-1]
    assert (loss.title, loss.low, loss.high) == ("Value", -1.0, -0.5)


@given(arrays(np.float64, st.tuples(st.integers(0, 30), st.integers(2, 3)), elements=st.sampled_from([0.0, 1.0, 2.0, np.nan])))
def test_the_front_is_what_no_point_beats(points: np.ndarray) -> None:
    front = nondominated(points)
    for i, point in enumerate(points):
        beaten = any((other >= point).all() and (other > point).any() for other in points)
        assert front[i] == (not np.isnan(point).any() and not beaten)


def test_the_front_of_a_search_falls_in_value_and_cost(state: RunState) -> None:
    front = pareto_front(state, ["parameters"])
    assert front[0].number == state.best_trial
    sizes = [t.costs["parameters"] for t in front]
    assert sizes == sorted(sizes, reverse=True)


def test_worker_use_tells_gaps_and_what_early_starts_brought() -> None:
    def piece(n: int, start: float, stop: float, outcome: str, early: bool = False) -> list[Event]:
        begun = TrialStarted(time=start, trial=n, parameters={}, key=str(n), worker=1, speculative=early)
        return [begun, TrialEnded(time=stop, trial=n, outcome=outcome, value=0.5 if outcome == "done" else None)]

    parts = [*piece(1, 0, 10, "done"), *piece(2, 12, 15, "done", True), *piece(3, 15.5, 20, "dropped", True)]
    use = worker_use(fold_all(parts))
    assert use.busy == pytest.approx(17.5 / 20)
    assert use.gaps == ((1, 10, 12),)
    assert use.longest_gap == 2
    assert (use.begun_early, use.kept, use.kept_seconds, use.dropped, use.dropped_seconds) == (2, 1, 3.0, 1, 4.5)
    assert worker_use(RunState()).workers == 0
    # A pause, after which nobody drives for a while, is neither a gap nor time that workers had.
    begun = RunStarted(time=500, run="a", kind="search", resumed=True, classes=(), trials=2, epochs=1, pid=1)
    rest = [StateChanged(time=11, state="paused"), begun, *piece(2, 501, 511, "done"), RunEnded(time=511, state="stopped")]
    use = worker_use(fold_all([*piece(1, 0, 10, "done"), *rest]))
    assert (use.busy, use.longest_gap) == (pytest.approx(20 / 22), 2)
    again = [msgspec.structs.replace(begun, time=900), *piece(3, 900, 910, "done")]
    use = worker_use(fold_all([*piece(1, 0, 10, "done"), *rest, *again]))
    assert (use.busy, use.longest_gap) == (pytest.approx(30 / 32), 2), "from its end until it was resumed there was no driver"
    # A trial that had its turn, was promoted early, and had its turn again: only what lies between was early.
    waits = TrialPaused(time=10, trial=1, epochs=3)
    legs = [*piece(1, 0, 10, "done")[:1], waits, *piece(1, 12, 15, "done", True)[:1], TrialPaused(time=15, trial=1, epochs=4)]
    use = worker_use(fold_all([*legs, *piece(1, 20, 40, "done")]))
    assert (use.begun_early, use.kept, use.kept_seconds) == (1, 1, 3.0)
