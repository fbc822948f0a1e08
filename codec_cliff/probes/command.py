"""`codec-cliff coverage`: which taps of a codec's convolutions do training clips of a given length never reach?

Of DAC with any strides by lengths and by gradient; of a published codec by gradient alone, for causal or mirrored padding, recurrent
and attention layers are beyond the count by lengths.
"""

import argparse
import math
import re
from collections.abc import Sequence
from pathlib import Path

import torch

from codec_cliff.errors import CodecError, ConfigError, exit_cleanly
from codec_cliff.files import write_csv
from codec_cliff.models.coverage import (
    discriminator_taps,
    generator_coverage,
    generator_taps,
    shortest_clip,
    tap_rows,
    uncovered,
    warning,
)
from codec_cliff.models.published import BUILDERS, padded_elsewhere, published_coverage
from codec_cliff.models.reference.facts import reference_facts
from codec_cliff.models.taps import LayerTaps
from codec_cliff.probes.heat_map import write_heat_map
from codec_cliff.study.config import Discriminator, Losses, Model, Run, Training
from codec_cliff.study.schema import validated

EXAMPLE = "codec-cliff coverage --strides 4,8,8,10 --clip 0.38s"
EXAMPLES = f"examples: {EXAMPLE}; codec-cliff coverage --codec mimi_8 --clip 12s"


def strides(text: str) -> tuple[int, ...]:
    """`4,8,8,10`: the encoder's strides; the decoder's are the reverse."""
    if not re.fullmatch(r"[0-9]+(,[0-9]+)*", text) or min(map(int, text.split(","))) < 2:
        raise ConfigError(f"--strides {text}: give whole numbers of 2 and more between commas, as in {EXAMPLE}")
    return tuple(map(int, text.split(",")))


def clip_samples(text: str, hop_length: float, sample_rate: int) -> int:
    """`0.38s`, `4tokens` or `6080samples` as a number of samples."""
    found = re.fullmatch(r"([0-9]*\.?[0-9]+) *(s|tokens?|samples?)", text)
    if not found:
        raise ConfigError(f"--clip {text}: give seconds, tokens or samples: 0.38s, 4tokens, 6080samples")
    samples = (
        float(found[1])
        * {"s": sample_rate, "t": hop_length, "sa": 1}["sa" if found[2].startswith("sa") else found[2][0]]
    )
    if round(samples) < 1:
        raise ConfigError(f"--clip {text}: less than one sample; lengthen it")
    return round(samples)


def described_run(of_strides: tuple[int, ...], clip: str, sample_rate: int) -> Run:
    """A run with these lengths and the defaults of everything else."""
    defaults = validated({"study": "coverage", "corpus": {"kind": "synthetic", "train": ["a"], "test": ["b"]}}
                         | {"frame_rates": [{"frame_rate": 1, "strides": list(of_strides)}], "protocols": {"a": {}}}
                         | {"tables": {"fixed_duration": [1], "fixed_tokens": [1]}})  # fmt: skip
    hop_length = math.prod(of_strides)
    parts = {"model": Model, "discriminator": Discriminator, "losses": Losses, "training": Training}
    return Run(
        codec="described",
        protocol="described",
        frame_rate=sample_rate / hop_length,
        strides=of_strides,
        sample_rate=sample_rate,
        clip_samples=clip_samples(clip, hop_length, sample_rate),
        batch_clips=1,
        seed=0,
        **{name: part(**defaults[name]) for name, part in parts.items()},
    )


def report(run: Run) -> list[str]:
    """The lines that the command prints; the last one is `uncovered taps: N`."""
    layers = generator_taps(run)
    by_gradient = uncovered(generator_coverage(run))
    if by_gradient != uncovered(layers):
        raise CodecError(f"{uncovered(layers)} uncovered taps by length, {by_gradient} by gradient; report this")
    tokens = shortest_clip(run)
    padded = 1 - run.clip_samples / (run.tokens_per_clip * run.hop_length)
    return [
        f"{run.frame_rate:g} Hz, strides {','.join(map(str, run.strides))}: a clip of {run.clip_samples} samples "
        f"({run.clip_seconds:g} s) is {run.tokens_per_clip} tokens of {run.hop_length}, {padded:.0%} of them padding",
        "",
        f"{'layer':38} {'input':>7} {'dilation':>8}  positions in a clip, tap by tap (0: never trained)",
        *(_line(layer) for layer in layers if layer.taps > 1),
        "",
        f"WARNING: {text}" if (text := warning(run)) else "every tap of the generator meets data",
        f"shortest clip that covers everything: {tokens} tokens, {tokens * run.hop_length / run.sample_rate:g} s",
        _discriminator_line(run),
        f"uncovered taps: {uncovered(layers)}",
    ]


def codec_report(codec_id: str, clip: str) -> list[str]:
    """The same lines for a published codec; the last one is `uncovered taps: N`."""
    facts = reference_facts(codec_id)
    hop_length = facts.sample_rate / facts.frame_rate
    samples = clip_samples(clip, hop_length, facts.sample_rate)
    tokens, layers = published_coverage(codec_id, samples)
    bare, elsewhere = [layer for layer in layers if layer.uncovered], padded_elsewhere(codec_id)
    reason = (
        f"{elsewhere} of its convolutions meet padding that lengths do not tell of"
        if elsewhere
        else "all its convolutions are padded with zeros"
    )
    return [
        f"{codec_id}, {facts.frame_rate:g} Hz: a clip of {samples} samples ({samples / facts.sample_rate:g} s) is {tokens} tokens",
        f"counted by gradient alone, random weights in the published shapes: {reason}",
        "",
        *(f"{layer.layer:44} taps {', '.join(map(str, layer.uncovered))} of {layer.taps}" for layer in bare),
        *([] if bare else ["every tap meets data"]),
        f"uncovered taps: {uncovered(layers)} of {sum(layer.taps for layer in layers)}",
    ]


def _line(layer: LayerTaps) -> str:
    return f"{layer.layer:38} {layer.n_input:7} {layer.dilation:8}  {' '.join(map(str, layer.positions))}"


def _discriminator_line(run: Run) -> str:
    try:
        layers = discriminator_taps(run)
    except CodecError as error:
        return f"discriminators: {error}"
    count, taps = uncovered(layers), sum(layer.taps for layer in layers)
    return f"discriminators: {count} of {taps} taps along time uncovered, least share {min(min(x.shares) for x in layers):.2f}"


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser("codec-cliff coverage", description=__doc__, epilog=EXAMPLES)
    what = parser.add_mutually_exclusive_group(required=True)
    what.add_argument("--strides", help="a DAC's encoder strides, as in 4,8,8,10")
    what.add_argument("--codec", help=f"a published codec, built without its weights: {', '.join(BUILDERS)}")
    parser.add_argument("--clip", required=True, help="length of a training clip: 0.38s, 4tokens or 6080samples")
    parser.add_argument("--sample-rate", type=int, default=16000, help="Hz")
    parser.add_argument("--csv", type=Path, help="write one row a tap, discriminators included")
    parser.add_argument("--heat-map", type=Path, help="draw the taps' positions into this file (.png, .pdf or .svg)")
    options = parser.parse_args(arguments)
    torch.set_num_threads(1)
    if options.codec:
        if options.csv or options.heat_map:
            raise ConfigError(
                "--csv and --heat-map count by lengths, which --codec does not; give --strides, or leave them out"
            )
        print("\n".join(codec_report(options.codec, options.clip)))
        return
    run = described_run(strides(options.strides), options.clip, options.sample_rate)
    lines = report(run)
    if options.csv:
        write_csv(options.csv, tap_rows(run))
    if options.heat_map:
        write_heat_map({f"{run.frame_rate:g} Hz, {run.tokens_per_clip} tokens": generator_taps(run)}, options.heat_map)
    print("\n".join(lines))


if __name__ == "__main__":
    exit_cleanly(main)
