"""Results of health checks, kept in the project's cache so that reopening shows them without another pass."""

from __future__ import annotations

import contextlib
import hashlib
import json
import math
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from microtome.errors import MicrotomeError
from microtome.store.atomic import read_json, write_json
from microtome.store.project import Project, VolumeEntry

if TYPE_CHECKING:
    from microtome.volumes.health.check import Health

_VERSION = 1


@dataclass(frozen=True, kw_only=True)
class Kept:
    """A check and when it was made (seconds since 1970)."""

    health: Health
    made: float


def kept(project: Project, entry: VolumeEntry) -> Kept | None:
    """The check of a volume as its file and its corrections are now; None where there is none (reads small files)."""
    try:
        data = read_json(_file(project, entry))
    except MicrotomeError:
        return None
    if data.get("version") != _VERSION or data.get("of") != _identity(project, entry):
        return None
    try:
        return Kept(health=_health(data), made=float(data["made"]))
    except (KeyError, TypeError, ValueError):
        return None  # only a cache: it is made again


def keep(project: Project, entry: VolumeEntry, health: Health) -> Kept:
    """Keep a check; where it cannot be written it is shown all the same."""
    now = time.time()
    profiles = [asdict(p) | {"values": [v if math.isfinite(v) else None for v in p.values]} for p in health.profiles]
    data = {"version": _VERSION, "of": _identity(project, entry), "made": now, "profiles": profiles}
    data["findings"] = [asdict(f) for f in health.findings]
    # A read-only project or a full disk: nothing hangs on the cache.
    with contextlib.suppress(MicrotomeError):
        write_json(_file(project, entry), data)
    return Kept(health=health, made=now)


def _file(project: Project, entry: VolumeEntry) -> Path:
    return project.cache / "health" / f"{entry.id}.json"


def _identity(project: Project, entry: VolumeEntry) -> str:
    """What decides the result: the file as it is now, how it is read, its corrections, its voxel size."""
    path = project.resolve(entry)
    try:
        state = path.stat()
        stamp = [state.st_size, state.st_mtime_ns]
    except OSError:
        stamp = []
    options = {k: v for k, v in entry.options.items() if k != "copy"}
    what = [str(path), stamp, options, entry.voxel_size, entry.unit]
    return hashlib.sha256(json.dumps(what, sort_keys=True, default=str).encode()).hexdigest()


def _health(data: dict[str, Any]) -> Health:
    # Imported here: it brings scipy, which the window must not wait for at its start.
    from microtome.volumes.health.check import Finding, Health, Profile, Remedy

    findings = [
        Finding(
            kind=f["kind"],
            words=str(f["words"]),
            severity=f["severity"],
            slices=tuple((int(a), int(b)) for a, b in f["slices"]),
            remedies=tuple(Remedy(label=r["label"], step=dict(r["step"])) for r in f["remedies"]),
        )
        for f in data["findings"]
    ]
    profiles = [
        Profile(name=p["name"], unit=p["unit"], values=tuple(math.nan if v is None else float(v) for v in p["values"]))
        for p in data["profiles"]
    ]
    return Health(findings=tuple(findings), profiles=tuple(profiles))
