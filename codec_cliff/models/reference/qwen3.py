"""The Qwen3-TTS 12.5 Hz speech tokenizer at 24 kHz (Hu et al., 2026), through `qwen-tts` in its own environment.

Its decoder works in chunks of 300 frames (24 s) with 25 frames of left context: an utterance over 24 s crosses an edge.
"""

from importlib import import_module
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import torch

from codec_cliff.downloads.hub import hub_folder
from codec_cliff.downloads.pins import CODECS
from codec_cliff.errors import CodecError
from codec_cliff.models.codec import CodecFacts, fit_length
from codec_cliff.models.reference.facts import check_facts

TRANSFORMERS = "4.57.3"  # pinned by qwen-tts 0.1.1, whose model code does not run on later ones
FILES = CODECS["qwen3_tts_12hz"][0]


def load(codec_id: str, cache: Path, device: torch.device) -> "Qwen3Tokenizer":
    """`qwen3_tts_12hz`; CodecError outside the environment `envs/qwen.yaml`."""
    if find_spec("qwen_tts") is None or version("transformers") != TRANSFORMERS:
        raise CodecError(
            f"{codec_id}: needs qwen-tts 0.1.1 on transformers {TRANSFORMERS}, here is transformers "
            f"{version('transformers')}; run its rule in the environment envs/qwen.yaml (snakemake "
            "--software-deployment-method conda), or leave it out of tables.reference_codecs"
        )
    folder = hub_folder(FILES, cache)
    tokenizer = import_module("qwen_tts").Qwen3TTSTokenizer.from_pretrained(
        str(folder), dtype=torch.float32, device_map=str(device)
    )
    facts = check_facts(
        codec_id,
        sample_rate=tokenizer.get_output_sample_rate(),
        frame_rate=tokenizer.get_input_sample_rate() / tokenizer.get_encode_downsample_rate(),
    )
    return Qwen3Tokenizer(facts, tokenizer)


class Qwen3Tokenizer:
    """The tokenizer; codes are int64 (16, N)."""

    def __init__(self, facts: CodecFacts, tokenizer: Any):
        self.facts = facts
        self._tokenizer = tokenizer

    def encode(self, audio: torch.Tensor) -> torch.Tensor:
        """Audio (T,) to codes (n_codebooks, N)."""
        output = self._tokenizer.encode(audio.detach().cpu().numpy(), sr=self.facts.sample_rate)
        return output.audio_codes[0].T.cpu()  # the library has the frames first

    def decode(self, codes: torch.Tensor, n_samples: int) -> torch.Tensor:
        """Codes (n_codebooks, N) to audio (n_samples,)."""
        audio, _ = self._tokenizer.decode({"audio_codes": [codes.T]})
        return fit_length(torch.from_numpy(audio[0]), n_samples)
