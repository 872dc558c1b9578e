"""What each built-in augmentation promises: its statistics, its physics, what it leaves as it was."""

from __future__ import annotations

from collections import Counter
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import ndimage, stats
from torch import Tensor

from microtome.registry import registry


def apply(name: str, images: Tensor, seed: int = 0, **given: Any) -> Any:
    return registry().get("augmentation", name).call(images, torch.Generator().manual_seed(seed), **given)


def noise(*shape: int) -> Tensor:
    return torch.rand(*shape, generator=torch.Generator().manual_seed(1))


def positions(name: str, count: int, edges: tuple[int, int] = (3, 3), **given: Any) -> Counter[bytes]:
    """How often each picture comes of one that is unlike all its images in a mirror."""
    image = torch.arange(float(np.prod(edges))).view(1, 1, *edges)
    found = apply(name, image.expand(count, 1, *edges), **given)
    return Counter(one.tobytes() for one in found[:, 0].contiguous().numpy())


PICTURE = np.arange(9, dtype=np.float32).reshape(3, 3)
EIGHT = [np.rot90(i, k) for i in (PICTURE, PICTURE.T) for k in range(4)]


@pytest.mark.parametrize(
    ("name", "given", "expected"),
    [
        ("symmetries", {}, EIGHT),
        ("half-turn", {}, [PICTURE, PICTURE[::-1, ::-1], PICTURE[:, ::-1]]),
        ("half-turn", {"positions": "four"}, [PICTURE, PICTURE[::-1, ::-1], PICTURE[:, ::-1], PICTURE[::-1]]),
        ("flip", {}, [PICTURE, PICTURE[:, ::-1]]),
        ("flip", {"direction": "up-down"}, [PICTURE, PICTURE[::-1]]),
        ("flip", {"direction": "both"}, [PICTURE, PICTURE[::-1], PICTURE[:, ::-1], PICTURE[::-1, ::-1]]),
    ],
)
def test_exact_symmetries_are_drawn_evenly(name: str, given: dict[str, Any], expected: list[Any]) -> None:
    found = positions(name, 6000, **given)
    assert set(found) == {np.ascontiguousarray(e).tobytes() for e in expected}
    share = 6000 / len(expected)
    assert all(abs(n - share) < 5 * share**0.5 for n in found.values())  # five standard deviations


def test_symmetries_only_flips_what_is_not_square() -> None:
    assert len(positions("symmetries", 100, (2, 3))) == 4


def test_rotation_is_a_rotation_of_pixels_that_are_square() -> None:
    """A disc stays a disc, also in an image that is not square; its centre turns about the middle."""
    y, x = torch.meshgrid(torch.arange(40.0), torch.arange(80.0), indexing="ij")
    disc = (((y - 19.5) ** 2 + (x - 51.5) ** 2) < 25).float().expand(200, 1, 40, 80)
    found = apply("rotation", disc, edges="mean")[:, 0].double().numpy()
    found = found - found.min(axis=(1, 2), keepdims=True)
    angles = []
    for image in found:
        cy, cx = ndimage.center_of_mass(image > 0.5)
        assert np.hypot(cy - 19.5, cx - 39.5) == pytest.approx(12.0, abs=0.3)
        spread = [np.var(p) for p in np.nonzero(image > 0.5)]
        assert spread[0] == pytest.approx(spread[1], rel=0.3)  # sheared it would be four times
        angles.append(np.arctan2(cy - 19.5, cx - 39.5))
    assert stats.kstest(angles, stats.uniform(-np.pi, 2 * np.pi).cdf).pvalue > 1e-3


def test_rotation_by_nothing_changes_nothing() -> None:
    images = noise(4, 1, 9, 9)
    for edges in ("reflection", "border", "mean"):
        assert torch.allclose(apply("rotation", images, degrees=0.0, edges=edges), images, atol=1e-5)


def test_rotation_keeps_the_texture_as_it_is_interpolated() -> None:
    """Bicubic keeps more of white noise than bilinear does, and neither adds any."""
    images = torch.randn(64, 1, 48, 48, generator=torch.Generator().manual_seed(2))
    kept = {
        how: float(apply("rotation", images, interpolation=how)[:, :, 12:36, 12:36].std()) for how in ("bicubic", "bilinear")
    }
    assert kept["bilinear"] < kept["bicubic"] < 1.0
    assert kept["bicubic"] > 0.85


def test_a_crop_shows_a_part_enlarged() -> None:
    """Of a ramp each crop keeps a share of the range that is the share of the edge, at least the smallest."""
    ramp = torch.arange(64.0).expand(300, 1, 64, 64)
    found = apply("crop", ramp, smallest=0.25)[:, 0, :, 8:56]
    slopes = (found[:, :, -1] - found[:, :, 0]).mean(dim=1) / 47  # shares of the edge
    assert float(slopes.min()) > 0.49
    assert float(slopes.max()) < 1.02
    assert stats.kstest(slopes.square().numpy(), stats.uniform(0.25, 0.75).cdf).pvalue > 1e-3
    assert torch.allclose(apply("crop", noise(3, 1, 8, 8), smallest=1.0), noise(3, 1, 8, 8), atol=1e-5)


@given(pixels=st.integers(1, 40), height=st.integers(1, 12), width=st.integers(1, 12), seed=st.integers(0, 99))
@settings(max_examples=40, deadline=None)
def test_a_shift_is_padding_and_a_crop(pixels: int, height: int, width: int, seed: int) -> None:
    image = torch.arange(float(height * width)).view(1, 1, height, width)
    found = apply("shift", image, seed, pixels=pixels)[0, 0].numpy()
    padded = np.pad(image[0, 0].numpy(), pixels, mode="symmetric")
    offers = [padded[y : y + height, x : x + width] for y in range(2 * pixels + 1) for x in range(2 * pixels + 1)]
    assert any(np.array_equal(found, offer) for offer in offers)


def test_cutout_makes_one_hole_of_its_size() -> None:
    images = noise(400, 1, 32, 32)
    found = apply("cutout", images, size=0.25)
    holes = (found != images)[:, 0]
    level = images.mean(dim=(1, 2, 3))
    assert all((found[i, 0][holes[i]] == level[i]).all() for i in range(400))
    sizes = holes.sum(dim=(1, 2))
    assert int(sizes.max()) == 64  # 8 × 8 where the whole hole lies inside
    assert (sizes > 0).all()
    untouched = (apply("cutout", images, share=0.3) == images).all(dim=(1, 2, 3)).float().mean()
    assert abs(float(untouched) - 0.7) < 0.12


@pytest.mark.parametrize("name", ["mixup", "cutmix"])
@pytest.mark.parametrize("alpha", [0.05, 0.5, 1.0, 3.0])
def test_weights_have_the_beta_distribution(name: str, alpha: float) -> None:
    """CutMix's are by pixels, clipped at the edge: its rectangle's area before that is one minus a Beta number."""
    _, _, weight = apply(name, torch.zeros(20_000, 1, 1, 1) if name == "mixup" else torch.zeros(2000, 1, 32, 32), alpha=alpha)
    if name == "mixup":
        # Of a small α most weights are 0 or 1 to single precision: they are compared by their middle part and its share.
        middle = weight[(weight > 1e-3) & (weight < 1 - 1e-3)].double().numpy()
        law = stats.beta(alpha, alpha)
        low, high = law.cdf(1e-3), law.cdf(1 - 1e-3)
        assert len(middle) / len(weight) == pytest.approx(high - low, abs=0.018)
        assert stats.kstest(middle, lambda w: (law.cdf(w) - low) / (high - low)).pvalue > 1e-3
    else:
        # Half of what is cut falls outside at most on each axis: the mean share that stays is between these.
        assert 0.5 < float(weight.mean()) < 0.85
    assert float(weight.min()) >= 0
    assert float(weight.max()) <= 1


def test_cutmix_shows_one_rectangle_of_the_partner() -> None:
    images = torch.arange(200.0).view(-1, 1, 1, 1).expand(200, 1, 16, 16)
    found, partner, weight = apply("cutmix", images)
    for i in range(200):
        strange = (found[i, 0] != i).nonzero()
        if partner[i] == i or not len(strange):
            continue
        (y0, x0), (y1, x1) = strange.amin(0).tolist(), strange.amax(0).tolist()
        assert len(strange) == (y1 - y0 + 1) * (x1 - x0 + 1)
        assert (found[i, 0, y0 : y1 + 1, x0 : x1 + 1] == partner[i]).all()
        assert float(weight[i]) == pytest.approx(1 - len(strange) / 256)


def test_brightness_shifts_and_contrast_stretches() -> None:
    images = noise(500, 1, 8, 8)
    moved = (apply("brightness", images, amount=0.2) - images).flatten(1)
    assert torch.allclose(moved, moved[:, :1].expand_as(moved), atol=1e-6)
    assert stats.kstest(moved[:, 0].numpy(), stats.uniform(-0.2, 0.4).cdf).pvalue > 1e-3
    found = apply("contrast", images, factor=2.0)
    assert torch.allclose(found.mean(dim=(1, 2, 3)), images.mean(dim=(1, 2, 3)), atol=1e-5)
    factors = torch.log2(found.std(dim=(1, 2, 3)) / images.std(dim=(1, 2, 3)))
    assert stats.kstest(factors.numpy(), stats.uniform(-1, 2).cdf).pvalue > 1e-3


def test_gamma_bends_between_black_and_white_only() -> None:
    ramp = torch.linspace(-0.5, 1.5, 201).view(1, 1, 1, 201).expand(50, 1, 1, 201)
    found = apply("gamma", ramp, factor=3.0)
    outside = (ramp <= 0) | (ramp >= 1)
    assert (found[outside] == ramp[outside]).all()
    assert (found.diff(dim=-1) > 0).all()  # greys keep their order
    exponents = torch.log(found[:, 0, 0, 100]) / np.log(0.5)
    assert stats.kstest((exponents.log() / np.log(3)).numpy(), stats.uniform(-1, 2).cdf).pvalue > 1e-3


def test_blur_is_the_gaussian_filter() -> None:
    """As SciPy's with reflected edges; every image with a width of its own below the largest."""
    spot = torch.zeros(100, 1, 33, 33)
    spot[:, :, 16, 16] = 1
    found = apply("blur", spot, sigma=3.0, share=1.0)[:, 0].double().numpy()
    place = np.arange(33) - 16
    widths = np.sqrt((found.sum(axis=1) * place**2).sum(axis=1))
    assert widths.min() >= 0
    assert widths.max() < 3.05
    assert len(np.unique(widths.round(3))) > 50
    images = noise(100, 1, 33, 33)
    same = apply("blur", images, sigma=3.0, share=1.0)[:, 0].numpy()
    for i in np.flatnonzero(widths > 0.8)[:10]:
        expected = ndimage.gaussian_filter(images[i, 0].double().numpy(), widths[i], mode="reflect", truncate=8)
        assert np.abs(expected - same[i]).max() < 2e-3
    assert np.allclose(same.mean(axis=(1, 2)), images.mean(dim=(1, 2, 3)).numpy(), atol=0.01)


@pytest.mark.parametrize(("dose", "grey"), [(5.0, 0.0), (20.0, 0.5), (200.0, 1.0)])
def test_shot_noise_is_that_of_its_counts(dose: float, grey: float) -> None:
    """Mean as before; variance counts / dose² on the scale of the greys; the values are whole counts."""
    images = torch.full((20, 1, 64, 64), grey)
    found = apply("shot-noise", images, dose=dose, spread=1.0, background=0.1).double()
    expected = dose * (0.1 + 0.9 * grey)
    counts = (found * 0.9 + 0.1) * dose
    assert torch.allclose(counts, counts.round(), atol=1e-3)
    assert float(counts.mean()) == pytest.approx(expected, rel=0.02)
    assert float(counts.var()) == pytest.approx(expected, rel=0.05)
    assert float(found.var()) == pytest.approx(expected / (dose * 0.9) ** 2, rel=0.05)


def test_each_image_has_a_dose_of_its_own() -> None:
    found = apply("shot-noise", torch.full((400, 1, 32, 32), 0.5), dose=10.0, spread=100.0, background=0.0)
    doses = 0.5 / found.var(dim=(1, 2, 3))
    assert stats.kstest((doses.log10() - 1).numpy(), stats.uniform(0, 2).cdf).pvalue > 1e-4


def test_gaussian_noise_is_alike_in_every_grey() -> None:
    images = torch.cat((torch.zeros(300, 1, 16, 16), torch.ones(300, 1, 16, 16)))
    added = apply("gaussian-noise", images, deviation=0.2) - images
    strengths = added.std(dim=(1, 2, 3))
    assert stats.kstest(strengths.numpy(), stats.uniform(0, 0.2).cdf).pvalue > 1e-4
    assert abs(float(strengths[:300].mean() - strengths[300:].mean())) < 0.02
    assert abs(float(added.mean())) < 0.002


@pytest.mark.parametrize(("direction", "axis"), [("down", 1), ("across", 0)])
def test_stripes_run_through_and_multiply(direction: str, axis: int) -> None:
    images = 0.5 + 0.5 * noise(300, 1, 40, 40)
    found = apply("curtaining", images, direction=direction, strength=0.2, width=2.0, share=1.0)
    factor = (found / images)[:, 0] - 1
    lines = factor.mean(dim=2 - axis)
    assert torch.allclose(factor, lines.unsqueeze(2 - axis).expand_as(factor), atol=1e-4)
    # The strengths are even between 0 and 0.2, the stripes of deviation 1: the variance is that of a third of 0.2².
    assert float(lines.var()) == pytest.approx(0.2**2 / 3, rel=0.2)
    neighbours = float((lines[:, 1:] * lines[:, :-1]).mean() / lines.square().mean())
    assert neighbours == pytest.approx(np.exp(-1 / (4 * 2.0**2)), abs=0.03)  # of noise smoothed by a Gaussian


def test_stripes_go_either_way_and_leave_some_images() -> None:
    images = torch.ones(400, 1, 16, 16)
    found = apply("curtaining", images, share=0.6)[:, 0]
    down, across = found.std(dim=1).amax(dim=1) < 1e-6, found.std(dim=2).amax(dim=1) < 1e-6
    untouched = down & across
    assert abs(float(untouched.float().mean()) - 0.4) < 0.12
    assert abs(float((down & ~untouched).float().sum() / (~untouched).sum()) - 0.5) < 0.15
    assert (down | across).all()


def test_elastic_moves_smoothly_by_about_what_is_asked() -> None:
    ramp = torch.arange(64.0).expand(100, 1, 64, 64)
    moved = (apply("elastic", ramp, displacement=2.0, length=16.0) - ramp)[:, 0, 16:48, 16:48]
    assert 1.0 < float(moved.std()) < 2.5
    assert float(moved.diff(dim=2).abs().max()) < 2.0
    assert (apply("elastic", torch.ones(3, 1, 20, 30)) - 1).abs().max() < 1e-5
