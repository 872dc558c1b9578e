"""What a terminal says of a run: figures with intervals and n, what was learnt beside them, and warnings."""

from __future__ import annotations

from collections.abc import Sequence

from journals import searching, training

from microtome.events import Evaluated, Event, Ranked, Retrained, TrialEnded, WarmStarted
from microtome.results.fold import RunState, fold
from microtome.results.lines import lines


def said(events: Sequence[Event]) -> list[str]:
    state, found = RunState(), list[str]()
    for event in events:
        fold(state, event)
        found += lines(event, state)
    return found


def test_a_training_tells_warnings_epochs_and_how_it_stands_beside_the_baselines() -> None:
    found = said(training())
    assert found[0] == "warning: Look out & <b>"
    assert found[1] == "trial 1 epoch 1: loss 1.000 / 1.200, validation accuracy 50.0%, 250 images/s"
    evaluation = found.index("evaluation accuracy 90.0% (95 % interval 84.0% … 94.0%, n = 150)")
    assert evaluation > 1
    assert found[-3:] == [
        "  radial spectrum + logistic regression: 80.0% (95 % interval 73.0% … 86.0%)",
        "  HOG + SVM: 70.0% (95 % interval 62.0% … 77.0%)",
        "The network does better than HOG + SVM and radial spectrum + logistic regression on the same images; "
        "chance alone would hardly make the difference.",
    ]


def test_a_search_tells_what_became_of_trials_and_of_the_best_ones() -> None:
    events: list[Event] = [
        *searching()[:-2],
        TrialEnded(trial=6, outcome="reused", value=0.9, reused_from="earlier/2"),
        Retrained(trial=3, seed=7, value=0.78, correct=78, total=100),
        Retrained(trial=3, seed=8, value=0.80, correct=80, total=100),
        Ranked(means={"3": (0.79, 0.7, 0.88)}, tied=(3,), words="Trial 3 alone was trained again.", winner=3),
    ]
    found = said(events)
    assert "trial 3 done, value 80.0 %" in found
    assert "trial 4 failed" in found
    assert found[-5:] == [
        "trial 6 reused, value 90.0 % (from earlier/2)",
        "trial 3 trained again, seed 7: 78.0 %, n = 100",
        "trial 3 trained again, seed 8: 80.0 %, n = 100",
        "ranking: Trial 3 alone was trained again.",
        "  trial 3: 79.0 % (95 % interval 70.0–88.0 %, n = 2 seeds) taken",
    ]


def test_a_warm_start_tells_what_the_engine_knows() -> None:
    points = ({"parameters": {}, "value": 0.5, "costs": {}, "trial": "a/1"},)
    assert said([WarmStarted(points=points, left_out=2)]) == [
        "warm start: the engine knows 1 trials of earlier runs; 2 were left out, of other settings or outside the space"
    ]


def test_a_value_is_told_with_its_caution() -> None:
    told = Evaluated(
        trial=1,
        accuracy=0.8,
        interval=(0.6, 0.9),
        per_class={},
        confusion=(),
        r2=0.8,
        rmse=1.5,
        mae=1.0,
        unit="MPa",
        n=40,
        points=((1.0, 1.1, 0.1, 20), (2.0, 2.1, 0.1, 20)),
        baseline={"radial spectrum + ridge regression": 0.7},
        caution="Two volumes are few.",
    )
    assert said([told])[:2] == [
        "evaluation R² 0.800 (95 % interval 0.600 … 0.900), RMSE 1.5 MPa, n = 40 images of 2 volumes. Two volumes are few.",
        "  radial spectrum + ridge regression: R² 0.700",
    ]
