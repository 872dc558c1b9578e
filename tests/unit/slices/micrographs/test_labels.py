"""Tables of labels: columns guessed and said, images found, mistakes named."""

from __future__ import annotations

from pathlib import Path

import imagecodecs
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from microtome.errors import FileError, InputError, MicrotomeError, UnknownNameError
from microtome.slices.micrographs.labels import Labelled, read_labels

PNG = bytes(imagecodecs.png_encode(np.zeros((4, 4), np.uint8)))


def table(folder: Path, text: str, *images: str, encoding: str = "utf-8") -> Path:
    for name in images:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(PNG)
    (folder / "labels.csv").write_bytes(text.encode(encoding))
    return folder / "labels.csv"


def test_everything_a_table_can_say(tmp_path: Path) -> None:
    text = "filename,material,specimen,day,split,pixel_size,unit\na/1.png,steel,S1,mon,train,2.5,nm\n2.png,α,S2,,TEST,,\n"
    found = read_labels(table(tmp_path, text, "a/1.png", "2.png"))
    assert found.classes == ("steel", "α")
    first = Labelled(
        path=tmp_path / "a/1.png",
        class_name="steel",
        groups=(("specimen", "S1"), ("day", "mon")),
        set_name="train",
        pixel_size=2.5,
        unit="nm",
    )
    second = Labelled(path=tmp_path / "2.png", class_name="α", groups=(("specimen", "S2"),), set_name="evaluation")
    assert found.rows == (first, second)
    assert found.findings == (
        "labels.csv: images from “filename”, classes from “material”, groups from “specimen” and “day”, sets from “split”, "
        "pixel sizes from “pixel_size”.",
    )


@pytest.mark.parametrize("separator", [",", ";", "\t", "|"])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
@pytest.mark.parametrize("header", ["image,label\n", ""])
def test_delimiters_encodings_and_no_header(tmp_path: Path, separator: str, encoding: str, header: str) -> None:
    text = (header + "ä 1.png,A\n2.png,B\n").replace(",", separator)
    found = read_labels(table(tmp_path, text, "ä 1.png", "2.png", encoding=encoding))
    assert [(r.path.name, r.class_name) for r in found.rows] == [("ä 1.png", "A"), ("2.png", "B")]


def test_columns_in_any_order_and_by_what_stands_in_them(tmp_path: Path) -> None:
    path = table(tmp_path, "x,where\nA,1.png\nB,2.png\n", "1.png", "2.png")
    assert [r.class_name for r in read_labels(path).rows] == ["A", "B"]


def test_columns_that_are_named(tmp_path: Path) -> None:
    text = "file,class,operator,lab,fold\n1.png,x,A,L,train\n2.png,x,B,M,test\n"
    path = table(tmp_path, text, "1.png", "2.png")
    found = read_labels(path, label="operator", groups=["lab"], set_column="fold")
    assert [(r.class_name, r.groups, r.set_name) for r in found.rows] == [
        ("A", (("lab", "L"),), "train"),
        ("B", (("lab", "M"),), "evaluation"),
    ]
    with pytest.raises(UnknownNameError, match="no column “clas”"):
        read_labels(path, label="clas")


def test_a_column_of_other_things_called_set_is_no_set(tmp_path: Path) -> None:
    path = table(tmp_path, "file,class,set\n1.png,A,7\n2.png,B,8\n", "1.png", "2.png")
    assert {r.set_name for r in read_labels(path).rows} == {""}
    with pytest.raises(InputError, match="names a set “7”"):
        read_labels(path, set_column="set")


def test_images_are_found_where_people_put_them(tmp_path: Path) -> None:
    text = "file,class\nsub\\1.png,A\n2,A\ndeep.png,B\nsub/3,B\n"
    found = read_labels(table(tmp_path, text, "sub/1.png", "2.png", "x/y/deep.png", "sub/3.png", "z/3.png"))
    assert [r.path.relative_to(tmp_path).as_posix() for r in found.rows] == ["sub/1.png", "2.png", "x/y/deep.png", "sub/3.png"]


def test_missing_and_ambiguous_images_are_named(tmp_path: Path) -> None:
    path = table(tmp_path, "file,class\n1.png,A\nno.png,A\ntwice.png,B\n", "1.png", "a/twice.png", "b/twice.png")
    with pytest.raises(FileError, match=r"2 of the 3 images of .* are not there: no\.png, twice\.png"):
        read_labels(path)


def test_empty_and_repeated_rows_are_said(tmp_path: Path) -> None:
    path = table(tmp_path, "file,class\n1.png,A\n1.png,A\n2.png,\n\n,B\n2.png,B\n", "1.png", "2.png")
    found = read_labels(path)
    assert len(found.rows) == 2
    assert found.findings[1:] == (
        "2 rows of labels.csv without an image or a class were left out.",
        "1 rows of labels.csv repeat an image and were left out.",
    )


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "no rows of two columns"),
        ("file,class\n", "no rows of two columns"),
        ("file\n1.png\n", "no rows of two columns"),
        ("file,class\n1.png,A,3\n", "Row 2 of .* has 3 cells"),
        ("file,file\n1.png,A\n", "two columns “file”"),
        ("file,class\n1.png,A\n1.png,B\n", "into “A” and into “B”"),
        ("file,a,b\n1.png,x,y\n", "No column of .* clearly gives their class"),
        ("a,class\n3,x\n", "No column of .* clearly names the images"),
        ("file,class\n1.png,\n", "names no image with a class"),
        ("file,class,pixel_size,unit\n1.png,A,-3,nm\n", "pixel size “-3 nm”"),
        ("file,class,pixel_size,unit\n1.png,A,3,bananas\n", "pixel size “3 bananas”"),
    ],
)
def test_mistakes_are_sentences(tmp_path: Path, text: str, words: str) -> None:
    with pytest.raises(MicrotomeError, match=words):
        read_labels(table(tmp_path, text, "1.png"))


def test_what_is_no_table(tmp_path: Path) -> None:
    path = tmp_path / "labels.csv"
    for data, words in ((PNG, "not UTF-8"), (b"a\0b,c\n1,2", "no table"), ("ä,ö\n".encode("latin-1"), "not UTF-8")):
        path.write_bytes(data)
        with pytest.raises(FileError, match=words):
            read_labels(path)
    with pytest.raises(FileError, match="Could not read the labels"):
        read_labels(tmp_path / "none.csv")


@settings(max_examples=80, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.one_of(st.binary(max_size=200), st.text(alphabet='1.png,;\t|"\nAfile class\\/..', max_size=200).map(str.encode)))
def test_no_table_crashes(tmp_path: Path, data: bytes) -> None:
    path = table(tmp_path, "", "1.png")
    path.write_bytes(data)
    try:
        found = read_labels(path)
    except MicrotomeError:
        return
    assert found.rows
    assert all(r.path.is_file() and r.class_name for r in found.rows)
