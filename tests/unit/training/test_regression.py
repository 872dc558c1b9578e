"""Networks that tell a number: formulas against scikit-learn and by hand, trainings on simulated structures."""

from __future__ import annotations

import csv
import math
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from sklearn.linear_model import Ridge
from sklearn.metrics import mean_absolute_error, mean_squared_error, r2_score

from microtome.errors import InputError
from microtome.events import EpochEnded, Event
from microtome.results.predict import predict_volume
from microtome.search.recipe import Recipe, parse
from microtome.slices.imageset import ImageSet, build
from microtome.slices.source import Member
from microtome.training.baseline_values import ridge
from microtome.training.evaluate import Model
from microtome.training.importance import Drawn
from microtome.training.regression import Bootstrap, Scale, fit_of, points_of, residual, residuals_of, split_words
from microtome.training.spec import TrialSpec
from microtome.training.squares import SquaredError, ValueCounter
from microtome.training.told import evaluation, tell
from microtome.training.trial import run_trial


def _some(seed: int = 0) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    volumes = np.repeat(np.arange(8), 25)
    true = np.linspace(10, 17, 8)[volumes]
    return true, true + rng.normal(0, 0.4, 8)[volumes] + rng.normal(0, 0.3, 200), volumes


def test_the_fit_is_that_of_scikit_learn() -> None:
    true, told, _ = _some()
    fit = fit_of(true, told, spread=99.0)
    assert fit.r2 == pytest.approx(r2_score(true, told), rel=1e-12)
    assert fit.mse == pytest.approx(mean_squared_error(true, told), rel=1e-12)
    assert fit.mae == pytest.approx(mean_absolute_error(true, told), rel=1e-12)
    assert fit.rmse == pytest.approx(math.sqrt(fit.mse))


def test_one_volume_alone_is_measured_by_the_spread_of_the_training_values() -> None:
    assert fit_of(np.full(3, 5.0), np.array([4.0, 5.0, 6.0]), spread=2.0).r2 == pytest.approx(1 - (2 / 3) / 4)


def test_points_are_means_and_deviations_of_volumes() -> None:
    found = points_of(np.array([1.0, 1.0, 3.0]), np.array([0.5, 1.5, 2.0]), np.array([4, 4, 2]))
    assert found[0] == (3.0, 2.0, 0.0, 1)
    assert found[1] == pytest.approx((1.0, 1.0, math.sqrt(0.5), 2))


def test_the_interval_draws_whole_volumes_and_is_wider_for_it() -> None:
    true, told, volumes = _some()
    r2 = fit_of(true, told, 1.0).r2
    whole = Bootstrap.of(true, [told], volumes, 1.0)
    alone = Bootstrap.of(true, [told], (volumes >= 4).astype(int), 1.0)
    assert (whole.whole, whole.count) == (True, 8)
    assert (alone.whole, alone.count) == (False, 200)
    low, high = whole.interval(0, r2)
    close, near = alone.interval(0, r2)
    assert low < r2 < high
    assert high - low > 1.5 * (near - close)
    assert "too narrow" in alone.words
    assert Bootstrap.of(true, [told], volumes, 1.0).interval(0, r2) == (low, high), "the same whenever it is asked"


def test_the_interval_of_volumes_is_that_of_drawing_them_one_by_one() -> None:
    true, told, volumes = _some(3)
    rng = np.random.default_rng(1)
    drawn = []
    for _ in range(800):
        chosen = np.concatenate([np.flatnonzero(volumes == v) for v in rng.integers(0, 8, 8)])
        drawn.append(r2_score(true[chosen], told[chosen]) if np.ptp(true[chosen]) else np.nan)
    low, high = Bootstrap.of(true, [told], volumes, 1.0).interval(0, fit_of(true, told, 1.0).r2)
    assert (low, high) == pytest.approx(tuple(np.nanquantile(drawn, [0.025, 0.975])), abs=0.05)


def test_a_gain_is_paired() -> None:
    true, told, volumes = _some()
    both = Bootstrap.of(true, [told, told], volumes, 1.0)
    assert both.gain(0, 1, 0.0) == (0.0, 0.0)


def test_ridge_is_that_of_scikit_learn() -> None:
    rng = np.random.default_rng(5)
    known, values, unknown = rng.normal(size=(40, 6)), rng.normal(size=40), rng.normal(size=(7, 6))
    expected = Ridge(alpha=3.0).fit(known, values).predict(unknown)
    assert ridge(known, values, unknown, 3.0) == pytest.approx(expected, rel=1e-9)


def test_shares_of_a_batch_add_up_to_its_mean() -> None:
    answers, targets = torch.randn(7, 1), torch.randn(7)
    for kind in ("mse", "huber"):
        error, drawn = SquaredError(kind), Drawn(answers, targets)
        parts = [error.share(answers[s], drawn.part(s), error.total(drawn)) for s in (slice(0, 3), slice(3, 7))]
        assert float(sum(parts)) == pytest.approx(float(error.mean(answers, drawn)), rel=1e-6)


def test_an_epochs_sums_are_the_fit_of_all_its_answers() -> None:
    true, told, _ = _some()
    scale = Scale.of(true)
    count = ValueCounter(scale, torch.device("cpu"))
    for part in np.array_split(np.arange(200), 3):
        answers, targets = (torch.from_numpy(scale.standard(v[part])).float() for v in (told, true))
        count.add(answers.unsqueeze(1), targets, torch.tensor(1.0))
    other = ValueCounter(scale, torch.device("cpu"))
    other.restore(count.state())
    found, expected = other.measured().fit, fit_of(true, told, 1.0)
    assert found is not None
    assert (found.r2, found.mse, found.mae) == pytest.approx((expected.r2, expected.mse, expected.mae), rel=1e-5)


def test_values_that_cannot_be_learnt_are_said() -> None:
    with pytest.raises(InputError, match="same value"):
        Scale.of(np.full(9, 0.1))
    with pytest.raises(InputError, match="no value"):
        Scale.of(np.array([1.0, np.nan]))


def test_sets_out_of_the_same_volumes_are_cautioned_about() -> None:
    assert "not how well that of a new volume" in split_words({"train": [0, 1], "evaluation": [1]})
    assert split_words({"train": [0, 1], "evaluation": [2]}) == ""


def _recipe(fractions: list[float], edge: float = 200.0, **training: Any) -> Recipe:
    """Structures of those volume fractions, their grey values not normalised, so that the fraction can be seen."""
    boxes = [{"kind": "rnd", "seed": k, "volume_fraction": f, "edge": edge} for k, f in enumerate(fractions)]
    counts = {"train": 12 * len(fractions), "validation": 4 * len(fractions), "evaluation": 4 * len(fractions)}
    return parse(
        {
            "class": [{"name": "rnd", "property": "volume fraction", "simulate": boxes}],
            "slices": {"field_of_view": 100, "unit": "nm", "pixels": 16, "normalisation": "none", **counts},
            "network": {"name": "cnn"},
            "training": {"target": "value", "epochs": 2, "value_unit": "1", **training},
        }
    )


@pytest.fixture(scope="module")
def few(tmp_path_factory: pytest.TempPathFactory) -> ImageSet:
    """Slices of six structures."""
    return build(*_recipe([0.05, 0.1, 0.15, 0.2, 0.25, 0.3]).cut, tmp_path_factory.mktemp("sets"))


def _spec(images: ImageSet, folder: Path, recipe: Recipe) -> TrialSpec:
    return TrialSpec(
        image_set=str(images.path),
        image_set_hash=images.hash,
        network=recipe.network,
        training=recipe.training,
        folder=str(folder),
        device="cpu",
        threads=1,
    )


def test_a_training_tells_values_and_goes_on_to_the_bit(few: ImageSet, tmp_path: Path) -> None:
    recipe = _recipe([0.1, 0.2], value_loss="huber", batch_size=16)
    events: list[Event] = []
    whole = run_trial(_spec(few, tmp_path / "whole", recipe).to_json(), events.append, lambda: "")
    epochs = [e for e in events if isinstance(e, EpochEnded)]
    assert all(e.r2 == e.validation_accuracy and e.mse and e.mae and not e.per_class for e in epochs)
    assert whole["value"] == max(e.r2 for e in epochs if e.r2 is not None)
    asked = iter(range(100))
    halves = _spec(few, tmp_path / "halves", recipe).to_json()
    run_trial(halves, events.append, lambda: "stop" if next(asked) == 3 else "")
    again = run_trial(halves, events.append, lambda: "")
    assert again["value"] == whole["value"]
    told = tell(tmp_path / "whole", few)
    assert (tell(tmp_path / "halves", few).told == told.told).all()
    with open(tmp_path / "whole" / "predictions.csv", encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert [float(r["true"]) for r in rows] == few.values[few.split("evaluation")].tolist()
    found = evaluation(told, few, lambda: "", lambda name: None)
    assert found["n"] == len(rows) == sum(point[3] for point in found["points"])
    assert list(found["baseline"]) == ["radial spectrum + ridge regression"]
    card = Model.load(tmp_path / "whole").card
    assert (card.classes, card.value["unit"]) == (("value",), "1")
    volume = _recipe([0.15]).classes[0].simulated[0]
    asked_about = predict_volume(Model.load(tmp_path / "whole"), Member(name="box", source=volume).open(), slices=5)
    assert asked_about.told is not None
    assert math.isfinite(asked_about.told[0])
    assert asked_about.to_json()["slices"] == 5
    assert asked_about.to_json()["unit"] == "1"
    with pytest.raises(InputError, match="tells a value"):
        Model.load(tmp_path / "whole").predict(few.images[:2])


@pytest.mark.parametrize("wrong", [{"balance": "weights"}, {"label_smoothing": 0.1}, {"augmentations": ["mixup"]}])
def test_what_only_classes_have_is_refused(few: ImageSet, tmp_path: Path, wrong: dict[str, Any]) -> None:
    with pytest.raises(InputError, match="has no classes"):
        run_trial(_spec(few, tmp_path, _recipe([0.1, 0.2], **wrong)).to_json(), lambda event: None, lambda: "")


def test_the_unit_changes_no_key_but_the_target_does(few: ImageSet, tmp_path: Path) -> None:
    spec = _spec(few, tmp_path, _recipe([0.1, 0.2]))
    assert replace(spec, training=replace(spec.training, value_unit="MPa")).key() == spec.key()
    assert replace(spec, training=replace(spec.training, target="class")).key() != spec.key()


@pytest.mark.slow
def test_volume_fractions_of_held_out_structures_are_told(tmp_path: Path) -> None:
    fractions = [0.03 + 0.015 * k for k in range(18)]
    recipe = _recipe(fractions, edge=300.0, epochs=15, learning_rate=3e-3, batch_size=16, schedule="cosine")
    images = build(*recipe.cut, tmp_path / "sets")
    numbers = [set(images.poses.volumes[images.split(name)]) for name in ("train", "validation", "evaluation")]
    assert not numbers[0] & numbers[1] | numbers[0] & numbers[2] | numbers[1] & numbers[2]
    result = run_trial(_spec(images, tmp_path / "trial", recipe).to_json(), lambda event: None, lambda: "")
    assert result["outcome"] == "done"
    told = tell(tmp_path / "trial", images)
    assert told.fit.r2 > 0.5
    assert all(
        point[0] == pytest.approx(images.volumes[v]["value"]) for point, v in zip(told.points, sorted(numbers[2]), strict=True)
    )


def _ended(mse: float | None, points: tuple[tuple[float, float, float, int], ...]) -> EpochEnded:
    known = {"train_loss": 1.0, "train_accuracy": 0.0, "validation_loss": 1.0, "validation_accuracy": 0.0, "learning_rate": 0.1}
    return EpochEnded(
        trial=1, epoch=0, per_class={}, confusion=(), images_per_second=1.0, seconds=1.0, mse=mse, points=points, **known
    )


def test_what_is_told_is_as_wrong_as_on_the_validation_set() -> None:
    points = ((1.0, 1.3, 0.1, 20), (2.0, 1.6, 0.1, 20), (3.0, 3.0, 0.1, 20))
    known = residuals_of(_ended(0.36, points))
    assert residual(known, 50) == pytest.approx(math.sqrt((0.3**2 + 0.4**2) / 3)), "means of slices, by those of volumes"
    assert residual(known, 1) == pytest.approx(0.6), "a single slice"
    assert residual(residuals_of(_ended(0.36, points[:2])), 50) == pytest.approx(0.6), "of two volumes little is known"
    assert residuals_of(_ended(None, ())) == {}
    assert residual({"low": 1.0, "high": 2.0}, 50) is None, "a file of an older version"
