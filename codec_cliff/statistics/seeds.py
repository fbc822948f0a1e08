"""What another seed would have changed: seeds are blocks, for every training of a seed hears the same recordings in the same order.

A difference between two arms is taken seed by seed; what all arms of a seed have in common drops out. How far differences still
scatter is pooled over all arms of a study, for two seeds of two arms alone would tell next to nothing.
"""

import math
from collections.abc import Hashable, Mapping
from dataclasses import replace

import numpy as np
from scipy.special import stdtrit

from codec_cliff.statistics.bootstrap import Estimate
from codec_cliff.study.config import Run

Spread = tuple[float, int]  # standard deviation, degrees of freedom (0: unknown)
UNKNOWN: Spread = (math.nan, 0)


def arm_of(run: Run) -> tuple[float, int, int, str]:
    """What trainings have in common that differ in their seed alone."""
    return run.frame_rate, run.clip_samples, run.batch_clips, run.variant


def block_spread(values: Mapping[tuple[Hashable, int], float]) -> Spread:
    """What arm and seed leave unexplained of the figures by (arm, seed): two-way least squares, arms of one seed left out."""
    arms = [arm for arm, _ in values]
    kept = {key: value for key, value in values.items() if arms.count(key[0]) > 1}
    names, seeds = (list(dict.fromkeys(key[part] for key in kept)) for part in (0, 1))
    design = np.array([[arm == name for name in names] + [seed == one for one in seeds] for arm, seed in kept], float)
    freedom = len(kept) - (int(np.linalg.matrix_rank(design)) if kept else 0)
    if freedom < 1:
        return UNKNOWN
    figures = np.array(list(kept.values()))
    residual = figures - design @ np.linalg.lstsq(design, figures, rcond=None)[0]
    return float(np.sqrt((residual**2).sum() / freedom)), freedom


def widen(estimate: Estimate, spread: Spread, n_seeds: int, terms: float, confidence: float) -> Estimate:
    """An interval over speakers with what seeds add: Student's t, in quadrature; `terms`: the squares of the arms' factors, summed.

    Wide open where the spread is unknown.
    """
    deviation, freedom = spread
    if not freedom:
        return replace(estimate, low=-math.inf, high=math.inf)
    added = float(stdtrit(freedom, (1 + confidence) / 2)) * deviation * math.sqrt(terms / n_seeds)
    below, above = estimate.value - estimate.low, estimate.high - estimate.value
    return replace(
        estimate, low=estimate.value - math.hypot(below, added), high=estimate.value + math.hypot(above, added)
    )
