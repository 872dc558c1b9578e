"""What an action changed: the one thing that views react to."""

from __future__ import annotations

from enum import Flag, auto


class Change(Flag):
    """What an action changed."""

    NOTHING = 0
    PROJECT = auto()  # another project is open: everything is new
    VOLUMES = auto()  # volumes, their classes or voxel sizes
    RECIPE = auto()  # a setting or an axis of the search
    RUNS = auto()  # a run was made, or began or ended
    ALL = PROJECT | VOLUMES | RECIPE | RUNS
