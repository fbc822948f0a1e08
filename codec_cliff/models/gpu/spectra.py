"""Frames and reflections of a signal whose gradients are sums in a fixed order: torch's own add in the order that threads come in."""

import torch

from codec_cliff.models.gpu.products import fold


class _Reflect(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x: torch.Tensor, left: int, right: int) -> torch.Tensor:
        ctx.sizes = left, x.shape[-1], right
        before, after = x[..., 1 : left + 1].flip(-1), x[..., x.shape[-1] - 1 - right : -1].flip(-1)
        return torch.cat([before, x, after], dim=-1)

    @staticmethod
    def backward(ctx, gradient: torch.Tensor) -> tuple[torch.Tensor | None, ...]:
        left, length, right = ctx.sizes
        before, middle, after = gradient.split([left, length, right], dim=-1)
        gradient_x = middle.clone()
        gradient_x[..., 1 : left + 1] += before.flip(-1)
        gradient_x[..., length - 1 - right : length - 1] += after.flip(-1)
        return gradient_x, None, None


class _Frames(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x: torch.Tensor, window: torch.Tensor, hop: int) -> torch.Tensor:
        clips, length = x.shape
        frames = (length - len(window)) // hop + 1
        ctx.save_for_backward(window)
        ctx.settings = x.shape, hop, frames
        return x.contiguous().as_strided((clips, frames, len(window)), (length, hop, 1)) * window

    @staticmethod
    def backward(ctx, gradient: torch.Tensor) -> tuple[torch.Tensor | None, ...]:
        (window,) = ctx.saved_tensors
        (clips, length), hop, frames = ctx.settings
        windows = (gradient * window).view(-1, len(window))
        return fold(windows, (clips, 1, length, 1), hop, 0, len(window), frames)[:, 0, :, 0], None, None


def reflect(x: torch.Tensor, left: int, right: int) -> torch.Tensor:
    """x (..., T) with its ends mirrored, (..., left + T + right)."""
    return _Reflect.apply(x, left, right)


def spectra(x: torch.Tensor, window: torch.Tensor, hop: int) -> torch.Tensor:
    """Complex spectra of x (B, T) without padding: (B, frames, bins), the bins together in memory. The hop divides the window."""
    return torch.fft.rfft(_Frames.apply(x, window, hop))
