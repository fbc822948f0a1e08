"""Which taps of the generator no training clip ever reaches: outer taps of a "same"-padded convolution that only meet padding.

A convolution of kernel k and dilation d multiplies its tap at offset o by padding alone where |o| * d is at least the length of its
input. In training that input is as long as the clip, so such a tap gets no gradient from data: weight norm hands it a multiple of
its own random weights, one number a channel, and decay shrinks it. It meets real activations for the first time when a whole
utterance is decoded. At 6.25 Hz a clip of 0.38 s is three tokens, and two of the seven taps of the decoder's first convolution are
never trained.
"""

import argparse
import json
from dataclasses import dataclass, replace
from pathlib import Path

import torch
from torch import nn

from codec_cliff.config import Run
from codec_cliff.errors import exit_cleanly
from codec_cliff.files import write_csv
from codec_cliff.models.dac import build_generator

CONVOLUTIONS = (nn.Conv1d, nn.ConvTranspose1d)


@dataclass(frozen=True)
class LayerCoverage:
    """The taps of one layer that received no gradient: indices along the kernel, out of `taps`."""

    layer: str
    uncovered: tuple[int, ...]
    taps: int


def generator_coverage(run: Run) -> list[LayerCoverage]:
    """Every convolution of encoder and decoder that sees the clip, in order; kernels of one tap included.

    Coverage is a matter of lengths, not of widths, so a narrow copy is measured. Encoder and decoder are back-propagated
    separately: the quantizer between them would hide the encoder behind its straight-through gradient.
    """
    narrow = replace(run.model, encoder_dim=4, decoder_dim=4 * 2 ** len(run.strides), n_codebooks=1, codebook_size=16)
    with torch.enable_grad(), torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        model = build_generator(replace(run, model=narrow))
        padded = run.tokens_per_clip * run.hop_length
        audio = nn.functional.pad(torch.randn(2, 1, run.clip_samples), (0, padded - run.clip_samples))
        latents = torch.randn(2, model.latent_dim, run.tokens_per_clip)
        return [
            *_uncovered(model.encoder, audio, "encoder"),
            *_uncovered(model.decoder, latents, "decoder"),
        ]


def _uncovered(part: nn.Module, x: torch.Tensor, prefix: str) -> list[LayerCoverage]:
    layers = [(name, layer) for name, layer in part.named_modules() if isinstance(layer, CONVOLUTIONS)]
    for _, layer in layers:
        nn.utils.remove_weight_norm(layer)
        nn.init.normal_(layer.weight)  # DAC's small initial weights make gradients that underflow to zero
        layer.weight.data /= layer.weight[0].numel() ** 0.5
    part(x).square().sum().backward()
    return [
        LayerCoverage(f"{prefix}.{name}", _zero_taps(layer.weight.grad), layer.kernel_size[0])
        for name, layer in layers
    ]  # fmt: skip


def _zero_taps(gradient: torch.Tensor) -> tuple[int, ...]:
    return tuple((gradient.abs().amax((0, 1)) == 0).nonzero().flatten().tolist())


def describe(coverage: list[LayerCoverage]) -> str:
    """`decoder.model.0: 2 of 7` for each layer with uncovered taps."""
    return "; ".join(f"{layer.layer}: {len(layer.uncovered)} of {layer.taps}" for layer in coverage if layer.uncovered)


def coverage_row(run: Run) -> dict[str, object]:
    """A run's row of results/<study>/probes/coverage.csv."""
    coverage = generator_coverage(run)
    return {
        "codec": run.codec,
        "frame_rate": run.frame_rate,
        "protocol": run.protocol,
        "tokens_per_clip": run.tokens_per_clip,
        "clip_seconds": run.clip_seconds,
        "padded_share": 1 - run.clip_samples / (run.tokens_per_clip * run.hop_length),
        "taps": sum(layer.taps for layer in coverage),
        "uncovered_taps": sum(len(layer.uncovered) for layer in coverage),
        "layers": describe(coverage),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", required=True, help="a JSON list of resolved runs")
    parser.add_argument("--output", required=True, type=Path)
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    rows = [coverage_row(Run.from_dict(values)) for values in json.loads(arguments.runs)]
    write_csv(arguments.output, rows)


if __name__ == "__main__":
    exit_cleanly(main)
