"""Frame-rate variants: lengths, parameters, and the codec's signature."""

from dataclasses import replace

import pytest
import torch
from dac.model.dac import DAC
from dac.nn.layers import Snake1d

from codec_cliff.models.coverage import generator_coverage, generator_taps, uncovered
from codec_cliff.models.dac import TrainedCodec, build_generator
from codec_cliff.models.layers import NarrowConv1d, PointwiseConv1d, Snake
from codec_cliff.study.load import load_study
from tests.conftest import tiny_config

STUDY = load_study(tiny_config())


@pytest.mark.parametrize("rate", [rate.frame_rate for rate in STUDY.frame_rates])
def test_length_out_is_length_in(rate):
    run = STUDY.runs[STUDY.codec_id(rate, "fixed-tokens")]
    model = build_generator(run)
    for n_samples in (run.clip_samples, 6080, run.hop_length + 1):
        tokens = -(-n_samples // run.hop_length)
        output = model(torch.zeros(1, 1, n_samples), run.sample_rate)
        assert output["audio"].shape == (1, 1, n_samples)
        assert output["codes"].shape == (1, run.model.n_codebooks, tokens)
        assert model.decode(torch.zeros(1, model.latent_dim, tokens)).shape[-1] == tokens * run.hop_length


def test_full_width_has_the_published_size(paper_config):
    run = load_study(paper_config).runs["50hz"]
    with torch.device("meta"):
        model = build_generator(run)
    assert sum(parameter.numel() for parameter in model.parameters()) / 1e6 == pytest.approx(74.18, abs=0.01)


def test_encode_and_decode_agree_with_the_models_own_forward():
    run = STUDY.runs["6.25hz-fixed-tokens"]
    torch.manual_seed(0)
    codec = TrainedCodec(run, build_generator(run), "cpu")
    audio = torch.randn(9999) * 0.1
    codes = codec.encode(audio)
    assert codes.dtype == torch.int64
    assert codes.shape == (run.model.n_codebooks, 4)
    assert 0 <= codes.min() <= codes.max() < run.model.codebook_size
    with torch.inference_mode():
        expected = codec.model(audio[None, None], run.sample_rate)["audio"][0, 0]
    torch.testing.assert_close(codec.decode(codes, 9999), expected, atol=1e-5, rtol=1e-4)


def test_facts_follow_equation_1():
    run = replace(STUDY.runs["50hz"], model=replace(STUDY.model, n_codebooks=12, codebook_size=1024))
    assert TrainedCodec(run, build_generator(run), "cpu").facts.bitrate == 6000


def test_snake_is_dacs_gradients_included():
    torch.manual_seed(0)
    theirs = Snake1d(5).double()
    theirs.alpha.data.uniform_(0.1, 3)
    ours = Snake(torch.nn.Parameter(theirs.alpha.data.clone()))
    x = torch.randn(2, 5, 50, dtype=torch.float64)
    inputs = [x.clone().requires_grad_() for _ in range(2)]
    outputs = [layer(value) for layer, value in zip((theirs, ours), inputs, strict=True)]
    gradient = torch.randn_like(x)
    for output in outputs:
        output.backward(gradient)
    torch.testing.assert_close(outputs[1], outputs[0])
    torch.testing.assert_close(inputs[1].grad, inputs[0].grad)
    torch.testing.assert_close(ours.alpha.grad, theirs.alpha.grad)


def test_a_model_of_our_layers_is_dacs_gradients_included():
    run = STUDY.runs["6.25hz-fixed-tokens"]
    torch.manual_seed(0)
    ours = build_generator(run).double()
    theirs = DAC(
        encoder_dim=4,
        encoder_rates=list(run.strides),
        decoder_dim=32,
        decoder_rates=list(reversed(run.strides)),
        n_codebooks=2,
        codebook_size=16,
        codebook_dim=8,
        quantizer_dropout=0.5,
        sample_rate=16000,
    ).double()
    theirs.load_state_dict(ours.state_dict())
    swapped = {type(module) for module in ours.modules()}
    assert {PointwiseConv1d, NarrowConv1d, Snake} <= swapped
    audio = torch.randn(2, 1, 7680, dtype=torch.float64)
    outputs = []
    for model in (ours, theirs):
        torch.manual_seed(1)  # of the quantizer's dropout
        outputs.append(model(audio, 16000)["audio"])
        outputs[-1].square().sum().backward()
    torch.testing.assert_close(*outputs)
    for (name, parameter), other in zip(ours.named_parameters(), theirs.parameters(), strict=True):
        if parameter.grad is not None:
            torch.testing.assert_close(parameter.grad, other.grad, msg=name)


@pytest.mark.parametrize(("mode", "tokens"), [("replicate", 2), ("reflect", 4)])
def test_padding_reaches_the_same_convolutions_and_trains_every_tap(mode, tokens):
    run = STUDY.runs["6.25hz-fixed-tokens"]
    run = replace(run, model=replace(run.model, padding=mode), clip_samples=tokens * run.hop_length)
    kernels = [layer for layer in build_generator(run).modules() if isinstance(layer, torch.nn.Conv1d)]
    assert {layer.padding_mode for layer in kernels if layer.stride == (1,) and layer.kernel_size[0] > 1} == {mode}
    assert uncovered(generator_taps(run)) == uncovered(generator_coverage(run)) == 0
    torch.manual_seed(0)
    padded, zeros = (build_generator(of) for of in (run, replace(run, model=STUDY.model)))
    zeros.load_state_dict(padded.state_dict())
    latents = torch.randn(1, padded.latent_dim, 40)
    here, there = (model.decode(latents)[0, 0, 15 * run.hop_length : 25 * run.hop_length] for model in (padded, zeros))
    torch.testing.assert_close(here, there)  # far from the ends nothing differs
    assert not torch.allclose(*(model.decode(latents)[0, 0, :100] for model in (padded, zeros)))
