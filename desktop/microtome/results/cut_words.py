"""How the images of a run were made, in the sentences of a methods paragraph."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from microtome.results.fold import RunState
from microtome.results.words import per_class_counts
from microtome.search.recipe import Recipe
from microtome.slices.plan import SlicePlan

_NORMALISED = {
    "none": "",
    "volume": "Grey values were normalised to zero mean and unit deviation over each {volume}.",
    "slice": "Grey values were normalised to zero mean and unit deviation over each {slice}.",
    "volume-percentile": "The 1st to 99th percentile of the grey values of each {volume} was brought to 0 to 1.",
    "slice-percentile": "The 1st to 99th percentile of the grey values of each {slice} was brought to 0 to 1.",
    "histogram": "The histogram of each {volume} was matched to the mean histogram of the training {volume}s.",
}
_ORIENTED = {
    "random": "at random positions and orientations",
    "cone": "at random positions, with normals within {cone:g}° of the z axis,",
    "xy-rotated": "at random positions parallel to xy planes, turned at random,",
}


def cut_words(recipe: Recipe, state: RunState, image_set: Mapping[str, Any]) -> str:
    """What was cut of what, how, how many of each set, and what was done to grey values.

    `image_set` is the image set's plan.json, as far as it is known.
    """
    flat = are_micrographs(recipe)
    text = _micrographs(recipe) if flat else _slices(recipe)
    ready = state.image_set
    if ready is not None and ready.unit != "voxel":
        text += f" ({ready.pixel_size:.4g} {ready.unit} a pixel)"
    text += ", in colour (three channels)." if _in_colour(image_set) else "."
    noun = image_noun(recipe)
    if ready is not None:
        train, validation, evaluation = (per_class_counts(ready, split) for split in ("train", "validation", "evaluation"))
        text += " In all" if recipe.training.target == "value" else " For each class"
        text += f" {train} {noun}s served for training, {validation} for validation and {evaluation} for evaluation."
    grey = _NORMALISED.get(recipe.slices.normalisation, "").format(volume="image" if flat else "volume", slice=noun)
    return f"{text} {grey}".strip()


def are_micrographs(recipe: Recipe) -> bool:
    """Whether all images of the recipe were two-dimensional from the start."""
    return bool(recipe.classes) and not any(source.volumes or source.simulated for source in recipe.classes)


def image_noun(recipe: Recipe) -> str:
    """What one image of the set is called."""
    return "image" if are_micrographs(recipe) else "slice"


def _slices(recipe: Recipe) -> str:
    plan = recipe.slices
    how = _ORIENTED.get(plan.orientation, "at random positions parallel to {plane} planes").format(
        cone=plan.cone, plane=plan.orientation
    )
    slab = f", averaged through slabs {plan.thickness:g} {_unit(plan)} thick," if plan.thickness > 0 else ""
    return (
        f"Slices with {_field(plan)} were cut {how} from {_sources(recipe, 'volume')} by trilinear interpolation{slab} and "
        f"sampled with {plan.pixels} × {plan.pixels} pixels"
    )


def _micrographs(recipe: Recipe) -> str:
    plan, settings, whence = recipe.slices, recipe.micrographs, _sources(recipe, "micrograph")
    field, size = _field(plan, "of their pixels"), f"{plan.pixels} × {plan.pixels} pixels"
    match settings.fit:
        case "resize":
            return f"The middle squares of {whence} were brought to {size}"
        case "stretch":
            return f"Whole {whence} were brought to {size}, whatever their aspect ratio"
        case "tile":
            over = f" that overlap by {100 * settings.overlap:g} %" if settings.overlap > 0 else ""
            return f"Tiles side by side with {field}{over} were cut from {whence} and sampled with {size}"
        case _:
            return f"Images with {field} were cut at random positions from {whence} and sampled with {size}"


def _sources(recipe: Recipe, noun: str) -> str:
    """`volumes of 2 classes (a, b)`; where numbers are told, how many volumes."""
    if recipe.training.target == "value":
        count = sum(len(c.volumes) + len(c.simulated) for c in recipe.classes)
        return f"{count} {noun}{'' if count == 1 else 's'}" if count else f"{noun}s"
    mixed = noun == "volume" and any(c.images for c in recipe.classes)
    classes = ", ".join(c.name for c in recipe.classes)
    return f"{noun}s{' and micrographs' if mixed else ''} of {len(recipe.classes)} classes ({classes})"


def _field(plan: SlicePlan, voxels: str = "voxels") -> str:
    return f"a field of view of {plan.field_of_view:g} × {plan.field_of_view:g} {_unit(plan, voxels)}"


def _unit(plan: SlicePlan, voxels: str = "voxels") -> str:
    return {"voxel": voxels, "um": "µm"}.get(plan.unit, plan.unit)


def _in_colour(image_set: Mapping[str, Any]) -> bool:
    return any("in colour" in words for words in image_set.get("warnings", ()))
