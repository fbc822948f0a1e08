"""BigCodec at 16 kHz (Xin et al., 2024): one codebook of 8192, through the authors' own code at a fixed commit.

Loading and padding follow their `inference.py`, which always pads: by a whole token where the length is a multiple.
"""

from pathlib import Path

import torch

from codec_cliff.downloads.hub import hub_folder
from codec_cliff.downloads.pins import CODECS
from codec_cliff.downloads.sources import checkout, import_from
from codec_cliff.models.codec import CodecFacts, fit_length
from codec_cliff.models.reference.facts import check_facts
from codec_cliff.models.reference.weights import load_checkpoint

SOURCE, FILES = CODECS["bigcodec"]


def load(codec_id: str, cache: Path, device: torch.device) -> "BigCodec":
    """`bigcodec`: fetches code and weights where they are not in the cache."""
    vq = import_from(checkout(SOURCE, cache), "vq")
    checkpoint = load_checkpoint(hub_folder(FILES, cache) / FILES.names[0])
    encoder, decoder = vq.CodecEncoder(), vq.CodecDecoder()
    encoder.load_state_dict(checkpoint["CodecEnc"])
    decoder.load_state_dict(checkpoint["generator"])
    layers = decoder.quantizer.layers
    facts = check_facts(
        codec_id,
        frame_rate=16000 / int(encoder.hop_length),
        n_codebooks=len(layers),
        codebook_size=layers[0].codebook_size,
    )
    return BigCodec(facts, encoder.to(device).eval(), decoder.to(device).eval(), device)


class BigCodec:
    """BigCodec; codes are int64 (1, N)."""

    def __init__(self, facts: CodecFacts, encoder: torch.nn.Module, decoder: torch.nn.Module, device: torch.device):
        self.facts = facts
        self._encoder = encoder
        self._decoder = decoder
        self._device = device
        self._hop_length = int(encoder.hop_length)

    @torch.inference_mode()
    def encode(self, audio: torch.Tensor) -> torch.Tensor:
        """Audio (T,) to codes (1, T // 200 + 1)."""
        padding = self._hop_length - audio.shape[0] % self._hop_length
        padded = torch.nn.functional.pad(audio.to(self._device), (0, padding))
        codes = self._decoder(self._encoder(padded[None, None]), vq=True)[1]  # (n_codebooks, 1, N)
        return codes[:, 0].cpu()

    @torch.inference_mode()
    def decode(self, codes: torch.Tensor, n_samples: int) -> torch.Tensor:
        """Codes (1, N) to audio (n_samples,)."""
        embedding = self._decoder.vq2emb(codes.to(self._device).T[None])  # (1, N, D)
        return fit_length(self._decoder(embedding.transpose(1, 2), vq=False)[0, 0].cpu(), n_samples)
