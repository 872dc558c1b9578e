"""Set up everything a checkout needs: system libraries for Qt, the environment `.venv`, and a check that it starts.

Run by every target of the Makefile with any Python from 3.11 on; it uses the standard library alone. A stamp inside `.venv`
makes the second run a matter of milliseconds; it depends on pyproject.toml, on this file, on the Python and on where the
checkout lies (an environment does not survive being moved).
"""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Iterable
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
VENV = ROOT / ".venv"
STAMP = VENV / ".set-up-for"
STEPS = 4

#: What PySide6's wheels do not carry: shared library → Debian and Ubuntu package.
PACKAGES = {
    "libEGL.so.1": "libegl1",
    "libGL.so.1": "libgl1",
    "libGLX.so.0": "libgl1",
    "libGLdispatch.so.0": "libgl1",
    "libX11.so.6": "libx11-6",
    "libX11-xcb.so.1": "libx11-xcb1",
    "libdbus-1.so.3": "libdbus-1-3",
    "libfontconfig.so.1": "libfontconfig1",
    "libfreetype.so.6": "libfreetype6",
    "libglib-2.0.so.0": "libglib2.0-0",
    "libgthread-2.0.so.0": "libglib2.0-0",
    "libxkbcommon.so.0": "libxkbcommon0",
    "libxkbcommon-x11.so.0": "libxkbcommon-x11-0",
    "libxcb.so.1": "libxcb1",
    "libxcb-cursor.so.0": "libxcb-cursor0",
    "libxcb-icccm.so.4": "libxcb-icccm4",
    "libxcb-image.so.0": "libxcb-image0",
    "libxcb-keysyms.so.1": "libxcb-keysyms1",
    "libxcb-randr.so.0": "libxcb-randr0",
    "libxcb-render.so.0": "libxcb-render0",
    "libxcb-render-util.so.0": "libxcb-render-util0",
    "libxcb-shape.so.0": "libxcb-shape0",
    "libxcb-shm.so.0": "libxcb-shm0",
    "libxcb-sync.so.1": "libxcb-sync1",
    "libxcb-util.so.1": "libxcb-util1",
    "libxcb-xfixes.so.0": "libxcb-xfixes0",
    "libxcb-xkb.so.1": "libxcb-xkb1",
}
FONT_FOLDERS = ("/usr/share/fonts", "/usr/local/share/fonts")


class SetupError(Exception):
    """Something that the person at the terminal must do; printed as it is."""


def say(step: int, words: str) -> None:
    """Announce a phase."""
    print(f"[{step}/{STEPS}] {words}", flush=True)


def run(command: list[str], *, quiet: bool = False, env: dict[str, str] | None = None) -> subprocess.CompletedProcess[str]:
    """Run a command; with `quiet` its output is kept instead of shown."""
    return subprocess.run(command, capture_output=quiet, text=True, env={**os.environ, **(env or {})}, check=False)


def interpreter() -> Path:
    """The environment's Python."""
    return VENV / ("Scripts/python.exe" if os.name == "nt" else "bin/python")


def fingerprint() -> str:
    """What the environment was made for."""
    parts = [(ROOT / "pyproject.toml").read_bytes(), Path(__file__).read_bytes(), str(ROOT).encode(), sys.version.encode()]
    return hashlib.sha256(b"\0".join(parts)).hexdigest()


def ready() -> bool:
    """True where nothing is to be done."""
    return interpreter().exists() and STAMP.is_file() and STAMP.read_text() == fingerprint()


def is_root() -> bool:
    """True where packages of the system may be installed."""
    return hasattr(os, "geteuid") and os.geteuid() == 0


def make_environment() -> None:
    """Make `.venv`, or keep the one that works."""
    STAMP.unlink(missing_ok=True)
    if interpreter().exists() and run([str(interpreter()), "-c", "import pip"], quiet=True).returncode == 0:
        return
    result = run([sys.executable, "-m", "venv", "--clear", str(VENV)], quiet=True)
    if result.returncode == 0:
        return
    package = f"python{sys.version_info[0]}.{sys.version_info[1]}-venv"
    if "ensurepip" not in result.stdout + result.stderr:
        raise SetupError(f"Could not make {VENV}:\n{result.stdout}{result.stderr}")
    install([package], "Python's venv module is incomplete.")
    if run([sys.executable, "-m", "venv", "--clear", str(VENV)]).returncode != 0:
        raise SetupError(f"Could not make {VENV}.")


def install_packages() -> None:
    """Install what pyproject.toml lists, and the checkout itself in place."""
    pip = [str(interpreter()), "-m", "pip", "--disable-pip-version-check", "--no-input"]
    if run([*pip, "install", "--editable", f"{ROOT}[dev]"]).returncode != 0:
        raise SetupError(
            "pip could not install the packages (its message is above).\n"
            "Behind a proxy or with a package index of your own, set HTTPS_PROXY or PIP_INDEX_URL, then type the command again."
        )


def missing_libraries(files: Iterable[Path]) -> set[str]:
    """The shared libraries that `files` need and this system does not have."""
    present = [str(f) for f in files if f.exists()]
    if shutil.which("ldd") is None or not present:
        return set()
    found = re.findall(r"^\s+(\S+) => not found", run(["ldd", *present], quiet=True).stdout, re.MULTILINE)
    return {name for name in found if not name.startswith("libQt6")}


def qt_files() -> tuple[list[Path], list[Path]]:
    """The files of PySide6 that a window needs without a display, and those that it needs with one."""
    where = run([str(interpreter()), "-c", "import PySide6; print(PySide6.__path__[0])"], quiet=True)
    root = Path(where.stdout.strip())
    names = ("QtCore", "QtGui", "QtWidgets", "QtSvg", "QtPrintSupport", "QtOpenGLWidgets")
    always = [root / f"{name}.abi3.so" for name in names]
    plugins = root / "Qt" / "plugins"
    return [*always, plugins / "platforms" / "libqoffscreen.so"], [plugins / "platforms" / "libqxcb.so"]


def has_font(*patterns: str) -> bool:
    """True where a font file's name holds one of `patterns`."""
    files = (f for folder in FONT_FOLDERS for f in Path(folder).rglob("*") if f.suffix in (".ttf", ".ttc", ".otf"))
    return any(p in f.name.lower() for f in files for p in patterns)


def install(packages: list[str], why: str) -> None:
    """Install Debian packages as root; otherwise raise SetupError with the line to type."""
    line = f"apt-get install -y --no-install-recommends {' '.join(packages)}"
    if shutil.which("apt-get") is None:
        raise SetupError(f"{why}\nInstall with your system's package manager what provides: {' '.join(packages)}")
    if not is_root():
        raise SetupError(f"{why}\nType this, then the command again:\n\n    sudo {line}\n")
    print(f"      {why} Installing {' '.join(packages)}", flush=True)
    quiet = {"DEBIAN_FRONTEND": "noninteractive"}
    run(["apt-get", "update", "-qq"], env=quiet)
    if run(["apt-get", "-qq", "-o", "Dpkg::Use-Pty=0", *line.split()[1:]], env=quiet).returncode != 0:
        raise SetupError(f"apt-get failed (its message is above). Type this yourself, then the command again:\n\n    {line}\n")


def names_for(libraries: set[str]) -> list[str]:
    """The packages that hold `libraries`, by the rules of this system's package manager."""
    if shutil.which("apt-get") is None:
        return [f"'{name}()(64bit)'" for name in sorted(libraries)]  # dnf and zypper install by what a package provides
    # A library that is not listed comes along with one that is, or is named by the check at the end.
    return sorted({PACKAGES[name] for name in libraries if name in PACKAGES})


def install_system_libraries() -> None:
    """See to the libraries and fonts of the system that Qt needs."""
    if not sys.platform.startswith("linux"):
        return
    always, with_display = qt_files()
    needed, wanted = missing_libraries(always), missing_libraries(with_display)
    display = bool(os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY"))
    packages = names_for(needed | wanted if is_root() or display else needed)
    if shutil.which("apt-get") is not None:
        packages += [] if has_font("") else ["fonts-dejavu-core"]
        packages += [] if not is_root() or has_font("cjk", "gothic", "takao", "ipa") else ["fonts-noto-cjk"]
    if packages:
        install(packages, "Qt needs libraries or fonts that this system lacks.")
    if still := missing_libraries(always):
        raise SetupError(f"Qt cannot start without {', '.join(sorted(still))}. Install what provides them, then try again.")


def check() -> None:
    """Start what a user starts, so that a broken installation shows here and not in the middle of the work."""
    code = "import microtome, torch; from PySide6.QtWidgets import QApplication; QApplication([]); print(microtome.__version__)"
    result = run([str(interpreter()), "-c", code], quiet=True, env={"QT_QPA_PLATFORM": "offscreen"})
    if result.returncode != 0:
        raise SetupError(f"The installation does not start:\n{result.stdout}{result.stderr}")


def set_up() -> None:
    """Do everything that is not done yet."""
    if ready():
        return
    began = time.monotonic()
    say(1, f"Python environment in {VENV}")
    make_environment()
    say(2, "Packages (the first time this downloads torch and Qt: several minutes)")
    install_packages()
    say(3, "System libraries for the window")
    install_system_libraries()
    say(4, "Check that it starts")
    check()
    STAMP.write_text(fingerprint())
    print(f"Set up in {time.monotonic() - began:.0f} s.", flush=True)


def main() -> int:
    """Set up; 0 done, 2 where the person must do something first."""
    if sys.version_info < (3, 11):  # noqa: UP036 - any Python may be asked to run this file
        print(f"Microtome needs Python 3.11 or newer; this is {sys.version.split()[0]}.", file=sys.stderr)
        return 2
    try:
        set_up()
    except SetupError as error:
        print(f"\nSet-up stopped. {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("\nSet-up interrupted; type the command again to go on.", file=sys.stderr)
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main())
