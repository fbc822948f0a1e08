"""FlexiCodec at 16 kHz (Li et al., 2025), in its own environment: it merges alike frames, 3 to 12.5 a second.

Not in the paper. Its codes are no rectangle (semantic and acoustic ones, and how many frames each stands for), so
codebook statistics leave it out; its frame rate is the one measured, 12.5 Hz the most there can be. Its configuration,
which says how large the codebooks are, lies on the hub: no bitrate is declared.
"""

from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import torch

from codec_cliff.downloads.hub import hub_folder
from codec_cliff.downloads.pins import CODECS
from codec_cliff.errors import CodecError
from codec_cliff.models.codec import fit_length
from codec_cliff.models.reference.facts import reference_facts

FILES, SENSEVOICE = CODECS["flexicodec"]
N_QUANTIZERS, THRESHOLD = 8, 0.91  # the defaults of the authors' `encode_flexicodec`: about 8 frames a second
TAIL = 1600  # samples of silence behind the recording: features and codec count in other steps, and up to 84 ms would be lost
DITHER_SEED = 0  # the features' filter bank adds noise; seeded, so that a recording always has the same codes
KEPT = ("semantic_codes", "acoustic_codes", "token_lengths")


def load(codec_id: str, cache: Path, device: torch.device) -> "FlexiCodec":
    """`flexicodec`; CodecError outside the environment `envs/flexicodec.yaml`."""
    if find_spec("flexicodec") is None:
        raise CodecError(
            f"{codec_id}: needs flexicodec 0.1.1 and funasr; run its rule in the environment envs/flexicodec.yaml "
            "(snakemake --software-deployment-method conda), or leave it out of tables.reference_codecs"
        )
    config, weights = (str(hub_folder(FILES, cache) / name) for name in FILES.names)
    infer = import_module("flexicodec.infer")
    sensevoice = str(hub_folder(SENSEVOICE, cache))
    model = infer.prepare_model(sensevoice, device=device, ckpt_path=weights, config_path=config)
    return FlexiCodec(infer, model)


class FlexiCodec:
    """FlexiCodec; `encode` gives the dictionary that its `decode` takes."""

    def __init__(self, infer: Any, model: Any):
        self.facts = reference_facts("flexicodec")
        self._infer, self._model = infer, model
        self._frames, self._seconds = 0, 0.0

    @property
    def measured_frame_rate(self) -> float:
        """Frames a second over all `encode` calls."""
        return self._frames / self._seconds if self._seconds else 0.0

    @torch.inference_mode()
    def encode(self, audio: torch.Tensor) -> dict[str, torch.Tensor]:
        """Audio (T,) to the merged frames' codes and lengths."""
        with torch.random.fork_rng(devices=[]):  # the features are made on the CPU
            torch.default_generator.manual_seed(DITHER_SEED)
            output = self._infer.encode_flexicodec(
                torch.nn.functional.pad(audio, (0, TAIL))[None],
                self._model,
                self.facts.sample_rate,
                num_quantizers=N_QUANTIZERS,
                merging_threshold=THRESHOLD,
            )
        self._frames += output["token_lengths"].shape[-1]
        self._seconds += len(audio) / self.facts.sample_rate
        return {name: output[name] for name in KEPT}

    @torch.inference_mode()
    def decode(self, codes: dict[str, torch.Tensor], n_samples: int) -> torch.Tensor:
        """Codes and lengths to audio (n_samples,)."""
        return fit_length(self._model["model"].decode_from_codes(**codes).reshape(-1).float().cpu(), n_samples)
