"""Folding: live and replay give the same state, also after a driver was killed."""

from __future__ import annotations

from journals import start, trial

from microtome.events import (
    BatchProgress,
    EpochEnded,
    Event,
    Ranked,
    Retrained,
    RunEnded,
    RunStarted,
    SpaceChanged,
    TrialEnded,
    TrialPaused,
    TrialStarted,
)
from microtome.results.fold import RunState, fold, fold_all


def _start(time: float, *, resumed: bool = False, trials: int = 2) -> RunStarted:
    return RunStarted(
        time=time, run="r", kind="search", classes=("a", "b"), trials=trials, epochs=2, pid=1, resumed=resumed, workers=2
    )


def _epoch(trial: int, epoch: int, accuracy: float, time: float = 0.0) -> EpochEnded:
    return EpochEnded(
        time=time,
        trial=trial,
        epoch=epoch,
        train_loss=1.0,
        train_accuracy=accuracy,
        validation_loss=1.0,
        validation_accuracy=accuracy,
        per_class={"a": (1, 2), "b": (2, 2)},
        confusion=((1, 1), (0, 2)),
        learning_rate=0.1,
        images_per_second=1.0,
        seconds=1.0,
    )


def _trial(number: int, time: float, **rest: object) -> TrialStarted:
    return TrialStarted(time=time, trial=number, parameters={"x": number}, key=str(number), worker=number % 2, **rest)  # type: ignore[arg-type]


def test_the_staircase_and_the_best_trial() -> None:
    values = [0.5, 0.4, 0.7, 0.7]
    events: list[Event] = [_start(0.0, trials=4)]
    for i, value in enumerate(values, start=1):
        events += [_trial(i, float(i)), _epoch(i, 0, value), TrialEnded(time=i + 0.5, trial=i, outcome="done", value=value)]
    events.append(TrialEnded(time=9.0, trial=5, outcome="failed", message="no"))
    state = fold_all(events)
    assert [(n, best) for n, _, best in state.staircase()] == [(1, 0.5), (2, 0.5), (3, 0.7), (4, 0.7)]
    assert state.best_trial == 3, "the first of equals stays the best"
    assert state.trials[1].seconds == 0.5


def test_a_killed_driver_leaves_waiting_trials_whose_time_ends_at_the_last_event() -> None:
    state = fold_all([_start(0.0), _trial(1, 1.0), _epoch(1, 0, 0.5, 3.0), _start(100.0, resumed=True)])
    assert state.trials[1].outcome == "waiting"
    assert state.trials[1].seconds == 2.0
    fold(state, _trial(1, 101.0, start_epoch=1, attempt=2))
    assert len(state.trials[1].epochs) == 1, "finished epochs stay"
    fold(state, _epoch(1, 1, 0.6, 104.0))
    assert [e.epoch for e in state.trials[1].epochs] == [0, 1]


def test_an_epoch_trained_again_replaces_the_lost_one() -> None:
    state = fold_all([_start(0.0), _trial(1, 1.0), _epoch(1, 0, 0.5), _epoch(1, 1, 0.9), _trial(1, 2.0, start_epoch=1)])
    assert len(state.trials[1].epochs) == 1
    fold(state, _epoch(1, 1, 0.7))
    assert [e.validation_accuracy for e in state.trials[1].epochs] == [0.5, 0.7]


def test_the_fraction_counts_batches_and_never_passes_one() -> None:
    state = fold_all([_start(0.0), _trial(1, 1.0)])
    assert state.fraction() == 0.0
    fold(state, BatchProgress(trial=1, epoch=0, done=5, total=10))
    assert state.fraction() == 0.125
    fold(state, _epoch(1, 0, 0.5))
    assert state.fraction() == 0.25
    for number in range(1, 9):
        fold(state, TrialEnded(trial=number, outcome="done", value=0.1))
    assert state.fraction() == 1.0


def test_an_abort_cancels_and_a_stop_keeps_waiting() -> None:
    for word, outcome in (("aborted", "cancelled"), ("stopped", "waiting")):
        state = fold_all([_start(0.0), _trial(1, 1.0), RunEnded(time=5.0, state=word)])
        assert state.finished
        assert state.trials[1].outcome == outcome
        assert state.trials[1].seconds == 4.0


def test_replay_equals_live() -> None:
    events = [_start(0.0), _trial(1, 1.0), _epoch(1, 0, 0.5), TrialEnded(time=2.0, trial=1, outcome="done", value=0.5)]
    live = RunState()
    for event in events:
        fold(live, event)
    assert fold_all(events) == live


def test_a_paused_trial_waits_with_its_value_and_goes_on_when_it_is_promoted() -> None:
    begun, *rest = trial(1, (0.5, 0.7))
    state = fold_all([*start("search", 2, 4), begun, *rest[:2], TrialPaused(time=1_000_130.0, trial=1, epochs=2, value=0.7)])
    one = state.trials[1]
    assert (one.outcome, one.value, one.pauses, one.promotions) == ("paused", 0.7, 1, 0)
    assert one.spans == [(1, 1_000_100.0, 1_000_130.0)]
    assert state.ended_trials() == []
    assert state.best_trial is None
    fold(state, TrialStarted(time=1_000_140.0, trial=1, parameters={}, key="1", worker=2, start_epoch=2))
    assert (one.outcome, one.promotions, len(one.epochs)) == ("running", 1, 2)
    fold(state, TrialEnded(time=1_000_150.0, trial=1, outcome="done", value=0.75, costs={"seconds": 9.0}))
    assert (state.best_trial, one.costs) == (1, {"seconds": 9.0})
    assert one.seconds == 40.0


def test_speculation_space_and_the_honest_ranking_are_kept() -> None:
    started = TrialStarted(time=1_000_100.0, trial=1, parameters={}, key="1", worker=1, speculative=True, inherited="a/1")
    changed = SpaceChanged(time=1_000_101.0, table={"training.epochs": [1, 2]}, fixed={"training.seed": 3})
    ranked = Ranked(time=1_000_102.0, means={"1": (0.8, 0.7, 0.9)}, tied=(1,), words="Trial 1 is first.")
    again = Retrained(time=1_000_102.0, trial=1, seed=5, value=0.8)
    dropped = TrialEnded(time=1_000_103.0, trial=1, outcome="dropped")
    state = fold_all([*start("search", 2, 4), started, changed, again, ranked, dropped])
    assert (state.trials[1].speculative, state.trials[1].inherited, state.trials[1].outcome) == (True, "a/1", "dropped")
    assert (state.spaces, state.ranked, state.retrained) == ([changed], ranked, [again])


def test_time_in_which_nobody_drove_is_not_what_a_run_took() -> None:
    events = [_start(10.0), _trial(1, 11.0), RunEnded(time=20.0, state="stopped"), _start(1000.0, resumed=True)]
    assert fold_all(events).took == 10.0
    assert fold_all([*events, RunEnded(time=1005.0, state="done")]).took == 15.0
