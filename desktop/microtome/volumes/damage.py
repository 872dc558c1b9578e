"""What a library says of a file that it cannot read, as a piece of our own sentence."""

from __future__ import annotations


def reason(error: BaseException, *, most: int = 160) -> str:
    """The first line of an error's words, at most so many characters; its kind where it says nothing."""
    return str(error).splitlines()[0][:most] if str(error) else type(error).__name__
