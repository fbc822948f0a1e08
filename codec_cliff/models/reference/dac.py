"""DAC at 16 and 24 kHz (Kumar et al., 2023), from the weights of its GitHub releases, through `dac.DAC`.

Right zero-padding to whole tokens as in the model's own `preprocess`; one pass over the utterance; no loudness
normalisation (`DAC.compress` brings audio to -16 LUFS and decodes in chunks: other figures). One of the published
strides is odd, so the decoder returns 8 samples too few; zeros replace them, the model stays as published.
"""

import inspect
from pathlib import Path

import dac
import torch

from codec_cliff.downloads.hub import download
from codec_cliff.downloads.pins import CODECS
from codec_cliff.errors import CodecError
from codec_cliff.models.reference.adapter import Adapter
from codec_cliff.models.reference.facts import check_facts
from codec_cliff.models.reference.weights import load_checkpoint


def load(codec_id: str, cache: Path, device: torch.device) -> "DescriptAudioCodec":
    """`dac_16k` or `dac_24k`; the weights lie at `<cache>/dac/<tag>/<file>`."""
    model = _model(download(CODECS[codec_id][0], cache))
    facts = check_facts(
        codec_id,
        sample_rate=model.sample_rate,
        frame_rate=model.sample_rate / model.hop_length,
        n_codebooks=model.n_codebooks,
        codebook_size=model.codebook_size,
    )
    return DescriptAudioCodec(facts, model.to(device).eval(), device)


def _model(path: Path) -> dac.DAC:
    # What audiotools' BaseModel.load does, but read safely, and with missing weights an error, not random numbers.
    checkpoint = load_checkpoint(path)
    known = inspect.signature(dac.DAC).parameters
    model = dac.DAC(**{key: value for key, value in checkpoint["metadata"]["kwargs"].items() if key in known})
    missing = model.load_state_dict(checkpoint["state_dict"], strict=False).missing_keys
    if missing:
        raise CodecError(f"{path}: lacks {len(missing)} weights, first {missing[0]}; delete it to download it again")
    return model


class DescriptAudioCodec(Adapter):
    """A published DAC."""

    def _encode(self, audio: torch.Tensor) -> torch.Tensor:
        return self._model.encode(self._model.preprocess(audio, self.facts.sample_rate))[1][0]

    def _decode(self, codes: torch.Tensor) -> torch.Tensor:
        z = self._model.quantizer.from_codes(codes[None])[0]  # (1, D, N)
        return self._model.decode(z)[0, 0]
