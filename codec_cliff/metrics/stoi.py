"""Short-time objective intelligibility (section 3.2.1; Taal et al. 2010)."""

import warnings
from collections.abc import Sequence
from importlib.metadata import version

import numpy as np
import pystoi

from codec_cliff.corpus.manifest import Utterance
from codec_cliff.metrics.scorer import Value
from codec_cliff.metrics.waveform import aligned, lag, level_difference_db

MIN_SECONDS = 0.4  # 30 frames of 25.6 ms at half overlap: less cannot hold one of STOI's segments


class Pystoi:
    """pystoi, not extended: raw, and after removal of the delay (a pure 20 ms shift alone gives 0.63).

    pystoi resamples to 10 kHz inside. Clips that hold fewer than 30 frames of speech have no STOI (pystoi warns and
    returns 1e-5): their cells stay empty, and the runner counts them.
    """

    backend = "pystoi"
    revision = version("pystoi")
    sample_rate = None

    def __init__(self, utterances: Sequence[Utterance], cache: str | None, device: str):
        pass

    def score(self, utterance: Utterance, reference: np.ndarray, degraded: np.ndarray) -> dict[str, Value]:
        late = lag(reference, degraded, utterance.sample_rate)
        raw = stoi(reference, degraded, utterance.sample_rate)
        return {
            "stoi": raw,
            "stoi_aligned": stoi(*aligned(reference, degraded, late), utterance.sample_rate) if late else raw,
            "lag_ms": 1000 * late / utterance.sample_rate,
            "level_difference_db": level_difference_db(reference, degraded),
        }


def stoi(reference: np.ndarray, degraded: np.ndarray, sample_rate: int) -> float | None:
    """STOI of two signals (n,); None where too little speech is left once silent frames are removed."""
    if len(reference) < MIN_SECONDS * sample_rate:
        return None
    with warnings.catch_warnings():
        warnings.filterwarnings("error", message="Not enough STFT frames", category=RuntimeWarning)
        try:
            return float(pystoi.stoi(reference, degraded, sample_rate, extended=False))
        except RuntimeWarning:
            return None


BACKENDS = {"pystoi": Pystoi}
