"""The paper's predictor: UTMOS, the strong learner of 2022 (section 3.2.4; Saeki et al. 2022)."""

from pathlib import Path

import numpy as np
import torch

from codec_cliff.corpus.manifest import Utterance
from codec_cliff.device import choose_device
from codec_cliff.errors import MetricError
from codec_cliff.hub import checkout, download
from codec_cliff.metrics.scorer import Reference, Value, WithoutReference
from codec_cliff.pins import METRICS, Release

SOURCE, WEIGHTS = METRICS["utmos22_strong"]
MIN_SECONDS = 0.1  # shorter clips do not fill the network's convolutions


class Utmos22Strong(WithoutReference):
    """The whole utterance at once, at 16 kHz, level untouched; 1 to 5. Not in batches: the network takes the mean over all
    frames, padding included.
    """

    backend = "utmos22_strong"
    revision = f"{SOURCE.repository}@{SOURCE.commit[:8]}, weights {WEIGHTS.sha256[:8]}"
    sample_rate = 16000

    def __init__(self, cache: str | None, device: str, weights: Release = WEIGHTS):
        """Code and weights (411 MB) are downloaded into the cache once; UserError where that fails."""
        self.device = torch.device(choose_device(device))
        folder = Path(cache or "cache")
        code, path = checkout(SOURCE, folder), download(weights, folder)
        try:
            model = torch.hub.load(str(code), "utmos22_strong", source="local", pretrained=False, verbose=False)
            model.load_state_dict(torch.load(path, map_location="cpu", weights_only=True))
        except (OSError, RuntimeError) as error:
            raise MetricError(
                f"UTMOS ({code}, {path}) cannot be loaded ({error}); delete both to have them downloaded again, or set "
                "metrics.naturalness to dnsmos_p808"
            ) from error
        self.model = model.to(self.device).eval()

    @torch.inference_mode()
    def score(self, utterance: Utterance, reference: Reference, degraded: np.ndarray) -> dict[str, Value]:
        if len(degraded) < MIN_SECONDS * self.sample_rate:
            return {"utmos": None}
        audio = torch.from_numpy(np.ascontiguousarray(degraded)).to(self.device)
        return {"utmos": self.model(audio[None], self.sample_rate).item()}
