"""The program's one door: a window, or a command."""

from __future__ import annotations

import multiprocessing
import sys
from pathlib import Path

from microtome.commands import COMMANDS


def main(arguments: list[str] | None = None) -> int:
    """Run the command that is named, or open the window on the paths that are given; returns the exit code."""
    multiprocessing.freeze_support()
    arguments = sys.argv[1:] if arguments is None else arguments
    if arguments and (arguments[0] in COMMANDS or arguments[0].startswith("-") or not Path(arguments[0]).exists()):
        # A word that is no path is most likely a mistyped command: the command line says so in one sentence.
        from microtome.cli import run_command

        return run_command(arguments)
    # Imported here: a command or a worker never needs Qt, the window never needs a command.
    from microtome.ui.app import run_window

    return run_window(arguments)


if __name__ == "__main__":
    sys.exit(main())
