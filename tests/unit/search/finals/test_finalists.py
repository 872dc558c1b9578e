"""The honest winner on real trainings: fresh seeds and slices, interrupted and gone on with, the evaluation set opened once."""

from __future__ import annotations

import time
from pathlib import Path

import numpy as np
import pytest
from small import Watch, make, project, table

from microtome.events import Evaluated, Event, Note, Ranked, Retrained, RunStarted, TrialEnded
from microtome.paths import user_plugins
from microtome.registry import registry
from microtome.results.fold import fold_all
from microtome.search.driver import create_run, drive, summary
from microtome.search.finals.evaluate import answer_late_orders
from microtome.search.finals.finalists import closing_seconds, finalists, fresh_seeds
from microtome.search.known.ledger import Ledger
from microtome.search.recipe import parse
from microtome.search.records import Record, Records
from microtome.search.steer import Helm
from microtome.slices.imageset import ImageSet
from microtome.store.journal import read_all
from microtome.store.run import Orders
from microtome.training.card import ModelCard

SEARCH = {
    "algorithm": "random",
    "budget": 3,
    "workers": 2,
    "finalists": 2,
    "finalist_seeds": 2,
    "space": {"network.width": [4, 8, 16]},
}


class StopsAtTheFirst(Watch):
    """Ends the run in its own way when the first retraining is done."""

    command = "stop"

    def act(self, event: Event) -> None:
        if isinstance(event, Retrained) and self.once("stop"):
            self.order(self.command)  # type: ignore[arg-type]


@pytest.mark.slow
@pytest.mark.parametrize("command", ["stop", "abort"])
def test_the_winner_is_found_on_fresh_seeds_and_slices_and_evaluated_once(tmp_path: Path, command: str) -> None:
    run = make(tmp_path, search=SEARCH, training={"epochs": 2}, network={"batch_norm": False})
    first = StopsAtTheFirst(run)
    first.command = command
    assert drive(run, first).state == {"stop": "stopped", "abort": "aborted"}[command]
    assert not first.of(Ranked) and not first.of(Evaluated)
    again = Watch(run)
    assert drive(run, again).state == "done"

    journal = list(read_all(run.events))
    retrained = [e for e in journal if isinstance(e, Retrained)]
    trials = {e.trial for e in retrained}
    assert len(retrained) == 4 and len({(e.trial, e.seed) for e in retrained}) == 4
    assert len({e.seed for e in retrained}) == 2 and 0 not in {e.seed for e in retrained}
    assert {e.image_set for e in retrained if e.trial == min(trials)} == {
        e.image_set for e in retrained if e.trial == max(trials)
    }
    values = {e.trial: e.value for e in journal if isinstance(e, TrialEnded) and e.value is not None}
    assert trials == set(sorted(values, key=lambda t: (-values[t], t))[:2])
    (ranked,) = (e for e in journal if isinstance(e, Ranked))
    (evaluated,) = (e for e in journal if isinstance(e, Evaluated))
    assert evaluated.trial == ranked.winner and ranked.winner in ranked.tied and ranked.words
    assert journal.index(ranked) < journal.index(evaluated)
    state = fold_all(journal)
    assert state.best_trial == ranked.winner and state.ranked == ranked
    assert summary(run)["trial"] == ranked.winner
    # Epochs of retrainings are none of the trials' own.
    assert all(len(t.epochs) == 2 for t in state.trials.values())

    # The run's network is one of the winner's retrainings, that of the median value; its answers are those of its trial.
    card = ModelCard.read(run.path / "model.safetensors")
    own = sorted((e.value, e.seed) for e in retrained if e.trial == ranked.winner)
    assert card.training["seed"] in [seed for value, seed in own if value == own[0][0]]
    assert (run.trial(ranked.winner) / "predictions.csv").is_file()
    ledger = Ledger(run.path.parent)
    assert len(ledger) == 3 + 4

    # Fresh slices lie in the same blocks; the locked set is the same to the bit.
    sets = run.path.parent.parent / "imagesets"
    old, new = ImageSet.open(sets / state.image_set.hash), ImageSet.open(sets / retrained[0].image_set)
    assert [v["blocks"] for v in old.volumes] == [v["blocks"] for v in new.volumes]
    assert state.image_set.hash not in {e.image_set for e in retrained}
    locked = old.split("evaluation")
    assert np.array_equal(locked, new.split("evaluation"))
    assert np.array_equal(old.images[locked], new.images[locked])
    for name in ("train", "validation"):
        assert not np.array_equal(old.images[old.split(name)], new.images[new.split(name)])


def test_finalists_are_the_best_that_differ() -> None:
    def record(number: int, value: float | None, key: str, outcome: str = "done") -> Record:
        return Record(number, key=key, value=value, outcome=outcome)

    made = [record(1, 0.5, "a"), record(2, 0.9, "b"), record(3, 0.9, "b", "reused"), record(4, 0.95, "c", "pruned")]
    made += [record(5, None, "d", "failed"), record(6, 0.7, "e")]
    records = Records(trials={r.number: r for r in made})
    assert [r.number for r in finalists(records, 2)] == [2, 6]
    assert [r.number for r in finalists(records, 9)] == [2, 6, 1]
    assert finalists(records, 0) == []


def test_fresh_seeds_are_fresh_and_do_not_depend_on_their_number() -> None:
    assert fresh_seeds(7, 20)[:3] == fresh_seeds(7, 3)
    assert len(set(fresh_seeds(7, 50)) - {7, 0}) == 50
    assert set(fresh_seeds(7, 50)).isdisjoint(fresh_seeds(8, 50))


def test_nothing_is_begun_that_could_not_be_evaluated_in_time(tmp_path: Path) -> None:
    recipe = parse(table(tmp_path / "data", search=SEARCH))
    records = Records()
    assert closing_seconds(records, recipe) == 0.0, "before the first trial nothing is known"
    records.trials = {1: Record(1, seconds=10.0), 2: Record(2, seconds=40.0)}
    needed = closing_seconds(records, recipe)
    assert needed > 40 * (1 + 2), "the longest trial, then four retrainings by two workers"
    run = make(tmp_path / "run", search=SEARCH)
    run.order("until", at=time.time() + 1000)
    helm = Helm(Orders(run, from_start=True))
    assert helm.look() == "run" and not helm.used_up
    helm.reserve = 2000.0
    assert helm.used_up and helm.look() == "run", "what runs goes on"


def test_orders_that_come_too_late_are_answered(tmp_path: Path) -> None:
    run = make(tmp_path)
    helm, said = Helm(Orders(run, from_start=True)), []
    answer_late_orders(helm, said.append)
    run.order("trial", parameters={})
    run.order("budget", n=9)
    helm.look()
    for _ in range(2):
        answer_late_orders(helm, said.append)
    (note,) = said
    assert isinstance(note, Note) and "comes too late" in note.text and not helm.more()


FICKLE = """
from microtome.errors import InputError
from microtome.plugin import Field, network

@network("fickle", minimum_size=8)
def fickle(channels: int, classes: int, image_size: int, width: int = Field(4, 1, 64)) -> object:
    import torch
    from torch import nn
    seed = torch.initial_seed()

    class Fickle(nn.Sequential):
        def forward(self, images):
            if self.training and seed != 0:
                raise InputError("This network learns with no other seed.")
            return super().forward(images)

    first = nn.Conv2d(channels, width, 3)
    return Fickle(first, nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(width, classes))
"""


@pytest.mark.slow
def test_where_no_finalist_can_be_trained_again_the_best_trial_is_evaluated(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MICROTOME_HOME", str(tmp_path / "home"))
    file = user_plugins() / "networks" / "fickle.py"
    file.parent.mkdir(parents=True)
    file.write_text(FICKLE)
    registry.cache_clear()
    try:
        recipe = table(tmp_path / "data", search={**SEARCH, "finalist_seeds": 1, "workers": 1}, training={"epochs": 1})
        recipe["network"] = {"name": "fickle"}
        run = create_run(parse(recipe), project(tmp_path))
        watch = Watch(run)
        end = drive(run, watch)
    finally:
        registry.cache_clear()
    assert (end.state, end.message) == ("done", "")
    assert not watch.of(Ranked) and any("None of the finalists" in e.text for e in watch.of(Note))
    (found,) = watch.of(Evaluated)
    best = Records.of(watch.events).best()
    assert best is not None and found.trial == end.best_trial == best.number
    assert (run.path / "model.safetensors").read_bytes() == (run.trial(found.trial) / "model.safetensors").read_bytes()


class AsksForMore(Watch):
    """Raises the budget as soon as the run is taken up again."""

    def act(self, event: Event) -> None:
        if isinstance(event, RunStarted) and event.resumed:
            self.run.order("budget", n=5)


@pytest.mark.slow
def test_the_evaluation_set_is_opened_once_whatever_comes_after(tmp_path: Path) -> None:
    search = {"algorithm": "grid", "budget": 1, "workers": 1, "space": {"network.width": [4, 8, 16, 32, 64]}}
    run = make(tmp_path, search=search, training={"epochs": 2})
    assert drive(run).state == "done"
    # The driver was killed between its last measurement and its end.
    *kept, _ = run.events.read_bytes().splitlines(keepends=True)
    run.events.write_bytes(b"".join(kept))
    assert drive(run, AsksForMore(run)).state == "done"
    journal = read_all(run.events)
    assert sum(isinstance(e, Evaluated) for e in journal) == 1
    assert sum(isinstance(e, TrialEnded) for e in journal) == 1, "nothing is chosen anew once the set was seen"
