"""Convolutions with one channel in or out as matrix products over their taps: cuDNN has nothing but its slowest engines for them.

Taps are filled up with zeros to eight, as matrix units take them.
"""

from collections.abc import Callable

import torch
from torch import nn


def _padded(taps: int) -> int:
    return -(-taps // 8) * 8


def without_autocast(forward: Callable[..., torch.Tensor]) -> Callable[..., torch.Tensor]:
    """A function's forward whose precisions are its own."""

    def wrapped(ctx, x: torch.Tensor, *others: object) -> torch.Tensor:
        with torch.autocast(x.device.type, enabled=False):
            return forward(ctx, x, *others)

    return wrapped


def product(a: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
    """a @ b in float32 whatever goes in: sums of products must not be rounded before they are added up."""
    if a.is_cuda and a.dtype != torch.float32:
        return torch.mm(a, b, out_dtype=torch.float32)
    return a.float() @ b.float()


class FromOneChannel(torch.autograd.Function):
    """Convolution along L of x (B, 1, L, P) with w (D, 1, taps, 1), without bias; to (B, D, L', P), channels last in memory."""

    @staticmethod
    @without_autocast
    def forward(ctx, x: torch.Tensor, w: torch.Tensor, stride: int, padding: int) -> torch.Tensor:
        clips, _, length, columns = x.shape
        taps, wide = w.shape[2], _padded(w.shape[2])
        out = (length + 2 * padding - taps) // stride + 1
        rows = (out - 1) * stride + wide
        padded = nn.functional.pad(x[:, 0], (0, 0, padding, rows - length - padding))
        strides = (rows * columns, stride * columns, 1, columns)
        windows = padded.as_strided((clips, out, columns, wide), strides).to(
            w.dtype, memory_format=torch.contiguous_format
        )
        windows = windows.contiguous().view(-1, wide)
        flat = nn.functional.pad(w.reshape(-1, taps), (0, wide - taps))  # (D, wide)
        ctx.save_for_backward(windows, flat)
        ctx.shape, ctx.settings, ctx.weight = x.shape, (stride, padding, taps, out), w.shape
        return torch.mm(windows, flat.t()).view(clips, out, columns, -1).permute(0, 3, 1, 2)

    @staticmethod
    def backward(ctx, gradient: torch.Tensor) -> tuple[torch.Tensor | None, ...]:
        windows, flat = ctx.saved_tensors
        taps = ctx.settings[2]
        gradient = gradient.permute(0, 2, 3, 1).reshape(windows.shape[0], -1)
        gradient_x = gradient_w = None
        if ctx.needs_input_grad[0]:
            gradient_x = fold(product(gradient, flat), ctx.shape, *ctx.settings)
        if ctx.needs_input_grad[1]:
            gradient_w = torch.mm(gradient.t(), windows)[:, :taps].reshape(ctx.weight)
        return gradient_x, gradient_w, None, None


def fold(windows: torch.Tensor, shape: torch.Size, stride: int, padding: int, taps: int, out: int) -> torch.Tensor:
    """The adjoint of taking windows: (B * L' * P, wide) to (B, 1, L, P). Windows overlap `times` times."""
    clips, _, length, columns = shape
    wide, times = windows.shape[1], -(-taps // stride)
    blocks = -(-(length + padding) // stride)
    windows = windows.view(clips, out, columns, wide)
    after = max(0, blocks - out)
    padded = nn.functional.pad(windows, (0, 0, 0, 0, times - 1, after))  # (B, times - 1 + out + after, P, wide)
    row = columns * wide
    strides = (padded.stride(0), row, 1, wide, row - stride)  # block, place in it, column, overlap
    sheared = padded.as_strided((clips, blocks, stride, columns, times), strides, (times - 1) * stride)
    whole = sheared.sum(-1).view(clips, blocks * stride, columns)
    return whole[:, padding : padding + length].unsqueeze(1)


class ToOneChannel(torch.autograd.Function):
    """ "Same" convolution of x (B, C, H, W), channels last in memory, with w (1, C, kh, kw), without bias; to float32 (B, 1, H, W)."""

    @staticmethod
    @without_autocast
    def forward(ctx, x: torch.Tensor, w: torch.Tensor) -> torch.Tensor:
        clips, channels, height, width = x.shape
        _, _, kh, kw = w.shape
        wide = _padded(kh * kw)
        rows = x.permute(0, 2, 3, 1).reshape(-1, channels)
        flat = nn.functional.pad(w[0].reshape(channels, -1), (0, wide - kh * kw))  # (C, wide)
        values = product(rows, flat).view(clips, height, width, wide)
        values = nn.functional.pad(values, (0, 0, kw // 2, kw // 2, kh // 2, kh // 2))
        line = values.stride(1)
        strides = (values.stride(0), line, wide, line + kw, wide + 1)
        ctx.save_for_backward(rows, flat)
        ctx.shape, ctx.kernel = x.shape, (kh, kw)
        return values.as_strided((clips, height, width, kh, kw), strides).sum((-1, -2)).unsqueeze(1)

    @staticmethod
    def backward(ctx, gradient: torch.Tensor) -> tuple[torch.Tensor | None, ...]:
        rows, flat = ctx.saved_tensors
        (clips, channels, height, width), (kh, kw) = ctx.shape, ctx.kernel
        taps, wide = kh * kw, flat.shape[1]
        padded = nn.functional.pad(gradient[:, 0].to(rows.dtype), (kw // 2, kw // 2, kh // 2, kh // 2))
        line = padded.stride(1)
        windows = padded.as_strided((clips, height, width, kh, kw), (padded.stride(0), line, 1, line, 1))
        windows = nn.functional.pad(windows.reshape(-1, taps), (0, wide - taps))  # the taps mirrored
        gradient_x = gradient_w = None
        if ctx.needs_input_grad[0]:
            mirrored = nn.functional.pad(flat[:, :taps].flip(1), (0, wide - taps))
            gradient_x = torch.mm(windows, mirrored.t()).view(clips, height, width, channels).permute(0, 3, 1, 2)
        if ctx.needs_input_grad[1]:
            of_taps = product(rows.t(), windows)[:, :taps].flip(1)
            gradient_w = of_taps.reshape(1, channels, kh, kw).to(flat.dtype)
        return gradient_x, gradient_w
