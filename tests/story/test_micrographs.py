"""A scientist with folders of micrographs: data bars, masks, specimens, few of one kind; then with a table of labels."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import imagecodecs
import numpy as np
import pytest
from numpy.typing import NDArray

RECIPE = """
[slices]
field_of_view = 24.0
pixels = 24
[micrographs]
fit = "tile"
shares = "60/20/20"
{more}
[network]
name = "cnn"
convolutions = 2
dense = 1
width = 8
dense_width = 64
[training]
epochs = 4
batch_size = 16
balance = "weights"
"""
CLASSES = """
[[class]]
name = "fine"
images = ["fine"]
[[class]]
name = "coarse"
images = ["coarse/*.png"]
"""


def microtome(*arguments: str | Path, home: Path) -> dict[str, Any]:
    """Run a command in a process of its own; returns its last JSON object."""
    done = subprocess.run(
        [sys.executable, "-m", "microtome", *map(str, arguments), "--json"],
        capture_output=True,
        text=True,
        encoding="utf-8",
        timeout=170,
        env={**os.environ, "MICROTOME_HOME": str(home)},
        stdin=subprocess.DEVNULL,
    )
    assert done.returncode == 0, f"{done.stdout}\n{done.stderr}"
    found: dict[str, Any] = json.loads(done.stdout.strip().splitlines()[-1])
    return found


def textured(kind: int, seed: int, height: int, width: int) -> NDArray[np.uint8]:
    """Smoothed noise above a data bar of letters that say which kind it is."""
    rng = np.random.default_rng((kind, seed))
    far = np.hypot(np.fft.fftfreq(height)[:, None], np.fft.rfftfreq(width)[None])
    waves = np.fft.rfft2(rng.normal(size=(height, width))) * np.exp(-((far * (3 + 6 * kind)) ** 2))
    field = np.fft.irfft2(waves, s=(height, width))
    image = 128 + 40 * field / field.std()
    bar = np.zeros((20, width))
    bar[5:14, 6 : width // 2 : 3 + kind] = 255
    return np.vstack([image, bar]).clip(0, 255).astype(np.uint8)


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Eight images of one kind and five of the other, of two sizes, of specimens; one has its mask beside it."""
    folder = tmp_path_factory.mktemp("lab 顕微鏡")
    for kind, (name, number) in enumerate((("fine", 8), ("coarse", 5))):
        (folder / name).mkdir()
        for k in range(number):
            image = textured(kind, k, 120 if k % 2 else 96, 144)
            (folder / name / f"specimen{k}.png").write_bytes(imagecodecs.png_encode(image))
    mask = textured(0, 0, 96, 144) // 128 * 255
    (folder / "fine" / "specimen0_mask.png").write_bytes(imagecodecs.png_encode(mask))
    return folder


def told(model: Path, folder: Path, home: Path) -> list[str]:
    """What a network says of new images of both kinds."""
    files = []
    for kind in (0, 1):
        files.append(folder / f"new{kind}.png")
        files[-1].write_bytes(imagecodecs.png_encode(textured(kind, 99, 110, 130)))
    return [p["class"] for p in microtome("predict", model, *files, home=home)["predictions"]]


def test_folders_of_micrographs(place: Path, tmp_path: Path) -> None:
    recipe = place / "folders.toml"
    recipe.write_text(CLASSES + RECIPE.format(more='group = "specimen(\\\\d+)"'), encoding="utf-8")
    done = microtome("run", recipe, "--project", tmp_path / "project", home=tmp_path)
    assert done["accuracy"] > 0.9
    # 4 or 5 rows of 6 tiles: whole images, hence whole rows of tiles, in the evaluation set.
    assert all(c["total"] % 6 == 0 and c["total"] >= 24 for c in done["per_class"].values())
    (kept,) = (tmp_path / "project" / "imagesets").iterdir()
    warnings = json.loads((kept / "plan.json").read_text(encoding="utf-8"))["warnings"]
    assert any("1 masks beside the images of “fine” were left out" in w for w in warnings)
    assert any("A data bar was found in 8 of the 8 images of “fine” and left out (20 px)" in w for w in warnings)
    assert any("unlike numbers of training images" in w for w in warnings)
    assert told(Path(done["run"]), tmp_path, tmp_path) == ["fine", "coarse"]


@pytest.mark.slow
def test_a_table_of_labels(place: Path, tmp_path: Path) -> None:
    rows = [f"{f.name};{f.parent.name};{f.stem}" for n in ("fine", "coarse") for f in sorted((place / n).glob("*[0-9].png"))]
    unlike = [row.replace("specimen", f"{row.split(';')[1]}/specimen", 1) for row in rows]
    (place / "labels.csv").write_text("Image;Class;Specimen\n" + "\n".join(unlike) + "\n", encoding="utf-8")
    recipe = place / "table.toml"
    recipe.write_text(RECIPE.format(more='labels = "labels.csv"').replace('"tile"', '"resize"'), encoding="utf-8")
    done = microtome("run", recipe, "--project", tmp_path / "project", home=tmp_path)
    assert set(done["per_class"]) == {"fine", "coarse"}
    assert sum(c["total"] for c in done["per_class"].values()) in (2, 3)
    again = microtome("resume", done["run"], home=tmp_path)
    assert again["accuracy"] == done["accuracy"]
    model = Path(done["run"])
    assert len(told(model, tmp_path, tmp_path)) == 2
