"""The GPU's layers against torch's own, values and gradients: Triton's kernels in its interpreter, the rest as it is."""

import os

os.environ.setdefault("TRITON_INTERPRET", "1")  # before Triton is imported anywhere

import pytest
import torch
import yaml
from dac.nn.layers import snake as dac_snake
from torch import nn

from codec_cliff.models.gpu import kernels, layers
from codec_cliff.models.gpu.products import FromOneChannel, ToOneChannel
from codec_cliff.models.gpu.spectra import reflect, spectra
from codec_cliff.models.gpu.switches import chosen
from codec_cliff.study.load import load_study
from tests.paths import ROOT

SHAPES = [(2, 5, 77), (1, 96, 130), (3, 64, 1), (2, 3, 600)]


def compare(ours, theirs, inputs, rtol=1e-4, atol=1e-5):
    """Values and gradients of two functions of the same tensors."""
    results = []
    for function in (ours, theirs):
        given = [tensor.detach().clone().requires_grad_() for tensor in inputs]
        y = function(*given)
        torch.manual_seed(7)
        y.backward(torch.randn(y.shape).to(y.dtype))
        results.append([y.float(), *(tensor.grad.float() for tensor in given)])
    for mine, other in zip(*results, strict=True):
        scale = other.abs().max().item() + 1e-12
        torch.testing.assert_close(mine / scale, other / scale, rtol=rtol, atol=atol)


def laid_out(x: torch.Tensor, last: bool) -> torch.Tensor:
    return x.transpose(1, 2).contiguous().transpose(1, 2) if last else x


@pytest.mark.parametrize("last", [False, True])
@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_snake(shape, last, dtype):
    torch.manual_seed(0)
    x = torch.randn(shape).to(dtype)
    bias, alpha = torch.randn(shape[1]), torch.rand(1, shape[1], 1) * 3 + 0.1
    tolerance = {"rtol": 1e-4, "atol": 1e-5} if dtype == torch.float32 else {"rtol": 0.01, "atol": 0.005}

    def theirs(x, bias, alpha):
        return dac_snake(x.float() + bias[:, None], alpha).to(dtype)

    compare(lambda x, b, a: kernels.Snake.apply(laid_out(x, last), b, a), theirs, [x, bias, alpha], **tolerance)
    compare(
        lambda x, a: kernels.Snake.apply(laid_out(x, last), None, a),
        lambda x, a: dac_snake(x.float(), a).to(dtype), [x, alpha], **tolerance,
    )  # fmt: skip


@pytest.mark.parametrize("last", [False, True])
@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_bias_and_leaky_relu(shape, last, dtype):
    torch.manual_seed(0)
    x, bias = torch.randn(shape).to(dtype), torch.randn(shape[1])
    tolerance = {} if dtype == torch.float32 else {"rtol": 0.01, "atol": 0.005}
    compare(
        lambda x, b: kernels.BiasLeaky.apply(laid_out(x, last), b, 0.1),
        lambda x, b: nn.functional.leaky_relu(x.float() + b[:, None], 0.1).to(dtype), [x, bias], **tolerance,
    )  # fmt: skip


@pytest.mark.parametrize("last", [False, True])
@pytest.mark.parametrize("shape", [(4, 3, 7), (5, 1, 9), (2, 33, 5, 1), (3, 2, 3, 9), (2, 300, 7)])
def test_weight_norm(shape, last):
    torch.manual_seed(0)
    v, g = torch.randn(shape), torch.rand(shape[0], *[1] * (len(shape) - 1)) + 0.5
    compare(
        lambda v, g: kernels.WeightNorm.apply(v, g, torch.float32, last),
        lambda v, g: torch._weight_norm(v, g, 0), [v, g],
    )  # fmt: skip
    rough = kernels.WeightNorm.apply(v, g, torch.bfloat16, last)
    torch.testing.assert_close(rough, torch._weight_norm(v, g, 0).bfloat16(), rtol=0.01, atol=0)
    assert rough.movedim(1, -1).is_contiguous() == last or 1 in (shape[1], v[0, 0].numel())


def test_rows_longer_than_a_kernels_are_normed_by_torch():
    """As those of a decoder 1,536 channels wide whose last stride is 43 or more."""
    torch.manual_seed(0)
    layer = nn.utils.weight_norm(nn.ConvTranspose1d(2, 768, 86))
    x = torch.randn(1, 2, 3)
    expected = layer(x)
    layers.replace_for_gpu(nn.Sequential(layer))
    with chosen(norm=True):
        y = layer(x)
        y.sum().backward()
    torch.testing.assert_close(y, expected)
    assert layer.weight_g.grad.isfinite().all()


@pytest.mark.parametrize(
    ("length", "columns", "taps", "stride"),
    [(50, 1, 7, 1), (61, 3, 5, 3), (17, 11, 5, 3), (18, 2, 5, 3), (19, 2, 4, 2)],
)
def test_convolution_from_one_channel(length, columns, taps, stride):
    torch.manual_seed(0)
    x, w = torch.randn(2, 1, length, columns), torch.randn(6, 1, taps, 1)
    padding = taps // 2
    compare(
        lambda x, w: FromOneChannel.apply(x, w, stride, padding),
        lambda x, w: nn.functional.conv2d(x, w, None, (stride, 1), (padding, 0)), [x, w],
    )  # fmt: skip


@pytest.mark.parametrize(("size", "kernel"), [((1, 50), (1, 7)), ((20, 3), (3, 1)), ((6, 11), (3, 3))])
def test_convolution_to_one_channel(size, kernel):
    torch.manual_seed(0)
    x = torch.randn(2, 5, *size)
    w = torch.randn(1, 5, *kernel)
    compare(
        lambda x, w: ToOneChannel.apply(x.contiguous(memory_format=torch.channels_last), w),
        lambda x, w: nn.functional.conv2d(x, w, None, 1, (kernel[0] // 2, kernel[1] // 2)), [x, w],
    )  # fmt: skip


@pytest.mark.parametrize("dilation", [3, 9])
@pytest.mark.parametrize("length", [50, 54])
def test_dilated_convolution(length, dilation):
    torch.manual_seed(0)
    x, w = torch.randn(2, 5, length), torch.randn(6, 5, 7)
    compare(
        lambda x, w: layers._convolve_dilated(laid_out(x, True), w, None, dilation),
        lambda x, w: nn.functional.conv1d(x, w, None, 1, 3 * dilation, dilation), [x, w],
    )  # fmt: skip


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize("last", [False, True])
def test_distance_of_feature_maps(dtype, last):
    torch.manual_seed(0)
    layout = torch.channels_last if last else torch.contiguous_format
    target = torch.randn(2, 3, 50, 61).to(dtype).contiguous(memory_format=layout)

    def ours(x):
        return kernels.mean_distance(x.contiguous(memory_format=layout), target)

    tolerance = {} if dtype == torch.float32 else {"rtol": 0.01, "atol": 0.005}
    x = torch.randn(2, 3, 50, 61).to(dtype)
    compare(ours, lambda x: nn.functional.l1_loss(x.float(), target.float()), [x], **tolerance)


def test_snake_of_clips_with_gaps_between_them():
    torch.manual_seed(0)
    x, alpha = torch.randn(3, 32, 70), torch.rand(1, 32, 1) + 0.5
    compare(
        lambda x, a: kernels.Snake.apply(laid_out(x, True)[:, :, :61], None, a),
        lambda x, a: dac_snake(x[:, :, :61], a), [x, alpha],
    )  # fmt: skip


def test_the_largest_batch_fits_what_a_card_can_launch():
    """72 clips of 1.6 Hz as they lie with the channels last: CUDA has 65,535 programs at most but in a grid's first dimension."""
    run = load_study(yaml.safe_load((ROOT / "config.yaml").read_text())).runs["1.6hz-fixed-tokens"]
    for channels in (run.model.encoder_dim, 12, run.model.decoder_dim // 16, 2):
        x = laid_out(torch.empty(run.batch_clips, channels, run.clip_samples, device="meta"), True)
        _, *others = kernels._Plan(x, x).grid
        assert max(others) <= 65535, (channels, others)


@pytest.mark.parametrize(("left", "right"), [(0, 3), (4, 4), (5, 0)])
def test_reflection(left, right):
    x = torch.randn(2, 1, 20)
    compare(lambda x: reflect(x, left, right), lambda x: nn.functional.pad(x, (left, right), mode="reflect"), [x])


@pytest.mark.parametrize(("length", "window"), [(64, 32), (100, 32), (133, 64)])
def test_spectra(length, window):
    torch.manual_seed(0)
    x, shape = torch.randn(2, length), torch.hann_window(window)

    def theirs(x):
        return torch.stft(x, window, window // 4, window=shape, center=False, return_complex=True).transpose(1, 2).abs()

    compare(lambda x: spectra(x, shape, window // 4).abs(), theirs, [x])
