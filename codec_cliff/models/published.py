"""Which taps of any codec's convolutions get no gradient from clips of a length: asked of the gradients, whatever the layers are.

For published codecs whose classes come from a package: built in their published shapes with random weights, nothing is downloaded.
Causal padding, reflection, recurrent and attention layers need no case of their own here; the count by lengths (`taps.py`) knows
"same" convolutions alone.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module

import torch
from torch import nn
from torch.nn.utils import parametrize

from codec_cliff.errors import CodecError
from codec_cliff.models.coverage import LayerCoverage
from codec_cliff.models.reference.facts import PUBLISHED, reference_facts

CONVOLUTIONS = (nn.Conv1d, nn.ConvTranspose1d)


@dataclass(frozen=True)
class Halves:
    """A codec's encoder, audio (B, 1, T) to latents, and decoder, latents (B, `channels`, N) to audio, and what belongs to each."""

    encoder: Callable[[torch.Tensor], torch.Tensor]
    decoder: Callable[[torch.Tensor], torch.Tensor]
    modules: dict[str, nn.Module]  # "encoder" and "decoder": where their convolutions are
    channels: int


def _modules(encoder: nn.Module, decoder: nn.Module, channels: int) -> Halves:
    return Halves(encoder, decoder, {"encoder": encoder, "decoder": decoder}, channels)


def _dac(rates: list[int], sample_rate: int, codebooks: int) -> Halves:
    model = import_module("dac.model.dac").DAC(
        encoder_rates=rates, decoder_rates=rates[::-1], sample_rate=sample_rate, n_codebooks=codebooks
    )
    return _modules(model.encoder, model.decoder, model.latent_dim)


def _mimi() -> Halves:
    transformers = import_module("transformers")
    model = transformers.MimiModel(transformers.MimiConfig())
    return Halves(
        lambda audio: model.encoder(audio).latents,
        lambda latents: model.decoder(latents).audio_values,
        {"encoder": model.encoder, "decoder": model.decoder},
        model.config.hidden_size,
    )


def _encodec() -> Halves:
    transformers = import_module("transformers")
    model = transformers.EncodecModel(transformers.EncodecConfig())
    return _modules(model.encoder, model.decoder, model.config.hidden_size)


def _snac() -> Halves:
    model = import_module("snac").SNAC(
        sampling_rate=24000, encoder_dim=48, encoder_rates=[2, 4, 8, 8], decoder_dim=1024, decoder_rates=[8, 8, 4, 2],
        attn_window_size=None, codebook_size=4096, codebook_dim=8, vq_strides=[4, 2, 1], noise=True, depthwise=True,
    )  # fmt: skip
    return _modules(model.encoder, model.decoder, model.latent_dim)


def _speechtokenizer() -> Halves:
    shape = {
        "n_filters": 64,
        "strides": [8, 5, 4, 2],
        "dimension": 1024,
        "semantic_dimension": 768,
        "bidirectional": True,
    }
    shape |= {
        "dilation_base": 2,
        "residual_kernel_size": 3,
        "n_residual_layers": 1,
        "lstm_layers": 2,
        "activation": "ELU",
    }
    shape |= {"codebook_size": 1024, "n_q": 8, "sample_rate": 16000}
    model = import_module("speechtokenizer.model").SpeechTokenizer(shape)
    return _modules(model.encoder, model.decoder, shape["dimension"])


# id -> how it is built. Shapes are those of the published configurations.
BUILDERS: dict[str, Callable[[], Halves]] = {
    "dac_16k": lambda: _dac([2, 4, 5, 8], 16000, 12),
    "dac_24k": lambda: _dac([2, 4, 5, 8], 24000, 32),
    "mimi_8": _mimi,
    "mimi_32": _mimi,
    "encodec_3": _encodec,
    "encodec_6": _encodec,
    "snac_24k": _snac,
    "speechtokenizer": _speechtokenizer,
}


def built(codec_id: str) -> Halves:
    """A published codec with random weights; CodecError names those that can be built without their authors' code."""
    if codec_id not in BUILDERS:
        why = (
            "its classes are in no package, but in its authors' code"
            if codec_id in PUBLISHED
            else "no such published codec"
        )
        raise CodecError(
            f"--codec {codec_id}: {why}; known: {', '.join(BUILDERS)}; for a DAC of other strides, give --strides"
        )
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        return BUILDERS[codec_id]()


def published_coverage(codec_id: str, clip_samples: int) -> tuple[int, list[LayerCoverage]]:
    """Tokens in a clip, padded with zeros to whole ones, and the taps of every convolution longer than one that get no gradient."""
    halves, facts = built(codec_id), reference_facts(codec_id)
    tokens = math.ceil(clip_samples * facts.frame_rate / facts.sample_rate)
    samples = round(tokens * facts.sample_rate / facts.frame_rate)
    with torch.enable_grad(), torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        audio = nn.functional.pad(torch.randn(2, 1, clip_samples), (0, samples - clip_samples))
        found = _untrained(halves.modules["encoder"], lambda: halves.encoder(audio), "encoder.")
        latents = torch.randn(2, halves.channels, tokens)
        return tokens, found + _untrained(halves.modules["decoder"], lambda: halves.decoder(latents), "decoder.")


def _untrained(part: nn.Module, forward: Callable[[], torch.Tensor], prefix: str) -> list[LayerCoverage]:
    """Layers with kernels longer than one tap: which of these the loss of an output of noise does not reach."""
    part.train()
    layers = {name: layer for name, layer in part.named_modules() if isinstance(layer, CONVOLUTIONS)}
    for layer in layers.values():
        _bare(layer)
    forward().square().mean().backward()
    return [
        LayerCoverage(f"{prefix}{name}", _zero_taps(layer.weight.grad), layer.kernel_size[0])
        for name, layer in layers.items()
        if layer.kernel_size[0] > 1
    ]


def _bare(layer: nn.Module) -> None:
    """Weight norm off; weights and biases of a size that keeps gradients from vanishing in the depth of a network."""
    if hasattr(layer, "weight_g"):
        nn.utils.remove_weight_norm(layer)
    if parametrize.is_parametrized(layer, "weight"):
        parametrize.remove_parametrizations(layer, "weight")
    nn.init.normal_(layer.weight, std=(layer.weight[0].numel()) ** -0.5)
    if layer.bias is not None:
        nn.init.normal_(layer.bias)


def _zero_taps(gradient: torch.Tensor) -> tuple[int, ...]:
    """Taps along the last axis whose gradient is exactly zero in every channel."""
    return tuple((gradient.abs().amax((0, 1)) == 0).nonzero().flatten().tolist())


def padded_elsewhere(codec_id: str) -> int:
    """How many of a codec's convolutions meet something other than zeros of their own: there the count by lengths does not apply."""
    modules = built(codec_id).modules.values()
    longer = [
        layer
        for part in modules
        for layer in part.modules()
        if isinstance(layer, nn.Conv1d) and layer.kernel_size[0] > 1
    ]
    return sum(layer.padding_mode != "zeros" or layer.padding == (0,) for layer in longer)
