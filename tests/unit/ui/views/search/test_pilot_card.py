"""What a promise says on the page of a search."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from PySide6.QtWidgets import QLabel

from microtome import settings
from microtome.events import Piloted
from microtome.jobs.cluster import Scheduler
from microtome.session import TimeLimit
from microtome.session.launch import CLUSTER
from microtome.ui.projects import new_project
from microtome.ui.views.search.pilot_card import PilotCard, promise_facts
from microtome.ui.window import MainWindow

CORNERS: tuple[dict[str, Any], ...] = (
    {"parameters": {}, "images_per_second": 900.0, "memory": 400_000_000, "seconds": 3.0},
    {"parameters": {}, "images_per_second": 35.0, "memory": 700_000_000, "seconds": 48.0},
)
FOUND = Piloted(corners=CORNERS, hours=(1.0, 2.0, 4.0), disk=672_000_000, workers=2, total_memory=16_000_000_000)


def test_a_promise_is_a_range_with_memory_and_disk() -> None:
    told = dict(promise_facts(FOUND, 100, TimeLimit()))
    assert told["Time"] == "1 h 0 min – 4 h 0 min, likely 2 h 0 min"
    assert "700 MB a worker, 1.4 GB for 2 workers" in told["Memory"]
    assert "672 MB" in told["Disk"] and told["Speed"].startswith("35 – 900")
    assert "Fits into the time budget" not in told


def test_what_fits_into_a_time_budget_is_said() -> None:
    assert dict(promise_facts(FOUND, 100, TimeLimit(seconds=7200)))["Fits into the time budget"] == "50 – 100 of 100 trials"
    assert dict(promise_facts(FOUND, 100, TimeLimit(seconds=20000)))["Fits into the time budget"] == "all 100 trials"


def test_a_promise_for_a_cluster_says_where_it_was_measured(window: MainWindow, tmp_path: Path) -> None:
    new_project(window.desk, tmp_path / "project")
    card = PilotCard(window.desk)
    card.promised = FOUND
    card.show_promise(TimeLimit())
    assert not _says(card, "measured on this computer")
    settings.put(CLUSTER, Scheduler("tcp://head:8786").to_json())
    card.show_promise(TimeLimit())
    assert _says(card, "measured on this computer")


def _says(card: PilotCard, words: str) -> bool:
    return any(words in label.text() for label in card.findChildren(QLabel) if label.isVisibleTo(card))
