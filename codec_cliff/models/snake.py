"""Snake, x + sin(alpha x)^2 / alpha, with its gradient written out: half the passes over memory of what autograd derives.

Snake is where a DAC step spends most of its time on a CPU. The function is DAC's to rounding, gradients included (tested).
"""

import torch
from dac.nn.layers import Snake1d
from torch import nn

EPSILON = 1e-9  # as in dac.nn.layers.snake


class _Snake(torch.autograd.Function):
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
    """Drop-in for dac.nn.layers.Snake1d: x (B, C, T), one alpha a channel."""

    def __init__(self, alpha: nn.Parameter):
        super().__init__()
        self.alpha = alpha

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return _Snake.apply(x, self.alpha)


def replace_snakes(model: nn.Module) -> nn.Module:
    """Swap every Snake1d for Snake; parameters and their names stay."""
    for module in list(model.modules()):
        for name, child in module.named_children():
            if isinstance(child, Snake1d):
                setattr(module, name, Snake(child.alpha))
    return model
