"""The views of a search: staircase, table, curves, parallel coordinates, timeline, and their common selection."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from journals import searching, trial
from PySide6.QtCore import QPointF, Qt
from PySide6.QtGui import QColor
from PySide6.QtTest import QAbstractItemModelTester
from pytestqt.qtbot import QtBot

from microtome.events import Event
from microtome.plugin import Parameter
from microtome.results.axes import Axis, axes_of
from microtome.results.fold import RunState, TrialState, fold, fold_all
from microtome.ui.desk import Desk
from microtome.ui.theme import current
from microtome.ui.views.search.colours import bounds, by_value
from microtome.ui.views.search.parallel import ParallelView
from microtome.ui.views.search.pareto_card import ParetoCard
from microtome.ui.views.search.staircase import StaircaseCard
from microtome.ui.views.search.timeline import Timeline
from microtome.ui.views.search.trial_curves import TrialCurvesCard
from microtome.ui.views.search.trial_table import TrialModel, TrialTable

SPACE = {
    "training.learning_rate": Parameter(name="training.learning_rate", kind="float", low=1e-4, high=0.1, log=True),
    "network.activation": Parameter(name="network.activation", kind="choice", choices=("relu", "gelu", "silu")),
}


@pytest.fixture
def state() -> RunState:
    return fold_all(searching())


def test_the_staircase_never_falls_and_rings_the_chosen_trial(qtbot: QtBot, desk: Desk, state: RunState) -> None:
    card = StaircaseCard(desk, "search")
    qtbot.addWidget(card)
    card.show_run(state)
    x, y = card.plot.lines["best"].getData()
    assert all(b >= a for a, b in pairwise(y))
    assert y[-1] == pytest.approx(80.0)
    assert x[-1] == 5, "it goes on to the last trial"
    card.choose(3)
    assert card._ring.getData()[1].tolist() == [80.0]
    card.over.choose("time")
    assert card.plot.lines["best"].getData()[0][-1] * 3600 == pytest.approx(550), "hours since the start"


def test_a_click_near_a_dot_picks_its_trial(qtbot: QtBot, desk: Desk, state: RunState) -> None:
    card = StaircaseCard(desk, "search")
    qtbot.addWidget(card)
    card.show_run(state)
    with qtbot.waitSignal(card.picked) as caught:
        card.plot.picked.emit(3.01, 80.0)
    assert caught.args == [3]
    with qtbot.assertNotEmitted(card.picked):
        card.plot.picked.emit(2.5, 80.0)


def test_an_empty_run_has_empty_views(qtbot: QtBot, desk: Desk) -> None:
    views = [StaircaseCard(desk, "s"), TrialCurvesCard(desk, "s"), TrialTable(), ParallelView(), Timeline()]
    for view in views:
        qtbot.addWidget(view)
        view.show_run(RunState())
        view.choose(None)
        view.grab()


def test_the_best_curves_are_in_front_and_the_rest_is_one_line(qtbot: QtBot, desk: Desk) -> None:
    card = TrialCurvesCard(desk, "search")
    qtbot.addWidget(card)
    state = fold_all(searching(finished=False))
    card.show_run(state)
    assert [text.split()[1] for text in card.legend.texts()[:3]] == ["3", "2", "1"]
    assert "running" in " ".join(card.legend.texts())
    card.choose(2)
    _, strong = card.plot.lines["chosen"].getData()
    assert strong[:2].tolist() == pytest.approx([50.0, 60.0])


def test_the_chosen_curve_has_its_own_colour_or_is_named(qtbot: QtBot, desk: Desk, state: RunState) -> None:
    card = TrialCurvesCard(desk, "search")
    qtbot.addWidget(card)
    card.show_run(state)
    best = card._best[0]
    card.choose(best)
    assert card._strong.opts["pen"].color().name() == current().class_colour(0)
    assert not any("chosen" in words for words in card.legend.texts())
    other = next(n for n, t in state.trials.items() if t.epochs and n not in card._best)
    card.choose(other)
    assert card._strong.opts["pen"].color().name() == current().text
    assert card.legend.texts()[-1] == f"trial {other}, chosen"


def test_of_hundreds_of_curves_the_shade_tells_how_close_they_lie(qtbot: QtBot, desk: Desk) -> None:
    card = TrialCurvesCard(desk, "search")
    qtbot.addWidget(card)
    card.resize(420, 260)
    best, close = [trial(n, (0.95, 0.95)) for n in (1, 2, 3)], [trial(n, (0.9, 0.9)) for n in range(4, 300)]
    card.show_run(fold_all([e for one in [*best, *close, trial(300, (0.3, 0.3))] for e in one]))
    card.show()
    card.plot.getPlotItem().vb.updateAutoRange()
    picture = card.plot.grab().toImage()

    def contrast(percent: float) -> int:
        """The strongest of the pixels around a place, against the background."""
        at = card.plot.mapFromScene(card.plot.getPlotItem().vb.mapViewToScene(QPointF(1.5, percent)))
        ground = QColor(current().surface).lightness()
        return max(abs(QColor(picture.pixel(at.x(), at.y() + d)).lightness() - ground) for d in (-2, -1, 0, 1, 2))

    assert contrast(90) > 1.5 * contrast(30) > 0, "where all lie on each other it is darkest, and the lone one is seen"
    assert contrast(43) == 0, "between the lines of the grid"


def test_trials_of_one_epoch_are_dots(qtbot: QtBot, desk: Desk) -> None:
    card = TrialCurvesCard(desk, "search")
    qtbot.addWidget(card)
    state = fold_all([*trial(1, (0.5,)), *trial(2, (0.6,))])
    card.show_run(state)
    assert card.plot.lines["top 0"].opts["symbol"] == "o"
    card.show_run(fold_all([*trial(1, (0.5, 0.7))]))
    assert card.plot.lines["top 0"].opts["symbol"] is None


class TestTable:
    """The model's order, filter and upkeep."""

    @pytest.fixture
    def model(self, state: RunState) -> TrialModel:
        model = TrialModel()
        QAbstractItemModelTester(model, QAbstractItemModelTester.FailureReportingMode.Fatal)
        model.show_run(state)
        return model

    def _numbers(self, model: TrialModel) -> list[int]:
        return [t.number for t in model.trials]

    def _column(self, model: TrialModel, key: str) -> int:
        return [c.key for c in model.columns].index(key)

    def test_only_what_differs_is_shown(self, model: TrialModel) -> None:
        keys = [c.key for c in model.columns]
        assert "network.activation" in keys
        assert "network.dense" not in keys

    def test_sorting_puts_the_unknown_last_in_either_direction(self, model: TrialModel) -> None:
        place = self._column(model, "value")
        model.sort(place, Qt.SortOrder.DescendingOrder)
        assert self._numbers(model) == [3, 5, 2, 1, 4]
        assert "▾" in model.headerData(place, Qt.Orientation.Horizontal)
        model.sort(place, Qt.SortOrder.AscendingOrder)
        assert self._numbers(model) == [1, 2, 5, 3, 4]

    def test_the_filter_takes_words_of_any_cell(self, model: TrialModel) -> None:
        model.set_filter("gelu")
        assert self._numbers(model) == [2, 5]
        model.set_filter("done RELU")
        assert self._numbers(model) == [1, 3]
        model.set_filter("")
        assert len(model.trials) == 5

    def test_cells_carry_units_and_the_best_is_bold(self, model: TrialModel) -> None:
        index = model.index(2, self._column(model, "value"))
        assert index.data() == "80.00 %"
        assert index.data(Qt.ItemDataRole.FontRole).bold()
        assert model.index(3, self._column(model, "value")).data() == "–"
        assert model.index(0, self._column(model, "training.learning_rate")).data() == "0.0001"

    def test_it_grows_and_keeps_selection_order_and_filter(self, qtbot: QtBot) -> None:
        table = TrialTable()
        qtbot.addWidget(table)
        QAbstractItemModelTester(table.shown, QAbstractItemModelTester.FailureReportingMode.Fatal)
        events = searching()
        state = RunState()
        for event in events[:7]:
            fold(state, event)
        table.show_run(state)
        table.sortByColumn(2, Qt.SortOrder.DescendingOrder)
        with qtbot.waitSignal(table.picked) as caught:
            table.selectRow(0)
        picked = caught.args[0]
        for event in events[7:]:
            fold(state, event)
        table.show_run(state)
        assert table.chosen() == picked
        assert table.shown.trials[0].number == 3

    def test_a_trial_that_is_still_to_come_is_selected_when_it_comes(self, qtbot: QtBot, state: RunState) -> None:
        table = TrialTable()
        qtbot.addWidget(table)
        table.choose(3)
        with qtbot.assertNotEmitted(table.picked):
            table.show_run(state)
        assert table.chosen() == 3

    def test_ten_thousand_trials(self, qtbot: QtBot, desk: Desk) -> None:
        table = TrialTable()
        qtbot.addWidget(table)
        state = RunState(classes=("a", "b"))
        for i in range(1, 10_001):
            state.trials[i] = TrialState(
                i, parameters={"x": i % 97, "y": f"c{i % 3}"}, outcome="done", value=(i * 7919 % 10_000) / 10_000, ended=i
            )
        state.best_trial = max(state.trials, key=lambda n: state.trials[n].value or 0.0)
        table.show_run(state)
        table.sortByColumn(2, Qt.SortOrder.DescendingOrder)
        assert table.shown.trials[0].number == state.best_trial
        table.shown.set_filter("c2")
        assert len(table.shown.trials) == 3333
        stairs = StaircaseCard(desk, "s")
        qtbot.addWidget(stairs)
        stairs.show_run(state)
        assert len(stairs._counted.getData()[0]) == 10_000


class TestParallel:
    """Axes, scales and picking."""

    def test_axes_come_from_the_space_with_its_scales(self, state: RunState) -> None:
        rate, activation, value = axes_of(state, SPACE)
        assert rate.log
        assert rate.place(1e-4) == pytest.approx(0.0)
        assert rate.place(0.1) == pytest.approx(1.0)
        assert rate.place(10**-2.5) == pytest.approx(0.5)
        assert activation.place("gelu") == pytest.approx(0.5)
        assert activation.place("tanh") is None
        assert value.name == ""

    def test_without_a_space_the_trials_tell_the_axes(self, state: RunState) -> None:
        rate, activation, _ = axes_of(state, {})
        assert (rate.low, rate.high, rate.log) == (1e-4, 0.1, False)
        assert activation.choices == ("relu", "gelu", "silu")

    @pytest.mark.parametrize("value", [float("inf"), -1.0, 0, True, "x", None])
    def test_what_is_on_no_axis_has_no_place(self, value: object) -> None:
        log = Axis("a", "A", 1e-3, 1.0, log=True)
        assert log.place(value) is None or 0 <= (log.place(value) or 0) <= 1
        assert Axis("a", "A", 2.0, 2.0).place(2.0) == 0.5

    def test_a_line_can_be_picked(self, qtbot: QtBot, state: RunState) -> None:
        view = ParallelView()
        qtbot.addWidget(view)
        view.space = SPACE
        view.resize(600, 240)
        view.show()
        view.show_run(state)
        row = [t.number for t in view.trials].index(3)
        frame = view.frame()
        y = frame.lines(view._points)[row]
        middle = QPointF((frame.x[1] + frame.x[2]) / 2, (y[1] + y[2]) / 2)
        with qtbot.waitSignal(view.picked) as caught:
            qtbot.mouseClick(view, Qt.MouseButton.LeftButton, pos=middle.toPoint())
        assert caught.args == [3]
        assert view.trial_at(QPointF(1, 1)) is None


def test_the_timeline_has_a_row_a_worker_and_a_block_a_trial(qtbot: QtBot, state: RunState) -> None:
    view = Timeline()
    qtbot.addWidget(view)
    fold_reused(state)
    view.resize(800, view.sizeHint().height())
    view.show_run(state)
    view.resize(800, view.sizeHint().height())
    view.grab()
    assert sorted(t.number for _, t in view._blocks) == [1, 2, 3, 4, 5], "an answer from an earlier run needed no worker"
    assert len({block.top() for block, _ in view._blocks}) == 2
    block, wanted = view._blocks[2]
    assert view.trial_at(block.center()) is wanted


def fold_reused(state: RunState) -> None:
    """A sixth trial that was answered from an earlier run."""
    events: list[Event] = trial(6, (), {"training.learning_rate": 1e-3}, outcome="done", worker=0)
    for event in events:
        fold(state, event)


def test_colours_tell_good_from_bad() -> None:
    theme = current()
    low, high = bounds([0.1, 0.7, 0.8, 0.9, None])
    assert by_value(theme, high, low, high).name() == theme.accent
    assert by_value(theme, 0.1, low, high).name() == theme.grey_curve
    assert by_value(theme, None, low, high).name() == theme.line
    assert bounds([]) == (0.0, 1.0)


def test_costs_over_decades_are_named_where_there_is_room(qtbot: QtBot, desk: Desk) -> None:
    card = ParetoCard(desk, "search")
    qtbot.addWidget(card)
    axis = card.plot.getPlotItem().getAxis("bottom")
    logs = [float(at) for at in np.log10([7, 8, 9, 10, 20, 50, 200_000])]
    axis.setRange(0.0, 6.0)
    assert axis.logTickStrings(logs, 1, 1) == ["", "", "", "10", "20", "50", "200\u2009000"]
    axis.setRange(0.6, 1.2)
    assert axis.logTickStrings(logs[:4], 1, 1) == ["7", "8", "9", "10"]
