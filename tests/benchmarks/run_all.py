"""Run every benchmark, each in a process of its own: `make bench`, or `python -m tests.benchmarks.run_all cut window`."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path

FOLDER = Path(__file__).resolve().parent


def scripts(wanted: list[str]) -> list[Path]:
    """The benchmarks `bench_<name>.py` of the names that are wanted, or all; SystemExit for a name that is none."""
    found = {file.stem.removeprefix("bench_"): file for file in sorted(FOLDER.glob("bench_*.py"))}
    unknown = [name for name in wanted if name not in found]
    if unknown:
        raise SystemExit(f"There is no benchmark {', '.join(unknown)}. Known: {', '.join(found)}.")
    return [found[name] for name in wanted or found]


def main(wanted: list[str]) -> int:
    """Run them one after the other; the exit code says whether one of them failed to run."""
    failed = []
    for script in scripts(wanted):
        print(f"\n== {script.stem}", flush=True)
        began = time.monotonic()
        if subprocess.run([sys.executable, str(script)], check=False).returncode != 0:
            failed.append(script.stem)
        print(f"   ({time.monotonic() - began:.0f} s)", flush=True)
    if failed:
        print(f"\nFailed to run: {', '.join(failed)}")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
