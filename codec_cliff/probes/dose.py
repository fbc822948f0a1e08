"""Dose-response: quality against tokens a clip at equal audio and equal steps. Does it step where the last tap gets covered, or slope?

A change-point (one level up to some clip length, another beyond it) against a smooth curve (a line in log tokens or in 1 / tokens,
whichever fits better): three free choices each, so their squared errors compare as they are.
"""

from collections.abc import Sequence

import numpy as np

from codec_cliff.models.coverage import shortest_clip
from codec_cliff.probes.answer import Answer, Verdict, signed, spread_sentence
from codec_cliff.probes.arms import Arm, Scores, equal_audio

LEAST_DOSES = 5  # with fewer, three free choices leave nothing to compare
SURE = 0.95  # share of resamples that must put the step into one gap


def step_fit(tokens: np.ndarray, means: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Squared error of the best change-point (S,) and the number of doses below it (S,); doses (D,), means (D, S)."""
    errors = [
        ((means[:below] - means[:below].mean(0)) ** 2).sum(0) + ((means[below:] - means[below:].mean(0)) ** 2).sum(0)
        for below in range(1, len(tokens))
    ]
    return np.min(errors, axis=0), np.argmin(errors, axis=0) + 1


def smooth_fit(tokens: np.ndarray, means: np.ndarray) -> np.ndarray:
    """Squared error of the better of two curves, a + b log(tokens) and a + b / tokens: (S,)."""
    errors = []
    for curve in (np.log(tokens), 1 / tokens):
        design = np.stack([np.ones(len(tokens)), curve], axis=1)
        residual = means - design @ np.linalg.lstsq(design, means, rcond=None)[0]
        errors.append((residual**2).sum(0))
    return np.min(errors, axis=0)


def answer(found: Sequence[Arm], scores: Scores, study) -> Answer:
    """A row an arm and variant, and a verdict a frame rate."""
    spread = scores.seed_spread(found)
    rows, verdicts = [], []
    for rate in dict.fromkeys(arm.frame_rate for arm in found):
        levels = equal_audio([arm for arm in found if arm.frame_rate == rate])
        doses = max(levels, key=len, default=[])
        if len(doses) < 2:
            continue
        means = scores.arm_means(doses, spread)
        rows += [_row(arm, scores, samples) for arm, samples in zip(doses, means, strict=True)]
        run = study.probe_runs[doses[0].codecs[0]]
        verdicts.append(_verdict(doses, means, scores, shortest_clip(run), spread))
    return Answer(rows, verdicts)


def _row(arm: Arm, scores: Scores, samples: np.ndarray) -> dict[str, object]:
    estimate = scores.estimate(samples)
    row = {
        "frame_rate": arm.frame_rate,
        "tokens": arm.tokens,
        "audio_per_step": round(arm.audio, 6),
        "seeds": len(arm.codecs),
    }
    row |= {"uncovered_taps": arm.uncovered, "value": estimate.value, "low": estimate.low, "high": estimate.high}
    row["by_seed"] = " ".join(f"{scores.mean(codec)[0]:.3f}" for codec in arm.codecs)
    for variant in ("zero-uncovered", "overlapping-chunks"):
        known = all(scores.has(codec, variant) for codec in arm.codecs)
        row[variant] = float(np.mean([scores.mean(codec, variant)[0] for codec in arm.codecs])) if known else None
    row["collapsed"] = sum(codec in scores.collapsed for codec in arm.codecs)
    return row


def _verdict(doses: list[Arm], means: np.ndarray, scores: Scores, covering: int, spread: tuple[float, int]) -> Verdict:
    tokens = np.array([arm.tokens for arm in doses])
    rate = f"{doses[0].frame_rate:g} Hz"
    contrasts = [
        f"{b} minus {a} tokens {signed(scores.estimate(means[j] - means[i]))}"
        for (i, a), (j, b) in zip(enumerate(tokens), list(enumerate(tokens))[1:], strict=False)
    ]
    evidence = f"{scores.metric.upper()} at {rate}, {len(doses)} clip lengths: {'; '.join(contrasts)}. {spread_sentence(spread)}"
    question = (
        f"Does quality at {rate} step up where clips cover every tap ({covering} tokens), or slope with their length?"
    )
    if len(doses) < LEAST_DOSES:
        reason = f" Fewer than {LEAST_DOSES} clip lengths cannot tell a step from a slope."
        return Verdict(question, "not settled at this scale", evidence + reason)
    step, below = step_fit(tokens, means)
    gain = scores.estimate(smooth_fit(tokens, means) - step)
    gaps = np.bincount(below[1:], minlength=len(tokens))
    likely = int(gaps.argmax())
    place, sure = f"between {tokens[likely - 1]} and {tokens[likely]} tokens", gaps[likely] / gaps.sum()
    evidence += (
        f" The smooth curve's squared error minus the step's: {gain.value:+.2g} [{gain.low:+.2g}, {gain.high:+.2g}]; "
        f"the best step lies {place} in {sure:.0%} of the resamples."
    )
    if not spread[1] or gain.low <= 0 <= gain.high:
        return Verdict(question, "not settled at this scale", evidence)
    if gain.high < 0:
        return Verdict(question, "slope", evidence)
    return Verdict(question, f"step {place}" if sure >= SURE else "step, its place not settled", evidence)
