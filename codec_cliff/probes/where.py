"""Where models err, and what their taps hold: errors by distance, and drift from the initial weights, over all measured models."""

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd

from codec_cliff.probes.answer import Answer, Verdict, in_all, sign, signed
from codec_cliff.probes.arms import Arm
from codec_cliff.probes.variants import WHOLE
from codec_cliff.statistics.bootstrap import Resampling, bootstrap_ratio, paired_difference
from codec_cliff.study.config import Run

SHOWN = (WHOLE, "zero-uncovered", "chunks", "overlapping-chunks")
INWARD = 6  # half tokens: three tokens from an edge, from where on an outer tap of seven meets a token


def positions(rows: pd.DataFrame, runs: Mapping[str, Run], found: Sequence[Arm], by: Resampling) -> Answer:
    """Error in dB by variant, kind of distance and bin; is a model with uncovered taps worse inside an utterance than at its edge?"""
    records = []
    shown = rows[rows["variant"].isin(SHOWN)]
    for (codec, variant, kind, number), part in shown.groupby(["codec", "variant", "distance", "bin"], sort=False):
        estimate = bootstrap_ratio(part["error_sum"], part["frames"], part["speaker_id"], by)
        record = {
            "codec": codec,
            "tokens": runs[codec].tokens_per_clip,
            "variant": variant,
            "distance": kind,
            "bin": number,
        }
        records.append(
            record
            | {"frames": int(part["frames"].sum()), "value": estimate.value, "low": estimate.low, "high": estimate.high}
        )
    verdicts = [
        _edge_verdict(rate, rows, found, by) for rate in dict.fromkeys(a.frame_rate for a in found if a.uncovered)
    ]
    return Answer(records, verdicts)


def _edge_verdict(rate: float, rows: pd.DataFrame, found: Sequence[Arm], by: Resampling) -> Verdict:
    """What zeroing changes further in, where the outer taps of both sides meet tokens, and near an edge, where one side's do."""
    damaged = [codec for arm in found if arm.frame_rate == rate and arm.uncovered for codec in arm.codecs]
    changes = {codec: {place: _change(rows, codec, place, by) for place in (False, True)} for codec in damaged}
    evidence = "Error of the repaired minus that of the untouched model, dB: " + "; ".join(
        f"{codec} {signed(change[False])} within three tokens of an edge, {signed(change[True])} further in"
        for codec, change in changes.items()
    )
    question = f"Does zeroing the uncovered taps at {rate:g} Hz lower the error inside utterances, where all of them meet tokens?"
    signs = {sign(change[True]) for change in changes.values()}
    words = {
        "-": f"yes, {in_all(changes)}",
        "+": f"no, it raises the error {in_all(changes)}",
    }
    verdict = (
        words.get(next(iter(signs)), "not settled at this scale") if len(signs) == 1 else "not settled at this scale"
    )
    return Verdict(question, verdict, evidence + ".")


def _change(rows: pd.DataFrame, codec: str, inside: bool, by: Resampling):
    at = rows[(rows["codec"] == codec) & (rows["distance"] == "utterance_edge") & ((rows["bin"] >= INWARD) == inside)]
    sums = at.groupby(["variant", "utterance_id", "speaker_id"])[["error_sum", "frames"]].sum()
    before, after = (sums.loc[variant].sort_index() for variant in (WHOLE, "zero-uncovered"))
    pairs = [(part["error_sum"].to_numpy(), part["frames"].to_numpy()) for part in (before, after)]
    return paired_difference(*pairs, before.index.get_level_values("speaker_id"), by)


def drift(rows: pd.DataFrame, found: Sequence[Arm]) -> Answer:
    """Tap norms and likeness to the initial weights, layers with uncovered taps and the decoder's first; a verdict over all models."""
    shown = rows[
        rows.groupby(["codec", "layer"])["positions_per_clip"].transform("min").eq(0)
        | rows["layer"].eq("decoder.model.0")
    ]
    bare = rows[rows["positions_per_clip"] == 0]
    if bare.empty:
        return Answer(shown.to_dict("records"), [])
    same = shown[shown["layer"].isin(bare["layer"].unique())]
    reached = same[same["positions_per_clip"] > 0]
    evidence = (
        f"Rank correlation with the initial weights, {bare['codec'].nunique()} models: uncovered taps {_span(bare)}, "
        f"covered taps of the same layers {_span(reached)}. Norm over the initial norm: uncovered "
        f"{_ratio(bare):.2f}, covered {_ratio(reached):.2f} (means)."
    )
    untouched = bare["rank_correlation"].min() > reached["rank_correlation"].max()
    verdict = (
        "yes: every uncovered tap keeps its draw's order better than any covered one"
        if untouched
        else "no: they overlap"
    )
    return Answer(
        shown.to_dict("records"),
        [Verdict("Do the uncovered taps stay what their random draw made them?", verdict, evidence)],
    )


def _span(rows: pd.DataFrame) -> str:
    return f"{rows['rank_correlation'].min():.4f} to {rows['rank_correlation'].max():.4f}"


def _ratio(rows: pd.DataFrame) -> float:
    return float(np.mean(rows["trained_norm"] / rows["initial_norm"]))
