"""Mel cepstral distortion (section 3.2.3; Kubichek 1993): the backends that can measure it."""

from collections.abc import Mapping, Sequence
from importlib import import_module
from importlib.metadata import version

import numpy as np

from codec_cliff.corpus.manifest import Utterance
from codec_cliff.metrics.delay import delay, envelopes
from codec_cliff.metrics.mel_cepstra import cepstra, distance, mel_energy
from codec_cliff.metrics.scorer import Reference, Scorer, Value
from codec_cliff.metrics.waveform import aligned, gain


class MelCepstralDistance:
    """mel-cepstral-distance, frame by frame (`aligning="pad"`): no warping, as a codec keeps time.

    Convention: 32 ms Hann windows every 8 ms, 20 mel bands, cepstral coefficients 1 to 15 (without c0, so without the level), mean
    Euclidean distance of the base-10 log-energy cepstra over frames. Columns as in every backend: `mcd` of the samples as
    they are, `mcd_matched` with the delay removed and the reconstruction at the reference's RMS. The paper names no tool,
    so its column is of another convention and scale. Floor: 0 for identical samples, about 0.1 for LibriSpeech that was
    only halved and rounded to 16 bits; digital silence on one side for a while is far from anything (log-energy of the
    floating-point epsilon), not infinite, and a reconstruction of nothing else has no MCD.
    """

    backend = "mel_cepstral_distance"
    revision = version("mel-cepstral-distance")
    sample_rate = None

    def __init__(self, utterances: Sequence[Utterance], cache: str | None, device: str):
        pass

    def reference(self, utterance: Utterance, audio: np.ndarray) -> Mapping[str, np.ndarray]:
        rate = utterance.sample_rate
        return {"cepstra": cepstra(mel_energy(audio, rate)), "envelopes": envelopes(audio, rate)}

    def score(self, utterance: Utterance, reference: Reference, degraded: np.ndarray) -> dict[str, Value]:
        if not degraded.any():
            return {"mcd": None, "mcd_matched": None}
        rate, kept = utterance.sample_rate, reference.features["cepstra"]
        late, scale = (
            delay(reference.audio, degraded, rate, reference.features["envelopes"]),
            gain(degraded, reference.audio),
        )
        energy = mel_energy(degraded, rate)
        matched = distance(kept, cepstra(energy * scale**2)) if late.samples == 0 else None
        if late.samples:
            shifted = aligned(reference.audio, degraded.astype(np.float64) * scale, late.samples)
            matched = distance(*(cepstra(mel_energy(audio, rate)) for audio in shifted))
        return {"mcd": distance(kept, cepstra(energy)), "mcd_matched": matched}


def pymcd(utterances: Sequence[Utterance], cache: str | None, device: str) -> Scorer:
    return import_module("codec_cliff.metrics.distortions").Distortions()  # WORLD and SPTK: only this backend has them


BACKENDS = {"mel_cepstral_distance": MelCepstralDistance, "pymcd": pymcd}
