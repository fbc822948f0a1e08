"""Weights of published codecs, read without running code from them."""

import pickle
from pathlib import Path
from typing import Any

import torch

from codec_cliff.errors import CodecError
from codec_cliff.models.reference.unpickling import load_inert


def load_checkpoint(path: Path) -> Any:
    """A torch checkpoint on the CPU, read without running any code from it; objects other than tensors may be `Inert`.

    Raises CodecError for a file that is no readable checkpoint.
    """
    try:
        try:
            return torch.load(path, map_location="cpu", weights_only=True)
        except pickle.UnpicklingError:
            return load_inert(path)
    except (pickle.UnpicklingError, RuntimeError, EOFError, OSError, TypeError) as error:
        reason = (str(error).strip().splitlines() or [type(error).__name__])[0]
        raise CodecError(
            f"{path}: is no readable checkpoint ({reason}); delete it to have it downloaded again"
        ) from error
