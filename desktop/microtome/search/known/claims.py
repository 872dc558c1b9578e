"""Claims of the runs of a project on what they train: a file a key, locked by the system while its trial is trained.

The file stays and names the trial that was trained last, so that another run finds it without looking through all folders.
The system lets a lock go when its holder dies, so no claim outlives its driver.
"""

from __future__ import annotations

from pathlib import Path
from typing import IO

from microtome.store.atomic import explain
from microtome.store.locked import release, try_lock

_NAME = 512  # bytes kept free for the name of a trial; the lock lies behind it


class Claims:
    """The claims of one driver, in a folder that may be deleted at any time."""

    def __init__(self, folder: Path, runs: Path) -> None:
        self._folder, self._runs = folder, runs
        self._held: dict[str, IO[bytes]] = {}

    def take(self, key: str, trial: Path) -> tuple[bool, Path | None]:
        """(whether the key is ours now, the folder of the trial that has it, or that had it last).

        `trial` is the folder of ours, below the runs. Raises FileError where the claim cannot be written.
        """
        if key in self._held:
            return True, trial
        path = self._folder / key
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            path.touch()
            file = open(path, "r+b", buffering=0)  # noqa: SIM115 - open as long as the claim is held
            named = file.read(_NAME).decode(errors="replace").strip()
            if not try_lock(file, at=_NAME):
                file.close()
                return False, self._named(named)
            # Who had it may have gone on to another trial since.
            file.seek(0)
            named = file.read(_NAME).decode(errors="replace").strip()
            file.seek(0)
            file.write(str(trial.relative_to(self._runs)).encode().ljust(_NAME)[:_NAME])
        except OSError as error:
            raise explain(error, path, "claim a trial in") from error
        self._held[key] = file
        return True, self._named(named)

    def release(self, key: str) -> None:
        """Let others have it; nothing where it is not ours."""
        file = self._held.pop(key, None)
        if file is not None:
            release(file, at=_NAME)
            file.close()

    def close(self) -> None:
        """Release all."""
        for key in list(self._held):
            self.release(key)

    def _named(self, text: str) -> Path | None:
        return self._runs / text if text else None
