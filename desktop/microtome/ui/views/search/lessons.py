"""What was learnt: how much each parameter mattered, and tested sentences with one click to freeze or narrow."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

from PySide6.QtCore import Signal
from PySide6.QtWidgets import QFrame, QPushButton

from microtome.results.importance import LEAST, Ranking
from microtome.results.learnt import Lesson
from microtome.results.tables import short
from microtome.results.words import number
from microtome.ui.i18n import tr
from microtome.ui.theme import GRID
from microtome.ui.views.interval_bars import Bar, IntervalBars
from microtome.ui.widgets import button, clear, column, label, note, row

_IDLE = 0.02  # a share whose interval begins below it may be nothing


def lesson_words(lesson: Lesson) -> str:
    """The sentence of a statement."""
    name = tr(short(lesson.name))
    p = f"{lesson.p:.2g}" if lesson.p >= 0.001 else "< 0.001"
    match lesson.kind:
        case "no-difference":
            return tr("{name} made no difference here (p = {p}, n = {n}).", name=name, p=p, n=lesson.n)
        case "fails-above":
            words = tr("{name} above {value} failed in {k} of {m} trials (p {p}).")
            return words.format(name=name, value=_rounded(lesson.high), k=lesson.count, m=lesson.total, p=_sign(p))
        case "fails-below":
            words = tr("{name} below {value} failed in {k} of {m} trials (p {p}).")
            return words.format(name=name, value=_rounded(lesson.low), k=lesson.count, m=lesson.total, p=_sign(p))
        case "best-between":
            words = tr("{name}: the best third all lie between {low} and {high} (p {p}, n = {n}).")
            return words.format(name=name, low=_rounded(lesson.low), high=_rounded(lesson.high), p=_sign(p), n=lesson.n)
        case "worse-choices":
            worse = ", ".join(_value(c) for c in lesson.worse)
            words = tr("{name}: {worse} did worse than {best} (p {p}, n = {n}).")
            return words.format(name=name, worse=worse, best=_value(lesson.value), p=_sign(p), n=lesson.n)


def _sign(p: str) -> str:
    return p if p.startswith("<") else f"= {p}"


def _value(value: Any) -> str:
    return tr(value) if isinstance(value, str) else number(value)


def _rounded(value: Any) -> str:
    return f"{value:.2g}" if isinstance(value, float) else number(value)


def proposal(lesson: Lesson) -> str:
    """The words of the button: what to do about it."""
    if lesson.kind == "no-difference":
        return tr("Freeze at {value}", value=_value(lesson.value) if isinstance(lesson.value, str) else _rounded(lesson.value))
    match lesson.kind:
        case "worse-choices" if len(lesson.choices) == 1:
            return tr("Freeze at {value}", value=_value(lesson.choices[0]))
        case "worse-choices":
            return tr("Leave out {choices}", choices=", ".join(_value(c) for c in lesson.worse))
        case "fails-above":
            return tr("Search up to {value}", value=_rounded(lesson.high))
        case "fails-below":
            return tr("Search from {value}", value=_rounded(lesson.low))
    return tr("Search {low} – {high}", low=_rounded(lesson.low), high=_rounded(lesson.high))


class LessonsCard(QFrame):
    """`frozen(name, value)`, `narrowed(name, low, high)` and `chosen(name, choices)` ask for another space;
    `parameter_picked` carries the parameter whose bar was clicked."""

    frozen = Signal(str, object)
    narrowed = Signal(str, object, object)
    kept_choices = Signal(str, object)
    parameter_picked = Signal(str)

    def __init__(self) -> None:
        super().__init__()
        self.setProperty("role", "card")
        self.bars = IntervalBars(tr("Importance of the parameters"))
        self.bars.picked.connect(self.parameter_picked)
        self.foot = label("", "muted", wrap=True)
        self.said = label("", "muted", wrap=True)
        self.buttons: list[QPushButton] = []
        self.lessons: list[Lesson] = []
        self._reason = ""
        self._heeded: Callable[[Lesson], str] = lambda lesson: ""
        self._sentences = column(gap=4)
        title = label(tr("What mattered"), "heading")
        self.learnt = label(tr("What was learnt"), "heading")
        parts = column(
            title, self.bars, self.foot, GRID // 2, self.learnt, self._sentences, self.said, None, margin=GRID + 4, gap=6
        )
        self.setLayout(parts)
        self.show_waiting(0)

    def show_waiting(self, trials: int) -> None:
        """Before there is anything to say."""
        self.bars.hide()
        self.learnt.hide()
        if trials < LEAST:
            self.foot.setText(
                tr("{n} trials ran to their end; from {least} on it is said which parameters mattered.", n=trials, least=LEAST)
            )
        else:
            self.foot.setText(tr("Being worked out…"))
        self.said.setText("")

    def show_ranking(self, ranking: Ranking) -> None:
        """Bars of shares with their intervals."""
        if not ranking.parameters:
            self.foot.setText(tr("The trials do not differ enough to say which parameters mattered."))
            return
        self.bars.show()
        self.bars.show_bars(
            [
                Bar(
                    tr(short(m.name)),
                    m.share,
                    m.low,
                    m.high,
                    f"{100 * m.share:.0f} % ({100 * m.low:.0f}–{100 * m.high:.0f})",
                    strong=m.low > _IDLE,
                    key=m.name,
                )
                for m in ranking.parameters
            ]
        )
        words = tr("Share of what the parameters explain, with 90 % intervals; n = {n} trials, {r} % of the ranks explained.")
        self.foot.setText(words.format(n=ranking.trials, r=round(100 * ranking.explained)))
        tip = tr("Random forests on resampled trials: how much worse they predict others when one parameter is shuffled.")
        self.foot.setToolTip(tip)

    def show_lessons(self, lessons: list[Lesson]) -> None:
        """Sentences, each with its button."""
        self.lessons, self.buttons = lessons, []
        self.learnt.show()
        clear(self._sentences)
        for lesson in lessons:
            act = button(proposal(lesson), partial(self._ask, lesson), kind="small")
            self.buttons.append(act)
            words = label(lesson_words(lesson), wrap=True, selectable=True)
            line = row(words, act, gap=GRID)
            line.setStretch(0, 1)
            self._sentences.addLayout(line)
        if lessons:
            self.said.setText(tr("Said of this search's own trials, p values adjusted for their number."))
        else:
            self.said.setText(tr("Nothing that a test confirms yet."))
        self.allow(self._reason)

    def allow(self, reason: str, heeded: Callable[[Lesson], str] | None = None) -> None:
        """Let the buttons act, or say why they cannot ("": they can); `heeded` says what of a lesson is so already."""
        self._reason, self._heeded = reason, heeded or self._heeded
        for lesson, made in zip(self.lessons, self.buttons, strict=True):
            already = self._heeded(lesson)
            made.setText(already or proposal(lesson))
            made.setEnabled(not reason and not already)
            made.setToolTip(reason)

    def show_failure(self, words: str) -> None:
        """What went wrong while it was worked out."""
        self._sentences.addWidget(note(words, "warn"))

    def _ask(self, lesson: Lesson) -> None:
        match lesson.kind:
            case "no-difference":
                self.frozen.emit(lesson.name, lesson.value)
            case "worse-choices" if len(lesson.choices) == 1:
                self.frozen.emit(lesson.name, lesson.choices[0])
            case "worse-choices":
                self.kept_choices.emit(lesson.name, lesson.choices)
            case _:
                self.narrowed.emit(lesson.name, lesson.low, lesson.high)
