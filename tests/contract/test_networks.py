"""Every built-in network keeps the networks' contract."""

from __future__ import annotations

from microtome.contract import NetworkContract


class TestCnn(NetworkContract):
    """C4F2 as it comes, without dropout: a dozen noisy steps prove nothing."""

    name = "cnn"
    settings = {"width": 8, "dense_width": 64, "dropout": 0.0}
    sizes = (24, 64, 65)


class TestDeepCnn(NetworkContract):
    """The deepest convolutions, normalised, with large kernels."""

    name = "cnn"
    settings = {"convolutions": 6, "dense": 0, "width": 4, "batch_norm": True, "kernel": 5, "activation": "silu"}
    sizes = (33,)
