"""Engines by name: what they must do, and how one is made."""

from __future__ import annotations

from typing import Any, Protocol

from microtome.errors import InputError
from microtome.plugin import Space
from microtome.registry import registry

DEFAULT = "bayes"
"""What "auto" stands for; see decision 0004."""
DEFAULT_OF_TWO = "nsga2"
"""What "auto" stands for where two objectives are weighed against each other."""
Value = float | tuple[float, ...] | None
"""A trial's value, one an objective; None: it failed. A `Part` where the trial has stopped early."""
Parameters = dict[str, Any]


class Engine(Protocol):
    """What proposes trials. Values are maximised."""

    def ask(self) -> Parameters | None:
        """The next point, or None where there is nothing more to propose."""
        ...

    def tell(self, parameters: Parameters, value: Value) -> None:
        """Take a result (None: the trial failed) in any order, also of a point that was never asked for."""
        ...


class OneTrial:
    """The engine of a training: one trial, with the recipe's own settings."""

    def __init__(self) -> None:
        self._asked = False

    def ask(self) -> Parameters | None:
        """{} once, then None."""
        if self._asked:
            return None
        self._asked = True
        return {}

    def tell(self, parameters: Parameters, value: Value) -> None:
        """There is nothing to learn."""


def make_engine(name: str, space: Space, *, budget: int, seed: int, workers: int = 1, objectives: int = 1) -> Engine:
    """Make a search plugin's engine; "auto" is the default engine of so many objectives.

    Raises UnknownNameError naming the nearest, and InputError where the engine cannot weigh `objectives` against each other.
    """
    auto = DEFAULT if objectives == 1 else DEFAULT_OF_TWO
    plugin = registry().get("search", auto if name == "auto" else name)
    if objectives > plugin.extra.get("objectives", 1):
        able = ", ".join(p.name for p in registry().of_kind("search") if p.extra.get("objectives", 1) >= objectives)
        raise InputError(f"The engine “{name}” takes one objective.", f"Choose {able}, or no second objective.")
    given = {"workers": workers} if "workers" in plugin.fields else {}
    engine: Engine = plugin.call(space, budget, seed, **given)
    return engine
