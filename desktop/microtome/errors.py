"""What can go wrong by a user's data or wishes; anything else that is raised is a bug."""

from __future__ import annotations


class MicrotomeError(Exception):
    """A mistake that the user can mend: what happened (with the item's name) and what to do.

    Shown as one sentence (window: a toast; command line: one line on stderr, exit code 2), never with a traceback.
    """

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint

    def __str__(self) -> str:
        return f"{self.message} {self.hint}".strip()


class InputError(MicrotomeError, ValueError):
    """A value, a recipe or a form that does not make sense."""


class UnknownNameError(MicrotomeError, LookupError):
    """A name (key, plugin, class, run) that does not exist; the hint names the nearest known one."""


class FileError(MicrotomeError, OSError):
    """A file or folder that is missing, unreadable, damaged, or cannot be written."""

    # OSError's own __str__ would print its errno form.
    __str__ = MicrotomeError.__str__


class NoRoomError(FileError):
    """A disk that takes nothing more: full, at its quota, or read-only. What was being written is not at fault."""


class PluginError(MicrotomeError, ImportError):
    """A plugin that could not be loaded, or that broke its contract."""

    __str__ = MicrotomeError.__str__


class NewerFormatError(MicrotomeError, ValueError):
    """A file written by a newer Microtome; it may be read, never written."""


def nearest(name: str, known: list[str] | tuple[str, ...]) -> str:
    """Return the known name closest to `name` as a hint sentence, or the list of what there is."""
    import difflib

    close = difflib.get_close_matches(name, known, n=1, cutoff=0.5)
    if close:
        return f"Did you mean “{close[0]}”?"
    return f"Known: {', '.join(sorted(known))}." if known else ""
