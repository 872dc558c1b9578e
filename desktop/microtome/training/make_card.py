"""The card of a network that is about to be trained: what its trial and its image set say of it."""

from __future__ import annotations

import importlib.metadata
from dataclasses import asdict

from microtome import __version__
from microtome.slices.imageset import ImageSet
from microtome.training.card import ModelCard
from microtome.training.levels import Level
from microtome.training.regression import Scale, names_of
from microtome.training.spec import TrialSpec
from microtome.volumes.units import VOXEL


def card_of(spec: TrialSpec, image_set: ImageSet, *, mean: Level, deviation: Level, scale: Scale | None) -> ModelCard:
    """The card of a trial's network on an image set with that mean and deviation of greys; `scale` of its values, if any."""
    sizes = {(tuple(v["voxel_size"]), v["unit"]) for v in image_set.volumes if v.get("voxel_size")}
    # Where the volumes differ, there is no one voxel size that other data could be compared with.
    voxel_size, voxel_unit = sizes.pop() if len(sizes) == 1 else (None, VOXEL)
    value = {}
    if scale is not None:
        known = image_set.values[image_set.split("train")]
        ends = {"low": float(known.min()), "high": float(known.max())}
        value = {**asdict(scale), "unit": spec.training.value_unit, **ends}
    return ModelCard(
        network=spec.network.name,
        parameters=spec.network.parameters,
        classes=names_of(spec.training, image_set.classes),
        channels=image_set.channels,
        image_size=int(image_set.images.shape[-1]),
        pixel_size=float(image_set.pixel_size),
        unit=image_set.unit,
        plan=image_set.plan.to_json(),
        mean=mean,
        deviation=deviation,
        voxel_size=voxel_size,
        voxel_unit=voxel_unit,
        grey=image_set.grey,
        micrographs=image_set.micrographs,
        image_set=image_set.hash,
        training=asdict(spec.training),
        transfer=asdict(spec.transfer),
        input_size=spec.transfer.image_size,
        value=value,
        versions={"microtome": __version__, "torch": importlib.metadata.version("torch")},
    )
