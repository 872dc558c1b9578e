"""Weights from files of several authors fit our networks exactly; what does not fit is refused in words."""

from __future__ import annotations

import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812 - its customary name

from microtome.errors import FileError, InputError
from microtome.registry import registry
from microtome.search.recipe import parse
from microtome.slices.imageset import ImageSet
from microtome.training.build import build_network
from microtome.training.trial import run_trial
from microtome.training.weights import Pretrained, grey_from_rgb, load_weights, spread_channels

SMALL = {"width": 8, "stem": "small"}


def made(name: str = "resnet18", channels: int = 3, classes: int = 10, seed: int = 1, **settings: Any) -> nn.Module:
    """A network of its own random weights."""
    torch.manual_seed(seed)
    return build_network(name, channels, classes, 64, **(settings or SMALL)).eval()


def load(source: Path | str, network: nn.Module, name: str = "resnet18", **given: Any) -> Pretrained:
    found = load_weights(str(source), network, plugin=registry().get("network", name), **given)
    network.load_state_dict(found.state)
    return found


def saved(state: dict[str, Any], path: Path) -> Path:
    if path.suffix == ".safetensors":
        save_file(state, path)
    else:
        torch.save(state, path)
    return path


@pytest.mark.parametrize("file", ["weights.pth", "weights.safetensors"])
def test_a_file_comes_as_it_is(tmp_path: Path, file: str) -> None:
    theirs, ours = made(), made(seed=2)
    found = load(saved(theirs.state_dict(), tmp_path / file), ours)
    assert (found.fresh, found.findings, found.published) == ((), (), None)
    images = torch.randn(2, 3, 64, 64)
    assert torch.equal(theirs(images), ours(images))


@pytest.mark.parametrize("wrap", [{"state_dict"}, {"model"}])
def test_a_file_of_a_trainer(tmp_path: Path, wrap: set[str]) -> None:
    theirs, ours = made(), made(seed=2)
    state = {f"module._orig_mod.{name}": value for name, value in theirs.state_dict().items()}
    load(saved({wrap.pop(): state, "epoch": 7, "arch": "resnet18"}, tmp_path / "trainer.pth"), ours)
    assert torch.equal(theirs.state_dict()["conv1.weight"], ours.state_dict()["conv1.weight"])


def test_grey_images_are_seen_as_the_same_in_three_colours(tmp_path: Path) -> None:
    theirs, ours = made(), made(channels=1, seed=2)
    found = load(saved(theirs.state_dict(), tmp_path / "rgb.pth"), ours)
    assert found.findings == (
        "The first convolution (conv1.weight) is for grey images now: the sum of its red, green and blue.",
    )
    grey = torch.randn(2, 1, 64, 64)
    assert torch.allclose(ours(grey), theirs(grey.expand(-1, 3, -1, -1)), atol=1e-5)


def test_contrast_is_kept_where_images_were_scaled_otherwise() -> None:
    """A grey image of deviation 1 stands for colours whose deviation is ImageNet's, divided by what the authors divided by."""
    weight, grey = torch.randn(4, 3, 3, 3), torch.randn(1, 1, 9, 9)
    colours = grey * torch.tensor([0.229, 0.224, 0.225]).view(1, 3, 1, 1) / 0.5
    assert torch.allclose(F.conv2d(grey, grey_from_rgb(weight, (0.5, 0.5, 0.5))), F.conv2d(colours, weight), atol=1e-5)
    assert torch.allclose(grey_from_rgb(weight), weight.sum(1, keepdim=True))


@pytest.mark.parametrize(("theirs", "ours"), [(1, 3), (3, 4), (2, 1), (2, 5)])
def test_other_numbers_of_channels(tmp_path: Path, theirs: int, ours: int) -> None:
    network, target = made(channels=theirs), made(channels=ours, seed=2)
    found = load(saved(network.state_dict(), tmp_path / "w.pth"), target)
    assert f"from {theirs} to {ours} channels" in found.findings[0]
    image = torch.randn(1, 1, 64, 64)  # the same in every channel
    answers = [n(image.expand(-1, c, -1, -1)) for n, c in ((network, theirs), (target, ours))]
    if theirs % ours == 0 or ours % theirs == 0:
        assert torch.allclose(answers[0], answers[1], atol=1e-4)
    assert torch.equal(spread_channels(torch.ones(2, 3, 1, 1), 4), torch.full((2, 4, 1, 1), 0.75))


def test_another_number_of_classes_begins_anew(tmp_path: Path) -> None:
    theirs, ours = made(), made(classes=4, seed=2)
    before = ours.state_dict()["fc.weight"].clone()
    found = load(saved(theirs.state_dict(), tmp_path / "w.pth"), ours)
    assert found.fresh == ("fc.weight", "fc.bias")
    assert "(fc.weight, fc.bias) begins with random weights" in found.findings[0]
    assert torch.equal(ours.state_dict()["fc.weight"], before)
    assert torch.equal(ours.state_dict()["conv1.weight"], theirs.state_dict()["conv1.weight"])


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (lambda s: s.pop("layer2.0.conv1.weight"), r"1 are missing \(layer2\.0\.conv1\.weight\)"),
        (
            lambda s: s.update({"layer2.0.conv1.weight": torch.zeros(16, 9, 3, 3)}),
            r"\(16, 9, 3, 3\) instead of \(16, 8, 3, 3\)",
        ),
        (
            lambda s: s.update({f"layer1.{i}.conv1.weight": torch.zeros(1) for i in range(2, 7)}),
            r"5 are unknown \(layer1\.2.*…\)",
        ),
    ],
)
def test_a_wrong_file_is_refused_by_name(tmp_path: Path, spoil: Callable[[dict[str, Tensor]], Any], said: str) -> None:
    state = made().state_dict()
    spoil(state)
    ours = made(seed=2)
    with pytest.raises(FileError, match=said):
        load(saved(state, tmp_path / "wrong.pth"), ours)


def test_another_network_is_refused(tmp_path: Path) -> None:
    path = saved(made().state_dict(), tmp_path / "resnet.pth")
    with pytest.raises(FileError, match="do not fit the network “preactresnet18”"):
        load(path, made("preactresnet18", width=8), "preactresnet18")


def test_torchvisions_densenet_and_vgg(tmp_path: Path) -> None:
    theirs = made("densenet121", growth=4)
    old = {
        name.replace(".norm1.", ".norm.1.")
        .replace(".norm2.", ".norm.2.")
        .replace(".conv1.", ".conv.1.")
        .replace(".conv2.", ".conv.2.")
        if "denselayer" in name
        else name: value
        for name, value in theirs.state_dict().items()
        if not name.endswith("num_batches_tracked")
    }
    ours = made("densenet121", seed=2, growth=4)
    assert load(saved(old, tmp_path / "densenet.pth"), ours, "densenet121").fresh == ()
    images = torch.randn(1, 3, 64, 64)
    assert torch.equal(theirs(images), ours(images))

    theirs, ours = made("vgg16", width=8, dense_width=64), made("vgg16", seed=2, width=8, dense_width=64)
    state = dict(theirs.state_dict())
    for mine, name in (("pre_logits.fc1", "classifier.0"), ("pre_logits.fc2", "classifier.3"), ("head.fc", "classifier.6")):
        state[f"{name}.weight"] = state.pop(f"{mine}.weight").flatten(1)
        state[f"{name}.bias"] = state.pop(f"{mine}.bias")
    assert load(saved(state, tmp_path / "vgg.pth"), ours, "vgg16").fresh == ()
    assert torch.equal(theirs(images), ours(images))


class Evil:
    """Would write a file where it was unpickled."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[Any, ...]:
        return (open, (str(self.path), "w"))


def test_no_code_in_a_file_is_run(tmp_path: Path) -> None:
    trace = tmp_path / "trace"
    torch.save({"conv1.weight": torch.zeros(1), "extra": Evil(trace)}, tmp_path / "evil.pth")
    (tmp_path / "plain.pth").write_bytes(pickle.dumps(Evil(trace)))
    for name in ("evil.pth", "plain.pth"):
        with pytest.raises(FileError, match="not be safe"):
            load(tmp_path / name, made())
    assert not trace.exists()


@pytest.mark.parametrize("content", [b"", b"no weights", b"PK\x03\x04 torn"])
def test_a_file_of_something_else(tmp_path: Path, content: bytes) -> None:
    for name in ("x.pth", "x.safetensors"):
        (tmp_path / name).write_bytes(content)
        with pytest.raises(FileError, match=name):
            load(tmp_path / name, made())
    with pytest.raises(FileError, match="does not exist"):
        load(tmp_path / "gone.pth", made())
    with pytest.raises(FileError, match="no named weights"):
        load(saved({"epoch": 3}, tmp_path / "empty.pth"), made())


def test_ours_of_an_earlier_run(
    textures: Callable[..., ImageSet], trial: Callable[..., dict[str, Any]], tmp_path: Path
) -> None:
    spec = trial(textures(), epochs=1)
    run_trial(spec, lambda event: None, lambda: "")
    path = tmp_path / "trial" / "model.safetensors"
    settings = spec["network"]["parameters"]
    torch.manual_seed(3)
    same = build_network("cnn", 1, 3, 16, **settings)
    assert load(path, same, "cnn", classes=("fine", "middle", "coarse")).fresh == ()
    found = load(path, same, "cnn", classes=("fine", "medium", "coarse"))
    assert "tells other classes apart" in found.findings[0]
    assert "output.weight" in found.fresh
    with pytest.raises(FileError, match="is a network “cnn”, not “resnet18”"):
        load(path, made())


def test_published_weights_and_their_form() -> None:
    grey = build_network("efficientnet-lite0", 1, 3, 64)
    found = load("published", grey, "efficientnet-lite0")
    assert found.published is not None
    assert "Apache-2.0" in found.origin
    assert found.fresh == ("classifier.weight", "classifier.bias")
    with pytest.raises(InputError, match="another form") as caught:
        load("published", grey, "efficientnet-lite0", settings={"form": "pytorch"})
    assert "network.form to tensorflow" in caught.value.hint
    with pytest.raises(InputError, match="“cnn” has no published weights") as caught:
        load("published", build_network("cnn", 1, 3, 64), "cnn")
    assert "efficientnet-lite0" in caught.value.hint


@pytest.mark.parametrize(
    ("written", "meant"),
    [("w.pth", "/recipes/w.pth"), ("/w.pth", "/w.pth"), ("published", "published"), ("hub:a/b", "hub:a/b"), ("", "")],
)
def test_a_recipes_file_lies_beside_it(written: str, meant: str) -> None:
    assert parse({"transfer": {"weights": written}}, Path("/recipes")).transfer.weights == meant
