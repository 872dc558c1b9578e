"""Checkpoints: all that a training needs to go on, in one file without pickle, replaced as a whole after every epoch.

checkpoint.safetensors holds the network's and the optimiser's tensors; its header holds the epochs so far and the
optimiser's numbers. Random numbers need no saving: every epoch's are derived from the seed and the epoch's number.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from microtome.errors import FileError
from microtome.events import EpochEnded, decode, encode
from microtome.store.atomic import explain, read_json, replacing
from microtome.training.card import read_metadata

if TYPE_CHECKING:
    from torch import Tensor, nn
    from torch.optim import Optimizer

NAME = "checkpoint.safetensors"
RESULT = "result.json"
_KEY = "training"
_VERSION = 1


def save(folder: Path, network: nn.Module, optimiser: Optimizer, history: list[EpochEnded], key: str) -> None:
    """Replace the checkpoint of a trial's folder; `key` is the trial's."""
    state = optimiser.state_dict()
    tensors = {f"network/{name}": value for name, value in network.state_dict().items()}
    numbers: dict[str, dict[str, Any]] = {}
    for index, values in state["state"].items():
        for name, value in values.items():
            if hasattr(value, "untyped_storage"):
                tensors[f"optimiser/{index}/{name}"] = value
            else:
                numbers.setdefault(str(index), {})[name] = value
    header = {
        "format": _VERSION,
        "key": key,
        "history": [encode(e).decode() for e in history],
        "groups": state["param_groups"],
        "numbers": numbers,
    }
    write_tensors(folder / NAME, tensors, {_KEY: json.dumps(header)})


def load(folder: Path, network: nn.Module, optimiser: Optimizer, key: str) -> list[EpochEnded]:
    """Bring network and optimiser to the folder's checkpoint, if any; returns the epochs so far.

    Raises FileError for a damaged checkpoint and for one of another trial.
    """
    path = folder / NAME
    if not path.exists():
        return []
    header = _header(path)
    if header["key"] != key:
        raise FileError(f"{folder} holds the checkpoint of another trial.", "Choose an empty folder, or delete that one.")
    tensors = read_tensors(path)
    network.load_state_dict({n.removeprefix("network/"): t for n, t in tensors.items() if n.startswith("network/")})
    state: dict[int, dict[str, Any]] = {int(i): dict(values) for i, values in header["numbers"].items()}
    for name, tensor in tensors.items():
        if name.startswith("optimiser/"):
            _, index, what = name.split("/")
            state.setdefault(int(index), {})[what] = tensor
    optimiser.load_state_dict({"state": state, "param_groups": [_group(g) for g in header["groups"]]})
    _as_the_parameters_lie(optimiser)
    return history(path)


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
