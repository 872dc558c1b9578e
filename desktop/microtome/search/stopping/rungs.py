"""Asynchronous successive halving (Li et al., MLSys 2020, arXiv:1810.05934): by promotion, and by stopping."""

from __future__ import annotations

from microtome.search.stopping.schedule import Leg, Scheduler

ETA = 3
_RUNGS = 3  # below a full trial; the literature's first rung is 1/27 of it
_STARTS = (0, 1, 0, 2)  # the rung at which one trial after the other waits for the first time


class Promotion(Scheduler):
    """Trials wait at rungs with their checkpoints; the best 1/η of those that got to a rung go on from there to the next.

    The rungs lie at R/27, R/9 and R/3 of R epochs, at least one epoch apart; where R is not known, at 1, 3, 9 … epochs.

    Half of the trials wait at the first rung, a quarter at the second and a quarter at the third: where beginnings mislead, the
    late bloomers are found among those. It is Hyperband's hedge (Li et al., JMLR 2018), without its closed brackets: whoever
    gets to a rung competes there with all (decision 0012).
    """

    def __init__(self, max_epochs: int | None = None, *, eta: int = ETA) -> None:
        super().__init__(max_epochs)
        self._eta = eta
        self._rungs = rungs(max_epochs, eta)
        self._reached: dict[int, dict[int, float]] = {}  # rung → trial → its value there

    def first(self, trial: int) -> int:
        """One of the first three rungs, by the trial's number."""
        start = _STARTS[(trial - 1) % len(_STARTS)]
        if self.max_epochs is None:
            return int(self._eta**start)
        return self._rungs[min(start, len(self._rungs) - 1)] if self._rungs else 0

    def next(self) -> Leg | None:
        """The best waiting trial of the highest rung that has one to promote."""
        for rung in sorted(self._reached, reverse=True):
            chosen = self._best(rung)
            due = [t for t in chosen if t in self.waiting and t not in self.stopped and self._rung_of(t) == rung]
            if due:
                return Leg(due[0], self._after(due[0]))
        return None

    def wanted(self, trial: int) -> bool:
        """See Scheduler."""
        rung = self._rung_of(trial)
        return rung > 0 and trial in self._best(rung)

    def _behind(self, trial: int, epochs: int, value: float) -> bool:
        for rung in self._upto(epochs):
            self._reached.setdefault(rung, {}).setdefault(trial, self.curves[trial][rung - 1])
        return False

    def _best(self, rung: int) -> list[int]:
        """The best 1/η of a rung, the best first, the earlier of equals."""
        values = self._reached.get(rung, {})
        return sorted(values, key=lambda t: (-values[t], t))[: len(values) // self._eta]

    def _upto(self, epochs: int) -> list[int]:
        while self.max_epochs is None and self._rungs[-1] < epochs:
            self._rungs.append(self._rungs[-1] * self._eta)
        return [rung for rung in self._rungs if rung <= epochs]

    def _rung_of(self, trial: int) -> int:
        """The highest rung that a trial has reached, 0 below the first."""
        return max(self._upto(len(self.curves.get(trial, ()))), default=0)

    def _after(self, trial: int) -> int:
        epochs = len(self.curves.get(trial, ()))
        self._upto(epochs + 1)
        return next((rung for rung in self._rungs if rung > epochs), 0)


class Stopping(Promotion):
    """Nobody waits: at the same rungs a trial stops unless it is among the best 1/η of those that got there so far."""

    def first(self, trial: int) -> int:
        """To the end."""
        return 0

    def next(self) -> Leg | None:
        """None: who has fallen behind does not go on."""
        return None

    def _behind(self, trial: int, epochs: int, value: float) -> bool:
        new = [rung for rung in self._upto(epochs) if trial not in self._reached.get(rung, ())]
        super()._behind(trial, epochs, value)
        return any(self._reached[rung][trial] < self._bar(rung) for rung in new)

    def _bar(self, rung: int) -> float:
        values = sorted(self._reached[rung].values(), reverse=True)
        return values[max(1, len(values) // self._eta) - 1]

    def _after(self, trial: int) -> int:
        return 0


def rungs(max_epochs: int | None, eta: int = ETA) -> list[int]:
    """The epochs at which trials are compared, ascending, below `max_epochs`; [1] where that is not known."""
    if max_epochs is None:
        return [1]
    found = {max(1, round(max_epochs / eta**power)) for power in range(1, _RUNGS + 1)}
    return sorted(rung for rung in found if rung < max_epochs)


def share_of_epochs(max_epochs: int, eta: int = ETA) -> float:
    """The share of all epochs that `Promotion` trains where exactly 1/η of a rung go on; who is there first makes it more."""
    levels = rungs(max_epochs, eta)
    if not levels:
        return 1.0
    entered, epochs = [0.0] * len(levels), 0.0
    for start in _STARTS:
        first = min(start, len(levels) - 1)
        entered[first] += 1 / len(_STARTS)
        epochs += levels[first] / len(_STARTS)
    come = 0.0
    for new, rung, after in zip(entered, levels, [*levels[1:], max_epochs], strict=True):
        come = new + come / eta
        epochs += come / eta * (after - rung)
    return epochs / max_epochs
