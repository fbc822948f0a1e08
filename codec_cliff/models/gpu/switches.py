"""Which of the GPU's ways are taken: all where the tensors lie on one, none on a CPU; tests and benchmarks choose."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import cache
from importlib.util import find_spec

import torch


@dataclass(frozen=True)
class Ways:
    """What is done otherwise than torch does it."""

    snake: bool = True  # one kernel forward, one backward
    products: bool = True  # one channel in or out, and one tap, as matrix products
    last: bool = True  # channels last in memory, so that cuDNN converts nothing
    norm: bool = True  # weight norm in one kernel, in the convolution's precision and layout
    leaky: bool = True  # bias and leaky ReLU in one kernel
    bias: bool = True  # bias and Snake in one kernel
    dilated: bool = True  # dilated layers as images
    fill: bool = True  # fewer than eight channels filled up to eight
    distance: bool = True  # the distance of feature maps in one kernel
    spectra: bool = True  # frames and reflections whose gradients are sums in a fixed order

    @property
    def any(self) -> bool:
        return any(vars(self).values())


NONE = Ways(*[False] * 10)
LAUNCHED = replace(NONE, snake=True)  # without a graph, every launch counts
PLAIN = "CODEC_CLIFF_PLAIN_GPU"  # environment variable: set where a kernel of ours fails on somebody's card
_chosen: list[Ways | None] = [NONE if os.environ.get(PLAIN) else None]  # where set, on every device


def ways(x: torch.Tensor) -> Ways:
    """The ways for a tensor."""
    if _chosen[0] is not None:
        return _chosen[0]
    if not (x.is_cuda and has_triton()):
        return NONE
    return LAUNCHED if torch.distributed.is_initialized() else Ways()


@cache
def has_triton() -> bool:
    return find_spec("triton") is not None


@contextmanager
def chosen(taken: Ways | None = None, **changes: bool) -> Iterator[None]:
    """Take these ways whatever the device; without any, all but for `changes`."""
    before, _chosen[0] = _chosen[0], replace(taken or Ways(), **changes)
    try:
        yield
    finally:
        _chosen[0] = before
