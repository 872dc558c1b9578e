"""When a bug surfaces: a crash file, a message with copyable details, and the offer to look at it at the next start."""

from __future__ import annotations

import faulthandler
import logging
import sys
import time
import traceback
from pathlib import Path
from types import TracebackType
from typing import IO

from microtome import __version__
from microtome.paths import data_dir
from microtome.ui.desk import Desk
from microtome.ui.i18n import tr

_log = logging.getLogger(__name__)


def crash_dir() -> Path:
    """Where crash files lie."""
    return data_dir() / "crashes"


def write_crash(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> str:
    """Write a crash file (where the disk lets us) and return its text."""
    text = f"Microtome {__version__} · Python {sys.version.split()[0]} · {sys.platform}\n"
    text += "".join(traceback.format_exception(kind, error, trace))
    try:
        crash_dir().mkdir(parents=True, exist_ok=True)
        (crash_dir() / time.strftime("crash-%Y%m%d-%H%M%S.txt")).write_text(text, encoding="utf-8")
    except OSError:
        _log.exception("the crash file could not be written")
    return text


class CrashWatch:
    """Takes exceptions that nobody caught, and the interpreter's own faults, until `stop`."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk
        self._before = sys.excepthook
        self._fault: IO[str] | None = None

    def start(self) -> None:
        """Begin to watch; offers what was found of an earlier crash."""
        self._offer_last()
        try:
            crash_dir().mkdir(parents=True, exist_ok=True)
            self._fault = open(crash_dir() / "fault.txt", "w", encoding="utf-8")  # noqa: SIM115 - closed by stop()
            faulthandler.enable(self._fault)
        except OSError:
            _log.exception("faults of the interpreter will not be recorded")
        sys.excepthook = self.take

    def stop(self) -> None:
        """End watching; an empty fault file is removed."""
        sys.excepthook = self._before
        if self._fault is not None:
            faulthandler.disable()
            self._fault.close()
            path = Path(self._fault.name)
            if path.stat().st_size == 0:
                path.unlink()
            self._fault = None

    def take(self, kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
        """Record one exception and say so; the window goes on."""
        if issubclass(kind, KeyboardInterrupt):
            self._before(kind, error, trace)
            return
        text = write_crash(kind, error, trace)
        _log.error("%s", text)
        self._before(kind, error, trace)
        self._desk.say(
            tr("Something went wrong inside Microtome: {error}", error=f"{kind.__name__}: {error}"),
            hint=tr("Your project is safe: everything is on disk. Please send us the details."),
            level="error",
            details=text,
        )

    def _offer_last(self) -> None:
        fault = crash_dir() / "fault.txt"
        found = fault.read_text(encoding="utf-8", errors="replace").strip() if fault.is_file() else ""
        if found:
            fault.rename(fault.with_name(time.strftime("fault-%Y%m%d-%H%M%S.txt")))
            self._desk.say(
                tr("Microtome ended unexpectedly the last time."),
                hint=tr("Nothing that was finished is lost. The details can be copied and sent to us."),
                level="warning",
                details=found,
            )
