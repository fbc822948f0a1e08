"""WavTokenizer at 24 kHz (Ji et al., 2025): one codebook of 4096, through the authors' own code at a fixed commit.

The paper does not say which checkpoints; taken are the two of the authors' speech models (small, LibriTTS), which lie
side by side. One utterance at a time: the authors' code does not support batches.
"""

from pathlib import Path

import torch

from codec_cliff.downloads.hub import hub_folder
from codec_cliff.downloads.pins import CODECS
from codec_cliff.downloads.sources import checkout, import_from
from codec_cliff.models.reference.adapter import Adapter
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


class WavTokenizer(Adapter):
    """WavTokenizer; codes are (1, N)."""

    @property
    def _bandwidth(self) -> torch.Tensor:
        return torch.tensor([BANDWIDTH], device=self._device)

    def _encode(self, audio: torch.Tensor) -> torch.Tensor:
        return self._model.encode_infer(audio[0], bandwidth_id=self._bandwidth)[1][:, 0]  # of (1, 1, N)

    def _decode(self, codes: torch.Tensor) -> torch.Tensor:
        features = self._model.codes_to_features(codes)  # (1, D, N)
        return self._model.decode(features, bandwidth_id=self._bandwidth)[0]
