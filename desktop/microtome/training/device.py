"""Where a training computes: the device, its numbers' precision, reproducible arithmetic, memory that runs out."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager

import torch

from microtome.errors import InputError, MicrotomeError


def choose_device(name: str) -> torch.device:
    """The device of a name: "auto" (a GPU where there is one), "cpu", "cuda" or "cuda:N"; InputError where it is not there."""
    # Must be set before the first matrix product on a GPU, for reproducible ones.
    os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
    if name == "auto":
        return torch.device("cuda:0" if torch.cuda.is_available() else "cpu")
    try:
        device = torch.device(name)
    except RuntimeError as error:
        raise InputError(f"There is no device “{name}”.", "Write auto, cpu, cuda or cuda:1.") from error
    if device.type == "cpu":
        return device
    if device.type != "cuda" or (device.index or 0) >= torch.cuda.device_count():
        raise InputError(f"The device “{name}” is not there.", f"This machine has {torch.cuda.device_count()} CUDA GPUs.")
    return torch.device("cuda", device.index or 0)


def autocast(device: torch.device, precision: str = "auto") -> torch.autocast:
    """The arithmetic of a precision: float32, bfloat16 where that is safe, or auto: bfloat16 on a GPU that has it."""
    return torch.autocast(device.type, dtype=torch.bfloat16, enabled=_brief(device, precision))


def memory_format(device: torch.device, precision: str = "auto") -> torch.memory_format:
    """How images lie in memory: channels last on the CPU and for bfloat16 on a GPU, whose matrix units want it so."""
    last = device.type == "cpu" or _brief(device, precision)
    return torch.channels_last if last else torch.contiguous_format


def _brief(device: torch.device, precision: str) -> bool:
    if precision == "auto":
        return device.type == "cuda" and torch.cuda.is_bf16_supported(including_emulation=False)
    return precision == "bfloat16"


@contextmanager
def reproducible(device: torch.device, threads: int = 0) -> Iterator[None]:
    """The same numbers in every run on one machine, within the block; torch's settings are put back afterwards.

    `threads` of the CPU; 0 leaves their number as it is.
    """
    before = (torch.are_deterministic_algorithms_enabled(), torch.is_deterministic_algorithms_warn_only_enabled())
    threads_before = torch.get_num_threads()
    with torch.random.fork_rng(devices=[device.index] if device.type == "cuda" else []):
        # Some layers have no deterministic form on a GPU: they may still be used, and torch says so.
        torch.use_deterministic_algorithms(True, warn_only=device.type == "cuda")
        if threads > 0:
            torch.set_num_threads(threads)
        try:
            yield
        finally:
            torch.use_deterministic_algorithms(before[0], warn_only=before[1])
            torch.set_num_threads(threads_before)


@contextmanager
def explained_memory(what: str) -> Iterator[None]:
    """Turn torch's end of memory within the block into a sentence that names `what` was too large."""
    try:
        yield
    except RuntimeError as error:
        if not ran_out_of_memory(error):
            raise
        where = "the GPU" if isinstance(error, torch.OutOfMemoryError) else "the computer"
        raise _too_large(what, where) from error


def ran_out_of_memory(error: RuntimeError) -> bool:
    """Whether an error of torch says that there is no memory left, on a GPU or on the CPU."""
    return isinstance(error, torch.OutOfMemoryError) or "DefaultCPUAllocator" in str(error)


def _too_large(what: str, where: str) -> MicrotomeError:
    return MicrotomeError(f"The memory of {where} is too small for {what}.", "Choose a smaller batch, network or image.")


def peak_memory(device: torch.device) -> dict[str, int | None]:
    """{"memory": bytes that this process has held on a GPU at most, "memory_total": bytes that it has}; None on a CPU."""
    if device.type != "cuda":
        return {"memory": None, "memory_total": None}
    total = torch.cuda.get_device_properties(device).total_memory
    return {"memory": torch.cuda.max_memory_reserved(device), "memory_total": int(total)}
