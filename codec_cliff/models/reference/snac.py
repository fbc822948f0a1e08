"""SNAC at 24 kHz (Siuzdak, 2024), through the `snac` package: three levels at 11.7, 23.4 and 46.9 Hz.

Its codes are no rectangle, so `encode` gives a list of three tensors, which codebook statistics leave out.
"""

import json
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path

import torch

from codec_cliff.downloads.hub import hub_folder
from codec_cliff.downloads.pins import CODECS
from codec_cliff.errors import CodecError
from codec_cliff.models.codec import CodecFacts, fit_length
from codec_cliff.models.reference.facts import check_facts
from codec_cliff.models.reference.weights import load_checkpoint

FILES = CODECS["snac_24k"][0]
NOISE_SEED = 0  # the decoder adds noise to its layers; seeded, so that codes always decode to the same audio


def load(codec_id: str, cache: Path, device: torch.device) -> "Snac":
    """`snac_24k`; CodecError where the package is not installed."""
    if find_spec("snac") is None:
        raise CodecError("snac_24k: the package snac is not installed; install it with `pip install snac==1.2.1`")
    folder = hub_folder(FILES, cache)
    model = import_module("snac").SNAC(**json.loads((folder / "config.json").read_text()))
    model.load_state_dict(load_checkpoint(folder / "pytorch_model.bin"))
    facts = check_facts(
        codec_id,
        sample_rate=model.sampling_rate,
        frame_rate=model.sampling_rate / int(model.hop_length),
        n_codebooks=model.n_codebooks,
        codebook_size=model.codebook_size,
    )
    return Snac(facts, model.to(device).eval(), device)


class Snac:
    """SNAC; codes are three int64 tensors (N / 4,), (N / 2,) and (N,), N frames at `facts.frame_rate`."""

    def __init__(self, facts: CodecFacts, model: torch.nn.Module, device: torch.device):
        self.facts = facts
        self._model = model
        self._device = device

    @torch.inference_mode()
    def encode(self, audio: torch.Tensor) -> list[torch.Tensor]:
        """Audio (T,), padded by the model to 2048 samples, to the codes of the three levels, slowest first."""
        return [codes[0].cpu() for codes in self._model.encode(audio.to(self._device)[None, None])]

    @torch.inference_mode()
    def decode(self, codes: list[torch.Tensor], n_samples: int) -> torch.Tensor:
        """The codes of the three levels to audio (n_samples,)."""
        with torch.random.fork_rng(devices=[self._device] if self._device.type == "cuda" else []):
            torch.manual_seed(NOISE_SEED)
            audio = self._model.decode([level.to(self._device)[None] for level in codes])
        return fit_length(audio[0, 0].cpu(), n_samples)
