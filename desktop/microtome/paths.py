"""Where things lie: shipped resources and plugins, the user's settings, plugins, logs and caches."""

from __future__ import annotations

import os
from pathlib import Path

import platformdirs

PACKAGE = Path(__file__).resolve().parent
_APP = "microtome"


def _shipped(name: str) -> Path:
    # Installed wheels carry plugins/ and resources/ inside the package; a checkout has them two levels up.
    inside = PACKAGE / name
    return inside if inside.is_dir() else PACKAGE.parent.parent / name


def builtin_plugins() -> Path:
    """The folder of the shipped plugins."""
    return _shipped("plugins")


def resources() -> Path:
    """The folder of the shipped resources."""
    return _shipped("resources")


def _home(kind: str, fallback: str) -> Path:
    # MICROTOME_HOME puts everything personal under one folder: portable installs and isolated tests.
    root = os.environ.get("MICROTOME_HOME")
    return Path(root) / kind if root else Path(fallback)


def config_dir() -> Path:
    """Settings and recent projects."""
    return _home("config", platformdirs.user_config_dir(_APP, appauthor=False))


def data_dir() -> Path:
    """The user's plugins and crash reports."""
    return _home("data", platformdirs.user_data_dir(_APP, appauthor=False))


def cache_dir() -> Path:
    """What may be deleted at any time."""
    return _home("cache", platformdirs.user_cache_dir(_APP, appauthor=False))


def log_dir() -> Path:
    """Log files of the window and of commands."""
    return _home("log", platformdirs.user_log_dir(_APP, appauthor=False))


def user_plugins() -> Path:
    """The user's plugin folder (it need not exist)."""
    return data_dir() / "plugins"


def default_projects_dir() -> Path:
    """Where new projects are proposed."""
    root = os.environ.get("MICROTOME_HOME")
    return Path(root) / "projects" if root else Path(platformdirs.user_documents_dir()) / "Microtome"
