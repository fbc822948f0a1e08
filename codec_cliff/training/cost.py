"""What a training costs: the arithmetic of a step from the architecture, and seconds from a device's measured rate. Needs no torch."""

import math
import statistics
from collections.abc import Iterable, Mapping
from typing import Any

from codec_cliff.study.config import Run

# ours: multiplications and additions a second that a training keeps up where none has been measured: a guess, for queue limits.
ASSUMED_RATE = {"cuda": 1e13, "cpu": 5e10}
# In passes of one batch: the discriminators see real and decoded clips twice, and go back through both once with, once without
# gradients of their weights; a gradient costs as much as the pass.
GENERATOR_PASSES, DISCRIMINATOR_PASSES = 3, 9


def convolution(inputs: int, outputs: int, taps: int, positions: int) -> int:
    return 2 * inputs * outputs * taps * positions


def generator_flops(run: Run) -> int:
    """Multiplications and additions of the generator's pass over one clip, matrix products and convolutions alone."""
    tokens = run.tokens_per_clip
    length, width, model = tokens * run.hop_length, run.model.encoder_dim, run.model
    total = convolution(1, width, 7, length)
    for stride in run.strides:
        total += _residual_units(width, length)
        length //= stride
        total += convolution(width, 2 * width, 2 * stride, length)
        width *= 2
    total += convolution(width, width, 3, tokens)
    level = 2 * convolution(width, model.codebook_dim, 1, tokens)
    total += model.n_codebooks * (level + convolution(model.codebook_dim, model.codebook_size, 1, tokens))
    channels = model.decoder_dim
    total += convolution(width, channels, 7, tokens)
    for stride in reversed(run.strides):
        total += convolution(channels, channels // 2, 2 * stride, length)
        length, channels = length * stride, channels // 2
        total += _residual_units(channels, length)
    return total + convolution(channels, 1, 7, length)


def _residual_units(channels: int, length: int) -> int:
    return 3 * (convolution(channels, channels, 7, length) + convolution(channels, channels, 1, length))


def discriminator_flops(run: Run) -> int:
    """The same of the discriminators' pass over one clip (layers of dac.model.discriminator)."""
    if not run.discriminator.enabled:
        return 0
    periods = sum(_period_flops(run.clip_samples, period) for period in run.discriminator.periods)
    return periods + sum(_spectrum_flops(run, size) for size in run.discriminator.fft_sizes)


def _period_flops(samples: int, period: int) -> int:
    length, inputs, total = samples // period + 1, 1, 0
    for outputs, stride in ((32, 3), (128, 3), (512, 3), (1024, 3), (1024, 1)):
        length = math.ceil(length / stride)
        total += convolution(inputs, outputs, 5, length * period)
        inputs = outputs
    return total + convolution(inputs, 1, 3, length * period)


def _spectrum_flops(run: Run, size: int) -> int:
    frames, bins, total, scored = math.ceil(run.clip_samples / (size // 4)), size // 2 + 1, 0, 0
    for low, high in run.discriminator.bands:
        width = int(high * bins) - int(low * bins)
        total += convolution(2, 32, 27, frames * width)
        for _ in range(3):
            width = math.ceil(width / 2)
            total += convolution(32, 32, 27, frames * width)
        total += convolution(32, 32, 9, frames * width)
        scored += width
    return total + convolution(32, 1, 9, frames * scored)


def step_flops(run: Run) -> int:
    """Multiplications and additions of one optimisation step over the whole batch."""
    clip = GENERATOR_PASSES * generator_flops(run) + DISCRIMINATOR_PASSES * discriminator_flops(run)
    return run.batch_clips * clip


def projected_seconds(run: Run, flops_per_second: float = ASSUMED_RATE["cuda"]) -> float:
    """How long a whole training takes at a rate that each of its GPUs keeps up."""
    return run.training.steps * step_flops(run) / flops_per_second / run.gpus


def measured_rate(run: Run, record: Mapping[str, Any]) -> float:
    """Multiplications and additions a second of a finished training, on each of its GPUs, from its run.json."""
    return run.training.steps * step_flops(run) / record["seconds"] / max(1, record.get("gpus", 1))


def cost_records(runs: Iterable[tuple[Run, Mapping[str, Any]]]) -> list[dict[str, Any]]:
    """A row a finished training: what it cost, what it heard, and how fast it was."""
    return [
        {
            "codec": run.codec,
            "device": record["device"],
            "seconds": record["seconds"],
            "gpu_hours": record["gpu_hours"],
            "audio_seconds": record["audio_seconds"],
            "audio_seconds_per_second": record["audio_seconds"] / record["seconds"],
            "peak_memory_bytes": record["peak_memory_bytes"],
            "tokens_per_clip": run.tokens_per_clip,
            "padded_share": record.get("padded_share"),
            "short_clips": record.get("short_clips"),
            "flops_per_second": measured_rate(run, record),
        }
        for run, record in runs
    ]


def projection(paper_runs: Iterable[Run], records: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The paper's trainings at the median rate of the measured ones: seconds, hours and audio-seconds of each."""
    rate = statistics.median(record["flops_per_second"] for record in records)
    device = ", ".join(dict.fromkeys(record["device"] for record in records))
    return [
        {
            "codec": run.codec,
            "device": device,
            "step_flops": step_flops(run),
            "audio_seconds": run.training.steps * run.batch_clips * run.clip_seconds,
            "seconds": projected_seconds(run, rate),
            "gpu_hours": projected_seconds(run, rate) * run.gpus / 3600,
        }
        for run in paper_runs
    ]
