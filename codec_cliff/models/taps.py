"""How often each tap of a convolution meets its input: arithmetic on lengths, for any module of convolutions.

A "same"-padded convolution of kernel k and dilation d multiplies its tap at offset o by padding alone where |o| * d is at least the
length of its input. `positions` counts, for one clip, the output positions at which a tap meets input; a tap with none gets no
gradient from data. Padding that a module adds outside its convolutions (causal codecs, reflection by hand) counts as input here: such
codecs are asked by gradient.
"""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import nn

CONVOLUTIONS = (nn.Conv1d, nn.ConvTranspose1d, nn.Conv2d)


@dataclass(frozen=True)
class LayerTaps:
    """The taps of one layer along time; 2-D kernels are counted along their time axis, the first.

    `positions[k]` is the number of output positions of one clip at which tap k meets input, `n_input` and `n_output` the layer's
    lengths, in steps.
    """

    layer: str
    dilation: int
    n_input: int
    n_output: int
    positions: tuple[int, ...]

    @property
    def uncovered(self) -> tuple[int, ...]:
        """The taps that only ever meet padding, as indices along the kernel."""
        return tuple(tap for tap, count in enumerate(self.positions) if not count)

    @property
    def taps(self) -> int:
        return len(self.positions)

    @property
    def shares(self) -> tuple[float, ...]:
        """Positions of each tap over those of the layer's best-placed one, 0 to 1."""
        return tuple(count / max(self.positions) for count in self.positions)


def layer_taps(
    module: nn.Module, forward: Callable[[], object], prefix: str = "", real: int | None = None
) -> list[LayerTaps]:
    """Every convolution that `forward()` runs within `module`, in the module's order.

    `real` is the length of the module's own input before zeros were appended to it: its first convolution meets zeros there.
    """
    seen: dict[str, tuple[nn.Module, int, int]] = {}
    layers = {name: layer for name, layer in module.named_modules() if isinstance(layer, CONVOLUTIONS)}

    def remember(name: str) -> Callable[..., None]:
        return lambda layer, inputs, output: seen.__setitem__(name, (layer, inputs[0].shape[2], output.shape[2]))

    hooks = [layer.register_forward_hook(remember(name)) for name, layer in layers.items()]
    try:
        with torch.no_grad():
            forward()
    finally:
        for hook in hooks:
            hook.remove()
    first = next(iter(seen))
    return [
        _taps(prefix + name, *seen[name], real if name == first and real else seen[name][1])
        for name in layers
        if name in seen
    ]


def _taps(name: str, layer: nn.Module, n_input: int, n_output: int, real: int) -> LayerTaps:
    kernel, stride, padding, dilation = (
        getattr(layer, field)[0] for field in ("kernel_size", "stride", "padding", "dilation")
    )
    if layer.padding_mode != "zeros":  # what lies beyond the ends is made of the input: every tap meets data everywhere
        return LayerTaps(name, dilation, n_input, n_output, (n_output,) * kernel)
    if isinstance(layer, nn.ConvTranspose1d):  # input i reaches output i * stride + tap - padding
        walked, reached = n_input, n_output
    else:  # output n reads input n * stride + tap - padding
        walked, reached = n_output, real
    positions = tuple(_hits(walked, stride, tap * dilation - padding, reached) for tap in range(kernel))
    return LayerTaps(name, dilation, n_input, n_output, positions)


def _hits(walked: int, stride: int, shift: int, reached: int) -> int:
    """How many n in [0, walked) have n * stride + shift in [0, reached)."""
    first = max(0, -(shift // stride))  # the least n with n * stride + shift >= 0
    last = min(walked - 1, (reached - 1 - shift) // stride)
    return max(0, last - first + 1)
