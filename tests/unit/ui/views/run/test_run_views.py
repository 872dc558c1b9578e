"""The views of one training: curves, legend, confusion matrix, verdict, and what can be saved of them."""

from __future__ import annotations

import csv
import math
import xml.etree.ElementTree as ElementTree
from pathlib import Path

import msgspec
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from journals import CLASSES, epoch, evaluated, training
from PySide6.QtCore import QObject, QPoint, Qt
from PySide6.QtGui import QGuiApplication, QImage
from PySide6.QtWidgets import QLabel
from pytestqt.qtbot import QtBot

from microtome.errors import FileError
from microtome.results.fold import TrialState, fold_all
from microtome.ui.desk import Desk
from microtome.ui.views.legend import LegendEntry, LegendStrip
from microtome.ui.views.redraw import Redraw
from microtome.ui.views.run.confusion import ConfusionView
from microtome.ui.views.run.curves import accuracy_card, class_card, loss_card, rate_card, smoothed
from microtome.ui.views.run.verdict import IntervalBar, Verdict
from microtome.ui.views.saving import save_png, save_svg


@pytest.fixture
def trial() -> TrialState:
    return fold_all(training()).trials[1]


def test_curves_show_the_epochs_and_mark_the_best(qtbot: QtBot, desk: Desk, trial: TrialState) -> None:
    card = loss_card(desk, "run")
    qtbot.addWidget(card)
    card.show_trial(trial, CLASSES)
    card.show_best()
    x, y = card.plot.lines["Validation"].getData()
    assert x.tolist() == [1, 2, 3, 4]
    assert y.tolist() == pytest.approx([1.2, 0.6, 0.4, 0.3])
    assert card.legend.texts() == ["Training 0.2500", "Validation 0.3000"]
    assert card.plot._marks["best"].value() == 3


def test_a_lost_loss_is_a_gap_not_a_zero(qtbot: QtBot, desk: Desk) -> None:
    card = loss_card(desk, "run")
    qtbot.addWidget(card)
    losses = (1.0, None, 0.5)
    card.show_trial(TrialState(1, epochs=[epoch(1, i, accuracy=0.5, train=v, validation=v) for i, v in enumerate(losses)]))
    _, y = card.plot.lines["Training"].getData()
    assert math.isnan(y[1])
    card.plot.hovered.emit(2.2)
    assert card.legend.texts()[0] == "Training –"


def test_a_single_epoch_is_a_dot_until_there_is_a_line(qtbot: QtBot, desk: Desk, trial: TrialState) -> None:
    card = loss_card(desk, "run")
    qtbot.addWidget(card)
    card.show()
    for losses, symbol in (((None,), None), ((1.0,), "o"), ((1.0, 0.5), None)):
        epochs = [epoch(1, i, accuracy=0.5, train=v, validation=v) for i, v in enumerate(losses)]
        card.show_trial(TrialState(1, epochs=epochs))
        card.grab()
        assert card.plot.lines["Validation"].opts["symbol"] == symbol


def test_the_legend_reads_out_the_epoch_under_the_mouse(qtbot: QtBot, desk: Desk, trial: TrialState) -> None:
    card = accuracy_card(desk, "run")
    qtbot.addWidget(card)
    card.show_trial(trial, CLASSES)
    card.plot.hovered.emit(1.4)
    assert card.legend.texts()[1] == "Validation 50.0 %"
    card.plot.hovered.emit(99.0)
    assert card.legend.texts()[1] == "Validation 80.0 %"
    card.plot.hovered.emit(None)
    assert card.legend.texts()[1] == "Validation 80.0 %"


def test_every_class_has_a_line_of_its_own(qtbot: QtBot, desk: Desk, trial: TrialState) -> None:
    card = class_card(desk, "run", CLASSES)
    qtbot.addWidget(card)
    card.show_trial(trial, CLASSES)
    pens = [card.plot.lines[name].opts["pen"] for name in CLASSES]
    assert len({(p.color().name(), p.style()) for p in pens}) == 3
    assert len({p.style() for p in pens}) == 3, "told apart without colour, too"
    _, y = card.plot.lines[CLASSES[0]].getData()
    assert y[2] == pytest.approx(95.0)


def test_smoothing_keeps_the_raw_line(qtbot: QtBot, desk: Desk, trial: TrialState) -> None:
    card = loss_card(desk, "run")
    qtbot.addWidget(card)
    card.show_trial(trial, CLASSES)
    assert not card.plot.lines["Validation raw"].isVisible()
    card.set_smoothing(0.8)
    _, raw = card.plot.lines["Validation raw"].getData()
    _, smooth = card.plot.lines["Validation"].getData()
    assert card.plot.lines["Validation raw"].isVisible()
    assert np.ptp(smooth) < np.ptp(raw)


@given(st.lists(st.floats(-10, 10) | st.just(math.nan), max_size=30), st.floats(0, 0.95))
def test_smoothing_stays_within_the_values(values: list[float], weight: float) -> None:
    data = np.array(values, dtype=float)
    out = smoothed(data, weight)
    assert np.array_equal(np.isnan(out), np.isnan(data))
    known = data[~np.isnan(data)]
    if len(known):
        assert out[~np.isnan(out)][0] == pytest.approx(known[0])
        assert np.nanmin(out) >= known.min() - 1e-9
        assert np.nanmax(out) <= known.max() + 1e-9


def test_a_constant_learning_rate_lies_in_the_middle(qtbot: QtBot, desk: Desk, trial: TrialState) -> None:
    card = rate_card(desk, "run")
    qtbot.addWidget(card)
    card.show_trial(trial, CLASSES)
    low, high = card.plot.getPlotItem().vb.viewRange()[1]
    assert low < 1e-3 < high
    assert (low + high) / 2 == pytest.approx(1e-3, rel=0.01)


def test_a_log_axis_and_a_plain_one(qtbot: QtBot, desk: Desk, trial: TrialState) -> None:
    card = loss_card(desk, "run")
    qtbot.addWidget(card)
    card.show_trial(trial, CLASSES)
    card.plot.set_log(y=True)
    _, y = card.plot.lines["Validation"].getData()
    assert y.tolist() == pytest.approx(np.log10([1.2, 0.6, 0.4, 0.3]).tolist())
    card.plot.set_log(y=False)
    assert card.plot.lines["Validation"].getData()[1][0] == pytest.approx(1.2)


def test_the_legend_wraps_and_never_hides_an_entry(qtbot: QtBot) -> None:
    strip = LegendStrip([LegendEntry(f"class {i}", "#123456", value="50.0 %") for i in range(9)])
    qtbot.addWidget(strip)
    strip.show()
    strip.resize(900, 20)
    wide = strip.minimumHeight()
    strip.resize(200, 20)
    assert strip.minimumHeight() > wide
    places, height = strip._places(200)
    assert all(place.right() <= 200 for place in places)
    assert height == strip.minimumHeight()


def test_a_cell_of_the_confusion_matrix_can_be_clicked_and_reached_by_keys(qtbot: QtBot) -> None:
    view = ConfusionView(clickable=True)
    qtbot.addWidget(view)
    view.resize(400, 300)
    view.show_matrix(CLASSES, evaluated(1).confusion)
    view.show()
    with qtbot.waitSignal(view.picked) as caught:
        qtbot.mouseClick(view, Qt.MouseButton.LeftButton, pos=view.centre_of(1, 0).toPoint())
    assert caught.args == [1, 0]
    with qtbot.waitSignal(view.picked) as caught:
        qtbot.keyClick(view, Qt.Key.Key_Down)
    assert caught.args == [2, 0]
    qtbot.mouseClick(view, Qt.MouseButton.LeftButton, pos=QPoint(1, 1))
    assert view.chosen == (2, 0), "a click beside the cells changes nothing"


def test_cells_show_row_shares_or_counts(qtbot: QtBot) -> None:
    view = ConfusionView()
    qtbot.addWidget(view)
    view.show_matrix(("a", "b"), ((3, 1), (0, 0)))
    assert view.cell_text(0, 0) == "75.0"
    assert view.cell_text(1, 0) == "–", "a class without images has no shares"
    view.show_shares(False)
    assert view.cell_text(0, 1) == "1"


@pytest.mark.parametrize("classes", [1, 2, 12, 40])
def test_any_number_of_classes_is_painted_inside(qtbot: QtBot, classes: int) -> None:
    view = ConfusionView(clickable=True)
    qtbot.addWidget(view)
    names = [f"a class with a long name {i}" for i in range(classes)]
    view.show_matrix(names, tuple(tuple(int(i == j) for j in range(classes)) for i in range(classes)))
    view.resize(max(500, view.minimumSizeHint().width()), max(400, view.minimumSizeHint().height()))
    view.grab()
    corner = view.centre_of(classes - 1, classes - 1)
    assert view.rect().contains(corner.toPoint())
    assert view.cell_at(corner) == (classes - 1, classes - 1)


def test_the_verdict_tells_accuracy_interval_n_classes_baseline_and_independence(qtbot: QtBot) -> None:
    verdict = Verdict()
    qtbot.addWidget(verdict)
    assert verdict.isHidden()
    verdict.show_result(evaluated(1))
    words = " ".join(made.text() for made in verdict.findChildren(QLabel))
    for part in ("90.0 %", "84.0 % – 94.0 %, n = 150", "45 / 50", "78.6 % – 95.7 %", "share no voxel", "come from 3 volumes"):
        assert part in words
    assert "80.0 % (73.0 % – 86.0 %) radial spectrum + logistic regression · 70.0 % (62.0 % – 77.0 %) HOG + SVM" in words
    assert "Better than HOG + SVM and radial spectrum + logistic regression" in words
    assert len(verdict.findChildren(IntervalBar)) == 3
    verdict.show_result(None)
    assert verdict.isHidden()


@pytest.mark.parametrize(
    ("gains", "said"),
    [
        ({"HOG + SVM": (0.01, -0.02, 0.04)}, "Not shown to be better than HOG + SVM"),
        ({"HOG + SVM": (-0.1, -0.2, -0.01)}, "HOG + SVM did better on the same images"),
        ({}, ""),
    ],
)
def test_the_verdict_calls_no_network_good_that_a_baseline_matches(
    qtbot: QtBot, gains: dict[str, tuple[float, float, float]], said: str
) -> None:
    verdict = Verdict()
    qtbot.addWidget(verdict)
    verdict.show_result(msgspec.structs.replace(evaluated(1), baseline_gains=gains, baseline_images=90))
    words = " ".join(made.text() for made in verdict.findChildren(QLabel))
    assert said in words
    assert "On 90 of the same images: 80.0 %" in words
    assert "Better than" not in words


def test_views_are_saved_as_png_svg_and_numbers(qtbot: QtBot, desk: Desk, trial: TrialState, tmp_path: Path) -> None:
    card = class_card(desk, "run", CLASSES)
    qtbot.addWidget(card)
    card.resize(400, 300)
    card.show_trial(trial, CLASSES)
    card.show()
    save_png(card, tmp_path / "a.png")
    image = QImage(str(tmp_path / "a.png"))
    assert (image.width(), image.height()) == (1200, 900)
    colours = {image.pixelColor(x, y).name() for x in range(0, 1200, 3) for y in range(0, 900, 3)}
    assert len(colours) > 5
    save_svg(card, tmp_path / "a.svg")
    root = ElementTree.parse(tmp_path / "a.svg").getroot()
    drawn = [e for e in root.iter() if e.tag.endswith(("polyline", "path"))]
    assert len(drawn) > 3, "lines stay lines, they are no picture"
    card.savers.copy_numbers()
    rows = list(csv.reader(QGuiApplication.clipboard().text().splitlines(), delimiter="\t"))
    assert rows[0][0] == "epoch"
    assert len(rows) == 5


def test_a_picture_that_cannot_be_written_is_a_sentence(qtbot: QtBot, desk: Desk, tmp_path: Path) -> None:
    card = loss_card(desk, "run")
    qtbot.addWidget(card)
    for save in (save_png, save_svg):
        with pytest.raises(FileError, match="nowhere"):
            save(card, tmp_path / "nowhere" / "a.out")


def test_one_view_is_drawn_a_beat_and_only_its_newest_request(qtbot: QtBot) -> None:
    owner = QObject()
    redraw = Redraw(owner)
    drawn: list[str] = []
    redraw.ask("a", lambda: drawn.append("a, old"))
    redraw.ask("b", lambda: drawn.append("b"))
    redraw.ask("a", lambda: drawn.append("a"))
    assert drawn == [], "never at once"
    qtbot.waitUntil(lambda: redraw.idle)
    assert drawn == ["a", "b"]
