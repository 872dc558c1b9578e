"""What Qt itself remarks goes into the log: on a terminal it would stand between the lines of a command."""

from __future__ import annotations

import logging
import sys

from PySide6.QtCore import QMessageLogContext, QtMsgType, qInstallMessageHandler

_LEVELS = {
    QtMsgType.QtDebugMsg: logging.DEBUG,
    QtMsgType.QtInfoMsg: logging.INFO,
    QtMsgType.QtWarningMsg: logging.WARNING,
    QtMsgType.QtCriticalMsg: logging.ERROR,
    QtMsgType.QtFatalMsg: logging.CRITICAL,
}
_log = logging.getLogger("microtome.qt")


def log_qt() -> None:
    """Write Qt's messages to the log from now on; what ends the program is said on the terminal as well."""
    qInstallMessageHandler(_note)


def _note(kind: QtMsgType, context: QMessageLogContext, message: str) -> None:
    _log.log(_LEVELS[kind], message)
    if kind == QtMsgType.QtFatalMsg:
        sys.stderr.write(f"microtome: {message}\n")
