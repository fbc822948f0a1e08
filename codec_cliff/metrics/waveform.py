"""What a metric must know about a pair of waveforms before it compares them: level, sample rate, what they share."""

import math

import numpy as np


def resample(audio: np.ndarray, rate: int, target_rate: int) -> np.ndarray:
    """Audio (n,) at `rate` to (ceil(n * target_rate / rate),) at `target_rate` Hz: scipy's polyphase filter, always."""
    if rate == target_rate:
        return audio
    from scipy.signal import resample_poly  # here: it takes 1.7 s to import, and most jobs never resample

    divisor = math.gcd(rate, target_rate)
    return resample_poly(audio, target_rate // divisor, rate // divisor).astype(np.float32)


def fit(audio: np.ndarray, n_samples: int) -> np.ndarray:
    """Trim or zero-pad audio on the right to (n_samples,)."""
    return np.pad(audio[:n_samples], (0, max(0, n_samples - len(audio))))


def rms(audio: np.ndarray) -> float:
    return float(np.sqrt(np.mean(np.square(audio, dtype=np.float64))))


def gain(audio: np.ndarray, reference: np.ndarray) -> float:
    """The factor that brings audio to the reference's RMS; 1 where audio is digital silence."""
    level = rms(audio)
    return rms(reference) / level if level else 1.0


def match_level(audio: np.ndarray, reference: np.ndarray) -> np.ndarray:
    """Scale audio to the reference's RMS; silence stays silence."""
    return (audio * gain(audio, reference)).astype(np.float32)


def level_difference_db(reference: np.ndarray, degraded: np.ndarray) -> float | None:
    """RMS level of degraded over reference in dB; None where one of them is digital silence."""
    levels = rms(reference), rms(degraded)
    return None if 0 in levels else 20 * math.log10(levels[1] / levels[0])


def frames(audio: np.ndarray, length: int, hop: int) -> np.ndarray:
    """Overlapping frames of audio (n,): a view (max(0, ceil((n - length) / hop)), length)."""
    if len(audio) <= length:
        return np.empty((0, length), audio.dtype)
    return np.lib.stride_tricks.sliding_window_view(audio, length)[: len(audio) - length : hop]


def aligned(reference: np.ndarray, degraded: np.ndarray, late: int) -> tuple[np.ndarray, np.ndarray]:
    """Both signals cut to what they share when `degraded` is `late` samples behind."""
    n_samples = len(reference) - abs(late)
    return reference[max(0, -late) :][:n_samples], degraded[max(0, late) :][:n_samples]
