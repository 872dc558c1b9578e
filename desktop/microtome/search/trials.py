"""A trial as a value: what a recipe means once its image set is there."""

from __future__ import annotations

from pathlib import Path

from microtome.search.recipe import Recipe
from microtome.slices.imageset import ImageSet
from microtome.training.contents import contents_key
from microtome.training.spec import TrialSpec


def trial_of(recipe: Recipe, images: ImageSet, folder: Path, *, device: str, threads: int) -> TrialSpec:
    """The trial of a recipe whose searched settings are set; FileError where its file of first weights cannot be read."""
    return TrialSpec(
        image_set=str(images.path),
        image_set_hash=images.hash,
        network=recipe.network,
        training=recipe.training,
        transfer=recipe.transfer,
        importance=recipe.importance,
        weights_key=contents_key(recipe.transfer.file),
        folder=str(folder),
        device=device,
        threads=threads,
    )
