"""How long particle files take to be described, opened, and drawn: 79,596 and 200,000 particles in every format.

python -m tests.benchmarks.bench_particles [particles …]
"""

from __future__ import annotations

import gzip
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

from microtome.plugin import Structure
from microtome.volumes.particles.extxyz import save_structure
from microtome.volumes.read import describe, open_volume

FRACTION = 0.2  # of the box that the spheres fill


def structure(count: int) -> Structure:
    """Spheres of two sizes at random places (they may overlap: places do not matter to a reader)."""
    rng = np.random.default_rng(0)
    radii = rng.choice([8.0, 12.0], count)
    edge = float((4 / 3 * np.pi * radii**3).sum() / FRACTION) ** (1 / 3)
    return Structure(centres=rng.random((count, 3)) * edge, radii=radii, box=(edge, edge, edge))


def write(made: Structure, folder: Path) -> dict[Path, dict[str, object]]:
    """The structure in every format that is read, with the options that open it."""
    save_structure(made, folder / "a.xyz")
    (folder / "a.xyz.gz").write_bytes(gzip.compress((folder / "a.xyz").read_bytes(), 1))
    n, edge = len(made.radii), made.box[0]
    rows = list(zip(made.centres[:, ::-1].tolist(), made.radii.tolist(), strict=True))
    data = "".join(f"{i} 1 {2 * r} 1 {x:.6f} {y:.6f} {z:.6f}\n" for i, ((x, y, z), r) in enumerate(rows, 1))
    spans = "".join(f"0 {edge!r} {a}lo {a}hi\n" for a in "xyz")
    (folder / "a.lmp").write_text(f"made\n\n{n} atoms\n1 atom types\n{spans}\nAtoms # sphere\n\n{data}")
    dump = "".join(f"{i} 1 {x:.6f} {y:.6f} {z:.6f} {r}\n" for i, ((x, y, z), r) in enumerate(rows, 1))
    bounds = f"0 {edge!r}\n" * 3
    header = f"ITEM: TIMESTEP\n0\nITEM: NUMBER OF ATOMS\n{n}\nITEM: BOX BOUNDS pp pp pp\n{bounds}"
    (folder / "a.dump").write_text(f"{header}ITEM: ATOMS id type x y z radius\n{dump}")
    table = "".join(f"{x:.6f},{y:.6f},{z:.6f},{r}\n" for (x, y, z), r in rows)
    (folder / "a.csv").write_text(f"# box {edge!r} nm periodic\nx,y,z,radius\n{table}")
    gro = "".join(
        f"{i % 100000:5d}SIL  {'SI':>5}{i % 100000:5d}{x:8.3f}{y:8.3f}{z:8.3f}\n" for i, ((x, y, z), _) in enumerate(rows, 1)
    )
    (folder / "a.gro").write_text(f"made\n{n}\n{gro}{edge:.5f} {edge:.5f} {edge:.5f}\n")
    given: dict[str, dict[str, object]] = {"a.gro": {"radius": 10.0}, "a.lmp": {"length_unit": "nm"}}
    given["a.dump"] = {"length_unit": "nm"}
    return {f: given.get(f.name, {}) for f in sorted(folder.iterdir())}


def measure(path: Path, options: dict[str, object]) -> tuple[float, float, float, float]:
    """Seconds for the description, the opening, the first slice, and all the other slices."""
    times = [time.perf_counter()]
    describe(path, **options)
    times.append(time.perf_counter())
    volume = open_volume(path, **options)
    times.append(time.perf_counter())
    volume[0]
    times.append(time.perf_counter())
    volume.as_array()
    times.append(time.perf_counter())
    return tuple(np.diff(times))  # type: ignore[return-value]


def main(counts: list[int]) -> None:
    """Measure each format in a process of its own, as after a start of the program, and print a table."""
    print(f"{'particles':>10}  {'file':<10}{'describe':>10}{'open':>8}{'first slice':>13}{'all slices':>12}  seconds")
    for count in counts:
        with tempfile.TemporaryDirectory() as folder:
            for path, options in write(structure(count), Path(folder)).items():
                code = f"from tests.benchmarks.bench_particles import *; print(*measure(Path({str(path)!r}), {options!r}))"
                said = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True).stdout.split()
                a, b, c, d = (float(s) for s in said)
                print(f"{count:>10}  {path.name:<10}{a:>10.2f}{b:>8.2f}{c:>13.2f}{d:>12.2f}", flush=True)


if __name__ == "__main__":
    main([int(a) for a in sys.argv[1:]] or [79_596, 200_000])
