"""Build Microtome for people without Python: a folder with the program in it, tried before it is called built.

python -m pip install . pyinstaller     # into an environment of its own: everything in it may end up in the build
python installer/build.py --out build
"""

from __future__ import annotations

import argparse
import importlib.util
import shutil
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent


def build(out: Path) -> Path:
    """Run PyInstaller; returns the folder of the build."""
    if importlib.util.find_spec("PyInstaller") is None:
        raise SystemExit(f"PyInstaller is missing. Type: {sys.executable} -m pip install pyinstaller")
    folder = out / "microtome"
    shutil.rmtree(folder, ignore_errors=True)
    command = [sys.executable, "-m", "PyInstaller", "--noconfirm", "--distpath", str(out), "--workpath", str(out / "work")]
    subprocess.run([*command, str(HERE / "microtome.spec")], check=True)
    return folder


def size(folder: Path) -> float:
    """Of all files, in gigabytes."""
    return sum(f.stat().st_size for f in folder.rglob("*") if f.is_file() and not f.is_symlink()) / 1e9


def main() -> int:
    """Build and try; the exit code is that of the trial."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, default=Path("build"), metavar="DIR")
    folder = build(parser.parse_args().out.resolve())
    print(f"{folder}: {size(folder):.2f} GB", flush=True)
    return subprocess.run([sys.executable, str(HERE / "smoke_test.py"), str(folder)], check=False).returncode


if __name__ == "__main__":
    sys.exit(main())
