"""The embedded predictor: DistillMOS (Stahl and Gamper 2025, arXiv:2502.05356), whose wheel holds the weights."""

import math
from collections.abc import Iterator
from contextlib import redirect_stdout
from importlib.metadata import version
from io import StringIO

import numpy as np
import torch
from distillmos import ConvTransformerSQAModel
from distillmos.sqa import MAX_HOP_LEN, SEQ_LEN

from codec_cliff.corpus.manifest import Utterance
from codec_cliff.device import choose_device
from codec_cliff.metrics.scorer import Reference, Value, WithoutReference

COLUMN = 320  # samples of a column of the convolutions' output
COLUMNS = SEQ_LEN // COLUMN
SILENCE, EDGE = (
    20,
    8,
)  # columns of silence that are computed, and the last of them that the window's end reaches into (3)


class DistillMos(WithoutReference):
    """What `distillmos.ConvTransformerSQAModel` returns for the whole recording: the mean over windows of 7.68 s, 1 to 5.

    Shorter recordings are padded with silence, of which the convolutions say the same all along: it is computed once and repeated.
    Trained on opinions of coded, enhanced and transmitted speech; digital silence gets a figure too, which means nothing.
    """

    backend = "distillmos"
    revision = f"distillmos {version('distillmos')}, distill_mos_v7"
    sample_rate = 16000

    def __init__(self, device: str):
        self.device = torch.device(choose_device(device))
        with redirect_stdout(StringIO()):  # it prints where its weights lie
            self.model = ConvTransformerSQAModel(segmenting_in_forward=False).to(self.device).eval()

    def score(self, utterance: Utterance, reference: Reference, degraded: np.ndarray) -> dict[str, Value]:
        return {"distillmos": self.predict(degraded)}

    @torch.inference_mode()
    def predict(self, audio: np.ndarray) -> float:
        """16 kHz audio (n,) to an opinion, 1 (bad) to 5 (excellent)."""
        samples = torch.from_numpy(np.ascontiguousarray(audio, dtype=np.float32)).to(self.device)
        opinions = [self.model.transformer_pool_attn(self.columns(window).mT) for window in windows(samples)]
        return 1 + 4 * torch.cat(opinions).mean().item()

    def columns(self, window: torch.Tensor) -> torch.Tensor:
        """The convolutions' output (1, 1024, 384) for a window that may be shorter than 7.68 s."""
        n_columns = min(COLUMNS, math.ceil(len(window) / COLUMN) + SILENCE)
        padded = torch.nn.functional.pad(window, (0, n_columns * COLUMN - len(window)))
        heard = self.model.cnn(padded[None] / (padded.abs().max() + 1e-8))
        before, after = heard[..., : n_columns - EDGE], heard[..., n_columns - EDGE :]
        return torch.cat([before, before[..., -1:].expand(-1, -1, COLUMNS - n_columns), after], dim=-1)


def windows(samples: torch.Tensor) -> Iterator[torch.Tensor]:
    """Windows of 7.68 s, evenly spaced by a second at most, over samples (n,); the samples where there are fewer."""
    left = max(0, len(samples) - SEQ_LEN)
    for place in np.linspace(0, 1, math.ceil(left / MAX_HOP_LEN) + 1):
        start = int(place * left)
        yield samples[start : start + SEQ_LEN]
