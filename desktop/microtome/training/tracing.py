"""An image without numbers passed through a network: what every layer computes, keeps for the way back, and sees."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

_BATCH = 2  # normalisation needs two images
_aten = torch.ops.aten
_POOLS = (_aten.max_pool2d_with_indices, _aten.max_pool2d, _aten.avg_pool2d)
_ADAPTIVE = (_aten._adaptive_avg_pool2d, _aten.adaptive_avg_pool2d, _aten.adaptive_max_pool2d)


@dataclass(kw_only=True)
class Call:
    """One layer of the network at work on one image."""

    name: str
    module: nn.Module
    shape: tuple[int, ...] = ()
    parameters: int = 0
    multiply_adds: int = 0
    kept_bytes: int = 0
    field: int | None = None


@dataclass(kw_only=True)
class Trace:
    """All layers, in the order in which they worked, and their sums."""

    calls: list[Call] = field(default_factory=list)
    multiply_adds: int = 0
    kept_bytes: int = 0
    field: int = 1


@dataclass(frozen=True)
class _Sight:
    """How far a value sees into the image: pixels an edge, and pixels between neighbours (Araujo et al., Distill 2019)."""

    field: float = 1  # inf: everything
    jump: int = 1

    def after(self, kernel: int, stride: int, dilation: int = 1) -> _Sight:
        return _Sight(self.field + (kernel - 1) * dilation * self.jump, self.jump * stride)


def trace(network: nn.Module, shape: tuple[int, int, int]) -> Trace:
    """Pass images of `shape` (channels, height, width) through a network on torch's meta device, as measured and as trained."""
    found = Trace()
    with torch.no_grad(), _Sights(found) as sights, _following(network.eval(), found, sights.enter, sights.leave):
        images = torch.empty(_BATCH, *shape, device="meta")
        sights.learn(images, _Sight())
        network(images)
    _keep(network.train(), found, shape)
    return found


def _keep(network: nn.Module, found: Trace, shape: tuple[int, int, int]) -> None:
    """Count what a step of training keeps: each memory once, with the layer that keeps it first; weights are no activations."""
    own = {tensor.untyped_storage()._cdata for tensor in (*network.parameters(), *network.buffers())}
    alive: list[Tensor] = []  # memory that is given back would come again under the same address
    stack: list[Call] = []
    calls = iter(found.calls)

    def pack(tensor: Tensor) -> Tensor:
        place = tensor.untyped_storage()._cdata
        if place not in own:
            own.add(place)
            alive.append(tensor)
            size = tensor.untyped_storage().nbytes() // _BATCH
            found.kept_bytes += size
            if stack:
                stack[-1].kept_bytes += size
        return tensor

    def enter(_: Call) -> None:
        stack.append(next(calls))

    def leave(_: Call, __: Tensor) -> None:
        stack.pop()

    images = torch.empty(_BATCH, *shape, device="meta")
    with torch.autograd.graph.saved_tensors_hooks(pack, lambda tensor: tensor), _following(network, Trace(), enter, leave):
        logits = network(images)
        alive.append(logits)


@contextmanager
def _following(
    network: nn.Module, found: Trace, enter: Callable[[Call], None], leave: Callable[[Call, Tensor], None]
) -> Iterator[None]:
    """Tell of every layer when it begins and when it has ended; a layer has weights of its own, or no layers inside."""
    counted: set[int] = set()
    hooks: list[Any] = []
    running: list[Call] = []

    def begin(name: str) -> Callable[[nn.Module, Any], None]:
        def hook(module: nn.Module, _: Any) -> None:
            own = 0 if id(module) in counted else sum(p.numel() for p in module.parameters(recurse=False))
            counted.add(id(module))
            running.append(Call(name=name, module=module, parameters=own))
            found.calls.append(running[-1])
            enter(running[-1])

        return hook

    def end(_: nn.Module, __: Any, output: Any) -> None:
        call = running.pop()
        call.shape = tuple(output.shape[1:])
        leave(call, output)

    for name, module in network.named_modules():
        leaf = next(module.children(), None) is None and not isinstance(module, nn.Identity)
        if leaf or next(module.parameters(recurse=False), None) is not None:
            hooks += [module.register_forward_pre_hook(begin(name)), module.register_forward_hook(end)]
    try:
        yield
    finally:
        for hook in hooks:
            hook.remove()


class _Sights(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Follows every operation: what it multiplies, and how far its results see."""

    def __init__(self, found: Trace) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self._found = found
        self._sights: dict[int, _Sight] = {}
        self._alive: list[Tensor] = []  # an id is a tensor's own only while it lives
        self._stack: list[Call] = []

    def learn(self, tensor: Tensor, sight: _Sight) -> None:
        """Say how far a tensor sees."""
        self._alive.append(tensor)
        self._sights[id(tensor)] = sight

    def enter(self, call: Call) -> None:
        """A layer begins."""
        self._stack.append(call)

    def leave(self, call: Call, output: Tensor) -> None:
        """A layer has ended."""
        self._stack.pop()
        sight = self._sights.get(id(output), _Sight())
        call.field = None if math.isinf(sight.field) else int(sight.field)

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        """Do the operation, and note it."""
        result = func(*args, **(kwargs or {}))
        operation = func.overloadpacket
        sights = [self._sights[id(a)] for a in tree_leaves(args) if isinstance(a, Tensor) and id(a) in self._sights]
        if not sights:
            return result
        outputs = [tensor for tensor in tree_leaves(result) if isinstance(tensor, Tensor)]
        self._count(_multiply_adds(operation, args, outputs[0]) // _BATCH)
        sight = _seen(operation, args, outputs[0], max(sights, key=lambda s: (s.field, s.jump)))
        if not math.isinf(sight.field):
            self._found.field = max(self._found.field, int(sight.field))
        for tensor in outputs:
            self.learn(tensor, sight)
        return result

    def _count(self, multiply_adds: int) -> None:
        self._found.multiply_adds += multiply_adds
        if self._stack:
            self._stack[-1].multiply_adds += multiply_adds


def _multiply_adds(operation: Any, args: Any, output: Tensor) -> int:
    """Of convolutions and matrix products; sums, normalisations and pools are not counted, as is the custom."""
    if operation in (_aten.convolution, _aten.conv2d):
        return output.numel() * int(args[1][0].numel())
    if operation in (_aten.mm, _aten.bmm):
        return output.numel() * int(args[0].shape[-1])
    if operation in (_aten.addmm, _aten.baddbmm):
        return output.numel() * int(args[1].shape[-1])
    return 0


def _seen(operation: Any, args: Any, output: Tensor, before: _Sight) -> _Sight:
    """How far an operation's result sees, if its arguments see so far."""
    everything = _Sight(math.inf, before.jump)
    source = args[0]
    if operation in (_aten.convolution, _aten.conv2d):
        kernel, stride, padding, dilation = (max(v) for v in (args[1].shape[2:], args[3], args[4], args[5]))
        if padding == 0 and output.shape[-1] == 1 and kernel > 1 and kernel == source.shape[-1]:
            return everything  # a dense layer, written as a convolution over the whole map
        return before.after(int(kernel), int(stride), int(dilation))
    if operation in _POOLS:
        kernel, stride = max(args[1]), max(args[2]) if len(args) > 2 and args[2] else max(args[1])
        return before.after(int(kernel), int(stride))
    if operation in _ADAPTIVE:
        return _adapted(before, int(source.shape[-1]), int(output.shape[-1]))
    mapped = isinstance(source, Tensor) and source.ndim == 4 and source.shape[-1] * source.shape[-2] > 1
    if mapped and (output.ndim < 4 or operation == _aten.mean):
        return everything  # the map became one vector
    return before


def _adapted(before: _Sight, size: int, wanted: int) -> _Sight:
    """An adaptive pool to fewer pixels; one to as many or more sees what there was."""
    if wanted >= size:
        return before
    if wanted == 1:
        return _Sight(math.inf, before.jump)
    stride = size // wanted
    return before.after(-(-size // wanted) + (1 if size % wanted else 0), stride)
