"""What a metric must know about a pair of waveforms before it compares them: delay, level, sample rate."""

import math

import numpy as np

MAX_LAG_SECONDS = 0.1
# ours, not calibrated: a peak below this says nothing about delay, unrelated signals reach a few hundredths.
MIN_CORRELATION = 0.1
SPECTRUM_SAMPLES = 512


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


def lag(reference: np.ndarray, degraded: np.ndarray, sample_rate: int) -> int:
    """Samples by which `degraded` is late (negative: early), at the peak of the cross-correlation within +-100 ms.

    The peak counts regardless of polarity. It is believed only where it is clearer than between unrelated signals and
    where the spectrograms, too, are more alike there than without a shift: a codec that keeps time but not phase has
    its waveform's peak anywhere within a few pitch periods.
    """
    scale = len(reference) * rms(reference) * rms(degraded)
    late, peak = correlation_peak(reference, degraded, min(round(MAX_LAG_SECONDS * sample_rate), len(reference) - 1))
    if late == 0 or peak < MIN_CORRELATION * scale:
        return 0
    shifted = spectral_likeness(*aligned(reference, degraded, late))
    return late if shifted > spectral_likeness(reference, degraded) else 0


def correlation_peak(reference: np.ndarray, degraded: np.ndarray, limit: int) -> tuple[int, float]:
    """Lag within +-limit samples at which the absolute cross-correlation is largest (of equals the smallest), and it.

    Summed over blocks: only few lags are asked for, and short transforms stay in the processor's cache.
    """
    size = 2 ** math.ceil(math.log2(8 * limit + 2))
    block = size - 2 * limit
    n_blocks = math.ceil(len(reference) / block)
    pieces = np.pad(reference, (0, n_blocks * block - len(reference))).reshape(n_blocks, block)
    around = np.pad(degraded, (limit, n_blocks * block + limit - len(degraded)))
    windows = np.lib.stride_tricks.sliding_window_view(around, size)[::block]
    spectrum = (np.conj(np.fft.rfft(pieces, size)) * np.fft.rfft(windows, size)).sum(0)
    peaks = np.abs(np.fft.irfft(spectrum, size)[: 2 * limit + 1])  # of the lags -limit to limit
    lags = np.array(sorted(range(-limit, limit + 1), key=abs))
    best = int(lags[np.argmax(peaks[lags + limit])])
    return best, float(peaks[best + limit])


def frames(audio: np.ndarray, length: int, hop: int) -> np.ndarray:
    """Overlapping frames of audio (n,): a view (max(0, ceil((n - length) / hop)), length)."""
    if len(audio) <= length:
        return np.empty((0, length), audio.dtype)
    return np.lib.stride_tricks.sliding_window_view(audio, length)[: len(audio) - length : hop]


def spectral_likeness(reference: np.ndarray, degraded: np.ndarray) -> float:
    """Correlation of two magnitude spectrograms (square roots, windows of 512 samples), which is blind to phase."""
    if len(reference) < SPECTRUM_SAMPLES:
        return 1.0
    spectra = []
    for audio in (reference, degraded):
        frames = np.lib.stride_tricks.sliding_window_view(audio, SPECTRUM_SAMPLES)[:: SPECTRUM_SAMPLES // 2]
        root = np.sqrt(np.abs(np.fft.rfft(frames * np.hanning(SPECTRUM_SAMPLES))))
        spectra.append(root - root.mean())
    energy = math.sqrt(float((spectra[0] ** 2).sum() * (spectra[1] ** 2).sum()))
    return float((spectra[0] * spectra[1]).sum()) / energy if energy else 0.0


def aligned(reference: np.ndarray, degraded: np.ndarray, late: int) -> tuple[np.ndarray, np.ndarray]:
    """Both signals cut to what they share when `degraded` is `late` samples behind."""
    n_samples = len(reference) - abs(late)
    return reference[max(0, -late) :][:n_samples], degraded[max(0, late) :][:n_samples]
