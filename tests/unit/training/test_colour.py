"""Networks for colour: what they see, that augmentation treats all channels alike, and that colour alone can be learned."""

from __future__ import annotations

import json
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import imagecodecs
import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from microtome.errors import InputError
from microtome.plugin import PublishedWeights
from microtome.registry import registry
from microtome.results.predict import predict_paths
from microtome.search.driver import create_run, drive, summary
from microtome.session import Session
from microtome.slices.imageset import ImageSet, build
from microtome.slices.plan import ClassSource, Micrographs, SlicePlan
from microtome.training.augment import Augmenter, Greys, Step, augmented, greys_of
from microtome.training.baseline_features import gradient_features, spectrum_features
from microtome.training.card import ModelCard
from microtome.training.checkpoint import read_tensors, write_tensors
from microtome.training.evaluate import Model, evaluate
from microtome.training.export import export_model
from microtome.training.levels import levels_of
from microtome.training.seen import read_seen
from microtome.training.spec import NetworkChoice, TrainingSpec, TransferSpec, TrialSpec, augmentation_list
from microtome.training.trial import run_trial
from microtome.volumes.grey import LUMINANCE
from microtome.volumes.read import describe

SMALL = {"convolutions": 2, "dense": 1, "width": 8, "dense_width": 32}


def isoluminant(seed: int, *, blue: bool, kind: Any = np.uint8) -> NDArray[Any]:
    """The same noise of brightness for both classes, shifted along a colour that changes the brightness by nothing."""
    red, green, other = LUMINANCE
    way = np.array([1.0, -red / green, 0.0]) if not blue else np.array([0.0, -other / green, 1.0])
    shade = np.random.default_rng(seed).uniform(90, 150, (64, 64 + seed % 2, 1))  # of two sizes: no slices of a volume
    top = np.iinfo(kind).max // 255
    return np.asarray(np.rint((shade + 40 * way) * top)).astype(kind)


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two classes of images with the same brightness."""
    folder = tmp_path_factory.mktemp("colour")
    for label, name in enumerate(("ruddy", "bluish")):
        (folder / name).mkdir()
        for k in range(6):
            image = isoluminant(k + 100 * label, blue=bool(label))
            (folder / name / f"{k}.png").write_bytes(imagecodecs.png_encode(image))
    return folder


def built(place: Path, colour: str, **plan: Any) -> ImageSet:
    settings = Micrographs(colour=colour)
    classes = tuple(ClassSource(name=n, images=(str(place / n),), micrographs=settings) for n in ("ruddy", "bluish"))
    counts = {"train": 40, "validation": 20, "evaluation": 20, "normalisation": "slice", **plan}
    return build(classes, SlicePlan(field_of_view=16, pixels=16, **counts), place / "sets")


def trial(image_set: ImageSet, folder: Path, **more: Any) -> TrialSpec:
    settings = {"epochs": 3, "batch_size": 16, "learning_rate": 3e-3, **more.pop("training", {})}
    return TrialSpec(
        image_set=str(image_set.path),
        image_set_hash=image_set.hash,
        network=NetworkChoice(parameters=SMALL),
        training=TrainingSpec(**settings),
        folder=str(folder),
        device="cpu",
        threads=1,
        **more,
    )


@pytest.fixture(scope="module")
def trained(place: Path) -> Path:
    """A trial that learned the colours."""
    spec = trial(built(place, "auto"), place / "trial")
    result = run_trial(spec.to_json(), lambda event: None, lambda: "")
    assert result["value"] == 1.0
    return place / "trial"


@pytest.mark.slow
def test_colour_alone_is_learned_through_the_session(place: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MICROTOME_HOME", str(tmp_path / "home"))
    session = Session()
    session.new_project(tmp_path / "project")
    for name in ("ruddy", "bluish"):
        session.add_volume(describe(place / name), name)
    small = {"train": 40, "validation": 20, "evaluation": 100, "pixels": 16, "field_of_view": 16.0, "normalisation": "slice"}
    for key, value in small.items():
        session.set_value(f"slices.{key}", value)
    for key, value in {"epochs": 3, "batch_size": 16, "learning_rate": 3e-3}.items():
        session.set_value(f"training.{key}", value)
    for key, value in SMALL.items():
        session.set_value(f"network.{key}", value)
    reached = {}
    for colour in ("rgb", "grey"):
        session.set_value("micrographs.colour", colour)
        run = create_run(session.recipe(search=False), session.need_project())
        assert drive(run).state == "done"
        reached[colour] = summary(run)["accuracy"]
    assert reached["rgb"] >= 0.98
    assert abs(reached["grey"] - 0.5) < 0.15, "200 images: four standard errors"


def test_colour_alone_is_learned_and_grey_is_at_chance(place: Path, trained: Path) -> None:
    found = evaluate(trained, built(place, "auto"), device="cpu")
    assert found.accuracy == 1.0
    image_set = built(place, "grey", evaluation=100)
    run_trial(trial(image_set, place / "grey").to_json(), lambda event: None, lambda: "")
    blind = evaluate(place / "grey", image_set, device="cpu")
    assert abs(blind.accuracy - 0.5) < 0.15, "200 images: four standard errors"
    assert ModelCard.read(place / "grey" / "model.safetensors").channels == 1


def test_the_card_and_the_files_say_three_channels(trained: Path) -> None:
    card = ModelCard.read(trained / "model.safetensors")
    assert card.channels == 3
    assert isinstance(card.mean, float)
    assert card.micrographs["colour"] == "auto"
    seen = read_seen(trained)
    assert seen is not None
    assert seen.images.shape[1:] == (3, 16, 16)


def test_new_images_are_told_in_colour(trained: Path, tmp_path: Path) -> None:
    files = []
    for blue in (False, True):
        for kind in (np.uint8, np.uint16):
            file = tmp_path / f"{blue}-{np.dtype(kind).name}.png"
            file.write_bytes(imagecodecs.png_encode(isoluminant(999, blue=blue, kind=kind)))
            files.append(file)
    found = predict_paths(trained, files, slices=9)
    assert [f.class_name for f in found] == ["ruddy", "ruddy", "bluish", "bluish"]
    grey = tmp_path / "grey.png"
    grey.write_bytes(imagecodecs.png_encode(np.ascontiguousarray(isoluminant(5, blue=True)[..., 0])))
    (told,) = predict_paths(trained, [grey], slices=9)
    assert sum(told.votes.values()) == 9
    np.save(tmp_path / "v.npy", np.zeros((32, 32, 32), np.uint8))
    with pytest.raises(InputError, match="learned from images in colour"):
        predict_paths(trained, [tmp_path / "v.npy"])


def test_a_network_for_colour_refuses_grey_images_in_a_sentence(trained: Path) -> None:
    model = Model.load(trained, device="cpu")
    with pytest.raises(InputError, match=r"images \(n, 3, 16, 16\)") as error:
        model.predict(np.zeros((2, 16, 16), np.float32))
    assert "colour" in error.value.hint


@pytest.mark.parametrize("format", ["torchscript", pytest.param("onnx", marks=pytest.mark.slow)])
def test_exports_take_three_channels(trained: Path, place: Path, tmp_path: Path, format: str) -> None:
    if format == "onnx":
        pytest.importorskip("onnxscript")
        runtime = pytest.importorskip("onnxruntime")
    images = np.array(built(place, "auto").images[:5])
    expected = Model.load(trained, device="cpu").predict(images)
    file = tmp_path / f"model.{format}"
    export_model(trained, format, file)
    if format == "torchscript":
        answer = torch.jit.load(file)(torch.from_numpy(images)).detach().numpy()  # type: ignore[no-untyped-call]
    else:
        (answer,) = runtime.InferenceSession(file).run(None, {"images": images})
    np.testing.assert_allclose(answer, expected, atol=1e-5)


def test_levels_without_pretrained_weights_are_one_for_all_channels(place: Path, tmp_path: Path) -> None:
    image_set = built(place, "auto")
    mean, deviation = levels_of(trial(image_set, tmp_path), image_set)
    train = np.asarray(image_set.images[image_set.split("train")], dtype=np.float64)
    assert mean == pytest.approx(train.mean(), abs=1e-6)
    assert deviation == pytest.approx(train.std(), rel=1e-5)


def test_published_weights_get_images_as_their_authors_made_them(place: Path, tmp_path: Path) -> None:
    network = NetworkChoice(name="resnet18")
    (first, *_) = registry().get("network", "resnet18").extra["published"]
    image_set = built(place, "auto", normalisation="none")
    spec = TrialSpec(
        image_set="",
        image_set_hash="",
        network=network,
        training=TrainingSpec(),
        transfer=TransferSpec(weights="published"),
    )
    assert levels_of(spec, image_set) == (tuple(255 * m for m in first.mean), tuple(255 * d for d in first.deviation))
    # Where images are normalised already, their mean and deviation stand for ImageNet's: the network sees mean 0, deviation 1.
    scaled = built(place, "auto")
    mean, deviation = levels_of(spec, scaled)
    plain = levels_of(trial(scaled, tmp_path), scaled)
    np.testing.assert_allclose(mean, plain[0], atol=1e-9)
    np.testing.assert_allclose(deviation, plain[1], rtol=1e-9)
    # Of weights that expect −1 … 1, as ImageNet's images come out there.
    halves = TrialSpec(**{**vars(spec), "network": NetworkChoice(name="efficientnet-lite0")})
    mean, deviation = levels_of(halves, scaled)
    assert isinstance(mean, tuple)
    assert isinstance(deviation, tuple)
    assert isinstance(plain[0], float)
    assert isinstance(plain[1], float)
    usual = PublishedWeights(name="", source="")
    for c in range(3):
        black = (usual.mean[c] - 0.5) / 0.5
        assert (plain[0] - mean[c]) / deviation[c] == pytest.approx(black, abs=1e-6)
        spread = plain[1] / deviation[c]
        assert spread == pytest.approx(usual.deviation[c] / 0.5, rel=1e-6)


def test_the_first_convolution_of_pretrained_weights_stays(place: Path, tmp_path: Path) -> None:
    image_set = built(place, "auto")
    first = trial(image_set, tmp_path / "first", training={"epochs": 1})
    run_trial(first.to_json(), lambda event: None, lambda: "")
    notes: list[Any] = []
    weights = TransferSpec(weights=str(tmp_path / "first" / "model.safetensors"), train="head")
    second = trial(image_set, tmp_path / "second", training={"epochs": 1}, transfer=weights)
    run_trial(second.to_json(), notes.append, lambda: "")
    said = " ".join(str(n) for n in notes)
    assert "begins with the weights" in said
    assert "first convolution" not in said
    one, other = (read_tensors(tmp_path / n / "model.safetensors") for n in ("first", "second"))
    name = next(n for n, t in one.items() if t.ndim == 4 and t.shape[1] == 3)
    assert (one[name] == other[name]).all()


def test_baselines_look_at_the_brightness() -> None:
    grey = np.random.default_rng(0).normal(size=(3, 32, 32)).astype(np.float32)
    colour = np.repeat(grey[:, None], 3, axis=1)
    for features in (spectrum_features, gradient_features):
        np.testing.assert_allclose(features(colour), features(grey), rtol=1e-3, atol=1e-5)


@pytest.mark.parametrize("name", ["brightness", "contrast", "gamma", "curtaining", "symmetries", "rotation", "elastic", "crop"])
def test_all_channels_are_augmented_alike(name: str) -> None:
    grey = torch.rand(6, 1, 16, 16, generator=torch.Generator().manual_seed(0))
    plugin = registry().get("augmentation", name)
    settings = {key: field.default for key, field in plugin.fields.items()}
    chain = Augmenter([Step(plugin, settings)], Greys(0.0, 1.0))
    labels = torch.zeros(6, dtype=torch.int64)
    found, _ = chain(grey.repeat(1, 3, 1, 1), labels, torch.Generator().manual_seed(1), 2)
    assert not torch.allclose(found, grey.repeat(1, 3, 1, 1))
    assert torch.allclose(found[:, :1], found[:, 1:2], atol=1e-6)
    assert torch.allclose(found[:, :1], found[:, 2:], atol=1e-6)


def test_levels_of_each_channel_keep_grey_grey(place: Path) -> None:
    grey = np.random.default_rng(0).uniform(0, 255, (8, 16, 16)).astype(np.float32)
    images = np.repeat(grey[:, None], 3, axis=1)
    mean, deviation = (120.0, 110.0, 100.0), (60.0, 55.0, 50.0)
    greys = greys_of(images, np.arange(8), mean, deviation)
    (step,) = augmentation_list(["gamma"])
    chain = Augmenter([Step(registry().get("augmentation", "gamma"), {"factor": step["factor"]})], greys)
    level, unit = (torch.tensor(v).view(3, 1, 1) for v in (mean, deviation))
    batch = (torch.from_numpy(images) - level) / unit
    found, _ = chain(batch, torch.zeros(8, dtype=torch.int64), torch.Generator().manual_seed(1), 2)
    back = found * unit + level
    assert torch.allclose(back[:, 0], back[:, 1], atol=1e-3)
    assert torch.allclose(back[:, 0], back[:, 2], atol=1e-3)


def test_augmented_previews_keep_their_channels() -> None:
    images = np.random.default_rng(0).normal(size=(4, 3, 16, 16)).astype(np.float32)
    found, mixed = augmented(images, np.arange(4), TrainingSpec(), seed=0)
    assert found.shape == images.shape
    assert not mixed


def test_the_card_keeps_levels_of_channels(trained: Path, tmp_path: Path) -> None:
    card = replace(ModelCard.read(trained / "model.safetensors"), mean=(1.0, 2.0, 3.0), deviation=(4.0, 5.0, 6.0))
    write_tensors(tmp_path / "m.safetensors", {"a": torch.zeros(1)}, card.to_metadata())
    again = ModelCard.read(tmp_path / "m.safetensors")
    assert (again.mean, again.deviation) == (card.mean, card.deviation)
    assert json.dumps(asdict(again))
