"""The paper's speaker encoder: ESPnet-SPK on WavLM-large, fine-tuned together (section 3.2.2; Jung et al. 2024).

ours: the paper says "a WavLM-based model fine-tuned for speaker recognition via ESPnet-SPK"; of the published ones this is
the SKA-TDNN of joint fine-tuning (VoxCeleb1-O EER 0.516 %). Needs espnet and s3prl, in the environment envs/espnet.yaml.
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import torch
import yaml

from codec_cliff.corpus.manifest import Utterance
from codec_cliff.device import choose_device
from codec_cliff.downloads.hub import hub_folder
from codec_cliff.downloads.pins import METRICS
from codec_cliff.errors import MetricError
from codec_cliff.metrics.scorer import Reference, Value

FILES, UPSTREAM = METRICS["espnet_wavlm"]


class EspnetWavlm:
    """Cosine of two embeddings (192,) of whole utterances at 16 kHz, levels untouched, as VERSA computes it."""

    backend = "espnet_wavlm"
    sample_rate = 16000

    def __init__(self, cache: str | None, device: str, files: tuple[Path, Path, Path] | None = None):
        """`files` (configuration, weights, WavLM) stand for the cache's; MetricError outside the environment."""
        if find_spec("espnet2") is None or find_spec("s3prl") is None:
            raise MetricError(
                "metrics.spk_sim: espnet_wavlm needs espnet 202511, s3prl 0.4.18 and torchaudio below 2.9; run "
                "Snakemake with --sdm conda (envs/espnet.yaml), or set metrics.spk_sim to resemblyzer"
            )
        self.device = choose_device(device)
        config, weights, wavlm = files or self._cached(Path(cache or "cache"))
        self.revision = f"{FILES.repository}@{FILES.commit}"
        with no_corpora():
            inference = import_module("espnet2.bin.spk_inference")
        with TemporaryDirectory() as folder:
            offline = Path(folder) / "config.yaml"
            offline.write_text(yaml.safe_dump(without_downloads(yaml.safe_load(config.read_text()), wavlm)))
            self.embedder = inference.Speech2Embedding(offline, weights, device=self.device)

    @staticmethod
    def _cached(cache: Path) -> tuple[Path, Path, Path]:
        folder = hub_folder(FILES, cache)
        return folder / FILES.names[0], folder / FILES.names[1], hub_folder(UPSTREAM, cache) / UPSTREAM.names[0]

    def reference(self, utterance: Utterance, audio: np.ndarray) -> Mapping[str, np.ndarray]:
        return {"embedding": self.embed(audio)}

    def score(self, utterance: Utterance, reference: Reference, degraded: np.ndarray) -> dict[str, Value]:
        return {"spk_sim": float(reference.features["embedding"] @ self.embed(degraded))}

    @torch.inference_mode()
    def embed(self, audio: np.ndarray) -> np.ndarray:
        """16 kHz audio (n,) to a unit vector."""
        embedding = self.embedder(np.ascontiguousarray(audio, dtype=np.float32))[0].cpu().numpy()
        return embedding / np.linalg.norm(embedding)


@contextmanager
def no_corpora() -> Iterator[None]:
    """NLTK fetches nothing meanwhile: as ESPnet is imported, its reader of English text asks for corpora that no speech needs."""
    try:
        nltk = import_module("nltk")
    except ImportError:
        yield
        return
    kept, nltk.download = nltk.download, lambda *arguments, **options: False
    try:
        yield
    finally:
        nltk.download = kept


def without_downloads(config: dict, wavlm: Path) -> dict:
    """The model's configuration with its front end built from a file instead of from s3prl's own download."""
    frontend = dict(config["frontend_conf"])
    frontend["frontend_conf"] = {**frontend["frontend_conf"], "upstream": "wavlm_local", "path_or_url": str(wavlm)}
    frontend.pop("download_dir", None)
    return {**config, "frontend_conf": frontend}
