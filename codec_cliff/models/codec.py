"""The one signature that every codec answers to, trained or published, and the door through which all are loaded."""

from dataclasses import dataclass
from typing import Any, Protocol

import torch


@dataclass(frozen=True)
class CodecFacts:
    """What Table 1 prints about a codec. `bitrate` is in bits a second; codecs without codebooks have 0 of them."""

    sample_rate: int
    frame_rate: float
    n_codebooks: int
    codebook_size: int
    bitrate: float


class Codec(Protocol):
    """A codec for mono speech at `facts.sample_rate`; audio is float32 in [-1, 1], shape (T,)."""

    facts: CodecFacts

    def encode(self, audio: torch.Tensor) -> Any:
        """Audio (T,) to codes: int64 (n_codebooks, N) where the codec has codebooks, else whatever `decode` takes."""
        ...

    def decode(self, codes: Any, n_samples: int) -> torch.Tensor:
        """Codes to audio, shape (n_samples,): trimmed, or zero-padded where the codec returns less."""
        ...


def fit_length(audio: torch.Tensor, n_samples: int) -> torch.Tensor:
    """Trim or zero-pad audio (T,) on the right to (n_samples,)."""
    return torch.nn.functional.pad(audio[:n_samples], (0, max(0, n_samples - audio.shape[0])))
