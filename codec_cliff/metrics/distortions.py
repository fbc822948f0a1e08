"""MCD in every convention that the field uses, side by side, from WORLD spectra; pymcd's is the headline (section 3.2.3).

The paper names no tool and no convention. pymcd's `plain` mode is the one whose scale fits its table (a good codec 1 to 4,
a collapsed one 20), so it is declared the primary one; DAC-16k = 2.04 and DAC-24k = 1.02 are the figures to hold it against.
Needs the extra `mcd` (`uv sync --extra mcd`) or the environment `envs/mcd.yaml`: WORLD and SPTK are compiled.
"""

import math
from collections.abc import Mapping
from importlib import import_module
from importlib.metadata import version
from importlib.util import find_spec

import numpy as np
from scipy.signal import butter, lfilter

from codec_cliff.corpus.manifest import Utterance
from codec_cliff.errors import MetricError
from codec_cliff.metrics.mel_cepstra import FIRST, LAST, cepstra, mel_energy
from codec_cliff.metrics.scorer import Reference, Value
from codec_cliff.metrics.waveform import aligned, lag, resample

DECIBEL = 10 / math.log(10) * math.sqrt(2)
# VERSA's mcd_f0: utterance/mcd_f0.py of github.com/wavlab-speech/versa at c398480.
VERSA_LOW_CUT, VERSA_F0, VERSA_FFT, VERSA_ORDER, VERSA_ALPHA = 70, (40, 800), 1024, 39, 0.466
VERSA_RANGE_DB = 20  # below the loudest frame, quieter ones take no part in its warping
FRAME_MS = 5


class Distortions:
    """Columns, all frame by frame unless `dtw` says that the frames were warped first:

    `mcd` pymcd plain: 22.05 kHz, 14 coefficients, c0 among them; `mcd_aligned` the same once the lag is removed;
    `mcd_pymcd_dtw`; `mcd_versa` and `mcd_versa_dtw`: the recording's rate, 40 coefficients with c0; `mcd_versa_no_c0`;
    `mcd_mfcc` and `mcd_mfcc_dtw`: mel-cepstral-distance's 15 coefficients without c0, on samples as they are.
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
        rate = utterance.sample_rate
        versa, power = self.versa_cepstra(audio, rate)
        mfcc = cepstra(mel_energy(audio, rate))[FIRST:LAST].T
        return {"pymcd": self.pymcd_cepstra(audio, rate), "versa": versa, "power": power, "mfcc": mfcc}

    def score(self, utterance: Utterance, reference: Reference, degraded: np.ndarray) -> dict[str, Value]:
        rate, of = utterance.sample_rate, reference.features
        late = lag(reference.audio, degraded, rate)
        mine = self.reference(utterance, degraded)
        plain = DECIBEL * frame_distance(of["pymcd"], mine["pymcd"])
        shifted = aligned(reference.audio, degraded, late) if late else ()
        speech = [sequence[power > power.max() - VERSA_RANGE_DB] for sequence, power in pairs_of(of, mine)]
        return {
            "mcd": plain,
            "mcd_aligned": DECIBEL * frame_distance(*(self.pymcd_cepstra(part, rate) for part in shifted))
            if late
            else plain,
            "mcd_pymcd_dtw": DECIBEL * self.warped(of["pymcd"], mine["pymcd"], first=1),
            "mcd_versa": DECIBEL * frame_distance(of["versa"], mine["versa"]),
            "mcd_versa_dtw": DECIBEL * self.warped(*speech),
            "mcd_versa_no_c0": DECIBEL * frame_distance(of["versa"][:, 1:], mine["versa"][:, 1:]),
            "mcd_mfcc": frame_distance(of["mfcc"], mine["mfcc"]),
            "mcd_mfcc_dtw": self.warped(of["mfcc"], mine["mfcc"]),
        }

    def pymcd_cepstra(self, audio: np.ndarray, rate: int) -> np.ndarray:
        """Audio (n,) to pymcd's coefficients (K, 14); its own resampler is librosa's, ours is the project's."""
        return self.pymcd.wav2mcep_numpy(resample(audio, rate, self.pymcd.SAMPLING_RATE))

    def versa_cepstra(self, audio: np.ndarray, rate: int) -> tuple[np.ndarray, np.ndarray]:
        """VERSA's coefficients (K, 40) and the power of each frame in decibel (K,)."""
        low = butter(2, VERSA_LOW_CUT / (rate / 2), "high")
        samples = lfilter(*low, audio.astype(np.float64))
        f0, times = self.world.harvest(samples, rate, *VERSA_F0, FRAME_MS)
        spectrum = self.world.cheaptrick(samples, f0, times, rate, fft_size=VERSA_FFT)
        power = 10 * np.log10(np.maximum(spectrum.mean(1), 1e-12))
        return self.sptk.sp2mc(spectrum, VERSA_ORDER, VERSA_ALPHA), power

    def warped(self, x: np.ndarray, y: np.ndarray, first: int = 0) -> float:
        """Mean distance along fastdtw's path, which is found without the coefficients before `first`."""
        path = np.array(self.warp(x[:, first:], y[:, first:], dist=2)[1])
        return frame_distance(x[path[:, 0]], y[path[:, 1]])


def pairs_of(a: Mapping[str, np.ndarray], b: Mapping[str, np.ndarray]) -> list[tuple[np.ndarray, np.ndarray]]:
    return [(side["versa"], side["power"]) for side in (a, b)]


def frame_distance(x: np.ndarray, y: np.ndarray) -> float:
    """Mean Euclidean distance of two sequences of cepstra, frame by frame as far as both reach."""
    n_frames = min(len(x), len(y))
    return float(np.linalg.norm(x[:n_frames] - y[:n_frames], axis=1).mean())
