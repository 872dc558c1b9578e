"""Inherited weights: the nearest relative, what agrees in shape, keys of their own, and a search that inherits and resumes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from small import Watch, make

from microtome.events import EpochEnded, TrialEnded, TrialStarted
from microtome.search.driver import drive
from microtome.search.known.inherit import distance, parent_of
from microtome.search.recipe import parse
from microtome.search.records import Record, Records
from microtome.search.space import space_from_table
from microtome.store.journal import read_all
from microtome.training.spec import NetworkChoice, TrainingSpec, TrialSpec

TABLE: dict[str, Any] = {
    "training.learning_rate": {"low": 1e-4, "high": 1e-2, "log": True},
    "network.activation": ["relu", "gelu", "silu"],
    "network.dropout": {"low": 0.0, "high": 0.5},
}
SPACE = space_from_table(TABLE)
RECIPE = parse({"search": {"inherit": True, "space": TABLE}})


def point(rate: float, activation: str = "relu", dropout: float = 0.0, **more: Any) -> dict[str, Any]:
    return {"training.learning_rate": rate, "network.activation": activation, "network.dropout": dropout, **more}


def records(*trials: tuple[dict[str, Any], str, float | None]) -> Records:
    made = Records()
    for number, (parameters, outcome, value) in enumerate(trials, start=1):
        made.trials[number] = Record(number, parameters, key=f"k{number}", outcome=outcome, value=value)
    return made


def test_distances_are_those_of_the_unit_cube() -> None:
    assert distance(point(1e-4), point(1e-3), SPACE) == pytest.approx(0.5)
    assert distance(point(1e-3), point(1e-3, "gelu"), SPACE) == 1.0
    assert distance(point(1e-4), point(1e-3, dropout=0.5), SPACE) == pytest.approx((0.5**2 + 1) ** 0.5)
    assert distance(point(1e-3), {**point(1e-3), "training.momentum": 0.5}, SPACE) == 1.0, "only one has it"
    assert distance(point(1e-3), point(1e-3), SPACE) == 0.0


def test_the_nearest_finished_relative_is_the_parent() -> None:
    far, near, better = point(1e-2), point(1e-3), point(1e-3, dropout=0.1)
    known = records((far, "done", 0.9), (near, "done", 0.5), (point(9e-4), "failed", None), (point(9e-4), "", None))
    found = parent_of(known, RECIPE, 5, point(8e-4, dropout=0.01))
    assert found is not None and found.number == 2, "the failed and the running ones are none"
    assert parent_of(records(), RECIPE, 1, near) is None
    tie = records((better, "done", 0.5), (better, "reused", 0.6))
    best = parent_of(tie, RECIPE, 3, near)
    assert best is not None and best.number == 2
    other = records((point(1e-3, **{"slices.pixels": 32}), "done", 0.9))
    assert parent_of(other, RECIPE, 2, point(1e-3, **{"slices.pixels": 64})) is None, "other images"


def test_a_trial_keeps_its_parent_and_a_twin_has_the_same() -> None:
    known = records((point(1e-3), "done", 0.9), (point(2e-3), "", None), (point(2.1e-3), "done", 0.8))
    known.trials[2].inherited = "run/0001"
    for number in (2, 4):  # itself again, and its twin
        found = parent_of(known, RECIPE, number, point(2e-3))
        assert found is not None and found.number == 1


def test_inherited_weights_are_part_of_the_key() -> None:
    def key(**more: str) -> str:
        return TrialSpec(image_set="", image_set_hash="h", network=NetworkChoice(), training=TrainingSpec(), **more).key()

    assert len({key(), key(inherited_key="a"), key(inherited_key="b")}) == 3
    assert key(inherited="/one/model", inherited_key="a") == key(inherited="/another/model", inherited_key="a")


def test_tensors_that_agree_are_copied_and_the_rest_stays_fresh(tmp_path: Path) -> None:
    import torch
    from torch import nn

    from microtome.training.checkpoint import write_tensors
    from microtome.training.inherited import inherit

    def network(width: int) -> nn.Sequential:
        return nn.Sequential(nn.Conv2d(1, 4, 3), nn.BatchNorm2d(4), nn.Conv2d(4, width, 3))

    parent, child = network(8), network(16)
    write_tensors(tmp_path / "model.safetensors", parent.state_dict(), {})
    before = child[2].weight.detach().clone()
    assert inherit(child, tmp_path / "model.safetensors") == (7, 9)
    assert torch.equal(child[0].weight, parent[0].weight) and torch.equal(child[2].weight, before)


@pytest.mark.slow
def test_a_search_whose_trials_inherit(tmp_path: Path) -> None:
    space = {"training.learning_rate": [1e-3, 2e-3, 4e-3]}
    search = {"algorithm": "grid", "budget": 3, "workers": 1, "space": space, "inherit": True}
    run = make(tmp_path, search=search, training={"epochs": 3})
    watch = Watch(run)
    assert drive(run, watch).state == "done"
    begun = {e.trial: e for e in watch.of(TrialStarted)}
    assert begun[1].inherited == "" and begun[2].inherited == f"{run.name}/0001"
    assert begun[3].inherited in (f"{run.name}/0001", f"{run.name}/0002")
    first = {e.trial: e for e in watch.of(EpochEnded) if e.epoch == 0}
    assert first[2].train_loss < first[1].train_loss, "it begins where its parent ended"
    # An independent search of the same is not answered by what was inherited.
    alone = make(tmp_path, search={**search, "inherit": False}, training={"epochs": 3})
    drive(alone)
    ends = {e.trial: e.outcome for e in read_all(alone.events) if isinstance(e, TrialEnded)}
    starts = {e.trial: e.parameters["training.learning_rate"] for e in read_all(alone.events) if isinstance(e, TrialStarted)}
    rate = begun[1].parameters["training.learning_rate"]
    assert {n: ends[n] for n in ends} == {n: "reused" if starts[n] == rate else "done" for n in ends}
