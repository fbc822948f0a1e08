"""Level and rate of a pair of waveforms."""

import numpy as np
import pytest

from codec_cliff.metrics.waveform import fit, level_difference_db, match_level, resample, rms

RATE = 16000


@pytest.fixture
def noise() -> np.ndarray:
    return np.random.default_rng(0).normal(scale=0.1, size=2 * RATE).astype(np.float32)


def test_match_level(noise):
    assert rms(match_level(0.1 * noise, noise)) == pytest.approx(rms(noise), rel=1e-6)
    assert not match_level(np.zeros_like(noise), noise).any()


def test_level_difference(noise):
    assert level_difference_db(noise, noise / 2) == pytest.approx(-6.0206, abs=1e-3)
    assert level_difference_db(noise, np.zeros_like(noise)) is None


def test_resampling_there_and_back_keeps_speech_band_and_duration():
    tone = np.sin(2 * np.pi * 440 * np.arange(RATE + 1) / RATE).astype(np.float32)
    there = resample(tone, RATE, 24000)
    assert len(there) == 24002  # ceil(16001 * 24000 / 16000)
    back = fit(resample(there, 24000, RATE), len(tone))
    assert np.abs(back - tone)[200:-200].max() < 3e-3  # the ripple of scipy's default filter
    assert resample(tone, RATE, RATE) is tone
