"""How the values of trials are written: shares, R² and losses; two networks that tell a number, on the same images."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from microtome.events import EpochEnded, RunStarted, TrialStarted
from microtome.results.axes import VALUE, axes_of, places
from microtome.results.compare import Side, difference
from microtome.results.compare_values import gain_of_told, read_told
from microtome.results.fold import RunState, TrialState, fold_all
from microtome.results.scores import Score, score_of
from microtome.results.tables import columns, current_value


def _epoch(number: int, accuracy: float, r2: float | None) -> EpochEnded:
    return EpochEnded(
        trial=1,
        epoch=number,
        train_loss=0.5,
        train_accuracy=accuracy,
        validation_loss=0.4,
        validation_accuracy=accuracy,
        per_class={},
        confusion=(),
        learning_rate=1e-3,
        images_per_second=100.0,
        seconds=1.0,
        r2=r2,
    )


def _trial(number: int, value: float | None, *, told: bool, best: float | None = None, outcome: str = "done") -> TrialState:
    best = value if best is None else best
    epochs = [] if best is None else [_epoch(0, -2.0, -2.0 if told else None), _epoch(1, best, best if told else None)]
    return TrialState(number, outcome=outcome, value=value, epochs=epochs, parameters={"training.batch_size": number})


def test_shares_are_percents_and_r2_is_not() -> None:
    shares = Score.of([_trial(1, 0.5, told=False), _trial(2, 0.931, told=False)])
    assert (shares.words(0.9312), shares.words(0.9312, 2)) == ("93.1 %", "93.12 %")
    assert shares.measured(0.952, 0.931, 0.97) == "95.2 (93.1–97.0) %"
    told = Score.of([_trial(1, 0.5, told=True), _trial(2, 0.744, told=True)])
    assert (told.words(0.7441), told.title, told.factor) == ("0.744", "R²", 1.0)
    assert told.measured(0.744, 0.411, 0.902) == "0.744 (0.411 … 0.902)"
    assert told.words(None) == "–"


def test_the_first_epochs_of_a_search_already_tell_what_its_values_are() -> None:
    assert Score.of([_trial(1, None, told=True, best=0.3, outcome="running")]).kind == "R²"
    assert Score.of([_trial(1, 0.8, told=True, outcome="reused")]).kind == "R²"
    assert Score.of([]).kind == "share"


def test_a_running_trial_of_a_search_for_low_loss_shows_minus_its_loss() -> None:
    begun = RunStarted(run="r", kind="search", classes=("a", "b"), trials=2, epochs=9, pid=1, objective="loss")
    state = fold_all([begun, TrialStarted(trial=1, parameters={}, key="k", worker=1), _epoch(0, 0.9, None)])
    trial = state.trials[1]
    assert current_value(trial) == -0.4
    assert score_of(trial).words(current_value(trial)) == "-0.4", "no share, although nothing has ended yet"


def test_minus_a_loss_is_no_share_and_no_r2() -> None:
    assert Score.of([_trial(1, -0.2, told=False, best=0.9)]).words(-0.2) == "-0.2"
    assert Score.of([_trial(1, -0.2, told=True, best=0.9)]).title == "Value"


def test_the_axis_and_the_column_of_r2_are_no_percents() -> None:
    state = RunState(trials={n: _trial(n, v, told=True) for n, v in ((1, 0.25), (2, 0.75), (3, -0.25))})
    axis = axes_of(state, {})[-1]
    assert (axis.name, axis.title, axis.low, axis.high) == (VALUE, "R²", -0.25, 0.75)
    assert places(list(state.trials.values()), [axis])[:, 0].tolist() == [0.5, 1.0, 0.0]
    column = columns([], Score.of(list(state.trials.values())))[2]
    assert (column.title, column.kind) == ("R²", "r2")


def _told(path: Path, scatter: float, seed: int) -> dict[int, tuple[str, float, float]]:
    rng = np.random.default_rng(seed)
    rows = ["image,volume,true,predicted"]
    for image in range(120):
        true = float(image // 20)
        rows.append(f"{image},v{image // 20},{true},{true + rng.normal(0, scatter)}")
    path.write_text("\n".join(rows), encoding="utf-8")
    return read_told(path)


def test_the_difference_of_two_that_tell_numbers_is_one_of_r2(tmp_path: Path) -> None:
    good, bad = _told(tmp_path / "a.csv", 0.2, 1), _told(tmp_path / "b.csv", 1.5, 2)
    found = difference(Side(name="a", image_set="x", told=good), Side(name="b", image_set="x", told=bad))
    assert found is not None
    assert (found.word, found.images, found.told) == ("better", 120, True)
    true, one, two = (np.array([side[i][k] for i in range(120)]) for side, k in ((good, 1), (good, 2), (bad, 2)))
    exact = (((two - true) ** 2).mean() - ((one - true) ** 2).mean()) / true.var()
    assert found.gain == pytest.approx(exact)
    assert found.interval[0] < exact < found.interval[1]
    back = difference(Side(name="b", image_set="x", told=bad), Side(name="a", image_set="x", told=good))
    assert back is not None
    assert back.gain == pytest.approx(-exact)
    assert difference(Side(name="a", image_set="x", told=good), Side(name="b", image_set="y", told=bad)) is None


def test_nothing_is_compared_where_the_images_are_others_or_all_of_one_value(tmp_path: Path) -> None:
    good = _told(tmp_path / "a.csv", 0.2, 1)
    assert gain_of_told(good, {i: row for i, row in good.items() if i}) is None
    flat = {i: (v, 1.0, told) for i, (v, _, told) in good.items()}
    assert gain_of_told(flat, flat) is None
    assert gain_of_told({}, {}) is None
    (tmp_path / "classes.csv").write_text("image,true,predicted\n0,a,b\n", encoding="utf-8")
    assert read_told(tmp_path / "classes.csv") == {}
    assert read_told(tmp_path / "none.csv") == {}
