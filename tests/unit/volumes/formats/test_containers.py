"""Arrays in containers: any part of them, which array, which axes, and what is asked."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from microtome.errors import FileError, InputError
from microtome.questions import QuestionError
from microtome.volumes.formats.containers import Box, BoxArray, Found, WholeArray, named, one_of, pick

SHAPE = (7, 5, 6)
VOXELS = np.arange(210, dtype=np.uint16).reshape(SHAPE)


class Source:
    """An array that counts how often it is read, and refuses steps backwards and empty boxes, as HDF5 does."""

    def __init__(self, array: NDArray[Any]) -> None:
        self.array, self.reads = array, 0

    def __call__(self, box: Box) -> NDArray[Any]:
        self.reads += 1
        assert all(b.step > 0 and 0 <= b.start < b.stop <= n for b, n in zip(box, SHAPE, strict=True))
        return self.array[box]


def _lazy(chunks: tuple[int, int, int] = (1, 1, 1)) -> tuple[BoxArray, Source]:
    source = Source(VOXELS)
    return BoxArray(shape=SHAPE, dtype=VOXELS.dtype, read=source, name="here", chunks=chunks), source


def _index(count: int) -> st.SearchStrategy[Any]:
    lists = st.lists(st.integers(-count, count - 1), min_size=1, max_size=4).map(np.array)
    return st.one_of(st.integers(-count, count - 1), st.slices(count), lists)


@given(st.data(), st.sampled_from([(1, 1, 1), (3, 2, 2)]))
def test_any_part_is_that_of_the_array(data: st.DataObject, chunks: tuple[int, int, int]) -> None:
    """Whole numbers, slices of any step, and one list of places, as numpy takes them."""
    lazy, _ = _lazy(chunks)
    key = tuple(data.draw(_index(n)) for n in SHAPE[: data.draw(st.integers(1, 3))])
    if sum(isinstance(k, np.ndarray) for k in key) > 1:
        key = key[:1]
    np.testing.assert_array_equal(lazy[key], VOXELS[key])


def test_no_place_outside_is_read() -> None:
    """As numpy refuses it."""
    lazy, source = _lazy()
    for key in (7, -8, (0, 5), (0, 0, [6]), (0, 0, 0, 0)):
        with pytest.raises(IndexError):
            lazy[key]
    assert source.reads == 0
    assert lazy[3:3].shape == (0, 5, 6)


def test_slices_that_share_chunks_are_unpacked_once() -> None:
    """Wheeling through a volume of chunks three slices thick reads it in three parts."""
    lazy, source = _lazy((3, 2, 2))
    for z in range(7):
        np.testing.assert_array_equal(lazy[z], VOXELS[z])
    assert source.reads == 3


def test_a_file_that_became_another_is_noticed() -> None:
    """A part of the wrong shape is no part."""
    lazy = BoxArray(shape=SHAPE, dtype=VOXELS.dtype, read=lambda _box: VOXELS[:2, :2, :2], name="here")
    with pytest.raises(FileError, match="has changed"):
        lazy[0]
    whole = WholeArray(shape=SHAPE, dtype=VOXELS.dtype, load=lambda: VOXELS[:2], name="here")
    with pytest.raises(FileError, match="holds"):
        whole[0]


def _found(shape: tuple[int, ...], axes: str = "", name: str = "/a") -> Found:
    return Found(name=name, shape=shape, dtype=np.dtype("u1"), axes=axes)


def test_the_only_volume_is_taken_and_several_are_asked_about() -> None:
    """Images beside it do not count; with the answer the question is gone."""
    volume, other, image = _found((5, 6, 7)), _found((4, 6, 7), name="/b"), _found((6, 7), name="/c")
    assert one_of([image, volume], "", "x.h5") is volume
    with pytest.raises(QuestionError, match="2 data sets") as asked:
        one_of([image, volume, other], "", "x.h5")
    question = asked.value.question
    assert question.kind == "tree"
    assert [c.label for c in question.choices] == ["/a", "/b", "/c"]
    assert question.choices[0].detail == "5 × 6 × 7 uint8, 210 bytes"
    assert one_of([image, volume, other], question.choices[1].options["dataset"], "x.h5") is other
    with pytest.raises(InputError, match="no data set “/d”"):
        one_of([volume], "/d", "x.h5")
    with pytest.raises(InputError, match=r"holds no volume.*It holds /table"):
        one_of([], "", "x.h5", others=["/table"])


@pytest.mark.parametrize(
    ("shape", "axes", "spatial"),
    [
        ((5, 6, 7), "", (0, 1, 2)),
        ((5, 6, 7), "xyz", (2, 1, 0)),
        ((6, 7), "", (0, 1)),
        ((1, 1, 5, 6, 7), "", (2, 3, 4)),
        ((5, 6, 7, 1), "", (0, 1, 2)),
        ((50, 60, 70, 1), "", (0, 1, 2)),
        ((5, 6, 1, 7), "zycx", (0, 1, 3)),
    ],
)
def test_axes_that_leave_no_choice(shape: tuple[int, ...], axes: str, spatial: tuple[int, ...]) -> None:
    """Names, or the last three; what is of length 1 is passed over."""
    picked = pick(_found(shape, axes), "x", given={})
    assert picked.spatial == spatial
    array = np.arange(np.prod(shape)).reshape(shape)
    box = tuple(slice(0, n, 1) for n in picked.shape)
    part = picked.arranged(array[picked.key((box[0], box[1], box[2]))])
    assert part.shape == picked.shape
    if axes == "xyz":
        np.testing.assert_array_equal(part, array.T)


def test_channels_times_and_further_axes_are_asked_one_after_the_other() -> None:
    """Each answer is kept in the next question's options, and in the end they cut the right volume."""
    array = np.arange(2 * 3 * 2 * 4 * 5 * 6).reshape(2, 3, 2, 4, 5, 6)
    found = _found(array.shape, "tcazyx")
    options: dict[str, Any] = {"dataset": "/a"}
    texts = []
    for _ in range(3):
        settings = {k: v for k, v in options.items() if k != "dataset"}
        with pytest.raises(QuestionError) as asked:
            pick(found, "x.h5", given={"dataset": "/a"}, channels=("red", "green"), **settings)
        texts.append(asked.value.question.text)
        assert asked.value.question.choices[1].options.items() >= options.items()
        options = asked.value.question.choices[1].options
    assert texts == ["Which point in time of 2?", "Which channel of 3?", "Which entry of 2?"]
    assert options == {"dataset": "/a", "time": 1, "channel": 1, "index": "1"}
    picked = pick(found, "x.h5", given={}, time=1, channel=1, index="1")
    everything = (slice(0, 4, 1), slice(0, 5, 1), slice(0, 6, 1))
    np.testing.assert_array_equal(picked.arranged(array[picked.key(everything)]), array[1, 1, 1])


def test_channels_have_their_names() -> None:
    """As a viewer shows them."""
    with pytest.raises(QuestionError) as asked:
        pick(_found((2, 5, 6, 7), "czyx"), "x", given={}, channels=("BSE", ""))
    assert [c.label for c in asked.value.question.choices] == ["channel 0 · BSE", "channel 1"]


def test_two_further_axes_without_names_make_one_option() -> None:
    """index = 1x2."""
    found = _found((2, 3, 9, 9, 9))
    with pytest.raises(QuestionError) as asked:
        pick(found, "x", given={}, index="1")
    assert [c.options for c in asked.value.question.choices] == [{"index": f"1x{i}"} for i in range(3)]
    assert pick(found, "x", given={}, index="1x2").index == (1, 2, None, None, None)
    with pytest.raises(InputError, match="there is no number 3"):
        pick(found, "x", given={}, index="1x3")


def test_colours_are_channels() -> None:
    """A short last axis behind two long ones."""
    with pytest.raises(QuestionError, match="3 channels"):
        pick(_found((20, 30, 3)), "x", given={})
    assert pick(_found((20, 30, 3)), "x", given={}, channel=2).shape == (1, 20, 30)


@pytest.mark.parametrize(
    ("labels", "axes"),
    [
        (["z", "y", "x"], "zyx"),
        (["T", "C", "Z", "Y", "X"], "tczyx"),
        (["depth", "height", "width"], "zyx"),
        (["energy", "y", "x"], "ayx"),
        (["x", "x", "y"], ""),
        (["a", "b", "c"], ""),
    ],
)
def test_names_of_axes(labels: list[str], axes: str) -> None:
    """Letters, or nothing where they do not say where y and x are."""
    assert named(labels) == axes
