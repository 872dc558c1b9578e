"""Sentences of the rooms without a window are told in Japanese: names and numbers are kept, what is unknown is left alone."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter, shift

from microtome.errors import MicrotomeError
from microtome.registry import registry
from microtome.search.recipe import parse
from microtome.slices.trust.audit import independence
from microtome.slices.trust.shortcut import Shortcut, advice
from microtome.ui import i18n
from microtome.ui.sentences import Catalogue, said
from microtome.volumes.health.check import look_over
from microtome.volumes.read import open_volume
from microtome.volumes.transforms import describe_steps
from microtome.volumes.volume import Volume

_ENGLISH = re.compile(r"[A-Za-z]{3,} [a-z]{2,}")


@pytest.fixture(autouse=True)
def _japanese() -> Iterator[None]:
    i18n.set_language("ja")
    yield
    i18n.set_language("en")


def _findings() -> list[str]:
    """What the health check says of volumes with a leap, a jump of brightness, stripes, empty and repeated slices."""
    rng = np.random.default_rng(7)
    field = gaussian_filter(rng.standard_normal((40, 128, 128)), 2.5, mode="wrap")
    voxels = 60 + 120 / (1 + np.exp(-6 * field / field.std())) + rng.normal(0, 4, field.shape)
    leaping, bright, striped, worn = (voxels.copy() for _ in range(4))
    leaping[20:] = shift(leaping[20:], (0, 9, 0), mode="wrap")
    bright[20:] += 40
    striped += 25 * rng.standard_normal(128)
    worn[5], worn[30] = 0, worn[29]
    every = []
    for faulty in (leaping, bright, striped, worn):
        made = Volume.from_array(np.clip(faulty, 0, 255).astype("uint8"), (20.0, 10.0, 10.0), "nm")
        every += [finding.words for finding in look_over(made, lambda _share: False).findings]
    return every


def test_findings_of_faulty_volumes_keep_their_numbers() -> None:
    found = _findings()
    assert len(found) >= 4
    for words in found:
        told = said(words)
        assert not _ENGLISH.search(told), told
        assert set(re.findall(r"\d+", words)) <= set(re.findall(r"\d+", told)), told


def test_mistakes_are_told_with_what_to_do(tmp_path: Path) -> None:
    empty = tmp_path / "my first. Volume.tif"
    empty.write_bytes(b"")
    told = []
    for wrong in (
        lambda: open_volume(empty),
        lambda: open_volume(tmp_path / "gone.tif"),
        lambda: registry().get("network", "resnet"),
        lambda: parse({"class": [{"volumes": []}]}),
    ):
        with pytest.raises(MicrotomeError) as caught:
            wrong()
        told.append(said(caught.value).replace(str(tmp_path), ""))
    assert told[0].endswith("Volume.tif は空です（0 バイト）。複製または書き出しをやり直してください。")
    assert told[1].endswith("gone.tif は存在しません。パスを確認するか、ファイルを選び直してください。")
    assert told[2].startswith("ネットワーク「resnet」はありません。「")
    assert told[3] == 'クラス 1 に名前がありません。[[class]] の下に name = "…" と書いてください。'


def test_sentences_that_are_put_together_are_taken_apart() -> None:
    block = {"name": "A", "class": "a", "gap": 12, "voxel_size": None, "unit": "voxel", "shape": [90, 90, 90]}
    told = said(independence([block | {"correlation": None}, block | {"name": "B", "class": "b", "gap": None}]))
    assert "クラス「b」では、" in told and "12 ボクセル" in told and not _ENGLISH.search(told)
    cues = [Shortcut("mean", 0.9, (0.8, 0.95), 200, 0.5, "strong"), Shortcut("voxel size", 0.8, (0.7, 0.9), 200, 0.5, "clear")]
    (words,) = advice(cues, "none", simulated=True)
    assert said(words).startswith("構造を見なくても、") and not _ENGLISH.search(said(words))
    steps = [{"name": "crop", "z_from": 3, "z_to": 40, "y_to": 100}, {"name": "brightness"}]
    assert [_ENGLISH.search(said(phrase)) for phrase in describe_steps(steps)] == [None, None]


def test_what_is_not_known_and_what_is_typed_stay_as_they_are() -> None:
    unknown = "Nobody has said this before; and more: so it stays. Really?"
    assert said(unknown) == unknown
    assert said("") == ""
    assert "random image.tif" in said("/data/random image.tif is empty (0 bytes).")
    i18n.set_language("en")
    assert said("The voxel size is not known.") == "The voxel size is not known."


def test_the_sentence_that_shares_most_wins_and_a_place_holds_one_sentence() -> None:
    table = {
        "{path} is {what}.": "{path} は {what} です。",
        "{path} is empty.": "{path} は空です。",
        "{n:numbers} slices{more}": "{n} 枚{more:said}",
        "Use { a }.".replace("{", "{{").replace("}", "}}"): "{{ a }} を使ってください。",
    }
    catalogue = Catalogue(table)
    assert catalogue.told("a b is empty.") == "a b は空です。"
    assert catalogue.told("a is b.") == "a は b です。"
    assert catalogue.told("It ends. A is empty.") is None
    assert catalogue.told("12 slices") == "12 枚"
    assert catalogue.told("many slices") is None
    assert catalogue.told("Use { a }.") == "{ a } を使ってください。"
