"""What an errand needs and leaves on a worker that does not see our files: image sets, trial folders, plugins."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

from microtome.errors import FileError
from microtome.jobs import remote
from microtome.paths import user_plugins
from microtome.store.atomic import explain, read_json, replacing, write_json

Call = Callable[..., Any]
"""`call(function of remote, *arguments)` on the worker."""

_PIECE = 8 * 2**20  # bytes of a file that travel at once
#: In the order in which they are fetched: a model may be newer than its checkpoint, from which it is made again, never older.
_FIRST = ("result.json", "checkpoint.safetensors", "part.safetensors")


def send_folder(call: Call, source: Path, part: str) -> None:
    """Copy a folder's files below `part` on the worker, piece by piece."""
    for name in remote.listing_of(source):
        try:
            with open(source / name, "rb") as file:
                offset = 0
                while (piece := file.read(_PIECE)) or not offset:
                    call(remote.put, f"{part}/{name}", offset, piece)
                    offset += len(piece)
                    if not piece:
                        break
        except OSError as error:
            raise explain(error, source / name, "read") from error


def send_once(call: Call, source: Path, name: str, token: str) -> str:
    """Bring a folder to the worker unless it has it under this name already; returns where it is there."""
    if not call(remote.has, name):
        part = f"{name}.{token}.part"
        call(remote.make, part)
        send_folder(call, source, part)
        call(remote.seal, part, name)
    path: str = call(remote.seal, name, name)
    return path


def send_plugins(call: Call, token: str) -> str:
    """Bring the user's plugin files (their text); returns the folder's name below the worker's own."""
    folder = user_plugins()
    files = [n for n in (remote.listing_of(folder) if folder.is_dir() else ()) if n.endswith(".py")]
    digest = hashlib.sha256()
    for name in files:
        digest.update(name.encode() + b"\0" + (folder / name).read_bytes() + b"\0")
    place = f"plugins/{digest.hexdigest()[:20]}"
    if not call(remote.has, place):
        part = f"{place}.{token}.part"
        call(remote.make, part)
        for name in files:
            call(remote.put, f"{part}/{name}", 0, (folder / name).read_bytes())
        call(remote.seal, part, place)
    return place


class Freight:
    """The files of one errand whose arguments hold spec = {folder, image_set, …}."""

    def __init__(self, call: Call, token: str, spec: dict[str, Any]) -> None:
        self._call = call
        self._name = f"trials/{token}"
        self._token = token
        self._spec = spec
        self._folder = Path(spec["folder"])
        self._known: dict[str, tuple[int, int]] = {}  # name → size and time of what was fetched

    def send(self) -> dict[str, Any]:
        """Bring the image set and what there is of the trial; returns the specification as it reads on the worker."""
        images = Path(self._spec["image_set"])
        hash_ = read_json(images / "plan.json")["hash"]
        there = send_once(self._call, images, f"imagesets/{hash_}", self._token)
        folder = self._call(remote.make, self._name)
        send_folder(self._call, self._folder, self._name)
        self._known = self._listing()
        return {**self._spec, "folder": folder, "image_set": there}

    def fetch(self, *, final: bool = False) -> None:
        """Bring back what has changed; at the end, also that files are gone."""
        listed = self._listing()
        changed = [name for name, state in listed.items() if self._known.get(name) != state]
        fetched = {}
        for name in sorted(changed, key=lambda n: (_FIRST.index(n) if n in _FIRST else len(_FIRST), n)):
            got = self._call(remote.get, f"{self._name}/{name}")
            if got is not None:
                fetched[name] = got
        for name, (state, data) in reversed(fetched.items()):
            self._keep(name, data)
            self._known[name] = tuple(state)
        if final:
            for name in set(self._known) - set(listed):
                self._ours(name).unlink(missing_ok=True)

    def discard(self) -> None:
        """Remove the trial's folder from the worker; image sets stay there for the next."""
        self._call(remote.discard, self._name)

    def _listing(self) -> dict[str, tuple[int, int]]:
        found = self._call(remote.listing, self._name)
        return {name: tuple(state) for name, state in found.items()}

    def _ours(self, name: str) -> Path:
        path = (self._folder / name).resolve()
        if not path.is_relative_to(self._folder.resolve()):
            raise FileError(f"A worker sent a file {name} that does not belong into {self._folder}.")
        return path

    def _keep(self, name: str, data: bytes) -> None:
        path = self._ours(name)
        with replacing(path) as file:
            file.write(data)
        if name == "params.json":  # with the paths of this computer
            ours = {key: self._spec[key] for key in ("folder", "image_set")}
            write_json(path, {**read_json(path), **ours})
