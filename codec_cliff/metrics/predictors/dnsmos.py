"""The embedded predictor: the P.808 network of DNSMOS (Reddy et al. 2021), inside the speechmos wheel."""

from importlib.metadata import distribution, version

import numpy as np
import onnxruntime

from codec_cliff.corpus.manifest import Utterance
from codec_cliff.metrics.mel import mel_filters, power_spectrum
from codec_cliff.metrics.scorer import Reference, Value, WithoutReference

N_FFT, HOP, N_MELS = 321, 160, 120
SECONDS = 9.01  # the network's input; shorter clips are repeated, longer ones scored every second and averaged
FRAMES = 900  # of an input
TOP_DB = 80


class DnsmosP808(WithoutReference):
    """What `speechmos.dnsmos.run` returns as `p808_mos`, without its two other networks and its thread pool.

    Trained on noise suppression in telephony: clean read speech scores 3.5 to 4, silence about 2.1; an order, not
    UTMOS' scale. The inputs overlap by eight of nine seconds, so the spectrogram is made once for all of them.
    """

    backend = "dnsmos_p808"
    revision = f"speechmos {version('speechmos')}, model_v8.onnx"
    sample_rate = 16000

    def __init__(self):
        model = distribution("speechmos").locate_file("speechmos/dnsmos_models/model_v8.onnx")
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = 1
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        self.session = onnxruntime.InferenceSession(str(model), options, providers=["CPUExecutionProvider"])
        self.filters = mel_filters(N_FFT, N_MELS)

    def score(self, utterance: Utterance, reference: Reference, degraded: np.ndarray) -> dict[str, Value]:
        return {"dnsmos_p808": self.predict(degraded)}

    def predict(self, audio: np.ndarray) -> float:
        """Mean over windows of 9.01 s of 16 kHz audio (n,), 1 to 5."""
        length = int(SECONDS * self.sample_rate)
        while len(audio) < length:
            audio = np.tile(audio, 2)
        starts = window_starts(len(audio), self.sample_rate)
        scores = [
            self.session.run(None, {"input_1": features[None]})[0][0, 0] for features in self.inputs(audio, starts)
        ]
        return float(np.mean(scores))

    def inputs(self, audio: np.ndarray, starts: list[int]):
        """The network's input (900, 120) of each window: decibel below its loudest band, scaled."""
        audio = np.clip(audio, -1, 1).astype(np.float64)
        decibel = self.decibel(np.lib.stride_tricks.sliding_window_view(np.pad(audio, N_FFT // 2), N_FFT)[::HOP])
        for start in starts:
            first, last = start // HOP, start // HOP + FRAMES - 1
            edges = np.stack([edge_frame(audio, start, first), edge_frame(audio, start, last)])
            window = decibel[first : last + 1].copy()
            window[[0, -1]] = self.decibel(edges)
            below = np.maximum(window - max(window.max(), -100.0), -TOP_DB)
            yield ((below + 40) / 40).astype(np.float32)

    def decibel(self, frames: np.ndarray) -> np.ndarray:
        """Frames (K, 321) to mel power in decibel, (K, 120)."""
        return 10 * np.log10(np.maximum(power_spectrum(frames, N_FFT) @ self.filters.T, 1e-10))


def window_starts(n_samples: int, rate: int) -> list[int]:
    """Where speechmos' windows begin: every second; those that its rounding leaves a sample short it leaves out."""
    length, n_windows = int(SECONDS * rate), int(n_samples // rate - SECONDS) + 1
    ends = ((number, min(n_samples, int((number + SECONDS) * rate))) for number in range(n_windows))
    return [number * rate for number, end in ends if end - number * rate >= length]


def edge_frame(audio: np.ndarray, start: int, number: int) -> np.ndarray:
    """The 321 samples around frame `number` of the recording, zero where they lie outside the window from `start`."""
    places = number * HOP - N_FFT // 2 + np.arange(N_FFT)
    inside = (places >= start) & (places < start + FRAMES * HOP)
    return np.where(inside, audio[np.clip(places, 0, len(audio) - 1)], 0)
