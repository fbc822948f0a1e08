"""Mel cepstra as mel-cepstral-distance computes them, by its own functions."""

from functools import lru_cache

import numpy as np
from mel_cepstral_distance.computation import get_average_MCD, get_MC_X_ik, get_MCD_k, get_w_n_m
from mel_cepstral_distance.helper import energy_to_bel

from codec_cliff.metrics.waveform import frames

WINDOW_MS, HOP_MS, N_MELS = 32, 8, 20  # the library's defaults
FIRST, LAST = 1, 16  # coefficients 1 to 15


def mel_energy(audio: np.ndarray, rate: int) -> np.ndarray:
    """Audio (n,) to the energies of 20 mel bands, (K, 20)."""
    window, hop = WINDOW_MS * rate // 1000, HOP_MS * rate // 1000
    spectrum = np.fft.rfft(frames(audio, window, hop) * np.hanning(window), n=window)
    return (spectrum.real**2 + spectrum.imag**2) @ _filters(rate, window).T


@lru_cache
def _filters(rate: int, window: int) -> np.ndarray:
    return get_w_n_m(rate, window, N_MELS, 0, rate // 2)


def cepstra(energy: np.ndarray) -> np.ndarray:
    """Mel energies (K, 20) to cepstral coefficients (20, K)."""
    return get_MC_X_ik(energy_to_bel(energy), N_MELS)


def distance(x: np.ndarray, y: np.ndarray) -> float | None:
    """Mean distance of two sequences of cepstra (20, K); None where they are shorter than a window."""
    return float(get_average_MCD(get_MCD_k(x, y, FIRST, LAST))) if x.shape[1] else None
