"""The search page with a made-up search: brushing with a real mouse, one selection, lessons, other spaces, own trials."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from made_search import SPACE, honest, made_search
from PySide6.QtCore import QPoint, Qt
from PySide6.QtWidgets import QApplication
from pytestqt.qtbot import QtBot

from microtome.events import SpaceChanged
from microtome.plugin import Parameter
from microtome.results.fold import RunState, fold, fold_all
from microtome.results.importance import Importance, Ranking
from microtome.results.learnt import Lesson
from microtome.results.scores import Score
from microtome.results.worker_use import worker_use
from microtome.search.recipe import parse
from microtome.search.replay import EngineReplay, Replay
from microtome.search.space import space_from_table
from microtome.session import Session
from microtome.ui import search_space
from microtome.ui.analysis import Analysis
from microtome.ui.desk import Desk
from microtome.ui.search_space import SpaceOrders, newest_space
from microtome.ui.search_sums import SearchSums
from microtome.ui.search_words import about_words
from microtome.ui.views.search.axes_dialog import OwnTrialDialog, SpaceDialog, narrowed, with_choices
from microtome.ui.views.search.board import SearchBoard
from microtome.ui.views.search.brushes import Brushes
from microtome.ui.views.search.lessons import LessonsCard, lesson_words, proposal
from microtome.ui.views.search.replay_card import ENGINES
from microtome.ui.views.search.timeline import legend_entries, use_words

_WAIT_MS = 60_000


@pytest.fixture(scope="module")
def events() -> list[Any]:
    return made_search(60)


@pytest.fixture
def quiet(qtbot: QtBot, qapp: QApplication, events: list[Any]) -> Iterator[SearchBoard]:
    """A board that has the search, but has drawn nothing."""
    desk = Desk(Session())
    made = SearchBoard(desk, "search")
    qtbot.addWidget(made)
    made.state = fold_all(events)
    yield made
    desk.deleteLater()


@pytest.fixture
def board(quiet: SearchBoard) -> SearchBoard:
    """A board that shows the search."""
    quiet.resize(1500, 1400)
    quiet.show()
    quiet.parallel.space = space()
    quiet.show_run(quiet.state)
    quiet.redraw.now()
    return quiet


def space() -> dict[str, Parameter]:
    return {p.name: p for p in space_from_table(SPACE)}


def drag(qtbot: QtBot, board: SearchBoard, axis: str, first: float, last: float) -> None:
    """Draw with the mouse along an axis, from one place to another."""
    view = board.parallel
    frame, names = view.frame(), [a.name for a in view.axes]
    x = round(float(frame.x[names.index(axis)]))
    places = [QPoint(x, round(frame.y(first + (last - first) * i / 4))) for i in range(5)]
    qtbot.mousePress(view, Qt.MouseButton.LeftButton, pos=places[0])
    for place in places[1:]:
        qtbot.mouseMove(view, place)
    qtbot.mouseRelease(view, Qt.MouseButton.LeftButton, pos=places[-1])
    settle(qtbot, board)


def settle(qtbot: QtBot, board: SearchBoard) -> None:
    qtbot.waitUntil(lambda: board.settled, timeout=_WAIT_MS)


def rows(board: SearchBoard) -> set[int]:
    return {t.number for t in board.table.shown.trials}


class TestBrushing:
    """The mouse and the keys on parallel coordinates."""

    def test_brushes_of_two_axes_and_of_one_filter_every_view(self, qtbot: QtBot, board: SearchBoard) -> None:
        trials = board.state.trials.values()
        drag(qtbot, board, "training.learning_rate", 0.5, 0.76)
        low, high = board.parallel.brushes.by_axis["training.learning_rate"][0]
        rate = space()["training.learning_rate"]
        wanted = {t.number for t in trials if low <= rate.position(t.parameters[rate.name]) <= high}
        assert 3 < len(wanted) < 40
        assert rows(board) == wanted, "the scale is logarithmic"
        drag(qtbot, board, "network.activation", 0.45, 0.55)
        gelu = {n for n in wanted if board.state.trials[n].parameters["network.activation"] == "gelu"}
        assert rows(board) == gelu
        drag(qtbot, board, "network.activation", 0.95, 0.75)
        two = {n for n in wanted if board.state.trials[n].parameters["network.activation"] != "relu"}
        assert rows(board) == two, "two brushes of one axis keep both"
        for view in (board.stairs, board.pareto, board.slice):
            assert set(view.numbers[view.seen].tolist()) == two & set(view.numbers.tolist())
        assert f"{len(two)} of" in board.brush_words.text()
        board.unbrush.click()
        settle(qtbot, board)
        assert rows(board) == set(board.state.trials)

    def test_a_brush_is_moved_by_its_middle_stretched_by_its_end_and_removed_by_a_click(
        self, qtbot: QtBot, board: SearchBoard
    ) -> None:
        name, brushes = "network.dropout", board.parallel.brushes
        drag(qtbot, board, name, 0.2, 0.5)
        drag(qtbot, board, name, 0.35, 0.55)
        low, high = brushes.by_axis[name][0]
        assert (low, high) == (pytest.approx(0.4, abs=0.03), pytest.approx(0.7, abs=0.03))
        drag(qtbot, board, name, high, 0.9)
        assert brushes.by_axis[name][0] == (pytest.approx(low, abs=0.01), pytest.approx(0.9, abs=0.03))
        view = board.parallel
        x = round(float(view.frame().x[[a.name for a in view.axes].index(name)]))
        qtbot.mouseClick(view, Qt.MouseButton.LeftButton, pos=QPoint(x, round(view.frame().y(0.6))))
        assert not brushes

    def test_the_lane_below_holds_the_trials_without_the_parameter(self, qtbot: QtBot, board: SearchBoard) -> None:
        drag(qtbot, board, "training.momentum", -0.03, -0.12)
        assert rows(board) == {t.number for t in board.state.trials.values() if "training.momentum" not in t.parameters} - {
            t.number for t in board.state.trials.values() if t.value is None and not t.ended
        }

    def test_a_title_is_dragged_to_reorder(self, qtbot: QtBot, board: SearchBoard) -> None:
        view = board.parallel
        before = [a.name for a in view.axes]
        start, end = (QPoint(round(float(view.frame().x[i])), 10) for i in (0, 3))
        qtbot.mousePress(view, Qt.MouseButton.LeftButton, pos=start)
        qtbot.mouseMove(view, end)
        qtbot.mouseRelease(view, Qt.MouseButton.LeftButton, pos=end)
        assert [a.name for a in view.axes] == [*before[1:4], before[0], *before[4:]]
        view.show_run(board.state)
        assert view.axes[3].name == before[0], "new trials keep the order"

    def test_titles_without_room_take_turns_in_two_lines(self, qtbot: QtBot, board: SearchBoard) -> None:
        view = board.parallel
        names = [a.name for a in view.axes]
        assert view.frame().title_lines == 1
        view.setFixedSize(620, 260)
        frame = view.frame()
        assert frame.title_lines == 2
        places = [frame.title_place(i) for i in range(len(names))]
        assert not any(a.intersects(b) for i, a in enumerate(places) for b in places[i + 1 :])
        held = places[1].center().toPoint()
        assert held.y() > places[0].bottom()
        qtbot.mousePress(view, Qt.MouseButton.LeftButton, pos=held)
        qtbot.mouseMove(view, QPoint(round(frame.x[4]), held.y()))
        qtbot.mouseRelease(view, Qt.MouseButton.LeftButton, pos=QPoint(round(frame.x[4]), held.y()))
        assert [a.name for a in view.axes].index(names[1]) == 4
        view.grab()

    def test_the_keyboard_brushes(self, qtbot: QtBot, board: SearchBoard) -> None:
        view = board.parallel
        view.setFocus()
        for key in (Qt.Key.Key_Right, Qt.Key.Key_Space, Qt.Key.Key_Down):
            qtbot.keyClick(view, key)
        name = view.axes[1].name
        assert view.brushes.by_axis[name] == [(pytest.approx(2 / 3 - 0.05), pytest.approx(0.95))]
        qtbot.keyClick(view, Qt.Key.Key_Right, Qt.KeyboardModifier.ControlModifier)
        assert view.axes[2].name == name
        qtbot.keyClick(view, Qt.Key.Key_Escape)
        assert not view.brushes

    @given(st.lists(st.tuples(st.floats(-0.2, 1.2), st.floats(-0.2, 1.2)), max_size=5), st.floats(-3, 3))
    def test_stretches_are_ordered_and_stay_on_the_axis(self, drawn: list[tuple[float, float]], by: float) -> None:
        brushes = Brushes()
        for first, last in drawn:
            index = brushes.add("a", first, last)
            if index is not None:
                low, high = brushes.by_axis["a"][index]
                brushes.move("a", index, by)
                assert brushes.by_axis["a"][index][1] - brushes.by_axis["a"][index][0] == pytest.approx(high - low)
        assert all(-0.13 <= low < high <= 1.0 + 1e-9 for low, high in brushes.by_axis.get("a", []))


def test_what_is_picked_in_one_view_is_chosen_in_all(qtbot: QtBot, board: SearchBoard) -> None:
    board.picked.connect(lambda n: board.choose(n, by_user=True))
    x, y = board.pareto.places[4]
    board.pareto.plot.picked.emit(x, y)
    chosen = board.chosen
    assert chosen is not None
    assert board.pareto.places[board.pareto.numbers == chosen].tolist() == [[x, y]]
    for view in (board.stairs, board.curves, board.parallel, board.timeline, board.slice, board.pareto):
        assert view._chosen == chosen
    assert board.table.chosen() == chosen
    assert str(chosen) in board.trial.title.text()


def test_a_pinned_trial_stays_at_the_top_through_order_filter_and_brush(qtbot: QtBot, board: SearchBoard) -> None:
    board.table.choose(20)
    qtbot.keyClick(board.table, Qt.Key.Key_P)
    board.table.sortByColumn(2, Qt.SortOrder.DescendingOrder)
    board.filter.setText("nothing has this word")
    assert [t.number for t in board.table.shown.trials] == [20]
    board.filter.setText("")
    drag(qtbot, board, "network.dropout", 0.5, 0.52)
    assert board.table.shown.trials[0].number == 20
    assert board.table.shown.index(0, 0).data() == "▲ 20"
    board.table.pin_chosen()
    assert board.table.shown.pinned == []


def test_special_trials_are_marked_and_the_workers_use_is_said(board: SearchBoard) -> None:
    legend = " ".join(board.stairs.legend.texts())
    kinds = {
        "went on": any(t.promotions for t in board.state.trials.values()),
        "begun early": any(t.speculative for t in board.state.trials.values()),
        "waiting": any(t.outcome == "paused" for t in board.state.trials.values()),
    }
    assert any(kinds.values())
    assert all((words in legend) == there for words, there in kinds.items())
    words = use_words(worker_use(board.state))
    assert "4 workers were busy" in words
    assert use_words(worker_use(RunState())) == ""


def test_the_parameter_plot_has_its_own_scale_and_strips_for_choices(board: SearchBoard) -> None:
    card = board.slice
    card.show_parameter("training.learning_rate")
    x = dict(zip(card.numbers.tolist(), card.places[:, 0].tolist(), strict=True))
    one = board.state.trials[next(iter(x))]
    assert x[one.number] == pytest.approx(space()["training.learning_rate"].position(one.parameters["training.learning_rate"]))
    card.show_parameter("network.activation")
    strips = {
        board.state.trials[n].parameters["network.activation"]: int(3 * at)
        for n, (at, _) in zip(card.numbers, card.places, strict=True)
    }
    assert strips == {"relu": 0, "gelu": 1, "silu": 2}


def test_the_honest_ranking_appears_with_its_events(quiet: SearchBoard) -> None:
    board = quiet
    assert board.ranking.isHidden()
    *again, ranked = honest([12, 17, 20])
    for event in again:
        fold(board.state, event)
    board.ranking.show_run(board.state)
    assert "Under way" in board.ranking.words.text()
    fold(board.state, ranked)
    board.ranking.show_run(board.state)
    assert not board.ranking.isHidden()
    assert [(b.key, b.strong) for b in board.ranking.bars.bars] == [("12", True), ("17", True), ("20", False)]
    assert "tied" in board.ranking.words.text()


LESSONS = [
    Lesson("fails-above", "training.learning_rate", 1e-4, 200, low=1e-5, high=0.0305, count=9, total=11),
    Lesson("best-between", "training.learning_rate", 0.004, 120, low=1e-4, high=0.02),
    Lesson("worse-choices", "network.activation", 0.003, 120, value="gelu", choices=("relu", "gelu"), worse=("silu",)),
    Lesson("worse-choices", "training.optimizer", 0.003, 120, value="adam", choices=("adam",), worse=("sgd",)),
    Lesson("no-difference", "network.dropout", 0.61, 120, value=0.44),
]


def test_lessons_are_sentences_with_one_button_each(qtbot: QtBot) -> None:
    card = LessonsCard()
    qtbot.addWidget(card)
    card.show_lessons(LESSONS)
    card.allow("not now")
    assert [b.isEnabled() for b in card.buttons] == [False] * 5
    assert card.buttons[0].toolTip() == "not now"
    card.allow("")
    said: list[tuple[Any, ...]] = []
    card.frozen.connect(lambda *a: said.append(("freeze", *a)))
    card.narrowed.connect(lambda *a: said.append(("narrow", *a)))
    card.kept_choices.connect(lambda *a: said.append(("keep", *a)))
    for made in card.buttons:
        made.click()
    assert said == [
        ("narrow", "training.learning_rate", 1e-5, 0.0305),
        ("narrow", "training.learning_rate", 1e-4, 0.02),
        ("keep", "network.activation", ("relu", "gelu")),
        ("freeze", "training.optimizer", "adam"),
        ("freeze", "network.dropout", 0.44),
    ]
    assert lesson_words(LESSONS[0]) == "Learning rate above 0.03 failed in 9 of 11 trials (p < 0.001)."
    assert lesson_words(LESSONS[4]) == "Dropout made no difference here (p = 0.61, n = 120)."
    assert "silu did worse than gelu" in lesson_words(LESSONS[2])
    words = ["Search up to 0.03", "Search 0.0001 – 0.02", "Leave out silu", "Freeze at adam", "Freeze at 0.44"]
    assert [proposal(m) for m in LESSONS] == words


def test_importance_is_shown_with_its_interval_and_number_of_trials(qtbot: QtBot) -> None:
    card = LessonsCard()
    qtbot.addWidget(card)
    card.show_waiting(9)
    assert "from 15 on" in card.foot.text()
    assert card.learnt.isHidden(), "nothing stands below it yet"
    shares = (Importance("training.learning_rate", 0.8, 0.7, 0.9), Importance("network.dropout", 0.01, 0.0, 0.05))
    card.show_ranking(Ranking(shares, 120, 0.83))
    assert [b.words for b in card.bars.bars] == ["80 % (70–90)", "1 % (0–5)"]
    assert [b.strong for b in card.bars.bars] == [True, False]
    assert "n = 120" in card.foot.text()


class TestSpace:
    """Orders that change the space, and trials of one's own."""

    @pytest.fixture
    def sent(self) -> list[tuple[str, dict[str, Any]]]:
        return []

    @pytest.fixture
    def orders(self, quiet: SearchBoard, sent: list[tuple[str, dict[str, Any]]]) -> SpaceOrders:
        made = SpaceOrders(quiet.desk, quiet, lambda command, **rest: sent.append((command, json.loads(json.dumps(rest)))))
        classes = [{"name": name, "simulate": {"kind": "rnd", "seed": 1}} for name in ("a", "b")]
        made.take(parse({"class": classes, "search": {"space": SPACE}}))
        return made

    def test_one_click_narrows_keeps_and_freezes(self, orders: SpaceOrders, quiet: SearchBoard, sent: list[Any]) -> None:
        quiet.lessons.show_lessons(LESSONS)
        for made in quiet.lessons.buttons[1:]:
            made.click()
        tables = [rest["table"] for _, rest in sent]
        assert {command for command, _ in sent} == {"space"}
        assert (tables[0]["training.learning_rate"]["low"], tables[0]["training.learning_rate"]["high"]) == (1e-4, 0.02)
        assert tables[1]["network.activation"] == ["relu", "gelu"]
        assert sent[3][1]["fixed"] == {"training.optimizer": "adam", "network.dropout": 0.44}, (
            "an unanswered order is not undone"
        )
        assert tables[3]["network.activation"] == ["relu", "gelu"]
        assert not {"network.dropout", "training.optimizer"} & set(tables[3])
        for table in tables:
            space_from_table({n: a for n, a in table.items() if n != "training.momentum" or "training.optimizer" in table})

    def test_an_edited_space_is_where_the_next_edit_begins(
        self, orders: SpaceOrders, quiet: SearchBoard, sent: list[Any]
    ) -> None:
        smaller = {"network.dense": {"low": 0, "high": 4}, "network.width": SPACE["network.width"]}
        fold(quiet.state, SpaceChanged(table=smaller, fixed={"network.dropout": 0.5}))
        orders.narrow("network.dense", 0.7, 2.2)
        assert sent[-1][1]["table"]["network.dense"] == {"low": 0, "high": 3}
        assert sent[-1][1]["fixed"] == {"network.dropout": 0.5}, "what was frozen stays frozen"
        assert orders.recipe is not None
        assert set(newest_space(orders.recipe, quiet.state)) == set(SPACE), "earlier trials keep their scales"

    def test_what_an_axis_depended_on_may_be_gone(self, orders: SpaceOrders, quiet: SearchBoard) -> None:
        table = {"network.dense": [0, 1], "network.dense_width": {"low": 16, "high": 64, "when": {"network.dense": [1]}}}
        orders.take(parse({"search": {"space": table}}))
        fold(quiet.state, SpaceChanged(table={"network.dense": [0]}, fixed={"network.dense_width": 32}))
        assert orders.recipe is not None
        assert set(newest_space(orders.recipe, quiet.state)) == set(table)

    def test_engines_are_compared_in_the_space_as_it_is_now(self, orders: SpaceOrders, quiet: SearchBoard) -> None:
        table = {"training.learning_rate": {"low": 1e-4, "high": 1e-1, "log": True}, "network.dense": [0, 1, 2]}
        orders.take(parse({"search": {"space": table}}))
        narrow = {"training.learning_rate": {"low": 1e-3, "high": 1e-1, "log": True}, "training.batch_size": [16, 32]}
        fold(quiet.state, SpaceChanged(table=narrow, fixed={"network.dense": 1}))
        points = [{"training.learning_rate": rate, "network.dense": 2} for rate in (1e-4, 2e-3)]
        space, found = orders.within([(points[0], 0.3), (points[1], 0.7)])
        assert [axis.name for axis in space] == list(narrow)
        assert found == [({"training.learning_rate": 2e-3, "training.batch_size": 32}, 0.7)], "the other lies outside"

    def test_what_a_lesson_asks_for_is_said_where_it_is_so_already(self, orders: SpaceOrders, quiet: SearchBoard) -> None:
        card = quiet.lessons
        card.show_lessons(LESSONS)
        card.allow("", orders.heeded)
        assert [made.isEnabled() for made in card.buttons] == [True] * 5
        table = {**SPACE, "training.learning_rate": {"low": 2e-4, "high": 0.02, "log": True}, "network.activation": ["gelu"]}
        del table["network.dropout"]
        fold(quiet.state, SpaceChanged(table=table, fixed={"network.dropout": 0.5}))
        card.allow("", orders.heeded)
        assert [made.isEnabled() for made in card.buttons] == [False, False, False, True, False]
        assert card.buttons[1].text() == "searched in 0.0002 … 0.02"
        assert card.buttons[4].text() == "frozen at 0.5"

    def test_a_lesson_never_widens_what_is_narrower_already(
        self, orders: SpaceOrders, quiet: SearchBoard, sent: list[Any]
    ) -> None:
        table = {
            **SPACE,
            "training.learning_rate": {"low": 1e-3, "high": 0.1, "log": True},
            "network.activation": ["silu", "gelu"],
        }
        fold(quiet.state, SpaceChanged(table=table))
        orders.narrow("training.learning_rate", 1e-5, 0.0305)
        narrower = sent[-1][1]["table"]["training.learning_rate"]
        assert (narrower["low"], narrower["high"]) == (1e-3, 0.0305)
        orders.keep_choices("network.activation", ("relu", "gelu"))
        assert sent[-1][1]["table"]["network.activation"] == ["gelu"]

    def test_the_last_free_parameter_is_not_frozen(self, orders: SpaceOrders, quiet: SearchBoard, sent: list[Any]) -> None:
        fold(quiet.state, SpaceChanged(table={"network.dense": {"low": 0, "high": 4}}))
        orders.freeze("network.dense", 2)
        assert sent == []
        assert "must stay free" in quiet.desk.messages[-1].text

    def test_it_says_why_it_cannot(self, orders: SpaceOrders, monkeypatch: pytest.MonkeyPatch) -> None:
        assert "is finished" in orders.reason(active=False)
        orders.board.state.state = "stopped"
        assert "“Continue”" in orders.reason(active=False)
        monkeypatch.setattr(search_space, "OBEYED", frozenset({"pause"}))
        assert "does not take this order" in orders.reason(active=True)
        monkeypatch.setattr(search_space, "OBEYED", frozenset({"space", "trial"}))
        assert orders.reason(active=True, order="trial") == ""

    def test_the_space_form_reads_every_kind_of_edit(self, qtbot: QtBot, quiet: SearchBoard) -> None:
        best = quiet.state.best
        assert best is not None
        addable = {"training.label_smoothing": ({"low": 0.0, "high": 0.2, "log": False}, 0.0)}
        dialog = SpaceDialog(quiet, dict(SPACE), space(), best.parameters, addable)
        qtbot.addWidget(dialog)
        assert not dialog.accept_button.isEnabled(), "nothing is changed yet"
        by_name = {made.axis.name: made for made in dialog.rows}
        by_name["network.dropout"].high.setText("0.2")
        by_name["network.dense"].freeze.setChecked(True)
        by_name["network.activation"].ticks[2][1].setChecked(False)
        dialog.add.choose("training.label_smoothing")
        assert dialog.accept_button.isEnabled()
        assert dialog.table["network.dropout"]["high"] == 0.2
        assert dialog.table["network.activation"] == ["relu", "gelu"]
        assert dialog.fixed == {"network.dense": best.parameters["network.dense"]}
        assert dialog.defaults == {"training.label_smoothing": 0.0}
        space_from_table(dialog.table)
        by_name["network.width"].low.setText("many")
        assert "not a value" in dialog.problem.text()
        assert not dialog.accept_button.isEnabled()

    def test_an_own_trial_leaves_out_what_does_not_exist(self, qtbot: QtBot, quiet: SearchBoard) -> None:
        dialog = OwnTrialDialog(quiet, space(), {"training.optimizer": "sgd", "training.momentum": 0.8, "network.width": 32})
        qtbot.addWidget(dialog)
        assert dialog.parameters["training.momentum"] == 0.8
        dialog.lines["training.optimizer"]._choice.choose("adam")
        assert "training.momentum" not in dialog.parameters
        assert set(dialog.parameters) == set(SPACE) - {"training.momentum"}
        dialog.lines["network.width"]._line.setText("")
        assert not dialog.accept_button.isEnabled()

    def test_tables_keep_their_conditions(self) -> None:
        assert narrowed(SPACE, "training.momentum", 0.6, 0.9)["training.momentum"]["when"] == {"training.optimizer": ["sgd"]}
        table = {"a": {"choices": [1, 2], "when": {"b": [True]}}}
        assert with_choices(table, "a", (1,)) == {"a": {"choices": [1], "when": {"b": [True]}}}


@pytest.fixture
def analysis(quiet: SearchBoard) -> Iterator[Analysis]:
    made = Analysis(quiet)
    yield made
    made.close()


def test_a_question_is_answered_by_a_process_and_a_failure_is_said(qtbot: QtBot, analysis: Analysis) -> None:
    found: list[Any] = []
    shares: list[float] = []
    axis = [{"x": 0.1 * i} for i in range(20)]
    trials = [(p, -abs(p["x"] - 0.7)) for p in axis]
    box = space_from_table({"x": {"low": 0.0, "high": 2.0, "type": "float"}})
    arguments = {"trials": trials, "space": box, "engines": ["random"], "seeds": [0, 1], "budget": 10}
    analysis.ask("a", "microtome.search.replay:replay_engines", arguments, found.append, progress=shares.append)
    short = {**arguments, "trials": trials[:3]}
    analysis.ask("b", "microtome.search.replay:replay_engines", short, found.append, failed=found.append)
    assert analysis.busy("b")
    qtbot.waitUntil(lambda: len(found) == 2, timeout=_WAIT_MS)
    assert isinstance(found[0], Replay)
    assert shares[-1] == 1.0
    assert "15 are needed" in found[1]
    qtbot.waitUntil(lambda: analysis.idle, timeout=_WAIT_MS)


def test_a_cancelled_question_never_lands(qtbot: QtBot, analysis: Analysis) -> None:
    landed: list[Any] = []
    box = space_from_table({"x": {"low": 0.0, "high": 1.0, "type": "float"}})
    trials = [({"x": i / 20}, float(i)) for i in range(20)]
    long = {"trials": trials, "space": box, "engines": ["random"], "seeds": list(range(100_000)), "budget": 20}
    analysis.ask("a", "microtome.search.replay:replay_engines", long, landed.append)
    analysis.cancel("a")
    quick = {**long, "seeds": [0]}
    analysis.ask("a", "microtome.search.replay:replay_engines", quick, landed.append, failed=landed.append)
    qtbot.waitUntil(lambda: len(landed) == 1, timeout=_WAIT_MS)
    assert len(landed[0].engines[0].curves) == 1


def test_a_replay_is_a_table_and_a_fan(quiet: SearchBoard) -> None:
    fast = EngineReplay("tpe", ((0.5, 0.8, 0.9), (0.6, 0.9, 0.9)), (3, 2))
    slow = EngineReplay("random", ((0.5, 0.6, 0.7), (0.5, 0.5, 0.7)), (None, None))
    quiet.replay.show_replay(Replay((fast, slow), 0.9, 0.89, 60, 3, {"grid": "It cannot."}), Score())
    assert [b.words for b in quiet.replay.bars.bars] == ["2 (2 – 3)", "> 3"]
    _, y = quiet.replay.plot.lines["tpe"].getData()
    assert y.tolist() == pytest.approx([55, 85, 90])
    assert "It cannot." in quiet.replay.words.text()
    (_, (low, high)) = quiet.replay.plot.getPlotItem().vb.viewRange()
    assert low < 70 and high > 90, "where the engines differ is seen"
    header, table = quiet.replay._table()
    assert header == ["trials", "tpe_seed_0", "tpe_seed_1", "random_seed_0", "random_seed_1"]
    assert table[2] == [3, 0.9, 0.9, 0.7, 0.7]


def test_the_searchs_own_engine_is_replayed_beside_the_others(quiet: SearchBoard) -> None:
    sums = SearchSums(quiet)
    assert sums._engines() == list(ENGINES)
    sums.engine = "auto"
    assert sums._engines() == ["auto", *ENGINES]
    sums.engine = "tpe"
    assert sums._engines() == list(ENGINES)
    auto = EngineReplay("auto", ((0.5, 0.8, 0.9, 0.9, 0.9),), (3,))
    quiet.replay.show_replay(Replay((auto,), 0.9, 0.89, 60, 5), Score())
    assert quiet.replay.legend.texts() == ["Automatic 3"]
    sums.analysis.close()


def test_the_front_of_a_search_with_two_objectives_stands_beside_the_staircase(board: SearchBoard) -> None:
    pareto, curves = board.pareto.geometry().topLeft(), board.curves.geometry().topLeft()
    board.front_first("parameters")
    QApplication.processEvents()
    assert board.pareto.cost.value() == "parameters"
    assert board.pareto.geometry().top() == board.stairs.geometry().top() != pareto.y()
    assert curves != board.curves.geometry().topLeft()


def test_what_a_search_is_after_is_said_in_a_line() -> None:
    classes = [{"name": name, "simulate": {"kind": "rnd", "seed": 1}} for name in ("a", "b")]
    plain = {"class": classes, "training": {"epochs": 9}, "search": {"space": SPACE}}
    words = about_words(parse(plain))
    assert words == "Engine: Automatic · Value: mean accuracy of the classes on the validation set · 9 epochs a trial"
    search = {"space": SPACE, "algorithm": "nsga2", "second": "parameters", "objective": "worst", "early_stopping": "asha"}
    words = about_words(parse({**plain, "search": search}))
    assert "NSGA-II" in words and "accuracy of the worst class" in words
    assert words.endswith("Early stopping: ASHA: wait · Second objective: network weights")
    assert about_words(parse({"class": classes})) == ""


def test_marks_and_colours_of_the_workers_have_a_legend_that_explains_itself(board: SearchBoard) -> None:
    assert board.marks.texts() == ["low value", "high value", "failed", "went on", "begun early", "dropped"]
    strip = board.stairs.legend
    strip.resize(400, 80)
    places = strip._places(strip.width())[0]
    tips = dict(zip(strip.texts(), [strip.tip_at(place.center()) for place in places], strict=True))
    assert "fewer epochs" in tips["stopped early"] and "checkpoint" in tips["went on"] and tips["best so far"] == ""
    assert legend_entries(RunState()) == []


def test_nothing_is_worked_out_before_the_scales_are_known(quiet: SearchBoard) -> None:
    sums = SearchSums(quiet)
    sums.show_run(quiet.state)
    assert sums.analysis.idle
    quiet.state = RunState()
    sums.show_run(quiet.state)
    assert "0 trials ran to their end" in quiet.lessons.foot.text()
    sums.analysis.close()
