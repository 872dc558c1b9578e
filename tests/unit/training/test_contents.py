"""Files of weights as part of a ledger key: by what they hold, not by where they lie."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from microtome.errors import FileError
from microtome.training.contents import contents_key
from microtome.training.spec import NetworkChoice, TrainingSpec, TransferSpec, TrialSpec


def test_a_file_of_weights_counts_by_what_it_holds(tmp_path: Path) -> None:
    def key(file: Path) -> str:
        transfer = TransferSpec(weights=str(file))
        spec = TrialSpec(image_set="", image_set_hash="h", network=NetworkChoice(), training=TrainingSpec(), transfer=transfer)
        return replace(spec, weights_key=contents_key(transfer.file)).key()

    one, copy = tmp_path / "one.pth", tmp_path / "copy.pth"
    one.write_bytes(b"some weights")
    copy.write_bytes(b"some weights")
    first = key(one)
    assert first == key(copy)
    one.write_bytes(b"other weights of another training")
    assert key(one) != first
    assert contents_key("") == ""
    with pytest.raises(FileError, match="gone"):
        contents_key(str(tmp_path / "gone.pth"))
