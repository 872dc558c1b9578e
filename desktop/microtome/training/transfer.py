"""Transfer learning: which parts of a network learn in which epoch and how fast, and images brought to its input size."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from microtome.errors import PluginError
from microtome.training.build import build_network
from microtome.training.spec import TransferSpec

if TYPE_CHECKING:
    from torch import Tensor, nn

_RESAMPLING = "_resampling"  # the buffer with which a network resizes its images


@dataclass(frozen=True)
class Part:
    """A part of a network: its name and its submodules' dotted names."""

    name: str
    modules: tuple[str, ...]


def parts_of(network: nn.Module) -> tuple[Part, ...]:
    """A network's parts from input to output: the first is the stem, the last the head, between them are the blocks.

    As the network names them in `parts`; else its children that have weights, one part each. Raises PluginError where a
    weight is in no part.
    """
    named = getattr(network, "parts", None)
    if named is None:
        return tuple(Part(name, (name,)) for name, child in network.named_children() if any(True for _ in child.parameters()))
    parts = tuple(Part(str(name), tuple(modules)) for name, modules in named)
    for name, _ in network.named_parameters():
        if not any(_within(name, part) for part in parts):
            raise PluginError(
                f"The network's weight {name} is in none of its parts.", "Name its module in the network's parts."
            )
    return parts


def head_names(network: nn.Module) -> frozenset[str]:
    """The names of the tensors in a network's head."""
    head = parts_of(network)[-1]
    return frozenset(name for name in network.state_dict() if _within(name, head))


class Stages:
    """Which parts of one network learn in an epoch: the head alone at first, where wished, then all that is to learn.

    A function of the epoch's number alone, so that a resumed training does what an uninterrupted one does. Frozen parts get
    no gradients and stay in evaluation mode: their batch normalisation neither uses nor follows the batches' statistics.
    """

    def __init__(self, network: nn.Module, spec: TransferSpec) -> None:
        self._network, self._spec = network, spec
        self.parts = parts_of(network)
        blocks = max(0, len(self.parts) - 2)
        self._head = len(self.parts) - 1
        match spec.train:
            case "all":
                self._first = 0
            case "last":
                self._first = self._head - min(spec.blocks, blocks)
            case _:
                self._first = self._head
        self.findings: tuple[str, ...] = self._remarks(blocks)

    def _remarks(self, blocks: int) -> tuple[str, ...]:
        spec, found = self._spec, []
        if spec.train == "last" and spec.blocks > blocks:
            found.append(f"The network has {blocks} blocks: all of them are trained, not {spec.blocks}.")
        if not spec.weights and self._first > 0:
            found.append("What is frozen has random weights: no pretrained ones were chosen.")
        return tuple(found)

    def first(self, epoch: int) -> int:
        """The number of the first part that learns in an epoch (0, 1, …): it and all behind it do."""
        return self._head if epoch < self._spec.head_epochs else self._first

    @property
    def whole_from(self) -> int:
        """The epoch (0, 1, …) from which on all learns that is to learn."""
        return self._spec.head_epochs if self._first < self._head else 0

    def begin(self, epoch: int) -> None:
        """Freeze what does not learn in an epoch, free the rest; for a network that is in training mode."""
        first = self.first(epoch)
        for number, part in enumerate(self.parts):
            for name in part.modules:
                module = self._network.get_submodule(name)
                module.requires_grad_(number >= first)
                if number < first:
                    module.eval()

    def factors(self) -> dict[str, float]:
        """The share of the learning rate of every weight that ever learns; the others will need no gradient after this.

        Only pretrained weights learn more slowly than the head.
        """
        self.begin(self._spec.head_epochs)
        slow = self._spec.backbone_rate if self._spec.weights else 1.0
        return {
            name: 1.0 if _within(name, self.parts[self._head]) else slow
            for name, parameter in self._network.named_parameters()
            if parameter.requires_grad
        }


def build_resizing(name: str, *, channels: int, classes: int, edge: int, size: int = 0, **parameters: Any) -> nn.Module:
    """`build_network` for images of `edge` pixels that it sees at `size` (0: as they are).

    The network resizes what it is given itself: in training, validation, prediction and export alike, behind augmentation,
    without a word in its weights' file. Images of any other size it takes as they are.
    """
    network = build_network(name, channels, classes, size or edge, **parameters)
    if size not in (0, edge):
        network.register_buffer(_RESAMPLING, resampling(edge, size), persistent=False)
        network.register_forward_pre_hook(_resized)
    return network


def resampling(edge: int, size: int) -> Tensor:
    """The matrix (size, edge) that resizes an axis by linear interpolation, averaging where it shrinks (antialiased).

    R x Rᵀ equals torch's interpolate(mode="bilinear", antialias=True) of an image x; as two products it has the same bits in
    every run and exports to every format.
    """
    import torch
    from torch.nn import functional as F  # noqa: N812 - its customary name

    unit = torch.eye(edge).view(1, 1, edge, edge)
    return F.interpolate(unit, size=(size, edge), mode="bilinear", antialias=True, align_corners=False)[0, 0].contiguous()


def _resized(network: nn.Module, inputs: tuple[Any, ...]) -> tuple[Any, ...] | None:
    # Not a closure: a copy of the network must use its own matrix.
    import torch

    matrix, images = network.get_buffer(_RESAMPLING), inputs[0]
    if images.shape[-1] != matrix.shape[1]:
        return None
    return (torch.matmul(torch.matmul(matrix, images), matrix.T), *inputs[1:])


def _within(name: str, part: Part) -> bool:
    return any(name.startswith(f"{module}.") for module in part.modules)
