"""What `microtome info` prints for people: every number with its unit, every setting as it is typed."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from microtome.cli import run_command


def _info(capsys: pytest.CaptureFixture[str], *arguments: str | Path) -> dict[str, list[str]]:
    assert run_command(["info", *map(str, arguments)]) == 0
    lines: dict[str, list[str]] = {}
    for line in capsys.readouterr().out.splitlines():
        lines.setdefault(line[:16].strip(), []).append(line[17:])
    return lines


def test_numbers_have_units_and_settings_can_be_typed_again(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "a.raw"
    file.write_bytes(np.arange(6000, dtype="<u2").tobytes())
    said = ["--set", "shape=10,20,30", "dtype=uint16", "voxel_size=10,4,4", "unit=nm"]
    lines = _info(capsys, file, *said)
    assert lines["shape"] == ["10 × 20 × 30 voxels (z, y, x)"]
    assert lines["voxel size"] == ["10 × 4 × 4 nm (z, y, x)"]
    assert lines["physical size"] == ["100 × 80 × 120 nm (z, y, x)"]
    assert lines["memory needed"] == ["12 kB"]
    assert lines["read with"] == ["shape=10,20,30 dtype=uint16"]
    again = _info(capsys, file, "--set", *lines["read with"][0].split())
    assert again["shape"] == lines["shape"]
    assert again["voxel size"][0].startswith("missing")


def test_a_folder_says_what_it_holds_and_what_cannot_be_read(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = tmp_path / "data"
    folder.mkdir()
    for name in ("a", "b"):
        np.save(folder / f"{name}.npy", np.zeros((4, 5, 6), np.uint8))
    (folder / "c.tif").write_bytes(b"")
    lines = _info(capsys, folder)
    assert lines["holds"] == [f"{name}.npy: volume, 4 × 5 × 6 voxels (z, y, x)" for name in "ab"]
    assert "c.tif is empty" in lines["not readable"][0]


def test_particles_are_counted_in_their_box(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "p.xyz"
    file.write_text('2\nLattice="8 0 0 0 9 0 0 0 10" Properties=pos:R:3:radius:R:1 pbc="T T F"\n1 1 1 1\n5 5 5 1\n')
    lines = _info(capsys, file, "--set", "length_unit=nm")
    assert lines["particles"] == ["2 in a box of 10 × 9 × 8 nm (z, y, x), periodic along y, x"]
