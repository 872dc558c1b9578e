"""The report: one file with everything in it, well formed, true to the journal, whatever state the run is in."""

from __future__ import annotations

from html.parser import HTMLParser
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from journals import CLASSES, searching, training

from microtome.errors import FileError
from microtome.events import Event, ImageSetReady
from microtome.results.report import write_report
from microtome.results.report_parts import Html, tag
from microtome.results.svg import Series, chart, ticks
from microtome.search.recipe import dumps, parse
from microtome.store.atomic import write_json
from microtome.store.project import Project
from microtome.store.run import RunFolder

_VOID = {"meta", "link", "img", "br", "hr"}


class _Checker(HTMLParser):
    """Reads a page: every tag closed in order, and what it refers to outside itself."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.outside: list[str] = []
        self.words: list[str] = []
        self.seen: list[str] = []

    def handle_starttag(self, name: str, attributes: list[tuple[str, str | None]]) -> None:
        self.seen.append(name)
        if name not in _VOID:
            self.open.append(name)
        self.outside += [v for k, v in attributes if k in ("src", "href") and v and not v.startswith("#")]

    def handle_startendtag(self, name: str, attributes: list[tuple[str, str | None]]) -> None:
        self.seen.append(name)

    def handle_endtag(self, name: str) -> None:
        assert self.open.pop() == name

    def handle_data(self, data: str) -> None:
        self.words.append(data)


def _read(path: Path) -> tuple[_Checker, str]:
    checker = _Checker()
    checker.feed(path.read_text(encoding="utf-8"))
    checker.close()
    assert checker.open == []
    return checker, " ".join("".join(checker.words).split())


def _lay(project: Project, events: list[Event]) -> RunFolder:
    kind = events[0].kind  # type: ignore[attr-defined]
    table: dict[str, object] = {
        "class": [{"name": name, "simulate": {"kind": "rnd", "seed": i}} for i, name in enumerate(CLASSES)],
        "training": {"epochs": 4, "schedule": "cosine"},
    }
    if kind == "search":
        table["search"] = {"algorithm": "random", "space": {"training.learning_rate": {"low": 1e-4, "high": 0.1, "log": True}}}
    info = {"kind": kind, "versions": {"microtome": "0.1.0", "torch": "2.13.0"}, "plugins": [], "machine": {"cores": 2}}
    run = RunFolder.create(project.runs_dir, name=kind, info=info, recipe_toml=dumps(parse(table)))
    with run.writer() as journal:
        for event in events:
            journal.append(event)
    return run


@pytest.fixture
def project(tmp_path: Path) -> Project:
    return Project.create(tmp_path / "project")


def test_a_project_report_holds_every_run_and_needs_nothing_beside_it(project: Project, tmp_path: Path) -> None:
    runs = [_lay(project, training()), _lay(project, searching())]
    write_report(project.path, tmp_path / "report.html")
    page, words = _read(tmp_path / "report.html")
    assert page.outside == []
    assert "script" not in page.seen
    for run in runs:
        assert run.name in words
    assert page.seen.count("svg") > 6
    assert "骨 & <fibre>" in words


def test_the_figures_are_those_of_the_journal(project: Project, tmp_path: Path) -> None:
    write_report(_lay(project, training()).path, tmp_path / "report.html")
    _, words = _read(tmp_path / "report.html")
    assert "90.0 %" in words
    assert "84.0–94.0 %" in words
    assert "n = 150" in words
    assert "45 / 50" in words
    assert "78.6–95.7 %" in words  # Wilson, 45 of 50
    assert "70.0 % (62.0–77.0 %) HOG + SVM; RBF kernel, C = 3, learnt from 900 images" in words
    assert "does better than HOG + SVM and radial spectrum + logistic regression on the same images" in words
    assert "paired difference +10.0 points, 95 % interval +2.0 to +18.0" in words
    assert "The sets share no voxel." in words and "They come from 3 volumes." in words
    assert "Look out & <b>" in words
    assert "torch 2.13.0" in words


def test_the_methods_claim_only_what_happened(project: Project, tmp_path: Path) -> None:
    write_report(_lay(project, searching()).path, tmp_path / "done.html")
    _, words = _read(tmp_path / "done.html")
    assert "over 5 trials" in words
    assert "trial 3 was best" in words
    assert "learning rate 0.005, cosine schedule" in words
    write_report(_lay(project, training(finished=False)).path, tmp_path / "unfinished.html")
    _, words = _read(tmp_path / "unfinished.html")
    assert "The evaluation set was not opened." in words
    assert "Accuracy on the evaluation set" not in words


def test_the_leak_meter_and_the_audit_are_reported(project: Project, tmp_path: Path) -> None:
    events = training()
    ready = next(e for e in events if isinstance(e, ImageSetReady))
    plan = {
        "leak": {
            "verdict": "doubtful",
            "why": ["The guard band is narrow.", "Planes come near."],
            "distance": {"length": 7.25, "unit": "voxel", "pixels": 7.25, "exact": True, "volume": "a.tif"},
            "shared": {"both": 0, "any": 0, "share": 0.0},
            "similarity": {"all": {"correlation": 0.83, "sharpened": 0.2, "first": 1, "second": 2}},
        },
        "rejected": {"a.tif": 12},
        "shortcuts": [
            {"cue": "mean", "accuracy": 0.8, "interval": [0.7, 0.9], "n": 60, "chance": 0.5, "strength": "strong"},
            {"cue": "histogram", "accuracy": 0.5, "interval": [0.4, 0.6], "n": 60, "chance": 0.5, "strength": "none"},
        ],
    }
    run = _lay(project, events)
    write_json(project.path / "imagesets" / ready.hash / "plan.json", plan, 1)
    write_report(run.path, tmp_path / "report.html")
    _, words = _read(tmp_path / "report.html")
    assert "It is doubtful that the sets are independent. The guard band is narrow." in words
    assert "correlate by 0.83" in words
    assert "a.tif: 12 rejected" in words
    assert "the mean grey value 80.0 % (70.0–90.0 %, n = 60; chance 50.0 %)" in words
    assert "came no nearer than 7.25 voxels to each other and shared 0.0 % of the voxels" in words
    assert "A linear classifier that saw only the mean grey value told 80.0 %" in words


def test_a_run_that_has_not_begun_and_an_empty_project_have_reports(project: Project, tmp_path: Path) -> None:
    write_report(project.path, tmp_path / "empty.html")
    _, words = _read(tmp_path / "empty.html")
    assert "no runs yet" in words
    run = _lay(project, training()[:1])
    run.events.unlink()
    write_report(project.path, tmp_path / "waiting.html")
    _, words = _read(tmp_path / "waiting.html")
    assert "waiting" in words


def test_what_cannot_be_read_is_said_in_the_report(project: Project, tmp_path: Path) -> None:
    run = _lay(project, training())
    run.recipe.write_text("[[class", encoding="utf-8")
    with open(run.events, "ab") as file:
        file.write(b"not json\n")
    write_report(project.path, tmp_path / "report.html")
    _, words = _read(tmp_path / "report.html")
    assert "not valid TOML" in words
    assert "Not an event" in words


def test_another_folder_is_refused(tmp_path: Path) -> None:
    with pytest.raises(FileError, match="neither a project nor a run"):
        write_report(tmp_path, tmp_path / "report.html")


def test_a_place_that_cannot_be_written_is_named(project: Project, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(FileError, match="file"):
        write_report(project.path, tmp_path / "file" / "report.html")


@given(st.text(max_size=30))
def test_text_is_escaped(text: str) -> None:
    checker = _Checker()
    checker.feed(tag("p", text, title=text))
    checker.close()
    assert checker.seen == ["p"]
    assert isinstance(tag("p", text), Html)


@given(st.floats(-1e6, 1e6), st.floats(1e-3, 1e6))
def test_ticks_are_round_and_inside(low: float, size: float) -> None:
    high = low + size
    found = ticks(low, high)
    assert 2 <= len(found) <= 9
    slack = 1e-6 * size
    assert all(low - slack <= t <= high + slack for t in found)


def test_a_chart_leaves_gaps_where_values_are_missing() -> None:
    drawn = chart([Series("a", [(1, 1.0), (2, 2.0), (3, None), (4, 1.0), (5, 0.5)])], x="epoch", y="loss")
    assert drawn.count("<polyline") == 2
    assert chart([Series("a", [(1, None), (2, float("nan"))])], x="epoch", y="loss") == ""
    assert "<circle" in chart([Series("a", [(1, 1.0)])], x="epoch", y="loss")
