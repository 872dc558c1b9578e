"""What the training loop asks those who started it, and what it tells them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from torch import Tensor

from microtome.events import EpochEnded
from microtome.training.part import Part


@dataclass(frozen=True, kw_only=True)
class Hooks:
    """What the loop asks and tells.

    should_stop() is asked before every batch: "" goes on, anything else ends the training there. batch_done(epoch, done,
    total) follows every batch, epoch_done(ended) every measured epoch. epoch_begins(epoch) comes once the network is in
    training mode, before the epoch's first batch, also of one that is gone on with: what is frozen then is frozen in it.
    part_is_due() is asked before every batch, and keep_part(part) gets the unfinished epoch where it is, and where the
    training ends in mid-epoch to go on another time. first_batch(epoch, images, targets) sees what the network sees.
    """

    should_stop: Callable[[], str]
    batch_done: Callable[[int, int, int], None]
    epoch_done: Callable[[EpochEnded], None]
    epoch_begins: Callable[[int], None] = lambda epoch: None
    part_is_due: Callable[[], bool] = lambda: False
    keep_part: Callable[[Part], None] = lambda part: None
    first_batch: Callable[[int, Tensor, Tensor], None] = lambda epoch, images, targets: None
