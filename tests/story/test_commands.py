"""A scientist on the command line: look, simulate, cut, train, search, predict, report; and every mistake in one line."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile

Finished = dict[str, Any]


def microtome(*arguments: str | Path, home: Path, code: int = 0) -> tuple[Finished, str]:
    """Run a command in a process of its own; returns its last JSON object and what it wrote on stderr."""
    done = subprocess.run(
        [sys.executable, "-m", "microtome", *map(str, arguments)],
        capture_output=True,
        text=True,
        encoding="utf-8",
        timeout=170,
        env={**os.environ, "MICROTOME_HOME": str(home)},
        stdin=subprocess.DEVNULL,
    )
    assert done.returncode == code, f"{done.returncode}\n{done.stdout}\n{done.stderr}"
    if code == 2:
        assert "Traceback" not in done.stderr
        assert len(done.stderr.strip().splitlines()) == 1, done.stderr
    lines = done.stdout.strip().splitlines()
    return (json.loads(lines[-1]) if lines and lines[-1].startswith("{") else {}), done.stderr


def textured(kind: int, edge: int = 72) -> np.ndarray:
    """A small volume whose texture depends on its kind, with the same mean and deviation for all kinds."""
    rng = np.random.default_rng(kind)
    field = np.fft.rfftn(rng.normal(size=(edge,) * 3))
    q = np.sqrt(
        sum(f**2 for f in np.meshgrid(np.fft.fftfreq(edge), np.fft.fftfreq(edge), np.fft.rfftfreq(edge), indexing="ij"))
    )
    wave = np.fft.irfftn(field * np.exp(-((q * (3 + 6 * kind)) ** 2)), s=(edge,) * 3)
    return (128 + 40 * (wave - wave.mean()) / wave.std()).clip(0, 255).astype(np.uint8)


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with two textured volumes."""
    folder = tmp_path_factory.mktemp("lab 実験")
    for kind, name in enumerate(("fine", "coarse")):
        tifffile.imwrite(folder / f"{name}.tif", textured(kind))
    return folder


RECIPE = """
[[class]]
name = "fine"
volumes = ["fine.tif"]
[[class]]
name = "coarse"
volumes = ["coarse.tif"]
[slices]
field_of_view = 24.0
pixels = 24
train = 60
validation = 20
evaluation = 40
[network]
name = "cnn"
convolutions = 2
dense = 1
width = 8
dense_width = 64
[training]
epochs = 3
batch_size = 16
"""
SEARCH = """
[search]
algorithm = "random"
budget = 3
workers = 2
seed = 1
[search.space]
"training.learning_rate" = { low = 1e-3, high = 1e-2, log = true }
"network.activation" = ["relu", "gelu"]
"""


def write(place: Path, name: str, text: str) -> Path:
    path = place / name
    path.write_text(text)
    return path


def test_what_a_file_is(place: Path, tmp_path: Path) -> None:
    found, _ = microtome("info", place / "fine.tif", "--json", home=tmp_path)
    assert found["event"] == "finished"
    assert found["shape"] == [72, 72, 72]
    assert found["dtype"] == "uint8"


def test_a_structure_is_simulated_twice_alike(tmp_path: Path) -> None:
    arguments = ["--seed", "3", "--set", "edge=200", "--json"]
    first, _ = microtome("simulate", "rnd", "--out", tmp_path / "a.tif", *arguments, home=tmp_path)
    microtome("simulate", "rnd", "--out", tmp_path / "b.tif", *arguments, home=tmp_path)
    assert first["particles"] > 10
    assert (tifffile.imread(tmp_path / "a.tif") == tifffile.imread(tmp_path / "b.tif")).all()
    info, _ = microtome("info", tmp_path / "a.tif", "--json", home=tmp_path)
    assert info["voxel_size"] == pytest.approx(first["voxel_size"], rel=1e-6)
    assert info["unit"] == "nm"


def test_settings_follow_each_other_or_their_option(tmp_path: Path) -> None:
    together = ["--set", "edge=160", "voxel_size=8", "sweeps=1"]
    apart = ["--set", "edge=160", "--set", "voxel_size=8", "--set", "sweeps=1"]
    first, _ = microtome("simulate", *together, "rnd", "--out", tmp_path / "a.tif", "--json", home=tmp_path)
    second, _ = microtome("simulate", "rnd", *apart, "--out", tmp_path / "b.tif", "--json", home=tmp_path)
    assert first["shape"] == second["shape"] == [20, 20, 20]


def test_cutting_twice_finds_the_same_set(place: Path, tmp_path: Path) -> None:
    recipe = write(place, "cut.toml", RECIPE)
    first, _ = microtome("slices", recipe, "--out", tmp_path / "sets", "--json", home=tmp_path)
    again, _ = microtome("slices", recipe, "--out", tmp_path / "sets", "--json", home=tmp_path)
    assert first["images"] == 2 * (60 + 20 + 40)
    assert first["hash"] == again["hash"]
    assert len((Path(first["folder"]) / "index.csv").read_text().splitlines()) == 241


def test_train_predict_export_report(place: Path, tmp_path: Path) -> None:
    done, _ = microtome("run", write(place, "t.toml", RECIPE), "--project", tmp_path / "project", "--json", home=tmp_path)
    assert set(done["per_class"]) == {"fine", "coarse"}
    assert all(c["total"] == 40 for c in done["per_class"].values())
    mean = np.mean([c["correct"] / c["total"] for c in done["per_class"].values()])
    assert done["accuracy"] == pytest.approx(mean)
    assert done["accuracy"] > 0.9
    model = Path(done["run"])
    told, _ = microtome(
        "predict", model, place / "fine.tif", place / "coarse.tif", "--csv", tmp_path / "p.csv", "--json", home=tmp_path
    )
    assert [p["class"] for p in told["predictions"]] == ["fine", "coarse"]
    assert len((tmp_path / "p.csv").read_text().splitlines()) == 3
    microtome("export", model, "--format", "torchscript", "--out", tmp_path / "m.pt", home=tmp_path)
    assert (tmp_path / "m.pt").stat().st_size > 1000
    microtome("report", tmp_path / "project", "--out", tmp_path / "r.html", home=tmp_path)
    text = (tmp_path / "r.html").read_text()
    assert "coarse" in text
    again, _ = microtome("resume", model, "--json", home=tmp_path)
    assert again["accuracy"] == done["accuracy"], "a finished run is answered, not trained again"


def test_search(place: Path, tmp_path: Path) -> None:
    recipe = write(place, "s.toml", RECIPE + SEARCH)
    done, _ = microtome("run", recipe, "--project", tmp_path / "project", "--json", home=tmp_path)
    assert done["trials"] == 3
    assert set(done["best"]["parameters"]) == {"training.learning_rate", "network.activation"}
    assert 0 <= done["best"]["value"] <= 1
    assert done["accuracy"] is not None


BAD = {
    "no such file": (RECIPE.replace("fine.tif", "none.tif"), "none.tif"),
    "no image": (RECIPE.replace("fine.tif", "text.tif"), "text.tif"),
    "empty file": (RECIPE.replace("fine.tif", "empty.tif"), "empty.tif"),
    "truncated stack": (RECIPE.replace("fine.tif", "half.tif"), "half.tif"),
    "only NaN": (RECIPE.replace("fine.tif", "nan.tif"), "nan.tif"),
    "field of view too large": (RECIPE.replace("field_of_view = 24.0", "field_of_view = 640.0"), "640"),
    "one class": (RECIPE[RECIPE.rindex("[[class]]") :], "only one class"),
    "class without volumes": (RECIPE.replace('volumes = ["fine.tif"]', ""), "“fine” has no volumes"),
    "nanometres without voxel size": (RECIPE.replace("pixels = 24", 'unit = "nm"\npixels = 24'), "voxel size"),
    "low above high": (RECIPE + SEARCH.replace("low = 1e-3", "low = 1e-1"), "low = 0.1 above high = 0.01"),
    "unknown key": (RECIPE + "epoch = 3\n", "Did you mean “epochs”"),
    "not TOML": (RECIPE + "oops\n", "not valid TOML"),
}


@pytest.mark.parametrize("case", BAD)
def test_a_mistake_is_one_line_and_exit_code_2(case: str, place: Path, tmp_path: Path) -> None:
    (place / "text.tif").write_text("not an image")
    (place / "empty.tif").write_bytes(b"")
    whole = (place / "fine.tif").read_bytes()
    (place / "half.tif").write_bytes(whole[: len(whole) // 2])
    tifffile.imwrite(place / "nan.tif", np.full((72, 72, 72), np.nan, np.float32))
    text, words = BAD[case]
    recipe = write(place, f"{case}.toml".replace(" ", "-"), text)
    _, stderr = microtome("run", recipe, "--project", tmp_path / "project", home=tmp_path, code=2)
    assert words in stderr.splitlines()[-1]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["info", "nothing.tif"], "nothing.tif"),
        (["fly"], "fly"),
        (["run"], "RECIPE"),
        (["simulate", "m-sbx", "--out", "a.tif"], "Did you mean “m-sbr”"),
        (["simulate", "rnd", "--out", "a.tif", "--set", "diametre=3"], "Did you mean “diameter”"),
        (["resume", "."], "not a run folder"),
        (["report", "nowhere", "--out", "r.html"], "nowhere"),
    ],
)
def test_a_wrong_call_is_one_line(arguments: list[str], words: str, tmp_path: Path) -> None:
    _, stderr = microtome(*arguments, home=tmp_path, code=2)
    assert words in stderr


def test_plugins_are_listed(tmp_path: Path) -> None:
    found, _ = microtome("plugins", "--json", home=tmp_path)
    names = {(p["kind"], p["name"]) for p in found["plugins"]}
    assert {("network", "cnn"), ("generator", "m-sbr"), ("search", "two-points-de"), ("reader", "tiff")} <= names
    assert found["broken"] == []


def test_help_names_every_command(tmp_path: Path) -> None:
    done = subprocess.run([sys.executable, "-m", "microtome", "--help"], capture_output=True, text=True, check=True)
    for command in ("demo", "info", "simulate", "slices", "run", "resume", "predict", "export", "report", "plugins"):
        assert command in done.stdout
