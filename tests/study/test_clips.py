"""Clips that are refused as too short are those that the losses cannot run on, and no others."""

import re
from dataclasses import replace

import pytest
import torch

from codec_cliff.errors import CodecError, ConfigError
from codec_cliff.models.coverage import discriminator_taps
from codec_cliff.study.load import load_study
from codec_cliff.study.trainable import LONGEST_WINDOW
from codec_cliff.training.losses import WINDOW_LENGTHS, MultiScaleMelLoss
from tests.conftest import tiny_config

RUN = load_study(tiny_config()).runs["50hz"]
ENABLED = {"periods": [2, 3], "fft_sizes": [512]}


def runs(n_samples: int, discriminator: dict) -> bool:
    """Whether the losses themselves take a clip of so many samples."""
    clip = torch.zeros(1, 1, n_samples)
    parts = {key: tuple(value) for key, value in discriminator.items() if key != "enabled"}
    run = replace(RUN, clip_samples=n_samples, discriminator=replace(RUN.discriminator, **parts))
    try:
        MultiScaleMelLoss(RUN.sample_rate)(clip, clip)
        if discriminator["enabled"]:
            discriminator_taps(run)
    except (RuntimeError, CodecError):
        return False
    return True


def config_of(n_samples: int, discriminator: dict) -> dict:
    config = tiny_config()
    config["protocols"]["fixed-duration"]["clip_seconds"] = n_samples / 16000
    config["discriminator"] = discriminator
    return config


@pytest.mark.parametrize(
    ("discriminator", "lengths"),
    [
        ({"enabled": False}, (1023, 1024, 1025, 1026)),
        ({"enabled": True, **ENABLED}, (1024, 1025)),
        ({"enabled": True, **ENABLED, "fft_sizes": [2048]}, (1025, 1152, 1153, 1535, 1536, 1537)),
        ({"enabled": True, **ENABLED, "fft_sizes": [4096, 20]}, (1792, 1793, 2048, 2049, 2304, 2305)),
        ({"enabled": True, "periods": [3000], "fft_sizes": []}, (1500, 1501, 2999, 3000, 3001)),
    ],
)
def test_what_is_refused_is_what_the_losses_cannot_run_on(discriminator, lengths):
    taken = {n_samples: runs(n_samples, discriminator) for n_samples in lengths}
    assert set(taken.values()) == {True, False}
    for n_samples, runs_on_it in taken.items():
        if runs_on_it:
            load_study(config_of(n_samples, discriminator))
        else:
            with pytest.raises(ConfigError, match=r"protocols.fixed-duration: .* too few for the reflect padding"):
                load_study(config_of(n_samples, discriminator))


@pytest.mark.parametrize("seconds", [1e-6, 0.03, 0.064])
def test_seconds_of_the_remedy_are_enough(seconds):
    config = tiny_config()
    for protocol in ({"batch_clips": 2}, {"batch_seconds": 0.76}):
        config["protocols"]["fixed-duration"] = {"clip_seconds": seconds, **protocol}
        with pytest.raises(ConfigError) as error:
            load_study(config)
        remedy = float(re.search(r"lengthen them to (\S+) s$", str(error.value))[1])
        config["protocols"]["fixed-duration"]["clip_seconds"] = remedy
        assert load_study(config).runs["6.25hz-fixed-duration"].clip_samples == max(WINDOW_LENGTHS) // 2 + 1


def test_clip_lengths_of_the_arms_and_of_protocols_are_named():
    config = tiny_config()
    config["probes"] = {"arms": [{"frame_rate": 50, "tokens": [4, 3], "seeds": [0]}]}
    with pytest.raises(ConfigError, match=r"probes.arms: 50hz-3-tokens has clips of 960 samples, .* to 4 tokens"):
        load_study(config)
    config["probes"] = {}
    config["protocols"]["three"] = {"clip_tokens": 3, "batch_clips": 2}
    load_study(config)  # which no run asks for at a high rate
    config["controls"] = {"three": [6.25, 100]}
    with pytest.raises(ConfigError, match=r"protocols.three: 100hz-three has clips of 480 samples, .* to 7 tokens"):
        load_study(config)


def test_the_longest_window_is_that_of_the_mel_loss():
    assert max(WINDOW_LENGTHS) == LONGEST_WINDOW
