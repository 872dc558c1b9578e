"""Early stopping: who waits, who goes on, who has fallen behind, and who may not be judged yet."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from microtome.errors import InputError, UnknownNameError
from microtome.search.stopping.rules import Curve, Median, make_scheduler
from microtome.search.stopping.rungs import Promotion, Stopping, rungs
from microtome.search.stopping.schedule import Leg, Scheduler


def run(rule: Scheduler, trial: int, values: list[float], until: int = 0) -> int:
    """Start a trial and report until it waits or is stopped; returns how many epochs that were."""
    rule.started(trial, until)
    for epoch, value in enumerate(values):
        if rule.observe(trial, epoch, value) != "go on":
            rule.rests(trial)
            return epoch + 1
    rule.ended(trial, values[-1])
    return len(values)


def test_rungs_are_thirds_of_a_full_trial() -> None:
    assert [rungs(n) for n in (1, 2, 3, 9, 10, 12, 27, 50, 81)] == [
        *([], [1], [1], [1, 3], [1, 3], [1, 4]),
        *([1, 3, 9], [2, 6, 17], [3, 9, 27]),
    ]


def test_half_of_the_trials_begin_at_the_first_rung_and_late_bloomers_have_a_chance() -> None:
    firsts = [[make_scheduler("asha", max_epochs=n).first(trial) for trial in range(1, 9)] for n in (1, 2, 9, 27, None)]
    assert firsts == [[0] * 8, [1] * 8, [1, 3, 1, 3] * 2, [1, 3, 1, 9] * 2, [1, 3, 1, 9] * 2]
    rule = Promotion(27)
    for trial in range(1, 40):
        run(rule, trial, [0.5] * 9 + [0.6] * 18, rule.first(trial))
    run(rule, 40, [0.1] * 6 + [0.9] * 21, rule.first(40))
    assert rule.next() == Leg(40, 0)  # bad for six epochs, and the best at the rung at which it waited first


def test_promoted_trials_go_on_from_where_they_wait() -> None:
    rule = Promotion(9)
    for trial, value in enumerate([0.1, 0.3, 0.2, 0.5, 0.4, 0.6]):
        assert run(rule, trial, [value] * 9, until=1) == 1
    assert rule.next() == Leg(5, 3)
    rule.started(5, 3)
    assert rule.observe(5, 0, 0.6) == "go on"  # told again by a trial that goes on
    assert [rule.observe(5, epoch, 0.6) for epoch in (1, 2)] == ["go on", "pause"]
    rule.rests(5)
    assert rule.next() == Leg(3, 3)  # two of six; none of one at the second rung
    assert rule.last() == Leg(5, 0)
    assert rule.likely() == Leg(5, 0)
    rule.started(5, 0)
    assert [rule.observe(5, epoch, 0.7) for epoch in range(3, 9)] == ["go on"] * 6
    rule.ended(5, 0.7)
    assert rule.last() is None  # the best has come to its end


def test_without_a_length_the_rungs_never_end() -> None:
    rule = Promotion(None)
    for trial in range(3):
        run(rule, trial, [0.5 - trial / 10] * 2, until=1)
    assert rule.next() == Leg(0, 3)
    rule.started(0, 3)
    assert rule.observe(0, 2, 0.5) == "pause"
    rule.rests(0)
    assert rule.likely() == Leg(0, 9)


def test_stopping_judges_at_its_rungs_alone_and_keeps_the_best_third() -> None:
    rule = Stopping(27)
    assert [run(rule, trial, [value] * 27) for trial, value in enumerate([0.9, 0.8, 0.7])] == [27, 1, 1]
    rule = Stopping(9)
    assert [run(rule, trial, [trial / 30] * 9) for trial in range(30)] == [9] * 30  # each is the best so far
    rule = Stopping(9)
    assert [run(rule, trial, [-trial / 30] * 9) for trial in range(30)] == [9, *[1] * 29]


def test_a_trial_that_was_stopped_stays_stopped_and_one_that_went_on_is_not_judged_twice() -> None:
    rule = Stopping(9)
    run(rule, 1, [0.5] * 9)
    rule.started(2)
    assert [rule.observe(2, 0, 0.4) for _ in range(3)] == ["stop"] * 3
    rule.started(3)
    assert rule.observe(3, 0, 0.6) == "go on"
    for trial in range(4, 10):
        run(rule, trial, [0.9] * 9)
    rule.started(3)  # its worker died
    assert rule.observe(3, 0, 0.6) == "go on"


def test_a_value_that_is_no_number_is_behind_every_other() -> None:
    rule = Stopping(9)
    run(rule, 1, [0.5] * 9)
    assert run(rule, 2, [math.nan] * 9) == 1
    assert rule.worth(2) is None
    assert run(Curve(9), 1, [0.1, math.inf, 0.2]) == 2


def test_the_median_rule_waits_for_others_and_for_the_warm_up() -> None:
    rule = Median(10)
    for trial in range(4):
        assert run(rule, trial, [0.5 + trial / 100] * 10) == 10
    assert run(rule, 9, [0.0, 0.0, 0.1]) == 3
    assert run(rule, 10, [0.0, 0.0, 0.9]) == 3
    assert 10 in rule.curves and 10 not in rule.stopped


def power(a: float, b: float, c: float, noise: float, epochs: int, seed: int) -> list[float]:
    t = np.arange(1, epochs + 1)
    return list(a - b * t**-c + noise * np.random.default_rng(seed).standard_normal(epochs))


def test_the_curve_rule_stops_what_cannot_win_and_lets_late_starters_go_on() -> None:
    rule = Curve(30)
    for trial in range(6):
        assert run(rule, trial, power(0.7 + trial / 50, 0.4, 0.8, 0.003, 30, trial)) == 30
    assert run(rule, 10, power(0.5, 0.3, 1.0, 0.003, 30, 10)) <= 8
    late = power(0.95, 0.8, 0.5, 0.003, 30, 11)  # the worst after three epochs, the best after thirty
    assert late[2] < 0.5
    assert run(rule, 11, late) == 30


def test_the_curve_rules_probabilities_are_honest() -> None:
    rng = np.random.default_rng(0)
    rule, wins, said = Curve(30), 0, 0.0
    for _ in range(300):
        values = power(
            rng.uniform(0.5, 0.9), rng.uniform(0.1, 0.5), rng.uniform(0.3, 1.5), 0.01, 30, int(rng.integers(1 << 30))
        )
        bar = float(rng.uniform(0.5, 0.9))
        rule._noises = {0: 1e-4}
        said += rule.probability(values[:8], best=bar, centre=0.7, width=0.4)
        wins += values[-1] > bar
    assert abs(said - wins) / 300 < 0.05


def test_the_curve_rule_needs_a_length() -> None:
    with pytest.raises(InputError, match="max_epochs"):
        make_scheduler("curve", max_epochs=None)


@given(st.lists(st.floats(0, 1), min_size=1, max_size=40), st.sampled_from(["asha-stop", "median", "curve"]))
def test_the_best_is_never_stopped(values: list[float], name: str) -> None:
    rule = make_scheduler(name, max_epochs=9)
    best = values.index(max(values))
    epochs = [run(rule, trial, [value] * 9) for trial, value in enumerate(values)]
    assert epochs[best] == 9


def test_names() -> None:
    assert type(make_scheduler(None, max_epochs=5)) is type(make_scheduler("none", max_epochs=None)) is Scheduler
    assert isinstance(make_scheduler("asha", max_epochs=None), Promotion)
    assert isinstance(make_scheduler("asha-stop", max_epochs=None), Stopping)
    assert isinstance(make_scheduler("median", max_epochs=5), Median)
    make_scheduler("auto", max_epochs=None)
    with pytest.raises(UnknownNameError, match="asha"):
        make_scheduler("ashar", max_epochs=5)
