"""Points in time of a trajectory: which there are, and the question which one is wanted."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from microtome.errors import InputError
from microtome.plugin import Choice, Question, QuestionError

_MOST_LISTED = 200


@dataclass(frozen=True)
class Frame:
    """Where a frame's header lies (in bytes and lines), how many particles it has, and what it calls itself."""

    offset: int
    line: int
    count: int
    label: str = ""


def chosen(frames: Sequence[Frame], frame: int, path: Path) -> Frame:
    """The frame of that number (from 1), or the only one; QuestionError where nobody said which of several."""
    if frame > len(frames):
        raise InputError(f"{path} holds {len(frames)} frames; there is no frame {frame}.")
    if frame or len(frames) == 1:
        return frames[frame - 1 if frame else 0]
    raise which([f.label for f in frames], path, [f.count for f in frames])


def which(labels: Sequence[str], path: Path, counts: Sequence[int] = ()) -> QuestionError:
    """The question which of the frames is wanted, to be raised; of very many some that are evenly spread are listed."""
    numbers = sorted({int(n) for n in np.rint(np.linspace(1, len(labels), min(len(labels), _MOST_LISTED)))})
    choices = tuple(
        Choice(
            options={"frame": n},
            label=f"frame {n}" + (f" · {labels[n - 1]}" if labels[n - 1] else ""),
            detail=f"{counts[n - 1]} particle{'' if counts[n - 1] == 1 else 's'}" if counts else "",
        )
        for n in numbers
    )
    return QuestionError(
        f"{path} holds {len(labels)} frames.",
        f"Choose one: frame = 1 … {len(labels)}.",
        Question(text="Which frame?", choices=choices),
    )
