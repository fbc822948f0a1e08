"""WavTokenizer at 24 kHz (Ji et al., 2025): one codebook of 4096, through the authors' own code at a fixed commit.

The paper does not say which checkpoints; taken are the two of the authors' speech models (small, LibriTTS), which lie
side by side. One utterance at a time: the authors' code does not support batches.
"""

from pathlib import Path

import torch

from codec_cliff.downloads.hub import hub_folder
from codec_cliff.downloads.pins import CODECS
from codec_cliff.downloads.sources import checkout, import_from
from codec_cliff.models.codec import CodecFacts, fit_length
from codec_cliff.models.reference.facts import check_facts
from codec_cliff.models.reference.weights import load_checkpoint

SOURCE = CODECS["wavtokenizer_75"][0]
CONFIG = "configs/wavtokenizer_smalldata_frame{}_3s_nq1_code4096_dim512_kmeans200_attn.yaml"
VARIANTS = {
    "wavtokenizer_75": (CONFIG.format(75), CODECS["wavtokenizer_75"][1]),
    "wavtokenizer_40": (CONFIG.format(40), CODECS["wavtokenizer_40"][1]),
}
PARTS = ("feature_extractor.", "backbone.", "head.")  # the checkpoint holds the discriminators as well
BANDWIDTH = 0  # of the authors' README; the four bandwidths of their configuration are the same


def load(codec_id: str, cache: Path, device: torch.device) -> "WavTokenizer":
    """`wavtokenizer_75` or `wavtokenizer_40`: fetches code and weights where they are not in the cache."""
    config, files = VARIANTS[codec_id]
    source = checkout(SOURCE, cache)
    model = import_from(source, "decoder.pretrained").WavTokenizer.from_hparams0802(str(source / config))
    # Not their from_pretrained0802: current torch refuses to read a trainer's checkpoint the way it asks for.
    weights = load_checkpoint(hub_folder(files, cache) / files.names[0])["state_dict"]
    model.load_state_dict({name: weight for name, weight in weights.items() if name.startswith(PARTS)})
    quantizer = model.feature_extractor.encodec.quantizer
    facts = check_facts(
        codec_id,
        frame_rate=24000 / model.head.istft.hop_length,
        n_codebooks=quantizer.n_q,
        codebook_size=quantizer.bins,
    )
    return WavTokenizer(facts, model.to(device).eval(), device)


class WavTokenizer:
    """WavTokenizer; codes are int64 (1, N)."""

    def __init__(self, facts: CodecFacts, model: torch.nn.Module, device: torch.device):
        self.facts = facts
        self._model = model
        self._device = device
        self._bandwidth = torch.tensor([BANDWIDTH], device=device)

    @torch.inference_mode()
    def encode(self, audio: torch.Tensor) -> torch.Tensor:
        """Audio (T,) to codes (1, N)."""
        _, codes = self._model.encode_infer(audio.to(self._device)[None], bandwidth_id=self._bandwidth)  # (1, 1, N)
        return codes[:, 0].cpu()

    @torch.inference_mode()
    def decode(self, codes: torch.Tensor, n_samples: int) -> torch.Tensor:
        """Codes (1, N) to audio (n_samples,)."""
        features = self._model.codes_to_features(codes.to(self._device))  # (1, D, N)
        return fit_length(self._model.decode(features, bandwidth_id=self._bandwidth)[0].cpu(), n_samples)
