"""TIFF stacks: in every legal form a lazy grey array (z, y, x), or a sentence that says why not."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from microtome.errors import FileError, InputError
from microtome.plugin import RawVolume
from microtome.volumes.grey import GreyRule, colour_words, to_grey
from microtome.volumes.lazy import need_memory
from microtome.volumes.scale.companions import image_companions, stack_companions
from microtome.volumes.scale.tags import tiff_report
from microtome.volumes.scale.weigh import Reported, weigh
from microtome.volumes.tiff.check import check_promise, check_segments, check_sizes
from microtome.volumes.tiff.colours import channels_of, holds_colours
from microtome.volumes.tiff.header import bones
from microtome.volumes.tiff.layout import layout_of, which_of
from microtome.volumes.tiff.parser import bits_of, opened
from microtome.volumes.tiff.voxels import tiff_voxels

if TYPE_CHECKING:
    import tifffile

_COLOUR_SPACES = ("SEPARATED", "LOGL", "LOGLUV", "CIELAB", "ICCLAB", "ITULAB", "CFA")


def open_tiff(path: Path, *, channel: int = -1, time: int = -1, image: int = -1, alone: bool = False) -> RawVolume:
    """The stack in a TIFF file, memory-mapped where it lies in one piece, else read by pages as they are needed.

    `channel`, `time` and `image` choose of a file with several (-1: there is nothing to choose). The voxel size is that of its
    header and of the files beside it. `alone`: a slice of a folder, whose pages are taken without their scale and without the
    files that its header names. Raises FileError for a damaged or truncated file, QuestionError where something must be chosen,
    InputError for what is no grey volume.
    """
    chain = bones(path)
    if chain.broken:
        raise FileError(
            f"{path} is incomplete: {chain.broken} ({len(chain.sizes)} whole pages are there).", "Copy or export it again."
        )
    if not chain.sizes:
        raise FileError(f"{path} holds no image.", "Export it again.")
    with opened(path, alone=alone) as file:
        check_promise(path, file)
        if channel < 0 and holds_colours(file):
            return _coloured(path, file, alone=alone)
        layout = layout_of(path, file, {"C": channel, "T": time, "I": image})
        check_sizes(path, layout, chain.sizes)
        page = file.pages[layout.first].keyframe
        rule = _rule(path, page, channel)
        starts = check_segments(path, file, layout, chain)
        findings = (*layout.findings, *_colour_findings(path, page, rule), *rule.findings)
        report = tiff_report(file, page, max(0, image)) if not alone else Reported()
    if not alone:
        report += image_companions(path, layout.shape[2]) + stack_companions(path, layout.shape[2])
    scale = weigh(report, layout.shape[0])
    return RawVolume(
        voxels=tiff_voxels(path, layout, rule, starts),
        voxel_size=scale.voxel_size,
        source=str(path),
        findings=(*findings, *scale.findings),
        metadata=scale.metadata,
    )


def _coloured(path: Path, file: tifffile.TiffFile, *, alone: bool) -> RawVolume:
    """The brightness of an image whose colours are channels; its scale as of any other file."""
    rule = GreyRule.make(samples=3, colours=3, planar=True)
    channels = channels_of(file)
    report = Reported() if alone else tiff_report(file, file.pages.first, 0) + image_companions(path, channels.shape[2])
    scale = weigh(report, 1)
    return RawVolume(
        voxels=to_grey(channels, rule)[None],
        voxel_size=scale.voxel_size,
        source=str(path),
        findings=(colour_words(channels, rule), *scale.findings),
        metadata=scale.metadata,
    )


def tiff_scale(path: Path) -> Reported:
    """What the header of a TIFF's first page says of its scale, without a look at the voxels."""
    with opened(path) as file:
        return tiff_report(file, file.pages.first, 0)


def _rule(path: Path, page: tifffile.TiffPage, channel: int) -> GreyRule:
    """How a page's samples become one grey value; InputError for print colours, QuestionError for channels as samples."""
    name = getattr(page.photometric, "name", str(page.photometric))
    samples = int(page.samplesperpixel)
    if name in _COLOUR_SPACES:
        raise InputError(
            f"{path} is a colour image of a kind ({name}, {samples} samples) that has no grey value.", "Save it as grey or RGB."
        )
    planar = samples > 1 and page.axes.find("S") < page.axes.find("Y")
    invert = (1 << bits_of(page)) - 1 if name == "MINISWHITE" and page.dtype.kind in "ub" else None
    if name in ("MINISBLACK", "MINISWHITE") and samples > 2:
        if channel < 0:
            raise which_of(path, "C", samples)
        if channel >= samples:
            raise InputError(f"{path} has {samples} channels; there is no number {channel}.", f"Give 0 to {samples - 1}.")
        return GreyRule.make(samples=samples, colours=1, planar=planar, invert=invert, pick=channel)
    colours = 3 if name in ("RGB", "YCBCR") or samples >= 3 else 1
    table = page.colormap if name == "PALETTE" else None
    return GreyRule.make(samples=samples, colours=colours, planar=planar, invert=invert, table=table)


def _colour_findings(path: Path, page: tifffile.TiffPage, rule: GreyRule) -> tuple[str, ...]:
    if not rule.colour:
        return ()
    need_memory(int(page.nbytes), str(path))
    return (colour_words(page.asarray(), rule),)
