"""What is installed is what was tested: the wheel carries plugins and resources, and runs outside the checkout."""

from __future__ import annotations

import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest


@pytest.fixture(scope="module")
def wheel(root: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("wheel")
    command = [sys.executable, "-m", "pip", "wheel", str(root), "--no-deps", "--no-build-isolation", "-q", "-w", str(folder)]
    result = subprocess.run(command, capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stdout + result.stderr
    return next(folder.glob("microtome-*.whl"))


def test_the_wheel_holds_modules_plugins_and_resources(wheel: Path, root: Path) -> None:
    held = set(zipfile.ZipFile(wheel).namelist())
    modules = {f.relative_to(root / "desktop").as_posix() for f in (root / "desktop" / "microtome").rglob("*.py")}
    assert modules - held == set()
    for folder in ("plugins", "resources"):
        files = [f for f in (root / folder).rglob("*") if f.is_file() and "__pycache__" not in f.parts]
        expected = {f"microtome/{f.relative_to(root).as_posix()}" for f in files}
        assert expected - held == set()
    assert not any(name.endswith(".pyc") or "tests/" in name for name in held)


def test_an_installed_wheel_finds_its_own_plugins(wheel: Path, tmp_path: Path) -> None:
    site = tmp_path / "site"
    zipfile.ZipFile(wheel).extractall(site)
    environment = {**os.environ, "PYTHONPATH": str(site), "MICROTOME_HOME": str(tmp_path / "home")}
    command = [sys.executable, "-m", "microtome", "plugins", "--json"]
    result = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stderr
    assert str(site) in result.stdout, "plugins came from somewhere else"
