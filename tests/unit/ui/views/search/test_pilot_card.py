"""What a promise says on the page of a search."""

from __future__ import annotations

from typing import Any

from microtome.events import Piloted
from microtome.session import TimeLimit
from microtome.ui.views.search.pilot_card import promise_facts

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
