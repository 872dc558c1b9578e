"""Events survive being written, read by an older or newer program, and damaged."""

from __future__ import annotations

import pytest

from microtome.errors import InputError
from microtome.events import EpochEnded, Note, TrialEnded, Unknown, decode, encode


def test_an_event_is_one_line_and_comes_back_equal() -> None:
    event = TrialEnded(trial=3, outcome="done", value=0.5, message="a\nb", best_epoch=2)
    line = encode(event)
    assert b"\n" not in line
    assert decode(line) == event


def test_a_loss_that_is_no_number_is_none() -> None:
    event = EpochEnded(
        trial=1,
        epoch=0,
        train_loss=None,
        train_accuracy=0.3,
        validation_loss=None,
        validation_accuracy=0.3,
        per_class={"a": (1, 3)},
        confusion=((1, 2), (0, 3)),
        learning_rate=1e-3,
        images_per_second=10.0,
        seconds=1.0,
    )
    assert decode(encode(event)) == event


def test_an_event_of_a_newer_version_is_kept() -> None:
    event = decode(b'{"event":"comet","time":1.0,"tail":3}')
    assert isinstance(event, Unknown)
    assert event.data["tail"] == 3


def test_an_unknown_key_of_a_known_event_does_no_harm() -> None:
    event = decode(b'{"event":"note","time":1.0,"text":"hello","colour":"red"}')
    assert isinstance(event, Note)
    assert event.text == "hello"


@pytest.mark.parametrize("line", [b"", b"{", b"[1]", b"nonsense", b"\xff\xfe"])
def test_what_is_no_event_is_said(line: bytes) -> None:
    with pytest.raises(InputError, match="Not an event"):
        decode(line)
