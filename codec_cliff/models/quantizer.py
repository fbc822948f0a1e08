"""DAC's residual quantizer with its dropout drawn outside, so that a batch in parts is quantized as the whole batch would be."""

import torch
from dac.nn.quantize import ResidualVectorQuantize
from torch import nn


def draw_levels(batch_clips: int, n_codebooks: int, dropout: float) -> torch.Tensor:
    """How many codebooks each clip of a batch uses, (B,): all, but for a share `dropout` of the clips, which use 1 to all at random.

    The draws are those of DAC's quantizer in training, from torch's global random state.
    """
    levels = torch.full((batch_clips,), n_codebooks)
    drawn = torch.randint(1, n_codebooks + 1, (batch_clips,))
    n_dropped = int(batch_clips * dropout)
    levels[:n_dropped] = drawn[:n_dropped]
    return levels


class LevelledQuantizer(ResidualVectorQuantize):
    """Drop-in for dac.nn.quantize.ResidualVectorQuantize that also takes the number of codebooks clip by clip."""

    def forward(self, z: torch.Tensor, n_quantizers: torch.Tensor | int | None = None) -> tuple[torch.Tensor, ...]:
        """z (B, D, N), n_quantizers (B,) to quantized z, codes (B, n_codebooks, N), latents, commitment and codebook loss."""
        if not isinstance(n_quantizers, torch.Tensor):
            return super().forward(z, n_quantizers)
        if z.dtype != torch.bfloat16:
            return self._levelled(z, n_quantizers)
        with torch.autocast(z.device.type, enabled=False):  # nearest codes are chosen by small differences
            return self._levelled(z.float(), n_quantizers)

    def _levelled(self, z: torch.Tensor, n_quantizers: torch.Tensor) -> tuple[torch.Tensor, ...]:
        quantized, residual, commitment, codebook, codes, latents = 0, z, 0, 0, [], []
        for level, quantizer in enumerate(self.quantizers):
            part, commitment_part, codebook_part, indices, latent = quantizer(residual)
            used = (level < n_quantizers).to(z.dtype)  # (B,)
            quantized = quantized + part * used[:, None, None]
            residual = residual - part
            commitment = commitment + (commitment_part * used).mean()
            codebook = codebook + (codebook_part * used).mean()
            codes.append(indices)
            latents.append(latent)
        return quantized, torch.stack(codes, dim=1), torch.cat(latents, dim=1), commitment, codebook


def replace_quantizer(model: nn.Module) -> nn.Module:
    """Swap DAC's quantizer for this one; parameters and their names stay."""
    for module in model.modules():
        if type(module) is ResidualVectorQuantize:
            module.__class__ = LevelledQuantizer
    return model
