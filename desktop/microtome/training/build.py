"""Networks by name, with every setting checked."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from microtome.errors import InputError
from microtome.plugin import Plugin
from microtome.registry import registry

if TYPE_CHECKING:
    from torch import nn

_LARGEST = 8192  # pixels an edge


def build_network(name: str, channels: int = 1, classes: int = 3, image_size: int = 64, **parameters: Any) -> nn.Module:
    """Return the network `name`, freshly initialised: images (n, channels, image_size, image_size) to logits (n, classes).

    Raises UnknownNameError for an unknown network or setting, InputError for a value out of range.
    """
    plugin = registry().get("network", name)
    for what, value, low, high in (
        ("channels", channels, 1, 1024),
        ("classes", classes, 1, 100_000),  # 1: a number
        ("image_size", image_size, 1, _LARGEST),
    ):
        if isinstance(value, bool) or not isinstance(value, int) or not low <= value <= high:
            raise InputError(f"A network cannot have {what} = {value!r}.", f"Give a whole number from {low} to {high}.")
    check_size(plugin, image_size)
    network: nn.Module = plugin.call(channels, classes, image_size, **parameters)
    return network


def check_size(plugin: Plugin, image_size: int) -> None:
    """InputError where images of so many pixels an edge are too small for a network."""
    name, smallest = plugin.name, int(plugin.extra.get("minimum_size", 1))
    if image_size < smallest:
        raise InputError(
            f"Images of {image_size} pixels are too small for the network “{name}”.",
            f"It needs at least {smallest} pixels an edge.",
        )
