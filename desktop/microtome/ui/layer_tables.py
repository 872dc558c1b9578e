"""Layer tables for the window: computed in a worker process that knows torch, kept in memory and on disk."""

from __future__ import annotations

import hashlib
import json
from collections import OrderedDict
from dataclasses import asdict, dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any

from microtome.errors import MicrotomeError
from microtome.paths import cache_dir
from microtome.registry import registry
from microtome.session import Session
from microtome.store.atomic import FORMAT, read_json, write_json
from microtome.training.layers import LayerTable
from microtome.ui.channels import channels_of
from microtome.ui.worker_child import WorkerChild

_VERSION = 1  # of what is kept on disk
_KEPT = 64


@dataclass(frozen=True, kw_only=True)
class NetworkAsked:
    """A network as it would be built."""

    name: str
    classes: int
    image_size: int  # pixels an edge that it sees
    channels: int = 1  # 3: in colour
    parameters: dict[str, Any] = field(default_factory=dict)

    @property
    def key(self) -> str:
        """What its table hangs on, the plugin's source included."""
        plugin = registry().get("network", self.name)
        what = json.dumps([_VERSION, asdict(self), plugin.version, plugin.source_hash], sort_keys=True, default=str)
        return hashlib.sha256(what.encode()).hexdigest()[:24]


def asked_of(session: Session) -> NetworkAsked:
    """The network of the working recipe, as its slices would reach it."""
    parameters = {name: session.value(f"network.{name}") for name in session.specs("network")}
    return NetworkAsked(
        name=session.network_name(),
        classes=max(2, len(session.classes())),
        image_size=int(session.value("transfer.image_size")) or int(session.value("slices.pixels")),
        channels=channels_of(session),
        parameters=parameters,
    )


@lru_cache(maxsize=1)
def _child() -> WorkerChild:
    return WorkerChild(
        "microtome.training.layers:layers_in_worker",
        "layers",
        patience=120.0,
        failing="The layers could not be counted.",
        late=("The layers could not be counted in time.", "Choose a smaller network or image."),
    )


_kept: OrderedDict[str, LayerTable] = OrderedDict()


def known_table(asked: NetworkAsked) -> LayerTable | None:
    """The table where it was computed before, also by an earlier window; None where it was not."""
    found = _kept.get(asked.key)
    if found is not None:
        return found
    try:
        data = read_json(_file(asked))
        del data[FORMAT]
        return _keep(asked.key, LayerTable.from_json(data))
    except (MicrotomeError, KeyError, TypeError):
        return None  # a cache of another version is none


def read_table(asked: NetworkAsked) -> LayerTable:
    """The table, computed where it is not known (in a background thread only; seconds the first time).

    Raises a MicrotomeError where the network cannot be built so.
    """
    found = known_table(asked)
    if found is not None:
        return found
    found = LayerTable.from_json(_child().ask(asdict(asked)))
    try:
        write_json(_file(asked), found.to_json())
    except MicrotomeError:
        return _keep(asked.key, found)  # a cache that cannot be written is none
    return _keep(asked.key, found)


def close_worker() -> None:
    """End the worker process; the next question starts another one."""
    _child().close()


def _file(asked: NetworkAsked) -> Path:
    return cache_dir() / "layers" / f"{asked.key}.json"


def _keep(key: str, table: LayerTable) -> LayerTable:
    _kept[key] = table
    _kept.move_to_end(key)
    while len(_kept) > _KEPT:
        _kept.popitem(last=False)
    return table
