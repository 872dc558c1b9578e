"""The image sets of a run: cut (or found) once for each plan, with progress as events."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

from microtome.events import Event, ImageSetReady, Phase
from microtome.search.recipe import Recipe
from microtome.slices.imageset import ImageSet, build
from microtome.slices.plan import SlicePlan

_EVERY = 0.2  # seconds between two events of progress


class ImageSets:
    """Image sets by plan; a search over slice settings has several."""

    def __init__(self, folder: Path, emit: Callable[[Event], None], should_stop: Callable[[], bool]) -> None:
        self._folder = folder
        self._emit = emit
        self._should_stop = should_stop
        self._known: dict[tuple[SlicePlan, str], ImageSet] = {}
        self._phase = ""
        self._told = 0.0

    def get(self, recipe: Recipe) -> ImageSet:
        """The image set of a recipe. Raises a MicrotomeError for data or plans that do not allow it."""
        classes, plan = recipe.cut
        what = (plan, recipe.training.target)  # the classes are the run's; a number's are other ones
        found = self._known.get(what)
        if found is not None:
            return found
        self._phase = ""
        made = build(classes, plan, self._folder, progress=self._progress, should_stop=self._should_stop)
        self._known[what] = made
        self._emit(
            ImageSetReady(
                hash=made.hash, counts=made.counts(), pixel_size=made.pixel_size, unit=made.unit, warnings=made.warnings
            )
        )
        return made

    def _progress(self, phase: str, done: float, total: float, unit: str) -> None:
        now = time.monotonic()
        if phase == self._phase and done < total and now - self._told < _EVERY:
            return
        self._phase, self._told = phase, now
        self._emit(Phase(name=phase, done=done, total=total, unit=unit))
