"""DAC's period discriminators on a CPU: their wide layers, up to 1024 by 1024 channels by five taps, are most of a training step.

They are computed with fewer multiplications (winograd.py), and in products over all clips: oneDNN reaches half of its rate for
gradients of images two or three columns wide, as periods 2 and 3 make them. Values and gradients equal DAC's to rounding (tested).
"""

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from dac.model.discriminator import MPD
from torch import nn

from codec_cliff.models.gpu.layers import GpuConv2d
from codec_cliff.models.gpu.switches import ways
from codec_cliff.models.winograd import column_kernels, convolve_columns


class ColumnConv2d(GpuConv2d):
    """Drop-in for a convolution of kernel (taps, 1), padding taps // 2 and many channels."""

    CHANNELS = 128  # below this many, the transforms cost more than the products they save

    shared: dict[str, torch.Tensor] | None = None  # the kernels, while the weights are frozen

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """x (B, C, L, P) to (B, D, L', P)."""
        if x.device.type != "cpu" or torch.is_autocast_enabled("cpu") or ways(x).any:
            return super().forward(x)
        return convolve_columns(x, self._kernels(), self.bias, self.kernel_size[0], self.stride[0])

    def _kernels(self) -> torch.Tensor:
        if self.shared is None:
            return column_kernels(self.weight, self.stride[0])
        if "kernels" not in self.shared:
            self.shared["kernels"] = column_kernels(self.weight, self.stride[0])
        return self.shared["kernels"]


@contextmanager
def frozen(model: nn.Module) -> Iterator[None]:
    """No gradients for the model's weights, and what is computed from them alone is computed once."""
    layers = [module for module in model.modules() if isinstance(module, ColumnConv2d)]
    normed = [module for module in model.modules() if module._forward_pre_hooks]
    model.requires_grad_(False)
    for layer in layers:
        layer.shared = {}
    for layer in normed:
        layer.kept_weight = {}
    try:
        yield
    finally:
        model.requires_grad_(True)
        for layer in layers:
            layer.shared = None
        for layer in normed:
            layer.kept_weight = None


def replace_column_convolutions(model: nn.Module) -> nn.Module:
    """Swap the period discriminators' wide layers for these; parameters and their names stay."""
    for module in model.modules():
        if isinstance(module, MPD):
            for convolution, _ in module.convs:
                if convolution.in_channels >= ColumnConv2d.CHANNELS:
                    convolution.__class__ = (
                        ColumnConv2d  # weight norm is a hook on the instance, so the instance has to stay
                    )
    return model
