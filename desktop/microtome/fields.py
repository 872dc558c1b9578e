"""Fields: parameters declared once, used as form, validation, help text, recipe keys and search space."""

from __future__ import annotations

import dataclasses
import inspect
import math
import types
import typing
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, TypeVar

from microtome.errors import InputError, UnknownNameError, nearest

Kind = Literal["int", "float", "bool", "choice", "text"]
Value = int | float | bool | str
S = TypeVar("S")


@dataclass(frozen=True, kw_only=True)
class FieldMark:
    """What `Field(...)` leaves behind as a keyword's default, until `fields_of` gives it its name and kind."""

    default: Any
    low: float | None
    high: float | None
    log: bool
    unit: str
    choices: tuple[str, ...]
    help: str
    label: str
    advanced: bool
    search: tuple[float, float] | None


@dataclass(frozen=True, kw_only=True)
class FieldSpec(FieldMark):
    """One parameter: its name, kind, default, legal range, unit and words."""

    name: str
    kind: Kind

    @property
    def title(self) -> str:
        """The words in front of the field in a form."""
        return self.label or self.name.replace("_", " ").capitalize()

    @property
    def search_range(self) -> tuple[float, float] | None:
        """The range that a search proposes when the field is ticked, or None where there is none."""
        if self.search is not None:
            return self.search
        if self.low is not None and self.high is not None:
            return (self.low, self.high)
        return None

    def check(self, value: Any, where: str = "") -> Any:
        """Return `value` in the field's type, or raise InputError with a sentence naming `where` + the field."""
        name = f"{where}.{self.name}" if where else self.name
        match self.kind:
            case "bool":
                if not isinstance(value, bool):
                    raise InputError(f"{name} must be true or false, not {value!r}.")
                return value
            case "choice":
                if value not in self.choices:
                    raise InputError(f"{name} cannot be {value!r}.", nearest(str(value), self.choices))
                return value
            case "text":
                if not isinstance(value, str):
                    raise InputError(f"{name} must be text, not {value!r}.")
                return value
            case "int" | "float":
                return self._check_number(value, name)

    def _check_number(self, value: Any, name: str) -> Any:
        unit = f" {self.unit}" if self.unit else ""
        if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
            raise InputError(f"{name} must be a number, not {value!r}.")
        if self.kind == "int":
            if value != int(value):
                raise InputError(f"{name} must be a whole number, not {value!r}.")
            value = int(value)
        else:
            value = float(value)
        if self.low is not None and value < self.low:
            raise InputError(f"{name} is {value:g}{unit}; it must be at least {self.low:g}{unit}.")
        if self.high is not None and value > self.high:
            raise InputError(f"{name} is {value:g}{unit}; it must be at most {self.high:g}{unit}.")
        return value


def Field(  # noqa: N802 - reads as a type in a plugin's signature
    default: Any,
    low: float | None = None,
    high: float | None = None,
    *,
    log: bool = False,
    unit: str = "",
    choices: Sequence[str] = (),
    help: str = "",
    label: str = "",
    advanced: bool = False,
    search: tuple[float, float] | None = None,
) -> Any:
    """Declare a keyword parameter of a plugin: `width: int = Field(32, 8, 256, log=True, unit="channels")`.

    `low` and `high` are the legal limits (inclusive); `search` is the range offered to a search where it should be
    narrower; `log` says that ratios matter, not differences.
    """
    return FieldMark(
        default=default,
        low=low,
        high=high,
        log=log,
        unit=unit,
        choices=tuple(choices),
        help=help,
        label=label,
        advanced=advanced,
        search=search,
    )


def option(default: Any, low: float | None = None, high: float | None = None, **words: Any) -> Any:
    """`Field` for an attribute of a dataclass section (SlicePlan, TrainingSpec, …)."""
    return dataclasses.field(default=default, metadata={"field": Field(default, low, high, **words)})


def _kind(annotation: Any, mark: FieldMark) -> Kind:
    if mark.choices:
        return "choice"
    origin = typing.get_origin(annotation)
    if origin in (typing.Union, types.UnionType):
        annotation = next(a for a in typing.get_args(annotation) if a is not type(None))
    kinds: dict[Any, Kind] = {int: "int", float: "float", bool: "bool", str: "text"}
    if annotation not in kinds:
        raise TypeError(f"a Field is an int, a float, a bool, a str or a choice, not {annotation!r}")
    return kinds[annotation]


def _spec(name: str, annotation: Any, mark: FieldMark) -> FieldSpec:
    values = {f.name: getattr(mark, f.name) for f in dataclasses.fields(FieldMark)}
    return FieldSpec(name=name, kind=_kind(annotation, mark), **values)


def fields_of(target: Callable[..., Any] | type) -> dict[str, FieldSpec]:
    """Return the fields that a plugin function or a dataclass section declares, in order."""
    if dataclasses.is_dataclass(target):
        hints = typing.get_type_hints(target)
        marks = {f.name: f.metadata["field"] for f in dataclasses.fields(target) if "field" in f.metadata}
    else:
        parameters = inspect.signature(target).parameters
        marks = {n: p.default for n, p in parameters.items() if isinstance(p.default, FieldMark)}
        # Only the fields' own hints: the others may name a library that is imported for type checkers alone.
        own = types.SimpleNamespace(__annotations__={n: target.__annotations__[n] for n in marks})
        hints = typing.get_type_hints(own, globalns=getattr(target, "__globals__", {}))
    return {name: _spec(name, hints[name], mark) for name, mark in marks.items()}


def fill(specs: Mapping[str, FieldSpec], given: Mapping[str, Any], where: str = "") -> dict[str, Any]:
    """Return every field's value: `given` where it is there (checked), else the default.

    Raises UnknownNameError for a key that is no field (naming the nearest), InputError for a value out of range.
    """
    for key in given:
        if key not in specs:
            name = f"{where}.{key}" if where else key
            raise UnknownNameError(f"There is no setting “{name}”.", nearest(key, list(specs)))
    return {n: s.check(given[n], where) if n in given else s.default for n, s in specs.items()}


def section(cls: type[S], given: Mapping[str, Any], where: str) -> S:
    """Build a dataclass section from a recipe table, with every value checked."""
    return cls(**fill(fields_of(cls), given, where))
