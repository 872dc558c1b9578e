"""Start the window: application, look, language, crash watch; paths open as if they had been dropped."""

from __future__ import annotations

import os
import sys
from pathlib import Path

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QApplication

from microtome import log, settings
from microtome.session import Session
from microtome.ui import i18n, theme
from microtome.ui.crash import CrashWatch
from microtome.ui.desk import Desk
from microtome.ui.icons import app_icon
from microtome.ui.layout import restore_geometry
from microtome.ui.qt_log import log_qt
from microtome.ui.window import MainWindow


def build_app() -> QApplication:
    """The application, dressed; the one that exists already is taken where there is one."""
    existing = QApplication.instance()
    if isinstance(existing, QApplication):
        app = existing
    else:
        # Without a display the window is drawn in memory: the demo and tests run anywhere.
        if sys.platform.startswith("linux") and not (os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY")):
            os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")
        app = QApplication(sys.argv[:1])
    app.setApplicationName("Microtome")
    app.setDesktopFileName("microtome")
    kept = settings.load()
    i18n.set_language(str(kept.get("language", "en")))
    theme.apply(app, str(kept.get("theme", "system")))
    app.setWindowIcon(app_icon())
    return app


def build_window(session: Session) -> MainWindow:
    """The window of a session (an application must exist, see `build_app`); the caller shows it."""
    window = MainWindow(Desk(session))
    restore_geometry(window)
    QApplication.styleHints().colorSchemeChanged.connect(window.system_theme_changed, Qt.ConnectionType.QueuedConnection)
    return window


def run_window(paths: list[str]) -> int:
    """Open the window and run it until it is closed; returns the exit code."""
    log.start("window")
    app = build_app()
    log_qt()  # from here on: what keeps it from starting is said on the terminal
    window = build_window(Session())
    watch = CrashWatch(window.desk)
    watch.start()
    window.show()
    if paths:
        window.drops.take([Path(p).expanduser().absolute() for p in paths])
    code = app.exec()
    watch.stop()
    return code
