"""What a search's page has worked out beside the window: importance, lessons, the replay of engines."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from PySide6.QtCore import QObject

from microtome.plugin import Parameter, Space
from microtome.results.axes import axes_of, places
from microtome.results.fold import COUNTED, RunState
from microtome.results.importance import LEAST, Ranking
from microtome.results.learnt import Lesson
from microtome.results.scores import Score
from microtome.ui.analysis import Analysis
from microtome.ui.i18n import tr
from microtome.ui.views.search.board import SearchBoard
from microtome.ui.views.search.replay_card import ENGINES

Trials = list[tuple[dict[str, Any], float]]
Within = Callable[[Trials], tuple[Space, Trials]]
_QUIET_S = 20.0  # between two rounds while a search runs
_SEEDS = range(5)
_BUDGET = 60


class SearchSums(QObject):
    """Feeds the lessons and the replay of a board from a worker process."""

    def __init__(self, board: SearchBoard) -> None:
        super().__init__(board)
        self.board = board
        self.analysis = Analysis(self)
        self.space: Mapping[str, Parameter] | None = None  # not read yet: without its scales a lesson would be wrong
        self.within: Within | None = None  # what of some trials lies in the space as it is now, and that space
        self.engine = ""  # of the search, where it weighs one objective alone, as the replay does
        self._seen: tuple[int, int] = (0, 0)
        self._asked = -_QUIET_S
        board.replay.wanted.connect(self.replay)
        board.replay.unwanted.connect(self.stop_replay)

    def show_run(self, state: RunState) -> None:
        """Work out what is new, at most every twenty seconds while the search runs."""
        counted = [t for t in state.trials.values() if t.outcome in COUNTED and t.value is not None]
        seen = (len(counted), len(state.ended_trials()))
        if len(counted) < LEAST:
            self.board.lessons.show_waiting(len(counted))
            return
        if self.space is None or seen == self._seen or (not state.finished and time.monotonic() - self._asked < _QUIET_S):
            return
        if self._seen == (0, 0):
            self.board.lessons.show_waiting(len(counted))
        self._seen, self._asked = seen, time.monotonic()
        axes = axes_of(state, self.space)[:-1]
        ended = state.ended_trials()
        points = places(ended, axes)
        # A trial that was cut short has a value of fewer epochs, which would tell of the cut.
        values = np.array([t.value if t.outcome in COUNTED and t.value is not None else np.nan for t in ended], dtype=float)
        failed = np.array([t.outcome in ("failed", "crashed") for t in ended])
        known = ~np.isnan(values)
        lessons, ranking = self.board.lessons, "microtome.results.importance:rank_parameters"
        arguments = {"names": [a.name for a in axes], "points": points[known], "values": values[known]}
        self.analysis.ask("importance", ranking, arguments, self._ranked, failed=lessons.show_failure)
        arguments = {"axes": axes, "points": points, "values": values, "failed": failed}
        self.analysis.ask("lessons", "microtome.results.learnt:learn", arguments, self._learnt, failed=lessons.show_failure)

    def _ranked(self, ranking: Ranking) -> None:
        self.board.lessons.show_ranking(ranking)
        if ranking.parameters and self.board.slice.parameter.currentIndex() <= 0:
            self.board.slice.show_parameter(ranking.parameters[0].name)

    def _learnt(self, lessons: list[Lesson]) -> None:
        self.board.lessons.show_lessons(lessons)

    def replay(self) -> None:
        """Replay the engines on the trials so far."""
        state, card = self.board.state, self.board.replay
        trials = [(t.parameters, t.value) for t in state.trials.values() if t.outcome in COUNTED and t.value is not None]
        if not self.space or self.within is None:
            card.show_failure(tr("The space of this search cannot be read from its recipe."))
            return
        space, trials = self.within(trials)
        arguments: dict[str, Any] = {"trials": trials, "space": space, "engines": self._engines(), "seeds": list(_SEEDS)}
        arguments |= {"budget": min(_BUDGET, len(trials)), "workers": max(1, state.workers)}
        score = Score.of(list(state.trials.values()))
        card.show_progress(0.0)
        self.analysis.ask(
            "replay",
            "microtome.search.replay:replay_engines",
            arguments,
            lambda found: card.show_replay(found, score),
            progress=card.show_progress,
            failed=card.show_failure,
        )

    def _engines(self) -> list[str]:
        """Those of the comparison, and the search's own, where it is another."""
        return [*([self.engine] if self.engine and self.engine not in ENGINES else []), *ENGINES]

    def stop_replay(self) -> None:
        """End the replay."""
        self.analysis.cancel("replay")
        self.board.replay.show_progress(None)

    def close(self) -> None:
        """End the process."""
        self.analysis.close()
