"""A step by the GPU's ways, on a CPU with Triton's interpreter, against torch's own ways: losses, gradients and weights."""

import os

os.environ.setdefault("TRITON_INTERPRET", "1")  # before Triton is imported anywhere

import copy
import sys
from dataclasses import replace

import pytest
import torch

from codec_cliff.models.gpu.switches import NONE, Ways, chosen
from codec_cliff.study.load import load_study
from codec_cliff.training.graph import Stepper
from codec_cliff.training.loop import prepare_gpu
from codec_cliff.training.step import MicroBatch, build_networks
from tests.conftest import tiny_config


def run_of(periods: list[int], sizes: list[int], **training: object):
    config = tiny_config()
    config["discriminator"] = {"enabled": True, "periods": periods, "fft_sizes": sizes}
    config["training"] |= {"learning_rate": 1e-4, **training}
    run = load_study(config).runs["50hz"]
    return replace(run, clip_samples=1601, batch_clips=2)


def uncaptured(work):
    """A record on a CPU: its replay is the work itself."""
    return work


@pytest.mark.parametrize(("clips", "adversarial"), [(2, True), (1, True), (1, False)])
def test_ten_recorded_steps_are_ten_eager_ones(clips, adversarial):
    """By the path that is captured on a GPU, batch and learning rates changing from step to step."""
    run = run_of([], [256])
    run = replace(run, batch_clips=2, clip_samples=1280, discriminator=replace(run.discriminator, enabled=adversarial))
    results = []
    for reason in (None, "not asked for"):
        torch.manual_seed(0)
        networks = build_networks(run, "cpu")
        stepper = Stepper(networks, run, "cpu", MicroBatch(clips), reason, make_recorder=lambda: uncaptured)
        losses, codes = [], []
        for number in range(10):
            audio = torch.randn(2, 1, 1280, generator=torch.Generator().manual_seed(number)) * 0.1
            outcome = stepper(audio, torch.tensor([1, 2]).roll(number))
            losses.append({**outcome.losses, **{f"norm {name}": norm for name, norm in outcome.norms.items()}})
            codes.append(outcome.codes)
        assert stepper.captured == (reason is None)
        weights = [value for value in networks.parts.values() if isinstance(value, torch.nn.Module)]
        results.append((losses, codes, [parameter for module in weights for parameter in module.parameters()]))
    (recorded, codes, weights), (eager, expected_codes, expected) = results
    for ours, theirs in zip(recorded, eager, strict=True):
        assert ours.keys() == theirs.keys()
        assert all(torch.equal(ours[name], theirs[name]) for name in theirs)
    assert all(torch.equal(*pair) for pair in zip(codes, expected_codes, strict=True))
    assert all(torch.equal(*pair) for pair in zip(weights, expected, strict=True))


def test_what_cannot_be_recorded_goes_on_without_and_says_why(caplog):
    run = run_of([], [512])
    run = replace(run, clip_samples=1280, discriminator=replace(run.discriminator, enabled=False))

    def refusing(work):
        work()
        raise RuntimeError("operation not permitted when stream is capturing")

    torch.manual_seed(0)
    stepper = Stepper(build_networks(run, "cpu"), run, "cpu", MicroBatch(2), make_recorder=lambda: refusing)
    for _ in range(5):
        stepper(torch.randn(2, 1, 1280), torch.full((2,), 2))
    assert not stepper.captured
    assert "not permitted" in stepper.reason
    assert "cannot be captured" in caplog.text


def test_parts_of_unequal_size_are_not_recorded():
    run = replace(run_of([], [512]), clip_samples=1280, batch_clips=3)
    run = replace(run, discriminator=replace(run.discriminator, enabled=False))
    stepper = Stepper(build_networks(run, "cpu"), run, "cpu", MicroBatch(2), make_recorder=lambda: uncaptured)
    for _ in range(4):
        stepper(torch.randn(3, 1, 1280), torch.full((3,), 2))
    assert "3 clips in parts of 2" in stepper.reason


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


def test_the_launching_thread_gets_pythons_lock_in_time():
    """Beside a thread that holds the lock, an operation waits for one switch interval: a launch must not wait for Python's 5 ms."""
    before = sys.getswitchinterval()
    try:
        prepare_gpu(run_of([], [512]), "cuda:0")
        assert sys.getswitchinterval() <= 1e-4
    finally:
        sys.setswitchinterval(before)
