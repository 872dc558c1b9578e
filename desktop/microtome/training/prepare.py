"""A trial's network as its training begins: built, with pretrained weights where they are wished, and what learns when."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from microtome.events import Event, Note
from microtome.registry import registry
from microtome.slices.imageset import ImageSet
from microtome.training.hub import FetchStoppedError
from microtome.training.inherited import inherit
from microtome.training.loop import StoppedError
from microtome.training.regression import names_of
from microtome.training.spec import TrialSpec
from microtome.training.transfer import Stages, build_resizing
from microtome.training.weights import load_weights

if TYPE_CHECKING:
    from torch import nn


def prepare(
    spec: TrialSpec,
    image_set: ImageSet,
    *,
    resumed: bool,
    report: Callable[[Event], None],
    should_stop: Callable[[], str],
) -> tuple[nn.Module, Stages]:
    """The network of a trial for the images of a set, and its stages.

    Pretrained weights are fetched and loaded, and what was changed in them is told, unless the trial is `resumed`: then its
    checkpoint has all weights, and neither the file nor the hub need still be there. Raises what load_weights raises, and
    StoppedError where a transfer was stopped.
    """
    choice, transfer = spec.network, spec.transfer
    network = build_resizing(
        choice.name,
        channels=image_set.channels,
        classes=len(names_of(spec.training, image_set.classes)),
        edge=int(image_set.images.shape[-1]),
        size=transfer.image_size,
        **choice.parameters,
    )
    stages = Stages(network, transfer)
    if resumed:
        return network, stages
    findings = stages.findings
    if transfer.weights:
        try:
            loaded = load_weights(
                transfer.weights,
                network,
                plugin=registry().get("network", choice.name),
                settings=choice.parameters,
                classes=names_of(spec.training, image_set.classes),
                report=report,
                should_stop=should_stop,
            )
        except FetchStoppedError as stop:
            raise StoppedError(stop.order) from stop
        network.load_state_dict(loaded.state)
        findings = (f"The network begins with the weights “{loaded.origin}”.", *loaded.findings, *findings)
    if spec.inherited:
        inherit(network, Path(spec.inherited))
    for text in findings:
        report(Note(text=text))
    return network, stages
