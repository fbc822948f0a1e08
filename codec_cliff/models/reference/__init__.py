"""The published codecs of Table 1, some beyond it, and Opus: one adapter each, one signature, loaded by id.

Only the module of the codec that is asked for is imported, for each brings its own heavy libraries.
"""

from importlib import import_module
from pathlib import Path

import torch

from codec_cliff.errors import CodecError
from codec_cliff.models.codec import Codec
from codec_cliff.models.reference.facts import PUBLISHED, opus_kbps

_ADAPTERS = {
    "dac_16k": "dac",
    "bigcodec": "bigcodec",
    "dac_24k": "dac",
    "qwen3_tts_12hz": "qwen3",
    "mimi_8": "mimi",
    "mimi_32": "mimi",
    "snac_24k": "snac",
    "wavtokenizer_75": "wavtokenizer",
    "wavtokenizer_40": "wavtokenizer",
    "encodec_3": "encodec",
    "encodec_6": "encodec",
    "speechtokenizer": "speechtokenizer",
    "nanocodec": "nanocodec",
    "flexicodec": "flexicodec",
    "lyra_3200": "lyra",
    "lyra_6000": "lyra",
    "lyra_9200": "lyra",
}


def load_reference_codec(codec_id: str, cache: str | Path, device: str | torch.device) -> Codec:
    """Load a published codec (section 3.1), with its weights below `cache`, downloading what is not there yet.

    Codes and audio come back on the CPU, whatever the device. Raises CodecError, naming the remedy, for an unknown id,
    a missing package or environment, a failed download, and weights that are not what `facts.py` declares.
    """
    name = "opus" if opus_kbps(codec_id) else _ADAPTERS.get(codec_id)
    if name is None:
        raise CodecError(f"{codec_id}: no such published codec; known: {', '.join(PUBLISHED)}, opus_<kbps>")
    module = import_module(f"{__name__}.{name}")
    return module.load(codec_id, Path(cache), torch.device(device))
