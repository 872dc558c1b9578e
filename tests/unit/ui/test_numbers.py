"""Numbers, times and estimates as they are read."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from microtome.ui import numbers
from microtome.ui.eta import Eta
from microtome.ui.words import page_of, run_title


@pytest.mark.parametrize(
    ("value", "text"), [(300, "300"), (64.0, "64"), (0.001, "0.001"), (1e-7, "1e-07"), (0.1 + 0.2, "0.3"), (1e9, "1e+09")]
)
def test_numbers_are_short(value: float, text: str) -> None:
    assert numbers.number(value) == text


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_a_number_reads_back(value: float) -> None:
    assert float(numbers.number(value)) == pytest.approx(value, rel=1e-5, abs=1e-300)


@pytest.mark.parametrize(
    ("count", "text"),
    [(0, "0 B"), (999, "999 B"), (2_097_152, "2.1 MB"), (512e6, "512 MB"), (3e9, "3.0 GB"), (2e15, "2000.0 TB")],
)
def test_sizes(count: float, text: str) -> None:
    assert numbers.size_of(count) == text


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (-1, "0.0 s"),
        (3.21, "3.2 s"),
        (59.4, "59 s"),
        (60, "1 min"),
        (3600, "1 h 0 min"),
        (9000, "2 h 30 min"),
        (400_000, "4.6 days"),
    ],
)
def test_times(seconds: float, text: str) -> None:
    assert numbers.span(seconds) == text


def test_lengths() -> None:
    assert numbers.length(400.0) == "400 nm"
    assert numbers.length(25_000.0) == "25 µm"
    assert numbers.length(2e6) == "2 mm"
    assert numbers.length(1.0, "voxel") == "1 voxel"
    assert numbers.length(64.0, "voxel") == "64 voxels"
    assert numbers.length(1.5, "um") == "1.5 µm"


def test_a_range_that_prints_the_same_is_one_figure() -> None:
    assert numbers.between(61, 62) == "1 min"
    assert numbers.between(60, 180) == "1 min – 3 min"


def test_there_is_no_estimate_before_there_is_a_speed() -> None:
    eta = Eta()
    assert eta.range() is None
    eta.update(0.0, 0.0)
    eta.update(0.5, 0.1)
    assert eta.range() is None


def test_a_steady_run_is_estimated_closely() -> None:
    eta = Eta()
    for i in range(50):
        eta.update(float(i), i / 100)
    found = eta.range()
    assert found is not None
    assert found[0] < 51 < found[1]
    assert found[1] - found[0] < 15


def test_a_run_that_slows_down_has_a_wide_range() -> None:
    eta = Eta()
    for i in range(30):
        eta.update(float(i), i / 100)
    for i in range(30):
        eta.update(30.0 + 4 * i, 0.30 + i / 400)
    found = eta.range()
    assert found is not None
    assert found[1] > 2 * found[0] * 0.9


def test_going_back_means_a_new_start() -> None:
    eta = Eta()
    for i in range(10):
        eta.update(float(i), i / 10)
    eta.update(11.0, 0.2)
    assert eta.range() is None


@given(st.lists(st.tuples(st.floats(0, 1e6), st.floats(0, 1)), max_size=60))
def test_an_estimate_is_never_negative_or_upside_down(points: list[tuple[float, float]]) -> None:
    eta = Eta()
    for when, fraction in sorted(points):
        eta.update(when, fraction)
    found = eta.range()
    assert found is None or 0 <= found[0] <= found[1]


def test_run_names_lose_their_date() -> None:
    assert run_title("20260102-030405-train-2") == "train-2 · 03:04"
    assert run_title("my-run") == "my-run"
    assert page_of("search", "x") == "search:x"
    assert page_of("train", "x") == "run:x"
