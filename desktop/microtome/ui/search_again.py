"""What a search has shown, taken over into the project's settings: one of its trials, or the search as a whole."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from microtome.results.fold import TrialState
from microtome.search.recipe import Recipe, load
from microtome.session import Axis, Change, Session
from microtome.store.run import RunFolder

_TAKEN = ("algorithm", "early_stopping", "objective", "second")  # settings of a search by which its values are comparable


def adopt(session: Session, run: RunFolder, trial: TrialState) -> Change:
    """Make a trial's network and training the working ones: what the search fixed as well as what it varied."""
    _adopt(session, load(run.recipe).with_values(trial.parameters))
    # The slices are the project's own business, unless the search varied them.
    return session.adopt({name: value for name, value in trial.parameters.items() if name.startswith("slices.")})


def take_up(session: Session, recipe: Recipe, table: Mapping[str, Any], fixed: Mapping[str, Any]) -> Change:
    """Make a search's settings and its space (`table`, with what is `fixed` by now) the working ones, with a warm start.

    The page that sets a search up knows no conditions between axes: they are left out.
    """
    assert recipe.search is not None
    _adopt(session, recipe.with_values(fixed))
    for name in [n for n in session.axes() if n not in table]:
        session.set_axis(name, None)
    for name, axis in table.items():
        session.set_axis(name, _unconditional(axis))
    for name in _TAKEN:
        session.set_value(f"search.{name}", getattr(recipe.search, name))
    return session.set_value("search.warm_start", True)


def _unconditional(axis: Axis) -> Axis:
    if isinstance(axis, list):
        return axis
    return list(axis["choices"]) if "choices" in axis else {key: value for key, value in axis.items() if key != "when"}


def _adopt(session: Session, recipe: Recipe) -> None:
    if session.network_name() != recipe.network.name:
        session.set_network(recipe.network.name)
    session.set_augmentations(recipe.training.augmentations)
    values = {f"network.{name}": value for name, value in recipe.network.parameters.items()}
    values |= {f"training.{name}": getattr(recipe.training, name) for name in session.specs("training")}
    session.adopt(values)
