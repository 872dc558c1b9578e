"""Tables of a run: columns that differ, ranking, CSV that reads back."""

from __future__ import annotations

import csv
import io

import pytest
from hypothesis import given
from hypothesis import strategies as st
from journals import CLASSES, searching, training

from microtome.events import EpochEnded
from microtome.results.export import csv_text
from microtome.results.fold import TrialState, fold_all
from microtome.results.tables import (
    cell,
    columns,
    confusion_rows,
    current_value,
    history_rows,
    ranked,
    share,
    short,
    trial_rows,
    varied,
)


def test_only_parameters_that_differ_are_columns() -> None:
    state = fold_all(searching())
    names = varied(state.trials.values())
    assert names == ["training.learning_rate", "network.activation"]
    assert [c.key for c in columns(names)][3:5] == names


def test_a_single_trial_shows_all_its_parameters() -> None:
    assert varied([TrialState(1, parameters={"a": 1, "b": 2})]) == ["a", "b"]
    assert varied([]) == []


def test_settings_are_named_as_in_the_forms() -> None:
    assert short("training.optimizer") == "Optimiser"
    assert short("network.dense") == "Dense layers"
    assert short("network.of_a_lost_plugin") == "Of a lost plugin"


def test_ranking_counts_only_trials_with_a_value() -> None:
    state = fold_all(searching())
    assert [t.number for t in ranked(state)] == [3, 5, 2, 1]


def test_a_running_trial_shows_its_best_so_far() -> None:
    state = fold_all(training(finished=False))
    trial = state.trials[1]
    assert trial.value is None
    assert current_value(trial) == max(e.validation_accuracy for e in trial.epochs)
    assert current_value(TrialState(1)) is None
    assert cell(TrialState(1, outcome="running"), "seconds") is None


def test_history_counts_epochs_from_one_and_has_every_class() -> None:
    header, rows = history_rows(fold_all(training()).trials[1], CLASSES)
    assert [r[0] for r in rows] == [1, 2, 3, 4]
    third = dict(zip(header, rows[2], strict=True))
    assert third["accuracy_cement"] == pytest.approx(0.95)
    assert third["train_loss"] == pytest.approx(1 / 3)


def test_all_parameters_are_in_the_csv_of_the_trials() -> None:
    header, rows = trial_rows(fold_all(searching()))
    assert "network.dense" in header
    assert [row[0] for row in rows] == [1, 2, 3, 4, 5]
    assert rows[3][header.index("value")] is None


def test_shares_of_nothing_are_unknown() -> None:
    assert share(None) is None
    assert share((0, 0)) is None
    assert share((1, 4)) == 0.25


def test_a_confusion_matrix_as_rows() -> None:
    epoch = fold_all(training()).trials[1].epochs[0]
    assert isinstance(epoch, EpochEnded)
    header, rows = confusion_rows(CLASSES, epoch.confusion)
    assert header[1:] == list(CLASSES)
    assert [row[0] for row in rows] == list(CLASSES)
    assert all(sum(row[1:]) == 100 for row in rows)


_NO_SURROGATES = st.text(st.characters(codec="utf-8", exclude_characters="\r"), max_size=20)


@given(st.lists(st.lists(_NO_SURROGATES | st.floats(allow_nan=False) | st.none(), min_size=2, max_size=2), max_size=5))
def test_csv_reads_back(rows: list[list[str | float | None]]) -> None:
    text = csv_text(["a", "b,“c”\n"], rows)
    header, *back = list(csv.reader(io.StringIO(text, newline="")))
    assert header == ["a", "b,“c”\n"]
    assert back == [["" if v is None else str(v) for v in row] for row in rows]
