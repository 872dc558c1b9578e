"""HDF5 and XDMF: trees of data sets, voxel sizes, links, filters, and what was never written."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
from numpy.typing import NDArray

from microtome.errors import FileError, InputError, MicrotomeError
from microtome.questions import QuestionError
from microtome.volumes.drop import examine, examine_one
from microtome.volumes.read import open_volume

Bytes = NDArray[np.uint8]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Where the file will be."""
    return tmp_path / "a.h5"


def test_a_tree_is_asked_about_and_the_answer_opens_it(path: Path, voxels: Bytes) -> None:
    """Data sets are listed once whatever links lead to them; text, complex numbers and other files are none."""
    with h5py.File(path, "w") as file:
        group = file.create_group("entry")
        group["one"], group["two"] = voxels, voxels.astype(">u2") + 300
        group["hard"], file["soft"] = group["two"], h5py.SoftLink("/entry/two")
        group["loop"], file["away"] = file["/"], h5py.ExternalLink("b.h5", "/x")
        group["text"], group["complex"], group["empty"] = "abc", voxels * 1j, np.zeros((0, 3, 3))
    (item,) = examine([path])
    assert item.question is not None
    assert item.question.kind == "tree"
    labels = [c.label for c in item.question.choices]
    assert (len(labels), "/entry/one" in labels) == (2, True)
    chosen = next(c for c in item.question.choices if c.label != "/entry/one")
    answered = examine_one(path, chosen.options)
    assert answered.description is not None
    assert (answered.description.shape, answered.description.dtype) == ((6, 20, 24), "uint16")
    np.testing.assert_array_equal(open_volume(path, **chosen.options)[2:4, ::3], voxels[2:4, ::3].astype(int) + 300)
    np.testing.assert_array_equal(open_volume(path, dataset="soft")[1], voxels[1].astype(int) + 300)
    with pytest.raises(InputError, match="another file"):
        open_volume(path, dataset="away")
    with pytest.raises(InputError, match="no data set"):
        open_volume(path, dataset="/entry/text")


def test_the_only_volume_opens_at_once(path: Path, voxels: Bytes) -> None:
    """A table beside it is said, not asked about; booleans are 0 and 1."""
    with h5py.File(path, "w") as file:
        file["mask"], file["table"] = voxels > 99, np.zeros((4, 3))
    volume = open_volume(path)
    assert volume.findings == ("Of 2 data sets /mask was taken.",)
    np.testing.assert_array_equal(volume[:], (voxels > 99).astype(np.uint8))


def test_channels_by_their_labels(path: Path, voxels: Bytes) -> None:
    """Dimension labels, ilastik's axis tags, or none."""
    both = np.stack([voxels, 255 - voxels])
    with h5py.File(path, "w") as file:
        for dim, label in zip(file.create_dataset("v", data=both).dims, "czyx", strict=True):
            dim.label = label
    with pytest.raises(QuestionError, match="2 channels"):
        open_volume(path)
    np.testing.assert_array_equal(open_volume(path, channel=1)[3], 255 - voxels[3])
    with h5py.File(path, "w") as file:
        tags = '{"axes": [{"key": "z"}, {"key": "y"}, {"key": "x"}, {"key": "c"}]}'
        file.create_dataset("v", data=np.moveaxis(both, 0, 3)).attrs["axistags"] = tags
    np.testing.assert_array_equal(open_volume(path, channel=1)[:], 255 - voxels)


SIZES: dict[str, tuple[dict[str, Any], tuple[float, float, float] | None]] = {
    "element_size_um": ({"element_size_um": (0.21, 0.1, 0.12)}, (210.0, 100.0, 120.0)),
    "a name with a unit": ({"voxel_size_nm": 12.5}, (12.5, 12.5, 12.5)),
    "a unit beside it": ({"resolution": (3.0, 2.0, 1.0), "unit": "µm"}, (3000.0, 2000.0, 1000.0)),
    "its own unit": ({"spacing": [1, 1, 1], "spacing_unit": b"mm"}, (1e6, 1e6, 1e6)),
    "units as a list": ({"voxel_size": [4, 5, 6], "units": np.array([b"nm", b"nm", b"nm"])}, (4.0, 5.0, 6.0)),
    "no unit": ({"voxel_size": (4.0, 5.0, 6.0)}, None),
    "one of nothing": ({"spacing": (1.0, 1.0, 1.0)}, None),
    "no length": ({"resolution": (4.0, 5.0, 6.0), "unit": "dpi"}, None),
    "nonsense": ({"voxel_size_nm": "large"}, None),
    "too many": ({"voxel_size_nm": (1, 2, 3, 4)}, None),
    "negative": ({"voxel_size_nm": (-1, 2, 3)}, None),
}


@pytest.mark.parametrize("name", SIZES)
@pytest.mark.parametrize("where", ["/", "/entry", "/entry/data"])
def test_voxel_sizes_in_attributes(path: Path, voxels: Bytes, name: str, where: str) -> None:
    """Of the data set, of its group, of the file; only with a unit."""
    attributes, size = SIZES[name]
    with h5py.File(path, "w") as file:
        file["entry/data"] = voxels
        file[where].attrs.update(attributes)
    volume = open_volume(path)
    assert volume.voxel_size == (None if size is None else pytest.approx(size, rel=1e-9))
    if name == "no unit":
        assert "no unit" in volume.findings[-1]
        assert open_volume(path, unit="um").voxel_size == (4000.0, 5000.0, 6000.0)


def test_nexus_names_its_signal_and_axes(path: Path, voxels: Bytes) -> None:
    """The default data set is the first choice; evenly spaced coordinates give the voxel size."""
    with h5py.File(path, "w") as file:
        file["raw/frames"] = voxels
        file.attrs["default"] = "entry"
        data = file.create_group("entry/data")
        file["entry"].attrs["default"] = "data"
        data.attrs.update({"signal": "grey", "axes": ["z", "y", "x"]})
        data["grey"] = voxels
        for name, count, step in zip("zyx", voxels.shape, (0.5, 0.25, 0.125), strict=True):
            data[name] = np.arange(count) * step + 7
            data[name].attrs["units"] = "um"
    with pytest.raises(QuestionError) as asked:
        open_volume(path)
    assert asked.value.question.choices[0].label == "/entry/data/grey"
    assert open_volume(path, dataset="/entry/data/grey").voxel_size == pytest.approx((500.0, 250.0, 125.0), rel=1e-9)
    with h5py.File(path, "a") as file:
        file["entry/data/x"][-1] = 99.0
    assert open_volume(path, dataset="/entry/data/grey").voxel_size is None


def test_dream3d_has_a_last_axis_and_spacing_without_a_unit(tmp_path: Path, voxels: Bytes) -> None:
    """(z, y, x, 1), SPACING x, y, z."""
    path = tmp_path / "a.dream3d"
    with h5py.File(path, "w") as file:
        box = file.create_group("DataContainers/Image")
        box["CellData/FeatureIds"] = voxels[..., None].astype(np.int32)
        box["_SIMPL_GEOMETRY/SPACING"] = np.array([0.1, 0.2, 0.3], np.float32)
    volume = open_volume(path, unit="um")
    assert volume.shape == voxels.shape
    assert volume.voxel_size == pytest.approx((300.0, 200.0, 100.0), rel=1e-6)
    assert "no unit" in open_volume(path).findings[-1]


def test_imaris_shows_its_finest_level(tmp_path: Path, voxels: Bytes) -> None:
    """Coarser levels are no further volumes; the extent over the voxels is the voxel size."""
    path = tmp_path / "a.ims"
    with h5py.File(path, "w") as file:
        for level, data in enumerate((voxels, voxels[::2, ::2, ::2])):
            file[f"DataSet/ResolutionLevel {level}/TimePoint 0/Channel 0/Data"] = data
        info = file.create_group("DataSetInfo/Image").attrs
        for i, (letter, count) in enumerate(zip("XYZ", voxels.shape[::-1], strict=True)):
            info[letter] = np.array([c.encode() for c in str(count)])
            info[f"ExtMin{i}"] = np.array([c.encode() for c in "-1.0"])
            info[f"ExtMax{i}"] = np.array([c.encode() for c in str(count * 0.5 - 1.0)])
        info["Unit"] = np.array([b"u", b"m"])
    volume = open_volume(path)
    assert volume.shape == voxels.shape
    assert volume.voxel_size == pytest.approx((500.0, 500.0, 500.0), rel=1e-9)


def test_what_was_never_written_is_said(path: Path) -> None:
    """Chunks that are not there read as the fill value; a whole data set too."""
    with h5py.File(path, "w") as file:
        file.create_dataset("v", (8, 8, 8), "u1", chunks=(4, 4, 4), fillvalue=7)[:4] = 1
        file.create_dataset("w", (8, 8, 8), "u1")
    assert open_volume(path, dataset="v").findings == ("4 of 8 chunks were never written; their voxels read as 7.",)
    assert "never written" in open_volume(path, dataset="w").findings[0]


def test_a_missing_filter_is_named(path: Path, voxels: Bytes) -> None:
    """What the file was compressed with."""
    with h5py.File(path, "w") as file:
        plist = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
        plist.set_chunk((6, 20, 24))
        plist.set_filter(65000, h5py.h5z.FLAG_OPTIONAL, ())
        h5py.h5d.create(file.id, b"v", h5py.h5t.NATIVE_UINT8, h5py.h5s.create_simple(voxels.shape), plist)
    with pytest.raises(FileError, match=r"65000.*not installed"):
        open_volume(path)


def test_parts_in_other_files_must_be_there(path: Path, voxels: Bytes) -> None:
    """A virtual data set reads fill values where a source is missing: that is refused."""
    with h5py.File(path.with_name("part.h5"), "w") as file:
        file["v"] = voxels
    layout = h5py.VirtualLayout(shape=voxels.shape, dtype="u1")
    layout[:] = h5py.VirtualSource("part.h5", "v", shape=voxels.shape)
    with h5py.File(path, "w") as file:
        file.create_virtual_dataset("all", layout)
    np.testing.assert_array_equal(open_volume(path)[:], voxels)
    path.with_name("part.h5").unlink()
    with pytest.raises(FileError, match=r"part\.h5, which is not there"):
        open_volume(path)


def test_a_file_that_changes_while_it_is_open(path: Path, voxels: Bytes) -> None:
    """It may be deleted, and another one in its place is noticed."""
    with h5py.File(path, "w") as file:
        file["v"] = voxels
    volume = open_volume(path)
    assert volume[0, 0, 0] == voxels[0, 0, 0]
    path.unlink()
    with pytest.raises(FileError):
        volume[0]
    with h5py.File(path, "w") as file:
        file["v"] = voxels[:3]
    with pytest.raises(FileError, match="has changed"):
        volume[0]


@pytest.mark.parametrize(
    ("content", "words"),
    [(b"", "0 bytes"), (b"<html></html>" * 99, "no HDF5 file"), (b"CDF\x01" + bytes(99), "netCDF")],
)
def test_what_is_no_hdf5(path: Path, content: bytes, words: str) -> None:
    """A sentence."""
    path.write_bytes(content)
    with pytest.raises(MicrotomeError, match=words):
        open_volume(path)


def _xdmf(path: Path, arrays: str, *, spacing: str = "0.5 0.25 0.125") -> Path:
    items = f'<DataItem Dimensions="3">0 0 0</DataItem><DataItem Dimensions="3">{spacing}</DataItem>'
    grid = f'<Grid Name="G"><Geometry GeometryType="ORIGIN_DXDYDZ">{items}</Geometry>{arrays}</Grid>'
    path.write_text(f'<?xml version="1.0"?>\n<!DOCTYPE Xdmf SYSTEM "Xdmf.dtd" []>\n<Xdmf><Domain>{grid}</Domain></Xdmf>')
    return path


def _array(name: str, text: str, form: str = "HDF", more: str = "") -> str:
    item = f'<DataItem Format="{form}" Dimensions="6 20 24" NumberType="UChar" Precision="1" {more}>\n {text}\n</DataItem>'
    return f'<Attribute Name="{name}" Center="Cell">{item}</Attribute>'


def test_xdmf_names_the_data_set_and_its_spacing(path: Path, voxels: Bytes) -> None:
    """The spacing counts z, y, x and waits for a unit, also when the HDF5 file itself is opened."""
    with h5py.File(path, "w") as file:
        file["deep/image"] = voxels
    text = _xdmf(path.with_suffix(".xmf"), _array("Phase", "a.h5:/deep/image"))
    for one in (text, path):
        volume = open_volume(one, unit="um")
        np.testing.assert_array_equal(volume[:], voxels)
        assert (volume.voxel_size, volume.source) == ((500.0, 250.0, 125.0), str(one))
        assert "no unit" in open_volume(one).findings[-1]


def test_xdmf_over_raw_bytes_and_several_arrays(tmp_path: Path, voxels: Bytes) -> None:
    """Behind a header, in a file of its own; two arrays are asked about."""
    (tmp_path / "a.bin").write_bytes(b"head" + voxels.tobytes())
    one = _array("A", "a.bin", "Binary", 'Seek="4"')
    np.testing.assert_array_equal(open_volume(_xdmf(tmp_path / "a.xmf", one))[:], voxels)
    both = _xdmf(tmp_path / "b.xmf", one + _array("B", "a.bin", "Binary"))
    with pytest.raises(QuestionError) as asked:
        open_volume(both)
    assert [c.label for c in asked.value.question.choices] == ["G/A", "G/B"]
    assert open_volume(both, dataset="G/B")[0, 0, 0] == ord("h")


@pytest.mark.parametrize(
    ("arrays", "words"),
    [
        ("", "no array"),
        (_array("A", "a.h5:/nothing"), "no data set"),
        (_array("A", "gone.h5:/image"), "not there"),
        (_array("A", "a.h5:/image").replace("6 20 24", "7 20 24"), "but it is 6 × 20 × 24"),
        (_array("A", "1 2 3", "XML"), "format XML"),
        (_array("A", "a.h5:/image").replace("UChar", "String"), "string"),
    ],
)
def test_xdmf_that_does_not_fit(path: Path, voxels: Bytes, arrays: str, words: str) -> None:
    """A sentence that names what is missing."""
    with h5py.File(path, "w") as file:
        file["image"] = voxels
    with pytest.raises(MicrotomeError, match=words):
        open_volume(_xdmf(path.with_suffix(".xmf"), arrays))


@pytest.mark.shared
def test_one_volume_in_four_encodings(shared: Path) -> None:
    """HDF5, XDMF and both raw files give the same phases."""
    folder = shared / "two-phase"
    stem = "SampleData_2Phase_"
    phases = open_volume(folder / f"{stem}3d.hdf5").as_array()
    assert phases.shape == (100, 100, 100)
    np.testing.assert_array_equal(open_volume(folder / f"{stem}3d.xmf").as_array(), phases)
    one = open_volume(folder / f"{stem}stack_3d_uint8.raw", shape=[100, 100, 100]).as_array()
    two = open_volume(folder / f"{stem}stack_3d_uint16le.raw", shape=[100, 100, 100]).as_array()
    np.testing.assert_array_equal(one, phases)
    np.testing.assert_array_equal(two, phases.astype(np.uint16) * 257)
