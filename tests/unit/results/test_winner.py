"""The finalists and the promise in tables, sentences and the report."""

from __future__ import annotations

from pathlib import Path

from microtome.events import Event, Piloted, Ranked, Retrained, RunEnded, RunStarted, TrialEnded, TrialStarted
from microtome.results.fold import fold_all
from microtome.results.methods import methods
from microtome.results.report_parts import RunReport, run_section
from microtome.results.tables import ranking_rows
from microtome.results.words import promise_words
from microtome.search.driver import create_run
from microtome.search.recipe import parse
from microtome.store.project import Project

AGAIN = [Retrained(trial=t, seed=s, value=v) for t, v in ((12, 0.91), (40, 0.9)) for s in (1, 2, 3)]
RANKED = Ranked(
    means={"40": (0.90, 0.88, 0.92), "12": (0.91, 0.89, 0.93)},
    tied=(12, 40),
    words="Trials 12 and 40 cannot be told apart (p = 0.4); trial 40 is taken, the smaller network.",
    winner=40,
    p={"40": 0.4},
)
PROMISE = Piloted(corners=(), hours=(0.5, 1.0, 2.0), disk=0)


def test_the_ranking_is_a_table_with_the_highest_mean_first() -> None:
    header, rows = ranking_rows(fold_all([*AGAIN, RANKED]))
    assert header[:2] == ["trial", "mean"]
    assert rows == [[12, 0.91, 0.89, 0.93, 3, None, "tied"], [40, 0.90, 0.88, 0.92, 3, 0.4, "taken"]]
    assert ranking_rows(fold_all(AGAIN))[1] == []


def test_a_promise_is_said_beside_what_it_took() -> None:
    assert promise_words(PROMISE, 4000.0).startswith("Promised by a pilot: ")
    assert "; it took " in promise_words(PROMISE, 4000.0) and "took" not in promise_words(PROMISE, None)


def test_the_report_names_the_winner_the_tie_and_the_promise() -> None:
    begun = RunStarted(run="r", kind="search", classes=("a", "b"), trials=2, epochs=1, pid=1)
    state = fold_all([PROMISE, begun, *AGAIN, RANKED, RunEnded(state="done", best_trial=40)])
    html = run_section(RunReport("r", {}, state, None, {}, ()))
    assert "cannot be told apart" in html and "taken" in html and "Promised by a pilot" in html


def test_the_methods_say_of_the_winner_what_it_was_taken_for() -> None:
    recipe = parse({"class": [{"name": "a"}, {"name": "b"}], "search": {"space": {"training.batch_size": [16, 32]}}})
    begun = RunStarted(run="r", kind="search", classes=("a", "b"), trials=3, epochs=1, pid=1)
    events: list[Event] = [begun]
    for trial, value, outcome in ((7, 0.8, "pruned"), (12, 0.95, "done"), (40, 0.93, "done")):
        events.append(TrialStarted(trial=trial, parameters={"training.batch_size": 16}, key=str(trial), worker=1))
        events.append(TrialEnded(trial=trial, outcome=outcome, value=value))
    info = {"plugins": [{"kind": "network", "name": "cnn"}, {"kind": "search", "name": "bayes"}]}
    text = methods(recipe, fold_all([*events, RunEnded(state="stopped")]), info, "")
    assert "by the engine bayes over 3 trials" in text and "2 of which were trained to their ends" in text
    assert "trial 12 was best on the validation set (95.0 %" in text
    text = methods(recipe, fold_all([*events, *AGAIN, RANKED, RunEnded(state="done", best_trial=40)]), info, "")
    assert "best on the validation set" not in text, "trial 12 was"
    assert "the best 2 trials were trained again with 3 fresh seeds" in text and "trial 40 was taken" in text
    assert RANKED.words in text


def test_a_run_says_which_engine_weighs_two_objectives(tmp_path: Path) -> None:
    table = {"class": [{"name": n, "simulate": {"kind": "rnd", "seed": 1}} for n in "ab"]}
    for second, name in (("none", "bayes"), ("seconds", "nsga2")):
        recipe = parse({**table, "search": {"second": second, "space": {"training.batch_size": [16, 32]}}})
        info = create_run(recipe, Project.create(tmp_path / "project")).info()
        assert [p["name"] for p in info["plugins"] if p["kind"] == "search"] == [name]
