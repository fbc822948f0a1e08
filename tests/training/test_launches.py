"""What a step asks of a GPU, counted on meta tensors at full width: operations that launch something, and Triton's kernels."""

import os

os.environ.setdefault("TRITON_INTERPRET", "1")  # before Triton is imported anywhere

from collections import Counter
from contextlib import nullcontext

import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode
from triton.runtime.interpreter import GridExecutor

from codec_cliff.models.gpu import layers
from codec_cliff.models.gpu.switches import NONE, Ways, chosen
from codec_cliff.study.load import load_study
from codec_cliff.training.step import build_networks, discriminator_gradients, generator_gradients

NO_KERNEL = {"empty", "empty_like", "new_empty", "empty_strided", "_unsafe_view", "detach", "alias"}


class Launches(TorchDispatchMode):
    """Counts operations but for views and new memory, which start nothing on a device."""

    def __init__(self) -> None:
        super().__init__()
        self.counts: Counter[str] = Counter()

    def __torch_dispatch__(self, function, types, args=(), kwargs=None):
        name = function.overloadpacket.__name__
        if not (function.is_view or name in NO_KERNEL):
            self.counts[name] += 1
        return function(*args, **(kwargs or {}))


@pytest.fixture
def on_meta(monkeypatch):
    """Meta tensors have no autocast, and a kernel of Triton nothing to compute on them."""
    monkeypatch.setattr(torch, "autocast", lambda *_, **__: nullcontext())
    monkeypatch.setattr(layers, "precision", lambda x: x.dtype)


def launches(config: dict, ways: Ways, monkeypatch) -> Counter[str]:
    """Of the gradients of a step of 72 clips of 0.38 s at 50 Hz, float32."""
    run = load_study(config).runs["50hz"]
    networks, mode = build_networks(run, "meta"), Launches()
    monkeypatch.setattr(
        GridExecutor, "__call__", lambda kernel, *_, **__: mode.counts.update([f"triton {kernel.fn.__name__}"])
    )
    audio = torch.zeros(run.batch_clips, 1, run.clip_samples, device="meta")
    levels = torch.full((run.batch_clips,), run.model.n_codebooks, device="meta")
    with chosen(ways), mode:
        _, output = discriminator_gradients(networks, run, audio, levels, run.batch_clips)
        generator_gradients(networks, run, audio, levels, output, run.batch_clips)
    return mode.counts


def test_what_our_ways_launch(on_meta, paper_config, monkeypatch):
    """Snake, weight norm, leaky ReLU and the distances of feature maps are one kernel a layer; in torch each is several."""
    theirs, ours = (launches(paper_config, ways, monkeypatch) for ways in (NONE, Ways()))
    assert not any(name.startswith("triton") for name in theirs)
    for name in ("sin_", "reciprocal", "leaky_relu", "leaky_relu_backward", "_weight_norm_interface"):
        assert theirs[name] > 0, name
        assert ours[name] == 0, name
    assert ours["triton _snake_forward"] == ours["triton _snake_backward"] == 58  # Snakes of DAC at 50 Hz
    assert ours["triton _norm_forward"] == theirs["_weight_norm_interface"]
    assert ours["triton _leaky_forward"] == theirs["leaky_relu"]
    assert ours.total() < theirs.total()
