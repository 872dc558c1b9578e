"""A trained network tells the classes of volumes and micrographs that it has not seen."""

from __future__ import annotations

import csv
import dataclasses
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile
from numpy.typing import NDArray

from microtome.errors import FileError, InputError
from microtome.results.asking import ask_in_worker
from microtome.results.predict import predict_paths, predict_volume, write_csv
from microtome.slices.grey import grey_of
from microtome.slices.imageset import build
from microtome.slices.plan import ClassSource, SlicePlan, VolumeSource
from microtome.training.evaluate import Model
from microtome.training.spec import NetworkChoice, TrainingSpec, TrialSpec
from microtome.training.trial import run_trial
from microtome.volumes.volume import Volume

SCALES = {"fine": 0.7, "coarse": 3.0}


def texture(shape: tuple[int, ...], scale: float, seed: int) -> NDArray[np.uint8]:
    """Smoothed noise of mean 128."""
    rng = np.random.default_rng(seed)
    grids = np.meshgrid(*(np.fft.fftfreq(n) for n in shape), indexing="ij")
    waves = np.fft.fftn(rng.standard_normal(shape)) * np.exp(-2 * (np.pi * scale) ** 2 * sum(g**2 for g in grids))
    field = np.fft.ifftn(waves).real
    return np.asarray((128 + 40 * field / field.std()).clip(0, 255).astype(np.uint8))


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A trial that tells two textures of 5 nm voxels."""
    place = tmp_path_factory.mktemp("predict")
    classes = []
    for name, scale in SCALES.items():
        np.save(place / f"{name}.npy", texture((48, 48, 48), scale, 0))
        source = VolumeSource(path=str(place / f"{name}.npy"), voxel_size=(5.0, 5.0, 5.0), unit="nm")
        classes.append(ClassSource(name=name, volumes=(source,)))
    plan = SlicePlan(field_of_view=80.0, unit="nm", pixels=16, train=60, validation=20, evaluation=20)
    image_set = build(tuple(classes), plan, place / "sets")
    spec = TrialSpec(
        image_set=str(image_set.path),
        image_set_hash=image_set.hash,
        network=NetworkChoice(parameters={"convolutions": 2, "dense": 1, "width": 8, "dense_width": 32}),
        training=TrainingSpec(epochs=6, batch_size=16, learning_rate=3e-3),
        folder=str(place / "trial"),
        device="cpu",
        threads=1,
    )
    result = run_trial(spec.to_json(), lambda event: None, lambda: "")
    assert result["value"] > 0.9
    return place / "trial"


def save(folder: Path, name: str, voxels: NDArray[Any]) -> Path:
    tifffile.imwrite(folder / name, voxels)
    return folder / name


def test_new_volumes_are_told(trained: Path, tmp_path: Path) -> None:
    files = [save(tmp_path, f"{name}.tif", texture((30, 40, 40), scale, 5)) for name, scale in SCALES.items()]
    rows = predict_paths(trained, files, slices=30)
    assert [r.class_name for r in rows] == list(SCALES)
    for row in rows:
        assert row.slices == 30
        assert sum(row.probabilities.values()) == pytest.approx(1, abs=1e-5)
        low, high = row.interval
        assert low <= row.votes[row.class_name] / 30 <= high
        assert "voxel size is not known" in row.warnings[0]
        assert row.class_name in row.sentence()
    assert predict_paths(trained, files, slices=30) == rows
    assert predict_paths(trained, files, slices=30, seed=1) != rows


def test_what_a_file_does_not_say_is_said_for_it(trained: Path, tmp_path: Path) -> None:
    """Headerless voxels with their shape and voxel size are told as the same volume with a header."""
    voxels = texture((30, 40, 40), SCALES["coarse"], 5)
    (tmp_path / "new.raw").write_bytes(voxels.tobytes())
    size = {"voxel_size": [5.0, 5.0, 5.0], "unit": "nm"}
    told = predict_paths(trained, [save(tmp_path, "new.tif", voxels)], slices=20, options=size)[0]
    raw = predict_paths(trained, [tmp_path / "new.raw"], slices=20, options={**size, "shape": [30, 40, 40], "dtype": "uint8"})[
        0
    ]
    assert raw.votes == told.votes
    assert raw.probabilities == told.probabilities
    assert not any("voxel size" in words for words in raw.warnings)


def test_micrographs_are_told_by_their_tiles(trained: Path, tmp_path: Path) -> None:
    folder = tmp_path / "micrographs"
    folder.mkdir()
    save(folder, "a.tif", texture((64, 50), 0.7, 6))
    save(folder, "b.tif", texture((50, 64), 3.0, 7))
    first, second = predict_paths(trained, [folder / "a.tif", folder / "b.tif"])
    assert (first.class_name, second.class_name) == ("fine", "coarse")
    assert first.slices == second.slices == 12  # 4 × 3 tiles of 16 pixels
    assert [r.class_name for r in predict_paths(trained, [folder])] == ["fine", "coarse"]
    (few,) = predict_paths(trained, [folder / "a.tif"], slices=5)
    assert few.slices == 5


def test_known_voxel_sizes_are_resampled(trained: Path) -> None:
    """A volume of half the voxel size shows the same structure in twice the voxels."""
    model = Model.load(trained, device="cpu")
    coarse = texture((40, 40, 40), 3.0, 8)
    same = predict_volume(model, Volume.from_array(coarse, (5.0, 5.0, 5.0), "nm"), slices=20)
    assert same.warnings == ()
    assert same.class_name == "coarse"
    doubled = coarse.repeat(2, 0).repeat(2, 1).repeat(2, 2)
    finer = predict_volume(model, Volume.from_array(doubled, (2.5, 2.5, 2.5), "nm"), slices=20)
    assert finer.class_name == "coarse"
    assert "resampled" in finer.warnings[0]
    with pytest.raises(InputError, match="larger than"):
        predict_volume(model, Volume.from_array(coarse[:12, :12, :12], (5.0, 5.0, 5.0), "nm"))


def test_slices_with_nan_are_left_out(trained: Path) -> None:
    model = Model.load(trained, device="cpu")
    voxels = texture((40, 40, 40), 3.0, 8).astype(np.float32)
    voxels[:, :, 30:] = np.nan
    found = predict_volume(model, Volume.from_array(voxels), slices=40)
    assert 0 < found.slices < 40
    assert f"{40 - found.slices} slices with NaN" in found.warnings[-1]
    voxels[:, ::8] = np.nan
    with pytest.raises(InputError, match="Every slice"):
        predict_volume(model, Volume.from_array(voxels), slices=5)


@pytest.mark.parametrize("how", ["volume-percentile", "slice-percentile", "histogram"])
def test_grey_values_are_made_as_those_that_were_learned_from(trained: Path, how: str) -> None:
    """Normalised by its own statistics, a volume is told the same whatever its brightness and contrast are."""
    model = Model.load(trained, device="cpu")
    voxels = ((texture((40, 40, 40), 1.4, 8) - 128.0) / 40).astype(np.float32)
    reference = grey_of(texture((40, 40, 40), 0.7, 1)).quantiles
    plan, grey = {**model.card.plan, "normalisation": how}, {**model.card.grey, "reference": list(reference)}
    told = dataclasses.replace(model, card=dataclasses.replace(model.card, plan=plan, grey=grey))
    one, two = (predict_volume(told, Volume.from_array(v), slices=20) for v in (voxels, 0.2 * voxels + 1))
    assert one.probabilities == pytest.approx(two.probabilities, abs=1e-3)
    raw = dataclasses.replace(model, card=dataclasses.replace(model.card, plan={**plan, "normalisation": "none"}))
    one, two = (predict_volume(raw, Volume.from_array(v), slices=20) for v in (voxels, 0.2 * voxels + 1))
    assert one.probabilities != pytest.approx(two.probabilities, abs=1e-3)


def test_empty_slices_are_left_out_as_in_training(trained: Path) -> None:
    model = Model.load(trained, device="cpu")
    model = dataclasses.replace(model, card=dataclasses.replace(model.card, plan={**model.card.plan, "reject": 0.3}))
    voxels = texture((40, 40, 40), 3.0, 8)
    voxels[:, :, :22] = 128
    found = predict_volume(model, Volume.from_array(voxels), slices=40)
    assert 0 < found.slices < 40
    assert f"{40 - found.slices} empty slices were left out" in found.warnings[-1]
    voxels[:, :, :] = 128
    voxels[0, 0, 0] = 129
    with pytest.raises(InputError, match="is empty, and the network learned from none"):
        predict_volume(model, Volume.from_array(voxels), slices=5)


def test_the_table_has_every_class(trained: Path, tmp_path: Path) -> None:
    file = save(tmp_path, "繊維.tif", texture((30, 40, 40), 0.7, 5))
    rows = predict_paths(trained, [file], slices=10)
    write_csv(rows, tmp_path / "out.csv")
    (line,) = csv.DictReader((tmp_path / "out.csv").read_text(encoding="utf-8-sig").splitlines())
    assert line["class"] == "fine"
    assert float(line["p_fine"]) == pytest.approx(rows[0].probabilities["fine"])
    assert int(line["votes_fine"]) + int(line["votes_coarse"]) == 10
    assert line["path"].endswith("繊維.tif")


def test_what_cannot_be_asked_is_said(trained: Path, tmp_path: Path) -> None:
    (tmp_path / "empty.tif").write_bytes(b"")
    for path, sentence in ((tmp_path / "nothing.tif", "does not exist"), (tmp_path / "empty.tif", "empty.tif")):
        with pytest.raises(FileError, match=sentence):
            predict_paths(trained, [path])
    with pytest.raises(InputError, match="0 slices"):
        predict_paths(trained, [tmp_path], slices=0)


def test_a_worker_answers_from_the_network_of_now(trained: Path, tmp_path: Path) -> None:
    file = save(tmp_path, "one.tif", texture((30, 40, 40), 0.7, 5))
    question: dict[str, Any] = {"model": str(trained / "model.safetensors"), "name": "one", "slices": 10}

    def ask(**about: Any) -> dict[str, Any]:
        return ask_in_worker({**question, **about}, lambda event: None, lambda: "")

    answer = ask(path=str(file))
    assert (answer["class"], answer["slices"], answer["path"]) == ("fine", 10, "one")
    assert answer["epoch"] == Model.load(trained, device="cpu").card.epoch
    assert any("The voxel size is not known" in w for w in answer["warnings"])
    sized = ask(volume={"path": str(file), "options": {}, "voxel_size": (10.0, 10.0, 10.0), "unit": "nm"})
    assert any("10 × 10 × 10 nm, is not that of the training data" in w for w in sized["warnings"])
    assert "does not exist" in ask(path=str(tmp_path / "gone.tif"))["error"]
    early = ask_in_worker({**question, "model": str(tmp_path / "m"), "path": str(file)}, lambda event: None, lambda: "")
    assert early["error"] == "There is no trained network yet."
