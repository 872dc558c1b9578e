"""What a training remembers beside its network and its optimiser."""

from __future__ import annotations

from dataclasses import dataclass, field

from microtome.training.average import Average
from microtome.training.changes import Changes
from microtome.training.distributed import Crew
from microtome.training.part import Part


@dataclass(kw_only=True)
class State:
    """A training's own memory."""

    average: Average | None = None  # of the weights, where the settings ask for one
    part: Part | None = None  # the epoch to go on with; None: at its beginning
    changes: Changes = field(default_factory=Changes)
    crew: Crew | None = None  # the processes that train together, where there are several
    whole_from: int = 0  # the first epoch in which all learns that is to learn: patience counts from there
