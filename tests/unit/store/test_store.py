"""What lies on disk: atomic replacement, journals, locks, projects, migration."""

from __future__ import annotations

import errno
import json
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from microtome.errors import FileError, InputError, MicrotomeError, NewerFormatError
from microtome.events import Note
from microtome.store import migrate
from microtome.store.atomic import explain, read_json, replacing, sweep, write_json, write_text
from microtome.store.journal import JournalReader, JournalWriter, read_all
from microtome.store.project import Project, VolumeEntry
from microtome.store.run import Orders, RunFolder, RunLock


def test_a_failed_write_leaves_the_old_file_and_nothing_beside_it(tmp_path: Path) -> None:
    file = tmp_path / "a.json"
    write_json(file, {"x": 1})
    with pytest.raises(ZeroDivisionError), replacing(file) as out:
        out.write(b"half")
        raise ZeroDivisionError
    assert read_json(file)["x"] == 1
    assert [p.name for p in tmp_path.iterdir()] == ["a.json"]


def test_what_a_killed_process_left_beside_a_file_is_swept(tmp_path: Path) -> None:
    for name in (".a.json.x1.part", ".b.json.x1.part", "a.json", "a.json.part"):
        (tmp_path / name).write_text("")
    sweep(tmp_path / "a.json")
    assert sorted(p.name for p in tmp_path.iterdir()) == [".b.json.x1.part", "a.json", "a.json.part"]
    sweep(tmp_path / "missing" / "a.json")


def test_a_full_disk_is_said_in_words(tmp_path: Path) -> None:
    file = tmp_path / "a.txt"
    write_text(file, "old")
    with pytest.raises(FileError, match="The disk is full"), replacing(file):
        raise OSError(errno.ENOSPC, "No space left on device")
    assert file.read_text() == "old"


def test_a_read_only_place_is_said_in_words() -> None:
    assert "read-only" in str(explain(OSError(errno.EROFS, "x"), Path("/there"), "write"))


@pytest.mark.parametrize("text", ["", "{", "[1]", "null"])
def test_damaged_json_is_said_with_its_path(tmp_path: Path, text: str) -> None:
    file = tmp_path / "a.json"
    file.write_text(text)
    with pytest.raises(FileError, match=r"a\.json is damaged"):
        read_json(file)


@pytest.mark.skipif(sys.platform == "win32", reason="limits the size of files as POSIX does")
def test_half_a_line_that_a_full_disk_took_is_taken_back(tmp_path: Path) -> None:
    import resource

    path, before = tmp_path / "events.jsonl", resource.getrlimit(resource.RLIMIT_FSIZE)
    with JournalWriter(path) as journal:
        journal.append(Note(text="one"))
        whole = path.read_bytes()
        resource.setrlimit(resource.RLIMIT_FSIZE, (len(whole) + 20, before[1]))
        try:
            with pytest.raises(FileError, match="Could not append to"):
                journal.append(Note(text="two"))
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, before)
        assert path.read_bytes() == whole
        journal.append(Note(text="three"))
    assert [getattr(e, "text", "") for e in read_all(path)] == ["one", "three"]


def test_a_torn_last_line_is_cut_before_appending(tmp_path: Path) -> None:
    path = tmp_path / "events.jsonl"
    with JournalWriter(path) as journal:
        journal.append(Note(text="one"))
        journal.append(Note(text="two"))
    path.write_bytes(path.read_bytes()[:-7])
    with JournalWriter(path) as journal:
        journal.append(Note(text="three"))
    assert [e.text for e in read_all(path) if isinstance(e, Note)] == ["one", "three"]


@given(cut=st.integers(0, 400))
def test_a_journal_cut_anywhere_loses_only_its_end(tmp_path_factory: pytest.TempPathFactory, cut: int) -> None:
    path = tmp_path_factory.mktemp("journal") / "events.jsonl"
    with JournalWriter(path) as journal:
        for i in range(8):
            journal.append(Note(time=float(i), text=str(i)))
    data = path.read_bytes()
    path.write_bytes(data[: min(cut, len(data))])
    whole = data[: min(cut, len(data))].count(b"\n")
    with JournalWriter(path) as journal:
        journal.append(Note(text="more"))
    texts = [e.text for e in read_all(path) if isinstance(e, Note)]
    assert texts == [*map(str, range(whole)), "more"]


def test_a_reader_takes_only_complete_lines(tmp_path: Path) -> None:
    path = tmp_path / "events.jsonl"
    reader = JournalReader(path)
    assert reader.read() == []
    path.write_bytes(b'{"event":"note","time":1.0,"text":"o')
    assert reader.read() == []
    with open(path, "ab") as file:
        file.write(b'ne"}\n')
    assert [e.text for e in reader.read() if isinstance(e, Note)] == ["one"]


def _run(tmp_path: Path) -> RunFolder:
    return RunFolder.create(tmp_path / "runs", name="my run", info={"kind": "train"}, recipe_toml="")


def test_runs_of_one_minute_differ_in_their_names(tmp_path: Path) -> None:
    made = [RunFolder.create(tmp_path, name="train", info={}, recipe_toml="").name for _ in range(3)]
    assert len({(name[:13], name[16:]) for name in made}) == 3, "by the minute, or by a number"
    assert all(name[16:] in ("train", "train-2", "train-3") for name in made)


def test_two_runs_of_one_second_get_two_folders(tmp_path: Path) -> None:
    assert _run(tmp_path).path != _run(tmp_path).path
    assert len(Project.create(tmp_path).runs()) == 2


def test_orders_reach_the_driver_once_and_old_ones_never(tmp_path: Path) -> None:
    run = _run(tmp_path)
    run.order("pause")
    orders = Orders(run)
    assert orders.new() == []
    run.order("workers", n=3)
    assert [(o["command"], o["n"]) for o in orders.new()] == [("workers", 3)]
    assert orders.new() == []


def test_a_line_may_be_longer_than_what_is_read_at_once(tmp_path: Path) -> None:
    file = tmp_path / "events.jsonl"
    with JournalWriter(file) as journal:
        for text in ("a", "b" * 9_000_000, "c"):
            journal.append(Note(text=text))
    assert [len(e.text) for e in read_all(file) if isinstance(e, Note)] == [1, 9_000_000, 1]
    reader = JournalReader(file)
    assert len(reader.read(100)) == 1
    assert len(reader.read(1_000_000)) == 2 and reader.read(100) == []


def test_a_reader_follows_a_journal_whose_torn_end_is_cut_off(tmp_path: Path) -> None:
    file = tmp_path / "events.jsonl"
    with JournalWriter(file) as journal:
        journal.append(Note(text="a"))
    with open(file, "ab") as torn:
        torn.write(b'{"event":"warm-started","ti')
    reader = JournalReader(file)
    assert len(reader.read()) == 1
    with JournalWriter(file) as journal:
        journal.append(Note(text="another"))
    assert [e.text for e in reader.read() if isinstance(e, Note)] == ["another"]


def test_orders_since_its_launch_are_for_a_driver_that_still_imports(tmp_path: Path) -> None:
    run = _run(tmp_path)
    run.order("launched")
    run.order("stop")  # to the driver before
    before = time.time()
    run.order("launched")
    run.order("pause")
    assert [o["command"] for o in Orders(run, after=before).new()] == ["pause"]
    assert Orders(run, after=time.time()).new() == [], "both launches are older than the driver before this one"
    assert [o["command"] for o in Orders(run, from_start=True).new()].count("stop") == 1


def test_an_order_that_a_full_disk_tore_stops_no_driver(tmp_path: Path) -> None:
    run = _run(tmp_path)
    run.order("until", at=5.0)
    with open(run.path / "control.jsonl", "ab") as file:
        file.write(b'{"command": "pau')
    orders = Orders(run, from_start=True)
    run.order("workers", n=2)
    assert [o["command"] for o in orders.new()] == ["until", "workers"]
    latest = orders.latest("until")
    assert latest is not None and latest["at"] == 5.0


def test_a_lock_that_came_with_a_copied_folder_does_not_hold_for_ever(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run = _run(tmp_path)
    lock = RunLock(run)
    lock.path.write_text(json.dumps({"host": "somewhere-else", "pid": 1, "started": 0.0}))
    assert lock.holder() == -1
    with pytest.raises(InputError, match="another computer"):
        lock.take()
    os.utime(lock.path, (time.time() - 3600,) * 2)  # nobody has touched it since
    assert lock.holder() is None
    monkeypatch.setattr("microtome.store.run._TOUCHED_EVERY", 0.01)
    lock.take()
    old = time.time() - 3600
    os.utime(lock.path, (old,) * 2)
    until = time.monotonic() + 30
    while lock.path.stat().st_mtime < old + 60:
        assert time.monotonic() < until, "its holder gives no sign of life"
    lock.release()
    assert not lock.path.exists()


TAKE = """
import sys, time
from pathlib import Path
from microtome.errors import InputError
from microtome.store.run import RunFolder, RunLock
lock = RunLock(RunFolder(Path(sys.argv[1])))
holder = lock.holder
lock.holder = lambda *now: (holder(*now), time.sleep(0.3))[0]  # both look before one of them writes
print("ready", flush=True)
sys.stdin.readline()
try:
    lock.take()
    print("mine", flush=True)
except InputError:
    print("no", flush=True)
sys.stdin.readline()
"""


def test_of_two_that_take_a_lock_at_the_same_time_one_gets_it(tmp_path: Path) -> None:
    run = _run(tmp_path)
    code = [sys.executable, "-c", TAKE, str(run.path)]
    both = [subprocess.Popen(code, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) for _ in range(2)]
    for other in both:
        assert other.stdout is not None and other.stdout.readline() == "ready\n"
    for word in ("take", "leave"):
        said = []
        for other in both:
            assert other.stdin is not None
            other.stdin.write(f"{word}\n")
            other.stdin.flush()
        for other in both:
            assert other.stdout is not None
            said.append(other.stdout.readline())
        assert sorted(said) == (["mine\n", "no\n"] if word == "take" else ["", ""])
    for other in both:
        other.communicate()


@pytest.mark.skipif(not Path("/proc/sys/kernel/random/boot_id").exists(), reason="the system does not tell its starts apart")
def test_a_lock_outlives_a_clock_that_is_set(tmp_path: Path) -> None:
    run = _run(tmp_path)
    lock = RunLock(run)
    lock.take()
    taken = json.loads(lock.path.read_text())
    # From the process's start to now the clock was set by an hour: the system now says another time of that start.
    lock.path.write_text(json.dumps({**taken, "started": taken["started"] - 3600}))
    assert lock.holder() == os.getpid()
    lock.path.write_text(json.dumps({**taken, "started": taken["started"] - 3600, "boot": "another"}))
    assert lock.holder() is None
    old = {name: taken[name] for name in ("host", "pid")}
    lock.path.write_text(json.dumps({**old, "started": taken["started"]}))  # of an earlier version
    assert lock.holder() == os.getpid()
    lock.path.write_text(json.dumps({**old, "started": taken["started"] - 3600}))
    assert lock.holder() is None


def test_a_lock_is_held_by_a_living_process_only(tmp_path: Path) -> None:
    run = _run(tmp_path)
    lock = RunLock(run)
    code = (
        "import sys; from pathlib import Path; from microtome.store.run import *;"
        f"RunLock(RunFolder(Path({str(run.path)!r}))).take(); print('held', flush=True); sys.stdin.read()"
    )
    with subprocess.Popen([sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as other:
        assert other.stdout is not None
        assert other.stdout.readline() == b"held\n"
        assert lock.holder() == other.pid
        with pytest.raises(InputError, match="is being run by"):
            lock.take()
        other.kill()
    assert lock.holder() is None
    lock.take()
    assert lock.holder() == os.getpid()
    lock.release()
    assert lock.holder() is None


def test_a_project_comes_back_after_being_moved(tmp_path: Path) -> None:
    project = Project.create(tmp_path / "old name")
    inside = project.path / "data" / "a.tif"
    inside.parent.mkdir()
    inside.write_bytes(b"x")
    entry = VolumeEntry(
        id="a",
        name="a",
        path=project.refer(inside),
        voxel_size=(10.0, 4.0, 4.0),
        shape=(2, 3, 4),
        class_name="Ä",
        findings=("odd",),
    )
    project.put_volume(entry)
    project.put_volume(VolumeEntry(id="b", name="b", path="/elsewhere/b.tif"))
    project.settings["recipe"] = {"slices": {"pixels": 32}}
    project.save()
    project.path.rename(tmp_path / "新しい")
    again = Project.open(tmp_path / "新しい")
    assert again.volumes[0] == entry
    assert again.resolve(again.volumes[0]).read_bytes() == b"x"
    assert [v.id for v in again.volumes] == ["a", "b"]
    assert again.settings["recipe"] == {"slices": {"pixels": 32}}


def test_a_folder_that_is_no_project_is_said(tmp_path: Path) -> None:
    with pytest.raises(FileError, match="not a Microtome project"):
        Project.open(tmp_path)


def test_a_newer_project_opens_read_only_and_keeps_unknown_keys(tmp_path: Path) -> None:
    project = Project.create(tmp_path / "p")
    file = project.path / "project.json"
    file.write_text(json.dumps({"format": 99, "future": {"a": 1}}))
    newer = Project.open(project.path)
    assert "newer" in newer.read_only
    assert newer.settings["future"] == {"a": 1}
    with pytest.raises(MicrotomeError, match="newer"):
        newer.save()
    assert json.loads(file.read_text())["format"] == 99


def test_an_older_file_is_migrated_after_a_copy(tmp_path: Path) -> None:
    file = tmp_path / "thing.json"
    file.write_text(json.dumps({"format": 1, "name": "x"}))
    migrate.migration("thing-of-test", 1)(lambda data: {**data, "title": data["name"]})
    assert migrate.load(file, "thing-of-test", 2)["title"] == "x"
    assert json.loads(file.read_text())["format"] == 2
    assert json.loads((tmp_path / "thing.v1.json").read_text()) == {"format": 1, "name": "x"}
    file.write_text(json.dumps({"format": 3}))
    with pytest.raises(NewerFormatError):
        migrate.load(file, "thing-of-test", 2)
