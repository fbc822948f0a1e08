"""The delay of a reconstruction: found to the sample over more than a second, or not named at all."""

from pathlib import Path

import numpy as np
import pytest
import soundfile

from codec_cliff.corpus.manifest import Utterance
from codec_cliff.metrics.delay import delay, envelopes, waveform_delay
from codec_cliff.metrics.mcd import MelCepstralDistance
from codec_cliff.metrics.scorer import referenced
from codec_cliff.metrics.stoi import Pystoi
from codec_cliff.metrics.waveform import aligned, fit

SPEECH = Path(__file__).resolve().parents[2].parent / "shared/data/LibriSpeech"
RATE = 16000
SHIFTS = (0, 1, -1, 320, -320, 1920, -1920, 8000, 14400, -14400)


def late_by(audio: np.ndarray, samples: int) -> np.ndarray:
    return fit(np.concatenate([np.zeros(max(samples, 0), np.float32), audio[max(-samples, 0) :]]), len(audio))


def noisy(audio: np.ndarray, decibel: float) -> np.ndarray:
    noise = np.random.default_rng(0).normal(size=len(audio)) * np.sqrt(np.mean(audio**2))
    return (audio + noise * 10 ** (-decibel / 20)).astype(np.float32)


def syllables(seconds: int, seed: int = 0) -> np.ndarray:
    """A buzz at 120 Hz that swells and fades at random, every harmonic with a phase of the seed's."""
    rng, time = np.random.default_rng(1), np.arange(seconds * RATE) / RATE
    swell = (
        np.interp(time, np.arange(0, seconds + 1, 0.15), rng.uniform(0, 1, len(np.arange(0, seconds + 1, 0.15)))) ** 2
    )
    phases = np.random.default_rng(seed).uniform(0, 2 * np.pi, 20)
    return (swell * sum(np.sin(2 * np.pi * 120 * k * time + phases[k - 1]) / np.sqrt(k) for k in range(1, 21))).astype(
        np.float32
    )


@pytest.fixture(scope="module")
def speech() -> list[np.ndarray]:
    files = sorted(SPEECH.glob("test-clean/*/*/*.flac"))
    if not files:
        pytest.skip(f"no LibriSpeech test-clean in {SPEECH}")
    return [soundfile.read(file, dtype="float32")[0] for file in files[:6]]


@pytest.mark.parametrize("samples", SHIFTS)
def test_a_shift_is_found_to_the_sample(samples):
    audio = syllables(5)
    found = delay(audio, -0.3 * late_by(audio, samples), RATE)  # whatever its polarity and level
    assert found.samples == samples
    assert found.confidence > 0.3


@pytest.mark.parametrize("samples", SHIFTS)
def test_a_shift_of_noisy_speech_is_found_to_the_sample(speech, samples):
    for audio in speech:
        assert delay(audio, late_by(noisy(audio, 10), samples), RATE).samples == samples
        assert delay(audio, late_by(noisy(audio, 0), samples), RATE).samples in (None, pytest.approx(samples, abs=32))


def test_a_lead_of_silence_is_a_delay(speech):
    audio = speech[0]
    assert (
        delay(audio, np.concatenate([np.zeros(RATE // 2, np.float32), audio])[: len(audio)], RATE).samples == RATE // 2
    )


def test_beyond_reach_unrelated_or_silent_nothing_is_named(speech):
    for audio, other in zip(speech, speech[1:] + speech[:1], strict=True):
        unrelated = np.resize(other, len(audio))
        hiss = noisy(0 * audio, 0) + np.random.default_rng(0).normal(scale=0.1, size=len(audio)).astype(np.float32)
        for degraded in (unrelated, hiss, late_by(audio, 24000), np.zeros_like(audio)):
            assert delay(audio, degraded, RATE).samples is None


def test_a_signal_that_kept_time_but_not_phase_has_none():
    reference, degraded = syllables(5), syllables(5, seed=7)
    assert waveform_delay(reference, degraded, 320)[0] != 0
    assert delay(reference, degraded, RATE).samples == 0
    assert delay(reference, late_by(degraded, 800), RATE).samples == pytest.approx(800, abs=RATE * 0.005)


def test_short_clips():
    audio = syllables(2)
    assert delay(audio[:8000], late_by(audio[:8000], 16), RATE).samples == 16
    assert delay(audio[:6000], late_by(audio[:6000], 16), RATE).samples is None  # too short to tell


def test_known_envelopes_change_nothing():
    audio = syllables(5)
    assert delay(audio, late_by(audio, 99), RATE, envelopes(audio, RATE)) == delay(audio, late_by(audio, 99), RATE)


@pytest.mark.parametrize("samples", [320, -320])
def test_aligned_leaves_what_both_share(samples):
    audio = syllables(2)
    reference, recovered = aligned(audio, late_by(audio, samples), samples)
    assert len(reference) == len(audio) - abs(samples)
    np.testing.assert_array_equal(reference, recovered)


def test_where_the_delay_is_unknown_its_cells_are_empty_and_the_raw_ones_are_not(speech):
    audio = speech[0]
    for scorer, raw, matched in ((Pystoi, "stoi", "stoi_aligned"), (MelCepstralDistance, "mcd", "mcd_matched")):
        utterance = Utterance("u", "s", "u.flac", len(audio), RATE, "")
        scorer = scorer([], None, "cpu")
        row = scorer.score(utterance, referenced(scorer, utterance, audio), np.resize(speech[1], len(audio)))
        assert row[matched] is None
        assert row.get("lag_ms") is None
        assert row[raw] is not None
