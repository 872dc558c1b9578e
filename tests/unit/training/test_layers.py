"""The layer table says what a network is: known counts and receptive fields, and what torch really keeps and sees."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from microtome.errors import PluginError
from microtome.plugin import network
from microtome.registry import Registry, registry
from microtome.training.build import build_network
from microtome.training.layers import FLOAT, LayerTable, layer_table, layers_in_worker

#: At 224 × 224 RGB and 1000 classes: parameters, millions of multiply-adds (timm's and torchvision's tables), and receptive
#: fields (Araujo et al., Distill 2019; of ResNet-50 and DenseNet in torchvision's form).
KNOWN = {
    "alexnet": (61_100_840, 714, 195),
    "vgg16": (138_357_544, 15_470, 212),
    "resnet18": (11_689_512, 1_814, 435),
    "resnet50": (25_557_032, 4_089, 427),
    "mobilenet-v1": (4_231_976, 569, 315),
    "densenet121": (7_978_856, 2_834, 2071),
    "efficientnet-lite0": (4_652_008, 385, 851),
}


@pytest.mark.parametrize("name", KNOWN)
def test_counts_and_receptive_fields_are_the_published_ones(name: str) -> None:
    table = layer_table(name, 3, 1000, 224)
    assert (table.parameters, round(table.multiply_adds / 1e6), table.receptive_field) == KNOWN[name]
    assert sum(layer.parameters for layer in table.layers) == table.parameters
    assert sum(layer.multiply_adds for layer in table.layers) == table.multiply_adds


def test_preactresnet18_has_the_size_of_its_form_for_small_images() -> None:
    assert round(layer_table("preactresnet18", 3, 10, 32).parameters / 1e6, 2) == 11.17


def test_c4f2_layer_by_layer() -> None:
    table = layer_table("cnn", 1, 3, 64)
    rows = [(layer.part, layer.kind, layer.shape, layer.receptive_field) for layer in table.layers if layer.parameters]
    assert rows == [
        ("stem", "convolution", (32, 64, 64), 3),
        ("1", "convolution", (64, 32, 32), 8),
        ("2", "convolution", (128, 14, 14), 18),
        ("3", "convolution", (256, 5, 5), 38),
        ("head", "dense", (1024,), None),
        ("head", "dense", (256,), None),
        ("head", "dense", (3,), None),
    ]
    assert (table.parameters, table.receptive_field) == (1_700_611, 46)
    assert table.layers[0].multiply_adds == 64 * 64 * 32 * 9


def test_an_untrained_part_costs_no_gradients_and_keeps_nothing() -> None:
    table = layer_table("mobilenet-v1", 1, 3, 64)
    full, head = table.memory(32), table.memory(32, frozen=("stem", *(str(n) for n in range(1, 14))))
    assert full.weights == full.gradients == FLOAT * table.parameters
    assert (full.optimiser, full.average) == (2 * full.weights, 0)
    assert full.total == 4 * full.weights + 32 * table.activation_bytes
    assert head.gradients == FLOAT * (1024 + 1) * 3
    assert 0 < head.activations < full.activations / 100
    assert table.memory(1, optimizer="sgd", momentum=0.0).optimiser == 0
    assert table.memory(1, optimizer="sgd", ema=True).average == full.weights


@pytest.mark.parametrize(("name", "settings"), [("cnn", {}), ("resnet18", {"width": 8}), ("efficientnet-lite0", {})])
def test_activations_are_what_torch_keeps(name: str, settings: dict[str, Any]) -> None:
    """Beside a forward pass with real numbers: the bytes of all memories that are kept for the way back."""
    torch.manual_seed(0)
    built = build_network(name, 1, 3, 64, **settings).train()
    kept = {tensor.untyped_storage().data_ptr(): 0 for tensor in (*built.parameters(), *built.buffers())}
    alive: list[Tensor] = []

    def pack(tensor: Tensor) -> Tensor:
        alive.append(tensor)
        kept.setdefault(tensor.untyped_storage().data_ptr(), tensor.untyped_storage().nbytes())
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(pack, lambda tensor: tensor):
        logits = built(torch.randn(8, 1, 64, 64))
    assert logits.requires_grad
    assert layer_table(name, 1, 3, 64, settings).activation_bytes == pytest.approx(sum(kept.values()) / 8, rel=0.03)


def test_the_receptive_field_is_what_a_pixel_of_the_last_map_sees() -> None:
    """With positive weights nothing cancels: the gradient of the middle pixel reaches exactly so far."""
    settings = {"width": 8, "stem": "small"}
    built = build_network("resnet18", 1, 3, 161, **settings).eval()
    for parameter in built.parameters():
        nn.init.constant_(parameter, 0.1)
    maps: list[Tensor] = []
    built.get_submodule("layer4").register_forward_hook(lambda *call: maps.append(call[2]))
    images = torch.ones(1, 1, 161, 161, requires_grad=True)
    built(images)
    maps[0][0, 0, 10, 10].backward()  # type: ignore[no-untyped-call]
    assert images.grad is not None
    reached = images.grad[0, 0].nonzero()
    assert int(reached[:, 0].max() - reached[:, 0].min()) + 1 == layer_table("resnet18", 1, 3, 161, settings).receptive_field


def test_larger_images_make_a_dense_layer_look_window_by_window() -> None:
    assert layer_table("vgg16", 3, 3, 448).receptive_field == 404  # its first dense layer is 7 × 7 at every 32nd pixel


def test_the_table_survives_json() -> None:
    table = layer_table("resnet18", 1, 3, 64, {"width": 8})
    assert LayerTable.from_json(json.loads(json.dumps(table.to_json()))) == table


def test_nothing_is_drawn() -> None:
    torch.manual_seed(3)
    wanted = torch.rand(3)
    torch.manual_seed(3)
    layer_table("cnn")
    assert torch.equal(torch.rand(3), wanted)


def test_a_worker_answers_in_plain_values() -> None:
    spec = {"name": "cnn", "channels": 1, "classes": 3, "image_size": 64, "parameters": {"width": 8}}
    assert LayerTable.from_json(layers_in_worker(spec)) == layer_table("cnn", 1, 3, 64, {"width": 8})
    answer = layers_in_worker({**spec, "image_size": 8})
    assert "too small" in answer["error"]
    assert answer["hint"]


def test_a_network_that_looks_at_its_numbers_is_refused_in_words(monkeypatch: pytest.MonkeyPatch) -> None:
    @network("peeping")
    def peeping(channels: int, classes: int, image_size: int) -> nn.Module:
        """It decides by the brightness of the image."""

        class Peeping(nn.Module):
            def forward(self, images: Tensor) -> Tensor:
                return images if float(images.mean()) > 0 else -images

        return Peeping()

    known = Registry()
    known.add(peeping.__microtome_plugin__)
    monkeypatch.setattr("microtome.training.build.registry", lambda: known)
    with pytest.raises(PluginError, match="peeping"):
        layer_table("peeping")
    assert "peeping" not in registry().names("network")


def test_the_window_learns_of_layers_without_torch() -> None:
    """The module of the table is read by the window, which may not wait for torch."""
    import subprocess
    import sys

    code = "import sys, microtome.training.layers; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], cwd=Path.cwd(), check=False).returncode == 0
