"""What a training's curves and notes mean, in sentences: over-fitting, no learning, what the run itself remarked."""

from __future__ import annotations

from PySide6.QtWidgets import QWidget

from microtome.results.fold import RunState, TrialState
from microtome.results.words import trend
from microtome.ui.i18n import tr
from microtome.ui.theme import GRID
from microtome.ui.widgets import clear, column, note

_MOST = 4  # notes, the newest
_TONES = {"warning": "warn", "info": "info"}  # an error is the run's end, and said in its head


class RunWords(QWidget):
    """What is to be thought of (above the curves), or what is merely told (below them); nothing where there is nothing."""

    def __init__(self, tone: str = "warn") -> None:
        super().__init__()
        self._tone = tone
        self._said: list[tuple[str, str]] = []
        self._body = column(gap=GRID)
        self.setLayout(self._body)
        self.hide()

    def show_state(self, state: RunState, trial: TrialState | None) -> None:
        """Say what is new."""
        words = [found for found in (*_of_curves(trial), *_of_notes(state)) if found[1] == self._tone]
        if words == self._said:
            return
        self._said = words
        clear(self._body)
        for text, tone in words:
            self._body.addWidget(note(text, tone))
        self.setVisible(bool(words))


def _of_curves(trial: TrialState | None) -> list[tuple[str, str]]:
    found = trend(trial.epochs if trial is not None else ())
    if found.word == "over-fitting":
        words = tr(
            "Over-fitting since epoch {n}: the training loss goes on falling while the validation loss rises. "
            "The network of the best epoch is the one that is kept.",
            n=found.epoch,
        )
        return [(words, "warn")]
    if found.word == "not-learning":
        return [(tr("The loss does not fall. Another learning rate, or a smaller network, may help."), "warn")]
    return []


def _of_notes(state: RunState) -> list[tuple[str, str]]:
    """What the run said, the same sentence once; the newest of each tone."""
    said = {f"{n.text} {n.hint}".strip(): _TONES[n.level] for n in state.notes if n.level in _TONES}
    by_tone = [[item for item in said.items() if item[1] == tone][-_MOST:] for tone in _TONES.values()]
    return [item for items in by_tone for item in items]
