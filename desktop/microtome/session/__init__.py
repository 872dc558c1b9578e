"""The whole application without a window: the seam for pages, scripts and tests.

Every action is a method that returns the `Change` it made; views react to changes, they never reach into each other.
Methods are quick (small JSON files) unless their docstring says that they belong on a background thread.
"""

from microtome.session.change import Change
from microtome.session.runs import Session, environment, program
from microtome.session.working import SECTIONS, Axis

__all__ = ["SECTIONS", "Axis", "Change", "Session", "environment", "program"]
