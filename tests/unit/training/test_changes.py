"""A training whose loss is no number goes on from its last good epoch with a lower rate, exactly."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from microtome.errors import InputError
from microtome.events import EpochEnded, Event, Note
from microtome.search.known.ledger import Ledger
from microtome.slices.imageset import ImageSet
from microtome.training.changes import Changes, Offer, accept, lower, offer
from microtome.training.checkpoint import NAME, PART
from microtome.training.evaluate import Model
from microtome.training.spec import TrainingSpec
from microtome.training.trial import finished, run_trial

Sets = Callable[..., ImageSet]
Trials = Callable[..., dict[str, Any]]
# A step multiplies all weights by 1 − rate: from a rate of 2 on they grow, and the rate rises from 0.4 to 10.
WILD = {
    "optimizer": "sgd",
    "learning_rate": 10.0,
    "schedule": "one-cycle",
    "weight_decay": 1.0,
    "momentum": 0.0,
    "epochs": 12,
}


def run(spec: dict[str, Any], should_stop: Callable[[], str] = lambda: "") -> tuple[dict[str, Any], list[Event]]:
    events: list[Event] = []
    return run_trial(spec, events.append, should_stop), events


def curve(result: dict[str, Any]) -> list[tuple[Any, ...]]:
    from microtome.events import decode

    found = [decode(line.encode()) for line in result["history"]]
    return [(e.epoch, e.train_loss, e.validation_loss, e.learning_rate) for e in found if isinstance(e, EpochEnded)]


def after(batches: int) -> Callable[[], str]:
    asked = iter(range(10**9))
    return lambda: "stop" if next(asked) >= batches else ""


def test_it_fails_with_an_offer_and_keeps_its_last_good_epoch(textures: Sets, trial: Trials) -> None:
    spec = trial(textures(), **WILD)
    folder = Path(spec["folder"])
    result, events = run(spec)
    assert result["outcome"] == "failed"
    good = result["epochs"]
    assert 0 < good < 12
    assert offer(folder) == Offer(good, 3.3)
    note = next(e for e in events if isinstance(e, Note))
    assert note.level == "error"
    assert f"epoch {good + 1}" in note.text
    assert f"from the end of epoch {good} with 3.3 instead of 10" in note.hint
    assert (folder / NAME).exists()
    assert not (folder / PART).exists()
    assert Model.load(folder).card.epoch == result["best_epoch"] < good


def test_it_goes_on_with_the_lower_rate_and_says_so(textures: Sets, trial: Trials) -> None:
    spec = trial(textures(), **WILD)
    folder = Path(spec["folder"])
    failed, _ = run(spec)
    accept(folder, 0.01)
    assert finished(folder) is None
    assert offer(folder) is None
    result, events = run(spec)
    assert result["outcome"] == "done"
    assert result["rates"] == [[failed["epochs"], 0.01]]
    epochs = [e for e in events if isinstance(e, EpochEnded)]
    assert [e.epoch for e in epochs] == list(range(12))
    assert all(0.4 <= e.learning_rate <= 10 for e in epochs[: failed["epochs"]])
    assert all(e.learning_rate <= 0.01 for e in epochs[failed["epochs"] :])
    assert curve(result)[: failed["epochs"]] == curve(failed)


def test_stopped_after_that_it_is_the_same(textures: Sets, trial: Trials) -> None:
    image_set = textures()
    results = []
    for name, stops in (("whole", ()), ("parts", (4, 9))):
        spec = trial(image_set, name, **WILD)
        run(spec)
        accept(Path(spec["folder"]), 0.02)
        for batches in stops:
            assert run(spec, after(batches))[0]["outcome"] == "cancelled"
        results.append(run(spec)[0])
    assert curve(results[0]) == curve(results[1])


def test_a_second_rate_replaces_the_first_where_no_epoch_was_good(textures: Sets, trial: Trials) -> None:
    spec = trial(textures(), **{**WILD, "schedule": "constant", "batch_size": 2})
    folder = Path(spec["folder"])
    failed, _ = run(spec)
    assert failed["epochs"] == 0  # 24 steps an epoch are enough
    assert offer(folder) == Offer(0, 3.3)
    accept(folder, 9.0)
    again, _ = run(spec)
    assert again["outcome"] == "failed"
    assert offer(folder) == Offer(0, lower(9.0))
    accept(folder, 0.001)
    assert Changes.load(folder).rates == ((0, 0.001),)
    assert run(spec)[0]["outcome"] == "done"


def test_the_ledger_gives_no_twin_what_was_trained_otherwise(textures: Sets, trial: Trials, tmp_path: Path) -> None:
    folder = "project/runs/one/trials/0001"
    spec = trial(textures(), folder, **WILD)
    run(spec)
    accept(tmp_path / folder, 0.01)
    run(spec)
    key = json.loads((tmp_path / folder / "result.json").read_text())["key"]
    assert Ledger(tmp_path / "project/runs").find(key) is None


def test_what_has_not_failed_offers_nothing(textures: Sets, trial: Trials) -> None:
    spec = trial(textures(), epochs=1)
    folder = Path(spec["folder"])
    with pytest.raises(InputError, match="has not failed"):
        accept(folder, 0.1)
    run(spec)
    assert offer(folder) is None
    with pytest.raises(InputError, match="has not failed"):
        accept(folder, 0.1)


@pytest.mark.parametrize("rate", [0.0, -1.0, 11.0, float("nan")])
def test_a_rate_that_is_none_is_refused(textures: Sets, trial: Trials, rate: float) -> None:
    spec = trial(textures(), **WILD)
    run(spec)
    with pytest.raises(InputError, match="no learning rate"):
        accept(Path(spec["folder"]), rate)
    assert offer(Path(spec["folder"])) is not None


def test_the_latest_rate_of_an_epoch_counts() -> None:
    changes = Changes(rates=((2, 0.1), (5, 0.01)))
    found = [changes.settings(TrainingSpec(learning_rate=1.0), epoch).learning_rate for epoch in range(7)]
    assert found == [1.0, 1.0, 0.1, 0.1, 0.1, 0.01, 0.01]
