"""By how much a reconstruction is late: searched over more than a second, and unknown where the two do not correlate.

Band envelopes first, which a codec keeps even where it keeps no phase (STOI and MCD hear nothing else), then the waveforms
around what they say, to the sample.
"""

import math
from dataclasses import dataclass

import numpy as np

from codec_cliff.metrics.waveform import aligned, frames, rms

MAX_SECONDS = 1.2
MIN_SECONDS = 0.4  # the shortest pair that can be compared, as for STOI
WINDOW_SECONDS, HOP_SECONDS = 0.032, 0.01
BANDS_HZ = np.geomspace(150, 4000, 21)
APART_SECONDS = 0.1  # lags further from the peak than this are rivals of it
# Ours, from recordings of test-clean: unrelated ones reach .07, with two seconds of each .29; noise at -10 dB keeps .3, Lyra at
# 3.2 and Opus at 6 kbit/s .6. A spectrum smeared over 320 ms, whose delay nobody could name, has .1.
LEAST_CONFIDENCE, ENOUGH_SECONDS = 0.2, 4
NEAR_SECONDS = 0.02  # how far the envelopes may be from the waveforms' own peak
LEAST_COHERENCE = 0.7  # below, the waveforms' peak may be of the fundamental alone, anywhere within a pitch period
RESOLUTION_SECONDS = 0.005  # of the envelopes alone: a smaller delay counts as none


@dataclass(frozen=True)
class Delay:
    """`samples` by which a signal is late (negative: early), None where that cannot be told; `confidence` from 0 to 1.

    Confidence is by how much the envelopes' correlation at the delay exceeds every other more than 100 ms from it.
    """

    samples: int | None
    confidence: float


def delay(reference: np.ndarray, degraded: np.ndarray, sample_rate: int, known: np.ndarray | None = None) -> Delay:
    """The delay of `degraded` (n,) against `reference` (n,), within 1.2 s either way and half the signals' length.

    `known` is `envelopes(reference, sample_rate)` where it is at hand.
    """
    seconds = len(reference) / sample_rate
    if seconds < MIN_SECONDS:
        return Delay(None, 0.0)
    sides = (envelopes(reference, sample_rate) if known is None else known), envelopes(degraded, sample_rate)
    coarse, confidence = envelope_delay(*sides, round(HOP_SECONDS * sample_rate))
    if confidence < LEAST_CONFIDENCE * max(1, math.sqrt(ENOUGH_SECONDS / seconds)):
        return Delay(None, confidence)
    fine, coherence = waveform_delay(*aligned(reference, degraded, coarse), round(NEAR_SECONDS * sample_rate))
    if coherence >= LEAST_COHERENCE:
        return Delay(coarse + fine, confidence)
    return Delay(coarse if abs(coarse) > RESOLUTION_SECONDS * sample_rate else 0, confidence)


def envelope_delay(x: np.ndarray, y: np.ndarray, hop: int) -> tuple[int, float]:
    """The delay in samples that band envelopes (20, K) say, and its confidence; 0 and 0 where there is no peak within reach."""
    limit = min(round(MAX_SECONDS / HOP_SECONDS), x.shape[1] // 2)
    lags = np.arange(-limit, limit + 1)
    likeness = correlations(x, y, lags)
    peak = int(likeness.argmax())
    if not 0 < peak < len(lags) - 1 or likeness[peak] <= 0:
        return 0, 0.0
    rivals = likeness[np.abs(lags - lags[peak]) * HOP_SECONDS > APART_SECONDS]
    before, at, after = likeness[peak - 1 : peak + 2]
    between = (before - after) / (2 * (before - 2 * at + after))  # the top of the parabola through three points
    return round((lags[peak] + between) * hop), float(at - rivals.max(initial=0.0))


def envelopes(audio: np.ndarray, sample_rate: int) -> np.ndarray:
    """Fourth roots of the power in 20 bands from 150 Hz to 4 kHz, each about its mean: (20, K), every 10 ms."""
    window, hop = round(WINDOW_SECONDS * sample_rate), round(HOP_SECONDS * sample_rate)
    spectrum = np.fft.rfft(frames(np.pad(audio, window // 2), window, hop) * np.hanning(window).astype(np.float32))
    edges = np.searchsorted(np.fft.rfftfreq(window, 1 / sample_rate), BANDS_HZ)
    power = np.add.reduceat(spectrum.real**2 + spectrum.imag**2, np.minimum(edges, spectrum.shape[1] - 1), axis=1)
    roots = np.sqrt(np.sqrt(power[:, :-1])).T
    return roots - roots.mean(axis=1, keepdims=True)


def correlations(x: np.ndarray, y: np.ndarray, lags: np.ndarray) -> np.ndarray:
    """Correlation (L,) of two sequences (D, K) at each lag of `y`, over what they then share; 0 where one is constant."""
    n = x.shape[1]
    size = 2 ** math.ceil(math.log2(n + len(lags)))
    products = np.fft.irfft((np.conj(np.fft.rfft(x, size)) * np.fft.rfft(y, size)).sum(0), size)
    energies = [np.concatenate([[0], np.cumsum((part**2).sum(0))]) for part in (x, y)]
    late, early = np.maximum(0, lags), np.maximum(0, -lags)
    shared = (energies[0][n - late] - energies[0][early]) * (energies[1][n - early] - energies[1][late])
    return np.divide(products[lags], np.sqrt(np.maximum(shared, 0)), out=np.zeros(len(lags)), where=shared > 0)


def waveform_delay(reference: np.ndarray, degraded: np.ndarray, limit: int) -> tuple[int, float]:
    """Lag within +-limit samples at which the absolute cross-correlation is largest (of equals the smallest), normalised.

    Summed over blocks: only few lags are asked for, and short transforms stay in the processor's cache.
    """
    limit = min(limit, len(reference) - 1)
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
    scale = len(reference) * rms(reference) * rms(degraded)
    return best, float(peaks[best + limit] / scale) if scale else 0.0
