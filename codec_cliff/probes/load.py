"""Phonemic load: do utterances with more phonemes a frame come out worse, and does that explain what lower frame rates lose?

Within a rate, load differs because people speak at different speeds; across rates, because frames do. Were load the mechanism, the
slope within rates would predict the loss across them: `share` is that prediction over the loss that is seen. Regressions are
ordinary least squares with standard errors clustered by speaker.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import statsmodels.api as sm

from codec_cliff.probes.answer import Answer, Verdict, signed
from codec_cliff.probes.variants import WHOLE
from codec_cliff.statistics.bootstrap import Estimate, Resampling, widened
from codec_cliff.statistics.summary import read_rows
from codec_cliff.study.config import Run, Study

METRICS = {"stoi": ("stoi", None), "wer": ("errors", "reference_words")}  # metric -> columns of the scores
MIN_CLUSTERS = 10  # speakers; with fewer, clustered standard errors are too small to be believed


@dataclass(frozen=True)
class Slope:
    """Of a metric on phonemes a frame, with its interval; `share` of the loss across rates that it predicts, or None."""

    within: Estimate
    across: Estimate | None
    share: Estimate | None


def frames(rows: pd.DataFrame, phonemes: pd.DataFrame, runs: Mapping[str, Run]) -> pd.DataFrame:
    """One row a model and utterance: `rate, speaker, load` and the metrics that are there; WER as a ratio, missing where no word is."""
    whole = rows[rows["variant"] == WHOLE].copy()
    whole["rate"] = [runs[codec].frame_rate for codec in whole["codec"]]
    load = phonemes.assign(
        load=phonemes["overlapping"] / phonemes["n_frames"], rate=phonemes["frame_rate"].astype(float)
    )
    table = whole.merge(load[["utterance_id", "rate", "load"]], on=["utterance_id", "rate"])
    for metric, (numerator, denominator) in METRICS.items():
        if numerator in table:
            among = table[denominator].where(table[denominator] > 0) if denominator else 1
            table[metric] = table[numerator] / among
    return table.rename(columns={"speaker_id": "speaker"})


def slopes(table: pd.DataFrame, metric: str, by: Resampling) -> Slope:
    """Fit `metric` on load: with one level a rate (within), without (across), and compare the two over the rates' span."""
    table = table.dropna(subset=[metric])
    levels = pd.get_dummies(table["rate"], dtype=float)
    within = _clustered(pd.concat([table["load"], levels], axis=1), table, metric, by)
    if levels.shape[1] < 2:
        return Slope(within, None, None)
    across = _clustered(sm.add_constant(table[["load"]]), table, metric, by)
    return Slope(within, across, _share(table, metric, by))


def _clustered(design: pd.DataFrame, table: pd.DataFrame, metric: str, by: Resampling) -> Estimate:
    speakers = pd.factorize(table["speaker"])[0]
    fitted = sm.OLS(table[metric].to_numpy(), design.to_numpy()).fit(
        cov_type="cluster", cov_kwds={"groups": speakers}, use_t=True
    )
    column = list(design.columns).index("load")
    low, high = fitted.conf_int(1 - by.confidence)[column]
    return Estimate(float(fitted.params[column]), float(low), float(high), "speaker")


def _share(table: pd.DataFrame, metric: str, by: Resampling) -> Estimate:
    """Predicted over seen loss between the highest and the lowest rate, bootstrap over speakers."""
    groups = [group for _, group in table.groupby("speaker")]
    random = np.random.default_rng(by.seed)
    draws = [range(len(groups)), *(random.integers(0, len(groups), len(groups)) for _ in range(by.samples))]
    moments = np.array([_moments(group, metric, sorted(table["rate"].unique())) for group in groups])  # (G, R, 5)
    shares = np.array([_predicted_share(moments[list(draw)].sum(0)) for draw in draws])
    shares = widened(shares, len(groups), by)
    low, high = np.quantile(shares[1:], [(1 - by.confidence) / 2, (1 + by.confidence) / 2])
    return Estimate(float(shares[0]), float(low), float(high), "speaker")


def _moments(group: pd.DataFrame, metric: str, rates: Sequence[float]) -> list[list[float]]:
    """Of one speaker at each rate: n, sums of load, metric, load squared, load times metric."""
    found = []
    for rate in rates:
        at = group[group["rate"] == rate]
        x, y = at["load"].to_numpy(), at[metric].to_numpy()
        found.append([len(x), x.sum(), y.sum(), (x * x).sum(), (x * y).sum()])
    return found


def _predicted_share(moments: np.ndarray) -> float:
    """Slope within rates times the difference in load, over the difference in the metric; moments (R, 5), lowest rate first."""
    n, x, y, xx, xy = moments.T
    slope = (xy - x * y / n).sum() / (xx - x * x / n).sum()
    mean_x, mean_y = x / n, y / n
    return float(slope * (mean_x[0] - mean_x[-1]) / (mean_y[0] - mean_y[-1]))


def groups(study: Study, runs: Mapping[str, Run]) -> dict[str, list[str]]:
    """Models that differ in frame rate alone: each of the paper's protocols, and each number of tokens; one seed each."""
    first = {codec: run for codec, run in runs.items() if run.seed == study.seed}
    found = {
        protocol.replace("-", " "): [codec for codec in study.codecs(protocol) if codec in first]
        for protocol in ("fixed-duration", "fixed-tokens")
    }
    listed = {codec for codecs in found.values() for codec in codecs}
    for codec, run in first.items():
        name = f"{run.tokens_per_clip} tokens"
        taken = {first[other].frame_rate for other in found.get(name, [])}
        if codec not in listed and run.frame_rate not in taken:
            found.setdefault(name, []).append(codec)
    return {name: codecs for name, codecs in found.items() if codecs}


def answer(study: Study, results: Path, rows: pd.DataFrame, runs: Mapping[str, Run]) -> Answer:
    """A row a group of models and metric; a verdict for each that spans two rates or more."""
    by = Resampling.of(study)
    phonemes = read_rows(results / "alignment" / "phonemes_per_frame.csv")
    records, verdicts = [], []
    for name, codecs in groups(study, runs).items():
        table = frames(rows[rows["codec"].isin(codecs)], phonemes, runs)
        for metric in (metric for metric in METRICS if metric in table):
            found = slopes(table, metric, by)
            rates = sorted(table["rate"].unique(), reverse=True)
            record = {"group": name, "metric": metric, "rates": " ".join(f"{rate:g}" for rate in rates)}
            record |= {"n": int(table[metric].count()), "speakers": table["speaker"].nunique()}
            for part in ("within", "across", "share"):
                estimate = getattr(found, part)
                record |= {part: estimate.value if estimate else None}
                record |= {
                    f"{part}_low": estimate.low if estimate else None,
                    f"{part}_high": estimate.high if estimate else None,
                }
            records.append(record)
            if found.share:
                verdicts.append(_verdict(name, metric, rates, found, table["speaker"].nunique()))
    return Answer(records, verdicts or [_unasked(records)])


def _unasked(records: Sequence[Mapping[str, object]]) -> Verdict:
    slopes_within = "; ".join(
        f"{row['group']}, {row['metric']} {signed(Estimate(row['within'], row['within_low'], row['within_high'], 'speaker'))}"
        for row in records
    )
    evidence = (
        f"No models of two frame rates differ in that alone. Slope a phoneme a frame within one rate: {slopes_within}."
    )
    return Verdict("Does phonemic load explain what lower frame rates lose?", "not settled at this scale", evidence)


def _verdict(name: str, metric: str, rates: Sequence[float], found: Slope, speakers: int) -> Verdict:
    span = f"{rates[0]:g} to {rates[-1]:g} Hz"
    question = f"Does phonemic load explain what {metric.upper()} loses from {span} with {name}?"
    evidence = (
        f"Slope a phoneme a frame: {signed(found.within)} within rates, {signed(found.across)} across them, {speakers} speakers; "
        f"the slope within rates predicts {found.share.value:.0%} [{found.share.low:.0%}, {found.share.high:.0%}] of the loss."
    )
    worse = -1 if metric == "stoi" else 1
    if speakers < MIN_CLUSTERS or found.within.low <= 0 <= found.within.high:
        return Verdict(question, "not settled at this scale", evidence)
    if found.within.value * worse < 0:
        return Verdict(question, "no: more load is not worse within a rate", evidence)
    if found.share.low <= 1 <= found.share.high:
        return Verdict(question, "the slope within rates would be enough", evidence)
    return Verdict(
        question, "in part" if found.share.high < 1 else "the slope within rates predicts more than is lost", evidence
    )
