"""What a reader must be told before a file can be read: a question with choices, which a card asks and a command prints."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Literal

from microtome.errors import InputError


@dataclass(frozen=True, kw_only=True)
class Choice:
    """One answer: the options that it adds to the reader's, and what a user sees of it."""

    options: dict[str, Any]
    label: str  # "/entry/data", "channel 2 · DAPI", "128 × 128 × 128 uint8"
    detail: str = ""  # "251 × 301 × 301 uint16, 44 MB"


@dataclass(frozen=True, kw_only=True)
class Question:
    """What to ask of a file that holds more than one volume, or that does not say what it holds.

    kind: "list" (channels, points in time); "tree" (labels are /paths of data sets); "raw" (headerless voxels: the choices are
    guesses of shape, dtype, byte_order and offset, the likeliest first; anything else may be entered). There may be no choice.
    """

    text: str
    choices: tuple[Choice, ...] = field(default=())
    kind: Literal["list", "tree", "raw"] = "list"


class QuestionError(InputError):
    """A file that can be read once its question is answered; without a window it is a sentence like any other error."""

    def __init__(self, message: str, hint: str, question: Question) -> None:
        super().__init__(message, hint)
        self.question = question
