"""Every built-in network keeps the networks' contract; the large ones in narrow forms, whose arithmetic is the same."""

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


class TestAlexNet(NetworkContract):
    """With narrow dense layers."""

    name = "alexnet"
    settings = {"dense_width": 64, "dropout": 0.0}
    sizes = (63, 100)


class TestVgg16(NetworkContract):
    """An eighth of the channels, normalised: thirteen plain layers learn nothing in a dozen steps."""

    name = "vgg16"
    settings = {"width": 8, "dense_width": 64, "dropout": 0.0, "batch_norm": True}
    sizes = (65,)


class TestResNet18(NetworkContract):
    """With its stem for large images."""

    name = "resnet18"
    settings = {"width": 16}
    sizes = (65,)


class TestResNet50(NetworkContract):
    """With its stem for small images."""

    name = "resnet50"
    settings = {"width": 8, "stem": "small"}
    sizes = (33,)


class TestPreActResNet18(NetworkContract):
    """As it is for small images."""

    name = "preactresnet18"
    settings = {"width": 8}
    sizes = (45,)


class TestMobileNet(NetworkContract):
    """A quarter of its channels."""

    name = "mobilenet-v1"
    settings = {"width": 0.25}
    sizes = (65,)


class TestDenseNet121(NetworkContract):
    """An eighth of its growth."""

    name = "densenet121"
    settings = {"growth": 4}
    sizes = (65,)


class TestEfficientNetLite0(NetworkContract):
    """As its authors padded it, so that odd sizes matter."""

    name = "efficientnet-lite0"
    settings = {"dropout": 0.0}
    sizes = (65,)


class TestEfficientNetLite0OfTimm(NetworkContract):
    """As timm pads it, with the stem for small images."""

    name = "efficientnet-lite0"
    settings = {"dropout": 0.0, "form": "pytorch", "stem": "small"}
    sizes = (33,)
