"""Files of particles as programs and people write them: what is read, what is asked, what is refused with a sentence."""

from __future__ import annotations

import bz2
import gzip
import lzma
import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from microtome.errors import FileError, InputError, MicrotomeError, UnknownNameError
from microtome.plugin import Structure
from microtome.questions import QuestionError
from microtome.volumes.drop import examine, examine_one
from microtome.volumes.particles.radii import first_peak, nearest_distances
from microtome.volumes.read import describe, open_volume

NM_XYZ = 'Lattice="10 0 0 0 20 0 0 0 30" Properties=species:S:1:pos:R:3:radius:R:1 unit=nm pbc="T T F"'
ROWS = "A 1 2 3 1.5\nB 9.5 19 29 1.0\n"
STEP = (
    "ITEM: UNITS\n{units}\nITEM: TIMESTEP\n{step}\nITEM: NUMBER OF ATOMS\n2\nITEM: BOX BOUNDS pp pp ff\n-5 5\n-5 5\n0 10\n"
    "ITEM: ATOMS id type x{s} y{s} z{s} radius\n1 1 {row} 1\n2 2 {row} 2\n"
)
DATA = "made\n\n{n} atoms\n2 atom types\n0 10 xlo xhi\n0 10 ylo yhi\n0 10 zlo zhi\n{more}\nAtoms{style}\n\n{rows}"
Opened = Callable[..., Structure]


@pytest.fixture
def opened(tmp_path: Path) -> Opened:
    """Write a file, open it, and give its structure."""

    def write_and_open(name: str, text: str | bytes, **options: Any) -> Structure:
        (tmp_path / name).write_bytes(text.encode() if isinstance(text, str) else text)
        found = open_volume(tmp_path / name, **options).structure
        assert found is not None
        return found

    return write_and_open


@pytest.fixture
def question(tmp_path: Path) -> Callable[..., QuestionError]:
    """Write a file and give the question that it asks."""

    def write_and_ask(name: str, text: str, **options: Any) -> QuestionError:
        (tmp_path / name).write_text(text)
        with pytest.raises(QuestionError) as asked:
            open_volume(tmp_path / name, **options)
        return asked.value

    return write_and_ask


@pytest.mark.parametrize(
    ("name", "pack"),
    [("a b#%ü空.xyz", bytes), ("a.xyz.gz", gzip.compress), ("a.xyz.bz2", bz2.compress), ("a.xyz.xz", lzma.compress)],
)
def test_packed_files_and_strange_names_are_read(opened: Opened, name: str, pack: Callable[[bytes], bytes]) -> None:
    """The axes of the file are x, y, z, those of the program z, y, x; lines may end as on Windows."""
    found = opened(name, pack(f"2\r\n{NM_XYZ}\r\n{ROWS}".replace("\n", "\r\n").encode()))
    np.testing.assert_array_equal(found.centres, [[3, 2, 1], [29, 19, 9.5]])
    assert found.box == (30.0, 20.0, 10.0)
    assert found.wraps == (False, True, True)
    assert found.names == ("A", "B")


def test_a_turned_box_is_laid_along_its_own_axes_and_an_oblique_one_refused(opened: Opened) -> None:
    """Distances stay; a box that is sheared by a whole edge is a straight one."""
    s = 2**0.5 / 2
    comment = f'Lattice="{10 * s} {10 * s} 0 {-10 * s} {10 * s} 0 0 0 10" Properties=species:S:1:pos:R:3:radius:R:1 unit=nm'
    found = opened("a.xyz", f"2\n{comment}\nA 0 2 3 1\nA 0 9 5 1\n")
    assert found.box == pytest.approx((10.0, 10.0, 10.0))
    assert np.linalg.norm(found.centres[0] - found.centres[1]) == pytest.approx(53**0.5)
    swapped = opened("b.xyz", f"1\n{comment.replace(comment[: comment.index('Prop')], '')}\nA 1 2 3 1\n")
    assert swapped.periodic == (False, False, False)
    with pytest.raises(InputError, match="oblique"):
        opened("c.xyz", '1\nLattice="10 0 0 5 8 0 0 0 9" Properties=species:S:1:pos:R:3:radius:R:1\nA 1 1 1 1\n')
    rows = "1 1 1 1 1 1\n2 2 1 1 9 2\n"
    with pytest.raises(InputError, match="oblique"):
        opened("a.lmp", DATA.format(n=2, more="3 0 0 xy xz yz\n", style=" # charge", rows=rows), radius=1.0)
    straight = opened("b.lmp", DATA.format(n=2, more="10 0 0 xy xz yz\n", style=" # charge", rows=rows), radius=1.0)
    assert straight.box == (10.0, 10.0, 10.0)


@pytest.mark.parametrize(("ending", "row"), [("", "-4 1 2"), ("u", "6 -9 2"), ("s", "0.1 0.6 0.2"), ("su", "1.1 -0.4 0.2")])
def test_places_of_a_dump_may_be_scaled_and_unwrapped(opened: Opened, ending: str, row: str) -> None:
    """All four kinds of columns mean one place in the box."""
    found = opened("dump.100", STEP.format(units="nano", step=0, s=ending, row=row))
    np.testing.assert_allclose(found.centres, [[2, 6, 1], [2, 6, 1]], atol=1e-12)
    assert found.wraps == (False, True, True)
    assert (found.unit, found.radii.tolist()) == ("nm", [1.0, 2.0])


def test_several_frames_are_asked_for(question: Callable[..., QuestionError], opened: Opened, tmp_path: Path) -> None:
    """Each choice opens its frame; there is no other."""
    text = "".join(f"1\nstep={i} {NM_XYZ}\nA {i + 1} 2 3 1\n" for i in range(3))
    choices = question("a.xyz", text).question.choices
    assert [c.options for c in choices] == [{"frame": 1}, {"frame": 2}, {"frame": 3}]
    assert "step=2" in choices[2].label
    assert opened("a.xyz", text, **choices[2].options).centres[0, 2] == 3.0
    with pytest.raises(InputError, match="3 frames"):
        opened("a.xyz", text, frame=4)
    many = "".join(STEP.format(units="nano", step=i, s="", row="1 1 1") for i in range(1000))
    listed = question("a.lammpstrj", many).question.choices
    assert len(listed) == 200
    assert (listed[0].options, listed[-1].options) == ({"frame": 1}, {"frame": 1000})
    item = examine_one(tmp_path / "a.lammpstrj", {"frame": 500})
    assert item.description is not None
    pdb = "".join(
        f"MODEL     {i:4d}\nHETATM    1 SI   FIL A   1    {i:8.3f}   2.000   3.000  1.00  0.00          SI\nENDMDL\n"
        for i in (1, 2)
    )
    assert [c.options for c in question("a.pdb", pdb + "END\n").question.choices] == [{"frame": 1}, {"frame": 2}]
    assert opened("a.pdb", pdb + "END\n", frame=2, radius=1.0, box="10 10 10").centres[0, 2] == pytest.approx(0.2)


def test_missing_radii_are_asked_for_with_measured_answers(question: Callable[..., QuestionError], opened: Opened) -> None:
    """Half the distance of neighbours, the atoms' own radii, a column without a name, one type alone: each choice opens."""
    places = [(x, y, z) for x in range(3) for y in range(3) for z in range(3)]
    rows = "".join(f"{'Si' if i % 2 else 'O'} {4 * x} {4 * y} {4 * z} 1.25\n" for i, (x, y, z) in enumerate(places))
    choices = question("a.xyz", f"27\nplain\n{rows}").question.choices
    found = {c.label: opened("a.xyz", f"27\nplain\n{rows}", **c.options) for c in choices}
    assert {tuple(sorted(set(s.radii.tolist()))) for s in found.values()} >= {(1.25,), (2.0,), (1.52, 2.1)}
    assert any(len(s.radii) == 13 and s.types is None for s in found.values())
    nm = question("a.gro", "t\n1\n    1FIL     SI    1   0.100   0.200   0.300\n 9.0 9.0 9.0\n").question.choices
    assert [c.options for c in nm] == [{"radii": "SI=0.21"}]


def test_the_first_peak_is_where_neighbours_touch() -> None:
    """Random pairs of touching spheres: the commonest distance is the diameter, whatever lies between."""
    rng = np.random.default_rng(0)
    one = rng.random((3000, 3)) * 400
    way = rng.normal(size=one.shape)
    other = one + 5.0 * way / np.linalg.norm(way, axis=1)[:, None]
    distances = nearest_distances(np.concatenate([one, other]) % 400, np.full(3, 400.0))
    assert first_peak(distances) == pytest.approx(5.0, rel=0.02)
    assert len(nearest_distances(rng.random((150_000, 3)), np.zeros(3))) > 10_000


@pytest.mark.parametrize(
    ("style", "row", "radius"),
    [
        ("atomic", "1 1 1 2 3", 4.0),
        ("charge", "1 1 0.5 1 2 3 0 0 0", 4.0),
        ("bond", "1 7 1 1 2 3", 4.0),
        ("molecular", "1 7 1 1 2 3 0 0 0", 4.0),
        ("full", "1 7 1 0.5 1 2 3", 4.0),
        ("sphere", "1 1 3.0 1.0 1 2 3", 1.5),
        ("hybrid sphere charge", "1 1 1 2 3 3.0 1.0 0.5", 1.5),
        ("hybrid charge sphere", "1 1 1 2 3 0.5 3.0 1.0", 1.5),
    ],
)
def test_every_atom_style_is_laid_out_as_it_is(opened: Opened, style: str, row: str, radius: float) -> None:
    """Named in the file, and named by the user."""
    given = {} if "sphere" in style else {"radius": 4.0}
    named = opened("data.x", DATA.format(n=1, more="", style=f"  # {style}", rows=f"{row}  # a remark\n"), **given)
    assert named.centres.tolist() == [[3.0, 2.0, 1.0]]
    assert named.radii.tolist() == [radius]
    if " " not in style:
        said = opened("data.y", DATA.format(n=1, more="", style="", rows=f"{row}\n"), style=style, **given)
        assert said.centres.tolist() == [[3.0, 2.0, 1.0]]


def test_an_atom_style_that_is_not_named_is_guessed_or_asked_for(
    question: Callable[..., QuestionError], opened: Opened
) -> None:
    """Whole numbers may be a type or a diameter; others only one thing."""
    sphere = opened("a.lmp", DATA.format(n=1, more="", style="", rows="1 1 2.5 1.0 1 2 3\n"))
    assert sphere.radii.tolist() == [1.25]
    full = opened("b.lmp", DATA.format(n=1, more="", style="", rows="1 1 1 0.5 1 2 3 0 0 0\n"), style="full", radius=1.0)
    assert full.centres.tolist() == [[3.0, 2.0, 1.0]]
    asked = question("c.lmp", DATA.format(n=1, more="", style="", rows="1 1 1 1 1 2 3\n"))
    assert [c.options["style"] for c in asked.question.choices] == ["full", "sphere"]
    with pytest.raises(InputError, match="tri"):
        opened("d.lmp", DATA.format(n=1, more="", style=" # tri", rows="1 1 1 1 1 2 3\n"))


TABLES = {
    "spaces": "# filler, box 100 90 80 nm, periodic\n# x y z r\n1 2 3 4\n50 50 50 10\n",
    "excel": '\ufeff"Z [nm]";"Y [nm]";"X [nm]";"Diameter [nm]"\r\n"3";"2";"1";"8"\r\n50;50;50;20\r\n',
    "tabs": "id\tpos_x\tpos_y\tpos_z\tradius\n1\t1\t2\t3\t4\n2\t50\t50\t50\t10\n\n\n",
    "remarks": "% made\n! unit = nm\n! pbc = F F T\n! cell: 100, 90, 80\nX,Y,Z,R,Material\n1,2,3,4,a # first\n50,50,50,10,b\n",
}


@pytest.mark.parametrize(("kind", "name"), [("spaces", "a.txt"), ("excel", "a.csv"), ("tabs", "a.tsv"), ("remarks", "a.dat")])
def test_tables_say_themselves_what_they_hold(opened: Opened, kind: str, name: str) -> None:
    """Delimiters, orders, units in names or in words, box and periodicity."""
    found = opened(name, TABLES[kind], box="80 90 100" if kind in ("excel", "tabs") else "", periodic="")
    np.testing.assert_allclose(found.centres, [[3, 2, 1], [50, 50, 50]])
    assert found.radii.tolist() == [4.0, 10.0]
    assert found.box == (80.0, 90.0, 100.0)
    assert found.unit == ("" if kind == "tabs" else "nm")
    assert found.wraps == ((True, False, False) if kind == "remarks" else (True, True, True))


def test_text_that_is_no_table_of_particles_is_left_alone(tmp_path: Path) -> None:
    """A README beside volumes spoils no folder; numbers without names can be opened by saying what they are."""
    (tmp_path / "README.txt").write_text("Slices of a filler.\nx is across, y is down, z is depth.\n1 2 3\n")
    (tmp_path / "settings.csv").write_text("a,b,x,y,z,intensity\n1,2,3,4,5,6\n")
    np.save(tmp_path / "a.npy", np.zeros((4, 5, 6), np.uint8))
    item = examine([tmp_path])[0]
    assert item.description is not None
    assert [Path(c.path).name for c in item.description.children] == ["a.npy"]
    with pytest.raises(FileError):
        describe(tmp_path / "README.txt")
    (tmp_path / "b.txt").write_text("1 2 3 4\n5 6 7 8\n")
    with pytest.raises(FileError):
        describe(tmp_path / "b.txt")
    found = open_volume(tmp_path / "b.txt", reader="table", columns="z y x r").structure
    assert found is not None
    assert found.radii.tolist() == [4.0, 8.0]
    with pytest.raises(InputError, match="names columns"):
        open_volume(tmp_path / "b.txt", reader="table")


def test_what_a_user_says_is_taken_or_refused(opened: Opened) -> None:
    """Types, radii, the box, periodicity, wrapping, and the unit of length."""
    text = f"3\n{NM_XYZ}\nA 1 2 3 1.5\nB 9.5 19 29 1.0\nB 12 -1 3 2\n"
    assert opened("a.xyz", text).centres[2].tolist() == [3.0, 19.0, 2.0]
    assert len(opened("a.xyz", text, wrap=False).radii) == 2
    assert opened("a.xyz", text, types="B").radii.tolist() == [1.0, 2.0]
    assert opened("a.xyz", text, radii="B=3").radii.tolist() == [1.5, 3.0, 3.0]
    assert opened("a.xyz", text, radius=2.0, radii="A: 1").radii.tolist() == [1.0, 2.0, 2.0]
    assert opened("a.xyz", text, length_unit="2.5 nm").box == (75.0, 50.0, 25.0)
    assert opened("a.xyz", text, length_unit="Å").radii[0] == pytest.approx(0.15)
    assert opened("a.xyz", text, periodic="none").centres[2].tolist() == [3.0, -1.0, 12.0]
    assert opened("a.xyz", text, periodic="xyz").wraps == (True, True, True)
    assert opened("a.xyz", text, box=[40, 40, 40], periodic="none").box == (40.0, 40.0, 40.0)
    wrong: list[tuple[dict[str, Any], str]] = [
        ({"types": "C"}, "“C”"),
        ({"radii": "C=1"}, "“C”"),
        ({"radii": "A=-1"}, "A=-1"),
        ({"radii": "A"}, "“A”"),
        ({"length_unit": "2.5"}, "no length"),
        ({"length_unit": "parsec"}, "no length"),
        ({"periodic": "q"}, "“q”"),
        ({"box": "1 2"}, "three"),
        ({"box": "0 1 1"}, "three"),
        ({"radius": 80.0}, "wide"),
        ({"radius": 1e-9}, "wide"),
        ({"frame": 2}, "frame 2"),
        ({"radius_column": 900}, "columns"),
    ]
    for options, words in wrong:
        with pytest.raises((InputError, FileError, UnknownNameError), match=words):
            opened("a.xyz", text, **options)


BAD = {
    "promise.xyz": "999999999999\nc\nA 1 1 1\n",
    "cut.xyz": "4\nc\nA 0 0 0\nA 1 1 1\n",
    "nan.xyz": "2\nc\nA 0 nan 0\nA 1 1 1\n",
    "inf.csv": "x,y,z,r\n1,1,1,1\n2,inf,2,1\n",
    "word.xyz": "2\nc\nA 1 1 1\nA 1 x 1\n",
    "short.csv": "x,y,z,r\n1,1,1,1\n2,2,2\n",
    "comma.csv": "x;y;z;r\n1,5;2;3;1\n",
    "negative.xyz": "1\nProperties=species:S:1:pos:R:3:radius:R:1\nA 0 0 0 -1\n",
    "zero.csv": "x,y,z,r\n1,1,1,0\n2,2,2,0\n",
    "small.xyz": '1\nLattice="3 0 0 0 3 0 0 0 3" Properties=species:S:1:pos:R:3:radius:R:1\nA 0 0 0 5\n',
    "flat.xyz": '1\nLattice="3 0 0 0 3 0 0 0 0" Properties=species:S:1:pos:R:3:radius:R:1\nA 0 0 0 1\n',
    "columns.xyz": "1\nc\nA " + "1 " * 1_000_000 + "\n",
    "digits.xyz": '1\nLattice="' + "1" * 60_000 + ' 0 0 0 1 0 0 0 1" Properties=pos:R:' + "3" * 4_000 + "\nA 1 1 1\n",
    "unclosed.xyz": "1\n" + "a={ " * 15_000 + "\nA 1 1 1\n",
    "spaces.xyz": "1\ntime" + " " * 60_000 + "x\nA 1 1\n",
    "boxes.csv": "# " + "box " * 15_000 + "\n# x y z " + "( " * 20_000 + "\n1 2 3\n",
    "number.csv": "x,y,z,r\n" + "1" * 60_000 + "a,1,1,1\n",
    "letters.lmp": DATA.format(
        n=1, more="1" * 60_000 + "\n" + " " * 60_000 + "x\n", style="", rows="1 " + "1" * 9_000 + " 1 2 3\n"
    ),
    "line.xyz": "1\n" + "c" * 5_000_000 + "\nA 1 1 1\n",
    "none.xyz": "0\nc\n",
    "far.xyz": "2\nProperties=species:S:1:pos:R:3:radius:R:1\nA 0 0 0 1\nA 1e300 0 0 1\n",
    "cut.lammpstrj": STEP.format(units="lj", step=1, s="", row="1 1 1")[:-25],
    "entries.dump": "ITEM: TIMESTEP\n0\nITEM: NUMBER OF ENTRIES\n1\nITEM: ENTRIES index\n1\n",
    "noatoms.lmp": "made\n\n5 atoms\n0 1 xlo xhi\n",
    "cut.gro": "t\n3\n    1SOL     OW    1   0.126   1.624   1.679\n",
    "garbage.pdb": "ATOM  \x01\x02 zz\n" * 5,
}


@pytest.mark.parametrize("name", sorted(BAD))
def test_bad_files_are_sentences(tmp_path: Path, name: str) -> None:
    """With the file's name in it, and no more said."""
    (tmp_path / name).write_text(BAD[name])
    with pytest.raises(MicrotomeError, match=name.split(".")[0]):
        open_volume(tmp_path / name)


def test_a_packed_bomb_does_no_harm(tmp_path: Path) -> None:
    """Half a GB of one letter in 500 kB: looked at by the line."""
    head = b"5\nc\n"
    (tmp_path / "a.xyz.gz").write_bytes(gzip.compress(head + b"1 " * 2**24, 1))
    with pytest.raises(FileError, match="too long"):
        open_volume(tmp_path / "a.xyz.gz", reader="xyz")
    (tmp_path / "b.xyz.gz").write_bytes(gzip.compress(f"2\n{NM_XYZ}\n{ROWS}".encode() * 50)[:-30])
    with pytest.raises(FileError, match="unpacked"):
        open_volume(tmp_path / "b.xyz.gz")


def _samples() -> dict[str, tuple[bytes, dict[str, Any]]]:
    rng = np.random.default_rng(0)
    places = rng.random((40, 3)) * 9
    rows = [(x, y, z) for x, y, z in places.round(4).tolist()]
    xyz = "".join(f"A {x} {y} {z} 0.5\n" for x, y, z in rows)
    data = "".join(f"{i} 1 0.9 1.0 {x} {y} {z}\n" for i, (x, y, z) in enumerate(rows, 1))
    gro = "".join(f"{i:5d}FIL  {'SI':>5}{i:5d}{x:8.3f}{y:8.3f}{z:8.3f}\n" for i, (x, y, z) in enumerate(rows, 1))
    pdb = "".join(
        f"HETATM{i:5d} SI   FIL A{i:4d}    {x:8.3f}{y:8.3f}{z:8.3f}  1.00  0.00\n" for i, (x, y, z) in enumerate(rows, 1)
    )
    table = "".join(f"{x},{y},{z},0.5\n" for x, y, z in rows)
    texts = {
        "a.xyz": f"40\n{NM_XYZ.replace('10 0 0 0 20 0 0 0 30', '9 0 0 0 9 0 0 0 9')}\n{xyz}",
        "a.lmp": DATA.format(n=40, more="", style=" # sphere", rows=data),
        "a.dump": STEP.format(units="nano", step=3, s="", row="1 2 3"),
        "a.csv": f"# box 9 9 9 nm periodic\nx,y,z,r\n{table}",
        "a.gro": f"t\n40\n{gro}  9.0  9.0  9.0\n",
        "a.pdb": f"CRYST1    9.000    9.000    9.000  90.00  90.00  90.00 P 1           1\n{pdb}END\n",
    }
    given = {"a.gro": {"radius": 0.5}, "a.pdb": {"radius": 0.5}}
    return {name: (text.encode(), given.get(name, {})) for name, text in texts.items()}


PIECES = (
    b"999999999",
    b"-1",
    b"nan",
    b"1e308",
    b"\n\n",
    b"\xff",
    b" ",
    b"-",
    b"1e-320",
    b"inf",
    b'"',
    b"0",
    b"\t",
    b"#",
    b"\0" * 20,
)


def _spoilt(content: bytes, draw: random.Random) -> bytes:
    """Cut off, some bytes changed, or a piece put over or between others."""
    spoilt = bytearray(content)
    at = draw.randrange(len(spoilt))
    match draw.randrange(4):
        case 0:
            return bytes(spoilt[:at])
        case 1:
            for _ in range(draw.randrange(1, 6)):
                spoilt[draw.randrange(len(spoilt))] = draw.randrange(256)
        case 2:
            piece = draw.choice(PIECES)
            spoilt[at : at + len(piece)] = piece
        case 3:
            at = draw.randrange(min(300, len(spoilt)))
            spoilt[at:at] = draw.choice(PIECES)
    return bytes(spoilt)


@pytest.mark.parametrize("name", sorted(_samples()))
def test_damage_is_a_sentence_or_a_sound_volume(tmp_path: Path, name: str) -> None:
    """Spoilt in 150 ways: never another error, and what opens can be drawn."""
    content, options = _samples()[name]
    draw = random.Random(name)
    path = tmp_path / name
    path.write_bytes(content)
    assert open_volume(path, **options).structure is not None
    opened = 0
    for _ in range(150):
        path.write_bytes(_spoilt(content, draw))
        try:
            volume = open_volume(path, **options)
            assert volume.structure is not None
            volume[0]
            opened += 1
        except MicrotomeError as error:
            assert str(error)
    assert opened < 150
