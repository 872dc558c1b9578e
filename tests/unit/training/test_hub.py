"""Weights are fetched from a hub with progress, checked, kept, gone on with after a break; without one it is said at once."""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from microtome.errors import FileError, InputError
from microtome.events import Event, Phase
from microtome.training import hub
from microtome.training.hub import FetchStoppedError, cached, fetch, parse_source, run_fetch

SOURCE = "hub:someone/network/model.safetensors"
CONTENT = np.random.default_rng(0).bytes(1_500_000)


class Hub(ThreadingHTTPServer):
    """A hub with one file, that can lie, break off, or not know where to go on."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Answer)
        self.promised = hashlib.sha256(CONTENT).hexdigest()
        self.sends = len(CONTENT)  # bytes before it breaks off
        self.ranges = True
        self.asked: list[str] = []

    @property
    def address(self) -> str:
        """Where it listens."""
        return f"http://127.0.0.1:{self.server_address[1]}"


class Answer(BaseHTTPRequestHandler):
    """As the Hugging Face hub answers for a large file."""

    server: Hub
    protocol_version = "HTTP/1.1"

    def log_message(self, format: str, *values: Any) -> None:
        """Nothing."""

    def do_HEAD(self) -> None:
        if self._known():
            self._headers(200, len(CONTENT))

    def do_GET(self) -> None:
        if not self._known():
            return
        asked = self.headers.get("range", "")
        self.server.asked.append(asked)
        start = int(asked.removeprefix("bytes=").rstrip("-")) if asked and self.server.ranges else 0
        self._headers(206 if start else 200, len(CONTENT) - start)
        self.wfile.write(CONTENT[start : self.server.sends])
        if self.server.sends < len(CONTENT):
            self.close_connection = True

    def _known(self) -> bool:
        if self.path == "/someone/network/resolve/main/model.safetensors":
            return True
        self.send_response(404)
        self.send_header("X-Error-Code", "EntryNotFound")
        self.send_header("Content-Length", "0")
        self.end_headers()
        return False

    def _headers(self, status: int, length: int) -> None:
        self.send_response(status)
        self.send_header("ETag", f'"{self.server.promised}"')
        self.send_header("X-Repo-Commit", "0" * 40)
        self.send_header("Content-Length", str(length))
        self.end_headers()


@pytest.fixture
def server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Hub]:
    monkeypatch.setenv("MICROTOME_HOME", str(tmp_path))
    with Hub() as made:
        thread = threading.Thread(target=made.serve_forever)
        thread.start()
        yield made
        made.shutdown()
        thread.join()


def test_fetched_once_with_progress(server: Hub) -> None:
    told: list[Event] = []
    path = fetch(SOURCE, report=told.append, endpoint=server.address)
    assert path.read_bytes() == CONTENT
    assert path.name == "model.safetensors"
    phases = [event for event in told if isinstance(event, Phase)]
    assert {(p.name, p.unit, p.total) for p in phases} == {("fetching weights", "bytes", len(CONTENT))}
    assert [p.done for p in phases] == sorted(p.done for p in phases)
    assert phases[-1].done == len(CONTENT)
    assert len(phases) > 3
    server.promised = "gone"
    assert run_fetch({"source": "hub:someone/network", "endpoint": server.address}, told.append, lambda: "") == {
        "path": str(path)
    }
    assert len(server.asked) == 1


@pytest.mark.parametrize("ranges", [True, False])
def test_a_torn_transfer_goes_on(server: Hub, ranges: bool) -> None:
    server.sends, server.ranges = 600_000, ranges
    with pytest.raises(FileError, match=r"broke off after 0\.5 MB"):
        fetch(SOURCE, endpoint=server.address)
    assert cached(SOURCE) is None
    server.sends = len(CONTENT)
    assert fetch(SOURCE, endpoint=server.address).read_bytes() == CONTENT
    assert server.asked == ["", f"bytes={2 << 18}-"]


def test_stopped_and_gone_on_with(server: Hub) -> None:
    words = iter(["", "", "pause"])
    with pytest.raises(FetchStoppedError) as caught:
        fetch(SOURCE, should_stop=lambda: next(words), endpoint=server.address)
    assert caught.value.order == "pause"
    stopped = run_fetch({"source": SOURCE, "endpoint": server.address}, lambda event: None, lambda: "stop")
    assert stopped == {"path": ""}
    assert fetch(SOURCE, endpoint=server.address).read_bytes() == CONTENT
    assert server.asked[0] == ""
    assert all(asked.startswith("bytes=") for asked in server.asked[1:])


def test_two_workers_fetch_it_once(server: Hub) -> None:
    with ThreadPoolExecutor(2) as workers:
        paths = list(workers.map(lambda _: fetch(SOURCE, endpoint=server.address), range(2)))
    assert paths[0] == paths[1]
    assert paths[0].read_bytes() == CONTENT
    assert server.asked == [""]


def test_a_damaged_file_is_not_kept(server: Hub) -> None:
    server.promised = "0" * 64
    with pytest.raises(FileError, match="checksum"):
        fetch(SOURCE, endpoint=server.address)
    assert cached(SOURCE) is None
    server.promised = hashlib.sha256(CONTENT).hexdigest()
    assert fetch(SOURCE, endpoint=server.address).read_bytes() == CONTENT


def test_another_file_than_the_known_one(server: Hub) -> None:
    with pytest.raises(FileError, match="another file now"):
        fetch(SOURCE, sha256="1" * 64, endpoint=server.address)
    assert server.asked == []


def test_what_the_hub_does_not_have(server: Hub) -> None:
    with pytest.raises(FileError, match=r"does not have hub:someone/network/other\.pth"):
        fetch("hub:someone/network/other.pth", endpoint=server.address)


def test_where_nobody_answers_it_is_said(server: Hub) -> None:
    address = server.address
    server.server_close()
    with pytest.raises(FileError, match="cannot be reached") as caught:
        fetch(SOURCE, endpoint=address)
    assert "efficientnet-lite0" in caught.value.hint


def test_offline_by_wish(server: Hub, monkeypatch: pytest.MonkeyPatch) -> None:
    path = fetch(SOURCE, endpoint=server.address)
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    assert fetch(SOURCE, endpoint=server.address) == path  # what is there needs no hub
    with pytest.raises(FileError, match="HF_HUB_OFFLINE forbids") as caught:
        fetch("hub:someone/other", endpoint=server.address)
    assert "Give a file" in caught.value.hint


@pytest.mark.parametrize("source", ["hub:", "hub:name", "hub:a/../b", "timm/resnet18", "hub:a/b/../../c", "hub:a/b/"])
def test_names_that_are_none(source: str) -> None:
    with pytest.raises(InputError, match="names no weights"):
        parse_source(source)


def test_names() -> None:
    assert parse_source("hub:timm/resnet18.a1_in1k") == ("timm/resnet18.a1_in1k", "model.safetensors")
    assert parse_source("hub:timm/x/deep/weights.pth") == ("timm/x", "deep/weights.pth")
    assert hub.PREFIX == "hub:"
