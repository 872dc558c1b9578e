"""The ledger and the records: what is known of trials that were trained, also where files are damaged."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

from microtome.events import EpochEnded, RunStarted, StateChanged, TrialEnded, TrialStarted, encode
from microtome.search.known.ledger import Ledger, clear_debris
from microtome.search.known.warm import warm_start
from microtome.search.recipe import parse
from microtome.search.records import Record, Records, measure
from microtome.store.atomic import write_json
from microtome.training.changes import Changes
from microtome.training.checkpoint import NAME, epochs_done, write_tensors
from microtome.training.spec import TrialSpec


def epoch(number: int, accuracy: float, *, trial: int = 1, loss: float | None = 0.5) -> EpochEnded:
    """An epoch in which class b does worse than class a."""
    return EpochEnded(
        trial=trial,
        epoch=number,
        train_loss=0.4,
        train_accuracy=0.9,
        validation_loss=loss,
        validation_accuracy=accuracy,
        per_class={"a": (9, 10), "b": (3, 10)},
        confusion=((9, 1), (7, 3)),
        learning_rate=1e-3,
        images_per_second=100.0,
        seconds=1.0,
    )


def finished(runs: Path, run: str, trial: int, key: str, outcome: str = "done") -> Path:
    """A trial's folder as a worker leaves it."""
    folder = runs / run / "trials" / f"{trial:04d}"
    history = [encode(epoch(0, 0.5)).decode(), encode(epoch(1, 0.6)).decode()]
    result = {"key": key, "outcome": outcome, "value": 0.6, "best_epoch": 1, "seconds": 2.0, "message": "", "history": history}
    write_json(folder / "result.json", result)
    (folder / "model.safetensors").write_bytes(b"weights")
    return folder


def test_a_finished_trial_is_found_by_its_key_and_copied_whole(tmp_path: Path) -> None:
    finished(tmp_path, "one", 3, "abc")
    finished(tmp_path, "one", 4, "pruned", outcome="pruned")
    ledger = Ledger(tmp_path)
    assert len(ledger) == 1
    assert ledger.find("pruned") is None and ledger.find("other") is None
    found = ledger.find("abc")
    assert found is not None
    assert (found.name, found.value, found.best_epoch) == ("one/0003", 0.6, 1)
    assert [e.validation_accuracy for e in found.history] == [0.5, 0.6]
    found.copy_to(tmp_path / "two" / "trials" / "0001")
    assert (tmp_path / "two" / "trials" / "0001" / "model.safetensors").read_bytes() == b"weights"


def test_what_is_damaged_or_gone_is_trained_again(tmp_path: Path) -> None:
    damaged = finished(tmp_path, "one", 1, "a")
    (damaged / "result.json").write_text('{"key": "a", "outco')
    without = finished(tmp_path, "one", 2, "b")
    (without / "model.safetensors").unlink()
    later = finished(tmp_path, "one", 3, "c")
    ledger = Ledger(tmp_path)
    (later / "result.json").unlink()
    assert [ledger.find(key) for key in "abc"] == [None, None, None]
    ledger.add("c", finished(tmp_path, "two", 1, "c"))
    assert ledger.find("c") is not None


def test_records_keep_the_order_of_asks_and_tells() -> None:
    def started(trial: int, attempt: int = 1) -> TrialStarted:
        return TrialStarted(trial=trial, parameters={"x": trial}, key="k", worker=1, attempt=attempt)

    records = Records.of(
        [
            RunStarted(run="r", kind="search", classes=("a", "b"), trials=4, epochs=2, pid=1, time=10.0),
            started(1),
            started(2),
            TrialEnded(trial=2, outcome="done", value=0.5, time=15.0),
            started(3),
            TrialEnded(trial=3, outcome="failed", message="no"),
            StateChanged(state="running", trials=9, workers=3, time=20.0),
            RunStarted(run="r", kind="search", classes=("a", "b"), trials=9, epochs=2, pid=2, resumed=True, time=100.0),
            started(1, attempt=2),
            TrialEnded(trial=1, outcome="pruned", value=0.9, time=105.0),
        ]
    )
    asked = [s.parameters["x"] for s in records.history if s.what == "ask"]
    told = [(s.parameters["x"], s.value) for s in records.history if s.what == "tell"]
    assert (asked, told) == ([1, 2, 3], [(2, 0.5), (3, None), (1, 0.9)])
    assert (records.budget, records.workers) == (9, 3)
    best = records.best()
    assert best is not None and best.number == 2  # a pruned trial cannot win
    assert records.seconds == 15.0
    assert [row.split(",")[:3] for row in records.table().splitlines()[1:]] == [
        ["1", "pruned", "0.9"],
        ["2", "done", "0.5"],
        ["3", "failed", ""],
    ]


def test_objectives() -> None:
    ended = epoch(0, 0.6)
    assert measure(ended, "mean") == 0.6
    assert measure(ended, "worst") == 0.3
    assert measure(ended, "loss") == -0.5
    assert measure(epoch(0, 0.6, loss=None), "loss") is None


def test_a_trial_that_was_stopped_is_worth_what_its_network_is() -> None:
    # The loss rises where the accuracy still does; kept is the network of the highest accuracy, as of a finished trial.
    epochs = [epoch(0, 0.7, loss=0.3), epoch(1, 0.8, loss=0.5), epoch(2, 0.75, loss=0.4)]
    record = Records.of([TrialStarted(trial=1, parameters={}, key="k", worker=1), *epochs]).trials[1]
    assert (record.reached("mean"), record.reached("loss")) == (0.8, -0.5)
    assert Record(2).reached("mean") is None


def test_a_stopped_trial_costs_what_its_own_epochs_would() -> None:
    costs = {"seconds": 2.0, "epochs": 1.0, "stopped": 1.0}
    for point, seconds in (({"training.epochs": 5}, 10.0), ({"network.width": 8}, 100.0)):
        records = Records.of(
            [
                TrialStarted(trial=1, parameters=point, key="k", worker=1),
                TrialEnded(trial=1, outcome="pruned", value=0.5, costs=costs),
            ]
        )
        told = [value for what, _, value in records.told("seconds", full=50) if what == "tell"]
        assert told == [(0.5, -seconds)]


def test_what_a_power_cut_has_left_of_a_trial_that_nobody_knows_is_cleared(tmp_path: Path) -> None:
    mine = begun(tmp_path / "runs", "one", 1, "k", 3)
    clear_debris(mine, "k")
    assert epochs_done(mine) == 3
    clear_debris(mine, "another")
    assert not mine.exists()
    clear_debris(mine, "another")


def begun(runs: Path, run: str, trial: int, key: str, epochs: int) -> Path:
    """A trial's folder as a worker leaves it that was stopped, with a real checkpoint."""
    folder = runs / run / "trials" / f"{trial:04d}"
    folder.mkdir(parents=True)
    write_json(folder / "params.json", {"key": key})
    history = [encode(epoch(i, 0.5)).decode() for i in range(epochs)]
    header = {"key": key, "format": 2, "history": history, "groups": [], "numbers": {}}
    write_tensors(folder / NAME, {}, {"training": json.dumps(header)})
    (folder / "model.safetensors").write_bytes(b"best so far")
    return folder


def test_a_trial_goes_on_from_the_furthest_checkpoint_of_its_key(tmp_path: Path) -> None:
    begun(tmp_path / "runs", "one", 1, "k", 3)
    far = begun(tmp_path / "runs", "two", 4, "k", 9)
    lower = begun(tmp_path / "runs", "three", 1, "k", 20)
    Changes(rates=((5, 1e-4),)).save(lower)  # went on with another rate than its settings say
    ledger = Ledger(tmp_path / "runs")
    mine = tmp_path / "runs/mine/trials/0001"
    assert ledger.claim("k", mine) is None and ledger.find("k") is None
    assert ledger.go_on("k", mine) == "two/0004"
    assert epochs_done(mine) == 9 and (mine / "model.safetensors").read_bytes() == b"best so far"
    assert (mine / NAME).read_bytes() == (far / NAME).read_bytes()
    assert ledger.go_on("k", mine) == "", "what has epochs of its own is left alone"
    assert ledger.go_on("other", tmp_path / "runs/mine/trials/0002") == ""
    ledger.close()


def test_two_drivers_do_not_train_the_same_and_learn_from_each_other(tmp_path: Path) -> None:
    runs = tmp_path / "runs"
    first, second = Ledger(runs), Ledger(runs)
    assert (len(first), len(second)) == (0, 0)
    mine, yours = runs / "mine/trials/0007", runs / "yours/trials/0001"
    assert first.claim("k", mine) is None and first.claim("k", mine) is None
    assert second.claim("k", yours) == mine
    finished(runs, "mine", 7, "k")
    first.release("k")
    assert second.claim("k", yours) is None
    found = second.find("k")
    assert found is not None and found.name == "mine/0007", "though it was finished after the folders were looked through"
    second.close()
    assert first.claim("k", mine) is None
    first.close()


HOLDER = """
import sys
from pathlib import Path
from microtome.search.known.ledger import Ledger, clear_debris
runs = Path(sys.argv[1])
ledger = Ledger(runs)
print(ledger.claim("k", runs / "dead/trials/0001"), flush=True)
input()
"""


def test_a_claim_dies_with_its_driver(tmp_path: Path) -> None:
    runs = tmp_path / "runs"
    with subprocess.Popen([sys.executable, "-c", HOLDER, str(runs)], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as other:
        assert other.stdout is not None and other.stdout.readline() == b"None\n"
        ledger = Ledger(runs)
        assert ledger.claim("k", runs / "mine/trials/0001") == runs / "dead/trials/0001"
        other.kill()
        other.wait()
    assert ledger.claim("k", runs / "mine/trials/0001") is None
    ledger.close()


def test_the_cache_saves_looking_and_is_never_believed_when_a_run_has_changed(tmp_path: Path) -> None:
    runs, cache = tmp_path / "runs", tmp_path / ".cache/ledger.json"
    folder = finished(runs, "one", 1, "a")
    (runs / "one/events.jsonl").write_text("1\n")
    assert len(Ledger(runs)) == 1 and cache.is_file()
    written = cache.stat().st_mtime_ns
    (folder / "result.json").rename(folder / "away.json")
    again = Ledger(runs)
    assert len(again) == 1 and cache.stat().st_mtime_ns == written, "nothing was looked through"
    assert again.find("a") is None, "but a trial is looked at before it answers"
    (folder / "away.json").rename(folder / "result.json")
    finished(runs, "one", 2, "b")
    (runs / "one/events.jsonl").write_text("1\n2\n")
    assert len(Ledger(runs)) == 2
    (runs / "one/lock").write_text("{}")  # a driver works on it, or was killed
    finished(runs, "one", 3, "c")
    assert len(Ledger(runs)) == 3
    for broken in (b"", b"[]", b'{"version": 99, "runs": {}}'):
        cache.write_bytes(broken)
        assert len(Ledger(runs)) == 3


def test_a_part_of_a_trial_whose_cost_is_unknown_begins_no_search_of_two_objectives(tmp_path: Path) -> None:
    recipe = parse({"search": {"space": {"training.learning_rate": [1e-3, 2e-3]}}})
    spec = TrialSpec(image_set="there", image_set_hash="images", network=recipe.network, training=recipe.training)
    folder = begun(tmp_path / "runs", "one", 1, spec.key(), 3)
    write_json(folder / "params.json", {"key": spec.key(), **spec.to_json()})
    for second, points in (("none", 1), ("seconds", 1), ("parameters", 0)):
        wanted = replace(recipe, search=replace(recipe.search, second=second)) if recipe.search is not None else recipe
        found = warm_start(Ledger(tmp_path / "runs"), wanted, "images", run="mine")
        assert (len(found.points), found.left_out) == (points, 1 - points)
        told = Records.of([found]).told(second, full=10)
        assert all(value is not None for _, _, value in told), "no good trial is told as a failed one"
