"""Ranking of retrained trials: intervals, paired tests on the same seeds, ties and what is taken then."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from microtome.errors import InputError
from microtome.intervals import mean_interval
from microtome.search.finals.ranking import Contender, rank

LOW, HIGH = (0.80, 0.82, 0.81, 0.80), (0.90, 0.92, 0.90, 0.91)


def contender(trial: int, values: tuple[float, ...], parameters: float = 100.0) -> Contender:
    return Contender(trial=trial, values=values, parameters=parameters)


def test_what_is_better_on_every_seed_wins_though_it_is_larger() -> None:
    found = rank([contender(3, LOW, 10), contender(7, HIGH, 1000)], grain=0.01, bounds=(0, 1))
    assert (found.winner, found.tied, list(found.means)) == (7, (7,), [7, 3])
    assert found.p[3] == pytest.approx(stats.ttest_rel(HIGH, LOW).pvalue)
    mean, (low, high) = mean_interval(HIGH)
    assert found.means[7] == pytest.approx((mean, low, high))
    assert found.words.startswith("Trial 7 is better than the others on the same seeds (p ")


def test_of_tied_trials_the_smallest_network_within_one_standard_error_is_taken() -> None:
    even = (0.91, 0.90, 0.91, 0.905)
    found = rank([contender(12, HIGH, 1000), contender(40, even, 10), contender(5, LOW, 1)], grain=0.01)
    assert (found.winner, found.tied) == (40, (12, 40))
    assert (
        "Trials 12 and 40 cannot be told apart (p = " in found.words and "trial 40 is taken, the smaller network" in found.words
    )
    # Not to be told apart, yet well below: too few seeds are no reason to take a worse network.
    wide = rank([contender(1, (0.9, 0.95, 0.85), 100), contender(2, (0.80, 0.92, 0.80), 1)])
    assert (wide.winner, wide.tied) == (1, (1, 2))
    assert "no smaller network comes within a standard error" in wide.words


def test_equal_values_by_coincidence_are_no_proof() -> None:
    found = rank([contender(1, (0.95,) * 3), contender(2, (0.95 - 1e-12,) * 3)], grain=0.05, bounds=(0, 1))
    assert found.tied == (1, 2)
    assert found.means[1][2] - found.means[1][1] > 0.05
    assert found.means[1][2] <= 1.0


def test_one_seed_tells_nothing_apart() -> None:
    found = rank([contender(1, (0.5,)), contender(2, (0.9,))], bounds=(0, 1))
    assert (found.winner, set(found.tied), found.p) == (2, {1, 2}, {})
    assert found.means[2] == (0.9, 0, 1)
    assert "cannot tell" in found.words


def test_many_comparisons_are_paid_for() -> None:
    middle = (0.885, 0.90, 0.897, 0.893)
    alone = rank([contender(1, HIGH), contender(2, middle)])
    among = rank([contender(1, HIGH), contender(2, middle), contender(3, middle), contender(4, middle)])
    assert among.p[2] == pytest.approx(min(1.0, 3 * alone.p[2]))


def test_unlike_numbers_of_seeds_are_refused() -> None:
    with pytest.raises(InputError):
        rank([contender(1, (0.5,)), contender(2, (0.9, 0.8))])
    with pytest.raises(InputError):
        rank([])


share = st.floats(0, 1)


@given(st.integers(2, 5).flatmap(lambda n: st.lists(st.tuples(*[share] * n), min_size=1, max_size=5)))
def test_a_ranking_holds_together(values: list[tuple[float, ...]]) -> None:
    found = rank([contender(i, v, parameters=i) for i, v in enumerate(values)], grain=0.01, bounds=(0, 1))
    assert found.winner in found.tied
    assert found.tied[0] == next(iter(found.means))
    assert all(
        0 <= low <= mean <= high <= 1 or abs(low - mean) < 1e-9 or abs(high - mean) < 1e-9
        for mean, low, high in found.means.values()
    )
    assert all(0 <= p <= 1 for p in found.p.values())
    assert found.words.endswith(".")
