"""Warm start: what the project's other runs know of the same images in the space of a search, as points for its engine."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import msgspec

from microtome.errors import FileError, MicrotomeError
from microtome.events import EpochEnded, Event, Note, WarmStarted
from microtome.search.edit import settings_of
from microtome.search.known.ledger import Ledger, costs_of, epochs_of, name_of
from microtome.search.recipe import Recipe
from microtome.search.records import Records, measure
from microtome.search.space import carried
from microtome.store.atomic import FORMAT, read_json
from microtome.training.checkpoint import NAME, RESULT, history
from microtome.training.metrics import best_epoch
from microtome.training.spec import TrialSpec

# Settings in which a trial of another run may differ: it is the same that is measured.
_FREE = ("training.seed", "training.value_unit")
_TRAINED = ("network", "training", "transfer", "importance")


def warm_start(ledger: Ledger, recipe: Recipe, image_set: str, *, run: str) -> WarmStarted:
    """The trials of other runs than `run` on the image set of this hash that lie in the recipe's search space.

    What the search does not vary must be as in the recipe, except for the seed; inherited weights make another trial. One that
    was not trained to its end counts with the best of its epochs, as in a search of its own (decision 0015), where what it cost
    is known. One a key.
    """
    assert recipe.search is not None
    space, settings = recipe.search.space, settings_of(recipe)
    varied = {axis.name for axis in space}
    fixed = {n: v for n, v in settings.items() if n not in varied and n not in _FREE and not n.startswith("slices.")}
    points, left_out = [], 0
    for _, folder in ledger:
        if folder.parent.parent.name == run:
            continue
        try:
            data = msgspec.json.decode((folder / "params.json").read_bytes(), type=dict[str, Any])
            if data["image_set_hash"] != image_set:
                continue
            spec = TrialSpec.from_json({k: v for k, v in data.items() if k not in ("key", FORMAT)})
            found = settings_of(replace(recipe, **{name: getattr(spec, name) for name in _TRAINED}))
            same = spec.network.name == recipe.network.name and not spec.inherited_key and set(found) == set(settings)
            same = same and all(found[n] == v for n, v in fixed.items())
            point = carried(found, space, defaults={}) if same else None
            epochs, costs = _trained(folder)
        except (OSError, msgspec.DecodeError, MicrotomeError, KeyError, TypeError):
            continue  # damaged, or gone since
        best = best_epoch(epochs)
        value = None if best is None else measure(best, recipe.search.objective)
        unknown_cost = recipe.search.second not in ("none", *costs)  # an engine of two objectives would take it for failed
        if point is None or value is None or unknown_cost:
            left_out += 1
            continue
        points.append({"parameters": point, "value": value, "costs": costs, "trial": name_of(folder)})
    return WarmStarted(points=tuple(points), left_out=left_out)


def warm_up(
    records: Records, ledger: Ledger, recipe: Recipe, image_set: str, *, run: str, emit: Callable[[Event], None]
) -> None:
    """Where the search wishes it, journal what other runs know once, before the first trial: every resume tells the same.

    `image_set` is its hash; "" where every trial has its own.
    """
    if recipe.search is None or not recipe.search.warm_start or records.warm or records.trials:
        return
    if not image_set:
        emit(Note(text="A search that varies the slices has other images in every trial: it begins with nothing known."))
        return
    warm = warm_start(ledger, recipe, image_set, run=run)
    emit(warm)
    emit(words(warm))


def words(warm: WarmStarted) -> Note:
    """What is said of it."""
    part = sum(1 for point in warm.points if point["costs"].get("stopped"))
    text = f"The engine begins with what {len(warm.points)} trials of other runs have shown; they count in no budget."
    if part:
        text += f" {part} of them were not trained to their ends."
    if warm.left_out:
        text += f" {warm.left_out} others of the same images have other settings."
    return Note(text=text)


def _trained(folder: Path) -> tuple[tuple[EpochEnded, ...], dict[str, float]]:
    """The epochs of a trial and what they cost; "stopped" stands in the costs of one that has not come to its end."""
    if (folder / RESULT).exists():
        result = read_json(folder / RESULT)
        if result.get("rates"):
            raise FileError(f"{folder} went on with another learning rate than its settings say.")
        return epochs_of(result), costs_of(result)
    epochs = tuple(history(folder / NAME))
    return epochs, {"seconds": sum(e.seconds for e in epochs), "epochs": float(len(epochs)), "stopped": 1.0}
