"""What a training had to change while it ran, kept in its folder so that a resumed one does the same; imports no torch.

changes.json  the lower learning rates that it went on with after its loss was no number, and how many images its memory holds
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

from microtome.errors import InputError
from microtome.store.atomic import read_json, write_json
from microtome.training.checkpoint import NAME, PART, RESULT, history
from microtome.training.spec import TrainingSpec

FILE = "changes.json"
_SHARE = 1 / 3  # of the learning rate that failed is offered


@dataclass(frozen=True, kw_only=True)
class Changes:
    """The rates as (first epoch, learning rate), and the largest number of images at once (0: a whole batch)."""

    rates: tuple[tuple[int, float], ...] = ()
    at_once: int = 0

    def settings(self, settings: TrainingSpec, epoch: int) -> TrainingSpec:
        """The settings as they hold in an epoch."""
        rate = next((r for first, r in reversed(self.rates) if first <= epoch), settings.learning_rate)
        return settings if rate == settings.learning_rate else replace(settings, learning_rate=rate)

    def save(self, folder: Path) -> None:
        """Replace a trial folder's changes."""
        write_json(folder / FILE, {"rates": [list(r) for r in self.rates], "at_once": self.at_once})

    @classmethod
    def load(cls, folder: Path) -> Changes:
        """Those of a trial's folder; none where it has no such file."""
        if not (folder / FILE).exists():
            return cls()
        data = read_json(folder / FILE)
        return cls(rates=tuple((int(e), float(r)) for e, r in data["rates"]), at_once=int(data["at_once"]))


@dataclass(frozen=True)
class Offer:
    """A failed training can go on before `epoch` (0, 1, …), its last good one behind it, with a lower learning rate."""

    epoch: int
    learning_rate: float


def lower(rate: float) -> float:
    """The rate to try after `rate` was too high, in two digits."""
    return float(f"{rate * _SHARE:.2g}")


def offer(folder: Path) -> Offer | None:
    """What a trial's folder offers: None where its training has not failed for its learning rate."""
    if not (folder / RESULT).exists():
        return None
    found = read_json(folder / RESULT).get("offer")
    return None if found is None else Offer(int(found["epoch"]), float(found["learning_rate"]))


def accept(folder: Path, learning_rate: float) -> None:
    """Let a failed trial go on from its last good epoch with another rate, the next time that it is run.

    Raises InputError where the folder offers nothing, or the rate is none.
    """
    found = offer(folder)
    if found is None:
        raise InputError(f"The training in {folder} has not failed for its learning rate.", "Start a new training.")
    if not 0 < learning_rate <= 10:
        raise InputError(f"{learning_rate} is no learning rate.", f"Try {found.learning_rate:g}.")
    kept = len(history(folder / NAME)) if (folder / NAME).exists() else 0
    changes = Changes.load(folder)
    before = tuple(r for r in changes.rates if r[0] < kept)
    replace(changes, rates=(*before, (kept, learning_rate))).save(folder)
    (folder / PART).unlink(missing_ok=True)
    (folder / RESULT).unlink(missing_ok=True)
