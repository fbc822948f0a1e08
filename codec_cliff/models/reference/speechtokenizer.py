"""SpeechTokenizer at 16 kHz (Zhang et al., 2024), through the authors' package: 8 codebooks of 1024 at 50 Hz.

Not in the paper. Of the two published models the one trained on LibriSpeech (`speechtokenizer_hubert_avg`).
"""

import json
from importlib import import_module
from pathlib import Path

import torch

from codec_cliff.downloads.hub import hub_folder
from codec_cliff.downloads.pins import CODECS
from codec_cliff.models.codec import CodecFacts, fit_length
from codec_cliff.models.reference.facts import check_facts
from codec_cliff.models.reference.weights import load_checkpoint

FILES = CODECS["speechtokenizer"][0]


def load(codec_id: str, cache: Path, device: torch.device) -> "SpeechTokenizer":
    """`speechtokenizer`."""
    config, weights = (hub_folder(FILES, cache) / name for name in FILES.names)
    # Imported late: the package brings its trainer along, which takes seconds.
    model = import_module("speechtokenizer.model").SpeechTokenizer(json.loads(config.read_text()))
    model.load_state_dict(load_checkpoint(weights))
    facts = check_facts(
        codec_id,
        sample_rate=model.sample_rate,
        frame_rate=model.sample_rate / int(model.downsample_rate),
        n_codebooks=model.n_q,
        codebook_size=model.quantizer.bins,
    )
    return SpeechTokenizer(facts, model.to(device).eval(), device)


class SpeechTokenizer:
    """SpeechTokenizer; codes are int64 (8, N)."""

    def __init__(self, facts: CodecFacts, model: torch.nn.Module, device: torch.device):
        self.facts = facts
        self._model = model
        self._device = device

    @torch.inference_mode()
    def encode(self, audio: torch.Tensor) -> torch.Tensor:
        """Audio (T,) to codes (n_codebooks, N)."""
        return self._model.encode(audio.to(self._device)[None, None])[:, 0].cpu()  # (n_codebooks, 1, N)

    @torch.inference_mode()
    def decode(self, codes: torch.Tensor, n_samples: int) -> torch.Tensor:
        """Codes (n_codebooks, N) to audio (n_samples,)."""
        return fit_length(self._model.decode(codes.to(self._device)[:, None])[0, 0].cpu(), n_samples)
