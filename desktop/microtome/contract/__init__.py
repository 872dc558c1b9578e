"""The pytest suites that prove a plugin: inherit the class of its kind, name the plugin, and run pytest.

from microtome.contract import GeneratorContract

class TestMine(GeneratorContract):
    name = "mine"
"""

from __future__ import annotations

from microtome.contract.augmentations import AugmentationContract
from microtome.contract.base import PluginContract
from microtome.contract.generators import GeneratorContract
from microtome.contract.networks import NetworkContract
from microtome.contract.particles import ParticleContract
from microtome.contract.readers import ReaderContract
from microtome.contract.searches import SearchContract
from microtome.contract.transforms import TransformContract

__all__ = [
    "AugmentationContract",
    "GeneratorContract",
    "NetworkContract",
    "ParticleContract",
    "PluginContract",
    "ReaderContract",
    "SearchContract",
    "TransformContract",
]
