"""Codecs of transformers, loaded whole."""

from pathlib import Path

import torch
from transformers import PreTrainedModel

from codec_cliff.downloads.whole import check_whole
from codec_cliff.errors import CodecError


def load_pretrained(architecture: type[PreTrainedModel], folder: Path) -> PreTrainedModel:
    """The model in float32, on the CPU; CodecError where its files lack weights that this version of transformers asks for."""
    model, report = architecture.from_pretrained(folder, dtype=torch.float32, output_loading_info=True)
    check_whole(model, report, folder, CodecError)
    return model
