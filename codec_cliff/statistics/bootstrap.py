"""Percentile bootstrap of corpus figures: speakers are resampled, or utterances where the speakers are few."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from codec_cliff.study.config import Study

MIN_SPEAKERS = 10  # below this, resampling speakers says little; utterances are resampled instead

Sums = tuple[np.ndarray, np.ndarray]  # numerators and denominators of the utterances, (N,) each


@dataclass(frozen=True)
class Resampling:
    """How often to resample, at which confidence (0 to 1), from which seed."""

    samples: int
    confidence: float
    seed: int

    @classmethod
    def of(cls, study: Study) -> "Resampling":
        return cls(int(study.statistics["bootstrap_samples"]), study.statistics["confidence"], study.seed)


@dataclass(frozen=True)
class Estimate:
    """A corpus figure with its percentile interval; `unit` is what was resampled, speaker or utterance."""

    value: float
    low: float
    high: float
    unit: str


def bootstrap_ratio(numerators: Iterable, denominators: Iterable, speakers: Sequence, by: Resampling) -> Estimate:
    """Sum over sum with its interval, as corpus WER has it: errors (N,) over reference words (N,)."""
    clusters, unit = _clusters(speakers)
    return _estimate(_ratios((np.asarray(numerators), np.asarray(denominators)), clusters, by), unit, by)


def bootstrap_mean(values: Iterable, speakers: Sequence[str], by: Resampling) -> Estimate:
    """Mean of a value an utterance (N,), with its interval."""
    values = np.asarray(values)
    return bootstrap_ratio(values, np.ones(len(values)), speakers, by)


def paired_difference(a: Sums, b: Sums, speakers: Sequence[str], by: Resampling) -> Estimate:
    """Ratio of `b` minus ratio of `a` over the same utterances (N,): each resample draws both codecs together."""
    clusters, unit = _clusters(speakers)
    return _estimate(_ratios(b, clusters, by) - _ratios(a, clusters, by), unit, by)


def _clusters(speakers: Sequence[str]) -> tuple[np.ndarray, str]:
    """The cluster of each utterance, (N,) from 0, and what a cluster is."""
    names, clusters = np.unique(np.asarray(speakers, dtype=str), return_inverse=True)
    return (clusters, "speaker") if len(names) >= MIN_SPEAKERS else (np.arange(len(speakers)), "utterance")


def _ratios(sums: Sums, clusters: np.ndarray, by: Resampling) -> np.ndarray:
    """The corpus' own ratio, then that of each resample: (1 + samples,)."""
    numerators, denominators = (np.bincount(clusters, weights=values) for values in sums)
    n = len(numerators)
    draws = np.random.default_rng(by.seed).multinomial(n, np.full(n, 1 / n), size=by.samples)
    counts = np.vstack([np.ones(n), draws])  # how often a resample holds each cluster
    return (counts @ numerators) / (counts @ denominators)


def _estimate(ratios: np.ndarray, unit: str, by: Resampling) -> Estimate:
    tail = (1 - by.confidence) / 2
    low, high = np.quantile(ratios[1:], [tail, 1 - tail])
    return Estimate(float(ratios[0]), float(low), float(high), unit)


def verdict(difference: Estimate) -> str:
    """What the interval of a difference settles: `higher`, `lower`, or `not settled` where it holds zero."""
    if difference.low > 0:
        return "higher"
    return "lower" if difference.high < 0 else "not settled"
