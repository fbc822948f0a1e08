"""The curve of a training: what zeroing uncovered taps gives at each kept step, against zeroing covered ones and chunks; tap norms."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from codec_cliff.probes.answer import Answer, Verdict, sign, signed
from codec_cliff.probes.arms import Arm, Scores, arms
from codec_cliff.statistics.bootstrap import Resampling
from codec_cliff.statistics.seeds import block_spread, widen
from codec_cliff.statistics.summary import read_rows
from codec_cliff.study.config import Study

FIRST = "decoder.model.0"  # the convolution over tokens
EDITS = ("zero-uncovered", "zero-covered", "overlapping-chunks")


def answer(study: Study, results: Path, scores: Scores, drift: pd.DataFrame) -> Answer:
    """A row an arm and kept step, its last one included where it got there, seeds together; a verdict for each arm with uncovered taps.

    Of all runs whose kept steps are measured, whether they have come to their end or not.
    """
    files = {codec: results / "probes" / "along" / f"{codec}.csv" for codec in study.probe_runs}
    runs = {codec: study.probe_runs[codec] for codec, path in files.items() if path.exists()}
    rows, verdicts = [], []
    for arm in arms(runs):
        codecs = arm.codecs
        kept = pd.concat([read_rows(files[codec]) for codec in codecs])
        taps = pd.concat([read_rows(results / "probes" / "along_taps" / f"{codec}.csv") for codec in codecs])
        last = runs[codecs[0]].training.steps
        final = scores.rows[scores.rows["codec"].isin(codecs)].assign(step=last)
        ends = drift[drift["codec"].isin(codecs) & drift["layer"].eq(FIRST)].assign(step=last)
        curve = _curve(arm, codecs, _once(kept, final, "variant", "utterance_id"), _once(taps, ends, "tap"), scores.by)
        rows += [point.row for point in curve]
        if arm.uncovered:
            verdicts.append(_verdict(arm, curve, scores))
    return Answer(rows, verdicts)


def _once(kept: pd.DataFrame, final: pd.DataFrame, *keys: str) -> pd.DataFrame:
    """Both, one below the other; of a model whose last step was kept as well, that step's final rows."""
    return pd.concat([kept, final]).drop_duplicates(["codec", "step", *keys], keep="last")


@dataclass(frozen=True)
class Point:
    """An arm at one step: its row, and by model the resamples of what the repair gives beyond its control."""

    row: dict[str, object]
    beyond: dict[str, np.ndarray]


def _curve(arm: Arm, codecs: Sequence[str], scored: pd.DataFrame, taps: pd.DataFrame, by: Resampling) -> list[Point]:
    found = []
    for step, part in scored.groupby("step"):
        at = Scores(part, "stoi", by)
        there = [codec for codec in codecs if at.has(codec, "whole")]
        row: dict[str, object] = {
            "frame_rate": arm.frame_rate,
            "arm": arm.name,
            "tokens": arm.tokens,
            "step": int(step),
        }
        row |= {"seeds": len(there), "stoi": float(np.mean([at.mean(codec)[0] for codec in there]))}
        gains = {name: _gain(at, there, name) for name in EDITS}
        for name, samples in gains.items():
            estimate = None if samples is None else at.estimate(samples)
            row |= {f"{name}{end}": estimate and getattr(estimate, part) for end, part in ENDS.items()}
        row["norm_ratio"] = _norm_ratio(taps[taps["step"] == step])
        both = [codec for codec in there if at.has(codec, "zero-uncovered") and at.has(codec, "zero-covered")]
        beyond = {codec: at.mean(codec, "zero-uncovered") - at.mean(codec, "zero-covered") for codec in both}
        found.append(Point(row, beyond))
    return found


ENDS = {"": "value", "_low": "low", "_high": "high"}


def _gain(at: Scores, codecs: Sequence[str], name: str) -> np.ndarray | None:
    known = [codec for codec in codecs if at.has(codec, name)]
    return np.mean([at.mean(codec, name) - at.mean(codec) for codec in known], axis=0) if known else None


def _norm_ratio(taps: pd.DataFrame) -> float | None:
    """Norm of the outermost taps over that of their neighbours."""
    norms = taps.groupby("tap")["trained_norm"].mean()
    if len(norms) < 5:
        return None
    return float((norms.iloc[0] + norms.iloc[-1]) / (norms.iloc[1] + norms.iloc[-2]))


def _verdict(arm: Arm, curve: Sequence[Point], scores: Scores) -> Verdict:
    """The last step at which every seed was measured against the first, in what the repair gives beyond its control.

    Seeds are in the interval: how far they part from each other along the curve (`statistics/seeds.py`).
    """
    question = f"At {arm.frame_rate:g} Hz, {arm.name}: does what zeroing uncovered taps gives grow with training?"
    measured = [point for point in curve if point.beyond]
    told = "; ".join(
        f"step {point.row['step']}: uncovered {point.row['zero-uncovered']:+.4f}, covered {point.row['zero-covered']:+.4f}"
        for point in measured
    )
    codecs = list(dict.fromkeys(codec for point in measured for codec in point.beyond))
    whole = [point for point in measured if len(point.beyond) == len(codecs)]
    if len(whole) < 2:
        return Verdict(
            question, "not settled at this scale", f"Fewer than two steps are measured in every seed. {told}."
        )
    change = scores.estimate(np.mean([whole[-1].beyond[codec] - whole[0].beyond[codec] for codec in codecs], axis=0))
    seeds, alone = "One training, test speakers vary", ", in one training"
    if len(codecs) > 1:
        gains = {
            (point.row["step"], codecs.index(codec)): gain[0] for point in whole for codec, gain in point.beyond.items()
        }
        change = widen(change, block_spread(gains), len(codecs), 2, scores.by.confidence)
        seeds, alone = f"{len(codecs)} seeds, in the interval", ""
    words = {"+": f"yes, it grows{alone}", "-": f"no, it fades{alone}", "0": "not settled at this scale"}[sign(change)]
    steps = f"step {whole[-1].row['step']} minus step {whole[0].row['step']}"
    return Verdict(question, words, f"Beyond its control, {steps}: {signed(change)}. {seeds}. {told}.")
