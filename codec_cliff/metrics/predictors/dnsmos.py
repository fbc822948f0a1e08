"""The embedded predictor: the P.808 network of DNSMOS (Reddy et al. 2021), inside the speechmos wheel."""

from collections.abc import Iterator
from importlib.metadata import distribution, version
from itertools import groupby

import numpy as np
import onnx
import onnxruntime
from onnx.utils import Extractor

from codec_cliff.corpus.manifest import Utterance
from codec_cliff.metrics.mel import mel_filters, power_spectrum
from codec_cliff.metrics.scorer import Reference, Value, WithoutReference

N_FFT, HOP, N_MELS = 321, 160, 120
SECONDS = 9.01  # the network's input; shorter clips are repeated, longer ones scored every second and averaged
FRAMES = 900  # of an input
TOP_DB = 80
CUT = "mos_estimator_small_1/conv2d_8/Relu:0"  # the last layer at a quarter of the frame rate, (N, 32, K / 4, 30)
STRIP, MARGIN = 32, 4  # frames of a strip; quarters of the frame rate that a window's end reaches into (3)


class DnsmosP808(WithoutReference):
    """What `speechmos.dnsmos.run` returns as `p808_mos`, without its two other networks and its thread pool.

    Trained on noise suppression in telephony: clean read speech scores 3.5 to 4, silence about 2.1; an order, not
    UTMOS' scale. The inputs overlap by eight of nine seconds, so the spectrogram is made once for all of them, and so
    are, where they are scaled alike, the network's first four layers, bit for bit as in each alone (tested).
    """

    backend = "dnsmos_p808"
    revision = f"speechmos {version('speechmos')}, model_v8.onnx"
    sample_rate = 16000

    def __init__(self):
        path = distribution("speechmos").locate_file("speechmos/dnsmos_models/model_v8.onnx")
        parts = Extractor(onnx.shape_inference.infer_shapes(onnx.load(path)))
        self.front = session(parts.extract_model(["input_1"], [CUT]))
        self.back = session(parts.extract_model([CUT], ["Identity:0"]))
        self.filters = mel_filters(N_FFT, N_MELS)

    def score(self, utterance: Utterance, reference: Reference, degraded: np.ndarray) -> dict[str, Value]:
        return {"dnsmos_p808": self.predict(degraded)}

    def predict(self, audio: np.ndarray) -> float:
        """Mean over windows of 9.01 s of 16 kHz audio (n,), 1 to 5."""
        decibel, windows = self.windows(audio)
        maps = np.concatenate(list(self.maps(decibel, windows)))
        return float(np.mean(self.back.run(None, {CUT: maps})[0]))

    def windows(self, audio: np.ndarray) -> tuple[np.ndarray, list[tuple[int, float, np.ndarray]]]:
        """The whole recording in decibel, (K, 120), and its windows: first frame, loudest band, the network's input (900, 120)."""
        length = int(SECONDS * self.sample_rate)
        while len(audio) < length:
            audio = np.tile(audio, 2)
        audio = np.clip(audio, -1, 1).astype(np.float64)
        decibel = self.decibel(np.lib.stride_tricks.sliding_window_view(np.pad(audio, N_FFT // 2), N_FFT)[::HOP])
        return decibel, [self._window(audio, decibel, start) for start in window_starts(len(audio), self.sample_rate)]

    def _window(self, audio: np.ndarray, decibel: np.ndarray, start: int) -> tuple[int, float, np.ndarray]:
        first, last = start // HOP, start // HOP + FRAMES - 1
        rows = decibel[first : last + 1].copy()
        rows[[0, -1]] = self.decibel(np.stack([edge_frame(audio, start, first), edge_frame(audio, start, last)]))
        return first, rows.max(), scaled(rows, rows.max())

    def maps(self, decibel: np.ndarray, windows: list[tuple[int, float, np.ndarray]]) -> Iterator[np.ndarray]:
        """The first layers' (W, 32, 225, 30) of neighbouring windows with one loudest band: their ends apart, the rest at once."""
        for loudest, group in groupby(windows, key=lambda window: window[1]):
            firsts, _, inputs = zip(*group, strict=True)
            if len(inputs) == 1:
                yield self.front.run(None, {"input_1": inputs[0][None]})[0]
                continue
            span = scaled(decibel[firsts[0] : firsts[-1] + FRAMES], loudest)
            whole = self.front.run(None, {"input_1": span[None]})[0][0]
            ends = np.stack([rows[part] for rows in inputs for part in (slice(STRIP), slice(-STRIP, None))])
            left_and_right = self.front.run(None, {"input_1": ends})[0]
            for number, first in enumerate(firsts):
                left, right = left_and_right[2 * number : 2 * number + 2]
                quarter = (first - firsts[0]) // 4
                inner = whole[:, quarter + MARGIN : quarter + FRAMES // 4 - MARGIN]
                yield np.concatenate([left[:, :MARGIN], inner, right[:, -MARGIN:]], axis=1)[None]

    def decibel(self, frames: np.ndarray) -> np.ndarray:
        """Frames (K, 321) to mel power in decibel, (K, 120)."""
        return 10 * np.log10(np.maximum(power_spectrum(frames, N_FFT) @ self.filters.T, 1e-10))


def session(model: onnx.ModelProto) -> onnxruntime.InferenceSession:
    """A part of the network that takes any number of frames, on one thread that sleeps while it waits."""
    del model.graph.value_info[:]  # of 900 frames
    for value in (model.graph.input[0], model.graph.output[0]):
        for place, dimension in enumerate(value.type.tensor_type.shape.dim):
            if dimension.dim_value in (FRAMES, FRAMES // 4):
                dimension.dim_param = f"{value.name} {place}"
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    return onnxruntime.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])


def scaled(decibel: np.ndarray, loudest: float) -> np.ndarray:
    """Decibel below the loudest band, as the network takes it."""
    return ((np.maximum(decibel - max(loudest, -100.0), -TOP_DB) + 40) / 40).astype(np.float32)


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
