"""What a trial step says of a GPU's memory, with the gauge of a GPU that is not there."""

import copy

import pytest
import torch

from codec_cliff.study.load import load_study
from codec_cliff.training.memory import choose_micro_batch, measured_bytes, modules
from codec_cliff.training.step import build_networks
from tests.conftest import tiny_config


@pytest.mark.parametrize("adversarial", [False, True])
def test_two_trial_steps_give_the_line(monkeypatch, adversarial):
    config = tiny_config()
    if adversarial:
        config["discriminator"] = {"enabled": True, "periods": [], "fft_sizes": [512]}
    run = load_study(config).runs["6.25hz-fixed-duration"]
    networks = build_networks(run, "cpu")
    before = copy.deepcopy(networks.generator.state_dict())
    peaks = iter([10_000, 14_000])  # of one clip, of two
    monkeypatch.setattr(torch.cuda, "memory_allocated", lambda device: 1000)
    monkeypatch.setattr(torch.cuda, "max_memory_allocated", lambda device: next(peaks))
    monkeypatch.setattr(torch.cuda, "reset_peak_memory_stats", lambda device: None)
    fixed, per_clip = measured_bytes(networks, run, "cpu")
    weights = sum(parameter.numel() for module in modules(networks) for parameter in module.parameters())
    assert per_clip == 4000
    assert fixed == 10_000 - 4000 + 8 * weights  # AdamW's moments are not there yet
    assert all(torch.equal(value, before[name]) for name, value in networks.generator.state_dict().items())
    assert all(parameter.grad is None for module in modules(networks) for parameter in module.parameters())


def test_parts_are_of_equal_size(tiny_run, monkeypatch):
    monkeypatch.setattr("codec_cliff.training.memory.free_bytes", lambda device: 1000)
    assert choose_micro_batch(tiny_run, "cpu", 72, (50, 100)) == 8  # 8 fit: nine parts of eight
    assert choose_micro_batch(tiny_run, "cpu", 10, (50, 100)) == 5
    assert choose_micro_batch(tiny_run, "cpu", 4, (50, 10)) == 4
