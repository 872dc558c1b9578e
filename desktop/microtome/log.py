"""Logging: one rotating file for the window and the commands, nothing on the terminal but what a command says."""

from __future__ import annotations

import logging
import logging.handlers

from microtome.paths import log_dir


def start(name: str) -> None:
    """Log to `<name>.log` in the log folder; where that cannot be written, nowhere."""
    try:
        log_dir().mkdir(parents=True, exist_ok=True)
        handler: logging.Handler = logging.handlers.RotatingFileHandler(
            log_dir() / f"{name}.log", maxBytes=1_000_000, backupCount=3, encoding="utf-8", delay=True
        )
    except OSError:
        handler = logging.NullHandler()
    handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(name)s: %(message)s"))
    logging.getLogger().addHandler(handler)
    logging.getLogger("microtome").setLevel(logging.INFO)
