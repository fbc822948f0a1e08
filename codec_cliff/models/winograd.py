"""Convolutions over time with fewer multiplications: Toom-Cook's (Winograd's) F(m, r) as batched matrix products.

F(m, r) makes m outputs of an r-tap filter from m + r - 1 products instead of m * r: 8 instead of 20 at F(4, 5). Source of the
scheme: Lavin and Gray, Fast Algorithms for Convolutional Neural Networks, https://arxiv.org/abs/1509.09308; the matrices are made
here from the points, in rationals.
"""

from fractions import Fraction
from functools import cache

import torch
from torch import nn

POINTS = [
    Fraction(value) for value in (0, 1, -1, 2, -2, "1/2", "-1/2")
]  # and infinity: small, so that rounding stays small


@cache
def matrices(outputs: int, taps: int) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """A (outputs, n), G (n, taps) and B (n, n) of F(outputs, taps), n = outputs + taps - 1: y = A ((G w) * (B x)).

    Correlation is the transpose of polynomial multiplication: evaluate at n - 1 points and infinity, multiply, interpolate.
    """
    n = outputs + taps - 1
    points = POINTS[: n - 1]
    rows = [[point**power for power in range(n)] for point in points]
    evaluate_outputs = [row[:outputs] for row in rows] + [_last(outputs)]
    evaluate_taps = [row[:taps] for row in rows] + [_last(taps)]
    interpolate = _inverse([*rows, _last(n)])  # (n, n): values to coefficients
    transposed = [[evaluate_outputs[i][j] for i in range(n)] for j in range(outputs)]
    a, g, b = transposed, evaluate_taps, [[interpolate[j][i] for j in range(n)] for i in range(n)]
    return tuple(
        torch.tensor([[float(value) for value in row] for row in matrix], dtype=torch.float64) for matrix in (a, g, b)
    )


def _last(length: int) -> list[Fraction]:
    return [Fraction(0)] * (length - 1) + [Fraction(1)]


def _inverse(matrix: list[list[Fraction]]) -> list[list[Fraction]]:
    """Gauss-Jordan over the rationals."""
    size = len(matrix)
    rows = [list(row) + [Fraction(int(i == j)) for j in range(size)] for i, row in enumerate(matrix)]
    for column in range(size):
        pivot = next(i for i in range(column, size) if rows[i][column])
        rows[column], rows[pivot] = rows[pivot], rows[column]
        rows[column] = [value / rows[column][column] for value in rows[column]]
        for i in range(size):
            if i != column and rows[i][column]:
                factor = rows[i][column]
                rows[i] = [value - factor * other for value, other in zip(rows[i], rows[column], strict=True)]
    return [row[size:] for row in rows]


class _Correlation(torch.autograd.Function):
    """Stride 1 over x (L + taps - 1, N, C) with `taps` taps given as kernels (n, D, C), to (L, N, D); gradients as cheaply."""

    @staticmethod
    def forward(ctx, x: torch.Tensor, kernels: torch.Tensor, taps: int) -> torch.Tensor:
        n, _, channels = kernels.shape
        outputs = n + 1 - taps
        a, _, b = (matrix.to(x) for matrix in matrices(outputs, taps))
        length = x.shape[0] - taps + 1
        tiles = -(-length // outputs)
        padded = nn.functional.pad(x, (0, 0, 0, 0, 0, tiles * outputs - length))
        windows = padded.unfold(0, n, outputs).permute(3, 0, 1, 2)  # (n, tiles, N, C)
        signals = (b @ windows.reshape(n, -1)).view(n, -1, channels)
        products = torch.bmm(signals, kernels.transpose(1, 2))  # (n, tiles * N, D)
        ctx.save_for_backward(signals, kernels)
        ctx.shape, ctx.taps = x.shape, taps
        y = (a @ products.view(n, -1)).view(outputs, tiles, x.shape[1], -1)
        return y.transpose(0, 1).flatten(0, 1)[:length]

    @staticmethod
    def backward(ctx, gradient: torch.Tensor) -> tuple[torch.Tensor | None, ...]:
        signals, kernels = ctx.saved_tensors
        (padded_length, clips, channels), n = ctx.shape, kernels.shape[0]
        outputs = n + 1 - ctx.taps
        a, _, b = (matrix.to(gradient) for matrix in matrices(outputs, ctx.taps))
        tiles = -(-gradient.shape[0] // outputs)
        gradient = nn.functional.pad(gradient, (0, 0, 0, 0, 0, tiles * outputs - gradient.shape[0]))
        gradient = gradient.view(tiles, outputs, -1).transpose(0, 1).reshape(outputs, -1)
        products = (a.T @ gradient).view(n, tiles * clips, -1)
        gradient_x = gradient_kernels = None
        if ctx.needs_input_grad[0]:
            windows = (b.T @ torch.bmm(products, kernels).view(n, -1)).view(n, tiles, clips, channels)
            gradient_x = windows.new_zeros(tiles * outputs + ctx.taps - 1, clips, channels)
            for position in range(n):
                gradient_x[position : position + (tiles - 1) * outputs + 1 : outputs] += windows[position]
            gradient_x = gradient_x[:padded_length]
        if ctx.needs_input_grad[1]:
            gradient_kernels = torch.bmm(products.transpose(1, 2), signals)
        return gradient_x, gradient_kernels, None


OUTPUTS = 4  # more would save more and round worse


def column_kernels(weight: torch.Tensor, stride: int) -> torch.Tensor:
    """The weight (D, C, taps, 1) of a convolution along columns, as `convolve_columns` takes it: (n, D, stride C)."""
    outputs, channels, taps, _ = weight.shape
    folded = -(-taps // stride)
    weight = nn.functional.pad(weight[..., 0], (0, folded * stride - taps)).view(outputs, channels, folded, stride)
    weight = weight.permute(2, 0, 3, 1).reshape(folded, -1)
    _, g, _ = matrices(OUTPUTS, folded)
    return (g.to(weight) @ weight).view(-1, outputs, stride * channels)


def convolve_columns(
    x: torch.Tensor, kernels: torch.Tensor, bias: torch.Tensor, taps: int, stride: int
) -> torch.Tensor:
    """conv2d of kernel (taps, 1) and padding taps // 2 along L: x (B, C, L, P), kernels (n, D, stride C) to (B, D, L', P).

    A stride s is folded into the channels: one layer of stride 1 over s times the channels and ceil(taps / s) taps.
    """
    clips, channels, length, columns = x.shape
    length_out, folded = (length + 2 * (taps // 2) - taps) // stride + 1, -(-taps // stride)
    rows = length_out + folded - 1
    x = nn.functional.pad(x, (0, 0, taps // 2, rows * stride - length - taps // 2))
    x = x.view(clips, channels, rows, stride, columns).permute(2, 0, 4, 3, 1)  # time-major: products are over all clips
    x = x.reshape(rows, clips * columns, stride * channels)
    y = _Correlation.apply(x, kernels, folded) + bias
    return y.view(length_out, clips, columns, -1).permute(1, 3, 0, 2)
