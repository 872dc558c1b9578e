"""What other programs load says what the network says."""

from __future__ import annotations

import importlib.util
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from microtome.errors import FileError, InputError, MicrotomeError
from microtome.slices.imageset import ImageSet
from microtome.training.evaluate import Model
from microtome.training.export import FORMATS, export_model
from microtome.training.trial import run_trial


@pytest.fixture
def trained(textures: Callable[..., ImageSet], trial: Callable[..., dict[str, Any]]) -> tuple[ImageSet, Path]:
    """Images of odd grey values and a trial that learned them, with every kind of layer."""
    image_set = textures(scale_grey=30.0, shift_grey=100.0)
    network = {"convolutions": 2, "dense": 1, "width": 4, "dense_width": 32, "batch_norm": True, "activation": "gelu"}
    spec = trial(image_set, epochs=1, network=network)
    run_trial(spec, lambda event: None, lambda: "")
    return image_set, Path(spec["folder"])


def test_onnx_says_the_same(trained: tuple[ImageSet, Path], tmp_path: Path) -> None:
    onnxruntime = pytest.importorskip("onnxruntime", reason="onnxruntime is not installed")
    image_set, folder = trained
    export_model(folder, "onnx", tmp_path / "model.onnx")
    session = onnxruntime.InferenceSession(tmp_path / "model.onnx", providers=["CPUExecutionProvider"])
    for count in (1, 5):
        images = np.asarray(image_set.images[:count])
        (found,) = session.run(None, {"images": images[:, None]})
        assert np.allclose(found, Model.load(folder, device="cpu").predict(images), atol=1e-5)
    metadata = session.get_modelmeta().custom_metadata_map
    assert json.loads(metadata["classes"]) == list(image_set.classes)
    assert json.loads(metadata["microtome"])["pixel_size"] == 2.0


def test_torchscript_says_the_same(trained: tuple[ImageSet, Path], tmp_path: Path) -> None:
    image_set, folder = trained
    export_model(folder, "torchscript", tmp_path / "model.pt")
    extra = {"card.json": ""}
    script = torch.jit.load(tmp_path / "model.pt", _extra_files=extra)  # type: ignore[no-untyped-call]
    images = np.array(image_set.images[:5])
    found = script(torch.from_numpy(images[:, None])).numpy()
    assert np.allclose(found, Model.load(folder, device="cpu").predict(images), atol=1e-5)
    assert json.loads(extra["card.json"])["classes"] == list(image_set.classes)


def test_safetensors_is_the_model_file(trained: tuple[ImageSet, Path], tmp_path: Path) -> None:
    export_model(trained[1], "safetensors", tmp_path / "copy.safetensors")
    assert (tmp_path / "copy.safetensors").read_bytes() == (trained[1] / "model.safetensors").read_bytes()


def test_what_cannot_be_exported_is_said(trained: tuple[ImageSet, Path], tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no export format “caffe”"):
        export_model(trained[1], "caffe", tmp_path / "out")
    with pytest.raises(FileError, match="does not exist"):
        export_model(tmp_path / "nothing", "torchscript", tmp_path / "out")
    (tmp_path / "file").write_text("")
    for name in FORMATS:
        if name != "onnx" or importlib.util.find_spec("onnx"):
            with pytest.raises(FileError, match="Could not write"):
                export_model(trained[1], name, tmp_path / "file" / "out")


def test_missing_packages_are_named(trained: tuple[ImageSet, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    there = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name, *a: None if name == "onnxscript" else there(name, *a))
    with pytest.raises(MicrotomeError, match="pip install onnxscript"):
        export_model(trained[1], "onnx", tmp_path / "model.onnx")
