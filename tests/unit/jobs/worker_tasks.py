"""Small functions that the tests run in workers."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable
from typing import Any

from microtome.errors import InputError

Report = Callable[[Any], None]
Stop = Callable[[], str]


def double(report: Report, should_stop: Stop, *, number: float) -> dict[str, Any]:
    """Report twice and return."""
    report("half way")
    report(number)
    return {"value": 2 * number}


def environment(report: Report, should_stop: Stop) -> dict[str, Any]:
    """What the worker's process looks like."""
    nice = os.nice(0) if hasattr(os, "nice") else 0
    modules = sorted(name for name in ("torch", "PySide6", "numpy", "pytest", "json") if name in sys.modules)
    return {"pid": os.getpid(), "nice": nice, "threads": os.environ["OMP_NUM_THREADS"], "modules": modules}


def wait_for_word(report: Report, should_stop: Stop) -> dict[str, Any]:
    """Run until asked to end."""
    report(os.getpid())
    while not (word := should_stop()):
        pass
    return {"outcome": "pruned" if word == "prune" else "cancelled", "word": word}


def deaf(report: Report, should_stop: Stop) -> None:
    """Never listen, not even to SIGTERM."""
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    report(os.getpid())
    while True:
        pass


def die(report: Report, should_stop: Stop, *, number: int) -> None:
    """Say a last word and die of a signal."""
    print("last words", flush=True)
    os.kill(os.getpid(), number)


def leave(report: Report, should_stop: Stop) -> None:
    """End the process with an exit code."""
    os._exit(7)


def user_mistake(report: Report, should_stop: Stop) -> None:
    """Raise what a user can mend."""
    raise InputError("The batch is empty.", "Use more images.")


def bug(report: Report, should_stop: Stop) -> float:
    """Raise what is a bug."""
    return 1 / int(should_stop() or 0)


def says_failed(report: Report, should_stop: Stop) -> dict[str, Any]:
    """Fail by value."""
    return {"outcome": "failed", "message": "the loss is not a number"}


def asks(report: Any, should_stop: Stop, *, epochs: int) -> dict[str, Any]:
    """Ask for a verdict after every epoch."""
    for epoch in range(epochs):
        if report.ask(epoch):
            return {"outcome": "pruned", "epochs": epoch + 1}
    return {"epochs": epochs}


def networks(report: Report, should_stop: Stop) -> list[str]:
    """The networks that this process knows."""
    from microtome.registry import registry

    return registry().names("network")


def writes(report: Report, should_stop: Stop, *, spec: dict[str, Any]) -> dict[str, Any]:
    """Change the files of a folder as a trial does, and tell of an epoch."""
    from pathlib import Path

    from microtome.events import EpochEnded

    folder = Path(spec["folder"])
    before = (folder / "checkpoint.safetensors").read_text()
    (folder / "checkpoint.safetensors").write_text("second")
    (folder / "part.safetensors").unlink()
    (folder / "params.json").write_text('{"format": 1, "folder": "here", "image_set": "here"}')
    epoch = {"trial": 1, "epoch": 1, "train_loss": 0.0, "train_accuracy": 0.0, "validation_loss": 0.0}
    rest = {"per_class": {}, "confusion": (), "images_per_second": 0.0}
    report(EpochEnded(**epoch, validation_accuracy=0.0, learning_rate=0.0, seconds=0.0, **rest))
    while not should_stop():
        pass
    (folder / "result.json").write_text("{}")
    return {"before": before, "images": sorted(p.name for p in Path(spec["image_set"]).iterdir()), "folder": spec["folder"]}
