"""When a run must have ended: what a user may type."""

from __future__ import annotations

import contextlib
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from microtome.errors import InputError
from microtome.session import TimeLimit

NOW = time.mktime((2030, 1, 31, 22, 30, 0, 0, 0, -1))


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("3 h", 10800), ("90min", 5400), ("2 h 30 min", 9000), ("1.5 hours", 5400), ("2 days", 172800), ("3時間30分", 12600)],
)
def test_spans(text: str, seconds: float) -> None:
    assert TimeLimit.of(text, NOW) == TimeLimit(seconds=seconds)


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("08:00", (2030, 2, 1, 8, 0)),
        ("8:00", (2030, 2, 1, 8, 0)),
        ("23:15", (2030, 1, 31, 23, 15)),
        ("22:30", (2030, 2, 1, 22, 30)),
        ("２３：１５".translate(str.maketrans("０１２３４５６７８９", "0123456789")), (2030, 1, 31, 23, 15)),
        ("2030-02-02 07:05", (2030, 2, 2, 7, 5)),
    ],
)
def test_times_of_the_clock_are_the_next_ones(text: str, moment: tuple[int, ...]) -> None:
    at = TimeLimit.of(text, NOW).at
    assert at is not None
    assert time.localtime(at)[:5] == moment


def test_nothing_is_no_limit() -> None:
    limit = TimeLimit.of("  ", NOW)
    assert not limit
    assert limit.left() is None
    assert limit.to_json() == {}


@pytest.mark.parametrize(
    "text", ["soon", "25:00", "12:60", "3", "3 weeks", "-3 h", "0 h", "2029-01-01 08:00", "2030-13-01 08:00", "900 d", "3 h x"]
)
def test_what_makes_no_sense_is_said(text: str) -> None:
    with pytest.raises(InputError, match=r"passed|no time|no date"):
        TimeLimit.of(text, NOW)


@given(st.text(max_size=20))
def test_any_text_is_a_limit_in_the_future_or_a_mistake(text: str) -> None:
    with contextlib.suppress(InputError):
        limit = TimeLimit.of(text, NOW)
        left = limit.left(NOW)
        assert not text.strip() or (left is not None and 0 < left <= 366 * 86400)
        assert TimeLimit.from_json(limit.to_json()) == limit
