"""What a run's recipe says of the way it trains: the head alone at first, images drawn among candidates."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from microtome.errors import MicrotomeError
from microtome.search.recipe import load


@dataclass(frozen=True)
class Stages:
    """`train`: all, last or head; `head_epochs`: how long the head is trained alone before the rest joins (0: not at all);
    `candidates`: among how many each image is drawn (below 2: of importance sampling there is none); `unit` of the values that
    are told, where no classes are."""

    train: str
    head_epochs: int
    candidates: int = 0
    unit: str = ""


def read_stages(recipe: Path) -> Stages:
    """Read them from a run's recipe; one that cannot be read any more has none."""
    try:
        found = load(recipe)
    except MicrotomeError:
        return Stages("", 0)
    transfer = found.transfer
    first = 0 if transfer.train == "head" else min(transfer.head_epochs, found.training.epochs)
    return Stages(transfer.train, first, found.importance.candidates, found.training.value_unit)
