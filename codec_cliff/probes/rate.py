"""Rate and distortion: STOI over bitrate, where the codebooks stay and where the bitrate does.

Two different experiments: with the same codebooks at every frame rate (the paper's) a lower rate also has fewer bits; with the bitrate
held constant (NanoCodec's) it has more codebooks a token.
"""

from collections.abc import Mapping, Sequence

from codec_cliff.probes.answer import Answer
from codec_cliff.probes.arms import Arm, Scores
from codec_cliff.study.config import Run

VARIANTS = ("", "same-bitrate")


def answer(found: Sequence[Arm], runs: Mapping[str, Run], scores: Scores) -> Answer:
    """A row an arm of the study's longest clips, by variant, highest rate first."""
    shown = [arm for arm in found if arm.variant in VARIANTS and arm.whole_tokens]
    longest = max((arm.tokens for arm in shown), default=0)
    shown = [arm for arm in shown if arm.tokens == longest]
    means = scores.arm_means(shown, scores.seed_spread(found)) if shown else []
    return Answer(
        [_row(arm, runs[arm.codecs[0]], scores, samples) for arm, samples in zip(shown, means, strict=True)], []
    )


def _row(arm: Arm, run: Run, scores: Scores, samples) -> dict[str, object]:
    estimate = scores.estimate(samples)
    row = {"frame_rate": arm.frame_rate, "codebooks": run.model.n_codebooks, "bitrate": run.bitrate}
    row |= {"held": "bitrate" if arm.variant else "codebooks", "tokens": arm.tokens, "seeds": len(arm.codecs)}
    return row | {"value": estimate.value, "low": estimate.low, "high": estimate.high}
