"""What a search has taught: importance with intervals and tested statements, on searches whose truth is known."""

from __future__ import annotations

import numpy as np
import pytest
from made_search import SPACE, made_search
from scipy.stats import mannwhitneyu

from microtome.results.axes import Axis, axes_of, places
from microtome.results.fold import COUNTED, fold_all
from microtome.results.importance import LEAST, rank_parameters
from microtome.results.learnt import Lesson, holm, learn
from microtome.search.space import space_from_table

AXES = [Axis("a", "A", 1e-4, 1.0, True), Axis("b", "B"), Axis("c", "C", choices=("x", "y", "z"))]


def _lessons(n: int, seed: int = 0) -> dict[tuple[str, str], Lesson]:
    state = fold_all(made_search(n, seed=seed))
    axes = axes_of(state, {p.name: p for p in space_from_table(SPACE)})[:-1]
    trials = list(state.trials.values())
    values = np.array([t.value if t.outcome in COUNTED and t.value is not None else np.nan for t in trials])
    failed = np.array([t.outcome == "failed" for t in trials])
    return {(m.kind, m.name): m for m in learn(axes, places(trials, axes), values, failed)}


def test_the_statements_on_a_known_search_are_true() -> None:
    found = _lessons(300)
    fails = found["fails-above", "training.learning_rate"]
    assert fails.high == pytest.approx(3e-2, rel=0.2)
    assert fails.count > 0.6 * fails.total
    assert found["worse-choices", "network.activation"].choices == ("relu", "gelu")
    best = found["best-between", "training.learning_rate"]
    assert best.low is not None
    assert best.high is not None
    assert best.low < 2e-3 < best.high
    idle = {name for kind, name in found if kind == "no-difference"}
    assert {"network.dropout", "training.batch_size"} <= idle
    assert "training.learning_rate" not in idle
    assert found["no-difference", "network.dropout"].p > 0.2


def test_few_trials_teach_nothing() -> None:
    assert _lessons(15) == {}


def test_noise_is_rarely_called_a_difference() -> None:
    wrong = 0
    for seed in range(12):
        rng = np.random.default_rng(seed)
        points, values = rng.random((80, 3)), rng.random(80)
        points[:, 2] = (rng.integers(0, 3, 80) + 0.5) / 3
        lessons = learn(AXES, points, values, rng.random(80) < 0.2, seed=seed)
        wrong += any(m.kind != "no-difference" for m in lessons)
    assert wrong <= 1


def test_choosing_the_best_choice_by_the_same_values_is_paid_for() -> None:
    axis = Axis("c", "C", choices=("x", "y"))
    points = np.array([0.25, 0.75] * 15)[:, None]
    for shift, stated in ((4.25, False), (5.25, True)):
        values = np.array([pair for i in range(15) for pair in (i, i + shift)], dtype=float)
        plain = float(mannwhitneyu(values[::2], values[1::2], alternative="less").pvalue)
        assert plain < 0.01, "as a one-sided test of a choice that was named before"
        lessons = [m for m in learn([axis], points, values, np.zeros(30, dtype=bool)) if m.kind == "worse-choices"]
        assert [m.p for m in lessons] == ([pytest.approx(2 * plain)] if stated else [])


def test_trials_that_all_reach_the_same_teach_nothing() -> None:
    axis = Axis("c", "C", choices=("a", "b", "c"))
    points = np.array([1 / 6] * 10 + [0.5] * 10 + [5 / 6] * 3)[:, None]
    values = np.array([1.0] * 20 + [0.5, 0.6, 0.7])  # of the third choice there are too few to compare
    assert learn([axis], points, values, np.zeros(23, dtype=bool)) == []


def test_no_difference_is_not_stated_of_few_trials() -> None:
    rng = np.random.default_rng(1)
    points, values = rng.random((24, 1)), rng.random(24)
    assert learn(AXES[1:2], points, values, np.zeros(24, dtype=bool)) == []


def test_holm_is_never_below_the_plain_p_and_keeps_the_order() -> None:
    assert holm([0.01, 0.04, 0.03]) == pytest.approx([0.03, 0.06, 0.06])
    assert holm([]) == []
    assert holm([0.9, 0.8]) == [1.0, 1.0]


def test_importance_finds_what_matters_with_an_interval() -> None:
    rng = np.random.default_rng(0)
    points = rng.random((90, 3))
    values = 3 * points[:, 0] + np.where(points[:, 1] > 0.5, 0.6, 0.0) + 0.1 * rng.normal(size=90)
    points[::4, 2] = np.nan
    ranking = rank_parameters(["a", "b", "c"], points, values)
    assert [m.name for m in ranking.parameters] == ["a", "b", "c"]
    assert all(0 <= m.low <= m.share <= m.high <= 1 for m in ranking.parameters)
    assert ranking.parameters[0].low > ranking.parameters[1].high > ranking.parameters[2].share
    assert ranking.explained > 0.7
    assert ranking.trials == 90


def test_importance_says_nothing_of_few_or_equal_trials_and_can_be_stopped() -> None:
    points = np.random.default_rng(0).random((LEAST, 2))
    assert rank_parameters(["a", "b"], points[1:], points[1:, 0]).parameters == ()
    assert rank_parameters(["a", "b"], points, np.ones(LEAST)).parameters == ()
    assert rank_parameters(["a", "b"], points, points[:, 0], should_stop=lambda: "stop").parameters == ()
