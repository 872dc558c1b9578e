"""The names of the commands, for the program's door and for the command line."""

from __future__ import annotations

COMMANDS = (
    "demo",
    "info",
    "import",
    "simulate",
    "slices",
    "run",
    "resume",
    "predict",
    "export",
    "report",
    "cluster",
    "plugins",
)
