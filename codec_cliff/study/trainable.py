"""What a study trains can be trained: codebooks, discriminators, clips long enough for them, steps that are taken."""

import math
from collections.abc import Mapping
from itertools import count

from codec_cliff.errors import ConfigError
from codec_cliff.study.config import Run, Study

LONGEST_WINDOW = 2048  # samples; of the mel loss (training/losses.py)


def check_codebooks(study: Study) -> None:
    """Codebooks that are given by frame rate are given for every rate that is trained with them."""
    rates = {rate.frame_rate for rate in study.frame_rates}
    asked = {"model": (study.model, rates)}
    for name in study.probes.variants:
        arms = {arms.frame_rate for arms in study.probes.arms if arms.variant == name}
        asked[f"probes.variants.{name}.model"] = study.parts(name)["model"], arms
    for key, (model, trained) in asked.items():
        for part in ("n_codebooks", "codebook_size"):
            value = getattr(model, part)
            missing = [rate for rate in sorted(trained) if isinstance(value, Mapping) and f"{rate:g}" not in value]
            if missing:
                raise ConfigError(f"{key}.{part}: has no entry for {missing[0]:g} Hz; give one for each frame rate")


def check_discriminator(study: Study) -> None:
    """Discriminators that are asked for have something to judge by, and each band something to see."""
    discriminator = study.discriminator
    if not discriminator.enabled:
        return
    if not discriminator.periods and not discriminator.fft_sizes:
        raise ConfigError(
            "discriminator: is enabled with neither periods nor fft_sizes; list some, or set discriminator.enabled to false"
        )
    for number, (low, high) in enumerate(discriminator.bands):
        key = f"discriminator.bands[{number}]"
        if low > high:
            raise ConfigError(f"{key}: [{low:g}, {high:g}] ends below its start; write [{high:g}, {low:g}]")
        for size in discriminator.fft_sizes:
            bins = size // 2 + 1
            if int(low * bins) == int(high * bins):
                raise ConfigError(
                    f"{key}: [{low:g}, {high:g}] holds none of the {bins} bins that fft_sizes of {size} have; "
                    "widen the band, or take larger fft_sizes"
                )


def check_clips(study: Study) -> None:
    """Reflect padding needs more input than it adds: in the mel loss, and in the discriminators."""
    for codec in (*study.trained, *study.control_runs, *study.probe_runs):
        run = study.runs[codec]
        if _pads(run, run.clip_samples):
            continue
        protocol = study.protocols.get(run.protocol)  # none: the clip lengths of the probes' arms
        key = f"protocols.{run.protocol}" if protocol else "probes.arms"
        in_seconds = protocol is not None and protocol.clip_seconds is not None
        lengths = count(run.clip_samples, 1 if in_seconds else run.hop_length)
        least = next(n_samples for n_samples in lengths if _pads(run, n_samples))
        remedy = f"{least / run.sample_rate:g} s" if in_seconds else f"{least // run.hop_length} tokens"
        raise ConfigError(
            f"{key}: {codec} has clips of {run.clip_samples} samples, too few for the reflect padding of the losses; "
            f"lengthen them to {remedy}"
        )


def _pads(run: Run, n_samples: int) -> bool:
    """Whether a clip of so many samples is longer than all that is mirrored at its ends."""
    added = [LONGEST_WINDOW // 2]
    if run.discriminator.enabled:
        added += [period - n_samples % period for period in run.discriminator.periods]
        added += [size * 3 // 8 + -n_samples % (size // 4) for size in run.discriminator.fft_sizes]  # up to whole hops
    return n_samples > max(added)


def check_padding(study: Study) -> None:
    """Reflect padding needs more input than it adds, at every "same" convolution of the generator."""
    for codec, run in study.runs.items():
        # kernel 7 over tokens; kernel 7, dilation 9 over what the coarsest stride makes of them
        least = max(4, math.ceil(28 / run.strides[-1]))
        if run.model.padding == "reflect" and run.tokens_per_clip < least:
            raise ConfigError(
                f"model.padding: {codec} has clips of {run.tokens_per_clip} tokens, and reflect padding needs {least}; "
                "take replicate, or longer clips"
            )


def check_kept_steps(study: Study) -> None:
    """No weights are to be kept after a step that no training takes."""
    trainings = {"training": study.training}
    trainings |= {f"probes.variants.{name}.training": study.parts(name)["training"] for name in study.probes.variants}
    for key, training in trainings.items():
        if beyond := [step for step in training.keep_steps if step > training.steps]:
            raise ConfigError(
                f"{key}.keep_steps: {beyond[0]} lies beyond the last of {training.steps} steps; leave it out, or raise {key}.steps"
            )
