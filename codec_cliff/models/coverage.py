"""Which taps no training clip ever reaches: outer taps of a "same"-padded convolution that only meet padding.

In training, a layer's input is as long as the clip; a tap that meets padding alone gets no gradient from data: weight norm hands
it a multiple of its own random weights, one number a channel, and decay shrinks it. It meets real activations for the first time
when a whole utterance is decoded. At 6.25 Hz a clip of 0.38 s is three tokens, and two of the seven taps of the decoder's first
convolution are never trained.

Two counts that must agree: from gradients of a narrow copy, and from lengths alone (`taps.py`). Coverage is a matter of lengths,
not of widths.
"""

import argparse
import contextlib
import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import torch
from torch import nn

from codec_cliff.errors import CodecError, exit_cleanly
from codec_cliff.files import write_csv
from codec_cliff.models.dac import build_discriminator, build_generator
from codec_cliff.models.taps import CONVOLUTIONS, LayerTaps, layer_taps
from codec_cliff.study.config import Run

MOST_TOKENS = 256  # clips longer than this are not searched for the shortest that covers everything
NARROW = 4  # channels of a narrow discriminator


@dataclass(frozen=True)
class LayerCoverage:
    """The taps of one layer that received no gradient: indices along the kernel, out of `taps`."""

    layer: str
    uncovered: tuple[int, ...]
    taps: int


def generator_taps(run: Run) -> list[LayerTaps]:
    """Every convolution of encoder and decoder with its taps' positions in a training clip, from lengths."""
    with torch.random.fork_rng(devices=[]):
        model = _narrow_generator(run)
    audio = torch.zeros(1, 1, run.tokens_per_clip * run.hop_length)
    latents = torch.zeros(1, model.latent_dim, run.tokens_per_clip)
    return [
        *layer_taps(model.encoder, lambda: model.encoder(audio), "encoder.", real=run.clip_samples),
        *layer_taps(model.decoder, lambda: model.decoder(latents), "decoder."),
    ]


def discriminator_taps(run: Run) -> list[LayerTaps]:
    """Every convolution of the discriminators, along time, from lengths.

    Raises CodecError where the clip is too short for them to run at all. They see it at its own length, which DAC cuts the decoded
    whole tokens to.
    """
    discriminator, clip = _narrow_discriminator(run), torch.zeros(1, 1, run.clip_samples)
    return layer_taps(discriminator, lambda: _judge(discriminator, clip))


def generator_coverage(run: Run) -> list[LayerCoverage]:
    """The generator's taps without gradient, layers in order; kernels of one tap included.

    Encoder and decoder are back-propagated separately: the quantizer between them would hide the encoder behind its
    straight-through gradient.
    """
    with torch.enable_grad(), torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        model = _narrow_generator(run)
        audio = _clip(run)
        latents = torch.randn(2, model.latent_dim, run.tokens_per_clip)
        return [
            *_without_gradient(model.encoder, lambda: model.encoder(audio), "encoder."),
            *_without_gradient(model.decoder, lambda: model.decoder(latents), "decoder."),
        ]


def discriminator_coverage(run: Run) -> list[LayerCoverage]:
    """The discriminators' taps along time without gradient; raises CodecError where the clip is too short for them."""
    with torch.enable_grad(), torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        discriminator = _narrow_discriminator(run)
        clip = torch.randn(2, 1, run.clip_samples)
        return _without_gradient(discriminator, lambda: _judge(discriminator, clip))


def uncovered(layers: Sequence[LayerTaps | LayerCoverage]) -> int:
    """Taps that training never reaches, over all layers."""
    return sum(len(layer.uncovered) for layer in layers)


def shortest_clip(run: Run) -> int:
    """The fewest tokens a clip must have for every tap of the generator to meet data; CodecError where none is found."""
    for tokens in range(1, MOST_TOKENS + 1):
        if not uncovered(generator_taps(replace(run, clip_samples=tokens * run.hop_length))):
            return tokens
    raise CodecError(f"strides {list(run.strides)}: even {MOST_TOKENS} tokens leave taps of the generator uncovered")


def warning(run: Run) -> str | None:
    """What a training on these clips leaves untrained in the generator, and the remedy; None where nothing."""
    layers = generator_taps(run)
    if not uncovered(layers):
        return None
    tokens = shortest_clip(run)
    return (
        f"clips of {run.clip_seconds:g} s ({run.tokens_per_clip} tokens) never train {uncovered(layers)} of "
        f"{sum(layer.taps for layer in layers)} taps of the generator ({describe(layers)}); they stay random and are switched on "
        f"in longer recordings; clips of {tokens} tokens ({tokens * run.hop_length / run.sample_rate:g} s) reach every tap"
    )


def _narrow_generator(run: Run) -> nn.Module:
    narrow = replace(run.model, encoder_dim=4, decoder_dim=4 * 2 ** len(run.strides), n_codebooks=1, codebook_size=16)
    return build_generator(replace(run, model=narrow))


def _narrow_discriminator(run: Run) -> nn.Module:
    """The discriminators with few channels: same kernels, strides and padding."""
    with torch.device("meta"):  # forty million weights that are only read for their shapes
        model = build_discriminator(run)
    for name, layer in list(model.named_modules()):
        if isinstance(layer, nn.Conv2d):
            parent, _, child = name.rpartition(".")
            setattr(model.get_submodule(parent), child, _narrow_convolution(layer))
    return model


def _narrow_convolution(layer: nn.Conv2d) -> nn.Conv2d:
    channels = min(layer.in_channels, NARROW), min(layer.out_channels, NARROW)
    return nn.Conv2d(*channels, layer.kernel_size, layer.stride, layer.padding, layer.dilation)


def _clip(run: Run) -> torch.Tensor:
    """Two clips of noise, (2, 1, T), right-padded to whole tokens as DAC pads them."""
    padded = run.tokens_per_clip * run.hop_length
    return nn.functional.pad(torch.randn(2, 1, run.clip_samples), (0, padded - run.clip_samples))


def _judge(discriminator: nn.Module, clip: torch.Tensor) -> list[torch.Tensor]:
    """The last feature map of each discriminator."""
    try:
        return [features[-1] for features in discriminator(clip)]
    except RuntimeError as error:  # reflect padding, or a band's convolution, has less input than it needs
        raise CodecError(
            f"a clip of {clip.shape[-1]} samples is too short for the discriminators ({error}); lengthen it"
        ) from error


def _without_gradient(part: nn.Module, forward, prefix: str = "") -> list[LayerCoverage]:
    layers = [(name, layer) for name, layer in part.named_modules() if isinstance(layer, CONVOLUTIONS)]
    for _, layer in layers:
        if hasattr(layer, "weight_g"):
            nn.utils.remove_weight_norm(layer)
        nn.init.normal_(layer.weight)  # DAC's small initial weights make gradients that underflow to zero
        layer.weight.data /= layer.weight[0].numel() ** 0.5
        nn.init.normal_(layer.bias)  # DAC's start at zero, and would carry the padding's zeros past the first layer
    outputs = forward()
    sum(output.square().sum() for output in (outputs if isinstance(outputs, list) else [outputs])).backward()
    return [
        LayerCoverage(f"{prefix}{name}", _zero_taps(layer.weight.grad), layer.kernel_size[0]) for name, layer in layers
    ]


def _zero_taps(gradient: torch.Tensor) -> tuple[int, ...]:
    """Taps along time, axis 2, whose gradient is exactly zero in every other axis."""
    return tuple((gradient.abs().transpose(0, 2).flatten(1).amax(1) == 0).nonzero().flatten().tolist())


def describe(layers: Sequence[LayerTaps | LayerCoverage]) -> str:
    """`decoder.model.0: 2 of 7` for each layer with uncovered taps."""
    return "; ".join(f"{layer.layer}: {len(layer.uncovered)} of {layer.taps}" for layer in layers if layer.uncovered)


def coverage_row(run: Run) -> dict[str, object]:
    """A run's row of results/<study>/probes/coverage.csv; CodecError where the two counts of its taps disagree."""
    layers = generator_taps(run)
    by_gradient = uncovered(generator_coverage(run))
    if by_gradient != uncovered(layers):
        raise CodecError(
            f"{run.codec}: {uncovered(layers)} uncovered taps by length, {by_gradient} by gradient; report this"
        )
    return {
        "codec": run.codec,
        "frame_rate": run.frame_rate,
        "protocol": run.protocol,
        "tokens_per_clip": run.tokens_per_clip,
        "clip_seconds": run.clip_seconds,
        "padded_share": 1 - run.clip_samples / (run.tokens_per_clip * run.hop_length),
        "taps": sum(layer.taps for layer in layers),
        "uncovered_taps": uncovered(layers),
        "layers": describe(layers),
        "least_share": min(min(layer.shares) for layer in layers),
        "uncovered_discriminator_taps": uncovered(discriminator_taps(run)) if run.discriminator.enabled else None,
        "shortest_clip_tokens": shortest_clip(run),
    }


def tap_rows(run: Run) -> list[dict[str, object]]:
    """One row a tap of generator and discriminators: how many positions it meets in a clip, a step, a training.

    Of clips that are too short for the discriminators, the generator's rows alone.
    """
    layers = generator_taps(run)
    if run.discriminator.enabled:
        with contextlib.suppress(CodecError):
            layers += discriminator_taps(run)
    return [
        {
            "codec": run.codec,
            "layer": layer.layer,
            "tap": tap,
            "dilation": layer.dilation,
            "n_input": layer.n_input,
            "positions_per_clip": count,
            "positions_per_step": count * run.batch_clips,
            "positions_in_training": count * run.batch_clips * run.training.steps,
            "share": round(share, 6),
        }
        for layer in layers
        for tap, (count, share) in enumerate(zip(layer.positions, layer.shares, strict=True))
    ]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", required=True, help="a JSON list of resolved runs")
    parser.add_argument("--output", required=True, type=Path, help="one row a run")
    parser.add_argument("--taps", required=True, type=Path, help="one row a tap and run")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    runs = [Run.from_dict(values) for values in json.loads(arguments.runs)]
    write_csv(arguments.taps, [row for run in runs for row in tap_rows(run)])
    write_csv(arguments.output, [coverage_row(run) for run in runs])


if __name__ == "__main__":
    exit_cleanly(main)
