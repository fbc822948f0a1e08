"""Models of transformers, loaded whole: what their files lack, the library would fill with random numbers and go on."""

from pathlib import Path

import torch
from transformers import PreTrainedModel, __version__

from codec_cliff.errors import CodecError

SHOWN = 3


def load_pretrained(architecture: type[PreTrainedModel], folder: Path) -> PreTrainedModel:
    """The model in float32, on the CPU; CodecError where its files lack weights that this version of transformers asks for."""
    model, report = architecture.from_pretrained(folder, dtype=torch.float32, output_loading_info=True)
    if missing := sorted(report["missing_keys"]):
        raise CodecError(
            f"{folder}: lacks {len(missing)} weights that the {architecture.__name__} of transformers {__version__} asks for "
            f"({', '.join(missing[:SHOWN])}{' ...' if len(missing) > SHOWN else ''}); delete it, and what its links lead to, to "
            "have it downloaded again; if they are still missing, install the transformers of uv.lock (uv sync)"
        )
    return model
