"""Intervals of corpus figures over speakers, or over utterances where the speakers are few: they hold from five on.

A studentised bootstrap (Efron and Tibshirani 1993, section 12.5): every resample is measured in its own standard error, so
that few speakers and skewed counts widen the interval. Percentiles alone cover .83 instead of .95 with five speakers, .90
with ten. The error of the figure itself is the jackknife's over clusters (MacKinnon, Nielsen and Webb 2023).
"""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from scipy.special import ndtri, stdtrit

from codec_cliff.study.config import Study

MIN_SPEAKERS = 5  # with fewer no interval over speakers is of use: utterances are resampled, for these speakers alone
LEAST_ERROR = 0.15  # of the figure's: a resample of one cluster over and over has a standard error of nearly nothing
BLOCK = 2**18  # counts of clusters at once (2 MB): a resample of thousands of utterances has as many

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
    """A corpus figure with its interval; `unit` is what was resampled, speaker or utterance."""

    value: float
    low: float
    high: float
    unit: str


def bootstrap_ratio(numerators: Iterable, denominators: Iterable, speakers: Sequence, by: Resampling) -> Estimate:
    """Sum over sum with its interval, as corpus WER has it: errors (N,) over reference words (N,).

    Where no numerator is negative the interval does not reach below zero.
    """
    sums = np.asarray(numerators), np.asarray(denominators)
    estimate = _studentised({1: sums}, speakers, by)
    return replace(estimate, low=float(np.maximum(0, estimate.low))) if sums[0].min() >= 0 else estimate


def bootstrap_mean(values: Iterable, speakers: Sequence[str], by: Resampling) -> Estimate:
    """Mean of a value an utterance (N,), with its interval."""
    values = np.asarray(values)
    return bootstrap_ratio(values, np.ones(len(values)), speakers, by)


def paired_difference(a: Sums, b: Sums, speakers: Sequence[str], by: Resampling) -> Estimate:
    """Ratio of `b` minus ratio of `a` over the same utterances (N,): each resample draws both codecs together."""
    return _studentised({-1: a, 1: b}, speakers, by)


def widened(samples: np.ndarray, n_clusters: int, by: Resampling) -> np.ndarray:
    """A figure and its resamples (1 + samples,), these as far from it as Student's t asks of so many clusters.

    For figures that have no standard error of their own; their percentiles then cover what they promise, but for strong skew.
    """
    n, tail = max(n_clusters, 2), (1 + by.confidence) / 2
    return samples[0] + (samples - samples[0]) * np.sqrt(n / (n - 1)) * stdtrit(n - 1, tail) / ndtri(tail)


def _clusters(speakers: Sequence[str]) -> tuple[np.ndarray, str]:
    """The cluster of each utterance, (N,) from 0, and what a cluster is."""
    names, clusters = np.unique(np.asarray(speakers, dtype=str), return_inverse=True)
    return (clusters, "speaker") if len(names) >= MIN_SPEAKERS else (np.arange(len(speakers)), "utterance")


def _studentised(ratios: Mapping[int, Sums], speakers: Sequence[str], by: Resampling) -> Estimate:
    """The signed sum of ratios, by sign, with its interval."""
    clusters, unit = _clusters(speakers)
    totals = {sign: [np.bincount(clusters, weights=part) for part in sums] for sign, sums in ratios.items()}
    n, tails = clusters.max() + 1, np.array([1 - by.confidence, 1 + by.confidence]) / 2
    value = float(_figures(np.ones((1, n)), totals)[0][0])
    if n < 2:
        return Estimate(value, math.nan, math.nan, unit)
    error = math.sqrt((n - 1) / n * ((_without_each(totals) - value) ** 2).sum())
    if not error:
        return Estimate(value, value, value, unit)
    low, high = value - error * _students(value, error, totals, n, by, tails)[::-1]
    return Estimate(value, float(low), float(high), unit)


def _students(value: float, error: float, totals: Mapping, n: int, by: Resampling, tails: np.ndarray) -> np.ndarray:
    """The quantiles of the figure's error in standard errors: the resamples', and Student's where they lie further out."""
    student = stdtrit(n - 1, tails)
    if n < MIN_SPEAKERS:
        return student
    random, rows, parts = np.random.default_rng(by.seed), max(1, BLOCK // n), []
    for start in range(0, by.samples, rows):
        draws = random.multinomial(n, np.full(n, 1 / n), size=min(rows, by.samples - start))
        figures, influence = _figures(draws, totals)
        errors = np.sqrt(n / (n - 1) * (draws * influence**2).sum(1))
        parts.append((figures - value) / np.maximum(errors, LEAST_ERROR * error))
    found = np.quantile(np.concatenate(parts), tails)
    return np.array([min(found[0], student[0]), max(found[1], student[1])])


def _without_each(totals: Mapping[int, Sequence[np.ndarray]]) -> np.ndarray:
    """The figure without each cluster in turn, (n,)."""
    return sum(
        sign * (numerators.sum() - numerators) / (denominators.sum() - denominators)
        for sign, (numerators, denominators) in totals.items()
    )


def _figures(counts: np.ndarray, totals: Mapping[int, Sequence[np.ndarray]]) -> tuple[np.ndarray, np.ndarray]:
    """The figure of each resample (S,), and what each cluster adds to its error (S, n); counts (S, n) of clusters."""
    figures, influence = np.zeros(len(counts)), np.zeros(counts.shape)
    for sign, (numerators, denominators) in totals.items():
        sums = counts @ denominators
        ratios = counts @ numerators / sums
        figures += sign * ratios
        influence += sign * (numerators - np.outer(ratios, denominators)) / sums[:, None]
    return figures, influence


def verdict(difference: Estimate) -> str:
    """What the interval of a difference settles: `higher`, `lower`, or `not settled` where it holds zero."""
    if difference.low > 0:
        return "higher"
    return "lower" if difference.high < 0 else "not settled"
