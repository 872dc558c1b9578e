"""A trained network for other programs: ONNX, TorchScript, or the model file as it is."""

from __future__ import annotations

import importlib.util
import json
import logging
import warnings
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from microtome.errors import InputError, MicrotomeError
from microtome.store.atomic import replacing
from microtome.training.levels import per_channel

if TYPE_CHECKING:
    from torch import nn

    from microtome.training.evaluate import Model

_OPSET = 18


def export_onnx(model: Model, path: Path) -> None:
    """Write ONNX: `images` (n, c, h, w), values as in the image set, to `probabilities` (n, k); the card is metadata.

    Of a network that tells a number it is `values` (n, 1), in the card's unit.
    Raises MicrotomeError where the packages onnx and onnxscript are missing.
    """
    missing = [name for name in ("onnx", "onnxscript") if importlib.util.find_spec(name) is None]
    if missing:
        raise MicrotomeError(f"ONNX export needs the package {' and '.join(missing)}.", f"Run: pip install {' '.join(missing)}")
    import onnx
    import torch

    complete, example = _complete(model)
    logging.getLogger("torch.onnx").setLevel(logging.ERROR)  # it remarks on packages that no network here needs
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the exporter's remarks on torch's internals
        program = torch.onnx.export(
            complete,
            (example,),
            dynamo=True,
            verbose=False,
            opset_version=_OPSET,
            input_names=["images"],
            output_names=["values" if model.card.value else "probabilities"],
            dynamic_shapes=({0: torch.export.Dim("n")},),
        )
    assert program is not None
    proto = program.model_proto
    for key, value in _card(model).items():
        entry = proto.metadata_props.add()
        entry.key, entry.value = key, value
    onnx.checker.check_model(proto)
    with replacing(path) as file:
        file.write(proto.SerializeToString())


def export_torchscript(model: Model, path: Path) -> None:
    """Write TorchScript: images (n, c, h, w), values as in the image set, to probabilities (n, k); card.json inside."""
    import io

    import torch

    complete, example = _complete(model)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # torch announces TorchScript's successor
        traced = torch.jit.trace(complete, (example,), check_trace=False)  # type: ignore[no-untyped-call]
        buffer = io.BytesIO()
        torch.jit.save(traced, buffer, _extra_files={"card.json": _card(model)["microtome"]})
    with replacing(path) as file:
        file.write(buffer.getvalue())


def export_safetensors(model: Model, path: Path) -> None:
    """Copy the model file: weights and card."""
    with replacing(path) as file:
        file.write(model.path.read_bytes())


FORMATS: dict[str, Callable[[Model, Path], None]] = {
    "onnx": export_onnx,
    "torchscript": export_torchscript,
    "safetensors": export_safetensors,
}


def export_model(path: Path | str, format: str, out: Path | str) -> None:
    """Export the network of a model file, a trial's or a run's folder; InputError for an unknown format."""
    from microtome.training.evaluate import Model

    if format not in FORMATS:
        raise InputError(f"There is no export format “{format}”.", f"Known: {', '.join(FORMATS)}.")
    FORMATS[format](Model.load(path, device="cpu"), Path(out))


def _card(model: Model) -> dict[str, str]:
    card = json.dumps(asdict(model.card), ensure_ascii=False)
    return {"microtome": card, "classes": json.dumps(model.card.classes, ensure_ascii=False)}


def _complete(model: Model) -> tuple[nn.Module, Any]:
    """The network with its grey scaling before and the softmax behind it, and an example of its images."""
    import torch

    value = model.card.value

    class Complete(torch.nn.Module):
        """From grey values to probabilities, or to the value that the network tells."""

        def __init__(self) -> None:
            super().__init__()
            self.network = model.network
            images = torch.zeros(1, model.card.channels, 1, 1)
            self.mean, self.deviation = (per_channel(level, images) for level in (model.card.mean, model.card.deviation))

        def forward(self, images: torch.Tensor) -> torch.Tensor:
            """Images (n, c, h, w) to probabilities (n, k), or values (n, 1)."""
            answers: torch.Tensor = self.network((images - self.mean) / self.deviation)
            if value:
                return answers * float(value["deviation"]) + float(value["mean"])
            return answers.softmax(dim=1)

    edge = model.card.image_size
    return Complete().eval(), torch.zeros(2, model.card.channels, edge, edge)
