"""What a unit of a network sees at once, over a slice of a volume and over a micrograph, in length or in pixels."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import tifffile

from microtome.errors import InputError
from microtome.session import Session
from microtome.slices.plan import Micrographs, SlicePlan
from microtome.ui.seen_slice import SeenAsked, read_seen
from microtome.ui.views.training.seen_field import reach_words
from microtome.volumes.read import describe

Ask = Callable[..., SeenAsked]


@pytest.fixture
def ask(tmp_path: Path) -> Ask:
    """A folder of colour micrographs, 40 × 60 pixels of 2 nm: the left half red, the right half blue."""
    (tmp_path / "stained").mkdir()
    for i in range(2):
        image = np.zeros((40, 60 + i, 3), np.uint8)
        image[:, :30, 0], image[:, 30:, 2] = 200, 100 + i
        resolution = (1e7 / 2, 1e7 / 2)  # pixels a centimetre
        file = tmp_path / "stained" / f"{i}.tif"
        tifffile.imwrite(file, image, photometric="rgb", resolution=resolution, resolutionunit="CENTIMETER")
    session = Session()
    session.new_project(tmp_path / "project")
    session.add_volume(describe(tmp_path / "stained"), "stained")
    project = session.need_project()

    def make(fit: str = "cut", channels: int = 3, **plan: object) -> SeenAsked:
        made = SlicePlan(**{"field_of_view": 32.0, "unit": "nm", "pixels": 16, **plan})
        return SeenAsked(
            project=project, entry=project.volumes[0], plan=made, micrographs=Micrographs(fit=fit), channels=channels
        )

    return make


def test_a_micrograph_is_cut_in_its_middle_and_in_its_colours(ask: Ask) -> None:
    seen = read_seen(ask())
    assert seen.image.shape == (3, 16, 16)
    assert seen.field == (32.0, "nm")
    assert (seen.image[0, :, 0] == 200).all() and (seen.image[2, :, -1] == 100).all()
    assert read_seen(ask(channels=1)).image.shape == (16, 16)


def test_an_image_that_is_brought_to_size_has_its_own_edge(ask: Ask) -> None:
    assert ask("resize").field is None, "not known before it is read"
    edge, unit = read_seen(ask("resize", unit="mm")).field
    assert unit == "nm"
    assert edge == pytest.approx(80, rel=0.05), "its middle square, 40 pixels of 2 nm"


def test_images_that_are_too_small_are_said(ask: Ask) -> None:
    with pytest.raises(InputError, match="smaller than the field of view"):
        read_seen(ask(field_of_view=100.0))


def test_what_is_seen_is_told_as_far_as_it_is_known() -> None:
    assert reach_words(8, 32, (64.0, "nm"), None) == ("Sees 16 nm of 64 nm at once.", "")
    assert reach_words(8, 32, None, None) == ("Sees 8 of 32 pixels at once.", "")
    assert "whole image" in reach_words(32, 32, None, None)[0]
    words, remark = reach_words(8, 32, (64.0, "nm"), 10.0)
    assert "Particle diameter: 10 nm" in words and "less than 3 particles" in remark
    assert reach_words(16, 32, (64.0, "nm"), 10.0)[1] == ""
