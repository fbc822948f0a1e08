"""Triton kernels for what lies between a step's matrix products: Snake, bias with leaky ReLU, weight norm.

Each reads and writes activations in their own precision and computes in float32. Sums over clips and time go through one partial sum a
program, added afterwards, so that nothing depends on the order in which programs end.
"""

import torch
import triton
import triton.language as tl

EPSILON = tl.constexpr(1e-9)  # as in dac.nn.layers.snake
NORM_BLOCKS = (256, 1024, 4096, 16384, 65536)  # a row longer than the last is torch's


@triton.jit
def _sine_squared_and_double(angle):
    """sin(angle)^2 and sin(2 angle): both have period pi, so that polynomials over half a turn do, without signs or branches."""
    turns = tl.floor(angle * 0.3183098861837907 + 0.5)
    rest = angle - turns * 3.140625 - turns * 9.67653589793e-4  # pi in two parts
    square = rest * rest
    sine = -2.5052108385e-8 * square + 2.7557319224e-6
    sine = sine * square - 1.9841269841e-4
    sine = sine * square + 8.3333333333e-3
    sine = sine * square - 1.6666666667e-1
    sine = rest + rest * square * sine
    cosine = 2.0876756988e-9 * square - 2.7557319224e-7
    cosine = cosine * square + 2.4801587302e-5
    cosine = cosine * square - 1.3888888889e-3
    cosine = cosine * square + 4.1666666667e-2
    cosine = cosine * square - 0.5
    cosine = cosine * square + 1.0
    return sine * sine, 2.0 * sine * cosine


@triton.jit
def _tile(turn, channels, times, step_c, step_t, ROUNDS: tl.constexpr, BLOCK_T: tl.constexpr, BLOCK_C: tl.constexpr):
    time = (tl.program_id(0) * ROUNDS + turn) * BLOCK_T + tl.arange(0, BLOCK_T)
    channel = tl.program_id(2) * BLOCK_C + tl.arange(0, BLOCK_C)
    inside = (time < times)[:, None] & (channel < channels)[None, :]
    return time.to(tl.int64)[:, None] * step_t + channel[None, :] * step_c, inside


@triton.jit(do_not_specialize=["times"])
def _snake_forward(
    x, bias, alpha, y, channels, times, clip_x, clip_y, step_c, step_t,
    BIAS: tl.constexpr, ROUNDS: tl.constexpr, BLOCK_T: tl.constexpr, BLOCK_C: tl.constexpr,
):  # fmt: skip
    clip, channel = tl.program_id(1).to(tl.int64), tl.program_id(2) * BLOCK_C + tl.arange(0, BLOCK_C)
    a = tl.load(alpha + channel, mask=channel < channels, other=1.0).to(tl.float32)[None, :]
    inverse = 1.0 / (a + EPSILON)
    for turn in range(ROUNDS):
        place, inside = _tile(turn, channels, times, step_c, step_t, ROUNDS, BLOCK_T, BLOCK_C)
        z = tl.load(x + clip * clip_x + place, mask=inside, other=0.0).to(tl.float32)
        if BIAS:
            z += tl.load(bias + channel, mask=channel < channels, other=0.0).to(tl.float32)[None, :]
        square, _ = _sine_squared_and_double(a * z)
        tl.store(y + clip * clip_y + place, (z + square * inverse).to(y.dtype.element_ty), mask=inside)


@triton.jit(do_not_specialize=["times"])
def _snake_backward(
    gradient, x, bias, alpha, gradient_x, parts, channels, times, clip_g, clip_x, clip_y, step_c, step_t,
    BIAS: tl.constexpr, ROUNDS: tl.constexpr, BLOCK_T: tl.constexpr, BLOCK_C: tl.constexpr,
):  # fmt: skip
    clip, channel = tl.program_id(1).to(tl.int64), tl.program_id(2) * BLOCK_C + tl.arange(0, BLOCK_C)
    a = tl.load(alpha + channel, mask=channel < channels, other=1.0).to(tl.float32)[None, :]
    inverse = 1.0 / (a + EPSILON)
    of_alpha = tl.zeros((BLOCK_T, BLOCK_C), dtype=tl.float32)
    of_bias = tl.zeros((BLOCK_T, BLOCK_C), dtype=tl.float32)
    for turn in range(ROUNDS):
        place, inside = _tile(turn, channels, times, step_c, step_t, ROUNDS, BLOCK_T, BLOCK_C)
        z = tl.load(x + clip * clip_x + place, mask=inside, other=0.0).to(tl.float32)
        g = tl.load(gradient + clip * clip_g + place, mask=inside, other=0.0).to(tl.float32)
        if BIAS:
            z += tl.load(bias + channel, mask=channel < channels, other=0.0).to(tl.float32)[None, :]
        square, double = _sine_squared_and_double(a * z)
        through = g * (1.0 + double * a * inverse)
        tl.store(gradient_x + clip * clip_y + place, through.to(gradient_x.dtype.element_ty), mask=inside)
        of_alpha += g * (z * double - square * inverse)  # g is zero outside
        of_bias += through
    row = (clip * tl.num_programs(0) + tl.program_id(0)) * 2 * channels
    tl.store(parts + row + channel, tl.sum(of_alpha * inverse, axis=0), mask=channel < channels)
    if BIAS:
        tl.store(parts + row + channels + channel, tl.sum(of_bias, axis=0), mask=channel < channels)


@triton.jit(do_not_specialize=["times"])
def _leaky_forward(
    x, bias, y, slope, channels, times, clip_x, clip_y, step_c, step_t,
    ROUNDS: tl.constexpr, BLOCK_T: tl.constexpr, BLOCK_C: tl.constexpr,
):  # fmt: skip
    clip, channel = tl.program_id(1).to(tl.int64), tl.program_id(2) * BLOCK_C + tl.arange(0, BLOCK_C)
    offset = tl.load(bias + channel, mask=channel < channels, other=0.0).to(tl.float32)[None, :]
    for turn in range(ROUNDS):
        place, inside = _tile(turn, channels, times, step_c, step_t, ROUNDS, BLOCK_T, BLOCK_C)
        z = tl.load(x + clip * clip_x + place, mask=inside, other=0.0).to(tl.float32) + offset
        tl.store(y + clip * clip_y + place, tl.where(z > 0, z, slope * z).to(y.dtype.element_ty), mask=inside)


@triton.jit(do_not_specialize=["times"])
def _leaky_backward(
    gradient, y, gradient_x, parts, slope, channels, times, clip_g, clip_x, clip_y, step_c, step_t,
    SUM: tl.constexpr, ROUNDS: tl.constexpr, BLOCK_T: tl.constexpr, BLOCK_C: tl.constexpr,
):  # fmt: skip
    clip, channel = tl.program_id(1).to(tl.int64), tl.program_id(2) * BLOCK_C + tl.arange(0, BLOCK_C)
    total = tl.zeros((BLOCK_T, BLOCK_C), dtype=tl.float32)
    for turn in range(ROUNDS):
        place, inside = _tile(turn, channels, times, step_c, step_t, ROUNDS, BLOCK_T, BLOCK_C)
        kept = tl.load(y + clip * clip_x + place, mask=inside, other=0.0).to(tl.float32)  # has the sign of what went in
        g = tl.load(gradient + clip * clip_g + place, mask=inside, other=0.0).to(tl.float32)
        g = tl.where(kept > 0, g, slope * g)
        tl.store(gradient_x + clip * clip_y + place, g.to(gradient_x.dtype.element_ty), mask=inside)
        total += g
    if SUM:
        row = (clip * tl.num_programs(0) + tl.program_id(0)) * channels
        tl.store(parts + row + channel, tl.sum(total, axis=0), mask=channel < channels)


@triton.jit
def _distance_forward(x, target, parts, size, ROUNDS: tl.constexpr, BLOCK: tl.constexpr):
    total = tl.zeros((BLOCK,), dtype=tl.float32)
    for turn in range(ROUNDS):
        place = (tl.program_id(0).to(tl.int64) * ROUNDS + turn) * BLOCK + tl.arange(0, BLOCK)
        one = tl.load(x + place, mask=place < size, other=0.0).to(tl.float32)
        other = tl.load(target + place, mask=place < size, other=0.0).to(tl.float32)
        total += tl.abs(one - other)
    tl.store(parts + tl.program_id(0), tl.sum(total, axis=0))


@triton.jit
def _distance_backward(gradient, x, target, gradient_x, size, ROUNDS: tl.constexpr, BLOCK: tl.constexpr):
    scale = tl.load(gradient).to(tl.float32) / size
    for turn in range(ROUNDS):
        place = (tl.program_id(0).to(tl.int64) * ROUNDS + turn) * BLOCK + tl.arange(0, BLOCK)
        one = tl.load(x + place, mask=place < size, other=0.0).to(tl.float32)
        other = tl.load(target + place, mask=place < size, other=0.0).to(tl.float32)
        signed = tl.where(one > other, scale, tl.where(one < other, -scale, 0.0))
        tl.store(gradient_x + place, signed.to(gradient_x.dtype.element_ty), mask=place < size)


@triton.jit(do_not_specialize=["channels", "taps", "columns"])
def _norm_forward(v, g, w, norms, channels, taps, columns, BLOCK: tl.constexpr):
    row, j = tl.program_id(0).to(tl.int64), tl.arange(0, BLOCK)
    source = (j % channels) * taps + j // channels  # from (channels, taps) to (taps, channels)
    value = tl.load(v + row * columns + source, mask=j < columns, other=0.0)
    norm = tl.sqrt(tl.sum(value * value, axis=0))
    tl.store(norms + row, norm)
    scale = tl.load(g + row) / norm
    tl.store(w + row * columns + j, (value * scale).to(w.dtype.element_ty), mask=j < columns)


@triton.jit(do_not_specialize=["channels", "taps", "columns"])
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
    """x (B, C, T) as it is where each clip's memory is (C, T) or (T, C) without gaps, else copied to the former."""
    _, channels, times = x.shape
    return x if x.stride()[1:] in ((times, 1), (1, channels)) else x.contiguous()


def _like(gradient: torch.Tensor, x: torch.Tensor) -> torch.Tensor:
    """A gradient whose clips lie in memory as those of x do."""
    return gradient if gradient.stride()[1:] == x.stride()[1:] else _empty_like(x).copy_(gradient)


def _empty_like(x: torch.Tensor) -> torch.Tensor:
    """As x, and no gaps between clips."""
    clips, channels, times = x.shape
    if x.stride(1) == 1 and channels > 1:
        return x.new_empty(clips, times, channels).transpose(1, 2)
    return x.new_empty(x.shape)


class _Plan:
    """How a kernel walks over tensors (B, C, T) whose clips lie alike: grid, tile and steps; all clips as one where none has a gap."""

    def __init__(self, *tensors: torch.Tensor):
        clips, channels, times = tensors[0].shape
        step_c, step_t = tensors[0].stride()[1:]
        size = channels * times
        last = step_c == 1 and channels > 1
        if last and all(tensor.stride(0) == size for tensor in tensors) and clips * size < 2**31:
            clips, times = 1, clips * times
        if last:
            step_t = channels  # of a single moment the stride may say anything
            fitting = [block for block in (128, 64, 32) if channels % block == 0]
            block_c = fitting[0] if fitting else min(128, triton.next_power_of_2(channels))
            self.tile = {"ROUNDS": 4, "BLOCK_T": 2048 // block_c, "BLOCK_C": block_c}
        else:
            self.tile = {"ROUNDS": 4, "BLOCK_T": 512, "BLOCK_C": 4}
        rows = self.tile["ROUNDS"] * self.tile["BLOCK_T"]
        # time first: CUDA's other two dimensions end at 65,535 programs, fewer than 72 clips of 1.6 Hz ask for
        self.grid = (triton.cdiv(times, rows), clips, triton.cdiv(channels, self.tile["BLOCK_C"]))
        self.sizes = (channels, times, *(tensor.stride(0) for tensor in tensors), step_c, step_t)

    @property
    def parts(self) -> int:
        return self.grid[0] * self.grid[1]


class Snake(torch.autograd.Function):
    """z + sin(alpha z)^2 / alpha of z = x + bias, for x (B, C, T) in either layout; bias (C,) or None, alpha (1, C, 1)."""

    @staticmethod
    def forward(ctx, x: torch.Tensor, bias: torch.Tensor | None, alpha: torch.Tensor) -> torch.Tensor:
        x = _dense(x)
        y = _empty_like(x)
        plan = _Plan(x, y)
        _snake_forward[plan.grid](
            x, alpha if bias is None else bias, alpha, y, *plan.sizes, BIAS=bias is not None, **plan.tile
        )
        ctx.save_for_backward(x, bias, alpha)
        return y

    @staticmethod
    def backward(ctx, gradient: torch.Tensor) -> tuple[torch.Tensor | None, ...]:
        x, bias, alpha = ctx.saved_tensors
        gradient, gradient_x = _like(gradient, x), _empty_like(x)
        plan = _Plan(gradient, x, gradient_x)
        parts = torch.empty(plan.parts, 2, x.shape[1], device=x.device, dtype=torch.float32)
        given = (gradient, x, alpha if bias is None else bias, alpha, gradient_x, parts)
        _snake_backward[plan.grid](*given, *plan.sizes, BIAS=bias is not None, **plan.tile)
        if bias is None:
            return gradient_x, None, parts[:, 0].sum(0).view_as(alpha)
        sums = parts.sum(0)
        return gradient_x, sums[1], sums[0].view_as(alpha)


class BiasLeaky(torch.autograd.Function):
    """leaky ReLU of x + bias, for x (B, C, T) in either layout."""

    @staticmethod
    def forward(ctx, x: torch.Tensor, bias: torch.Tensor, slope: float) -> torch.Tensor:
        x = _dense(x)
        y = _empty_like(x)
        plan = _Plan(x, y)
        _leaky_forward[plan.grid](x, bias, y, slope, *plan.sizes, **plan.tile)
        ctx.save_for_backward(y)
        ctx.slope = slope
        return y

    @staticmethod
    def backward(ctx, gradient: torch.Tensor) -> tuple[torch.Tensor | None, ...]:
        (y,) = ctx.saved_tensors
        gradient, gradient_x, summed = _like(gradient, y), _empty_like(y), ctx.needs_input_grad[1]
        plan = _Plan(gradient, y, gradient_x)
        parts = torch.empty(plan.parts if summed else 0, y.shape[1], device=y.device, dtype=torch.float32)
        _leaky_backward[plan.grid](gradient, y, gradient_x, parts, ctx.slope, *plan.sizes, SUM=summed, **plan.tile)
        return gradient_x, parts.sum(0) if summed else None, None


class MeanDistance(torch.autograd.Function):
    """The mean of |x - target| in float32; the target has no gradient. Both are read as they lie in memory."""

    TILE = {"ROUNDS": 8, "BLOCK": 1024}  # noqa: RUF012 (constant)

    @staticmethod
    def forward(ctx, x: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
        programs = triton.cdiv(x.numel(), 8 * 1024)
        parts = torch.empty(programs, device=x.device, dtype=torch.float32)
        _distance_forward[(programs,)](x, target, parts, x.numel(), **MeanDistance.TILE)
        ctx.save_for_backward(x, target)
        return parts.sum() / x.numel()

    @staticmethod
    def backward(ctx, gradient: torch.Tensor) -> tuple[torch.Tensor | None, ...]:
        x, target = ctx.saved_tensors
        gradient_x = torch.empty_like(x)
        programs = triton.cdiv(x.numel(), 8 * 1024)
        _distance_backward[(programs,)](gradient, x, target, gradient_x, x.numel(), **MeanDistance.TILE)
        return gradient_x, None


def mean_distance(x: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
    """The mean of |x - target|, a scalar in float32."""
    if x.stride() != target.stride() or not _without_gaps(x):
        x, target = x.contiguous(), target.contiguous()
    return MeanDistance.apply(x, target)


def _without_gaps(x: torch.Tensor) -> bool:
    return x.is_contiguous() or (x.dim() == 4 and x.is_contiguous(memory_format=torch.channels_last))


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
    """A row at once, in one of few sizes: each is compiled once."""
    block = next(size for size in NORM_BLOCKS if size >= columns)
    return {"BLOCK": block, "num_warps": min(16, max(1, block // 256))}
