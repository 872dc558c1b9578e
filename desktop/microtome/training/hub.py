"""Weights from the Hugging Face hub: fetched on request, checked, kept in the cache, gone on with after an interruption."""

from __future__ import annotations

import hashlib
import re
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

from microtome.errors import FileError, InputError
from microtome.events import Event, Phase
from microtome.paths import cache_dir
from microtome.store.atomic import explain

PREFIX = "hub:"
_FILE = "model.safetensors"  # what timm's and most other repositories call their weights
_ANSWER = 5.0  # seconds that the hub has to answer before we say that it does not
_STALL = 20.0  # seconds without a byte after which a transfer counts as broken
_CHUNK = 1 << 18
_NAME = r"[\w.-]+"
_SOURCE = re.compile(rf"hub:({_NAME}/{_NAME})(?:/({_NAME}(?:/{_NAME})*))?")
_HINT = "Give a file of weights, or use “published” with efficientnet-lite0, whose weights came with Microtome."


class FetchStoppedError(Exception):
    """The transfer was asked to end by `order`; what has arrived is kept for another time."""

    def __init__(self, order: str) -> None:
        super().__init__(order)
        self.order = order


def parse_source(source: str) -> tuple[str, str]:
    """`hub:OWNER/NAME` or `hub:OWNER/NAME/FILE` as (OWNER/NAME, FILE); InputError for anything else."""
    found = _SOURCE.fullmatch(source)
    if found is None or ".." in source:
        raise InputError(
            f"“{source}” names no weights on the Hugging Face hub.", "Write hub:OWNER/NAME or hub:OWNER/NAME/FILE."
        )
    return found[1], found[2] or _FILE


def cached(source: str, sha256: str = "") -> Path | None:
    """The file of a source that was fetched before, None where it was not."""
    repository, file = parse_source(source)
    folder = _folder(repository)
    known = sorted(folder.glob(f"*/{file}"), key=lambda path: path.stat().st_mtime)
    right = [path for path in known if not sha256 or path.relative_to(folder).parts[0] == sha256]
    return right[-1] if right else None


def fetch(
    source: str,
    *,
    sha256: str = "",
    report: Callable[[Event], None] = lambda event: None,
    should_stop: Callable[[], str] = lambda: "",
    endpoint: str | None = None,
) -> Path:
    """The file of `hub:OWNER/NAME/FILE`, fetched unless it is in the cache; `sha256` it must have, where that is known.

    Tells its progress as Phase "fetching weights" in bytes. Raises FileError at once where the hub cannot be reached or does
    not have it, or where what arrived is not what the hub promised; FetchStoppedError where should_stop() said so.
    """
    from huggingface_hub.utils import WeakFileLock

    repository, file = parse_source(source)
    if (there := cached(source, sha256)) is not None:
        return there
    length, checksum = _promised(repository, file, endpoint)
    if sha256 and checksum and checksum != sha256:
        raise FileError(f"{source} is another file now than the one that this network knows.", _HINT)
    folder = _folder(repository)
    part = folder / ".parts" / (hashlib.sha256(f"{file}\n{checksum}\n{length}".encode()).hexdigest()[:24] + ".part")
    try:
        part.parent.mkdir(parents=True, exist_ok=True)
        if length and shutil.disk_usage(part.parent).free < length:
            raise FileError(f"The disk has no room for {source} ({length / 1e6:.0f} MB).", f"Free some space for {folder}.")
        with WeakFileLock(part.with_suffix(".lock")):
            # Another worker may have fetched it while this one waited.
            if (there := cached(source, sha256)) is not None:
                return there
            _transfer(source, _url(repository, file, endpoint), part, length, report, should_stop)
            return _keep(source, part, folder, file, checksum or sha256)
    except FileError:
        raise
    except OSError as error:
        raise explain(error, folder, "keep weights in") from error


def _keep(source: str, part: Path, folder: Path, file: str, checksum: str) -> Path:
    """Move what has arrived to its place, named by its checksum; what is damaged is thrown away."""
    found = hashlib.sha256(part.read_bytes()).hexdigest()
    if checksum and found != checksum:
        part.unlink()
        raise FileError(f"{source} arrived damaged: its checksum is not the hub's.", "Try again.")
    target = folder / found / file
    target.parent.mkdir(parents=True, exist_ok=True)
    return part.replace(target)


def run_fetch(spec: dict[str, Any], report: Callable[[Event], None], should_stop: Callable[[], str]) -> dict[str, Any]:
    """`fetch` as a task of a worker: spec {source, sha256?, endpoint?}; returns {path}, or {path: ""} where it was stopped."""
    try:
        found = fetch(
            spec["source"],
            sha256=spec.get("sha256", ""),
            report=report,
            should_stop=should_stop,
            endpoint=spec.get("endpoint"),
        )
    except FetchStoppedError:
        return {"path": ""}
    return {"path": str(found)}


def _folder(repository: str) -> Path:
    return cache_dir() / "weights" / repository.replace("/", "--")


def _url(repository: str, file: str, endpoint: str | None) -> str:
    from huggingface_hub import hf_hub_url

    return str(hf_hub_url(repository, file, endpoint=endpoint))


def _promised(repository: str, file: str, endpoint: str | None) -> tuple[int, str]:
    """What the hub says of a file: its length (0: not said) and its SHA-256 ("" for small files, which have none)."""
    from huggingface_hub import errors, get_hf_file_metadata

    name = f"{PREFIX}{repository}/{file}"
    try:
        said = get_hf_file_metadata(_url(repository, file, endpoint), timeout=_ANSWER, endpoint=endpoint)
    except (errors.RepositoryNotFoundError, errors.RemoteEntryNotFoundError) as error:
        raise FileError(f"The hub does not have {name}, or it is not public.", "Check owner, name and file.") from error
    except errors.OfflineModeIsEnabled as error:
        raise FileError(f"{name} was not fetched before, and HF_HUB_OFFLINE forbids to fetch it now.", _HINT) from error
    except (errors.HTTPError, OSError) as error:
        raise FileError(f"{name} cannot be fetched: the Hugging Face hub cannot be reached ({error}).", _HINT) from error
    etag = said.etag or ""
    return int(said.size or 0), etag if re.fullmatch("[0-9a-f]{64}", etag) else ""


def _transfer(
    source: str, url: str, part: Path, length: int, report: Callable[[Event], None], should_stop: Callable[[], str]
) -> None:
    """Append to `part` what it does not hold yet of `length` bytes."""
    from huggingface_hub import errors
    from huggingface_hub.utils import build_hf_headers, get_session

    done = part.stat().st_size if part.exists() else 0
    if length and done > length:
        part.unlink()
        done = 0
    if length and done == length:
        return
    headers = build_hf_headers() | {"accept-encoding": "identity"} | ({"range": f"bytes={done}-"} if done else {})
    told = 0.0
    try:
        with get_session().stream("GET", url, headers=headers, timeout=_STALL, follow_redirects=True) as answer:
            answer.raise_for_status()
            if answer.status_code != 206:  # it cannot go on in the middle
                done = 0
            with open(part, "ab" if done else "wb") as file:
                for chunk in answer.iter_bytes(_CHUNK):
                    if order := should_stop():
                        raise FetchStoppedError(order)
                    file.write(chunk)
                    done += len(chunk)
                    if done - told >= length / 200 or done == length:
                        told = done
                        report(Phase(name="fetching weights", done=done, total=max(done, length), unit="bytes"))
    except errors.HTTPError as error:
        raise FileError(
            f"{source} broke off after {done / 1e6:.1f} MB ({error}).", "Try again: it goes on from there."
        ) from error
    if length and done != length:
        raise FileError(f"{source} broke off after {done / 1e6:.1f} MB.", "Try again: it goes on from there.")
