"""Delay, level and rate of a pair of waveforms."""

import numpy as np
import pytest

from codec_cliff.metrics.waveform import (
    aligned,
    correlation_peak,
    fit,
    lag,
    level_difference_db,
    match_level,
    resample,
    rms,
)

RATE = 16000


@pytest.fixture
def noise() -> np.ndarray:
    return np.random.default_rng(0).normal(scale=0.1, size=2 * RATE).astype(np.float32)


def late_by(audio: np.ndarray, samples: int) -> np.ndarray:
    return fit(np.concatenate([np.zeros(samples, np.float32), audio]), len(audio)) if samples >= 0 else audio[-samples:]


@pytest.mark.parametrize("samples", [0, 1, 320, 1600, -1, -320, -1600])
def test_lag_finds_the_shift_and_aligned_removes_it(noise, samples):
    degraded = fit(late_by(noise, samples), len(noise))
    assert lag(noise, degraded, RATE) == samples
    reference, recovered = aligned(noise, degraded, samples)
    assert len(reference) == len(noise) - abs(samples)
    np.testing.assert_array_equal(reference, recovered)


def test_lag_sees_through_polarity_and_level(noise):
    assert lag(noise, -0.3 * late_by(noise, 320), RATE) == 320


def test_lag_of_unrelated_signals_or_silence_is_zero(noise):
    other = np.random.default_rng(1).normal(size=len(noise)).astype(np.float32)
    assert lag(noise, other, RATE) == 0
    assert lag(noise, np.zeros_like(noise), RATE) == 0


def test_lag_of_a_signal_that_kept_time_but_not_phase_is_zero():
    """Syllables of a buzz at 120 Hz; the degraded one has every harmonic's phase turned at random."""
    rng, time = np.random.default_rng(0), np.arange(3 * RATE) / RATE
    syllables = np.sin(2 * np.pi * 1.7 * time) ** 2 * (1 + np.sin(2 * np.pi * 0.9 * time))
    phases = rng.uniform(0, 2 * np.pi, size=(2, 20))
    voices = [sum(np.sin(2 * np.pi * 120 * k * time + phase[k - 1]) / k for k in range(1, 21)) for phase in phases]
    reference, degraded = (syllables * voice for voice in voices)
    assert correlation_peak(reference, degraded, 1600)[0] != 0
    assert lag(reference, degraded, RATE) == 0
    assert lag(reference, late_by(degraded, 800), RATE) == pytest.approx(800, abs=RATE / 120)


def test_lag_of_a_clip_shorter_than_the_search_range(noise):
    assert lag(noise[:1200], late_by(noise[:1200], 16), RATE) == 16
    assert lag(noise[:400], late_by(noise[:400], 16), RATE) == 0  # too short to tell


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
