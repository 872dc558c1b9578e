"""Micrographs: whole groups to sets, tiles and wholes, shares, tables, bars, masks, copies; what is said of all that."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from pathlib import Path
from typing import Any

import imagecodecs
import numpy as np
import pytest
import tifffile
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from microtome.errors import FileError, InputError
from microtome.search.recipe import parse, to_table
from microtome.slices.blocks.split import SETS
from microtome.slices.export.folder import export_set
from microtome.slices.geometry import PLANES, Grid
from microtome.slices.imageset import ImageSet, build
from microtome.slices.micrographs.allotment import allot, shares_of, united
from microtome.slices.micrographs.arrange import Arrangement, Seen, arrange, whole_grid
from microtome.slices.plan import ClassSource, Micrographs, SlicePlan

PLAN = SlicePlan(field_of_view=16, pixels=16, train=6, validation=3, evaluation=3, normalisation="none")
DATA = Path("../shared/data")


def noise(seed: int, height: int = 48, width: int = 64) -> NDArray[np.uint8]:
    return np.random.default_rng(seed).integers(40, 220, (height, width), dtype=np.uint8)


def folder_of(path: Path, number: int, first: int = 0, make: Callable[[int], NDArray[Any]] = noise) -> Path:
    path.mkdir(parents=True, exist_ok=True)
    for k in range(number):
        (path / f"s{k // 2}_{k}.png").write_bytes(imagecodecs.png_encode(make(first + k)))
    return path


def classes_of(tmp_path: Path, micrographs: Micrographs, number: int = 12) -> tuple[ClassSource, ...]:
    return tuple(
        ClassSource(name=n, images=(str(folder_of(tmp_path / n, number, 100 * k)),), micrographs=micrographs)
        for k, n in enumerate("AB")
    )


def images_by_set(found: ImageSet) -> dict[str, set[str]]:
    """The files (class/name) that each set's images come from."""
    return {s: {"/".join(Path(found.volumes[v]["path"]).parts[-2:]) for v in found.poses.volumes[found.split(s)]} for s in SETS}


def test_tiles_are_the_pixels_themselves_and_of_one_image_in_one_set(tmp_path: Path) -> None:
    found = build(classes_of(tmp_path, Micrographs(fit="tile", shares="50/25/25")), PLAN, tmp_path / "sets")
    assert len(found) == 24 * 12  # 3 × 4 tiles of each image
    for i in range(len(found)):
        path = found.volumes[found.poses.volumes[i]]["path"]
        _, y, x = (found.poses.centres[i] - 7.5).astype(int)
        image = imagecodecs.png_decode(Path(path).read_bytes())
        np.testing.assert_allclose(found.images[i], image[y : y + 16, x : x + 16], atol=1e-4)
    by_set = images_by_set(found)
    assert sum(map(len, by_set.values())) == 24
    assert len(set.union(*by_set.values())) == 24
    assert found.counts()["train"] == {"A": 72, "B": 72}
    assert found.counts()["evaluation"] == {"A": 36, "B": 36}
    assert "24 groups of images were given to the sets as wholes" in found.independence


def test_overlap_makes_more_tiles_in_the_middle_of_the_image() -> None:
    one = Seen(label=0, number=0, name="a", shape=(1, 50, 64), grid=Grid((1, 1, 1), 16, "xy"))
    seen = [dataclasses.replace(one, number=k) for k in range(3)]
    for overlap, rows, columns in ((0.0, 3, 4), (0.5, 5, 7), (0.75, 9, 13)):
        made = arrange(seen, ["A"], Micrographs(fit="tile", overlap=overlap, shares="1/1/1"), PLAN)
        centres = made.shares[0, 0].centres
        assert centres is not None
        assert len(centres) == rows * columns
        assert centres[:, 1].min() - 7.5 == pytest.approx(49 - (centres[:, 1].max() + 7.5))
        assert np.diff(np.unique(centres[:, 2])) == pytest.approx(16 * (1 - overlap))


def test_groups_by_name_are_never_split_and_hold_for_all_classes(tmp_path: Path) -> None:
    for seed in range(3):
        plan = dataclasses.replace(PLAN, seed=seed)
        found = build(classes_of(tmp_path, Micrographs(fit="tile", group=r"/(s\d+)_")), plan, tmp_path / "sets")
        by_set = {s: {f.split("/")[1].split("_")[0] for f in files} for s, files in images_by_set(found).items()}
        assert all(by_set.values())
        assert not by_set["train"] & by_set["validation"]
        assert not (by_set["train"] | by_set["validation"]) & by_set["evaluation"]
        assert found.counts()["train"] == {"A": 6, "B": 6}
        assert "6 groups" in found.independence


def test_groups_with_random_cuts(tmp_path: Path) -> None:
    found = build(classes_of(tmp_path, Micrographs(group=r"(s\d+)_")), PLAN, tmp_path / "sets")
    assert {s: sum(c.values()) for s, c in found.counts().items()} == {"train": 12, "validation": 6, "evaluation": 6}
    specimens = {s: {f.split("/")[1].split("_")[0] for f in files} for s, files in images_by_set(found).items()}
    assert not specimens["train"] & specimens["evaluation"]


@pytest.mark.parametrize("size", [(64, 64), (16, 16), (40, 40), (25, 25), (200, 200), (9, 9), (63, 127), (17, 300)])
@pytest.mark.parametrize("stretch", [False, True])
def test_wholes_stay_inside_and_reach_the_edges(size: tuple[int, int], stretch: bool) -> None:
    grid = whole_grid(size, 16, stretch=stretch)
    reach = grid.reach(np.array([PLANES["xy"]], dtype=float))[0, 1:]
    edges = np.array(size if stretch else (min(size),) * 2)
    assert (2 * reach <= edges - 1 + 1e-9).all()
    assert (2 * reach >= 0.9 * (edges - 1) - np.array(grid.spacing[1:])).all()


def test_wholes_are_means_of_their_pixels(tmp_path: Path) -> None:
    """An image of blocks of 4 × 4 equal pixels, brought to a fourth, is those blocks."""
    blocks = [np.random.default_rng(k).integers(0, 255, (16, 16), dtype=np.uint8) for k in range(3)]
    folder_of(tmp_path / "A", 3, make=lambda k: np.kron(blocks[k], np.ones((4, 4), np.uint8)))
    source = ClassSource(name="A", images=(str(tmp_path / "A"),), micrographs=Micrographs(fit="resize", shares="1/1/1"))
    found = build((source,), PLAN, tmp_path / "sets")
    numbers = [int(Path(found.volumes[v]["path"]).stem.split("_")[1]) for v in found.poses.volumes]
    for image, number in zip(found.images, numbers, strict=True):
        np.testing.assert_allclose(image, blocks[number], atol=1e-3)
    assert (found.pixel_size, found.unit) == (4.0, "voxel")


def test_mixed_sizes_are_said(tmp_path: Path) -> None:
    sizes = [(64, 64), (32, 48), (12, 200), (100, 90), (80, 80), (16, 16)]
    folder_of(tmp_path / "A", 6, make=lambda k: noise(k, *sizes[k]))
    folder_of(tmp_path / "A", 1, make=lambda k: noise(9, 5, 64))  # replaces the first: too small
    source = ClassSource(name="A", images=(str(tmp_path / "A"),), micrographs=Micrographs(fit="stretch", shares="60/20/20"))
    found = build((source,), PLAN, tmp_path / "sets")
    assert len(found) == 5
    assert any("1 images are too small and were left out, s0_0.png among them." in w for w in found.warnings)
    assert any("1 images have fewer pixels than 16 and were enlarged." in w for w in found.warnings)
    assert any("their pixels differ" in w for w in found.warnings)


def test_pixels_of_a_known_length(tmp_path: Path) -> None:
    (tmp_path / "A").mkdir()
    for k in range(3):
        tifffile.imwrite(
            tmp_path / "A" / f"{k}.tif", noise(k, 64, 64), imagej=True, resolution=(0.5, 0.5), metadata={"unit": "nm"}
        )
    source = ClassSource(name="A", images=(str(tmp_path / "A"),), micrographs=Micrographs(fit="resize", shares="1/1/1"))
    found = build((source,), dataclasses.replace(PLAN, unit="nm"), tmp_path / "sets")
    assert found.pixel_size == pytest.approx(8.0)
    assert found.unit == "nm"


def test_too_few_tiles_are_said_with_what_helps(tmp_path: Path) -> None:
    plan = dataclasses.replace(PLAN, train=1000)
    with pytest.raises(InputError, match=r"Class “A” has \d+ tiles for training; 1000 are wanted.*shares"):
        build(classes_of(tmp_path, Micrographs(fit="tile")), plan, tmp_path / "sets")


def test_too_few_groups_are_said(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="Class “A” has large enough images of 2 groups; three sets need three"):
        build(classes_of(tmp_path, Micrographs(group=r"(s\d+)_"), number=4), PLAN, tmp_path / "sets")


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"group": "("}, "no regular expression"),
        ({"group": r"day(\d+)"}, "Nothing in .* matches"),
        ({"data_bar": 48}, "as high as"),
        ({"shares": "80"}, "cannot be “80”"),
        ({"shares": "a/b"}, "cannot be “a/b”"),
        ({"shares": "0/50/50"}, "cannot be “0/50/50”"),
    ],
)
def test_wrong_settings_are_sentences(tmp_path: Path, options: dict[str, Any], words: str) -> None:
    with pytest.raises(InputError, match=words):
        build(classes_of(tmp_path, Micrographs(**options)), PLAN, tmp_path / "sets")


def test_volumes_have_no_tiles(tmp_path: Path) -> None:
    from microtome.slices.plan import VolumeSource

    np.save(tmp_path / "v.npy", np.zeros((40, 40, 40), np.uint8))
    mixed = dataclasses.replace(
        classes_of(tmp_path, Micrographs(fit="tile"))[0], volumes=(VolumeSource(path=str(tmp_path / "v.npy")),)
    )
    with pytest.raises(InputError, match=r"v\.npy of class “A” is a volume"):
        build((mixed,), PLAN, tmp_path / "sets")


def test_bars_masks_and_copies_are_left_out_and_counted(tmp_path: Path) -> None:
    def with_bar(k: int) -> NDArray[np.uint8]:
        bar = np.zeros((12, 64), np.uint8)
        bar[4:8, 5:30:3] = 255
        return np.vstack([noise(k), bar])

    for name, first in (("A", 0), ("B", 50)):
        folder = folder_of(tmp_path / name, 4, first, make=with_bar)
        (folder / "s0_0_mask.png").write_bytes(imagecodecs.png_encode(noise(7) // 128 * 255))
        (folder / "zcopy.png").write_bytes((folder / "s1_3.png").read_bytes())
    for fit in ("cut", "tile"):
        classes = tuple(ClassSource(name=n, images=(str(tmp_path / n),), micrographs=Micrographs(fit=fit)) for n in "AB")
        found = build(classes, dataclasses.replace(PLAN, train=4, validation=2, evaluation=2), tmp_path / "sets")
        assert {v["shape"][1] for v in found.volumes} == {48}
        assert len(found.volumes) <= 8
        assert "1 masks beside the images of “A” were left out: s0_0_mask.png." in found.warnings
        assert "1 images of “B” are copies of others and were left out: zcopy.png." in found.warnings
        assert "A data bar was found in 4 of the 4 images of “A” and left out (12 px)." in found.warnings


def test_a_table_gives_classes_groups_and_sets(tmp_path: Path) -> None:
    folder_of(tmp_path, 12)
    rows = [f"s{k // 2}_{k}.png,{'AB'[k % 2]},{k // 4},{('train', 'val', 'test')[k // 4]}" for k in range(12)]
    (tmp_path / "labels.csv").write_text("file,class,specimen,split\n" + "\n".join(rows))
    recipe = parse({"micrographs": {"labels": "labels.csv", "fit": "tile", "shares": "1/1/1"}}, tmp_path)
    assert [c.name for c in recipe.classes] == ["A", "B"]
    assert parse(to_table(recipe)) == recipe
    found = build(recipe.classes, PLAN, tmp_path / "sets")
    by_set = {s: {int(Path(f).stem.split("_")[1]) // 4 for f in files} for s, files in images_by_set(found).items()}
    assert by_set == {"train": {0}, "validation": {1}, "evaluation": {2}}
    assert any("classes from “class”, groups from “specimen”, sets from “split”" in w for w in found.warnings)


def test_a_table_with_training_and_test_only(tmp_path: Path) -> None:
    folder_of(tmp_path, 24)
    rows = [f"s{k // 2}_{k}.png,{'AB'[k % 2]},{'train' if k < 16 else 'test'}" for k in range(24)]
    (tmp_path / "labels.csv").write_text("file,class,split\n" + "\n".join(rows))
    recipe = parse({"micrographs": {"labels": "labels.csv", "fit": "resize", "shares": "1/1/1"}}, tmp_path)
    found = build(recipe.classes, PLAN, tmp_path / "sets")
    assert found.counts()["evaluation"] == {"A": 4, "B": 4}
    assert all(1 <= n <= 2 for n in found.counts()["validation"].values())
    assert any("names no validation set" in w for w in found.warnings)


def test_a_table_that_splits_a_specimen_is_said(tmp_path: Path) -> None:
    folder_of(tmp_path, 12)
    rows = [f"s{k // 2}_{k}.png,{'AB'[k % 2]},{k // 3},{('train', 'val', 'test')[k // 4]}" for k in range(12)]
    (tmp_path / "labels.csv").write_text("file,class,specimen,split\n" + "\n".join(rows))
    recipe = parse({"micrographs": {"labels": "labels.csv", "fit": "resize", "shares": "1/1/1"}}, tmp_path)
    found = build(recipe.classes, PLAN, tmp_path / "sets")
    assert any("split 2 groups of images: evaluation is not independent" in w for w in found.warnings)


def test_classes_that_a_table_has_not(tmp_path: Path) -> None:
    folder_of(tmp_path, 4)
    (tmp_path / "labels.csv").write_text("file,class\ns0_0.png,A\ns0_1.png,B\n")
    recipe = parse({"class": [{"name": "C"}], "micrographs": {"labels": "labels.csv"}}, tmp_path)
    with pytest.raises(InputError, match=r"has no image of class “C”.* Its classes are A, B"):
        build(recipe.classes, PLAN, tmp_path / "sets")
    with pytest.raises(FileError, match="Could not read the labels"):
        parse({"micrographs": {"labels": "none.csv"}}, tmp_path)


def test_an_export_comes_back_by_its_own_index(tmp_path: Path) -> None:
    first = build(classes_of(tmp_path, Micrographs(fit="tile", shares="50/25/25")), PLAN, tmp_path / "sets")
    export_set(first, tmp_path / "out")
    recipe = parse(
        {
            "micrographs": {"labels": "out/index.csv", "fit": "tile", "shares": "1/1/1", "data_bar": 0},
            "slices": {"field_of_view": 16, "pixels": 16, "normalisation": "none"},
        },
        tmp_path,
    )
    again = build(recipe.classes, recipe.slices, tmp_path / "sets")
    assert again.counts() == first.counts()
    for name in SETS:
        mine, theirs = ({i.tobytes() for i in np.asarray(s.images[s.split(name)])} for s in (first, again))
        assert mine == theirs


def test_what_matters_changes_the_hash_and_the_rest_does_not(tmp_path: Path) -> None:
    def hash_of(**options: Any) -> str:
        return build(classes_of(tmp_path, Micrographs(**options)), PLAN, tmp_path / "sets").hash

    assert hash_of() == hash_of(data_bar=0) == hash_of(masks=False)
    assert len({hash_of(), hash_of(fit="tile"), hash_of(fit="resize", shares="1/1/1"), hash_of(data_bar=5)}) == 4
    assert hash_of(fit="tile") != hash_of(fit="tile", group=r"(s\d+)_")


def test_rgb_is_read_as_grey_where_that_is_wished(tmp_path: Path) -> None:
    def coloured(k: int) -> NDArray[np.uint8]:
        return np.stack([noise(k), noise(k) // 2, noise(k) // 3], axis=-1)

    for k, name in enumerate("AB"):
        folder_of(tmp_path / name, 3, 100 * k, make=coloured)
    for colour, shape in (("grey", (6, 16, 16)), ("auto", (6, 3, 16, 16))):
        settings = Micrographs(fit="resize", shares="1/1/1", colour=colour)
        classes = tuple(ClassSource(name=n, images=(str(tmp_path / n),), micrographs=settings) for n in "AB")
        assert build(classes, PLAN, tmp_path / "sets").images.shape == shape


def test_real_micrographs(tmp_path: Path) -> None:
    if not DATA.is_dir():
        pytest.skip("the folder of real data is absent")
    micrographs = {"fit": "tile", "shares": "60/20/20", "group": r"(spot\d+|sample_\d+)"}
    recipe = parse(
        {
            "class": [
                {"name": "superalloy", "images": [str(DATA / "superalloy" / "*.tif")]},
                {"name": "ceramic", "images": [str(DATA / "sem-superconductor" / "*.bmp")]},
            ],
            "slices": {"field_of_view": 64, "pixels": 32},
            "micrographs": micrographs,
        }
    )
    found = build(recipe.classes, recipe.slices, tmp_path)
    assert sum(c["superalloy"] for c in found.counts().values()) == 8 * 64
    assert sum(c["ceramic"] for c in found.counts().values()) == 6 * 16
    assert any(w.startswith("3 masks beside the images of “ceramic” were left out") for w in found.warnings)
    spots = {s: {f.split("/")[1][:5] for f in files if "spot" in f} for s, files in images_by_set(found).items()}
    assert sum(map(len, spots.values())) == 4  # of four spots with two images each


@given(st.lists(st.lists(st.sampled_from("abcdef"), max_size=3), max_size=12))
def test_images_that_share_a_key_are_united(keys: list[list[str]]) -> None:
    groups = united(keys)
    assert sorted(set(groups.tolist())) == list(range(len(set(groups.tolist()))))
    for i, own in enumerate(keys):
        for j, other in enumerate(keys):
            if set(own) & set(other):
                assert groups[i] == groups[j]
            if not own and i != j:
                assert groups[i] != groups[j]


@settings(max_examples=60, deadline=None)
@given(
    sizes=st.lists(st.tuples(st.integers(0, 30), st.integers(0, 30)), min_size=3, max_size=40),
    seed=st.integers(0, 1000),
)
def test_every_set_gets_every_class_where_that_can_be(sizes: list[tuple[int, int]], seed: int) -> None:
    table = np.array([(a + 1, b + 1) for a, b in sizes], dtype=float)  # every group holds both classes
    sets = allot(table, (0.6, 0.2, 0.2), seed)
    assert set(sets.tolist()) == {0, 1, 2}
    np.testing.assert_array_equal(sets, allot(table, (0.6, 0.2, 0.2), seed))


def test_many_groups_follow_the_shares() -> None:
    table = np.random.default_rng(0).integers(1, 9, (300, 4)).astype(float)
    sets = allot(table, (0.6, 0.15, 0.25), 3)
    got = np.array([table[sets == s].sum(axis=0) for s in range(3)]) / table.sum(axis=0)
    np.testing.assert_allclose(got, np.array([[0.6], [0.15], [0.25]]) * np.ones(4), atol=0.02)


def test_shares_in_words() -> None:
    assert shares_of("60/20/20") == pytest.approx((0.6, 0.2, 0.2))
    assert shares_of("76/24") == pytest.approx((0.608, 0.152, 0.24))
    assert shares_of("0.5 : 0.25 : 0.25") == pytest.approx((0.5, 0.25, 0.25))
    assert shares_of("76 % / 24 %") == pytest.approx((0.608, 0.152, 0.24))


def test_nothing_arranged_is_nothing() -> None:
    assert Arrangement(settings=Micrographs()).total == 0
