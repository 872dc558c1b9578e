"""A trained network is found, loaded, asked and measured; what does not fit is said."""

from __future__ import annotations

import csv
import json
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from microtome.errors import FileError, InputError
from microtome.slices.imageset import ImageSet, build
from microtome.slices.plan import ClassSource, SlicePlan, VolumeSource
from microtome.training.card import ModelCard
from microtome.training.checkpoint import read_tensors, write_tensors
from microtome.training.evaluate import Model, evaluate, find_model, run_evaluation, trust_words
from microtome.training.trial import run_trial

Sets = Callable[..., ImageSet]
Trials = Callable[..., dict[str, Any]]


@pytest.fixture
def trained(textures: Sets, trial: Trials) -> tuple[ImageSet, Path]:
    """An image set and the folder of a trial on it."""
    image_set = textures(counts=(40, 10, 30))
    spec = trial(image_set, epochs=4)
    run_trial(spec, lambda event: None, lambda: "")
    return image_set, Path(spec["folder"])


def test_the_locked_set_is_measured_and_written_down(trained: tuple[ImageSet, Path]) -> None:
    image_set, folder = trained
    found = evaluate(folder, image_set.path)
    assert found.accuracy == pytest.approx(np.mean([c / n for c, n in found.per_class.values()]))
    assert {n for _, n in found.per_class.values()} == {30}
    assert found.confusion.sum() == 90
    low, high = found.interval
    assert low < found.accuracy <= high
    assert np.allclose(found.probabilities.sum(axis=1), 1, atol=1e-5)
    rows = list(csv.DictReader((folder / "predictions.csv").read_text().splitlines()))
    assert [int(r["image"]) for r in rows] == image_set.split("evaluation").tolist()
    right = sum(r["true"] == r["predicted"] for r in rows)
    assert right == np.trace(found.confusion)
    assert all(r["predicted"] == max(image_set.classes, key=lambda c: float(r[f"p_{c}"])) for r in rows)


def test_it_is_a_workers_task_too(trained: tuple[ImageSet, Path]) -> None:
    image_set, folder = trained
    spec = {"folder": str(folder), "image_set": str(image_set.path), "device": "cpu", "threads": 1}
    found = run_evaluation(spec, lambda event: None, lambda: "")
    expected = evaluate(folder, image_set)
    assert json.loads(json.dumps(found)) == found
    assert found["accuracy"] == expected.accuracy
    assert found["confusion"] == expected.confusion.tolist()
    assert found["per_class"] == {k: list(v) for k, v in expected.per_class.items()}


@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
def test_it_is_asked_in_the_precision_in_which_it_was_measured(textures: Sets, trial: Trials, precision: str) -> None:
    image_set = textures(counts=(40, 60, 5), scales=(1.5, 1.8, 2.1))  # hard to tell: the last digits decide about some
    spec = trial(image_set, epochs=2, learning_rate=1e-3, precision=precision)
    result = run_trial(spec, lambda event: None, lambda: "")
    best = json.loads(result["history"][result["best_epoch"]])
    task = {"folder": spec["folder"], "image_set": spec["image_set"], "split": "validation", "device": "cpu", "threads": 1}
    assert run_evaluation(task, lambda event: None, lambda: "")["per_class"] == best["per_class"]
    answers = np.concatenate(Model.load(spec["folder"], device="cpu")._answers(image_set.images[:40], 40))
    brief = torch.from_numpy(answers).bfloat16().float().numpy()
    assert np.array_equal(answers, brief) == (precision == "bfloat16")


def test_a_model_file_works_alone(trained: tuple[ImageSet, Path], tmp_path: Path) -> None:
    image_set, folder = trained
    alone = tmp_path / "elsewhere" / "mine.safetensors"
    alone.parent.mkdir()
    shutil.move(folder / "model.safetensors", alone)
    shutil.rmtree(folder)
    model = Model.load(alone, device="cpu")
    images = np.asarray(image_set.images[:7])
    together, one_by_one = model.predict(images), [model.predict(i[None])[0] for i in images]
    assert together.shape == (7, 3)
    assert together.dtype == np.float32
    assert np.allclose(together, one_by_one, atol=1e-5)
    assert model.predict(images[:0]).shape == (0, 3)
    assert model.card.classes == image_set.classes


def test_a_runs_best_trial_is_found(trained: tuple[ImageSet, Path], tmp_path: Path) -> None:
    _, folder = trained
    run = tmp_path / "run"
    card = ModelCard.read(folder / "model.safetensors")
    for number, value in ((1, 0.5), (2, 0.9), (3, 0.9), (4, 0.1)):
        there = run / "trials" / f"{number:04d}"
        there.mkdir(parents=True)
        metadata = replace(card, validation_accuracy=value).to_metadata()
        write_tensors(there / "model.safetensors", read_tensors(folder / "model.safetensors"), metadata)
    (run / "trials" / "0005").mkdir()
    assert find_model(run) == run / "trials" / "0002" / "model.safetensors"
    assert find_model(folder) == folder / "model.safetensors"


def test_images_that_do_not_fit_are_said(trained: tuple[ImageSet, Path]) -> None:
    model = Model.load(trained[1], device="cpu")
    with pytest.raises(InputError, match=r"wants images \(n, 16, 16\), not \(2, 17, 16\)"):
        model.predict(np.zeros((2, 17, 16)))
    with pytest.raises(InputError, match="not numbers"):
        model.predict(np.full((1, 16, 16), np.nan))


def test_other_classes_are_said(trained: tuple[ImageSet, Path], textures: Sets) -> None:
    with pytest.raises(InputError, match="tells fine, middle, coarse; the image set holds fine, middle"):
        evaluate(trained[1], textures("two", scales=(1.0, 2.0)))


def test_what_is_no_model_is_said(trained: tuple[ImageSet, Path], tmp_path: Path) -> None:
    _, folder = trained
    with pytest.raises(FileError, match="does not exist"):
        Model.load(tmp_path / "nowhere")
    (tmp_path / "empty").mkdir()
    with pytest.raises(FileError, match="no trained network"):
        Model.load(tmp_path / "empty")
    text = tmp_path / "text.safetensors"
    text.write_text("this is no network at all")
    with pytest.raises(FileError, match="not a safetensors file"):
        Model.load(text)
    write_tensors(tmp_path / "others.safetensors", {"weight": torch.zeros(2)}, {})
    with pytest.raises(FileError, match="has no card"):
        Model.load(tmp_path / "others.safetensors")
    file = folder / "model.safetensors"
    file.write_bytes(file.read_bytes()[:-10])
    with pytest.raises(FileError, match="damaged"):
        Model.load(file)


def test_a_newer_model_file_is_said(trained: tuple[ImageSet, Path]) -> None:
    file = trained[1] / "model.safetensors"
    data = file.read_bytes()
    newer = data.replace(b'{\\"format\\": 1,', b'{\\"format\\": 9,')
    assert newer != data
    file.write_bytes(newer)
    with pytest.raises(ValueError, match="newer Microtome"):
        ModelCard.read(file)


def test_how_far_an_interval_holds_is_said(tmp_path: Path) -> None:
    rng, sources = np.random.default_rng(0), []
    for name, volumes in (("a", 2), ("b", 1)):
        files = [tmp_path / f"{name}{k}.npy" for k in range(volumes)]
        for file in files:
            np.save(file, rng.standard_normal((64, 64, 64)).astype(np.float32))
        sources.append(ClassSource(name=name, volumes=tuple(VolumeSource(path=str(file)) for file in files)))
    plan = SlicePlan(field_of_view=8, pixels=8, train=4, validation=2, evaluation=6)
    image_set = build(tuple(sources), plan, tmp_path / "sets")
    found = trust_words(image_set)
    assert found.startswith("The interval takes the 12 images as independent. They come from 3 volumes: it holds")
    one = build(tuple(sources[1:]), plan, tmp_path / "sets")
    assert "come from 1 volume:" in trust_words(one)
    assert "They are parts of 3 micrographs: it does" in trust_words(replace(image_set, micrographs={"fit": "tile"}))
    alone = build(tuple(sources[1:]), replace(plan, evaluation=1), tmp_path / "sets")
    assert trust_words(alone) == "", "one image of one volume"
