"""The paper's predictor: UTMOS, the strong learner of 2022 (section 3.2.4; Saeki et al. 2022)."""

import fcntl
from pathlib import Path
from urllib.error import URLError

import numpy as np
import torch

from codec_cliff.corpus.manifest import Utterance
from codec_cliff.device import choose_device
from codec_cliff.errors import MetricError
from codec_cliff.metrics.scorer import Value

# A port of the original's weights (MIT) to plain torch: https://github.com/tarepan/SpeechMOS at its tag v1.2.0.
REPOSITORY = "tarepan/SpeechMOS:ed25eacbfa42b99156c36ebec67a733b5dbb9b79"
WEIGHTS = "https://github.com/tarepan/SpeechMOS/releases/download/v1.0.0/utmos22_strong_step7459_v1.pt"
SHA256 = "38aa51ab79e2a4e09a1449758a4b37e9cbb2e8235a49662a732d33a9ba1e9bff"
MIN_SECONDS = 0.1  # shorter clips do not fill the network's convolutions


class Utmos22Strong:
    """The whole utterance at once, at 16 kHz, level untouched; 1 to 5."""

    backend = "utmos22_strong"
    revision = f"{REPOSITORY.replace(':', '@')[:30]}, weights {SHA256[:8]}"
    sample_rate = 16000

    def __init__(self, cache: str | None, device: str, weights: str = WEIGHTS, sha256: str = SHA256):
        """Code and weights (411 MB) are downloaded into `cache`/torch_hub once; MetricError where that fails."""
        self.device = torch.device(choose_device(device))
        if cache:
            torch.hub.set_dir(str(Path(cache) / "torch_hub"))
        hub = Path(torch.hub.get_dir())
        try:
            self.model = load(hub, weights, sha256).to(self.device).eval()
        except (URLError, OSError, RuntimeError) as error:
            raise MetricError(
                f"UTMOS ({REPOSITORY}, {weights}) cannot be loaded into {hub} ({error}); run this once where "
                "github.com can be reached, copy that folder here, or set metrics.naturalness to dnsmos_p808"
            ) from error

    @torch.inference_mode()
    def score(self, utterance: Utterance, reference: np.ndarray, degraded: np.ndarray) -> dict[str, Value]:
        if len(degraded) < MIN_SECONDS * self.sample_rate:
            return {"utmos": None}
        audio = torch.from_numpy(np.ascontiguousarray(degraded)).to(self.device)
        return {"utmos": self.model(audio[None], self.sample_rate).item()}


def load(hub: Path, weights: str, sha256: str) -> torch.nn.Module:
    """The pinned code with the checked weights; jobs that share a hub folder take turns, as torch.hub does not."""
    hub.mkdir(parents=True, exist_ok=True)
    with open(hub / ".lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        model = torch.hub.load(
            REPOSITORY, "utmos22_strong", pretrained=False, trust_repo=True, skip_validation=True, verbose=False
        )
        path = hub / "checkpoints" / Path(weights).name
        if not path.exists():
            path.parent.mkdir(exist_ok=True)
            torch.hub.download_url_to_file(weights, str(path), hash_prefix=sha256, progress=False)
    model.load_state_dict(torch.load(path, map_location="cpu", weights_only=True))
    return model
