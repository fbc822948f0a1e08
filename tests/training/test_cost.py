"""The cost model against torch's own count of a model's arithmetic."""

import os

os.environ.setdefault("TRITON_INTERPRET", "1")  # the flop counter imports Triton, before test_gpu_step.py

import pytest
import torch
from torch.utils.flop_counter import FlopCounterMode

from codec_cliff.models.dac import build_discriminator, build_generator
from codec_cliff.study.load import load_study
from codec_cliff.training.cost import (
    cost_records,
    discriminator_flops,
    generator_flops,
    measured_rate,
    projected_seconds,
    projection,
    step_flops,
)


def counted(module: torch.nn.Module, *inputs: torch.Tensor) -> int:
    with FlopCounterMode(display=False) as counter:
        module(*inputs)
    return counter.get_total_flops()


@pytest.mark.parametrize("codec", ["50hz", "6.25hz-fixed-duration", "1.6hz-fixed-tokens"])
def test_arithmetic_is_what_torch_counts(paper_config, codec):
    run = load_study(paper_config).runs[codec]
    with torch.device("meta"):
        generator, discriminator = build_generator(run), build_discriminator(run)
        audio = torch.zeros(1, 1, run.clip_samples)
        assert generator_flops(run) == pytest.approx(counted(generator, audio, run.sample_rate), rel=0.01)
        assert discriminator_flops(run) == pytest.approx(counted(discriminator, audio), rel=0.01)


def test_a_measured_rate_projects_its_own_run(paper_config):
    runs = load_study(paper_config).runs
    record = {"device": "a GPU", "seconds": 5000.0, "gpu_hours": 1.4, "audio_seconds": 100.0}
    record |= {"peak_memory_bytes": 1, "padded_share": 0.1, "gpus": 1}
    rate = measured_rate(runs["50hz"], record)
    assert projected_seconds(runs["50hz"], rate) == pytest.approx(5000)
    rows = projection(runs.values(), cost_records([(runs["50hz"], record)]))
    by_codec = {row["codec"]: row for row in rows}
    assert by_codec["50hz"]["gpu_hours"] == pytest.approx(5000 / 3600)
    assert by_codec["1.6hz-fixed-tokens"]["audio_seconds"] / by_codec["50hz"]["audio_seconds"] == pytest.approx(31.25)


def test_without_discriminators_a_step_is_three_passes(paper_config):
    paper_config["discriminator"]["enabled"] = False
    run = load_study(paper_config).runs["50hz"]
    assert step_flops(run) == 72 * 3 * generator_flops(run)
