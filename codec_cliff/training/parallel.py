"""Several processes, one training: torch's distributed data parallelism, one GPU a process, as torchrun starts them.

Every process draws the whole batch's plan and trains its own rows of it; gradients are averaged, so all hold the same weights. Only the
first one writes.
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import torch
import torch.distributed as dist
from torch import nn
from torch.nn.parallel import DistributedDataParallel


@dataclass(frozen=True)
class Team:
    """This process' place among those that train together; alone by default."""

    rank: int = 0
    size: int = 1

    @property
    def writes(self) -> bool:
        """Whether this process writes files and log lines."""
        return self.rank == 0

    def rows(self, batch_clips: int) -> slice:
        """This process' rows of a batch."""
        share = batch_clips // self.size
        return slice(self.rank * share, (self.rank + 1) * share)

    def wrap(self, module: nn.Module) -> nn.Module:
        """A module whose gradients are averaged over the team."""
        return DistributedDataParallel(module, broadcast_buffers=False) if self.size > 1 else module

    def any(self, *flags: bool) -> list[bool]:
        """Each flag, if any process has it set: what one decides, all do."""
        if self.size == 1:
            return list(flags)
        tensor = torch.tensor(flags, dtype=torch.uint8)
        dist.all_reduce(tensor, dist.ReduceOp.MAX, group=_host_group())
        return [bool(flag) for flag in tensor]

    def mean(self, tensor: torch.Tensor) -> torch.Tensor:
        return self._reduced(tensor, dist.ReduceOp.SUM) / self.size

    def largest(self, tensor: torch.Tensor) -> torch.Tensor:
        return self._reduced(tensor, dist.ReduceOp.MAX)

    def _reduced(self, tensor: torch.Tensor, operation: dist.ReduceOp.RedOpType) -> torch.Tensor:
        if self.size > 1:
            tensor = tensor.clone()
            dist.all_reduce(tensor, operation)
        return tensor


_HOST: list[dist.ProcessGroup] = []


def _host_group() -> dist.ProcessGroup:
    """A group for flags, which must not wait for a GPU."""
    if not _HOST:
        _HOST.append(dist.new_group(backend="gloo"))
    return _HOST[0]


@contextmanager
def team(device: str) -> Iterator[tuple[Team, str]]:
    """The team that torchrun started, and this process' device; alone and unchanged without it."""
    if int(os.environ.get("WORLD_SIZE", "1")) == 1:
        yield Team(), device
        return
    on_gpu = device.startswith("cuda")
    if on_gpu:
        device = f"cuda:{os.environ['LOCAL_RANK']}"
        torch.cuda.set_device(device)
    dist.init_process_group("nccl" if on_gpu else "gloo")
    try:
        yield Team(dist.get_rank(), dist.get_world_size()), device
    finally:
        _HOST.clear()
        dist.destroy_process_group()
