"""A network layer by layer, without its weights: shapes, parameters, multiply-adds, memory, and how far each layer sees."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from microtome.errors import PluginError

if TYPE_CHECKING:
    from torch import nn

FLOAT = 4  # bytes
KINDS = (
    "convolution",
    "depthwise convolution",
    "dense",
    "normalisation",
    "activation",
    "max pool",
    "mean pool",
    "global mean",
    "dropout",
    "flatten",
    "padding",
)
"""What a layer is, in words; a layer of a foreign network that is none of these is called by its class."""
#: Copies of a weight that an optimiser keeps.
_STATES = {"adam": 2, "adamw": 2, "sgd": 1}
_HEAD = "head"


@dataclass(frozen=True, kw_only=True)
class Layer:
    """One layer, at one image."""

    part: str  # of the network, as transfer learning names it; "" where it names none
    name: str  # dotted, as in its weights' file
    kind: str
    detail: str  # kernel and stride: "3 × 3 / 2"
    shape: tuple[int, ...]  # of its output: (channels, height, width), or (units,)
    parameters: int
    multiply_adds: int
    activation_bytes: int  # what it keeps for the way back, in float32
    receptive_field: int | None  # pixels an edge that one of its outputs depends on; None: the whole image


@dataclass(frozen=True, kw_only=True)
class Memory:
    """Bytes that a training holds at once, without what torch and its libraries take for themselves."""

    weights: int
    gradients: int
    optimiser: int
    average: int
    activations: int

    @property
    def total(self) -> int:
        """The sum."""
        return self.weights + self.gradients + self.optimiser + self.average + self.activations


@dataclass(frozen=True, kw_only=True)
class LayerTable:
    """The layers of a network from input to output, and their sums."""

    network: str
    channels: int
    classes: int
    image_size: int
    layers: tuple[Layer, ...]
    parameters: int
    multiply_adds: int  # an image
    activation_bytes: int  # an image
    receptive_field: int  # pixels an edge that one pixel of the last map sees, before the map becomes one vector

    def memory(
        self,
        batch_size: int,
        *,
        optimizer: str = "adam",
        momentum: float = 0.9,
        ema: bool = False,
        frozen: Collection[str] = (),
    ) -> Memory:
        """What a training in float32 holds at its peak, by the sums of the table; `frozen` are parts that are not trained.

        Frozen parts come first in a network, so that nothing of them is kept for the way back.
        """
        weights = FLOAT * self.parameters
        trained = FLOAT * sum(layer.parameters for layer in self.layers if layer.part not in frozen)
        states = 0 if optimizer == "sgd" and momentum == 0 else _STATES[optimizer]
        idle = sum(layer.activation_bytes for layer in self.layers if layer.part in frozen)
        return Memory(
            weights=weights,
            gradients=trained,
            optimiser=states * trained,
            average=weights if ema else 0,
            activations=batch_size * (self.activation_bytes - idle),
        )

    def to_json(self) -> dict[str, Any]:
        """The table as plain JSON."""
        return asdict(self)

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> LayerTable:
        """Read what to_json wrote."""
        layers = tuple(Layer(**{**layer, "shape": tuple(layer["shape"])}) for layer in data["layers"])
        return cls(**{**data, "layers": layers})


def layer_table(
    name: str, channels: int = 1, classes: int = 3, image_size: int = 64, parameters: Mapping[str, Any] | None = None
) -> LayerTable:
    """The layers of the network `name` with some settings, found by passing an image without numbers through it.

    Nothing is allocated and nothing is drawn. Receptive fields are theoretical ones, through the deepest path; activations are
    those that torch keeps for the way back. Raises what `build_network` raises, and PluginError where a foreign network
    cannot be passed through so.
    """
    import torch

    from microtome.training import tracing
    from microtome.training.build import build_network

    with torch.random.fork_rng(devices=[]), torch.device("meta"):
        network = build_network(name, channels, classes, image_size, **(parameters or {}))
        try:
            trace = tracing.trace(network, (channels, image_size, image_size))
        except (RuntimeError, NotImplementedError) as error:
            words = str(error).split("\n")[0]
            raise PluginError(f"The layers of the network “{name}” cannot be listed: {words}") from error
    layers = tuple(
        Layer(
            part=part,
            name=call.name,
            kind=kind_of(call.module, call.shape),
            detail=_detail(call.module),
            shape=call.shape,
            parameters=call.parameters,
            multiply_adds=call.multiply_adds,
            activation_bytes=call.kept_bytes,
            receptive_field=call.field,
        )
        for call, part in zip(trace.calls, _parts(network, trace.calls), strict=True)
    )
    return LayerTable(
        network=name,
        channels=channels,
        classes=classes,
        image_size=image_size,
        layers=layers,
        parameters=sum(p.numel() for p in network.parameters()),
        multiply_adds=trace.multiply_adds,
        activation_bytes=trace.kept_bytes,
        receptive_field=trace.field,
    )


def layers_in_worker(
    spec: Mapping[str, Any],
    report: Callable[[Any], None] = lambda event: None,
    should_stop: Callable[[], str] = lambda: "",
) -> dict[str, Any]:
    """`layer_table` as a task of a worker, for a window that must not import torch.

    `spec` holds its arguments by name; the answer is `LayerTable.to_json()`, or {"error", "hint"} for what cannot be built.
    """
    from microtome.errors import MicrotomeError

    try:
        return layer_table(**spec).to_json()
    except MicrotomeError as error:
        return {"error": error.message, "hint": error.hint}


def kind_of(module: nn.Module, shape: tuple[int, ...]) -> str:
    """One of KINDS, or the name of the module's class; `shape` is that of its output."""
    from torch import nn

    if isinstance(module, nn.Conv2d):
        return "depthwise convolution" if module.groups == module.in_channels > 1 else "convolution"
    if isinstance(module, nn.AdaptiveAvgPool2d):
        return "global mean" if shape[1:] == (1, 1) else "mean pool"
    known: tuple[tuple[type[nn.Module] | tuple[type[nn.Module], ...], str], ...] = (
        (nn.Linear, "dense"),
        ((nn.BatchNorm2d, nn.BatchNorm1d, nn.GroupNorm, nn.LayerNorm), "normalisation"),
        ((nn.ReLU, nn.ReLU6, nn.LeakyReLU, nn.ELU, nn.GELU, nn.SiLU, nn.Hardswish, nn.Sigmoid, nn.Tanh), "activation"),
        (nn.MaxPool2d, "max pool"),
        (nn.AvgPool2d, "mean pool"),
        ((nn.Dropout, nn.Dropout2d), "dropout"),
        (nn.Flatten, "flatten"),
        (nn.ZeroPad2d, "padding"),
    )
    return next((words for kinds, words in known if isinstance(module, kinds)), type(module).__name__)


def _detail(module: nn.Module) -> str:
    from torch import nn

    if isinstance(module, nn.Conv2d | nn.MaxPool2d | nn.AvgPool2d):
        kernel, stride = (v if isinstance(v, tuple) else (v, v) for v in (module.kernel_size, module.stride))
        return f"{kernel[0]} × {kernel[1]}" + (f" / {stride[0]}" if stride[0] != 1 else "")
    return ""


def _parts(network: nn.Module, calls: list[Any]) -> list[str]:
    """The part that each layer belongs to: what has no weights goes with the layer before it, or opens the next part."""
    modules = [(module, part) for part, names in getattr(network, "parts", ()) for module in names]
    if not modules:
        return [""] * len(calls)
    own = [next((p for m, p in modules if call.name == m or call.name.startswith(f"{m}.")), "") for call in calls]
    found = list(own)
    for i, call in enumerate(calls):
        if not found[i] and kind_of(call.module, call.shape) not in ("global mean", "flatten", "dropout"):
            found[i] = found[i - 1] if i else own[0]
    for i in reversed(range(len(calls))):
        found[i] = found[i] or (found[i + 1] if i + 1 < len(calls) else _HEAD)
    return found
