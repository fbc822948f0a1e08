"""MCD in every convention that the field uses, side by side, from WORLD spectra; pymcd's is the headline (section 3.2.3).

The paper names no tool and no convention, and which of these it used is open: over five systems of its table pymcd's `plain`
mode is off by 0.42 (RMSE), mel-cepstral-distance by 0.21, too few to tell. DAC-16k = 2.04 and DAC-24k = 1.02 will.
Needs the extra `mcd` (`uv sync --extra mcd`) or the environment `envs/mcd.yaml`: WORLD and SPTK are compiled.
"""

import math
from collections.abc import Mapping
from importlib import import_module
from importlib.metadata import version
from importlib.util import find_spec

import numpy as np
from scipy.signal import firwin, lfilter

from codec_cliff.corpus.manifest import Utterance
from codec_cliff.errors import MetricError
from codec_cliff.metrics.delay import delay, envelopes
from codec_cliff.metrics.mel_cepstra import FIRST, LAST, cepstra, mel_energy
from codec_cliff.metrics.scorer import Reference, Value
from codec_cliff.metrics.waveform import aligned, match_level, resample

DECIBEL = 10 / math.log(10) * math.sqrt(2)
# VERSA's mcd_f0: versa/sequence_metrics/mcd_f0.py of github.com/wavlab-speech/versa at 0344585, with its defaults.
VERSA_LOW_CUT, VERSA_TAPS, VERSA_F0, VERSA_FFT, VERSA_ORDER, VERSA_ALPHA = 70, 255, (40, 800), 1024, 39, 0.466
VERSA_RANGE_DB = -20  # of the mean frame: quieter ones take no part in its warping
VERSA_SCALE = 32767  # it works on 16-bit numbers
FRAME_MS = 5
COLUMNS = ("mcd", "mcd_matched", "mcd_pymcd_dtw", "mcd_versa", "mcd_versa_dtw", "mcd_mfcc", "mcd_mfcc_dtw")


class Distortions:
    """Columns, all frame by frame on the samples as they are unless the name says otherwise:

    `mcd` pymcd plain: 22.05 kHz, 14 coefficients, c0 among them; `mcd_matched` the same once delay and level are matched;
    `mcd_pymcd_dtw`, its frames warped first; `mcd_versa` and `mcd_versa_dtw`, VERSA's mcd_f0 without and with `dtw`: the
    recording's rate, 40 coefficients with c0; `mcd_mfcc` and `mcd_mfcc_dtw`: what mel-cepstral-distance calls MCD. A
    reconstruction of digital silence has none.
    """

    backend = "pymcd"
    sample_rate = None

    def __init__(self):
        if find_spec("pymcd") is None:
            raise MetricError(
                "metrics.mcd: pymcd is not installed; run `uv sync --extra mcd` (it compiles pyworld and pysptk), run "
                "Snakemake with --sdm conda (envs/mcd.yaml), or set metrics.mcd to mel_cepstral_distance"
            )
        self.world, self.sptk = import_module("pyworld"), import_module("pysptk")
        self.warp = import_module("fastdtw").fastdtw
        self.pymcd = import_module("pymcd.mcd").Calculate_MCD("plain")
        self.revision = f"{version('pymcd')}, plain"

    def reference(self, utterance: Utterance, audio: np.ndarray) -> Mapping[str, np.ndarray]:
        return self.cepstra(audio, utterance.sample_rate) | {"envelopes": envelopes(audio, utterance.sample_rate)}

    def cepstra(self, audio: np.ndarray, rate: int) -> dict[str, np.ndarray]:
        versa, power = self.versa_cepstra(audio, rate)
        mfcc = cepstra(mel_energy(audio, rate))[FIRST:LAST].T
        return {"pymcd": self.pymcd_cepstra(audio, rate), "versa": versa, "power": power, "mfcc": mfcc}

    def score(self, utterance: Utterance, reference: Reference, degraded: np.ndarray) -> dict[str, Value]:
        rate, of = utterance.sample_rate, reference.features
        if not degraded.any():
            return dict.fromkeys(COLUMNS)
        mine = self.cepstra(degraded, rate)
        speech = [side["versa"][side["power"] > VERSA_RANGE_DB] for side in (of, mine)]
        values = (
            DECIBEL * frame_distance(of["pymcd"], mine["pymcd"]),
            self.matched(reference, degraded, rate),
            DECIBEL * self.warped(of["pymcd"], mine["pymcd"], first=1),
            DECIBEL * frame_distance(of["versa"], mine["versa"]),
            DECIBEL * self.warped(*speech),
            frame_distance(of["mfcc"], mine["mfcc"]),
            self.warped(of["mfcc"], mine["mfcc"]),
        )
        return dict(zip(COLUMNS, values, strict=True))

    def matched(self, reference: Reference, degraded: np.ndarray, rate: int) -> float | None:
        """pymcd's distance of what both share once the delay is removed and the levels are one; None where it is unknown."""
        late = delay(reference.audio, degraded, rate, reference.features["envelopes"]).samples
        if late is None:
            return None
        sides = aligned(reference.audio, match_level(degraded, reference.audio), late)
        return DECIBEL * frame_distance(*(self.pymcd_cepstra(part, rate) for part in sides))

    def pymcd_cepstra(self, audio: np.ndarray, rate: int) -> np.ndarray:
        """Audio (n,) to pymcd's coefficients (K, 14); its own resampler is librosa's, ours is the project's."""
        return self.pymcd.wav2mcep_numpy(resample(audio, rate, self.pymcd.SAMPLING_RATE))

    def versa_cepstra(self, audio: np.ndarray, rate: int) -> tuple[np.ndarray, np.ndarray]:
        """VERSA's coefficients (K, 40), and the power of each frame over the mean frame's in decibel (K,)."""
        high_pass = firwin(VERSA_TAPS, VERSA_LOW_CUT / (rate // 2), pass_zero=False)
        samples = lfilter(high_pass, 1, VERSA_SCALE * audio.astype(np.float64))
        f0, times = self.world.harvest(samples, rate, *VERSA_F0, FRAME_MS)
        spectrum = self.world.cheaptrick(samples, f0, times, rate, fft_size=VERSA_FFT)
        power = spectrum[:, 1:-1].sum(1) * 2 + spectrum[:, 0] + spectrum[:, -1]
        return self.sptk.sp2mc(spectrum, VERSA_ORDER, VERSA_ALPHA), 10 * np.log10(power / power.mean())

    def warped(self, x: np.ndarray, y: np.ndarray, first: int = 0) -> float:
        """Mean distance along fastdtw's path, which is found without the coefficients before `first`."""
        path = np.array(self.warp(x[:, first:], y[:, first:], dist=2)[1])
        return frame_distance(x[path[:, 0]], y[path[:, 1]])


def frame_distance(x: np.ndarray, y: np.ndarray) -> float:
    """Mean Euclidean distance of two sequences of cepstra, frame by frame as far as both reach."""
    n_frames = min(len(x), len(y))
    return float(np.linalg.norm(x[:n_frames] - y[:n_frames], axis=1).mean())
