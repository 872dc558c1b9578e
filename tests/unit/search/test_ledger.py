"""The ledger and the records: what is known of trials that were trained, also where files are damaged."""

from __future__ import annotations

from pathlib import Path

from microtome.events import EpochEnded, RunStarted, StateChanged, TrialEnded, TrialStarted, encode
from microtome.search.ledger import Ledger
from microtome.search.records import Records, measure
from microtome.store.atomic import write_json


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
