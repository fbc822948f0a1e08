"""The published codecs of Table 1, some beyond it, and Opus: one adapter each, one signature, loaded by id.

Only the module of the codec that is asked for is imported, for each brings its own heavy libraries.
"""

from importlib import import_module
from pathlib import Path

import torch

from codec_cliff.errors import CodecError
from codec_cliff.models.codec import Codec
from codec_cliff.models.reference.facts import PUBLISHED, opus_kbps


def module_of(codec_id: str) -> str:
    """The module of a codec is the first word of its id: `mimi_8` and `mimi_32` are in mimi.py."""
    return codec_id.partition("_")[0]


def load_reference_codec(codec_id: str, cache: str | Path, device: str | torch.device) -> Codec:
    """Load a published codec (section 3.1), with its weights below `cache`, downloading what is not there yet.

    Codes and audio come back on the CPU, whatever the device. Raises CodecError, naming the remedy, for an unknown id,
    a missing package or environment, a failed download, and weights that are not what `facts.py` declares.
    """
    if codec_id not in PUBLISHED and not opus_kbps(codec_id):
        raise CodecError(f"{codec_id}: no such published codec; known: {', '.join(PUBLISHED)}, opus_<kbps>")
    module = import_module(f"{__name__}.{module_of(codec_id)}")
    return module.load(codec_id, Path(cache), torch.device(device))
