"""The probes' trained models as arms of an experiment, and the noise that a difference between two of them has to exceed.

Two sources of it: which speakers are tested (bootstrap, the same draws for all arms), and which seed was trained (drawn from Student's
t with the spread between seeds of one arm, pooled over arms). Where no arm has two seeds, the second is unknown and nothing that
compares trainings can be settled.
"""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
import pandas as pd

from codec_cliff.errors import MetricError
from codec_cliff.models.coverage import generator_taps, uncovered
from codec_cliff.probes.edits import silences
from codec_cliff.statistics.bootstrap import MIN_SPEAKERS, Estimate, Resampling, paired_difference, widened
from codec_cliff.statistics.seeds import Spread, arm_of, block_spread, widen
from codec_cliff.statistics.summary import read_rows
from codec_cliff.study.config import Run, Study

SAME_AUDIO = 1.3  # two arms whose audio a step differs by less than this factor count as equal


@dataclass(frozen=True)
class Arm:
    """One frame rate, clip length and audio a step, in all its seeds; `whole_tokens` where no clip is padded.

    `variant` tells arms from those of the study's own model and training: a stride order, or one of the probes' variants.
    """

    frame_rate: float
    tokens: int
    audio: float  # seconds a step
    whole_tokens: bool
    uncovered: int
    codecs: tuple[str, ...]
    variant: str = ""
    seeds: tuple[int, ...] = ()  # of the codecs
    controlled: bool = True  # whether a signal is left where as many covered taps are zeroed as are uncovered

    @property
    def name(self) -> str:
        padded, variant = "" if self.whole_tokens else " (padded)", f", {self.variant}" if self.variant else ""
        return f"{self.tokens} tokens, {self.audio:.4g} s a step{padded}{variant}"


def arms(runs: Mapping[str, Run]) -> list[Arm]:
    """The arms of some runs, seeds together, by frame rate, variant, audio and tokens."""
    groups: dict[tuple, list[str]] = {}
    for codec, run in runs.items():
        groups.setdefault(arm_of(run), []).append(codec)
    found = [_arm([runs[codec] for codec in codecs], codecs) for codecs in groups.values()]
    return sorted(found, key=lambda arm: (-arm.frame_rate, arm.variant, arm.audio, arm.tokens))


def plain(found: Iterable[Arm]) -> list[Arm]:
    """The arms of the study's own model and training: those that differ in frame rate and clips alone."""
    return [arm for arm in found if not arm.variant]


def _arm(runs: Sequence[Run], codecs: Sequence[str]) -> Arm:
    run = runs[0]
    whole = run.clip_samples % run.hop_length == 0
    audio = run.batch_clips * run.clip_seconds
    layers = generator_taps(run)
    seeds = tuple(run.seed for run in runs)
    return Arm(
        run.frame_rate, run.tokens_per_clip, audio, whole, uncovered(layers), tuple(codecs), run.variant, seeds, not silences(layers)
    )  # fmt: skip


Contrast = Sequence[
    tuple[float, Arm]
]  # the arms of a difference, each with its factor; an arm on both sides cancels out


def _factors(contrast: Contrast) -> dict[Arm, float]:
    """The arms that do not cancel out."""
    factors: dict[Arm, float] = {}
    for factor, arm in contrast:
        factors[arm] = factors.get(arm, 0) + factor
    return {arm: factor for arm, factor in factors.items() if factor}


def shared_seeds(contrast: Contrast) -> list[int]:
    """The seeds that were trained in all arms of a difference."""
    return sorted(set.intersection(*(set(arm.seeds) for arm in _factors(contrast))))


def equal_audio(found: Sequence[Arm], padded: bool = False) -> list[list[Arm]]:
    """Arms of one frame rate by their audio a step, the least first, each by its tokens; whole tokens alone, unless `padded`."""
    levels: list[list[Arm]] = []
    for arm in sorted((arm for arm in found if padded or arm.whole_tokens), key=lambda arm: arm.audio):
        if levels and arm.audio < SAME_AUDIO * levels[-1][0].audio:
            levels[-1].append(arm)
        else:
            levels.append([arm])
    return [sorted(level, key=lambda arm: (arm.tokens, arm.whole_tokens)) for level in levels]


@dataclass(frozen=True)
class Scores:
    """Every utterance's score under every variant of every measured model, resampled together."""

    rows: pd.DataFrame  # probes/scores/<codec>.csv, one below the other
    metric: str
    by: Resampling
    collapsed: tuple[str, ...] = ()  # models whose codebooks were out of use at the end of training
    weights: pd.Series | None = None  # of utterances, by id, where the corpus figure is no plain mean (WER: words)

    @cached_property
    def _table(self) -> pd.DataFrame:
        """Utterances (by speaker and id) by (codec, variant); utterances that lack a score anywhere are left out."""
        keys = ["speaker_id", "utterance_id"]
        return self.rows.pivot(index=keys, columns=["codec", "variant"], values=self.metric).dropna()

    @cached_property
    def unit(self) -> str:
        speakers = self._table.index.get_level_values("speaker_id")
        return "speaker" if speakers.nunique() >= MIN_SPEAKERS else "utterance"

    @cached_property
    def _means(self) -> dict[tuple[str, str], np.ndarray]:
        """(codec, variant) -> mean over utterances: (1 + samples,), the corpus' own first."""
        table = self._table
        if table.empty:
            raise MetricError(
                f"probes/scores: no utterance has a {self.metric} under every model; lengthen the test set"
            )
        names = table.index.get_level_values(f"{self.unit}_id")
        codes, labels = pd.factorize(names)
        weights = np.ones(len(table))
        if self.weights is not None:
            weights = self.weights.loc[table.index.get_level_values("utterance_id")].to_numpy()
        sizes = np.bincount(codes, weights=weights)
        draws = np.random.default_rng(self.by.seed).multinomial(
            len(labels), np.full(len(labels), 1 / len(labels)), self.by.samples
        )
        counts = np.vstack([np.ones(len(labels)), draws])
        sums = {name: np.bincount(codes, weights=table[name] * weights) for name in table.columns}
        return {name: widened(counts @ total / (counts @ sizes), len(labels), self.by) for name, total in sums.items()}

    @property
    def n_utterances(self) -> int:
        return len(self._table)

    def has(self, codec: str, variant: str) -> bool:
        return (codec, variant) in self._means

    def mean(self, codec: str, variant: str = "whole") -> np.ndarray:
        """A model's mean score and its resamples, (1 + samples,); speakers alone vary, as widely as their number asks for."""
        return self._means[codec, variant]

    def seed_spread(self, found: Sequence[Arm]) -> tuple[float, int]:
        """Standard deviation between seeds of one arm, pooled over arms, and its degrees of freedom (0: unknown)."""
        values = [[self.mean(codec)[0] for codec in arm.codecs] for arm in found]
        squares = sum(((np.array(group) - np.mean(group)) ** 2).sum() for group in values)
        freedom = sum(len(group) - 1 for group in values)
        return (float(np.sqrt(squares / freedom)) if freedom else float("nan")), freedom

    def arm_means(self, found: Sequence[Arm], spread: tuple[float, int]) -> np.ndarray:
        """Mean over seeds of each arm, (arms, 1 + samples); speakers and trainings vary, where the spread is known."""
        random = np.random.default_rng([self.by.seed, 1])
        deviation, freedom = spread
        rows = []
        for arm in found:
            noise = np.zeros(self.by.samples + 1)
            if freedom:
                noise[1:] = random.standard_t(freedom, self.by.samples) * deviation / np.sqrt(len(arm.codecs))
            rows.append(np.mean([self.mean(codec) for codec in arm.codecs], axis=0) + noise)
        return np.array(rows)

    def block_spread(self, found: Sequence[Arm]) -> Spread:
        """How far trainings scatter beyond what their arm and their seed explain (`statistics/seeds.py`)."""
        return block_spread(
            {
                (arm, seed): float(self.mean(codec)[0])
                for arm in found
                for codec, seed in zip(arm.codecs, arm.seeds, strict=True)
            }
        )

    def contrast(self, contrast: Contrast, spread: Spread, variant: str = "whole") -> tuple[Estimate, int]:
        """A difference between arms over the seeds that all of them have, and how many these are; speakers and seeds vary.

        With the seeds' part left out of the interval where the spread is unknown: then it is one training's, and no more.
        """
        factors, seeds = _factors(contrast), shared_seeds(contrast)
        if not seeds:
            raise MetricError(f"{', '.join(arm.name for arm in factors)}: no seed was trained in all of these arms")
        codecs = {arm: [arm.codecs[arm.seeds.index(seed)] for seed in seeds] for arm in factors}
        if sorted(factors.values()) == [-1, 1]:
            sides = {factor: self._sums(codecs[arm], variant) for arm, factor in factors.items()}
            estimate = paired_difference(sides[-1], sides[1], self._speakers, self.by)
        else:
            estimate = self.estimate(
                sum(
                    factor * np.mean([self.mean(codec, variant) for codec in codecs[arm]], axis=0)
                    for arm, factor in factors.items()
                )
            )
        if spread[1]:
            terms = sum(factor**2 for factor in factors.values())
            estimate = widen(estimate, spread, len(seeds), terms, self.by.confidence)
        return estimate, len(seeds)

    def _sums(self, codecs: Sequence[str], variant: str) -> tuple[np.ndarray, np.ndarray]:
        """Numerators and denominators of the utterances, seeds together, (N,) each."""
        weights = np.ones(len(self._table))
        if self.weights is not None:
            weights = self.weights.loc[self._table.index.get_level_values("utterance_id")].to_numpy()
        values = sum(self._table[codec, variant].to_numpy() for codec in codecs)
        return values * weights, weights * len(codecs)

    @property
    def _speakers(self) -> pd.Index:
        return self._table.index.get_level_values("speaker_id")

    def estimate(self, samples: np.ndarray) -> Estimate:
        """A figure (1 + samples,) with its percentile interval."""
        tail = (1 - self.by.confidence) / 2
        low, high = np.quantile(samples[1:], [tail, 1 - tail])
        return Estimate(float(samples[0]), float(low), float(high), self.unit)


def measured_runs(study: Study, results: Path, codecs: Sequence[str] | None) -> dict[str, Run]:
    """The probes' runs that are asked for, or those that have been scored; MetricError where there is none."""
    scored = [codec for codec in study.probe_runs if (results / "probes" / "scores" / f"{codec}.csv").exists()]
    runs = {codec: study.probe_runs[codec] for codec in (codecs or scored)}
    if not runs:
        raise MetricError(
            f"{results}/probes/scores: no model is scored; list some under probes.arms and build `probes`"
        )
    return runs


def read_scores(study: Study, results: Path, runs: Mapping[str, Run], metric: str = "stoi") -> Scores:
    """The scores of some runs; their records say which of them collapsed."""
    rows = pd.concat([read_rows(results / "probes" / "scores" / f"{codec}.csv") for codec in runs])
    return Scores(rows, metric, Resampling.of(study), collapsed(results, runs))


def collapsed(results: Path, codecs: Iterable[str]) -> tuple[str, ...]:
    """The models whose records say that their codebooks were out of use at the end of training."""
    records = {codec: results / "runs" / codec / "run.json" for codec in codecs}
    return tuple(
        codec for codec, path in records.items() if path.exists() and json.loads(path.read_text())["collapsed"]
    )
