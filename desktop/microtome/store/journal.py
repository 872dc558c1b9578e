"""An append-only file of JSON lines: one writer, any number of readers, a torn last line cut off before appending.

Contract: a line is written with its line feed in one write; a reader takes only complete lines; a crash can lose or tear
the last line and nothing else.
"""

from __future__ import annotations

import contextlib
import os
from pathlib import Path
from types import TracebackType

from microtome.events import Event, decode, encode
from microtome.store.atomic import explain


class JournalWriter:
    """Appends events; opening it repairs a torn end."""

    def __init__(self, path: Path) -> None:
        self.path = path
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            self._file = open(path, "ab", buffering=0)  # noqa: SIM115 - closed by close()
            self._cut_torn_line()
        except OSError as error:
            raise explain(error, path, "write") from error

    def _cut_torn_line(self) -> None:
        size = self.path.stat().st_size
        with open(self.path, "rb+") as file:
            position = size
            while position > 0:
                step = min(65536, position)
                file.seek(position - step)
                found = file.read(step).rfind(b"\n")
                if found >= 0:
                    position = position - step + found + 1
                    break
                position -= step
            if position < size:
                file.truncate(position)

    def append(self, event: Event) -> None:
        """Write one event; it survives a crash of this process at once."""
        line = memoryview(encode(event) + b"\n")
        end = os.fstat(self._file.fileno()).st_size
        try:
            while line:  # a disk that fills up takes a part first, and refuses the rest
                line = line[self._file.write(line) :]
        except OSError as error:
            # A later event, which may be shorter or find room again, must not be written behind half a line.
            with contextlib.suppress(OSError):
                self._file.truncate(end)
            raise explain(error, self.path, "append to") from error

    def sync(self) -> None:
        """Force what was appended to the disk (against a power failure); at every epoch and end."""
        try:
            os.fsync(self._file.fileno())
        except OSError as error:  # some disks say only now that they are full
            raise explain(error, self.path, "append to") from error

    def close(self) -> None:
        """Close the file."""
        self._file.close()

    def __enter__(self) -> JournalWriter:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()


class JournalReader:
    """Reads what was appended since the last call; the file may not exist yet."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._position = 0  # behind the last complete line: half a line may be cut off and another written in its place

    def read(self, limit: int = 4_000_000) -> list[Event]:
        """Return the complete new events, at most about `limit` bytes of them; none only where there are none (yet)."""
        try:
            with open(self.path, "rb") as file:
                file.seek(self._position)
                parts = [file.read(limit)]
                while parts[-1] and b"\n" not in parts[-1]:  # one line may be longer: what a warm start knows, for example
                    parts.append(file.read(limit))
                data = b"".join(parts)
        except FileNotFoundError:
            return []
        except OSError as error:
            raise explain(error, self.path, "read") from error
        complete = data[: data.rfind(b"\n") + 1]
        self._position += len(complete)
        return [decode(line) for line in complete.split(b"\n") if line.strip()]


def read_all(path: Path) -> list[Event]:
    """Every complete event of a journal."""
    reader = JournalReader(path)
    events: list[Event] = []
    while batch := reader.read():
        events.extend(batch)
    return events
