"""Mimi at 24 kHz (Défossez et al., 2024), through `transformers.MimiModel`, with the number of codebooks always said.

Table 1 prints 8 codebooks; `MimiModel.encode` uses all 32 unless told otherwise, and the table's figures look like 32.
So both are offered: `mimi_8` is what the table says, `mimi_32` what the library does by default.
"""

from pathlib import Path

import torch
from transformers import MimiModel

from codec_cliff.downloads.hub import hub_folder
from codec_cliff.downloads.pins import CODECS
from codec_cliff.models.reference.adapter import Adapter
from codec_cliff.models.reference.facts import check_facts, reference_facts
from codec_cliff.models.reference.pretrained import load_pretrained

FILES = CODECS["mimi_8"][0]


def load(codec_id: str, cache: Path, device: torch.device) -> "Mimi":
    """`mimi_8` or `mimi_32`: the same weights, the first 8 or all 32 codebooks."""
    model = load_pretrained(MimiModel, hub_folder(FILES, cache)).to(device).eval()
    facts = check_facts(
        codec_id,
        sample_rate=model.config.sampling_rate,
        frame_rate=model.config.frame_rate,
        n_codebooks=min(model.config.num_quantizers, reference_facts(codec_id).n_codebooks),
        codebook_size=model.config.codebook_size,
    )
    return Mimi(facts, model, device)


class Mimi(Adapter):
    """Mimi with the first `facts.n_codebooks` of its codebooks."""

    def _encode(self, audio: torch.Tensor) -> torch.Tensor:
        return self._model.encode(audio, num_quantizers=self.facts.n_codebooks).audio_codes[0]

    def _decode(self, codes: torch.Tensor) -> torch.Tensor:
        return self._model.decode(codes[None]).audio_values[0, 0]
