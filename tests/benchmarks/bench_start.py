"""Start to usable window: from the process's start until the window is painted and takes input; what is imported by then."""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import tempfile
import time

#: Libraries that would show in the start.
WATCHED = (
    *(
        "PySide6.QtWidgets",
        "pyqtgraph",
        "numpy",
        "scipy",
        "msgspec",
        "psutil",
        "numba",
        "torch",
        "nevergrad",
        "optuna",
        "sklearn",
    ),
    *("tifffile", "imagecodecs", "safetensors", "OpenGL"),
)
_CHILD = """
import json, sys, time
from PySide6.QtCore import QTimer
from microtome.session import Session
from microtome.ui.app import build_app, build_window
app = build_app()
window = build_window(Session())
window.show()
if len(sys.argv) > 2:
    from pathlib import Path
    window.drops.take([Path(sys.argv[2])])
def usable():
    # The second idle moment after show(): painted, and everything that was put off by one turn is done.
    print(json.dumps({"seconds": time.time() - float(sys.argv[1]), "modules": sorted(sys.modules)}), flush=True)
    app.quit()
QTimer.singleShot(0, lambda: QTimer.singleShot(0, usable))
app.exec()
"""


def once(home: str, *paths: str) -> tuple[float, list[str]]:
    """Seconds from starting the process to a usable window, and the modules that are imported then."""
    environment = {**os.environ, "MICROTOME_HOME": home}
    command = [sys.executable, "-c", _CHILD, repr(time.time()), *paths]
    result = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    data = json.loads(result.stdout.splitlines()[-1])
    return data["seconds"], data["modules"]


def main(repeats: int = 7) -> None:
    """Measure the start page, and a start that opens a project."""
    with tempfile.TemporaryDirectory() as home:
        code = (
            "import sys; from pathlib import Path; from microtome.session import Session; s = Session()\n"
            "s.new_project(Path(sys.argv[1]))\n"
            "for n, kind in enumerate(('m-sbr', 'n-sbr', 'rnd')): s.add_simulated(kind, seed=n, class_name=kind)"
        )
        project = f"{home}/project"
        subprocess.run([sys.executable, "-c", code, project], env={**os.environ, "MICROTOME_HOME": home}, check=True)
        for words, paths in (("start page", ()), ("with a project", (project,))):
            once(home, *paths)  # warm the disk cache
            runs = [once(home, *paths) for _ in range(repeats)]
            times = sorted(seconds for seconds, _ in runs)
            print(
                f"{words:<16} median {statistics.median(times):.2f} s, {times[0]:.2f} … {times[-1]:.2f} s over {repeats} starts"
            )
    modules = runs[-1][1]
    loaded = [name for name in WATCHED if name in modules]
    print(f"imported by then: {len(modules)} modules, of them {', '.join(loaded)}")
    print(f"not imported: {', '.join(name for name in WATCHED if name not in loaded)}")


if __name__ == "__main__":
    main(*(int(a) for a in sys.argv[1:]))
