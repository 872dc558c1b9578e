"""Whose fault a worker's death is: a trial whose workers die again and again without coming further has crashed."""

from __future__ import annotations

from microtome.jobs.runner import Crashed, Lost

ATTEMPTS = 3
"""Workers in a row that may die in the same epoch of a trial, before that counts as its own fault."""


def in_a_row(before: int, outcome: Crashed | Lost, *, moved: bool) -> int:
    """The deaths of a trial's workers in a row with this one, after `before`; `moved`: it has saved an epoch since its start.

    One that dies before it has begun the trial, while it starts, says nothing about the trial: the runner counts those.
    """
    if isinstance(outcome, Crashed) and not outcome.begun:
        return before
    return 1 if moved else before + 1
