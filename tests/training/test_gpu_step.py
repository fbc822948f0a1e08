"""A step by the GPU's ways, on a CPU with Triton's interpreter, against torch's own ways: losses, gradients and weights."""

import os

os.environ.setdefault("TRITON_INTERPRET", "1")  # before Triton is imported anywhere

import copy
from dataclasses import replace

import pytest
import torch

from codec_cliff.models.gpu.switches import NONE, Ways, chosen
from codec_cliff.study.load import load_study
from codec_cliff.training.graph import Stepper
from codec_cliff.training.step import MicroBatch, build_networks
from tests.conftest import tiny_config


def run_of(periods: list[int], sizes: list[int], **training: object):
    config = tiny_config()
    config["discriminator"] = {"enabled": True, "periods": periods, "fft_sizes": sizes}
    config["training"] |= {"learning_rate": 1e-4, **training}
    run = load_study(config).runs["50hz"]
    return replace(run, clip_samples=1601, batch_clips=2)


def stepped(run, ways: Ways, steps: int):
    """Losses of the last step, gradients of the first, weights after all."""
    torch.manual_seed(0)
    networks = build_networks(run, "cpu")
    stepper = Stepper(networks, run, "cpu", MicroBatch(run.batch_clips))
    gradients = {}
    with chosen(ways):
        for number in range(steps):
            audio = torch.randn(2, 1, run.clip_samples, generator=torch.Generator().manual_seed(number)) * 0.1
            outcome = stepper(audio, torch.full((2,), 2))
            if not number:
                for part in ("generator", "discriminator"):
                    named = networks.parts[part].named_parameters()
                    gradients |= {f"{part}.{name}": copy.deepcopy(value.grad) for name, value in named}
    weights = {
        f"{part}.{k}": v for part in ("generator", "discriminator") for k, v in networks.parts[part].named_parameters()
    }
    return outcome.losses, gradients, weights


@pytest.mark.parametrize(
    ("periods", "sizes", "ways"),
    [([], [512], Ways()), ([3], [], Ways(norm=False, leaky=False))],
    ids=["spectra", "periods"],
)
def test_a_step_by_the_gpus_ways_is_torchs(periods, sizes, ways):
    run = run_of(periods, sizes)
    ours, theirs = stepped(run, ways, 1), stepped(run, NONE, 1)
    for name, loss in theirs[0].items():
        torch.testing.assert_close(ours[0][name], loss, rtol=1e-4, atol=1e-5, msg=name)
    for name, gradient in theirs[1].items():
        if gradient is not None:
            scale = gradient.abs().max() + 1e-8
            torch.testing.assert_close(ours[1][name] / scale, gradient / scale, rtol=0, atol=2e-3, msg=name)
