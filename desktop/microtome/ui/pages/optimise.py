"""The page before a search: which engine, how much of it, and which settings it may vary."""

from __future__ import annotations

from typing import Any, ClassVar

from PySide6.QtWidgets import QFrame, QGridLayout, QMenu, QPushButton, QStackedWidget, QWidget

from microtome.errors import InputError
from microtome.fields import FieldSpec
from microtome.registry import registry
from microtome.session import Axis, Change, Session
from microtome.ui.desk import Desk
from microtome.ui.editors import AxisEditor, sentence_of
from microtome.ui.forecast import last_speed, search_facts, stopping_facts
from microtome.ui.form import Form, FormOptions
from microtome.ui.i18n import tr
from microtome.ui.numbers import number
from microtome.ui.pages.base import Page
from microtome.ui.search_words import choice_words, engine_words
from microtome.ui.sentences import said
from microtome.ui.theme import GRID
from microtome.ui.time_budget import LimitField
from microtome.ui.views.fold import Fold
from microtome.ui.views.search.pilot_card import PilotCard
from microtome.ui.widgets import (
    Choice,
    EmptyState,
    button,
    card,
    clear,
    column,
    empty_stack,
    facts,
    holding,
    label,
    row,
    scrolling,
    tool,
)

#: The fields of a search, those of each fold together; what stands in none of them is shown first.
_END = ("finalists", "finalist_seeds")
_KNOWN = ("reuse", "warm_start", "inherit")
_COURSE = ("objective", "second", "speculate", "hours", "seed")
_SECTIONS = ("network", "training", "augmentation", "slices")
#: Changing these makes trials that cannot be compared, or are no property of a network.
_NOT_SEARCHED = (
    *("training.seed", "training.target", "training.value_unit", "training.devices", "training.patience"),
    *("slices.seed", "slices.drawing", "slices.train", "slices.validation", "slices.evaluation"),
    *("slices.unit", "slices.split", "slices.guard", "slices.particles"),
)
#: What is worth searching first, of any project.
_USUAL = ("training.learning_rate", "network.convolutions", "network.width", "network.dropout")


def engines() -> list[tuple[str, str]]:
    """(name, words) of the search engines, the automatic choice first."""
    return [(name, engine_words(name)) for name in ("auto", *(p.name for p in registry().of_kind("search")))]


class AxisRow(QWidget):
    """One setting that the search varies, with its range."""

    def __init__(self, desk: Desk, name: str) -> None:
        super().__init__()
        self.desk, self.name = desk, name
        section, _, key = name.partition(".")
        self.spec = desk.session.specs(section)[key]
        self.editor = AxisEditor(self.spec)
        self.editor.edited.connect(self._edited)
        self.editor.wrong.connect(self._say)
        words = label(_axis_words(name, self.spec), wrap=True)
        words.setFixedWidth(150)
        words.setToolTip(tr(self.spec.help) if self.spec.help else name)
        self.problem = label("", "problem", wrap=True)
        self.problem.hide()
        drop = tool("close", tr("Do not vary it"), lambda: desk.perform(lambda: desk.session.set_axis(name, None)))
        grid = QGridLayout()
        grid.setContentsMargins(0, 0, 0, 0)
        grid.setVerticalSpacing(2)
        grid.addWidget(words, 0, 0)
        grid.addWidget(self.editor, 0, 1)
        grid.addWidget(drop, 0, 2)
        grid.addWidget(self.problem, 1, 1, 1, 2)
        grid.setColumnStretch(1, 1)
        self.setLayout(grid)
        self.show_axis()

    def show_axis(self) -> None:
        """Show the range that the session holds."""
        axis = self.desk.session.axes().get(self.name)
        if axis is not None:
            self.editor.show_axis(axis)

    def _say(self, sentence: str) -> None:
        self.problem.setText(said(sentence))
        self.problem.setVisible(bool(sentence))

    def _edited(self, axis: Axis) -> None:
        try:
            change = self.desk.session.set_axis(self.name, axis)
        except InputError as error:  # said at the field, not as a toast
            self._say(sentence_of(error, self.spec))
            return
        self._say("")
        self.desk.announce(change)


class OptimisePage(Page):
    """Engine and budget at the left, the space at the right, the forecast and Start below."""

    prefix: ClassVar[str] = "optimise"
    icon: ClassVar[str] = "optimise"

    def __init__(self, desk: Desk, argument: str = "") -> None:
        super().__init__(desk, argument)
        self._stack = QStackedWidget()
        self.setLayout(column(self._stack))
        self._form: Form | None = None
        self.engine: Choice | None = None
        self.rows: dict[str, AxisRow] = {}
        self._space, self._facts = column(gap=GRID), column(gap=GRID)
        self._about = label("", "muted", wrap=True)
        self.folds: dict[str, tuple[Fold, Form]] = {}
        self.limit, self.pilot = LimitField(), PilotCard(desk)
        self._make_buttons()

    def _make_buttons(self) -> None:
        self.start_button = button(tr("Start search"), self.start, kind="primary", icon_name="play")
        self.queue_button = button(tr("Add to queue"), self.enqueue, icon_name="add")
        self.queue_button.setToolTip(tr("It begins with the settings of now, as soon as nothing else of the project runs"))

    def title(self) -> str:
        """The tab's words."""
        return tr("Optimise")

    def refresh(self, change: Change) -> None:
        """Show what the session holds."""
        session = self.desk.session
        ready = session.trainable
        if ready != (self._form is not None) or self._stack.count() == 0 or change & Change.PROJECT:
            self._choose_face(ready)
        if self._form is None:
            return
        for form in self._forms():
            form.refresh(change)
        self.pilot.refresh()
        self._show_space()
        self._show_facts()

    def _choose_face(self, ready: bool) -> None:
        self.pilot.close_down()
        empty_stack(self._stack)
        self._form, self.engine, self.rows = None, None, {}
        self._stack.addWidget(self._face() if ready else self._empty())

    def _empty(self) -> QWidget:
        text = tr("Nothing to search yet")
        hint = tr("A search trains many networks on the slices of at least two classes. Add volumes first.")
        return EmptyState("optimise", text, hint, ((tr("Go to the volumes"), lambda: self.desk.open_page("volumes")),))

    def _face(self) -> QWidget:
        self._space, self._facts = column(gap=GRID), column(gap=GRID)
        self._about = label("", "muted", wrap=True)
        # The engines' names are long: theirs is a line of its own.
        self.engine = Choice(engines(), str(self.desk.session.value("search.algorithm")))
        self.engine.setAccessibleName(tr("Engine"))
        self.engine.activated.connect(lambda _: self._choose_engine())
        self._form = self._part(hidden=("algorithm", *_END, *_KNOWN, *_COURSE))
        self._make_buttons()
        self.limit, self.pilot = LimitField(), PilotCard(self.desk)
        self.limit.changed.connect(self._show_facts)
        self.pilot.changed.connect(self._show_facts)
        left = card(self.engine, self._about, self._form, heading=tr("Search"))
        right = card(self._space, heading=tr("What it may vary"))
        columns = row(holding(column(left, *self._make_folds(), None, gap=GRID)), holding(column(right, None)), gap=GRID)
        columns.setStretch(0, 4)
        columns.setStretch(1, 5)
        columns.setContentsMargins(GRID, 2 * GRID, GRID, GRID)
        orders = column(self.start_button, self.queue_button, self.pilot.button, self.limit, None, gap=GRID)
        foot = row(holding(column(holding(self._facts), self.pilot, None)), holding(orders), gap=2 * GRID)
        foot.setStretch(0, 1)
        whole = column(scrolling(holding(columns)), holding(column(card(foot), margin=GRID)), gap=0)
        whole.setStretch(0, 1)
        return holding(whole)

    def _part(self, *, names: tuple[str, ...] = (), hidden: tuple[str, ...] = ()) -> Form:
        made = Form(
            self.desk,
            "search",
            FormOptions(searchable=False, names=names, hidden=hidden, flat=bool(names), choices=choice_words()),
        )
        made.changed.connect(self._show_facts)
        return made

    def _make_folds(self) -> list[Fold]:
        """The rarer settings by what they are for; one that differs from its default is told beside the heading."""
        headings = {
            "course": (tr("Objective and course"), _COURSE),
            "known": (tr("Use of earlier runs"), _KNOWN),
            "end": (tr("The best, trained again"), _END),
        }
        self.folds = {}
        for name, (words, fields) in headings.items():
            form = self._part(names=fields)
            self.folds[name] = (Fold(words, form), form)
        return [fold for fold, _ in self.folds.values()]

    def _forms(self) -> list[Form]:
        return ([self._form] if self._form is not None else []) + [form for _, form in self.folds.values()]

    def _choose_engine(self) -> None:
        assert self.engine is not None
        name = self.engine.value()
        self.desk.perform(lambda: self.desk.session.set_value("search.algorithm", name))

    def _show_space(self) -> None:
        axes = self.desk.session.axes()
        if list(axes) == list(self.rows) and self._space.count():
            for made in self.rows.values():
                made.show_axis()
            return
        clear(self._space)
        self.rows = {}
        for section in _SECTIONS:
            names = [n for n in axes if n.startswith(f"{section}.")]
            if names:
                self._space.addWidget(label(_section_words(section), "section"))
            for name in names:
                self.rows[name] = AxisRow(self.desk, name)
                self._space.addWidget(self.rows[name])
        # The order of the axes is the user's, that of the rows goes by section.
        self.rows = {name: self.rows[name] for name in axes if name in self.rows}
        if not axes:
            self._space.addWidget(
                label(tr("Nothing yet: add settings here, or tick “optimise” beside any field."), "muted", wrap=True)
            )
        add = button(tr("Add a setting"), icon_name="add")
        add.setMenu(self.menu(add))
        usual = [] if axes else [button(tr("Add the usual ones"), self._add_usual)]
        for one in usual:
            one.setToolTip(tr("Learning rate, and what makes the network larger or smaller"))
        self._space.addLayout(row(add, *usual, None))

    def menu(self, parent: QPushButton | QFrame) -> QMenu:
        """All settings that can be searched and are not yet, a menu a section."""
        made = QMenu(parent)
        session = self.desk.session
        for section in _SECTIONS:
            inner = made.addMenu(_section_words(section))
            inner.setToolTipsVisible(True)
            for key, spec in session.specs(section).items():
                name = f"{section}.{key}"
                axis = session.default_axis(name)
                if axis is None or name in session.axes() or name in _NOT_SEARCHED:
                    continue
                action = inner.addAction(_axis_words(name, spec))
                action.setToolTip(tr(spec.help) if spec.help else "")
                action.triggered.connect(lambda _=False, n=name, a=axis: self._add(n, a))
            inner.menuAction().setVisible(not inner.isEmpty())
        return made

    def _add_usual(self) -> None:
        """Axes of the settings that are worth searching first, as far as this network has them."""
        session = self.desk.session
        there = {f"{section}.{key}" for section in _SECTIONS for key in session.specs(section)}
        for name in _USUAL:
            axis = session.default_axis(name) if name in there else None
            if axis is not None:
                self._add(name, axis)
        self.start_button.setFocus()  # the button that was pressed is gone

    def _add(self, name: str, axis: Axis) -> None:
        self.desk.perform(lambda: self.desk.session.set_axis(name, axis))

    def _show_facts(self) -> None:
        if self._form is None:
            return
        session = self.desk.session
        name = str(session.value("search.algorithm"))
        if self.engine is not None:
            self.engine.choose(name)
        known = dict(engines())
        summary = registry().get("search", name).summary if name != "auto" and name in known else ""
        self._about.setText(tr(summary) if summary else tr("The engine that did best in our own comparisons."))
        clear(self._facts)
        told = search_facts(session, last_speed(self.desk))
        if self.pilot.promised is not None:
            told = told[:1]  # memory and time are promised below
        self._facts.addWidget(facts([*told, *stopping_facts(session), *_size_of_space(session.axes())]))
        wrong = self._wrong()
        if wrong:
            self._facts.addWidget(label(" ".join(wrong), "problem", wrap=True))
        self.pilot.show_promise(self.limit.limit)
        for fold, form in self.folds.values():
            fold.say(_differs(session, form))
        for made in (self.start_button, self.queue_button):
            made.setEnabled(not wrong)
        self.pilot.button.setEnabled(not wrong or self.pilot.busy)
        self.start_button.setToolTip("\n".join(wrong))

    def _wrong(self) -> list[str]:
        """Why it cannot start, in sentences."""
        wrong = [words for form in self._forms() for words in form.problems().values()]
        wrong += [self.limit.problem.text()] if self.limit.problem.text() else []
        return wrong if self.desk.session.axes() else [*wrong, tr("The search has nothing to vary yet.")]

    def start(self) -> None:
        """Start the search and show its page."""
        self.pilot.close_down()
        limit = self.limit.limit
        run = self.desk.perform(lambda: self.desk.session.start(search=True, name="search", limit=limit))
        if run is not None:
            self.desk.open_page(f"search:{run.name}")
            self.desk.select(f"run:{run.name}")

    def enqueue(self) -> None:
        """Let the search wait for its turn; the page stays, for the next one."""
        limit = self.limit.limit
        run = self.desk.perform(lambda: self.desk.session.enqueue(search=True, name="search", limit=limit))
        if run is not None:
            self.desk.announce(Change.RUNS)


def _differs(session: Session, form: Form) -> str:
    """What of a fold's settings is not at its default, in a line."""
    changed = [made for made in form.rows.values() if session.value(made.name) != made.spec.default]
    return " · ".join(f"{tr(made.spec.title)}: {_value_words(made.spec.name, session.value(made.name))}" for made in changed)


def _value_words(name: str, value: Any) -> str:
    if name in (words := choice_words()):
        return dict(words[name])[str(value)]
    if isinstance(value, bool):
        return tr("yes") if value else tr("no")
    return number(value) if isinstance(value, int | float) else tr(str(value))


def _section_words(section: str) -> str:
    words = {"network": tr("Network"), "training": tr("Training"), "slices": tr("Slices"), "augmentation": tr("Augmentations")}
    return words[section]


def _axis_words(name: str, spec: FieldSpec) -> str:
    """The words of a setting; of an augmentation's with its owner in front."""
    section, _, key = name.partition(".")
    if section != "augmentation":
        return tr(spec.title)
    return f"{tr(registry().get('augmentation', key.partition('.')[0]).label)}: {tr(spec.title)}"


def _size_of_space(axes: dict[str, Any]) -> list[tuple[str, str]]:
    """How many different trials there are, where that is a number."""
    count = 1
    for axis in axes.values():
        if isinstance(axis, list):
            count *= len(axis)
        elif isinstance(axis["low"], int) and isinstance(axis["high"], int) and axis.get("type") != "float":
            count *= axis["high"] - axis["low"] + 1
        else:
            return [(tr("Space"), tr("{n} settings, some of them continuous", n=len(axes)))]
    return [(tr("Space"), tr("{n} settings, {k} combinations", n=len(axes), k=count))] if axes else []
