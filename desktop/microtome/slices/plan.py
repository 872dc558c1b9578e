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
    value: float | None = None  # the number that a network shall tell of it
    property: str = ""  # what of its structure that number is, where it is to be computed


@dataclass(frozen=True, kw_only=True)
class SimulatedSource:
    """A structure to simulate: generator name, seed, its settings, and how finely it is voxelised."""

    kind: str
    seed: int = 0
    parameters: dict[str, Any] = field(default_factory=dict)
    voxel_size: float | None = None  # nm; None: the structure's own default
    value: float | None = None  # as of a volume
    property: str = ""


@dataclass(frozen=True, kw_only=True)
class Micrographs:
    """How images that are 2-D already become those of an image set: [micrographs] of a recipe."""

    fit: str = option(
        "cut",
        choices=("cut", "tile", "resize", "stretch"),
        label="Make images by",
        help="Cuts at random places, or tiles side by side, of the field of view; or the whole, brought to size: "
        "its middle square, or all of it stretched",
    )
    overlap: float = option(
        0.0, 0, 0.95, label="Overlap of tiles", help="Part of a tile's edge that the next one covers too; one image, one set"
    )
    shares: str = option(
        "",
        label="Shares",
        help="Of the images for training/validation/evaluation, as 60/20/20; 76/24 takes validation from the 76; "
        "empty: as the counts of images",
    )
    group: str = option(
        "",
        label="Group by",
        help="What in a path tells a specimen or a day, which stays in one set: “folder”, or a pattern like specimen(\\d+)",
    )
    data_bar: int = option(-1, -1, 100_000, unit="px", label="Data bar", help="Rows left out at the bottom; −1: what is found")
    colour: str = option(
        "auto",
        choices=("auto", "grey", "rgb"),
        help="Three channels, or the brightness (BT.709); auto: three where most images are in colour. Volumes are grey",
    )
    masks: bool = option(True, label="Leave out masks", help="Masks beside the images, known by name and content")
    labels: str = option("", label="Table of labels", help="CSV file: each image's class and, if wanted, specimen, day and set")
    image_column: str = option("", advanced=True, label="Column of images", help="Of the table; empty: guessed, and said")
    class_column: str = option("", advanced=True, label="Column of classes", help="Of the table; empty: guessed, and said")
    group_columns: str = option("", advanced=True, label="Columns of groups", help="Of the table, with commas; empty: guessed")
    set_column: str = option("", advanced=True, label="Column of sets", help="Of the table; empty: guessed, and said")


@dataclass(frozen=True, kw_only=True)
class ClassSource:
    """A class: its name and where its images come from (volumes, simulated structures, or 2-D images)."""

    name: str
    volumes: tuple[VolumeSource, ...] = ()
    simulated: tuple[SimulatedSource, ...] = ()
    images: tuple[str, ...] = ()
    value: float | None = None  # of the images
    micrographs: Micrographs = field(default_factory=Micrographs)

    @property
    def has_data(self) -> bool:
        """Whether there is anything to cut; a table of labels may name the images of a class."""
        return bool(self.volumes or self.simulated or self.images or self.micrographs.labels)


@dataclass(frozen=True, kw_only=True)
class SlicePlan:
    """The settings of an image set; together with the classes' data they determine it to the bit."""

    field_of_view: float = option(64.0, 1e-9, None, label="Field of view", help="Edge of a slice, a physical length")
    unit: str = option("voxel", choices=("voxel", "nm", "um", "mm"), help="“voxel” where no voxel size is known")
    pixels: int = option(64, 8, 2048, unit="px", help="Edge of the image that the network sees")
    orientation: str = option(
        "random",
        choices=("random", "cone", "xy-rotated", "xy", "xz", "yz"),
        help="Of the cutting plane: any; its normal within a cone about z; xy turned at random; or fixed",
    )
    cone: float = option(
        15.0, 0, 90, unit="°", advanced=True, help="Of the orientation “cone”: largest angle between normal and z, the milling"
    )
    thickness: float = option(
        0.0,
        0,
        None,
        advanced=True,
        label="Slab thickness",
        help="Grey values are averaged so far through the plane, in the unit of the field of view; 0: a plane",
    )
    positions: str = option(
        "inside",
        choices=("inside", "anywhere"),
        advanced=True,
        label="Where slices may lie",
        help="“anywhere”: slices of a periodic structure may go on at its other side, where no other set lies there",
    )
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
    drawing: int = option(
        0,
        0,
        2**31 - 1,
        advanced=True,
        label="Fresh slices",
        help="Another number: other slices to learn from, of the same blocks; those of the evaluation stay the same",
    )

    def to_json(self) -> dict[str, Any]:
        """The plan as JSON; what was added to plans later counts only where it is used, so that older sets keep their hash."""
        return {k: v for k, v in asdict(self).items() if k != "drawing" or v}
