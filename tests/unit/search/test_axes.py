"""Axes of a space: fractions to values and back."""

from __future__ import annotations

from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from microtome.plugin import Parameter

numbers = st.floats(-1e6, 1e6, allow_nan=False)
fractions = st.floats(-1, 2)


@st.composite
def axes(draw: st.DrawFn) -> Parameter:
    kind = draw(st.sampled_from(["int", "float", "choice"]))
    if kind == "choice":
        return Parameter(name="a", kind="choice", choices=tuple(draw(st.lists(st.integers(), min_size=1, unique=True))))
    log = draw(st.booleans())
    if kind == "int":
        low = draw(st.integers(1 if log else -1000, 1000))
        return Parameter(name="a", kind="int", low=low, high=low + draw(st.integers(0, 2000)), log=log)
    low = draw(st.floats(1e-9, 1e3) if log else numbers)
    return Parameter(name="a", kind="float", low=low, high=low + draw(st.floats(0, 1e6)), log=log)


@given(axes(), fractions)
def test_a_value_is_legal_and_found_again(axis: Parameter, fraction: float) -> None:
    value = axis.at(fraction)
    if axis.kind == "choice":
        assert value in axis.choices
    else:
        assert type(value) is (int if axis.kind == "int" else float)
        assert axis.low <= value <= axis.high
    if axis.kind != "float":
        assert axis.at(axis.position(value)) == value
    elif axis.high - axis.low > 1e-3 * max(abs(axis.low), abs(axis.high)):
        assert abs(axis.position(value) - min(1, max(0, fraction))) < 0.01


def test_equal_shares_for_whole_numbers_and_choices() -> None:
    for axis in (Parameter(name="a", kind="int", low=2, high=5), Parameter(name="a", kind="choice", choices=(1, 2, 3, 4))):
        counts = Counter(axis.at((i + 0.5) / 400) for i in range(400))
        assert set(counts.values()) == {100}


def test_a_logarithmic_axis_has_its_middle_between_the_decades() -> None:
    axis = Parameter(name="a", kind="float", low=1e-4, high=1.0, log=True)
    assert axis.at(0.5) == 1e-2
    assert (axis.at(0), axis.at(1)) == (1e-4, 1.0)
