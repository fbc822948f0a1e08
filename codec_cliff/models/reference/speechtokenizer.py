"""SpeechTokenizer at 16 kHz (Zhang et al., 2024), through the authors' package: 8 codebooks of 1024 at 50 Hz.

Not in the paper. Of the two published models the one trained on LibriSpeech (`speechtokenizer_hubert_avg`).
"""

import json
from importlib import import_module
from pathlib import Path

import torch

from codec_cliff.downloads.hub import hub_folder
from codec_cliff.downloads.pins import CODECS
from codec_cliff.models.reference.adapter import Adapter
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


class SpeechTokenizer(Adapter):
    """SpeechTokenizer; its tensors have the codebooks first, (n_codebooks, B, N)."""

    def _encode(self, audio: torch.Tensor) -> torch.Tensor:
        return self._model.encode(audio)[:, 0]

    def _decode(self, codes: torch.Tensor) -> torch.Tensor:
        return self._model.decode(codes[:, None])[0, 0]
