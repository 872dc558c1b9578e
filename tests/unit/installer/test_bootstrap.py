"""The set-up: what it finds missing, what it tells a person who may not install it, and when it has nothing to do."""

from __future__ import annotations

import importlib.util
import shutil
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest

ROOT = Path(__file__).resolve().parents[3]


@pytest.fixture
def bootstrap(tmp_path: Path) -> ModuleType:
    """The script of a small checkout in a folder with a space in its name."""
    checkout = tmp_path / "a checkout"
    (checkout / "installer").mkdir(parents=True)
    shutil.copy(ROOT / "installer" / "bootstrap.py", checkout / "installer")
    (checkout / "pyproject.toml").write_text('[project]\nname = "example"\n')
    spec = importlib.util.spec_from_file_location("bootstrap_of_test", checkout / "installer" / "bootstrap.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_an_environment_is_made_once_and_again_when_the_project_changes(bootstrap: ModuleType) -> None:
    assert not bootstrap.ready()
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(bootstrap.VENV)], check=True)
    bootstrap.STAMP.write_text(bootstrap.fingerprint())
    assert bootstrap.ready()
    (bootstrap.ROOT / "pyproject.toml").write_text('[project]\nname = "example"\ndependencies = ["numpy"]\n')
    assert not bootstrap.ready()


def test_a_moved_checkout_is_set_up_again(bootstrap: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    before = bootstrap.fingerprint()
    monkeypatch.setattr(bootstrap, "ROOT", bootstrap.ROOT.rename(bootstrap.ROOT.with_name("elsewhere")))
    monkeypatch.setattr(bootstrap, "__file__", str(bootstrap.ROOT / "installer" / "bootstrap.py"))
    assert bootstrap.fingerprint() != before


def test_without_rights_the_exact_line_is_printed(bootstrap: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bootstrap, "is_root", lambda: False)
    monkeypatch.setattr(shutil, "which", lambda name: f"/usr/bin/{name}" if name == "apt-get" else None)
    with pytest.raises(bootstrap.SetupError, match="sudo apt-get install -y --no-install-recommends libegl1 libgl1\n"):
        bootstrap.install(["libegl1", "libgl1"], "Qt lacks something.")


def test_libraries_become_packages_without_repetition(bootstrap: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "which", lambda name: f"/usr/bin/{name}")
    assert bootstrap.names_for({"libGL.so.1", "libGLX.so.0", "libEGL.so.1", "libunheard.so.3"}) == ["libegl1", "libgl1"]
    monkeypatch.setattr(shutil, "which", lambda name: None)
    assert bootstrap.names_for({"libEGL.so.1"}) == ["'libEGL.so.1()(64bit)'"]


@pytest.mark.skipif(shutil.which("gcc") is None or not sys.platform.startswith("linux"), reason="needs a compiler on Linux")
def test_a_missing_library_is_found_by_its_name(bootstrap: ModuleType, tmp_path: Path) -> None:
    (tmp_path / "part.c").write_text("int part(void) { return 1; }")
    (tmp_path / "whole.c").write_text("int part(void); int whole(void) { return part(); }")
    library, whole = tmp_path / "libpart.so", tmp_path / "whole.so"
    subprocess.run(["gcc", "-shared", "-fPIC", "-o", str(library), str(tmp_path / "part.c")], check=True)
    subprocess.run(["gcc", "-shared", "-fPIC", "-o", str(whole), str(tmp_path / "whole.c"), str(library)], check=True)
    library.unlink()
    assert {Path(name).name for name in bootstrap.missing_libraries([whole, tmp_path / "absent.so"])} == {"libpart.so"}


def test_an_old_python_is_told_so() -> None:
    """The script is parsed by any Python 3; a version that is too old leaves with a sentence."""
    code = (
        "import sys, runpy; sys.version_info = (3, 9, 1); sys.argv = ['bootstrap.py']\n"
        f"runpy.run_path({str(ROOT / 'installer' / 'bootstrap.py')!r}, run_name='__main__')"
    )
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert (result.returncode, result.stdout) == (2, "")
    assert "needs Python 3.11 or newer" in result.stderr
