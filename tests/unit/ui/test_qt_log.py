"""Qt's remarks stand in the log, not on the terminal."""

from __future__ import annotations

import logging

import pytest
from PySide6.QtCore import qInstallMessageHandler, qWarning

from microtome.ui.qt_log import log_qt


def test_a_remark_of_qt_goes_into_the_log(caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]) -> None:
    before = qInstallMessageHandler(None)
    try:
        log_qt()
        with caplog.at_level(logging.WARNING, logger="microtome.qt"):
            qWarning("This plugin does not support that")
    finally:
        qInstallMessageHandler(before)
    assert [(r.levelname, r.message) for r in caplog.records] == [("WARNING", "This plugin does not support that")]
    assert capfd.readouterr().err == ""
