"""Short-time objective intelligibility (section 3.2.1; Taal et al. 2011), its reference side computed once a study."""

from collections.abc import Mapping, Sequence
from importlib.metadata import version

import numpy as np
from pystoi.stoi import BETA, DYN_RANGE, FS, N_FRAME, NFFT, OBM
from pystoi.utils import EPS, resample_oct

from codec_cliff.corpus.manifest import Utterance
from codec_cliff.metrics.delay import delay, envelopes
from codec_cliff.metrics.scorer import Reference, Value
from codec_cliff.metrics.waveform import aligned, frames, level_difference_db

MIN_SECONDS = 0.4  # 30 frames of 25.6 ms at half overlap: less cannot hold one of STOI's segments
SEGMENT = 30  # frames
HOP = N_FRAME // 2
WINDOW = np.hanning(N_FRAME + 2)[1:-1]
CEILING = 1 + 10 ** (-BETA / 20)  # a band may exceed the reference by this factor and no more


class Pystoi:
    """pystoi's STOI, not extended: raw, and after removal of the delay (a pure 20 ms shift alone gives 0.63).

    Its filter, bands and constants; its sums in arrays instead of lists, and the recording's half kept: equal to
    `pystoi.stoi` to 1e-6. Inside all is at 10 kHz. Clips that hold fewer than 30 frames of speech have no STOI (pystoi
    warns and returns 1e-5): their cells stay empty, and the runner counts them.
    """

    backend = "pystoi"
    revision = version("pystoi")
    sample_rate = None

    def __init__(self, utterances: Sequence[Utterance], cache: str | None, device: str):
        pass

    def reference(self, utterance: Utterance, audio: np.ndarray) -> Mapping[str, np.ndarray]:
        rate = utterance.sample_rate
        return reference_bands(audio, rate) | {"envelopes": envelopes(audio, rate)}

    def score(self, utterance: Utterance, reference: Reference, degraded: np.ndarray) -> dict[str, Value]:
        rate = utterance.sample_rate
        late = delay(reference.audio, degraded, rate, reference.features["envelopes"])
        raw = stoi(reference.features, degraded, rate)
        return {
            "stoi": raw,
            "stoi_aligned": raw if late.samples == 0 else shifted_stoi(reference.audio, degraded, late.samples, rate),
            "lag_ms": None if late.samples is None else 1000 * late.samples / rate,
            "lag_confidence": late.confidence,
            "level_difference_db": level_difference_db(reference.audio, degraded),
        }


def shifted_stoi(reference: np.ndarray, degraded: np.ndarray, late: int | None, rate: int) -> float | None:
    """STOI once `degraded`, which is `late` samples behind, is cut to what it shares with the reference; None of None."""
    if late is None:
        return None
    reference, degraded = aligned(reference, degraded, late)
    return stoi(reference_bands(reference, rate), degraded, rate)


def reference_bands(audio: np.ndarray, rate: int) -> dict[str, np.ndarray]:
    """Audio (n,) to `kept`, which of its frames hold speech, and their `bands`, float64 (15, M); {} where too few do."""
    if len(audio) < MIN_SECONDS * rate:
        return {}
    windowed = windowed_frames(audio, rate)
    energies = 20 * np.log10(np.linalg.norm(windowed, axis=1) + EPS)
    kept = energies > energies.max() - DYN_RANGE
    bands = band_amplitudes(windowed[kept])
    return {"kept": kept, "bands": bands} if bands.shape[1] >= SEGMENT else {}


def stoi(reference: Mapping[str, np.ndarray], degraded: np.ndarray, rate: int) -> float | None:
    """STOI of a signal (n,) against `reference_bands`; None where these are missing."""
    if "bands" not in reference:
        return None
    return mean_correlation(reference["bands"], band_amplitudes(windowed_frames(degraded, rate)[reference["kept"]]))


def windowed_frames(audio: np.ndarray, rate: int) -> np.ndarray:
    """Frames of 25.6 ms at 10 kHz, half overlapping: (K, 256)."""
    audio = audio if rate == FS else resample_oct(audio, FS, rate)
    return frames(audio, N_FRAME, HOP) * WINDOW


def band_amplitudes(windowed: np.ndarray) -> np.ndarray:
    """The kept frames (K, 256), joined again and framed anew, as third-octave band amplitudes (15, K - 1)."""
    joined = np.zeros((len(windowed) + 1, HOP))
    joined[:-1] += windowed[:, :HOP]
    joined[1:] += windowed[:, HOP:]
    spectrum = np.fft.rfft(frames(joined.ravel(), N_FRAME, HOP) * WINDOW, n=NFFT)
    return np.sqrt(OBM @ (spectrum.real**2 + spectrum.imag**2).T)


def mean_correlation(x: np.ndarray, y: np.ndarray) -> float:
    """Mean correlation of band envelopes (15, M) over segments of 30 frames, y normalised and clipped (Eqs. 3 to 6)."""
    x, y = (np.lib.stride_tricks.sliding_window_view(bands, SEGMENT, axis=1) for bands in (x, y))  # (15, S, 30)
    gain = np.sqrt(np.einsum("jsn,jsn->js", x, x)) / (np.sqrt(np.einsum("jsn,jsn->js", y, y)) + EPS)
    y = np.minimum(y * gain[..., None], x * CEILING)
    y -= y.mean(-1, keepdims=True)
    x = x - x.mean(-1, keepdims=True)
    norms = [np.sqrt(np.einsum("jsn,jsn->js", part, part)) + EPS for part in (x, y)]
    return float((np.einsum("jsn,jsn->js", x, y) / (norms[0] * norms[1])).mean())


BACKENDS = {"pystoi": Pystoi}
