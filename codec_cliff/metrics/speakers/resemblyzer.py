"""The embedded speaker encoder: Resemblyzer's (Wan et al. 2018), whose wheel holds the weights."""

from collections.abc import Mapping
from importlib.metadata import version

import numpy as np
import torch
from resemblyzer.voice_encoder import VoiceEncoder

from codec_cliff.corpus.manifest import Utterance
from codec_cliff.metrics.mel import mel_filters, mel_spectrogram
from codec_cliff.metrics.scorer import Reference, Value
from codec_cliff.metrics.waveform import fit, rms

MIN_LEVEL = 10 ** (-30 / 20)  # Resemblyzer raises quieter speech to -30 dBFS
N_FFT, HOP, N_MELS = 400, 160, 40  # 25 ms and 10 ms at 16 kHz: Resemblyzer's hparams.py


class Resemblyzer:
    """Resemblyzer's GE2E encoder (its wheel holds the weights); quiet references are raised as it does, and the
    reconstruction brought to the same RMS, for the embedding depends on the level. Its voice activity detection is left
    out: it would cut the two signals differently.

    A similarity of 0 is out of reach: silence and white noise score 0.43 against speech, other speakers 0.4 to 0.7.
    Not the paper's model, and blind to the order of sounds.
    """

    backend = "resemblyzer"
    revision = version("resemblyzer")
    sample_rate = 16000

    def __init__(self):
        torch.set_num_threads(1)  # three small LSTM layers: more threads only wait for each other
        self.encoder = VoiceEncoder("cpu", verbose=False)
        self.filters = mel_filters(N_FFT, N_MELS)

    def reference(self, utterance: Utterance, audio: np.ndarray) -> Mapping[str, np.ndarray]:
        """The raised level (RMS) and the embedding at that level."""
        level = rms(audio)
        raised = max(level, MIN_LEVEL) if level else 0.0
        return {"level": np.array(raised), "embedding": self.embed(at_level(audio, raised))}

    def score(self, utterance: Utterance, reference: Reference, degraded: np.ndarray) -> dict[str, Value]:
        embedding = self.embed(at_level(degraded, float(reference.features["level"])))
        return {"spk_sim": float(reference.features["embedding"] @ embedding)}

    @torch.inference_mode()
    def embed(self, audio: np.ndarray) -> np.ndarray:
        """16 kHz audio (n,) to a unit vector (256,): the mean over stretches of 1.6 s, as in `embed_utterance`."""
        wav_slices, mel_slices = self.encoder.compute_partial_slices(len(audio), rate=1.3, min_coverage=0.75)
        padded = fit(audio, max(len(audio), wav_slices[-1].stop))
        mel = mel_spectrogram(padded, N_FFT, HOP, self.filters).T
        partials = self.encoder(torch.from_numpy(np.stack([mel[part] for part in mel_slices]))).numpy()
        mean = partials.mean(axis=0)
        return mean / np.linalg.norm(mean)


def at_level(audio: np.ndarray, level: float) -> np.ndarray:
    """Audio scaled to an RMS; silence stays silence."""
    found = rms(audio)
    return (audio * (level / found)).astype(np.float32) if found else audio
