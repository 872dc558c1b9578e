"""Every built-in generator keeps the generators' contract."""

from __future__ import annotations

from microtome.contract import GeneratorContract


class TestRnd(GeneratorContract):
    """Random addition: not a trace of overlap."""

    name = "rnd"
    settings = {"edge": 240.0, "sweeps": 5}
    volume_fraction = 0.2
    overlap = 0.0


class TestRandomPoints(GeneratorContract):
    """Random points, relaxed."""

    name = "rnd"
    settings = {"edge": 240.0, "process": "poisson", "volume_fraction": 0.3}
    volume_fraction = 0.3


class TestMSbr(GeneratorContract):
    """Small aggregates."""

    name = "m-sbr"
    settings = {"edge": 240.0}
    volume_fraction = 0.2


class TestNSbr(GeneratorContract):
    """Large aggregates that cluster."""

    name = "n-sbr"
    settings = {"edge": 240.0, "volume_fraction": 0.12}
    volume_fraction = 0.12
