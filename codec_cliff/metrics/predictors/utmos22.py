"""The paper's predictor: UTMOS, the strong learner of 2022 (section 3.2.4; Saeki et al. 2022), through the package utmos-pytorch."""

from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path

import numpy as np
import torch
from utmos_pytorch import UTMOSScoreTorch

from codec_cliff.corpus.manifest import Utterance
from codec_cliff.device import choose_device
from codec_cliff.downloads.hub import hub_folder
from codec_cliff.downloads.pins import METRICS, HubFiles
from codec_cliff.errors import MetricError
from codec_cliff.metrics.scorer import Item, Reference, Value, WithoutReference

(WEIGHTS,) = METRICS["utmos22_strong"]
MIN_SECONDS = 0.1  # shorter clips do not fill the network's convolutions


class Utmos22Strong(WithoutReference):
    """The whole utterance at once, at 16 kHz, level untouched; 1 to 5. Not in batches: the network takes the mean over all
    frames, padding included.
    """

    backend = "utmos22_strong"
    revision = f"utmos-pytorch {version('utmos-pytorch')}, weights {WEIGHTS.commit[:8]}"
    sample_rate = 16000

    def __init__(self, cache: str | None, device: str, weights: HubFiles = WEIGHTS):
        """Weights (converted from the original's checkpoint) are downloaded into the cache once; DownloadError where that fails."""
        self.device = torch.device(choose_device(device))
        path = hub_folder(weights, Path(cache or "cache")) / weights.names[0]
        try:
            self.model = UTMOSScoreTorch(ckpt_path=str(path), device=str(self.device))
        except (OSError, RuntimeError) as error:
            raise MetricError(
                f"UTMOS ({path}) cannot be loaded ({error}); delete the file to have it downloaded again, or set "
                "metrics.naturalness to distillmos"
            ) from error
        self._check_nothing_is_missing(path)

    def _check_nothing_is_missing(self, path: Path) -> None:
        """The package passes over weights that a file lacks, and leaves them random; what it folds together has other names."""
        held = set(torch.load(path, map_location="meta", weights_only=True))
        folded = {name for name in self.model.model.state_dict() if name.endswith("pos_conv.0.weight")}
        if missing := set(self.model.model.state_dict()) - folded - held:
            raise MetricError(f"UTMOS: {path} lacks {len(missing)} of the network's weights, {min(missing)} among them")

    @torch.inference_mode()
    def score(self, utterance: Utterance, reference: Reference, degraded: np.ndarray) -> dict[str, Value]:
        if len(degraded) < MIN_SECONDS * self.sample_rate:
            return {"utmos": None}
        audio = torch.from_numpy(np.ascontiguousarray(degraded)).to(self.device)
        return {"utmos": self.model(audio).item()}


class PaddedUtmos22Strong(Utmos22Strong):
    """Four recordings at a time, zeros behind the shorter ones, as others evaluate: their scores take in the padding."""

    revision = f"{Utmos22Strong.revision}, zero-padded in fours"
    batch_utterances = 4

    @torch.inference_mode()
    def score_batch(self, items: Sequence[Item]) -> list[dict[str, Value]]:
        audio = [torch.from_numpy(np.ascontiguousarray(degraded)) for _, _, degraded in items]
        padded = torch.nn.utils.rnn.pad_sequence(audio, batch_first=True).to(self.device)  # (B, T)
        if padded.shape[1] < MIN_SECONDS * self.sample_rate:
            return [{"utmos": None} for _ in items]
        return [{"utmos": self.model(row).item()} for row in padded]  # a row's score knows nothing of the others
