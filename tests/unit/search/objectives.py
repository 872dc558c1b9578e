"""Objectives that the tests run in workers."""

from __future__ import annotations

import os
from typing import Any


def peak(parameters: dict[str, Any], report: Any) -> float:
    """Highest at x = 0.3; learns over nine epochs."""
    value = 0.0
    for epoch in range(report.start, 9):
        value = 1 - (parameters["x"] - 0.3) ** 2 * (10 - epoch)
        if report(epoch, value):
            break
    return value


def where(parameters: dict[str, Any], report: Any) -> float:
    """The process that it runs in."""
    return float(os.getpid())


def broken(parameters: dict[str, Any], report: Any) -> float:
    """Raises beyond 0.5, dies beyond 0.9."""
    if parameters["x"] > 0.9:
        os.abort()
    if parameters["x"] > 0.5:
        raise ZeroDivisionError("no")
    return float(parameters["x"])
