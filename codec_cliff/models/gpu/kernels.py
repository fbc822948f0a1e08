"""Triton kernels for what lies between a step's matrix products: Snake, bias with leaky ReLU, weight norm.

Each reads and writes activations in their own precision and computes in float32. Sums over clips and time go through one partial sum a
program, added afterwards, so that nothing depends on the order in which programs end.
"""

import torch
import triton
import triton.language as tl

EPSILON = tl.constexpr(1e-9)  # as in dac.nn.layers.snake


@triton.jit
def _tile(channels, times, BLOCK_T: tl.constexpr, BLOCK_C: tl.constexpr):
    time = tl.program_id(1) * BLOCK_T + tl.arange(0, BLOCK_T)
    channel = tl.program_id(2) * BLOCK_C + tl.arange(0, BLOCK_C)
    inside = (time < times)[:, None] & (channel < channels)[None, :]
    return time, channel, inside


@triton.jit
def _snake_forward(
    x, bias, alpha, y, channels, times, clip, step_c, step_t,
    BIAS: tl.constexpr, BLOCK_T: tl.constexpr, BLOCK_C: tl.constexpr,
):  # fmt: skip
    time, channel, inside = _tile(channels, times, BLOCK_T, BLOCK_C)
    place = tl.program_id(0).to(tl.int64) * clip + time[:, None] * step_t + channel[None, :] * step_c
    z = tl.load(x + place, mask=inside, other=0.0).to(tl.float32)
    if BIAS:
        z += tl.load(bias + channel, mask=channel < channels, other=0.0).to(tl.float32)[None, :]
    a = tl.load(alpha + channel, mask=channel < channels, other=1.0).to(tl.float32)[None, :]
    sine = tl.sin(a * z)
    tl.store(y + place, (z + sine * sine / (a + EPSILON)).to(y.dtype.element_ty), mask=inside)


@triton.jit
def _snake_backward(
    gradient, x, bias, alpha, gradient_x, parts, channels, times, clip, step_c, step_t,
    BIAS: tl.constexpr, BLOCK_T: tl.constexpr, BLOCK_C: tl.constexpr,
):  # fmt: skip
    time, channel, inside = _tile(channels, times, BLOCK_T, BLOCK_C)
    place = tl.program_id(0).to(tl.int64) * clip + time[:, None] * step_t + channel[None, :] * step_c
    z = tl.load(x + place, mask=inside, other=0.0).to(tl.float32)
    if BIAS:
        z += tl.load(bias + channel, mask=channel < channels, other=0.0).to(tl.float32)[None, :]
    a = tl.load(alpha + channel, mask=channel < channels, other=1.0).to(tl.float32)[None, :]
    g = tl.load(gradient + place, mask=inside, other=0.0).to(tl.float32)
    inverse = 1.0 / (a + EPSILON)
    sine = tl.sin(a * z)
    double = 2.0 * sine * tl.cos(a * z)  # sin(2 a z)
    through = g * (1.0 + double * a * inverse)
    tl.store(gradient_x + place, through.to(gradient_x.dtype.element_ty), mask=inside)
    of_alpha = g * (z * double * inverse - sine * sine * inverse * inverse)
    row = (tl.program_id(0) * tl.num_programs(1) + tl.program_id(1)).to(tl.int64) * 2 * channels
    tl.store(parts + row + channel, tl.sum(tl.where(inside, of_alpha, 0.0), axis=0), mask=channel < channels)
    if BIAS:
        summed = tl.sum(tl.where(inside, through, 0.0), axis=0)
        tl.store(parts + row + channels + channel, summed, mask=channel < channels)


@triton.jit
def _leaky_forward(
    x, bias, y, slope, channels, times, clip, step_c, step_t, BLOCK_T: tl.constexpr, BLOCK_C: tl.constexpr
):
    time, channel, inside = _tile(channels, times, BLOCK_T, BLOCK_C)
    place = tl.program_id(0).to(tl.int64) * clip + time[:, None] * step_t + channel[None, :] * step_c
    z = tl.load(x + place, mask=inside, other=0.0).to(tl.float32)
    z += tl.load(bias + channel, mask=channel < channels, other=0.0).to(tl.float32)[None, :]
    tl.store(y + place, tl.where(z > 0, z, slope * z).to(y.dtype.element_ty), mask=inside)


@triton.jit
def _leaky_backward(
    gradient, y, gradient_x, parts, slope, channels, times, clip, step_c, step_t,
    SUM: tl.constexpr, BLOCK_T: tl.constexpr, BLOCK_C: tl.constexpr,
):  # fmt: skip
    time, channel, inside = _tile(channels, times, BLOCK_T, BLOCK_C)
    place = tl.program_id(0).to(tl.int64) * clip + time[:, None] * step_t + channel[None, :] * step_c
    kept = tl.load(y + place, mask=inside, other=0.0).to(tl.float32)  # has the sign of what went in
    g = tl.load(gradient + place, mask=inside, other=0.0).to(tl.float32)
    g = tl.where(kept > 0, g, slope * g)
    tl.store(gradient_x + place, g.to(gradient_x.dtype.element_ty), mask=inside)
    if SUM:
        row = (tl.program_id(0) * tl.num_programs(1) + tl.program_id(1)).to(tl.int64) * channels
        tl.store(parts + row + channel, tl.sum(tl.where(inside, g, 0.0), axis=0), mask=channel < channels)


@triton.jit
def _norm_forward(v, g, w, norms, channels, taps, columns, BLOCK: tl.constexpr):
    row, j = tl.program_id(0).to(tl.int64), tl.arange(0, BLOCK)
    source = (j % channels) * taps + j // channels  # from (channels, taps) to (taps, channels)
    value = tl.load(v + row * columns + source, mask=j < columns, other=0.0)
    norm = tl.sqrt(tl.sum(value * value, axis=0))
    tl.store(norms + row, norm)
    scale = tl.load(g + row) / norm
    tl.store(w + row * columns + j, (value * scale).to(w.dtype.element_ty), mask=j < columns)


@triton.jit
def _norm_backward(gradient, v, g, norms, gradient_v, gradient_g, channels, taps, columns, BLOCK: tl.constexpr):
    row, j = tl.program_id(0).to(tl.int64), tl.arange(0, BLOCK)
    source = (j % channels) * taps + j // channels
    value = tl.load(v + row * columns + source, mask=j < columns, other=0.0)
    incoming = tl.load(gradient + row * columns + j, mask=j < columns, other=0.0).to(tl.float32)
    norm, product = tl.load(norms + row), tl.sum(value * incoming, axis=0)
    tl.store(gradient_g + row, product / norm)
    scale, along = tl.load(g + row) / norm, product / (norm * norm)
    tl.store(gradient_v + row * columns + source, scale * (incoming - value * along), mask=j < columns)


def _dense(x: torch.Tensor) -> torch.Tensor:
    """x (B, C, T) as it is where its memory is (B, C, T) or (B, T, C) without gaps, else copied to the former."""
    return x if x.is_contiguous() or x.transpose(1, 2).is_contiguous() else x.contiguous()


def _alike(gradient: torch.Tensor, x: torch.Tensor) -> torch.Tensor:
    return gradient if gradient.stride() == x.stride() else torch.empty_like(x).copy_(gradient)


def _blocks(x: torch.Tensor) -> tuple[int, int]:
    """Rows and channels of a tile: whole cache lines along the axis that lies together in memory."""
    channels = x.shape[1]
    if x.stride(1) != 1 and x.shape[2] > 1:
        return 512, 4
    fitting = [block for block in (128, 64, 32) if channels % block == 0]
    block = fitting[0] if fitting else min(128, triton.next_power_of_2(channels))
    return 4096 // block, block


def _grid(x: torch.Tensor, blocks: tuple[int, int]) -> tuple[int, int, int]:
    return x.shape[0], triton.cdiv(x.shape[2], blocks[0]), triton.cdiv(x.shape[1], blocks[1])


def _where(x: torch.Tensor) -> tuple[int, ...]:
    return x.shape[1], x.shape[2], x.stride(0), x.stride(1), x.stride(2)


class Snake(torch.autograd.Function):
    """z + sin(alpha z)^2 / alpha of z = x + bias, for x (B, C, T) in either layout; bias (C,) or None, alpha (1, C, 1)."""

    @staticmethod
    def forward(ctx, x: torch.Tensor, bias: torch.Tensor | None, alpha: torch.Tensor) -> torch.Tensor:
        x = _dense(x)
        y, blocks = torch.empty_like(x), _blocks(x)
        _snake_forward[_grid(x, blocks)](
            x, alpha if bias is None else bias, alpha, y, *_where(x), bias is not None, *blocks
        )
        ctx.save_for_backward(x, bias, alpha)
        return y

    @staticmethod
    def backward(ctx, gradient: torch.Tensor) -> tuple[torch.Tensor | None, ...]:
        x, bias, alpha = ctx.saved_tensors
        gradient, gradient_x, blocks = _alike(gradient, x), torch.empty_like(x), _blocks(x)
        grid = _grid(x, blocks)
        parts = torch.empty(grid[0] * grid[1], 2, x.shape[1], device=x.device, dtype=torch.float32)
        _snake_backward[grid](
            gradient,
            x,
            alpha if bias is None else bias,
            alpha,
            gradient_x,
            parts,
            *_where(x),
            bias is not None,
            *blocks,
        )
        if bias is None:
            return gradient_x, None, parts[:, 0].sum(0).view_as(alpha)
        sums = parts.sum(0)
        return gradient_x, sums[1], sums[0].view_as(alpha)


class BiasLeaky(torch.autograd.Function):
    """leaky ReLU of x + bias, for x (B, C, T) in either layout."""

    @staticmethod
    def forward(ctx, x: torch.Tensor, bias: torch.Tensor, slope: float) -> torch.Tensor:
        x = _dense(x)
        y, blocks = torch.empty_like(x), _blocks(x)
        _leaky_forward[_grid(x, blocks)](x, bias, y, slope, *_where(x), *blocks)
        ctx.save_for_backward(y)
        ctx.slope = slope
        return y

    @staticmethod
    def backward(ctx, gradient: torch.Tensor) -> tuple[torch.Tensor | None, ...]:
        (y,) = ctx.saved_tensors
        gradient, gradient_x, blocks = _alike(gradient, y), torch.empty_like(y), _blocks(y)
        grid, summed = _grid(y, blocks), ctx.needs_input_grad[1]
        size = grid[0] * grid[1] if summed else 0
        parts = torch.empty(size, y.shape[1], device=y.device, dtype=torch.float32)
        _leaky_backward[grid](gradient, y, gradient_x, parts, ctx.slope, *_where(y), summed, *blocks)
        return gradient_x, parts.sum(0) if summed else None, None


class WeightNorm(torch.autograd.Function):
    """g v / |v| a row, for v (D, C, ...) and g (D, 1, ...): in `dtype`, and with the channels last in memory."""

    @staticmethod
    def forward(ctx, v: torch.Tensor, g: torch.Tensor, dtype: torch.dtype, last: bool) -> torch.Tensor:
        rows, channels, *kernel = v.shape
        taps = v[0, 0].numel()
        order = (channels, taps) if last else (channels * taps, 1)
        w = torch.empty(rows, *((*kernel, channels) if last else (channels, *kernel)), dtype=dtype, device=v.device)
        norms = torch.empty(rows, dtype=torch.float32, device=v.device)
        _norm_forward[(rows,)](v, g, w, norms, *order, channels * taps, **_norm_block(channels * taps))
        ctx.save_for_backward(v, g, norms)
        ctx.order, ctx.last = order, last
        return w.movedim(-1, 1) if last else w

    @staticmethod
    def backward(ctx, gradient: torch.Tensor) -> tuple[torch.Tensor | None, ...]:
        v, g, norms = ctx.saved_tensors
        gradient = (gradient.movedim(1, -1) if ctx.last else gradient).contiguous()
        gradient_v, gradient_g = torch.empty_like(v), torch.empty_like(g)
        columns = v[0].numel()
        _norm_backward[(v.shape[0],)](
            gradient, v, g, norms, gradient_v, gradient_g, *ctx.order, columns, **_norm_block(columns)
        )
        return gradient_v, gradient_g, None, None


def _norm_block(columns: int) -> dict[str, int]:
    """A row at once."""
    block = triton.next_power_of_2(columns)
    return {"BLOCK": block, "num_warps": min(16, max(1, block // 512))}
