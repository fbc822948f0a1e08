"""Lyra v2 at 16 kHz (Google, 2022): SoundStream's streaming form and the only published weights of it, run by LiteRT.

Three TFLite models work frame by frame, 320 samples each, and keep the past of the signal in variables of their own.
The quantizer is residual: 46 levels of 16 codes, of which 16, 30 or 46 are sent.
"""

from collections.abc import Sequence
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import torch

from codec_cliff.downloads.hub import download
from codec_cliff.downloads.pins import CODECS
from codec_cliff.errors import CodecError
from codec_cliff.models.codec import CodecFacts, fit_length
from codec_cliff.models.reference.facts import check_facts, reference_facts

UNUSED = -1  # the index by which the quantizer's `decode` knows a level that was not sent


def load(codec_id: str, cache: Path, device: torch.device) -> "Lyra":
    """`lyra_3200`, `lyra_6000` or `lyra_9200`; on the CPU whatever the device. The models lie at `<cache>/lyra/`.

    Raises CodecError where LiteRT is not installed.
    """
    if find_spec("ai_edge_litert") is None:
        raise CodecError(f"{codec_id}: LiteRT is not installed; install it with `pip install ai-edge-litert==2.3.0`")
    return Lyra(codec_id, *(download(file, cache) for file in CODECS[codec_id]))


class Lyra:
    """Lyra; codes are int64 (n_codebooks, N), one column a frame of 20 ms. The decoded signal has no delay."""

    facts: CodecFacts

    def __init__(self, codec_id: str, encoder: Path, quantizer: Path, decoder: Path):
        self._encoder, self._decoder = encoder, decoder
        interpreter = _interpreter(quantizer)
        self._quantize, self._dequantize = map(interpreter.get_signature_runner, ("encode", "decode"))
        self._levels = int(self._dequantize.get_input_details()["encoding_indices"]["shape"][0])
        self._hop_length = int(_interpreter(encoder).get_input_details()[0]["shape"][-1])
        self.facts = self._check(codec_id)

    def _check(self, codec_id: str) -> CodecFacts:
        facts = reference_facts(codec_id)
        silence = np.zeros((1, 1, 64), np.float32)
        bits = int(self._quantize(input_frames=silence, num_quantizers=np.int32(1))["output_1"])
        return check_facts(
            codec_id,
            frame_rate=facts.sample_rate / self._hop_length,
            n_codebooks=min(self._levels, facts.n_codebooks),
            codebook_size=2**bits,
        )

    def encode(self, audio: torch.Tensor) -> torch.Tensor:
        """Audio (T,), padded with zeros to whole frames, to codes (n_codebooks, ceil(T / 320))."""
        samples = audio.detach().cpu().numpy().astype(np.float32)
        frames = np.pad(samples, (0, -len(samples) % self._hop_length)).reshape(-1, 1, self._hop_length)
        columns = [self._codes(features) for features in _run(self._encoder, frames)]
        return torch.from_numpy(np.stack(columns, axis=1).astype(np.int64))

    def _codes(self, features: np.ndarray) -> np.ndarray:
        n_codebooks = self.facts.n_codebooks
        indices = self._quantize(input_frames=features, num_quantizers=np.int32(n_codebooks))["output_0"]
        return indices[:n_codebooks, 0, 0]

    def decode(self, codes: torch.Tensor, n_samples: int) -> torch.Tensor:
        """Codes (n_codebooks, N) to audio (n_samples,)."""
        indices = np.full((codes.shape[1], self._levels, 1, 1), UNUSED, np.int32)
        indices[:, : codes.shape[0], 0, 0] = codes.T.numpy()
        features = [self._dequantize(encoding_indices=frame)["output_0"] for frame in indices]
        return fit_length(torch.from_numpy(_run(self._decoder, features).reshape(-1)), n_samples)


def _interpreter(path: Path) -> Any:
    interpreter = import_module("ai_edge_litert.interpreter").Interpreter(str(path), num_threads=1)
    interpreter.allocate_tensors()
    return interpreter


def _run(path: Path, frames: Sequence[np.ndarray]) -> np.ndarray:
    """A model's outputs for `frames`, one after the other.

    The interpreter is a new one, in milliseconds: its `reset_all_variables` leaves the last signal in these models' state.
    """
    interpreter = _interpreter(path)
    source, target = interpreter.get_input_details()[0]["index"], interpreter.get_output_details()[0]["index"]
    outputs = []
    for frame in frames:
        interpreter.set_tensor(source, frame)
        interpreter.invoke()
        outputs.append(interpreter.get_tensor(target))
    return np.stack(outputs)
