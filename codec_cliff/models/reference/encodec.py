"""EnCodec at 24 kHz (Défossez et al., 2022), through `transformers.EncodecModel`: 3 and 6 kbit/s of the same weights.

Not in the paper: the codec that the others descend from. The 24 kHz model takes the recording as one chunk and does not
normalise its level.
"""

from pathlib import Path

import torch
from transformers import EncodecModel

from codec_cliff.downloads.hub import hub_folder
from codec_cliff.downloads.pins import CODECS
from codec_cliff.models.reference.adapter import Adapter
from codec_cliff.models.reference.facts import check_facts, reference_facts
from codec_cliff.models.reference.pretrained import load_pretrained

FILES = CODECS["encodec_6"][0]


def load(codec_id: str, cache: Path, device: torch.device) -> "Encodec":
    """`encodec_3` or `encodec_6`: 4 or 8 codebooks."""
    model = load_pretrained(EncodecModel, hub_folder(FILES, cache)).to(device).eval()
    facts = check_facts(
        codec_id,
        sample_rate=model.config.sampling_rate,
        frame_rate=model.config.frame_rate,
        n_codebooks=min(model.config.num_quantizers, reference_facts(codec_id).n_codebooks),
        codebook_size=model.config.codebook_size,
    )
    return Encodec(facts, model, device)


class Encodec(Adapter):
    """EnCodec at the bandwidth that `facts` say."""

    def _encode(self, audio: torch.Tensor) -> torch.Tensor:
        return self._model.encode(audio, bandwidth=self.facts.bitrate / 1000).audio_codes[0, 0]

    def _decode(self, codes: torch.Tensor) -> torch.Tensor:
        return self._model.decode(codes[None, None], [None]).audio_values[0, 0]
