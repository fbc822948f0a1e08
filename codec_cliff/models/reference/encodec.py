"""EnCodec at 24 kHz (Défossez et al., 2022), through `transformers.EncodecModel`: 3 and 6 kbit/s of the same weights.

Not in the paper: the codec that the others descend from. The 24 kHz model takes the recording as one chunk and does not
normalise its level.
"""

from pathlib import Path

import torch
from transformers import EncodecModel

from codec_cliff.downloads.hub import hub_folder
from codec_cliff.downloads.pins import CODECS
from codec_cliff.models.codec import CodecFacts, fit_length
from codec_cliff.models.reference.facts import check_facts, reference_facts

FILES = CODECS["encodec_6"][0]


def load(codec_id: str, cache: Path, device: torch.device) -> "Encodec":
    """`encodec_3` or `encodec_6`: 4 or 8 codebooks."""
    model = EncodecModel.from_pretrained(hub_folder(FILES, cache), dtype=torch.float32).to(device).eval()
    facts = check_facts(
        codec_id,
        sample_rate=model.config.sampling_rate,
        frame_rate=model.config.frame_rate,
        n_codebooks=min(model.config.num_quantizers, reference_facts(codec_id).n_codebooks),
        codebook_size=model.config.codebook_size,
    )
    return Encodec(facts, model, device)


class Encodec:
    """EnCodec at the bandwidth that `facts` say; codes are int64 (n_codebooks, N)."""

    def __init__(self, facts: CodecFacts, model: EncodecModel, device: torch.device):
        self.facts = facts
        self._model = model
        self._device = device

    @torch.inference_mode()
    def encode(self, audio: torch.Tensor) -> torch.Tensor:
        """Audio (T,) to codes (n_codebooks, N)."""
        output = self._model.encode(audio.to(self._device)[None, None], bandwidth=self.facts.bitrate / 1000)
        return output.audio_codes[0, 0].cpu()

    @torch.inference_mode()
    def decode(self, codes: torch.Tensor, n_samples: int) -> torch.Tensor:
        """Codes (n_codebooks, N) to audio (n_samples,)."""
        audio = self._model.decode(codes.to(self._device)[None, None], [None]).audio_values
        return fit_length(audio[0, 0].cpu(), n_samples)
