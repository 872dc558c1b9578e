"""One training by several processes: each takes its share of every batch, and all come to the same weights."""

from __future__ import annotations

import gc
from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import replace
from datetime import timedelta
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import psutil
import torch
from torch import Tensor, nn
from torch import distributed as dist
from torch.nn import functional as F  # noqa: N812 - its customary name
from torch.nn.modules.batchnorm import _BatchNorm
from torch.nn.parallel import DistributedDataParallel

from microtome.training.device import ran_out_of_memory
from microtome.training.hooks import Hooks
from microtome.training.importance import Drawn

if TYPE_CHECKING:
    from microtome.training.criterion import CrossEntropy
    from microtome.training.squares import SquaredError

_PATIENCE = timedelta(hours=12)  # a process that is dead is found by its parent, not by waiting for it
_WORD = 32  # bytes of an order at most

Forward = Callable[[nn.Module, Tensor], Tensor]


class BeginAgainError(Exception):
    """All processes of a training must begin again from its checkpoint: one has changed how they go on."""


class Crew:
    """The processes of one training, as one of them sees them: it is number `rank` of `size`; number 0 leads.

    Every process draws and augments the whole batch with the same random numbers, as a single one would, and learns from its
    own share of it, shares differing by one image at most. Gradients are the whole batch's, batch normalisation looks at the
    whole batch, and what comes of a batch is known to all: the processes take the same steps and hold the same weights. Only
    dropout draws other numbers than in a single process: a stream of its own for each process and step.
    """

    def __init__(self, rank: int, size: int, *, device: torch.device, meeting: Path) -> None:
        """Meet the other processes through the file `meeting`, which must not be there yet; waits for all of them."""
        self.rank, self.size, self._device = rank, size, device
        if device.type == "cuda":
            torch.cuda.set_device(device)
        else:
            _stay_within()
        backend = "nccl" if device.type == "cuda" else "gloo"
        dist.init_process_group(backend, init_method=meeting.as_uri(), rank=rank, world_size=size, timeout=_PATIENCE)
        # Orders go from processor to processor, and so never wait for a GPU.
        self._orders = dist.new_group(backend="gloo", timeout=_PATIENCE) if device.type == "cuda" else None
        self._network: nn.Module | None = None
        self._wrapped: DistributedDataParallel | None = None
        self._learning: frozenset[str] = frozenset()
        self._due = False

    @property
    def leads(self) -> bool:
        """Whether this process is the one that keeps files and tells."""
        return self.rank == 0

    def adopt(self, network: nn.Module) -> nn.Module:
        """The network, on its device, with batch normalisation over all processes' shares; the parameters stay the same."""
        if self._device.type == "cuda":
            network = nn.SyncBatchNorm.convert_sync_batchnorm(network)  # type: ignore[no-untyped-call]
        else:
            for layer in network.modules():
                if isinstance(layer, _BatchNorm):
                    layer.__class__ = _SharedBatchNorm  # torch's own is for GPUs only
        self._network = network
        return network

    def hooks(self, hooks: Hooks) -> Hooks:
        """The loop's hooks in this process: the leader's orders reach all, and it alone keeps and tells."""

        def should_stop() -> str:
            order, due = (hooks.should_stop(), hooks.part_is_due()) if self.leads else ("", False)
            order, self._due = self._told(order, due)
            return order

        def begins(epoch: int) -> None:
            hooks.epoch_begins(epoch)
            self._wrap()

        shared = replace(hooks, should_stop=should_stop, part_is_due=lambda: self._due, epoch_begins=begins)
        if self.leads:
            return shared
        return replace(
            shared,
            batch_done=lambda epoch, done, total: None,
            epoch_done=lambda ended: None,
            keep_part=lambda part: None,
            first_batch=lambda epoch, images, targets: None,
        )

    def learn(
        self, drawn: Drawn, criterion: CrossEntropy | SquaredError, forward: Forward, *, at_once: int, seed: int, step: int
    ) -> tuple[Tensor, Tensor]:
        """Leave the gradients of a whole batch in the network; returns the batch's answers (n, k) and its mean loss.

        `forward(network, images)` answers; a process has at most `at_once` images in work at once (0: its whole share).
        """
        assert self._wrapped is not None, "an epoch has begun"
        # A function of the step: a resumed training draws what an uninterrupted one does, and no state needs to be kept.
        own, count = np.random.SeedSequence([seed, step, self.rank]).generate_state(1, np.uint64), len(drawn.images)
        torch.manual_seed(int(own[0]) >> 1)
        mine, total = drawn.part(self._mine(count)), criterion.total(drawn)
        parts = self._parts(len(mine.images), self._most(count), at_once)
        answers, losses = [], []
        for number, some in enumerate(parts, start=1):
            with nullcontext() if number == len(parts) else self._wrapped.no_sync():
                answer = forward(self._wrapped, mine.images[some])
                share = criterion.share(answer, mine.part(some), total)
                # Gradients are averaged over the processes: the mean of size × share is the sum of the shares.
                (share * self.size).backward()  # type: ignore[no-untyped-call]
            answers.append(answer.detach())
            losses.append(share.detach())
        loss = torch.stack(losses).sum()
        dist.all_reduce(loss)
        return self._whole(torch.cat(answers), count), loss

    def divided(self, network: nn.Module) -> nn.Module:
        """A network in use, not in training, whose batches the processes divide among them; each gets all answers."""
        return _Divided(network, self)

    def answers(self, network: nn.Module, images: Tensor, at_once: int) -> Tensor:
        """What a network in use answers to images (n, c, h, w), of which this process asks it its share only."""
        mine = images[self._mine(len(images))]
        # With fewer images than processes some have no share, but must know the shape of an answer.
        some = mine if len(mine) else images[:1]
        found = torch.cat([network(part) for part in torch.split(some, at_once)]).float()
        return self._whole(found[: len(mine)], len(images))

    def _mine(self, count: int) -> slice:
        return slice(count * self.rank // self.size, count * (self.rank + 1) // self.size)

    def _most(self, count: int) -> int:
        return -(-count // self.size)

    @staticmethod
    def _parts(count: int, most: int, at_once: int) -> tuple[slice, ...]:
        # As many in every process, whose shares differ by one: batch normalisation waits for all of them.
        parts = -(-most // (at_once or most))
        return tuple(slice(begin, end) for begin, end in pairwise(count * part // parts for part in range(parts + 1)))

    def _whole(self, own: Tensor, count: int) -> Tensor:
        """All processes' shares (n, k) of `count` rows in their order."""
        most = self._most(count)
        padded = own.new_zeros((most, *own.shape[1:]))
        padded[: len(own)] = own
        found = [torch.empty_like(padded) for _ in range(self.size)]
        dist.all_gather(found, padded)
        ends = [count * rank // self.size for rank in range(self.size + 1)]
        return torch.cat([rows[: end - begin] for rows, (begin, end) in zip(found, pairwise(ends), strict=True)])

    def _wrap(self) -> None:
        """Let torch follow the weights that learn now: it must be told anew where others are freed."""
        assert self._network is not None, "a network was adopted"
        learning = frozenset(name for name, weight in self._network.named_parameters() if weight.requires_grad)
        if learning == self._learning:
            return
        self._wrapped, self._learning = None, learning
        gc.collect()  # the one before lets go of the weights only when it is gone
        self._wrapped = DistributedDataParallel(
            self._network,
            device_ids=[self._device] if self._device.type == "cuda" else None,
            forward_sync_buffers=False,  # they are the same everywhere
            # Also because torch then keeps the order in which it adds up: a resumed training rounds as if uninterrupted.
            find_unused_parameters=True,
            gradient_as_bucket_view=True,
        )

    def _told(self, order: str, due: bool) -> tuple[str, bool]:
        """What the leader says, in every process."""
        said = torch.zeros(1 + _WORD, dtype=torch.uint8)
        word = order.encode()[:_WORD]
        said[0] = due
        said[1 : 1 + len(word)] = torch.frombuffer(bytearray(word), dtype=torch.uint8) if word else 0
        dist.broadcast(said, src=0, group=self._orders)
        heard = bytes(said.tolist())
        return heard[1:].rstrip(b"\0").decode(), bool(heard[0])


class _Divided(nn.Module):
    """See Crew.divided. Where memory runs out, a process goes on with half as many images at once; no other need know."""

    def __init__(self, network: nn.Module, crew: Crew) -> None:
        super().__init__()
        self.network = network
        self._crew = crew
        self._at_once = 2**30

    def forward(self, images: Tensor) -> Tensor:
        """Answers (n, k), in float32."""
        while True:
            try:
                return self._crew.answers(self.network, images, self._at_once)
            except RuntimeError as error:
                if not ran_out_of_memory(error) or self._at_once == 1:
                    raise
            self._at_once = max(1, min(self._at_once, len(images)) // 2)


def _sum(values: Tensor) -> Tensor:
    total: Tensor = _Sum.apply(values)  # type: ignore[no-untyped-call]
    return total


class _Sum(torch.autograd.Function):
    """The sum over all processes of a tensor that each has; its gradient is summed over them, too."""

    @staticmethod
    def forward(ctx: Any, values: Tensor) -> Tensor:
        total = values.clone()
        dist.all_reduce(total)
        return total

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> Tensor:
        total = gradients[0].clone()
        dist.all_reduce(total)
        return total


class _SharedBatchNorm(_BatchNorm):
    """Batch normalisation (Ioffe & Szegedy, arXiv:1502.03167) by mean and variance of all processes' images together."""

    def forward(self, images: Tensor) -> Tensor:
        """Images (n, c, …) normalised; where the layer is not in training, by the statistics so far, as torch does it."""
        if not self.training and self.running_mean is not None:
            kept = (self.running_mean, self.running_var, self.weight, self.bias)
            return F.batch_norm(images, *kept, training=False, eps=self.eps)
        axes, shape = [0, *range(2, images.ndim)], (1, -1, *[1] * (images.ndim - 2))
        wide = images.float()
        each = wide.new_tensor([wide.numel() / wide.shape[1]])
        sums = _sum(torch.cat((wide.sum(axes), each)))
        mean, count = sums[:-1] / sums[-1], sums[-1].detach()
        centred = wide - mean.view(shape)
        variance = _sum(centred.square().sum(axes)) / count
        if self.training:
            self._follow(mean.detach(), variance.detach() * count / (count - 1))
        found: Tensor = centred * torch.rsqrt(variance + self.eps).view(shape)
        if self.weight is not None:
            found = found * self.weight.view(shape) + self.bias.view(shape)
        return found.to(images.dtype)

    def _follow(self, mean: Tensor, variance: Tensor) -> None:
        if self.running_mean is None or self.running_var is None or self.num_batches_tracked is None:
            return
        self.num_batches_tracked.add_(1)
        share = 1 / float(self.num_batches_tracked) if self.momentum is None else self.momentum
        self.running_mean.lerp_(mean, share)
        self.running_var.lerp_(variance, share)


def _stay_within() -> None:
    """Let the processes talk within this computer only, where torch can be told so."""
    import os
    import sys

    for name, addresses in psutil.net_if_addrs().items():
        if sys.platform != "win32" and any(address.address == "127.0.0.1" for address in addresses):
            os.environ.setdefault("GLOO_SOCKET_IFNAME", name)
            return
