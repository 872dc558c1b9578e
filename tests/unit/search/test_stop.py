"""Early stopping: who has fallen behind, and who may not be judged yet."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from microtome.errors import UnknownNameError
from microtome.search.stop import Median, Never, SuccessiveHalving, make_rule


def test_halving_judges_at_its_rungs_alone() -> None:
    rule = SuccessiveHalving(27)
    for trial, value in enumerate([0.9, 0.8, 0.7]):
        behind = [epoch for epoch in range(27) if rule.behind(trial, epoch, value)]
        assert behind == ([] if trial == 0 else [0, 2, 8])


def test_halving_keeps_the_best_third() -> None:
    rule = SuccessiveHalving(9)
    stopped = [rule.behind(trial, 0, trial / 30) for trial in range(30)]
    assert not any(stopped)  # each is the best so far
    rule = SuccessiveHalving(9)
    stopped = [rule.behind(trial, 0, -trial / 30) for trial in range(30)]
    assert stopped == [False, *[True] * 29]


def test_the_first_trial_is_never_stopped_and_the_last_epoch_never_judged() -> None:
    for rule in (SuccessiveHalving(9), Median(9)):
        assert not any(rule.behind(1, epoch, 0.1) for epoch in range(9))
        assert not rule.behind(2, 8, 0.0)


def test_a_value_that_is_no_number_is_behind_every_other() -> None:
    rule = SuccessiveHalving(9)
    assert not rule.behind(1, 0, 0.5)
    assert rule.behind(2, 0, math.nan)


def test_telling_twice_changes_nothing() -> None:
    once, twice = SuccessiveHalving(9), SuccessiveHalving(9)
    values = [0.5, 0.2, 0.9, 0.4, 0.7, 0.6]
    for trial, value in enumerate(values):
        assert once.behind(trial, 0, value) == twice.behind(trial, 0, value)
        twice.behind(trial, 0, value)


def test_the_median_rule_waits_for_others_and_for_the_warm_up() -> None:
    rule = Median(10)
    for trial in range(4):
        for epoch in range(10):
            assert not rule.behind(trial, epoch, 0.5 + trial / 100)
    assert not rule.behind(9, 0, 0.0)
    assert not rule.behind(9, 1, 0.0)
    assert rule.behind(9, 2, 0.1)
    assert not rule.behind(10, 2, 0.9)


@given(st.lists(st.floats(0, 1), min_size=1, max_size=40))
def test_the_best_of_a_rung_is_never_stopped(values: list[float]) -> None:
    rule = SuccessiveHalving(27)
    stopped = [rule.behind(trial, 0, value) for trial, value in enumerate(values)]
    assert not stopped[values.index(max(values))]


def test_names() -> None:
    assert isinstance(make_rule(None, max_epochs=5), Never)
    assert isinstance(make_rule("none", max_epochs=None), Never)
    assert isinstance(make_rule("auto", max_epochs=None), SuccessiveHalving)
    assert isinstance(make_rule("median", max_epochs=5), Median)
    with pytest.raises(UnknownNameError, match="asha"):
        make_rule("ashar", max_epochs=5)
