"""The whole application without a window: the seam for pages, scripts and tests.

Every action is a method that returns the `Change` it made; views react to changes, they never reach into each other.
Methods are quick (small JSON files) unless their docstring says that they belong on a background thread.
"""

from microtome.session.change import Change
from microtome.session.launch import environment, program
from microtome.session.limit import TimeLimit
from microtome.session.queue import Queue, Waiting, go_on
from microtome.session.runs import Session
from microtome.session.working import SECTIONS, Axis

__all__ = [
    "SECTIONS",
    "Axis",
    "Change",
    "Queue",
    "Session",
    "TimeLimit",
    "Waiting",
    "environment",
    "go_on",
    "program",
]
