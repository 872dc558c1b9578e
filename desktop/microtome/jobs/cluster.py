"""An existing cluster as a place to work: its address, the files of its encryption, and what can be said against them."""

from __future__ import annotations

import importlib.util
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from microtome.errors import InputError, MicrotomeError


class ConnectionLostError(MicrotomeError):
    """The cluster, or one of its workers, cannot be reached just now."""


@dataclass(frozen=True)
class Scheduler:
    """Where a dask scheduler listens, and the PEM files that prove who is who; it is where a run works, never what it does."""

    address: str  # tls://host:8786, or tcp://host:8786 without encryption
    ca: str = ""  # certificate of the authority that both sides trust
    cert: str = ""  # this program's certificate
    key: str = ""  # its key
    send_files: bool = False  # also where the workers see this computer's files

    def check(self) -> None:
        """Raise InputError for what is wrong before anything is connected."""
        kind, separator, place = self.address.partition("://")
        host, colon, port = place.rpartition(":")
        if not separator or kind not in ("tls", "tcp") or not host or not colon or not port.isdigit():
            raise InputError(
                f"“{self.address}” is not a scheduler's address.",
                "Write it as tls://host:8786, or tcp://host:8786 without TLS.",
            )
        files = {"authority": self.ca, "certificate": self.cert, "key": self.key}
        missing = [name for name, file in files.items() if not file]
        if kind == "tls" and missing:
            raise InputError(f"An encrypted connection needs the file of the {missing[0]}.", "Give all three PEM files.")
        if kind == "tcp" and len(missing) < len(files):
            raise InputError("The address says tcp, which is not encrypted, but TLS files are given.", "Write it as tls://….")
        for name, file in files.items():
            if file and not Path(file).is_file():
                raise InputError(f"The {name}'s file {file} does not exist.", "Choose the PEM file.")
        if importlib.util.find_spec("distributed") is None:
            raise InputError("This installation cannot use clusters.", 'Install it with: pip install "microtome[cluster]"')

    def to_json(self) -> dict[str, Any]:
        """As it is kept in the settings."""
        return {"address": self.address, "ca": self.ca, "cert": self.cert, "key": self.key, "send_files": self.send_files}

    @classmethod
    def from_json(cls, data: object) -> Scheduler | None:
        """Read what to_json wrote; None where there is no address."""
        if not isinstance(data, dict) or not isinstance(data.get("address"), str) or not data["address"].strip():
            return None
        text = {name: data[name] for name in ("ca", "cert", "key") if isinstance(data.get(name), str)}
        return cls(data["address"].strip(), **text, send_files=data.get("send_files") is True)

    def options(self) -> list[str]:
        """As the command line says it."""
        named = (("--scheduler", self.address), ("--tls-ca", self.ca), ("--tls-cert", self.cert), ("--tls-key", self.key))
        words = [word for name, value in named if value for word in (name, value)]
        return [*words, *(["--send-files"] if self.send_files else [])]


@dataclass(frozen=True)
class Member:
    """A worker of the cluster, as it introduced itself."""

    address: str
    process: str  # tells this process from a later one at the same address
    host: str
    cores: int
    microtome: str
    torch: str
    sees: bool  # our files
    busy: str  # the owner of the trial that it works on; "": none

    def refusal(self, microtome: str, torch: str) -> str:
        """Why it cannot be used, "" where it can."""
        pairs = (("Microtome", self.microtome, microtome), ("torch", self.torch, torch))
        for name, theirs, ours in pairs:
            if theirs.partition("+")[0] != ours.partition("+")[0]:
                other = f"{name} {theirs}" if theirs else f"no {name}"
                return f"The worker {self.address} has {other}, this computer has {ours}: it is not used."
        return ""
