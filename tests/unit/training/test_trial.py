"""One trial in its folder: it learns, tells, ends in every way, and goes on after every kind of interruption."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors.numpy import load_file

from microtome.errors import FileError, InputError
from microtome.events import BatchProgress, EpochEnded, Event, Note, decode
from microtome.slices.imageset import ImageSet
from microtome.training.card import ModelCard
from microtome.training.changes import Changes
from microtome.training.checkpoint import epochs_done
from microtome.training.trial import finished, run_trial

Sets = Callable[..., ImageSet]
Trials = Callable[..., dict[str, Any]]
SMALL_NORM = {"convolutions": 2, "dense": 1, "width": 4, "dense_width": 32, "batch_norm": True}


def never() -> str:
    return ""


def run(spec: dict[str, Any], should_stop: Callable[[], str] = never) -> tuple[dict[str, Any], list[Event]]:
    events: list[Event] = []
    return run_trial(spec, events.append, should_stop, trial=7), events


def epochs(events: list[Event]) -> list[EpochEnded]:
    return [e for e in events if isinstance(e, EpochEnded)]


def after(batches: int, order: str) -> Callable[[], str]:
    """Give an order once so many batches were asked for."""
    asked = iter(range(10**9))
    return lambda: order if next(asked) >= batches else ""


def curve(found: list[EpochEnded]) -> list[tuple[Any, ...]]:
    """All that does not depend on the clock."""
    return [
        (e.epoch, e.train_loss, e.train_accuracy, e.validation_loss, e.confusion, e.per_class, e.learning_rate) for e in found
    ]


def same_weights(one: dict[str, Any], other: dict[str, Any]) -> bool:
    a, b = (load_file(Path(spec["folder"]) / "model.safetensors") for spec in (one, other))
    return a.keys() == b.keys() and all(np.array_equal(a[k], b[k]) for k in a)


def test_it_learns_textures_and_tells_every_epoch(textures: Sets, trial: Trials) -> None:
    image_set = textures(counts=(60, 20, 20), edge=24)
    result, events = run(trial(image_set, epochs=6))
    found = epochs(events)
    assert [e.epoch for e in found] == list(range(6))
    assert {e.trial for e in found} == {7}
    assert result["outcome"] == "done"
    assert result["value"] == max(e.validation_accuracy for e in found) > 0.9
    assert result["epochs"] == 6
    assert found[result["best_epoch"]].validation_accuracy == result["value"]
    last = found[-1]
    assert last.train_loss is not None
    assert found[0].train_loss is not None
    assert last.train_loss < found[0].train_loss
    assert list(last.per_class) == ["fine", "middle", "coarse"]
    assert [sum(row) for row in last.confusion] == [20, 20, 20]
    assert last.validation_accuracy == pytest.approx(np.mean([c / n for c, n in last.per_class.values()]))
    assert last.images_per_second > 0


def test_its_folder_holds_what_it_promises(textures: Sets, trial: Trials) -> None:
    image_set = textures()
    spec = trial(image_set)
    result, events = run(spec)
    folder = Path(spec["folder"])
    assert json.loads((folder / "params.json").read_text())["training"]["epochs"] == 3
    rows = list(csv.DictReader((folder / "history.csv").read_text().splitlines()))
    assert [float(r["validation_accuracy"]) for r in rows] == [e.validation_accuracy for e in epochs(events)]
    assert set(rows[0]) >= {"train_loss", "accuracy_fine", "accuracy_coarse"}
    assert "done after 3 epochs" in (folder / "log.txt").read_text()
    card = ModelCard.read(folder / "model.safetensors")
    assert (card.network, card.classes, card.image_size) == ("cnn", image_set.classes, 16)
    assert (card.pixel_size, card.unit, card.field_of_view) == (2.0, "nm", 32.0)
    assert card.epoch == result["best_epoch"]
    assert card.slice_plan == image_set.plan
    assert not (folder / "checkpoint.safetensors").exists()
    assert epochs_done(folder) == 3


def test_the_same_trial_twice_is_the_same_to_the_bit(textures: Sets, trial: Trials) -> None:
    image_set = textures()
    one, other, another = trial(image_set, "one"), trial(image_set, "other"), trial(image_set, "another", seed=1)
    first, again, different = (epochs(run(spec)[1]) for spec in (one, other, another))
    assert curve(first) == curve(again)
    assert same_weights(one, other)
    assert curve(first) != curve(different)


@pytest.mark.parametrize("optimizer", ["adam", "sgd"])
@pytest.mark.parametrize("batches", [0, 6, 9, 12, 17])
def test_stopped_and_resumed_is_as_never_stopped(textures: Sets, trial: Trials, batches: int, optimizer: str) -> None:
    """In the first epoch, between two epochs (6, 12) and in mid-epoch: the same weights, the same curve."""
    image_set = textures()
    options = {"optimizer": optimizer, "schedule": "one-cycle", "network": SMALL_NORM}
    whole, parts = trial(image_set, "whole", **options), trial(image_set, "parts", **options)
    expected, events = run(whole)
    stopped, before = run(parts, after(batches, "pause"))
    assert stopped["outcome"] == "cancelled"
    assert stopped["epochs"] == batches // 6 == epochs_done(Path(parts["folder"]))
    assert finished(Path(parts["folder"])) is None
    resumed, later = run(parts)
    assert curve(epochs(later)) == curve(epochs(events))
    assert epochs(later)[: len(epochs(before))] == epochs(before)  # reported again, exactly as they were
    assert same_weights(whole, parts)
    assert {k: resumed[k] for k in ("outcome", "value", "best_epoch")} == {
        k: expected[k] for k in ("outcome", "value", "best_epoch")
    }


def test_a_finished_trial_is_not_trained_again(textures: Sets, trial: Trials) -> None:
    spec = trial(textures())
    first, events = run(spec)
    model = Path(spec["folder"], "model.safetensors")
    written = model.stat().st_mtime_ns
    again, retold = run(spec, after(0, "stop"))  # would end before its first batch
    assert again == first
    assert retold == epochs(events)
    assert model.stat().st_mtime_ns == written


def test_pruned_ends_with_the_epochs_so_far(textures: Sets, trial: Trials) -> None:
    spec = trial(textures(), epochs=5)
    result, events = run(spec, after(13, "prune"))
    assert result["outcome"] == "pruned"
    assert result["epochs"] == 2 == len(epochs(events))
    assert result["value"] == max(e.validation_accuracy for e in epochs(events))
    assert result["parameters"] > 0
    again, events = run(spec)  # taken up again, it goes on from its checkpoint
    assert (again["outcome"], again["epochs"]) == ("done", 5)
    assert again["history"][:2] == result["history"]
    assert [e.epoch for e in epochs(events)] == [0, 1, 2, 3, 4]


def test_a_trial_pauses_where_it_is_told_and_goes_on_as_if_it_had_not(textures: Sets, trial: Trials, tmp_path: Path) -> None:
    spec = trial(textures(), epochs=4)
    for stop_after, length in ((1, 1), (1, 1), (3, 3)):
        result, events = run({**spec, "stop_after": stop_after})
        assert (result["outcome"], result["epochs"], len(epochs(events))) == ("paused", length, length)
        assert not Path(spec["folder"], "result.json").exists()
    result, _ = run(spec)
    assert result["outcome"] == "done"
    calm, _ = run({**spec, "folder": str(tmp_path / "calm")})
    assert result["value"] == calm["value"]
    model = "model.safetensors"
    assert Path(spec["folder"], model).stat().st_size == (tmp_path / "calm" / model).stat().st_size
    losses = [[decode(line.encode()).train_loss for line in r["history"]] for r in (result, calm)]
    assert losses[0] == losses[1]


def test_a_loss_that_is_no_number_fails_with_advice(textures: Sets, trial: Trials) -> None:
    # Each step multiplies the weights by 1 − 10.
    spec = trial(textures(), optimizer="sgd", learning_rate=10.0, weight_decay=1.0, momentum=0.0, epochs=40)
    result, events = run(spec)
    assert result["outcome"] == "failed"
    assert "learning rate" in result["message"]
    notes = [e for e in events if isinstance(e, Note)]
    assert [n.level for n in notes] == ["error"]
    assert "learning rate" in notes[0].hint
    assert len(epochs(events)) == result["epochs"]
    assert all(e.train_loss is not None for e in epochs(events))


def test_patience_ends_a_training_that_gets_no_better(textures: Sets, trial: Trials) -> None:
    spec = trial(textures(), epochs=50, patience=2, learning_rate=1e-7)
    result, events = run(spec)
    assert result["outcome"] == "done"
    values = [e.validation_accuracy for e in epochs(events)]
    assert result["epochs"] == len(values) == values.index(max(values)) + 3 < 50


def test_progress_is_told_at_most_twice_a_second(textures: Sets, trial: Trials) -> None:
    _, events = run(trial(textures(), epochs=2))
    told = [e for e in events if isinstance(e, BatchProgress)]
    assert told
    assert told[0].total == 6
    assert all(b.time - a.time >= 0.49 for a, b in pairwise(told))


def test_the_best_epochs_weights_are_kept(textures: Sets, trial: Trials) -> None:
    """The model file is that of the best epoch: it measures what that epoch measured."""
    from microtome.training.evaluate import evaluate

    image_set = textures(counts=(30, 30, 5), edge=16)
    spec = trial(image_set, epochs=6, learning_rate=2e-2)
    result, events = run(spec)
    best = epochs(events)[result["best_epoch"]]
    measured = evaluate(spec["folder"], image_set, "validation")
    assert measured.per_class == best.per_class


def test_two_classes_and_grey_values_as_they_come(textures: Sets, trial: Trials) -> None:
    """Images that are not normalised (0 … 65535) train as well: the network scales them itself."""
    image_set = textures(counts=(60, 20, 20), scales=(0.5, 4.0), scale_grey=900.0, shift_grey=32_000.0)
    result, _ = run(trial(image_set, epochs=5))
    assert result["value"] > 0.9


@pytest.mark.parametrize(("batch_size", "at_once", "balance"), [(2, 0, "none"), (2, 0, "sampling"), (4, 2, "none")])
def test_an_odd_number_of_images_in_the_smallest_parts(
    textures: Sets, trial: Trials, batch_size: int, at_once: int, balance: str
) -> None:
    """Its last maps are of one pixel: batch normalisation would refuse a single image."""
    image_set = textures(counts=(3, 2, 2), edge=32)
    spec = trial(image_set, network={"width": 8}, epochs=1, batch_size=batch_size, balance=balance)
    spec["network"]["name"] = "resnet18"
    Path(spec["folder"]).mkdir()
    Changes(at_once=at_once).save(Path(spec["folder"]))
    assert run_trial(spec, lambda event: None, lambda: "")["outcome"] == "done"


def test_networks_of_another_kind_of_trial_are_not_mixed_up(textures: Sets, trial: Trials) -> None:
    image_set = textures()
    spec = trial(image_set, epochs=2)
    run(spec, after(7, "stop"))
    with pytest.raises(FileError, match="another trial"):
        run(trial(image_set, epochs=3))
    run(spec)
    with pytest.raises(FileError, match="another trial"):
        run(trial(image_set, epochs=3))


def test_what_is_missing_is_said(textures: Sets, trial: Trials, tmp_path: Path) -> None:
    image_set = textures()
    with pytest.raises(InputError, match="needs a folder"):
        run({**trial(image_set), "folder": ""})
    with pytest.raises(FileError, match="not an image set"):
        run({**trial(image_set, "a"), "image_set": str(tmp_path / "nowhere")})
    with pytest.raises(FileError, match="not the image set of this trial"):
        run({**trial(image_set, "b"), "image_set_hash": "another"})
    with pytest.raises(InputError, match="no validation images"):
        run(trial(textures("lacking", counts=(4, 0, 4)), "c"))
    with pytest.raises(InputError, match="no device “cpux”"):
        run({**trial(image_set, "d"), "device": "cpux"})
    with pytest.raises(InputError, match="“cuda:99” is not there"):
        run({**trial(image_set, "e"), "device": "cuda:99"})


def test_a_damaged_checkpoint_is_said(textures: Sets, trial: Trials) -> None:
    spec = trial(textures())
    run(spec, after(8, "stop"))
    file = Path(spec["folder"], "checkpoint.safetensors")
    file.write_bytes(file.read_bytes()[:-100])
    with pytest.raises(FileError, match="damaged"):
        run(spec)
    file.write_bytes(b"")
    with pytest.raises(FileError, match="damaged"):
        run(spec)
    assert epochs_done(Path(spec["folder"])) == 0


def test_a_killed_save_leaves_nothing(textures: Sets, trial: Trials) -> None:
    spec = trial(textures())
    run(spec, after(8, "stop"))
    folder = Path(spec["folder"])
    (folder / ".checkpoint.safetensors.x1y2.part").write_bytes(b"half a checkpoint")
    assert run(spec)[0]["outcome"] == "done"
    assert sorted(f.name for f in folder.iterdir()) == [
        "history.csv",
        "log.txt",
        "model.safetensors",
        "params.json",
        "result.json",
        "seen.npz",
    ]


def test_a_folder_that_cannot_be_written_is_said(textures: Sets, trial: Trials, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(FileError, match="Could not write"):
        run(trial(textures(), "file/trial"))
