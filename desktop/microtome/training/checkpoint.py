"""Checkpoints: all that a training needs to go on, in files without pickle, each replaced as a whole.

checkpoint.safetensors  after every epoch: tensors of the network, of the optimiser and of the average of weights; its header
                        holds the epochs so far and the optimiser's numbers. An epoch's random numbers need no saving there:
                        they are derived from the seed and the epoch's number.
part.safetensors        the same in mid-epoch, with the batches done, the sums so far and the states of the random numbers; it
                        counts only beside the checkpoint of the epoch before it
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from microtome.errors import FileError, NewerFormatError
from microtome.events import EpochEnded, decode, encode
from microtome.store.atomic import explain, read_json, replacing
from microtome.training.card import read_metadata

if TYPE_CHECKING:
    from torch import Tensor, nn
    from torch.optim import Optimizer

    from microtome.training.average import Average
    from microtome.training.part import Part

NAME = "checkpoint.safetensors"
PART = "part.safetensors"
RESULT = "result.json"
_KEY = "training"
_VERSION = 2  # 1: without averages of weights


def save(
    folder: Path,
    network: nn.Module,
    optimiser: Optimizer,
    history: list[EpochEnded],
    key: str,
    *,
    average: Average | None = None,
) -> None:
    """Replace the checkpoint of a trial's folder after an epoch; `key` is the trial's."""
    header = {"history": [encode(e).decode() for e in history]}
    _write(folder / NAME, network, optimiser, average, {}, {"key": key, **header})
    (folder / PART).unlink(missing_ok=True)


def save_part(
    folder: Path, network: nn.Module, optimiser: Optimizer, part: Part, key: str, *, average: Average | None = None
) -> None:
    """Replace the checkpoint in mid-epoch of a trial's folder."""
    header = {"key": key, "epoch": part.epoch, "done": part.done, "seconds": part.seconds}
    _write(folder / PART, network, optimiser, average, {f"part/{n}": t for n, t in part.tensors.items()}, header)


def load(
    folder: Path, network: nn.Module, optimiser: Optimizer, key: str, *, average: Average | None = None
) -> list[EpochEnded]:
    """Bring network, optimiser and average to the folder's checkpoint, if any; returns the epochs so far.

    Raises FileError for a damaged checkpoint and for one of another trial, NewerFormatError for one of a later version.
    """
    path = folder / NAME
    if not path.exists():
        return []
    header = _header(path)
    _ours(header, path, key)
    _restore(read_tensors(path), header, network, optimiser, average)
    return history(path)


def load_part(
    folder: Path, network: nn.Module, optimiser: Optimizer, key: str, *, epoch: int, average: Average | None = None
) -> Part | None:
    """Bring network, optimiser and average to where `epoch` was last kept in its middle; None where it was not.

    Raises what load raises.
    """
    from microtome.training.part import Part

    path = folder / PART
    if not path.exists():
        return None
    header = _header(path)
    _ours(header, path, key)
    if int(header["epoch"]) != epoch:
        return None
    tensors = read_tensors(path)
    _restore(tensors, header, network, optimiser, average)
    own = {name.removeprefix("part/"): tensor for name, tensor in tensors.items() if name.startswith("part/")}
    return Part(epoch=epoch, done=int(header["done"]), seconds=float(header["seconds"]), tensors=own)


def _write(
    path: Path,
    network: nn.Module,
    optimiser: Optimizer,
    average: Average | None,
    own: dict[str, Tensor],
    header: dict[str, Any],
) -> None:
    state = optimiser.state_dict()
    tensors = {**own, **{f"network/{name}": value for name, value in network.state_dict().items()}}
    if average is not None:
        tensors |= {f"average/{name}": value for name, value in average.network.state_dict().items()}
    numbers: dict[str, dict[str, Any]] = {}
    for index, values in state["state"].items():
        for name, value in values.items():
            if hasattr(value, "untyped_storage"):
                tensors[f"optimiser/{index}/{name}"] = value
            else:
                numbers.setdefault(str(index), {})[name] = value
    complete = {"format": _VERSION, **header, "groups": state["param_groups"], "numbers": numbers}
    write_tensors(path, tensors, {_KEY: json.dumps(complete)})


def _ours(header: dict[str, Any], path: Path, key: str) -> None:
    if header["key"] != key:
        raise FileError(f"{path.parent} holds the checkpoint of another trial.", "Choose an empty folder, or delete that one.")
    if int(header["format"]) > _VERSION:
        raise NewerFormatError(f"{path} was written by a newer Microtome.", "Install the newer version to go on with it.")


def _restore(
    tensors: dict[str, Tensor], header: dict[str, Any], network: nn.Module, optimiser: Optimizer, average: Average | None
) -> None:
    network.load_state_dict(_below("network/", tensors))
    if average is not None:
        average.network.load_state_dict(_below("average/", tensors))
    state: dict[int, dict[str, Any]] = {int(i): dict(values) for i, values in header["numbers"].items()}
    for name, tensor in _below("optimiser/", tensors).items():
        index, what = name.split("/")
        state.setdefault(int(index), {})[what] = tensor
    optimiser.load_state_dict({"state": state, "param_groups": [_group(g) for g in header["groups"]]})
    _as_the_parameters_lie(optimiser)


def _below(prefix: str, tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    return {name.removeprefix(prefix): tensor for name, tensor in tensors.items() if name.startswith(prefix)}


def history(path: Path) -> list[EpochEnded]:
    """The epochs that a checkpoint file knows; reads its header only, and no torch."""
    return [e for line in _header(path)["history"] if isinstance(e := decode(line.encode()), EpochEnded)]


def epochs_done(folder: Path) -> int:
    """How many epochs a trial's folder has saved, 0 where nothing readable is there; reads no torch."""
    try:
        if (folder / RESULT).exists():
            return int(read_json(folder / RESULT)["epochs"])
        return len(history(folder / NAME)) if (folder / NAME).exists() else 0
    except FileError:
        return 0


def _header(path: Path) -> dict[str, Any]:
    text = read_metadata(path).get(_KEY)
    if text is None:
        raise FileError(f"{path} is not a checkpoint.", "Delete it to train from the start.")
    header: dict[str, Any] = json.loads(text)
    return header


def _group(values: dict[str, Any]) -> dict[str, Any]:
    """A parameter group with its tuples, which JSON writes as lists."""
    return {name: tuple(v) if isinstance(v, list) and name != "params" else v for name, v in values.items()}


def _as_the_parameters_lie(optimiser: Optimizer) -> None:
    # In the memory order of the parameters, as before the interruption: another order may round differently.
    import torch

    for parameter, values in optimiser.state.items():
        for name, value in values.items():
            if isinstance(value, torch.Tensor) and value.shape == parameter.shape:
                values[name] = torch.empty_like(parameter).copy_(value)


def write_tensors(path: Path, tensors: dict[str, Tensor], metadata: dict[str, str]) -> None:
    """Replace a safetensors file; FileError where it cannot be written."""
    from safetensors.torch import save as to_bytes

    plain = {name: tensor.detach().cpu().contiguous() for name, tensor in tensors.items()}
    with replacing(path) as file:
        file.write(to_bytes(plain, metadata))


def read_tensors(path: Path) -> dict[str, Tensor]:
    """The tensors of a safetensors file on the CPU; FileError where it is missing or damaged."""
    from safetensors import SafetensorError
    from safetensors.torch import load as from_bytes

    try:
        tensors: dict[str, Tensor] = from_bytes(path.read_bytes())
        return tensors
    except OSError as error:
        raise explain(error, path, "read") from error
    except SafetensorError as error:
        raise FileError(f"{path} is damaged: {error}.", "Restore it from a copy, or train again.") from error
