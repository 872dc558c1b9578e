"""The recipe: what INTERFACE promises is read, written and checked."""

from __future__ import annotations

from pathlib import Path

import pytest

from microtome.errors import FileError, InputError, MicrotomeError, UnknownNameError
from microtome.search.recipe import dumps, load, parse, require_classes

FULL = """
[[class]]
name = "cement"
volumes = ["cement.tif", { path = "b.raw", shape = [128,128,128], dtype = "uint8", voxel_size = [10.0, 4.0, 4.0], unit = "nm" }]
[[class]]
name = "M"
simulate = { kind = "m-sbr", seed = 1 }
[slices]
field_of_view = 64.0
unit = "voxel"
pixels = 64
orientation = "random"
train = 300
validation = 100
evaluation = 200
seed = 0
[network]
name = "cnn"
convolutions = 4
dense = 2
[training]
epochs = 10
batch_size = 32
optimizer = "adam"
learning_rate = 1e-3
seed = 0
[search]
algorithm = "two-points-de"
budget = 20
workers = 2
seed = 0
[search.space]
"network.convolutions" = { low = 2, high = 5 }
"training.learning_rate" = { low = 1e-4, high = 1e-1, log = true }
"network.activation" = ["relu", "gelu"]
"""


def test_the_promised_recipe_is_read_and_written_back(tmp_path: Path) -> None:
    file = tmp_path / "r.toml"
    file.write_text(FULL)
    recipe = load(file)
    source = recipe.classes[0].volumes[1]
    assert source.path == str(tmp_path / "b.raw")
    assert source.voxel_size == (10.0, 4.0, 4.0)
    assert source.options == {"shape": [128, 128, 128], "dtype": "uint8"}
    assert recipe.classes[1].simulated[0].kind == "m-sbr"
    assert recipe.search is not None
    axes = {a.name: a for a in recipe.search.space}
    assert axes["network.convolutions"].kind == "int"
    assert axes["training.learning_rate"].log
    assert axes["network.activation"].choices == ("relu", "gelu")
    again = tmp_path / "again.toml"
    again.write_text(dumps(recipe))
    assert load(again) == recipe


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("pixels = 64", "pixel = 64", "Did you mean “pixels”"),
        ("[training]", "[trainings]", "Did you mean “training”"),
        ('name = "cnn"', 'name = "cnm"', "Did you mean “cnn”"),
        ("convolutions = 4", "convolution = 4", "Did you mean “convolutions”"),
        ("low = 2, high = 5", "low = 5, high = 2", "low = 5 above high = 2"),
        ("low = 2, high = 5", "low = 2, high = 500", "must be at most"),
        ("low = 1e-4", "low = 0.0", "must be above 0"),
        ('"network.convolutions" =', '"network.convolution" =', "Did you mean “convolutions”"),
        ('"training.learning_rate" =', '"learning_rate" =', "Did you mean “training.learning_rate”"),
        ('"training.learning_rate" =', '"trainin.learning_rate" =', "Did you mean “training”"),
        ('"training.learning_rate" =', '"seed" =', "Did you mean “slices.seed” or “training.seed”"),
        ("low = 2, high = 5", "low = 2.5, high = 5", "network.convolutions must be a whole number, not 2.5"),
        ("epochs = 10", 'augmentation = ["rotation"]', "Did you mean “augmentations”"),
        ('["relu", "gelu"]', "[]", "no choices"),
        ('"two-points-de"', '"two-point-de"', "Did you mean “two-points-de”"),
        ('orientation = "random"', 'orientation = "xq"', "slices.orientation cannot be 'xq'"),
        ("voxel_size = [10.0, 4.0, 4.0]", "voxel_size = [10.0, 0.0, 4.0]", "three positive numbers"),
        ('kind = "m-sbr"', 'kind = "m-sbx"', "Did you mean “m-sbr”"),
        ('name = "M"', 'name = "cement"', "Two classes are called “cement”"),
        ("epochs = 10", "epochs = 0", "training.epochs is 0 epochs; it must be at least 1"),
        ("batch_size = 32", "batch_size = ", "not valid TOML"),
    ],
)
def test_a_mistake_is_said(tmp_path: Path, old: str, new: str, words: str) -> None:
    file = tmp_path / "r.toml"
    assert old in FULL
    file.write_text(FULL.replace(old, new, 1))
    with pytest.raises(MicrotomeError) as caught:
        load(file)
    assert words in str(caught.value)


def test_a_range_is_of_the_kind_that_its_setting_is() -> None:
    """However its ends are written: else the one would try only 0 and 1, and every trial of the other would fail."""
    space = {
        "network.dropout": {"low": 0, "high": 0.5},
        "training.weight_decay": {"low": 0, "high": 1},
        "training.epochs": {"low": 1e1, "high": 1e2, "log": True},
        "training.batch_size": {"low": 16, "high": 64},
    }
    search = parse({"search": {"space": space}}).search
    assert search is not None
    kinds = {axis.name: axis.kind for axis in search.space}
    assert kinds == {
        "network.dropout": "float",
        "training.weight_decay": "float",
        "training.epochs": "int",
        "training.batch_size": "int",
    }
    assert next(a for a in search.space if a.name == "training.epochs").at(0.0) == 10


def test_classes_without_data_or_alone_are_refused() -> None:
    with pytest.raises(InputError, match="Class “a” has no volumes"):
        require_classes(parse({"class": [{"name": "a"}, {"name": "b", "volumes": ["x"]}]}))
    with pytest.raises(InputError, match="only one class"):
        require_classes(parse({"class": [{"name": "a", "volumes": ["x"]}]}))
    with pytest.raises(InputError, match="no class"):
        require_classes(parse({}))


def test_a_file_that_is_no_recipe(tmp_path: Path) -> None:
    with pytest.raises(FileError, match="Could not read the recipe"):
        load(tmp_path / "none.toml")
    (tmp_path / "bin.toml").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(FileError, match="not UTF-8"):
        load(tmp_path / "bin.toml")


def test_a_trials_values_are_set_and_checked() -> None:
    recipe = parse({})
    changed = recipe.with_values({"training.learning_rate": 0.01, "network.convolutions": 3, "slices.pixels": 32})
    assert (changed.training.learning_rate, changed.network.parameters["convolutions"], changed.slices.pixels) == (0.01, 3, 32)
    with pytest.raises(UnknownNameError, match=r"no setting “trainin\.epochs”"):
        recipe.with_values({"trainin.epochs": 3})
