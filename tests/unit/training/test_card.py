"""A model's card warns of data that are not what the network learned from."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from microtome.slices.plan import SlicePlan
from microtome.training.card import ModelCard
from microtome.training.checkpoint import write_tensors

CARD = ModelCard(
    network="cnn",
    parameters={"width": 8},
    classes=("ゴム", "fine"),
    channels=1,
    image_size=64,
    pixel_size=10.0,
    unit="nm",
    plan=SlicePlan(field_of_view=640.0, unit="nm").to_json(),
    mean=0.0,
    deviation=1.0,
    voxel_size=(10.0, 10.0, 10.0),
    voxel_unit="nm",
)


def test_it_survives_its_file(tmp_path: Path) -> None:
    write_tensors(tmp_path / "model.safetensors", {}, CARD.to_metadata())
    assert ModelCard.read(tmp_path / "model.safetensors") == CARD
    assert CARD.field_of_view == 640.0


@pytest.mark.parametrize(
    ("size", "unit", "words"),
    [
        ((10.0, 10.0, 10.0), "nm", ""),
        ((0.01, 0.01, 0.01), "um", ""),
        ((10.0, 10.0, 20.0), "nm", "10 × 10 × 20 nm, is not that of the training data"),
        (None, "voxel", "taken to be that of the training data"),
    ],
)
def test_voxel_sizes_are_compared_in_nanometres(size: tuple[float, ...] | None, unit: str, words: str) -> None:
    warning = CARD.voxel_size_warning(size, unit)
    assert words in warning
    assert bool(words) == bool(warning)


def test_what_nobody_knows_is_said() -> None:
    card = replace(CARD, voxel_size=None, unit="voxel")
    assert "Neither" in card.voxel_size_warning(None, "voxel")
    assert "was not known" in card.voxel_size_warning((1.0, 1.0, 1.0), "nm")


def test_a_network_of_several_voxel_sizes_asks_for_none_of_them() -> None:
    """Their slices have one physical pixel, to which what it is asked about is brought as well."""
    card = replace(CARD, voxel_size=None)
    assert card.voxel_size_warning((4.0, 4.0, 4.0), "nm") == ""
    assert "learned from several: a voxel was taken for a pixel" in card.voxel_size_warning(None, "voxel")
