"""A search on a full or read-only disk, beside a window that dies, and under a clock that is set: it says so, and keeps all."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import msgspec
import psutil
import pytest

from microtome.events import EpochEnded, RunEnded, RunStarted, TrialEnded, WorkerEnded
from microtome.results.fold import fold_all
from microtome.results.worker_use import worker_use
from microtome.search.records import Records
from microtome.store.journal import read_all
from microtome.store.run import RunLock

HERE = Path(__file__).parent
sys.path[:0] = [str(HERE), str(HERE.parent / "unit" / "search")]
from small import make  # noqa: E402 - found by the line above
from test_search_kills import SPACE, Story, check_journal, check_remains, curves_of_keys  # noqa: E402

SEARCH = {"algorithm": "random", "budget": 12, "workers": 2, "early_stopping": "none", "space": SPACE}
EPOCHS = 4
ROOM = 24_000_000  # bytes of the small disk


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    """A small disk of its own."""
    place = tmp_path / "disk"
    place.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", f"size={ROOM}", "tmpfs", str(place)]
    if subprocess.run(command, capture_output=True, check=False).returncode != 0:
        pytest.skip("this user may not mount a disk")
    yield place
    subprocess.run(["umount", "--lazy", str(place)], check=True)


def fill(disk: Path, left: int) -> Path:
    """Take all of a disk's room but so many bytes."""
    free = os.statvfs(disk).f_bavail * os.statvfs(disk).f_frsize
    path = disk / "filler"
    path.write_bytes(bytes(max(0, free - left)))
    return path


def new_search(folder: Path, budget: int = 12) -> Story:
    run = make(folder, training={"epochs": EPOCHS}, search={**SEARCH, "budget": budget})
    return Story(run, cheap=True)


def say(story: Story) -> tuple[int, list[dict[str, object]], str]:
    """Let a driver go to its end: its code, what it said, its errors."""
    errors = story.run.path.parent.parent.parent.parent / "errors.txt"
    with open(errors, "wb") as file, story.start(file) as driver:
        out, _ = driver.communicate(timeout=100)
    return driver.returncode, [json.loads(line) for line in out.splitlines()], errors.read_text()


@pytest.mark.skipif(sys.platform == "win32", reason="mounts a disk")
@pytest.mark.slow
@pytest.mark.parametrize("left", [40_000, 120_000, 300_000])
def test_a_disk_that_fills_up_stops_the_search_and_loses_nothing(disk: Path, left: int) -> None:
    budget = 60  # whatever was written before it was full, so many do not fit any more
    story = new_search(disk / "job", budget)
    with open(disk.parent / "errors.txt", "wb") as errors, story.start(errors) as driver:
        assert driver.stdout is not None
        for line in driver.stdout:
            if json.loads(line)["event"] == "trial-started":
                filler = fill(disk, left)
                break
        rest = [json.loads(line) for line in driver.stdout]
    assert driver.returncode == 0, (disk.parent / "errors.txt").read_text()
    assert rest[-1]["state"] == "failed"
    assert "The disk is full: free some space" in rest[-1]["message"]
    assert story.processes() == []
    assert not RunLock(story.run).holder()
    kept = read_all(story.run.events)  # every line of it can be read
    assert not [e for e in kept if isinstance(e, TrialEnded) and e.outcome != "done"], "the disk's fault is no trial's"

    code, lines, words = say(story)  # still full: it says so again, and nothing else
    assert "The disk is full" in (str(lines[-1]) if code == 0 else words)
    assert not [e for e in read_all(story.run.events) if isinstance(e, TrialEnded) and e.outcome != "done"]

    filler.unlink()
    assert say(story)[1][-1]["state"] == "done"
    check_journal(story.run, budget=budget, epochs=EPOCHS)
    check_remains(story)


@pytest.mark.slow
@pytest.mark.skipif(sys.platform == "win32", reason="mounts a disk")
def test_a_read_only_disk_is_named(disk: Path) -> None:
    story = new_search(disk / "job")
    subprocess.run(["mount", "-o", "remount,ro", str(disk)], check=True)
    command = [sys.executable, "-m", "microtome", "resume", str(story.run.path)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 2
    assert "read-only" in done.stderr and "Traceback" not in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1


WINDOW = """
import sys
from pathlib import Path
from microtome.session import Session
from microtome.store.run import RunFolder
session = Session()
session.open_project(Path(sys.argv[1]))
run = RunFolder.open(Path(sys.argv[2]))
print(session.driving(run), flush=True)
if sys.argv[3] == "drive":
    session.drive(run)
    print(session.drivers[run.name].pid, flush=True)
sys.stdin.read()
"""


@pytest.mark.slow
def test_a_window_is_killed_in_mid_search_and_finds_it_again(tmp_path: Path) -> None:
    run = make(tmp_path, training={"epochs": 12}, search={**SEARCH, "budget": 6})
    command = [sys.executable, "-c", WINDOW, str(run.path.parent.parent), str(run.path)]
    with subprocess.Popen([*command, "drive"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as window:
        assert window.stdout is not None
        assert window.stdout.readline().strip() == "False"
        driver = psutil.Process(int(window.stdout.readline()))
        reader = run.reader()
        while not any(isinstance(e, EpochEnded) for e in reader.read()):
            with suppress(psutil.TimeoutExpired):
                driver.wait(timeout=0.02)
        # They stand still while another window opens, which takes longer than a small search does.
        workers = [p for p in driver.children() if "spawn_main" in " ".join(p.cmdline())]
        for worker in workers:
            worker.suspend()
        window.kill()
    with subprocess.Popen([*command, "look"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as window:
        assert window.stdout is not None
        assert window.stdout.readline().strip() == "True"  # it is not begun a second time
        window.kill()
    for worker in workers:
        worker.resume()
    driver.wait(timeout=150)
    check_journal(run, budget=6, epochs=12)
    assert not [e for e in read_all(run.events) if isinstance(e, WorkerEnded)]


@pytest.mark.slow
def test_a_clock_that_is_set_breaks_nothing(tmp_path: Path) -> None:
    story = new_search(tmp_path)
    with open(tmp_path / "errors.txt", "wb") as errors, story.start(errors) as driver:
        assert driver.stdout is not None
        ended = 0
        for line in driver.stdout:
            ended += json.loads(line)["event"] == "trial-ended"
            if ended == 4:
                break
        driver.kill()
    psutil.wait_procs(story.processes(), timeout=30)
    before = curves_of_keys(story.run)
    # The first half of what happened has happened a day later than the rest: the clock was set back.
    events = read_all(story.run.events)
    half = len(events) // 2
    moved = [msgspec.structs.replace(e, time=e.time + 86_400) for e in events[:half]] + events[half:]
    story.run.events.write_bytes(b"".join(msgspec.json.encode(e) + b"\n" for e in moved))
    assert say(story)[1][-1]["state"] == "done"
    check_journal(story.run, budget=SEARCH["budget"], epochs=EPOCHS)
    after = curves_of_keys(story.run)
    assert {key: after[key] for key in before} == before
    whole = read_all(story.run.events)
    assert 0 <= Records.of(whole).seconds < 200
    use = worker_use(fold_all(whole))
    assert 0 <= use.busy <= 1
    # Set in the middle of a driver that comes to its end: its effort is its own count.
    end, first = whole[-1], max(i for i, e in enumerate(whole) if isinstance(e, RunStarted))
    assert isinstance(end, RunEnded)
    for jump in (3e7, -3e7):
        later = [msgspec.structs.replace(e, time=e.time + jump) for e in whole[first + 3 :]]
        assert Records.of(whole[first : first + 3] + later).seconds == pytest.approx(end.seconds)
