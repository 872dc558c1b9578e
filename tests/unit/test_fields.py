"""Fields: declared once, checked everywhere."""

from __future__ import annotations

from dataclasses import dataclass

import pytest
from hypothesis import given
from hypothesis import strategies as st

from microtome.errors import InputError, UnknownNameError
from microtome.fields import Field, fields_of, fill, option, section


def plugin(
    data: object,
    *,
    width: int = Field(32, 8, 256, log=True, unit="channels"),
    act: str = Field("relu", choices=("relu", "gelu")),
    rate: float = Field(0.5, 0.0, 1.0),
    on: bool = Field(False),
) -> None:
    """Do nothing."""


@dataclass(frozen=True, kw_only=True)
class Part:
    size: int = option(4, 1, 9, help="how big")
    other: tuple[int, ...] = ()


def test_a_functions_fields_in_order_with_kinds() -> None:
    specs = fields_of(plugin)
    assert [(n, s.kind) for n, s in specs.items()] == [("width", "int"), ("act", "choice"), ("rate", "float"), ("on", "bool")]
    assert specs["width"].unit == "channels"
    assert specs["width"].search_range == (8, 256)


def test_a_sections_fields_are_only_its_options() -> None:
    assert list(fields_of(Part)) == ["size"]
    assert section(Part, {"size": 7}, "part").size == 7


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"width": 7}, "network.width is 7 channels; it must be at least 8 channels."),
        ({"width": 300}, "at most 256 channels"),
        ({"width": 8.5}, "whole number"),
        ({"width": "8"}, "must be a number"),
        ({"width": True}, "must be a number"),
        ({"rate": float("nan")}, "must be a number"),
        ({"on": 1}, "true or false"),
        ({"act": "relo"}, "Did you mean “relu”?"),
    ],
)
def test_a_bad_value_is_said_with_its_name(values: dict[str, object], words: str) -> None:
    with pytest.raises(InputError) as caught:
        fill(fields_of(plugin), values, "network")
    assert words in str(caught.value)


def test_an_unknown_key_names_the_nearest() -> None:
    with pytest.raises(UnknownNameError, match="Did you mean “width”"):
        fill(fields_of(plugin), {"widht": 8}, "network")


@given(st.one_of(st.integers(), st.floats(), st.text(), st.booleans(), st.none(), st.lists(st.integers())))
def test_check_returns_a_legal_value_or_raises_input_error(value: object) -> None:
    for spec in fields_of(plugin).values():
        try:
            checked = spec.check(value)
        except InputError:
            continue
        assert spec.check(checked) == checked
        if spec.kind in ("int", "float"):
            assert spec.low is not None
            assert spec.high is not None
            assert spec.low <= checked <= spec.high
