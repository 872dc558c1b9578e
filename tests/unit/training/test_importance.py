"""Importance-sampled augmentation: chances by the formula, draws that follow them, a network that scoring leaves untouched."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812 - its customary name

from microtome.errors import InputError
from microtome.slices.imageset import ImageSet
from microtome.training.augment import Augmenter, steps_of
from microtome.training.importance import (
    Drawn,
    ImportanceSampler,
    candidates,
    check_resolution,
    loss_of,
    probabilities,
    scores,
)
from microtome.training.spec import ImportanceSpec, TrainingSpec, TrialSpec, training_settings
from microtome.training.trial import run_trial

CLASSES = 3


NOISE = {"name": "gaussian-noise", "deviation": 2.0}


class Brightness(nn.Module):
    """Logits (0, b, 0) of an image of mean brightness b: what is asked of it is known by hand."""

    def forward(self, images: Tensor) -> Tensor:
        logits = torch.zeros(len(images), CLASSES)
        logits[:, 1] = images.mean(dim=(1, 2, 3))
        return logits


def augment(*names: Any, symmetries: bool = False) -> Augmenter:
    """The augmentations of these names."""
    return Augmenter(steps_of(training_settings({"augmentations": list(names), "symmetries": symmetries})))


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def batch(count: int, edge: int = 8, seed: int = 0) -> tuple[Tensor, Tensor]:
    images = torch.randn(count, 1, edge, edge, generator=seeded(seed))
    return images, torch.arange(count) % CLASSES


# --- chances ---------------------------------------------------------------------------------------------------------


def test_chances_are_those_of_the_formula() -> None:
    found = torch.tensor([[1.0, 2.0, 5.0], [0.5, 0.5, 0.0]])
    # Proportional to the score; then to its square; then nine tenths of that and a thirtieth for each.
    np.testing.assert_allclose(probabilities(found), [[0.125, 0.25, 0.625], [0.5, 0.5, 0.0]], atol=1e-12)
    np.testing.assert_allclose(probabilities(found, temperature=2.0)[0], [1 / 30, 4 / 30, 25 / 30], rtol=1e-6)
    mixed = probabilities(found, temperature=2.0, floor=0.1)[0]
    np.testing.assert_allclose(mixed, 0.9 * np.array([1, 4, 25]) / 30 + 0.1 / 3, rtol=1e-6)


def test_temperature_goes_from_even_to_the_hardest() -> None:
    found = torch.tensor([[0.2, 0.25, 0.1, 0.01]])
    np.testing.assert_allclose(probabilities(found, temperature=0.0), [[0.25] * 4])
    assert probabilities(found, temperature=100.0)[0, 1] > 0.9999


@given(st.lists(st.floats(0, 1e30), min_size=2, max_size=8), st.floats(0, 100), st.floats(0, 1), st.sampled_from([0.0, np.nan]))
def test_chances_are_chances(values: list[float], temperature: float, floor: float, last: float) -> None:
    found = torch.tensor([values, [*values[:-1], last], [0.0] * len(values)])
    chances = probabilities(found, temperature=temperature, floor=floor)
    np.testing.assert_allclose(chances.sum(dim=1), 1.0, rtol=1e-9)
    assert bool((chances >= floor / len(values) * 0.999).all())
    np.testing.assert_allclose(chances[2], 1 / len(values))  # nothing to choose by
    if np.isnan(last):
        np.testing.assert_allclose(chances[1], 1 / len(values))


def test_scores_by_hand() -> None:
    logits = torch.tensor([[np.log(2.0), 0.0, 0.0], [0.0, 0.0, np.log(6.0)]]).float()  # p = (½, ¼, ¼) and (⅛, ⅛, ¾)
    labels = torch.tensor([0, 1])
    np.testing.assert_allclose(scores(logits, labels, "loss"), [np.log(2), np.log(8)], rtol=1e-6)
    np.testing.assert_allclose(scores(logits, labels, "probability"), [1 / 2, 7 / 8], rtol=1e-6)
    expected = [np.sqrt(1 / 4 + 2 / 16), np.sqrt(1 / 64 + 49 / 64 + 36 / 64)]
    np.testing.assert_allclose(scores(logits, labels, "gradient"), expected, rtol=1e-6)


@pytest.mark.parametrize("kind", ["loss", "probability", "gradient"])
def test_shares_of_one_class_score_as_its_label(kind: str) -> None:
    logits, labels = torch.randn(6, CLASSES, generator=seeded()), torch.arange(6) % CLASSES
    np.testing.assert_allclose(
        scores(logits, labels, kind), scores(logits, F.one_hot(labels, CLASSES).float(), kind), rtol=1e-5
    )
    # What is half one class and half another is best answered so.
    half = torch.tensor([[0.5, 0.5, 0.0]])
    sure, even = torch.tensor([[9.0, 0.0, -30.0]]), torch.tensor([[0.0, 0.0, -30.0]])
    assert scores(even, half, kind) < scores(sure, half, kind)


def test_gradient_scores_are_norms_of_the_gradient() -> None:
    logits = torch.randn(5, CLASSES, generator=seeded(), requires_grad=True)
    labels = torch.arange(5) % CLASSES
    (gradient,) = torch.autograd.grad(F.cross_entropy(logits, labels, reduction="sum"), logits)
    np.testing.assert_allclose(scores(logits.detach(), labels, "gradient"), gradient.norm(dim=1), rtol=1e-5)
    np.testing.assert_allclose(2 * scores(logits.detach(), labels, "probability"), gradient.abs().sum(dim=1), rtol=1e-5)


# --- draws -----------------------------------------------------------------------------------------------------------


def test_the_first_candidate_is_the_image_itself() -> None:
    images, labels = batch(4)
    pool, targets = candidates(augment("gaussian-noise"), images, labels, 3, seeded(), CLASSES)
    assert pool.shape == (4, 3, 1, 8, 8)
    assert torch.equal(pool[:, 0], images)
    assert not torch.equal(pool[:, 1], pool[:, 2])
    assert (pool[:, 1:] - images.unsqueeze(1)).abs().max() < 2, "looks of the same image"
    assert torch.equal(targets, labels.unsqueeze(1).expand(4, 3))


def test_draws_follow_the_chances() -> None:
    # Label 1 and the brightnesses of a candidate: its loss is log(2 + eᵇ) − b.
    count, spec = 20_000, ImportanceSpec(candidates=3)
    images = torch.full((count, 1, 2, 2), 0.5)
    labels = torch.ones(count, dtype=torch.int64)
    sampler = ImportanceSampler(spec, augment(NOISE), Brightness())
    pool, _ = candidates(sampler.augment, images, labels, 3, seeded(1), CLASSES)
    drawn = sampler(images, labels, seeded(1), CLASSES, epoch=0)
    means = pool.mean(dim=(2, 3, 4)).double()
    losses = (2 + means.exp()).log() - means
    chances = losses / losses.sum(dim=1, keepdim=True)
    which = (pool == drawn.images.unsqueeze(1)).all(dim=(2, 3, 4))
    assert bool((which.sum(dim=1) == 1).all())
    # How often each candidate was drawn, against how often it should be; five standard errors.
    for k in range(3):
        spread = float((chances[:, k] * (1 - chances[:, k])).sum().sqrt())
        assert abs(float(which[:, k].sum()) - float(chances[:, k].sum())) < 5 * spread
    # And the harder half of the candidates, by more.
    harder = losses >= losses.median(dim=1, keepdim=True).values
    assert float((which & harder).sum()) == pytest.approx(float((chances * harder).sum()), rel=0.02)
    assert float((which & harder).sum()) > 1.1 * float(harder.sum()) / 3, "and more often than by chance"


def test_unbiased_weights_give_the_mean_over_the_candidates() -> None:
    spec = ImportanceSpec(candidates=4, weights="unbiased", floor=0.05, temperature=2.0)
    images, labels = torch.full((30_000, 1, 2, 2), 1.0), torch.full((30_000,), 2)
    sampler = ImportanceSampler(spec, augment(NOISE), Brightness())
    pool, _ = candidates(sampler.augment, images, labels, 4, seeded(2), CLASSES)
    drawn = sampler(images, labels, seeded(2), CLASSES, epoch=0)
    assert drawn.weights is not None
    every = scores(Brightness()(pool.flatten(0, 1)), labels.repeat_interleave(4), "loss")
    mine = scores(Brightness()(drawn.images), labels, "loss")
    weighted = mine * drawn.weights
    error = float(weighted.std()) / 30_000**0.5
    assert abs(float(weighted.mean() - every.mean())) < 5 * error
    assert float(mine.mean() - every.mean()) > 10 * error, "without weights, the hard ones prevail"
    assert float(drawn.weights.mean()) == pytest.approx(1.0, abs=0.02)
    assert float(drawn.weights.max()) <= 1 / 0.05 + 1e-4, "the floor bounds the weights"


def test_weighted_loss_is_torchs_where_all_weights_are_one() -> None:
    logits, labels = torch.randn(8, CLASSES, generator=seeded()), torch.arange(8) % CLASSES
    classes, shares = torch.tensor([0.5, 1.0, 2.0]), torch.rand(8, CLASSES, generator=seeded(1)).softmax(dim=1)
    for targets in (labels, shares):
        for weight in (None, classes):
            plain = loss_of(logits, Drawn(logits, targets), weight=weight, label_smoothing=0.1)
            ones = loss_of(logits, Drawn(logits, targets, torch.ones(8)), weight=weight, label_smoothing=0.1)
            twice = loss_of(logits, Drawn(logits, targets, torch.full((8,), 2.0)), weight=weight, label_smoothing=0.1)
            np.testing.assert_allclose([ones, twice], [plain, 2 * plain], rtol=1e-6)


def test_mixed_candidates_are_drawn_with_their_shares() -> None:
    images, labels = batch(32)
    images += 10 * labels.view(-1, 1, 1, 1)  # the classes do not overlap in brightness
    drawn = ImportanceSampler(ImportanceSpec(candidates=3), augment("mixup"), Brightness())(
        images, labels, seeded(), CLASSES, epoch=0
    )
    assert drawn.targets.shape == (32, CLASSES)
    np.testing.assert_allclose(drawn.targets.sum(dim=1), 1.0, rtol=1e-5)
    # A mixture's brightness tells its shares, and they belong to it.
    expected = drawn.targets @ torch.tensor([0.0, 10.0, 20.0])
    assert float((drawn.images.mean(dim=(1, 2, 3)) - expected).abs().max()) < 1.0


# --- what is left alone ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("spec", "names"),
    [
        (ImportanceSpec(), ["gaussian-noise"]),
        (ImportanceSpec(candidates=1), ["gaussian-noise"]),
        (ImportanceSpec(candidates=3, warm_up=5), ["gaussian-noise"]),
        (ImportanceSpec(candidates=3), []),
    ],
)
def test_it_is_ordinary_augmentation_where_there_is_nothing_to_choose(spec: ImportanceSpec, names: list[str]) -> None:
    images, labels = batch(6)
    ordinary, _ = augment(*names)(images, labels, seeded(), CLASSES)
    drawn = ImportanceSampler(spec, augment(*names), Brightness())(images, labels, seeded(), CLASSES, epoch=4)
    assert torch.equal(drawn.images, ordinary)
    assert drawn.weights is None
    # The warm-up ends, if there is one.
    later = ImportanceSampler(spec, augment(*names), Brightness()).active(5)
    assert later == (spec.candidates == 3 and bool(names))


def test_scoring_changes_nothing_in_the_network() -> None:
    network = nn.Sequential(nn.Conv2d(1, 4, 3), nn.BatchNorm2d(4), nn.Dropout(0.5), nn.Flatten(), nn.Linear(144, CLASSES))
    network.train()
    network[1].eval()  # a frozen layer
    modes = [layer.training for layer in network.modules()]
    before = {name: value.clone() for name, value in network.state_dict().items()}
    images, labels = batch(6)
    state = torch.get_rng_state()
    drawn = ImportanceSampler(ImportanceSpec(candidates=3, weights="unbiased"), augment("gaussian-noise"), network)(
        images, labels, seeded(), CLASSES, epoch=0
    )
    assert torch.equal(torch.get_rng_state(), state), "the random numbers of the layers"
    assert [layer.training for layer in network.modules()] == modes
    assert all(torch.equal(value, before[name]) for name, value in network.state_dict().items())
    assert all(parameter.grad is None for parameter in network.parameters())
    # What is drawn can be learnt from.
    loss_of(network(drawn.images), drawn).backward()  # type: ignore[no-untyped-call]
    assert all(parameter.grad is not None for parameter in network.parameters())


def test_the_network_is_asked_in_small_parts_and_only_where_it_matters() -> None:
    sizes: list[tuple[int, ...]] = []

    def forward(images: Tensor) -> Tensor:
        sizes.append(tuple(images.shape))
        assert torch.is_inference_mode_enabled()
        answer: Tensor = Brightness()(images)
        return answer

    images, labels = batch(10)
    spec = ImportanceSpec(candidates=3)

    def draw(**changes: Any) -> Drawn:
        sizes.clear()
        sampler = ImportanceSampler(replace(spec, **changes), augment("gaussian-noise"), nn.Identity(), forward)
        return sampler(images, labels, seeded(), CLASSES, epoch=0)

    draw()
    assert sizes == [(10, 1, 8, 8)] * 3, "never more at once than the step itself"
    drawn = draw(share=0.4, weights="unbiased")
    assert sizes == [(4, 1, 8, 8)] * 3
    assert len(drawn.images) == 10 and torch.equal(drawn.targets, labels)
    assert drawn.weights is not None and bool((drawn.weights[4:] == 1).all()) and not bool((drawn.weights[:4] == 1).any())
    draw(share=0.05)
    assert sizes == [(1, 1, 8, 8)] * 3, "at least one image"
    draw(resolution="half")
    assert sizes == [(10, 1, 4, 4)] * 3
    for changes in ({"temperature": 0.0}, {"floor": 1.0}):
        assert len(draw(**changes).images) == 10
        assert sizes == [], "all candidates alike: nothing to ask"


def test_a_network_that_lost_its_numbers_still_gets_its_batch() -> None:
    images, labels = batch(4)
    sampler = ImportanceSampler(
        ImportanceSpec(candidates=3),
        augment("gaussian-noise"),
        nn.Identity(),
        lambda x: torch.full((len(x), CLASSES), torch.nan),
    )
    assert bool(torch.isfinite(sampler(images, labels, seeded(), CLASSES, epoch=0).images).all())


def test_half_size_is_refused_where_the_network_has_one_size() -> None:
    half = ImportanceSpec(candidates=3, resolution="half")
    with pytest.raises(InputError, match="fit one size"):
        check_resolution(half, "cnn", 64)
    check_resolution(replace(half, candidates=0), "cnn", 64)
    check_resolution(replace(half, resolution="full"), "cnn", 64)
    check_resolution(half, "resnet18", 64)
    with pytest.raises(InputError, match="too small"):
        check_resolution(half, "resnet18", 48)
    with pytest.raises(InputError, match="enlarged to 224"):
        check_resolution(half, "resnet18", 64, resized=224)


def test_a_trial_says_at_once_that_its_network_has_one_size(
    textures: Callable[..., ImageSet], trial: Callable[..., dict[str, Any]]
) -> None:
    spec = {**trial(textures()), "importance": {"candidates": 3, "resolution": "half"}}
    with pytest.raises(InputError, match="cannot score candidates at half their size"):
        run_trial(spec, lambda event: None, lambda: "")


# --- in a training -----------------------------------------------------------------------------------------------------


def test_a_stopped_training_draws_the_same_when_it_goes_on(
    textures: Callable[..., ImageSet], trial: Callable[..., dict[str, Any]]
) -> None:
    """To the bit: the losses of all epochs are those of an uninterrupted training."""
    image_set = textures()
    importance = {"candidates": 3, "share": 0.5, "weights": "unbiased", "floor": 0.1}

    def spec(folder: str) -> dict[str, Any]:
        given = trial(image_set, folder, epochs=2, augmentations=training_settings({"augmentations": ["cutout"]}).augmentations)
        return TrialSpec.from_json({**given, "importance": importance}).to_json()

    whole = run_trial(spec("whole"), lambda event: None, lambda: "")
    asked = 0

    def stop() -> str:
        nonlocal asked
        asked += 1
        return "stop" if asked == 9 else ""  # in the second of two epochs of six batches

    assert run_trial(spec("parts"), lambda event: None, stop)["outcome"] == "cancelled"
    parts = run_trial(spec("parts"), lambda event: None, lambda: "")
    ours, theirs = ([_figures(line) for line in result["history"]] for result in (whole, parts))
    assert ours == theirs and len(ours) == 2


def _figures(line: str) -> list[str]:
    """The losses of an epoch as they are written."""
    found = [part for part in line.split(",") if "_loss" in part]
    assert len(found) == 2
    return found


def test_defaults_are_those_of_the_original_method_and_flips_are_on() -> None:
    spec = ImportanceSpec()
    assert (spec.candidates, spec.score, spec.temperature, spec.floor, spec.weights, spec.share) == (0, "loss", 1, 0, "none", 1)
    assert TrainingSpec().symmetries
    assert [step.plugin.name for step in steps_of(TrainingSpec())] == ["symmetries"]
