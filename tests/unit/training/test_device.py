"""Torch's own settings are as before after a training."""

from __future__ import annotations

import pytest
import torch

from microtome.errors import MicrotomeError
from microtome.training.device import (
    autocast,
    choose_device,
    explained_memory,
    memory_format,
    ran_out_of_memory,
    reproducible,
)


def test_torchs_settings_and_random_numbers_are_put_back() -> None:
    threads = torch.get_num_threads()
    torch.manual_seed(5)
    expected = torch.rand(3)
    torch.manual_seed(5)
    with reproducible(torch.device("cpu"), threads=threads + 1):
        assert torch.are_deterministic_algorithms_enabled()
        assert torch.get_num_threads() == threads + 1
        torch.manual_seed(99)
        torch.rand(10)
    assert torch.equal(torch.rand(3), expected)
    assert torch.get_num_threads() == threads
    assert not torch.are_deterministic_algorithms_enabled()


def test_auto_is_what_there_is() -> None:
    assert choose_device("auto").type == ("cuda" if torch.cuda.is_available() else "cpu")
    assert choose_device("cpu") == torch.device("cpu")


def test_the_end_of_memory_is_a_sentence() -> None:
    with (
        pytest.raises(MicrotomeError, match="too small for batches of 4096 images"),
        explained_memory("batches of 4096 images"),
    ):
        torch.empty(2**55, dtype=torch.uint8)


def test_other_errors_stay_visible() -> None:
    with pytest.raises(RuntimeError, match="shapes"), explained_memory("anything"):
        torch.zeros(2, 3) @ torch.zeros(2, 3)


def test_precision_on_the_cpu() -> None:
    cpu = torch.device("cpu")
    layer, images = torch.nn.Linear(4, 2), torch.ones(3, 4)
    for precision, kind in (("auto", torch.float32), ("float32", torch.float32), ("bfloat16", torch.bfloat16)):
        with autocast(cpu, precision):
            assert layer(images).dtype == kind
        assert memory_format(cpu, precision) == torch.channels_last


def test_memory_format_on_a_gpu_goes_by_its_precision() -> None:
    gpu = torch.device("cuda", 0)
    assert memory_format(gpu, "float32") == torch.contiguous_format
    assert memory_format(gpu, "bfloat16") == torch.channels_last


def test_the_ends_of_memory_are_told_from_other_errors() -> None:
    assert ran_out_of_memory(torch.OutOfMemoryError("CUDA out of memory"))
    assert ran_out_of_memory(RuntimeError("[enforce fail] DefaultCPUAllocator: can't allocate memory"))
    assert not ran_out_of_memory(RuntimeError("shapes cannot be multiplied"))
