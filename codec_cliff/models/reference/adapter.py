"""What published codecs in torch have in common: moved to the model's device and back, no gradients, the length kept."""

from typing import Any

import torch

from codec_cliff.models.codec import CodecFacts, fit_length


class Adapter:
    """A published codec; a subclass says what its `model` makes of audio (1, 1, T) and of codes, all on the model's device."""

    def __init__(self, facts: CodecFacts, model: Any, device: torch.device):
        self.facts = facts
        self._model = model
        self._device = device

    def _encode(self, audio: torch.Tensor) -> torch.Tensor:
        """Audio (1, 1, T) to codes (n_codebooks, N)."""
        raise NotImplementedError

    def _decode(self, codes: torch.Tensor) -> torch.Tensor:
        """Codes (n_codebooks, N) to audio (T,)."""
        raise NotImplementedError

    @torch.inference_mode()
    def encode(self, audio: torch.Tensor) -> torch.Tensor:
        """Audio (T,) to codes (n_codebooks, N), int64."""
        return self._encode(audio.to(self._device)[None, None]).cpu()

    @torch.inference_mode()
    def decode(self, codes: torch.Tensor, n_samples: int) -> torch.Tensor:
        """Codes (n_codebooks, N) to audio (n_samples,)."""
        return fit_length(self._decode(codes.to(self._device)).cpu(), n_samples)
