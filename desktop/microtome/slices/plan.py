"""What to cut: the classes with their sources, and the settings of an image set."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import Any

from microtome.fields import option


@dataclass(frozen=True, kw_only=True)
class VolumeSource:
    """A volume file or folder, with what the reader must be told and, where it is overridden, the voxel size (z, y, x)."""

    path: str
    options: dict[str, Any] = field(default_factory=dict)
    voxel_size: tuple[float, float, float] | None = None
    unit: str = ""


@dataclass(frozen=True, kw_only=True)
class SimulatedSource:
    """A structure to simulate: generator name, seed, its settings, and how finely it is voxelised."""

    kind: str
    seed: int = 0
    parameters: dict[str, Any] = field(default_factory=dict)
    voxel_size: float | None = None  # nm; None: the structure's own default


@dataclass(frozen=True, kw_only=True)
class ClassSource:
    """A class: its name and where its images come from (volumes, simulated structures, or 2-D images)."""

    name: str
    volumes: tuple[VolumeSource, ...] = ()
    simulated: tuple[SimulatedSource, ...] = ()
    images: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class SlicePlan:
    """The settings of an image set; together with the classes' data they determine it to the bit."""

    field_of_view: float = option(64.0, 1e-9, None, label="Field of view", help="Edge of a slice, a physical length")
    unit: str = option("voxel", choices=("voxel", "nm", "um", "mm"), help="“voxel” where no voxel size is known")
    pixels: int = option(64, 8, 2048, unit="px", help="Edge of the image that the network sees")
    orientation: str = option("random", choices=("random", "xy", "xz", "yz"), help="Of the cutting plane")
    train: int = option(300, 1, 1_000_000, unit="images", label="Training", help="Images a class to learn from")
    validation: int = option(100, 1, 1_000_000, unit="images", help="Images a class to watch the training with")
    evaluation: int = option(200, 1, 1_000_000, unit="images", help="Images a class, locked until the end")
    normalisation: str = option(
        "volume",
        choices=("none", "volume", "slice", "volume-percentile", "slice-percentile", "histogram"),
        label="Normalise grey values",
        help="To mean 0 and deviation 1 over each volume or slice; or 1st to 99th percentile to 0 … 1; or each volume's "
        "histogram to that of all training volumes: so that brightness alone tells nothing",
    )
    reject: float = option(
        0.0,
        0,
        1,
        advanced=True,
        label="Reject empty slices",
        help="Slices with less contrast than this part of their volume's are drawn elsewhere, and counted; 0 keeps all",
    )
    split: str = option(
        "auto",
        choices=("auto", "depth"),
        advanced=True,
        label="Separate the sets",
        help="“auto” chooses the blocks that leave most orientations; “depth” cuts along z only",
    )
    guard: float = option(
        -1.0,
        -1,
        None,
        unit="voxel",
        advanced=True,
        label="Guard band",
        help="Gap between the sets; −1: as far as the grey values of the volume are alike, which is measured",
    )
    particles: str = option(
        "analytic",
        choices=("analytic", "voxels"),
        advanced=True,
        label="Cut particles",
        help="Structures of particles: each disc exactly, at any resolution, or out of their drawn voxels",
    )
    seed: int = option(0, 0, 2**31 - 1, advanced=True, help="The same seed gives the same slices")

    def to_json(self) -> dict[str, Any]:
        """The plan as JSON."""
        return asdict(self)
