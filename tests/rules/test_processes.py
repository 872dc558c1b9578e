"""What a process imports: a worker and a command no Qt, the window no library that takes seconds."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

QT = {"PySide6", "pyqtgraph", "shiboken6"}
#: Each takes between half a second and five; a window that waits for them is not usable in time.
HEAVY = {"torch", "nevergrad", "optuna", "numba", "sklearn", "scipy.optimize", "captum", "distributed", "imagecodecs"}


def _loaded_after(code: str, home: Path) -> set[str]:
    environment = {**os.environ, "QT_QPA_PLATFORM": "offscreen", "MICROTOME_HOME": str(home)}
    script = f"{code}\nimport sys, json\nprint(json.dumps(sorted(sys.modules)))"
    result = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, env=environment, check=False)
    assert result.returncode == 0, result.stderr
    return set(json.loads(result.stdout.splitlines()[-1]))


@pytest.mark.parametrize(
    "code",
    [
        "import microtome.jobs.worker",
        "import microtome.training.trial",
        "import microtome.search.driver",
        "import microtome.cli",
        "import microtome.session",
        "from microtome.registry import registry; assert registry().plugins; assert not registry().broken",
    ],
)
def test_workers_drivers_and_commands_never_load_qt(code: str, tmp_path: Path) -> None:
    assert _loaded_after(code, tmp_path) & QT == set()


def test_the_window_starts_without_heavy_libraries(tmp_path: Path) -> None:
    """Built, shown and with every plugin found, as a user meets it."""
    code = (
        "from PySide6.QtWidgets import QApplication; application = QApplication([])\n"
        "from microtome.session import Session; from microtome.ui.app import build_window\n"
        "window = build_window(Session()); window.show(); application.processEvents()\n"
        "from microtome.registry import registry; registry()"
    )
    assert _loaded_after(code, tmp_path) & HEAVY == set()


@pytest.mark.parametrize("command", [["--version"], ["--help"], ["plugins"]])
def test_light_commands_load_no_heavy_library(command: list[str], tmp_path: Path) -> None:
    code = f"from microtome.__main__ import main\ntry:\n    main({command!r})\nexcept SystemExit:\n    pass"
    assert _loaded_after(code, tmp_path) & (HEAVY | QT) == set()
