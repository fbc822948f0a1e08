"""DAC's layers as they are, computed faster on a CPU: gradients written out for Snake and for narrow convolutions.

Half of a DAC step on a CPU is Snake, for autograd walks over memory twice as often as its gradient needs. Every layer here equals
DAC's to rounding, gradients included (tested).
"""

import torch
from dac.nn.layers import Snake1d
from torch import nn

from codec_cliff.models.gpu.layers import GpuConv1d, snake
from codec_cliff.models.gpu.switches import ways

EPSILON = 1e-9  # as in dac.nn.layers.snake


class _Snake(torch.autograd.Function):
    """x + sin(alpha x)^2 / alpha."""

    @staticmethod
    def forward(ctx, x: torch.Tensor, alpha: torch.Tensor) -> torch.Tensor:
        squared = (alpha * x).sin_().square_()
        ctx.save_for_backward(x, alpha, squared)
        return torch.addcmul(x, squared, (alpha + EPSILON).reciprocal())

    @staticmethod
    def backward(ctx, gradient: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        x, alpha, squared = ctx.saved_tensors
        inverse = (alpha + EPSILON).reciprocal()
        # d/dx sin(ax)^2 = a sin(2ax); d/da sin(ax)^2 = x sin(2ax)
        scaled = (2 * alpha * x).sin_().mul_(gradient)  # gradient * sin(2ax)
        gradient_x = torch.addcmul(gradient, scaled, alpha * inverse)
        by_product = scaled.mul_(x).sum((0, 2), keepdim=True)
        by_quotient = (gradient * squared).sum((0, 2), keepdim=True)
        return gradient_x, inverse * by_product - inverse.square() * by_quotient


class Snake(nn.Module):
    """Drop-in for dac.nn.layers.Snake1d: x (B, C, T), one alpha a channel; on a GPU one kernel (gpu/kernels.py)."""

    def __init__(self, alpha: nn.Parameter):
        super().__init__()
        self.alpha = alpha

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return snake(x, None, self.alpha) if ways(x).snake else _Snake.apply(x, self.alpha)


class PointwiseConv1d(GpuConv1d):
    """A convolution of one tap as a matrix product: the same figures, several times faster on a CPU."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """x (B, C, T) to (B, C', T)."""
        if x.device.type != "cpu" or ways(x).any:
            return super().forward(x)
        weight = self.weight[:, :, 0].expand(x.shape[0], -1, -1)
        return torch.baddbmm(self.bias[None, :, None], weight, x)


class _NarrowConvolution(torch.autograd.Function):
    """A "same" convolution whose weight gradient is one matrix product a tap."""

    @staticmethod
    def forward(ctx, x: torch.Tensor, weight: torch.Tensor, bias: torch.Tensor, dilation: int) -> torch.Tensor:
        ctx.save_for_backward(x, weight)
        ctx.dilation = dilation
        return nn.functional.conv1d(x, weight, bias, padding=weight.shape[2] // 2 * dilation, dilation=dilation)

    @staticmethod
    def backward(ctx, gradient: torch.Tensor) -> tuple[torch.Tensor | None, ...]:
        x, weight = ctx.saved_tensors
        taps, dilation, length = weight.shape[2], ctx.dilation, x.shape[2]
        padding = taps // 2 * dilation
        gradient_x = None
        if ctx.needs_input_grad[0]:
            mirrored = weight.flip(2).transpose(0, 1)
            gradient_x = nn.functional.conv1d(gradient, mirrored, padding=padding, dilation=dilation)
        padded = nn.functional.pad(x, (padding, padding))
        shifted = (padded[:, :, tap * dilation : tap * dilation + length] for tap in range(taps))
        gradient_weight = torch.stack([torch.bmm(gradient, part.transpose(1, 2)).sum(0) for part in shifted], dim=2)
        return gradient_x, gradient_weight, gradient.sum((0, 2)), None


class NarrowConv1d(GpuConv1d):
    """A "same" convolution of few channels: on a CPU, torch's own backward takes twice as long on many short clips."""

    CHANNELS = 8  # above this, torch's own is the faster one

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """x (B, C, T) to (B, C', T)."""
        if x.device.type != "cpu" or torch.is_autocast_enabled("cpu") or ways(x).any:
            return super().forward(x)
        return _NarrowConvolution.apply(x, self.weight, self.bias, self.dilation[0])


def _faster_class(layer: nn.Module) -> type[nn.Module] | None:
    if type(layer) is not nn.Conv1d or layer.stride != (1,):
        return None
    if layer.kernel_size == (1,):
        return PointwiseConv1d
    if layer.padding_mode != "zeros":
        return None
    same = layer.padding[0] == layer.kernel_size[0] // 2 * layer.dilation[0]
    narrow = max(layer.in_channels, layer.out_channels) <= NarrowConv1d.CHANNELS and layer.in_channels > 1
    return NarrowConv1d if same and narrow else None


def replace_layers(model: nn.Module) -> nn.Module:
    """Swap DAC's layers for these; parameters and their names stay."""
    for module in list(model.modules()):
        if faster := _faster_class(module):
            module.__class__ = faster  # weight norm is a hook on the instance, so the instance has to stay
        for name, child in module.named_children():
            if isinstance(child, Snake1d):
                setattr(module, name, Snake(child.alpha))
    return model
