"""Mel cepstral distortion (section 3.2.3; Kubichek 1993), after level and delay are matched."""

from collections.abc import Sequence
from importlib.metadata import version

import numpy as np
from mel_cepstral_distance import compare_amplitude_spectrograms
from mel_cepstral_distance.computation import get_X_km

from codec_cliff.corpus.manifest import Utterance
from codec_cliff.metrics.scorer import Value
from codec_cliff.metrics.waveform import aligned, lag, match_level

WINDOW_MS, HOP_MS = 32, 8  # the library's defaults


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

    def score(self, utterance: Utterance, reference: np.ndarray, degraded: np.ndarray) -> dict[str, Value]:
        late = lag(reference, degraded, utterance.sample_rate)
        matched = aligned(reference, match_level(degraded, reference), late)
        return {
            "mcd": mel_cepstral_distance(*matched, utterance.sample_rate),
            "mcd_raw": mel_cepstral_distance(reference, degraded, utterance.sample_rate),
        }


def mel_cepstral_distance(reference: np.ndarray, degraded: np.ndarray, sample_rate: int) -> float | None:
    """Distance of two signals (n,); None where they are shorter than a window."""
    window, hop = WINDOW_MS * sample_rate // 1000, HOP_MS * sample_rate // 1000
    if len(reference) <= window:
        return None
    # The library's own reader takes wav files only; this is the function that it calls on their samples.
    spectra = [get_X_km(audio.astype(np.float64), window, window, hop, "hanning") for audio in (reference, degraded)]
    distance, _ = compare_amplitude_spectrograms(*spectra, sample_rate, WINDOW_MS, aligning="pad")
    return float(distance)


BACKENDS = {"mel_cepstral_distance": MelCepstralDistance}
