"""DAC's layers on a GPU, put in place of torch's on the instance: parameters and their names stay.

Activations keep their channels last in memory from the first layer to the last, (B, T, C) for sound and (B, H, W, C) for images: what
cuDNN's kernels for matrix units read and write.
"""

import torch
from audiotools import AudioSignal
from dac.model.dac import ResidualUnit
from dac.model.discriminator import MPD, MRD
from torch import nn
from torch.nn.utils.weight_norm import WeightNorm

from codec_cliff.models.gpu.products import FromOneChannel, ToOneChannel
from codec_cliff.models.gpu.spectra import reflect, spectra
from codec_cliff.models.gpu.switches import ways


def precision(x: torch.Tensor) -> torch.dtype:
    """What a convolution computes in."""
    kind = x.device.type
    return torch.get_autocast_dtype(kind) if torch.is_autocast_enabled(kind) else x.dtype


class FusedWeightNorm(WeightNorm):
    """torch's weight norm, in one kernel on a GPU; while the weights are frozen, once."""

    def compute_weight(self, module: nn.Module) -> torch.Tensor:
        kept = getattr(module, "kept_weight", None)
        if kept is not None and self.name in kept:
            return kept[self.name]
        weight = self._compute(module)
        if kept is not None:
            kept[self.name] = weight
        return weight

    def _compute(self, module: nn.Module) -> torch.Tensor:
        v, g = getattr(module, f"{self.name}_v"), getattr(module, f"{self.name}_g")
        taken = ways(v)
        if not taken.norm or v.dtype != torch.float32:
            return super().compute_weight(module)
        from codec_cliff.models.gpu import kernels

        if v[0].numel() > kernels.NORM_BLOCKS[-1]:
            return super().compute_weight(module)
        return kernels.WeightNorm.apply(v, g, precision(v), taken.last)


def replace_weight_norm(model: nn.Module) -> nn.Module:
    """Swap the weight norm of a model's layers for this one."""
    for module in model.modules():
        for hook in module._forward_pre_hooks.values():
            if type(hook) is WeightNorm:
                hook.__class__ = FusedWeightNorm
    return model


def lay_out(x: torch.Tensor) -> torch.Tensor:
    """x (B, C, H, W) with its channels last in memory, where that is the way."""
    return x.contiguous(memory_format=torch.channels_last) if ways(x).last else x


def snake(x: torch.Tensor, bias: torch.Tensor | None, alpha: torch.Tensor) -> torch.Tensor:
    """Snake of x (B, C, T) and the bias of the layer before."""
    from codec_cliff.models.gpu import kernels

    return kernels.Snake.apply(x, bias, alpha)


def bias_leaky(x: torch.Tensor, bias: torch.Tensor, slope: float) -> torch.Tensor:
    """leaky ReLU of x (B, C, H, W) plus bias."""
    from codec_cliff.models.gpu import kernels

    if x.is_contiguous():
        return kernels.BiasLeaky.apply(x.flatten(2), bias, slope).view(x.shape)
    flat = x.permute(0, 2, 3, 1).flatten(1, 2).transpose(1, 2)  # a view of (B, H, W, C)
    clips, channels, height, width = x.shape
    return (
        kernels.BiasLeaky.apply(flat, bias, slope)
        .transpose(1, 2)
        .view(clips, height, width, channels)
        .permute(0, 3, 1, 2)
    )


def convolve(layer: nn.Conv1d | nn.Conv2d, x: torch.Tensor, bias: bool = True) -> torch.Tensor:
    """A convolution layer over x (B, C, T) or (B, C, H, W)."""
    weight, offset = layer.weight, layer.bias if bias else None
    if x.dim() == 3:
        return _convolve_sound(layer, x, weight, offset)
    taken = ways(x)
    if taken.products and layer.in_channels == 1 and layer.kernel_size[1] == 1:
        return _from_one(x, weight, offset, layer.stride[0], layer.padding[0])
    if taken.products and layer.out_channels == 1:
        return _to_one(x, weight, offset)
    return nn.functional.conv2d(
        lay_out(x.to(precision(x))), weight, offset, layer.stride, layer.padding, layer.dilation
    )


def _convolve_sound(layer: nn.Conv1d, x: torch.Tensor, weight: torch.Tensor, bias: torch.Tensor | None) -> torch.Tensor:
    taken, (stride,), (padding,), (dilation,) = ways(x), layer.stride, layer.padding, layer.dilation
    cut = 0
    if layer.padding_mode != "zeros" and padding:
        x, cut, padding = nn.functional.pad(x, (padding, padding), layer.padding_mode), padding, 0
    if taken.products and layer.in_channels == 1 and dilation == 1:
        return _from_one(x[..., None], weight[..., None], bias, stride, padding).squeeze(3)
    if taken.products and layer.out_channels == 1 and stride == dilation == 1:
        return _to_one(x[:, :, None], weight[:, :, None], bias).squeeze(2)[:, :, cut : x.shape[2] - cut]
    if taken.products and taken.last and layer.kernel_size == (1,):
        return nn.functional.linear(x.transpose(1, 2), weight[:, :, 0], bias).transpose(1, 2)
    if not taken.last:
        return nn.functional.conv1d(x, weight, bias, stride, padding, dilation)
    if taken.dilated and dilation > 1 and stride == 1 and padding * 2 == (layer.kernel_size[0] - 1) * dilation:
        return _convolve_dilated(x.to(precision(x)), weight, bias, dilation)
    as_image = lay_out(x[:, :, None].to(precision(x)))  # conv1d would take the channels first
    kernel = lay_out(weight[:, :, None])
    return nn.functional.conv2d(as_image, kernel, bias, (1, stride), (0, padding), (1, dilation)).squeeze(2)


def _convolve_dilated(x: torch.Tensor, weight: torch.Tensor, bias: torch.Tensor | None, dilation: int) -> torch.Tensor:
    """A "same" convolution of dilation d as one without, over an image of d columns: its rows are d samples each.

    For dilated layers cuDNN falls back, at some shapes, to kernels a thousand times slower than this.
    """
    clips, channels, length = x.shape
    rows = -(-length // dilation)
    padded = nn.functional.pad(x.transpose(1, 2), (0, 0, 0, rows * dilation - length))  # (B, T', C)
    image = padded.contiguous().view(clips, rows, dilation, channels).permute(0, 3, 1, 2)
    kernel = lay_out(weight[..., None])
    y = nn.functional.conv2d(image, kernel, bias, 1, (weight.shape[2] // 2, 0))
    return y.permute(0, 2, 3, 1).reshape(clips, rows * dilation, -1)[:, :length].transpose(1, 2)


def _from_one(
    x: torch.Tensor, weight: torch.Tensor, bias: torch.Tensor | None, stride: int, padding: int
) -> torch.Tensor:
    y = FromOneChannel.apply(x, weight.to(precision(x)), stride, padding)
    return y if bias is None else y + bias.to(y.dtype)[:, None, None]


def _to_one(x: torch.Tensor, weight: torch.Tensor, bias: torch.Tensor | None) -> torch.Tensor:
    y = ToOneChannel.apply(lay_out(x).to(precision(x)), weight.to(precision(x)))
    return y if bias is None else y + bias[:, None, None]


def convolve_transposed(layer: nn.ConvTranspose1d, x: torch.Tensor) -> torch.Tensor:
    """A transposed convolution over x (B, C, T), through the image's."""
    as_image, kernel = lay_out(x[:, :, None].to(precision(x))), lay_out(layer.weight[:, :, None])
    (stride,), (padding,), (more,) = layer.stride, layer.padding, layer.output_padding
    return nn.functional.conv_transpose2d(as_image, kernel, layer.bias, (1, stride), (0, padding), (0, more)).squeeze(2)


class GpuConv2d(nn.Conv2d):
    """Drop-in for nn.Conv2d."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return convolve(self, x) if ways(x).any else super().forward(x)


class GpuConv1d(nn.Conv1d):
    """Drop-in for nn.Conv1d."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return convolve(self, x) if ways(x).any else super().forward(x)


class GpuConvTranspose1d(nn.ConvTranspose1d):
    """Drop-in for nn.ConvTranspose1d."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return convolve_transposed(self, x) if ways(x).last else super().forward(x)


class LeakyConvolution(nn.Sequential):
    """Drop-in for a convolution and its leaky ReLU: the bias goes with the second."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        layer, activation = self
        if not ways(x).leaky:
            return super().forward(x)
        return bias_leaky(without_bias(layer, x), layer.bias, activation.negative_slope)


def without_bias(layer: nn.Module, x: torch.Tensor) -> torch.Tensor:
    """A weight-normed convolution's product alone, for whoever adds the bias."""
    for hook in layer._forward_pre_hooks.values():
        hook(layer, (x,))
    return convolve(layer, x, bias=False)


class GpuResidualUnit(ResidualUnit):
    """Drop-in for DAC's: the wide convolution's bias goes with the Snake after it."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        if not (ways(x).bias and ways(x).snake):
            return super().forward(x)
        first, wide, second, narrow = self.block
        return x + narrow(snake(without_bias(wide, first(x)), wide.bias, second.alpha))


class GpuPeriods(MPD):
    """Drop-in for DAC's period discriminator, with a reflection whose gradient is a sum in a fixed order."""

    def pad_to_period(self, x: torch.Tensor) -> torch.Tensor:
        if not ways(x).spectra:
            return super().pad_to_period(x)
        return reflect(x, 0, self.period - x.shape[-1] % self.period)


class GpuSpectra(MRD):
    """Drop-in for DAC's spectrogram discriminator: only the frames that it keeps, and their gradients in a fixed order."""

    def spectrogram(self, x: torch.Tensor) -> list[torch.Tensor]:
        if not ways(x).spectra:
            return super().spectrogram(x)
        length, hop = self.window_length, self.stft_params.hop_length
        pad = (length - hop) // 2
        x = reflect(x[:, 0], pad, pad - x.shape[-1] % -hop)
        window = AudioSignal.get_window(self.stft_params.window_type or "hann", length, x.device)
        spectrum = torch.view_as_real(spectra(x, window, hop)).permute(0, 3, 1, 2)  # (B, 2, frames, bins)
        return [spectrum[..., low:high] for low, high in self.bands]


DROP_INS = {nn.Conv1d: GpuConv1d, nn.Conv2d: GpuConv2d, nn.ConvTranspose1d: GpuConvTranspose1d}
DROP_INS |= {ResidualUnit: GpuResidualUnit, MPD: GpuPeriods, MRD: GpuSpectra}


def replace_for_gpu(model: nn.Module) -> nn.Module:
    """Swap a model's layers for these; parameters and their names stay, and on a CPU nothing changes."""
    for module in model.modules():
        if type(module) in DROP_INS:
            module.__class__ = DROP_INS[type(module)]
        elif type(module) is nn.Sequential and [type(part) for part in module[1:]] == [nn.LeakyReLU]:
            module.__class__ = LeakyConvolution
    return replace_weight_norm(model)
