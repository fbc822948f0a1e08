"""Is this the same recording? Energies in a few bands, correlated over delays: blind to phase, level, sample rate and codec."""

import numpy as np

BANDS = (100, 250, 400, 600, 850, 1200, 1700, 2400, 3400)  # Hz, edges; below every codec's cut-off
HOP_SECONDS, WINDOW_SECONDS = 0.01, 0.032
FLOOR_DB = 50  # below the loudest band energy: quieter is all the same
SEARCHED_SECONDS = 1.0  # of delay, either way


def outline(audio: np.ndarray, sample_rate: int) -> np.ndarray:
    """Audio (n,) to what tells it from another recording: band energies in decibel around their mean, float32 (bands, frames)."""
    window, hop = (max(1, round(seconds * sample_rate)) for seconds in (WINDOW_SECONDS, HOP_SECONDS))
    padded = np.pad(audio, (0, max(0, window - len(audio))))
    frames = np.lib.stride_tricks.sliding_window_view(padded, window)[::hop]
    power = np.square(np.abs(np.fft.rfft(frames * np.hanning(window).astype(np.float32))))
    highest = power.shape[1] - 1  # below 6.8 kHz the upper bands are this frequency alone
    edges = [min(round(edge * window / sample_rate), highest) for edge in BANDS]
    energy = np.add.reduceat(power, edges, axis=1)[:, :-1].T
    decibel = 10 * np.log10(np.maximum(energy, 1e-12))
    decibel = np.maximum(decibel, decibel.max() - FLOOR_DB)
    return (decibel - decibel.mean(axis=1, keepdims=True)).astype(np.float32)


def likeness(a: np.ndarray, b: np.ndarray) -> float:
    """Correlation of two outlines (bands, frames) at the delay within a second at which it is largest: 1 for one recording,
    about a quarter for two; 0 where one of them does not change.
    """
    size = a.shape[1] + b.shape[1]
    energy = np.sqrt(np.square(a).sum() * np.square(b).sum())
    if energy == 0:
        return 0.0
    spectra = (np.fft.rfft(side, 2 ** int(np.ceil(np.log2(size)))) for side in (a, b))
    first, second = spectra
    products = np.fft.irfft((np.conj(first) * second).sum(axis=0))
    reach = min(round(SEARCHED_SECONDS / HOP_SECONDS), size // 2)
    return float(max(products[: reach + 1].max(), products[-reach:].max()) / energy)
