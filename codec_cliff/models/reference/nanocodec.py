"""NanoCodec at 22.05 kHz (Casanova et al., 2025), through NVIDIA's NeMo in its own environment: 12.5 Hz, 1.78 kbit/s.

Not in the paper. Of the three published models the one at 12.5 Hz that its card recommends for general use; the one of
0.6 kbit/s is meant for fine-tuning on few speakers. NeMo would also build what the model was trained against, and some of
that it would download without a pin: the archive's configuration is read without it.
"""

from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import torch

from codec_cliff.downloads.hub import hub_folder
from codec_cliff.downloads.pins import CODECS
from codec_cliff.errors import CodecError
from codec_cliff.models.reference.adapter import Adapter
from codec_cliff.models.reference.facts import check_facts

FILES = CODECS["nanocodec"][0]
WITHOUT = {
    "discriminator": None,
    "use_slm_loss": False,
    "use_scl_loss": False,
}  # adversaries, and losses with models of their own


def load(codec_id: str, cache: Path, device: torch.device) -> "NanoCodec":
    """`nanocodec`; CodecError outside the environment `envs/nemo.yaml`."""
    if find_spec("nemo") is None:
        raise CodecError(
            f"{codec_id}: needs nemo-toolkit[tts]; run its rule in the environment envs/nemo.yaml (snakemake "
            "--software-deployment-method conda), or leave it out of tables.reference_codecs"
        )
    path = hub_folder(FILES, cache) / FILES.names[0]
    model = _restored(import_module("nemo.collections.tts.models").AudioCodecModel, str(path), device)
    facts = check_facts(
        codec_id,
        sample_rate=int(model.sample_rate),
        frame_rate=int(model.sample_rate) / int(model.samples_per_frame),
        n_codebooks=int(model.num_codebooks),
        codebook_size=int(model.codebook_size),
    )
    return NanoCodec(facts, model.eval(), device)


def _restored(model: Any, path: str, device: torch.device) -> Any:
    """NeMo's model of an archive, as far as it codes."""
    config = model.restore_from(path, map_location=device, return_config=True)
    for name, value in WITHOUT.items():
        config[name] = value
    return model.restore_from(path, override_config_path=config, map_location=device)


class NanoCodec(Adapter):
    """NanoCodec; 13 codebooks."""

    def _encode(self, audio: torch.Tensor) -> torch.Tensor:
        lengths = torch.tensor([audio.shape[-1]], device=self._device)
        codes, _ = self._model.encode(audio=audio[0], audio_len=lengths)  # (1, n_codebooks, N)
        return codes[0].long()

    def _decode(self, codes: torch.Tensor) -> torch.Tensor:
        lengths = torch.tensor([codes.shape[1]], device=self._device)
        audio, _ = self._model.decode(tokens=codes[None], tokens_len=lengths)  # (1, T)
        return audio[0].float()
