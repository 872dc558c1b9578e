"""Folders that appear as a whole, and names that every system allows."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from microtome.errors import FileError, InputError
from microtome.store.folders import appearing, safe_name, safe_names


def test_a_folder_appears_at_the_end(tmp_path: Path) -> None:
    target = tmp_path / "a" / "b"
    with appearing(target, "write") as part:
        (part / "x").write_text("1")
        assert not target.exists()
    assert (target / "x").read_text() == "1"
    assert [p.name for p in target.parent.iterdir()] == ["b"]


def test_nothing_is_left_of_a_failure(tmp_path: Path) -> None:
    with pytest.raises(ZeroDivisionError), appearing(tmp_path / "b", "write") as part:
        (part / "x").write_text("1")
        raise ZeroDivisionError
    with pytest.raises(FileError, match=r"Could not export to .*b"), appearing(tmp_path / "b", "export to") as part:
        (part / "no" / "x").write_text("1")
    assert list(tmp_path.iterdir()) == []


def test_what_is_there_is_not_overwritten(tmp_path: Path) -> None:
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "mine").write_text("1")
    (tmp_path / "file").write_text("1")
    for name in ("full", "file"):
        with pytest.raises(InputError, match="is there already"), appearing(tmp_path / name, "write"):
            pytest.fail("entered")
    (tmp_path / "empty").mkdir()
    with appearing(tmp_path / "empty", "write") as part:
        (part / "x").write_text("1")
    assert (tmp_path / "empty" / "x").exists()
    assert (tmp_path / "full" / "mine").exists()


def test_leftovers_of_dead_processes_go_and_others_stay(tmp_path: Path) -> None:
    dead = tmp_path / "b.999999999.0123abcd.part"  # more than any system's highest number of a process
    alive = tmp_path / f"b.{os.getppid()}.0123abcd.part"
    foreign = tmp_path / "bb.999999999.0123abcd.part"
    for folder in (dead, alive, foreign):
        folder.mkdir()
    with appearing(tmp_path / "b", "write"):
        pass
    assert [p.exists() for p in (dead, alive, foreign)] == [False, True, True]


def test_a_file_in_the_way_is_a_sentence(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("1")
    with pytest.raises(FileError, match="Could not export to"), appearing(tmp_path / "file" / "b", "export to"):
        pytest.fail("entered")


@pytest.mark.parametrize(
    ("name", "safe"),
    [("A/B", "A_B"), ("a:b?", "a_b_"), ("nul.txt", "_nul.txt"), ("COM1", "_COM1"), (" x. ", "x"), ("..", "_"), ("", "_"),
     ("鋼 α", "鋼 α"), ("console", "console")],
)  # fmt: skip
def test_names_are_safe(name: str, safe: str) -> None:
    assert safe_name(name) == safe


@given(st.lists(st.text(), max_size=8))
def test_any_names_make_as_many_files(names: list[str]) -> None:
    found = safe_names(names)
    assert set(found) == set(names)
    assert len({n.casefold() for n in found.values()}) == len(set(names))
    for name in found.values():
        assert name == name.strip(" .")
        assert name
        assert not set(name) & set('<>:"/\\|?*\0\n')
