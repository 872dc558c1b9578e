"""`mt.search`, as INTERFACE promises it."""

from __future__ import annotations

import math
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import objectives
import pytest

import microtome as mt
from microtome.errors import InputError, MicrotomeError, UnknownNameError

SPACE = {"x": {"low": 0.0, "high": 1.0}}


def test_a_callable_runs_here_and_its_best_is_found() -> None:
    seen = []

    def objective(parameters: dict[str, Any], report: Any) -> float:
        seen.append(os.getpid())
        assert report.start == 0
        for epoch in range(3):
            assert report(epoch, parameters["x"] * epoch) is False
        return -((parameters["x"] - 0.3) ** 2)

    result = mt.search(objective, SPACE, algorithm="auto", budget=25, seed=1)
    assert set(seen) == {os.getpid()}
    assert len(result.trials) == 25
    assert {t.outcome for t in result.trials} == {"done"}
    assert abs(result.best.parameters["x"] - 0.3) < 0.1
    assert result.best.value == max(t.value for t in result.trials)
    assert result.best.values == {0: 0.0, 1: result.best.parameters["x"], 2: 2 * result.best.parameters["x"]}


def test_the_seed_determines_a_search_in_this_process() -> None:
    def points(seed: int) -> list[Any]:
        return [t.parameters for t in mt.search(objectives.peak, SPACE, budget=12, seed=seed).trials]

    assert points(4) == points(4)
    assert points(4) != points(5)


def test_early_stopping_saves_epochs_and_keeps_the_best() -> None:
    full = mt.search(objectives.peak, SPACE, "random", budget=40, seed=1)
    for rule in ("auto", "asha", "asha-stop", "median", "curve"):
        result = mt.search(objectives.peak, SPACE, "random", budget=40, seed=1, early_stopping=rule, max_epochs=9)
        assert {t.outcome for t in result.trials} == {"done", "pruned"}
        epochs = sum(len(t.values) for t in result.trials)
        assert epochs < 0.75 * 40 * 9
        assert result.best.value == full.best.value
        assert all(len(t.values) == 9 for t in result.trials if t.outcome == "done")


def test_a_promoted_trial_is_called_again_from_where_it_was_stopped() -> None:
    checkpoints: dict[int, list[float]] = {}
    calls = []

    def objective(parameters: dict[str, Any], report: Any) -> float:
        kept = checkpoints.setdefault(report.trial, [])
        assert report.start == len(kept)
        calls.append((report.trial, report.start))
        for epoch in range(report.start, 9):
            kept.append(parameters["x"] * (epoch + 1))
            if report(epoch, kept[-1]):
                break
        return kept[-1]

    result = mt.search(objective, SPACE, "random", budget=30, seed=1, early_stopping="asha", max_epochs=9)
    assert {start for _, start in calls} == {0, 1, 3}
    assert len(calls) == len(set(calls))
    assert {number: dict(enumerate(kept)) for number, kept in checkpoints.items()} == {
        t.number: t.values for t in result.trials
    }
    lengths = [len(t.values) for t in result.trials]
    assert set(lengths) == {1, 3, 9} and sum(lengths) < 0.5 * 30 * 9
    assert result.best.parameters["x"] == max(t.parameters["x"] for t in result.trials)
    assert result.best.outcome == "done"


def test_a_failing_objective_is_a_failed_trial_never_the_end(capfd: pytest.CaptureFixture[str]) -> None:
    def objective(parameters: dict[str, Any], report: Any) -> Any:
        x = parameters["x"]
        if x < 0.25:
            raise ValueError("too small")
        return math.nan if x < 0.5 else "much" if x < 0.75 else x

    result = mt.search(objective, SPACE, algorithm="quasi-random", budget=16, seed=0)
    outcomes = [t.outcome for t in result.trials]
    assert outcomes.count("failed") == 12
    assert outcomes.count("done") == 4
    messages = " ".join(t.message for t in result.trials)
    assert "ValueError: too small" in messages and "returned nan" in messages and "'much'" in messages
    assert result.best.value >= 0.75
    assert "too small" in capfd.readouterr().err  # the traceback is not lost


def test_nothing_succeeds() -> None:
    result = mt.search(lambda parameters, report: None, SPACE, budget=4)
    assert result.best is None
    assert len(result.trials) == 4


def test_a_named_function_runs_in_workers(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(Path(__file__).parent))
    result = mt.search("objectives:where", SPACE, budget=6, seed=1, workers=2)
    pids = {t.value for t in result.trials}
    assert float(os.getpid()) not in pids
    assert 1 <= len(pids) <= 2
    result = mt.search("objectives:peak", SPACE, "random", 30, 1, "asha", 9, workers=2)
    assert {t.outcome for t in result.trials} == {"done", "pruned"}
    assert sum(len(t.values) for t in result.trials) < 0.75 * 30 * 9
    assert abs(result.best.parameters["x"] - 0.3) < 0.1


def test_a_worker_that_raises_or_dies_costs_one_trial(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(Path(__file__).parent))
    result = mt.search("objectives:broken", SPACE, "grid", budget=11, workers=2)
    outcomes = {round(t.parameters["x"], 1): t.outcome for t in result.trials}
    assert outcomes == {0.0: "done", 0.1: "done", 0.2: "done", 0.3: "done", 0.4: "done", 0.5: "done"} | {
        0.6: "failed",
        0.7: "failed",
        0.8: "failed",
        0.9: "failed",
        1.0: "crashed",
    }
    assert result.best.value == 0.5


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"space": {}}, "nothing to vary"),
        ({"space": {"x": {"low": 1.0, "high": 0.0}}}, "low = 1 above high = 0"),
        ({"budget": 0}, "budget"),
        ({"seed": -1}, "seed must be a whole number from 0"),
        ({"algorithm": "randon"}, "random"),
        ({"early_stopping": "medium"}, "median"),
        ({"objective": "nowhere:f"}, "nowhere"),
    ],
)
def test_mistakes_are_sentences(arguments: dict[str, Any], words: str) -> None:
    with pytest.raises(MicrotomeError, match=words):
        mt.search(**{"objective": objectives.peak, "space": SPACE, "budget": 3, **arguments})
    assert issubclass(InputError, ValueError) and issubclass(UnknownNameError, LookupError)


def test_an_unguarded_script_may_search_in_workers(tmp_path: Path) -> None:
    script = tmp_path / "script.py"
    folder = str(Path(__file__).parent)
    script.write_text(
        f"import sys; sys.path.insert(0, {folder!r})\n"
        "import microtome as mt\n"
        "for _ in range(2):\n"  # the name means the same before and after its package was imported
        "    result = mt.search('objectives:peak', {'x': {'low': 0.0, 'high': 1.0}}, 'random', budget=4, workers=1)\n"
        "print(len(result.trials), result.best.outcome)\n"
    )
    done = subprocess.run([sys.executable, str(script)], capture_output=True, text=True, check=False)
    assert (done.stdout, done.stderr) == ("4 done\n", "")
