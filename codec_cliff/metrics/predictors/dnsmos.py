"""The embedded predictor: the P.808 network of DNSMOS (Reddy et al. 2021), inside the speechmos wheel."""

from importlib.metadata import distribution, version

import numpy as np
import onnxruntime

from codec_cliff.corpus.manifest import Utterance
from codec_cliff.metrics.mel import mel_filters, mel_spectrogram
from codec_cliff.metrics.scorer import Value

N_FFT, HOP, N_MELS = 321, 160, 120
SECONDS = 9.01  # the network's input; shorter clips are repeated, longer ones scored every second and averaged
TOP_DB = 80


class DnsmosP808:
    """What `speechmos.dnsmos.run` returns as `p808_mos`, without its two other networks and its thread pool.

    Trained on noise suppression in telephony: clean read speech scores 3.5 to 4, silence about 2.1; an order, not
    UTMOS' scale.
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

    def score(self, utterance: Utterance, reference: np.ndarray, degraded: np.ndarray) -> dict[str, Value]:
        return {"dnsmos_p808": self.predict(degraded)}

    def predict(self, audio: np.ndarray) -> float:
        """Mean over windows of 9.01 s of 16 kHz audio (n,), 1 to 5."""
        length = int(SECONDS * self.sample_rate)
        while len(audio) < length:
            audio = np.tile(audio, 2)
        n_windows = int(len(audio) // self.sample_rate - SECONDS) + 1
        windows = [audio[start : start + length] for start in range(0, n_windows * self.sample_rate, self.sample_rate)]
        scores = [self._predict(window) for window in windows if len(window) == length]
        return float(np.mean(scores))

    def _predict(self, window: np.ndarray) -> float:
        mel = mel_spectrogram(np.clip(window[:-HOP], -1, 1), N_FFT, HOP, self.filters)
        decibel = 10 * np.log10(np.maximum(mel, 1e-10) / max(float(mel.max()), 1e-10))
        features = (np.maximum(decibel, -TOP_DB) + 40) / 40
        return self.session.run(None, {"input_1": features.T[None].astype(np.float32)})[0][0, 0]
