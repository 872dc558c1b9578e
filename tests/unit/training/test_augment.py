"""Augmentation of batches: order, labels of mixed images, black and white, and a training that is resumed bit by bit."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from safetensors.numpy import load_file

from microtome.errors import InputError, PluginError, UnknownNameError
from microtome.events import EpochEnded, Event
from microtome.plugin import Plugin
from microtome.slices.imageset import ImageSet
from microtome.training.augment import (
    Augmenter,
    Greys,
    Step,
    augmenter,
    greys_of,
    main_labels,
    mix_targets,
    needs_greys,
    steps_of,
)
from microtome.training.spec import TrainingSpec, TrialSpec, augmentation_list, training_settings, with_augmentation
from microtome.training.trial import run_trial

EVERYTHING = [
    "half-turn", "flip", "rotation", "crop", "shift", "elastic", "cutout", "mixup", "cutmix", "brightness", "contrast", "gamma",
    "blur", "shot-noise", "gaussian-noise", "curtaining",
]  # fmt: skip


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def names(settings: TrainingSpec) -> list[str]:
    return [step.plugin.name for step in steps_of(settings)]


def foreign(function: Callable[..., Any], **extra: bool) -> Augmenter:
    """An augmenter of one plugin that someone else wrote."""
    marks = {"mixes": False, "greys": False, **extra}
    plugin = Plugin(kind="augmentation", name="mine", label="", summary="", function=function, extra=marks, file="mine.py")
    return Augmenter((Step(plugin, {}),))


def test_flips_and_turns_are_on_unless_switched_off_or_given_a_place() -> None:
    assert names(TrainingSpec()) == ["symmetries"]
    assert names(TrainingSpec(symmetries=False)) == []
    listed = training_settings({"augmentations": ["blur", {"name": "shot-noise", "dose": 80}]})
    assert names(listed) == ["symmetries", "blur", "shot-noise"]
    assert names(training_settings({"augmentations": ["blur", "symmetries"]})) == ["blur", "symmetries"]
    assert names(training_settings({"symmetries": False, "augmentations": ["symmetries"]})) == ["symmetries"]


def test_a_list_is_filled_and_checked() -> None:
    found = augmentation_list(["symmetries", {"name": "shot-noise", "dose": 80}])
    assert found == ({"name": "symmetries"}, {"name": "shot-noise", "dose": 80.0, "spread": 10.0, "background": 0.1})
    assert augmentation_list(found) == found


@pytest.mark.parametrize(
    ("given", "kind", "words"),
    [
        (["shot-nois"], UnknownNameError, "Did you mean “shot-noise”"),
        ([{"name": "shot-noise", "doze": 5}], UnknownNameError, "Did you mean “dose”"),
        ([{"name": "shot-noise", "dose": 0}], InputError, "augmentation.shot-noise.dose is 0 counts; it must be at least 0.5"),
        (["blur", "blur"], InputError, "“blur” is there twice"),
        ("blur", InputError, "must be a list"),
        ([3], InputError, "without a name: 3"),
        ([{"dose": 3}], InputError, "without a name"),
    ],
)
def test_a_mistake_in_the_list_is_a_sentence(given: Any, kind: type[Exception], words: str) -> None:
    with pytest.raises(kind, match=words):
        training_settings({"augmentations": given})


def test_one_setting_of_one_augmentation_can_be_changed() -> None:
    settings = training_settings({"augmentations": ["blur", "shot-noise"]})
    changed = with_augmentation(settings, "shot-noise.dose", 200)
    assert [a.get("dose") for a in changed.augmentations] == [None, 200.0]
    with pytest.raises(InputError, match="no augmentation “gamma” in this training"):
        with_augmentation(settings, "gamma.factor", 2.0)
    with pytest.raises(UnknownNameError, match="sigma"):
        with_augmentation(settings, "blur.sigmas", 2.0)


def test_a_trial_crosses_processes_and_keeps_its_key(trial: Callable[..., Any], textures: Callable[..., ImageSet]) -> None:
    image_set = textures()
    plain = TrialSpec.from_json(trial(image_set))
    old = trial(image_set)
    del old["training"]["augmentations"]  # as an earlier version wrote it
    assert TrialSpec.from_json(old).key() == plain.key()
    one = TrialSpec.from_json(trial(image_set, augmentations=augmentation_list(["blur"])))
    other = TrialSpec.from_json(trial(image_set, augmentations=augmentation_list([{"name": "blur", "sigma": 2.0}])))
    assert len({plain.key(), one.key(), other.key()}) == 3
    assert TrialSpec.from_json(one.to_json()) == one


def test_without_any_the_very_tensors_come_back() -> None:
    images, labels = torch.randn(2, 1, 4, 4), torch.tensor([0, 1])
    state = generator()
    found, targets = Augmenter()(images, labels, state, 2)
    assert found is images
    assert targets is labels
    assert torch.equal(state.get_state(), generator().get_state())


def test_labels_stay_whole_where_nothing_is_mixed() -> None:
    labels = torch.tensor([0, 2, 1])
    chain = Augmenter(steps_of(training_settings({"augmentations": ["shot-noise", "blur", "rotation"]})))
    _, targets = chain(torch.rand(3, 1, 8, 8), labels, generator(), 3)
    assert targets is labels
    assert main_labels(targets) is labels


def test_labels_follow_what_is_in_the_picture() -> None:
    """Mixed twice: of images whose grey is 1 in their own channel, a channel's mean is the share of its class."""
    labels = torch.arange(64) % 4
    images = torch.nn.functional.one_hot(labels, 4).float().view(64, 4, 1, 1).expand(64, 4, 8, 8).contiguous()
    chain = Augmenter(steps_of(training_settings({"augmentations": [{"name": "mixup", "alpha": 1.0}, "cutmix"]})))
    found, shares = chain(images, labels, generator(3), 4)
    assert shares.shape == (64, 4)
    assert torch.allclose(shares.sum(dim=1), torch.ones(64))
    assert ((shares > 0.01).sum(dim=1) > 2).any()
    # CutMix exchanges pixels of images that are even all over, so means are exact.
    assert torch.allclose(found.mean(dim=(2, 3)), shares, atol=1e-5)
    assert torch.equal(main_labels(shares), shares.argmax(dim=1))


@given(
    classes=st.integers(2, 6),
    weights=st.lists(st.floats(0, 1, width=32), min_size=1, max_size=12),
    seed=st.integers(0, 100),
)
def test_shares_of_classes_are_shares(classes: int, weights: list[float], seed: int) -> None:
    count = len(weights)
    labels = torch.randint(0, classes, (count,), generator=generator(seed))
    partner = torch.randperm(count, generator=generator(seed + 1))
    shares = mix_targets(labels, partner, torch.tensor(weights), classes)
    assert torch.allclose(shares.sum(dim=1), torch.ones(count), atol=1e-6)
    assert (shares >= 0).all()
    own = shares[torch.arange(count), labels]
    assert (own >= torch.tensor(weights) - 1e-6).all()


def test_greys_come_from_black_to_white_and_go_back() -> None:
    seen = []

    def look(images: torch.Tensor, generator: torch.Generator) -> torch.Tensor:
        seen.append(images)
        return images * 0.5

    chain = foreign(look, greys=True)
    chain.greys = Greys(-2.0, 3.0)
    images = torch.linspace(-2, 3, 64).view(1, 1, 8, 8)
    found, _ = chain(images, torch.tensor([0]), generator(), 2)
    assert float(seen[0].min()) == pytest.approx(0, abs=1e-6)
    assert float(seen[0].max()) == pytest.approx(1, abs=1e-6)
    assert torch.allclose(found, (images + 2) / 2 - 2, atol=1e-6)


def test_black_and_white_are_of_the_training_images() -> None:
    images = np.random.default_rng(0).uniform(0, 100, (60, 32, 32)).astype(np.float32)
    images[3, 0, 0] = 1e6  # a hot pixel is no white
    images[30:] += 1000  # other sets do not count
    found = greys_of(images, np.arange(30), mean=50.0, deviation=10.0)
    assert found.black == pytest.approx(-4.95, abs=0.1)
    assert found.white == pytest.approx(4.95, abs=0.1)
    assert greys_of(np.full((4, 8, 8), 7.0, np.float32), np.arange(4), 7.0, 1.0) == Greys(0.0, 1.0)


def test_greys_are_looked_at_where_they_are_asked_for_alone() -> None:
    assert not needs_greys(steps_of(training_settings({"augmentations": ["mixup", "rotation", "cutout"]})))
    images = np.linspace(0, 9, 10 * 64, dtype=np.float32).reshape(10, 8, 8)
    plain = augmenter(TrainingSpec(), images, np.arange(10), mean=0.0, deviation=1.0)
    assert plain.greys == Greys()
    noisy = augmenter(training_settings({"augmentations": ["gamma"]}), images, np.arange(10), mean=0.0, deviation=1.0)
    assert 8 < noisy.greys.white < 9


@pytest.mark.parametrize(
    "found", [lambda i, g: i[:1], lambda i, g: i.double(), lambda i, g: None, lambda i, g: (i, None, None)], ids=range(4)
)
def test_a_plugin_that_breaks_its_contract_is_named(found: Callable[..., Any]) -> None:
    with pytest.raises(PluginError, match=r"augmentation mine made .* Mend mine\.py"):
        foreign(found)(torch.rand(2, 1, 4, 4), torch.tensor([0, 1]), generator(), 2)


def train(spec: dict[str, Any], stop_after: int = 10**9) -> tuple[dict[str, Any], list[tuple[Any, ...]]]:
    events: list[Event] = []
    asked = iter(range(10**9))
    result = run_trial(spec, events.append, lambda: "stop" if next(asked) >= stop_after else "", trial=0)
    told = [e for e in events if isinstance(e, EpochEnded)]
    return result, [(e.epoch, e.train_loss, e.train_accuracy, e.validation_loss, e.confusion) for e in told]


def test_with_all_of_them_it_is_resumed_bit_by_bit(trial: Callable[..., Any], textures: Callable[..., ImageSet]) -> None:
    image_set = textures()
    every = augmentation_list(EVERYTHING)
    straight, broken = (trial(image_set, folder=f, epochs=3, augmentations=every) for f in ("straight", "broken"))
    result, curve = train(straight)
    assert result["outcome"] == "done"
    assert all(np.isfinite(row[1]) for row in curve)
    assert train(broken, stop_after=8)[0]["outcome"] == "cancelled"  # in the second epoch
    again, resumed = train(broken)
    assert again["outcome"] == "done"
    assert resumed == curve
    one, other = (load_file(Path(s["folder"]) / "model.safetensors") for s in (straight, broken))
    assert all(np.array_equal(one[k], other[k]) for k in one)


def test_the_validation_set_is_measured_as_it_is(trial: Callable[..., Any], textures: Callable[..., ImageSet]) -> None:
    """A rate of next to nothing leaves the network as it was: whatever training images look like, validation is the same."""
    image_set = textures()
    still = {"learning_rate": 1e-7, "optimizer": "sgd", "epochs": 1}
    noisy = augmentation_list([{"name": "gaussian-noise", "deviation": 2.0}, {"name": "mixup", "alpha": 5.0}])
    _, plain = train(trial(image_set, folder="plain", **still))
    _, mixed = train(trial(image_set, folder="mixed", **still, augmentations=noisy))
    assert mixed[0][3] == pytest.approx(plain[0][3], abs=1e-4)
    assert mixed[0][1] != pytest.approx(plain[0][1], abs=1e-4)
