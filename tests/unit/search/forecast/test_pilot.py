"""A pilot's measurement and promise: real corners, sums that hold, and what is kept of it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from small import table

from microtome.events import Phase, Piloted
from microtome.search.driver import create_run
from microtome.search.forecast.images import cut_set
from microtome.search.forecast.pilot import known_promise, pilot, sample_points
from microtome.search.forecast.promise import (
    Corner,
    Sample,
    disk,
    hours,
    memory_short,
    share_trained,
    trial_seconds,
    trials_that_fit,
)
from microtome.search.recipe import Recipe, parse
from microtome.search.stopping.rungs import Promotion
from microtome.search.stopping.schedule import Leg
from microtome.slices.imageset import build
from microtome.store.journal import read_all
from microtome.store.project import Project
from microtome.training.layers import LayerTable

SPACE = {"network.width": [4, 8], "training.learning_rate": {"low": 1e-3, "high": 1e-2, "log": True}}


def recipe(folder: Path, **search: Any) -> Recipe:
    wanted = {"algorithm": "random", "budget": 4, "workers": 1, "space": SPACE, **search}
    return parse(table(folder, search=wanted, training={"epochs": 3}))


def layers(parameters: int, multiply_adds: int) -> LayerTable:
    sums = {"parameters": parameters, "multiply_adds": multiply_adds, "activation_bytes": 0, "receptive_field": 1}
    return LayerTable(network="cnn", channels=1, classes=2, image_size=16, layers=(), **sums)


def corners(one: Recipe) -> tuple[list[Sample], list[Corner]]:
    samples = [Sample(recipe=one, table=layers(10, m)) for m in (100, 200, 300)]
    ends = [
        Corner(sample=samples[0], image=0.01, epoch=0.0, start=1.0, memory=10**9),
        Corner(sample=samples[-1], image=0.03, epoch=0.0, start=1.0, memory=2 * 10**9),
    ]
    return samples, ends


@pytest.mark.slow
def test_a_pilot_trains_both_corners_and_its_promise_is_journalled(tmp_path: Path) -> None:
    wanted, project = recipe(tmp_path / "data"), Project.create(tmp_path / "project")
    heard: list[Any] = []
    found = pilot(wanted, project, seconds=8.0, report=heard.append)
    assert found is not None
    assert [c["parameters"]["network.width"] for c in found.corners] == [4, 8]
    assert all(c["images_per_second"] > 0 and c["memory"] > 10**7 and c["seconds"] > 0 for c in found.corners)
    low, likely, high = found.hours
    assert 0 < low <= likely <= high < 1
    assert any("not cut yet" in words for words in found.notes)
    assert heard and all(isinstance(e, Phase) and e.done <= e.total for e in heard)
    # It holds for exactly this recipe, and a run of it begins with it.
    assert known_promise(wanted, project) == found
    assert known_promise(recipe(tmp_path / "data", budget=5), project) is None
    run = create_run(wanted, project)
    assert [e for e in read_all(run.events) if isinstance(e, Piloted)] == [found]
    other = create_run(recipe(tmp_path / "data", budget=5), project)
    assert not other.events.exists()


def test_a_pilot_can_be_ended(tmp_path: Path) -> None:
    project = Project.create(tmp_path / "project")
    assert pilot(recipe(tmp_path / "data"), project, seconds=8.0, should_stop=lambda: True) is None
    assert known_promise(recipe(tmp_path / "data"), project) is None


def test_images_that_were_cut_are_found_by_their_plan(tmp_path: Path) -> None:
    one = recipe(tmp_path / "data")
    assert cut_set(one, tmp_path) is None
    made = build(one.classes, one.slices, tmp_path)
    assert cut_set(one, tmp_path) == made.path
    assert cut_set(replace(one, slices=replace(one.slices, seed=1)), tmp_path) is None


def test_a_space_is_sampled_with_its_corners() -> None:
    points = sample_points(parse_space())
    ends = [{"a": 1, "b": "x"}, {"a": 9, "b": "y"}, {"a": 1, "b": "y"}, {"a": 9, "b": "x"}]
    assert all(end in points for end in ends)
    assert {p["a"] for p in points} >= set(range(1, 10))


def parse_space() -> Any:
    from microtome.search.space import space_from_table

    return space_from_table({"a": {"low": 1, "high": 9}, "b": ["x", "y"]})


def test_an_image_costs_what_its_multiply_adds_say(tmp_path: Path) -> None:
    one = recipe(tmp_path / "data")
    samples, ends = corners(one)
    images = 2 * (60 + 20 / 3)
    assert [trial_seconds(s, ends) for s in samples] == pytest.approx([1 + 3 * images * i for i in (0.01, 0.02, 0.03)])


def test_hours_grow_with_the_budget_and_fall_with_workers_and_early_stopping(tmp_path: Path) -> None:
    def likely(**search: Any) -> float:
        one = recipe(tmp_path / "data", **search)
        low, middle, high = hours(one, *corners(one), begin=0.0)
        assert low <= middle <= high
        return middle

    plain = likely(budget=100)
    assert likely(budget=200) == pytest.approx(2 * plain, rel=0.02)
    assert likely(budget=100, workers=4) == pytest.approx(plain / 4, rel=0.05)
    assert likely(budget=100, early_stopping="median") < plain
    assert likely(budget=100, finalists=10, finalist_seeds=10) == pytest.approx(2 * plain, rel=0.02)


def test_early_stopping_trains_a_share_of_the_epochs() -> None:
    low, middle, high = share_trained("asha", 27)
    assert 0.15 < low < middle < high < 0.5
    assert share_trained("auto", 27) == (low, middle, high)
    assert share_trained("none", 27) == (1.0, 1.0, 1.0)
    assert share_trained("asha", 1) == (1.0, 1.0, 1.0), "there is no rung below the end"
    assert share_trained("median", 27)[1] < 1.0


@pytest.mark.parametrize("epochs", [6, 10, 18, 27])
@pytest.mark.parametrize("trials", [12, 60])
def test_the_share_is_what_successive_halving_trains(epochs: int, trials: int) -> None:
    """Trials of random values, whose order does not change, one at a time."""
    low, _, high = share_trained("asha", epochs)
    trained = [_share_of(Promotion(epochs), trials, epochs, seed) for seed in range(5)]
    assert low < sum(trained) / len(trained) < high


def _share_of(rule: Promotion, trials: int, epochs: int, seed: int) -> float:
    values = np.random.default_rng(seed).random(trials + 1)
    asked, trained, at = 0, 0, dict.fromkeys(range(1, trials + 1), 0)
    while True:
        leg = rule.next()
        if leg is None and asked < trials:
            asked += 1
            leg = Leg(asked, rule.first(asked))
        leg = leg or rule.last()
        if leg is None:
            return trained / (trials * epochs)
        rule.started(leg.trial, leg.until)
        end = leg.until or epochs
        for epoch in range(at[leg.trial], end):
            rule.observe(leg.trial, epoch, float(values[leg.trial]))
        trained, at[leg.trial] = trained + end - at[leg.trial], end
        rule.ended(leg.trial, float(values[leg.trial])) if end >= epochs else rule.rests(leg.trial)


def test_what_fits_into_a_time_is_a_range(tmp_path: Path) -> None:
    told = Piloted(corners=({"memory": 3e9},), hours=(1.0, 2.0, 4.0), disk=0, total_memory=16 * 10**9)
    assert trials_that_fit(told, 100, 2 * 3600) == (50, 100)
    assert trials_that_fit(told, 100, 0) == (0, 0)
    assert memory_short(told, 5) and not memory_short(told, 4)


def test_disk_counts_models_checkpoints_and_images(tmp_path: Path) -> None:
    one = recipe(tmp_path / "data", budget=10)
    samples, _ = corners(one)
    images = 2 * 110 * 16 * 16 * 4
    assert disk(one, samples, cut=False) - disk(one, samples, cut=True) == images
    again = recipe(tmp_path / "data", budget=10, finalists=2, finalist_seeds=3)
    assert disk(again, samples, cut=True) > disk(one, samples, cut=True) + 3 * images
