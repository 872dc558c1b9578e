"""Try a frozen build as a user would: its version, its plugins, its window, and a small search in worker processes.

It runs with the build's own files alone: no Python of this machine, a home of its own, a folder with a space in its name.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

EXE = ".exe" if os.name == "nt" else ""
WINDOW_SECONDS = 15
RECIPE = """
[[class]]
name = "fine"
simulate = { kind = "m-sbr", seed = 1, edge = 160 }
[[class]]
name = "random"
simulate = { kind = "rnd", seed = 2, edge = 160 }
[slices]
field_of_view = 60.0
unit = "nm"
pixels = 24
train = 12
validation = 6
evaluation = 6
[network]
convolutions = 2
width = 4
dense_width = 16
[training]
epochs = 2
[search]
algorithm = "two-points-de"
budget = 3
workers = 2
[search.space]
"training.learning_rate" = { low = 1e-3, high = 1e-2, log = true }
"""


class Trial:
    """One build, one place to work in."""

    def __init__(self, build: Path, place: Path) -> None:
        self.build, self.place = build, place
        kept = {k: v for k, v in os.environ.items() if not k.startswith(("PYTHON", "VIRTUAL_ENV", "QT_"))}
        self.environment = {**kept, "MICROTOME_HOME": str(place / "home"), "QT_QPA_PLATFORM": "offscreen"}

    def command(self, *arguments: str) -> str:
        """Run the program; its output, or AssertionError with what it said."""
        line = [str(self.build / f"microtome{EXE}"), *arguments]
        result = subprocess.run(line, cwd=self.place, env=self.environment, capture_output=True, text=True, check=False)
        assert result.returncode == 0, f"{' '.join(arguments)} ended with {result.returncode}:\n{result.stdout}{result.stderr}"
        return result.stdout

    def version(self) -> str:
        """It says its version."""
        return self.command("--version").strip()

    def plugins(self) -> str:
        """Every shipped plugin is found and none is broken."""
        found = json.loads(self.command("plugins", "--json").splitlines()[-1])
        assert found["broken"] == [], found["broken"][0]["error"]
        kinds = {plugin["kind"] for plugin in found["plugins"]}
        assert {"reader", "generator", "network", "augmentation", "search"} <= kinds, f"only {kinds}"
        return f"{len(found['plugins'])} plugins"

    def window(self) -> str:
        """It opens, stays, and has written no crash file."""
        process = subprocess.Popen([str(self.build / f"microtome-window{EXE}")], cwd=self.place, env=self.environment)
        try:
            code = process.wait(WINDOW_SECONDS)
        except subprocess.TimeoutExpired:
            process.terminate()
            process.wait(30)
        else:
            raise AssertionError(f"the window closed by itself with {code}")
        crashes = [f for f in (self.place / "home").rglob("crash*/*") if f.is_file() and f.stat().st_size]
        assert not crashes, crashes[0].read_text(encoding="utf-8")
        return f"stayed open for {WINDOW_SECONDS} s"

    def search(self) -> str:
        """A driver, two workers, simulated structures, cutting, training, an engine, an evaluation."""
        (self.place / "recipe.toml").write_text(RECIPE, encoding="utf-8")
        lines = self.command("run", "recipe.toml", "--project", "a project", "--json").splitlines()
        end = json.loads(lines[-1])
        assert end["event"] == "finished", lines[-1]
        assert end["trials"] == 3, lines[-1]
        return f"{end['trials']} trials, accuracy {end['accuracy']:.2f}"

    def report(self) -> str:
        """The project that the search left can be reported."""
        self.command("report", "a project", "--out", "report.html")
        return f"{(self.place / 'report.html').stat().st_size} bytes"


def main(build: Path) -> int:
    """Try everything; 0 where all worked."""
    with tempfile.TemporaryDirectory(prefix="microtome smoke ") as place:
        trial = Trial(build, Path(place))
        steps: list[Callable[[], str]] = [trial.version, trial.plugins, trial.window, trial.search, trial.report]
        for step in steps:
            began = time.monotonic()
            try:
                words = step()
            except AssertionError as error:
                print(f"FAILED {step.__name__}: {error}", flush=True)
                return 1
            print(f"ok     {step.__name__}: {words} ({time.monotonic() - began:.1f} s)", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]).resolve()))
