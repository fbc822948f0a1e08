"""Mel cepstral distortion (section 3.2.3; Kubichek 1993): the backends that can measure it."""

from collections.abc import Mapping, Sequence
from functools import lru_cache
from importlib import import_module
from importlib.metadata import version

import numpy as np
from mel_cepstral_distance.computation import get_average_MCD, get_MC_X_ik, get_MCD_k, get_w_n_m
from mel_cepstral_distance.helper import energy_to_bel

from codec_cliff.corpus.manifest import Utterance
from codec_cliff.metrics.scorer import Reference, Scorer, Value
from codec_cliff.metrics.waveform import aligned, frames, gain, lag

WINDOW_MS, HOP_MS, N_MELS = 32, 8, 20  # the library's defaults
FIRST, LAST = 1, 16  # coefficients 1 to 15


class MelCepstralDistance:
    """mel-cepstral-distance, frame by frame (`aligning="pad"`): no warping, as a codec keeps time.

    Convention: 32 ms Hann windows every 8 ms, 20 mel bands, cepstral coefficients 1 to 15 (without c0, so without the level), mean
    Euclidean distance of the base-10 log-energy cepstra over frames. `mcd` has the reconstruction at the reference's
    RMS and its delay removed, `mcd_raw` has neither. The paper names no tool, so its column is of another convention
    and scale. Floor: 0 for identical samples, about 0.1 for LibriSpeech that was only halved and rounded to 16 bits;
    digital silence on one side alone is far from anything (log-energy of the floating-point epsilon), not infinite.
    """

    backend = "mel_cepstral_distance"
    revision = version("mel-cepstral-distance")
    sample_rate = None

    def __init__(self, utterances: Sequence[Utterance], cache: str | None, device: str):
        pass

    def reference(self, utterance: Utterance, audio: np.ndarray) -> Mapping[str, np.ndarray]:
        return {"cepstra": cepstra(mel_energy(audio, utterance.sample_rate))}

    def score(self, utterance: Utterance, reference: Reference, degraded: np.ndarray) -> dict[str, Value]:
        rate, kept = utterance.sample_rate, reference.features["cepstra"]
        late, scale = lag(reference.audio, degraded, rate), gain(degraded, reference.audio)
        energy = mel_energy(degraded, rate)
        matched = distance(kept, cepstra(energy * scale**2))
        if late:
            shifted = aligned(reference.audio, degraded.astype(np.float64) * scale, late)
            matched = distance(*(cepstra(mel_energy(audio, rate)) for audio in shifted))
        return {"mcd": matched, "mcd_raw": distance(kept, cepstra(energy))}


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


def pymcd(utterances: Sequence[Utterance], cache: str | None, device: str) -> Scorer:
    return import_module("codec_cliff.metrics.distortions").Distortions()  # WORLD and SPTK: only this backend has them


BACKENDS = {"mel_cepstral_distance": MelCepstralDistance, "pymcd": pymcd}
