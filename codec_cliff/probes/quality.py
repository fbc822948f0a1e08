"""Every arm in every metric, seeds included, and the paper's question asked of all of them: what does which clip length cost?

Two kinds of contrast: between clip lengths at one frame rate and equal audio a step, and between two frame rates, where the fall
under a fixed duration is set against the fall with fixed tokens.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from itertools import pairwise
from pathlib import Path

import numpy as np
import pandas as pd

from codec_cliff.errors import exit_cleanly
from codec_cliff.files import write_csv
from codec_cliff.metrics.headings import METRICS, TABLE_METRICS
from codec_cliff.probes.answer import Answer, Verdict, sign, signed
from codec_cliff.probes.arms import Arm, Contrast, Scores, arms, collapsed, equal_audio, plain, shared_seeds
from codec_cliff.probes.variants import WHOLE
from codec_cliff.statistics.bootstrap import Resampling
from codec_cliff.statistics.seeds import Spread
from codec_cliff.statistics.summary import BY_NAME, FIGURES, Figure, measured_figures, read_metric, scored
from codec_cliff.study.arguments import study_arguments
from codec_cliff.study.config import Study


def metric_scores(study: Study, results: Path, codecs: Sequence[str]) -> dict[str, Scores]:
    """The scores of some models by the tables' metrics, those that the study has measured; MetricError where a file is missing."""
    measured = {codec: {file: read_metric(results, codec, file) for file in study.metrics} for codec in codecs}
    by, out_of_use = Resampling.of(study), collapsed(results, codecs)
    return {
        figure.name: _scores(figure, {codec: files[figure.file] for codec, files in measured.items()}, by, out_of_use)
        for figure in FIGURES
        if figure.name in TABLE_METRICS and all(figure in measured_figures(files) for files in measured.values())
    }


def _scores(figure: Figure, rows: Mapping[str, pd.DataFrame], by: Resampling, out_of_use: tuple[str, ...]) -> Scores:
    """A figure's sums an utterance as scores and their weights, which are the same under every model."""
    sums = {codec: scored(of_codec, figure) for codec, of_codec in rows.items()}
    values = [
        table.assign(**{figure.name: table["numerator"] / table["denominator"]}, codec=codec, variant=WHOLE)
        for codec, table in sums.items()
    ]
    weights = pd.concat([table["denominator"] for table in sums.values()]).groupby(level=0).first()
    return Scores(pd.concat(values).reset_index(), figure.name, by, out_of_use, weights)


def answer(study: Study, found: Sequence[Arm], by_metric: Mapping[str, Scores]) -> Answer:
    """A row an arm with every metric, and a verdict a contrast."""
    means = {}  # metric -> arm -> (1 + samples,)
    for metric, scores in by_metric.items():
        samples = scores.arm_means(found, scores.seed_spread(found))
        means[metric] = dict(zip(found, samples, strict=True))
    rows = [_row(arm, by_metric, means) for arm in found]
    asked = [*_falls(study, found), *_clip_lengths(plain(found))]
    spreads = {metric: scores.block_spread(found) for metric, scores in by_metric.items()}
    return Answer(rows, [_verdict(question, contrast, by_metric, spreads) for question, contrast in asked])


def _row(arm: Arm, by_metric: Mapping[str, Scores], means: Mapping[str, Mapping[Arm, np.ndarray]]) -> dict[str, object]:
    row = {"frame_rate": arm.frame_rate, "arm": arm.name, "tokens": arm.tokens, "audio_per_step": round(arm.audio, 6)}
    row |= {"uncovered_taps": arm.uncovered, "seeds": len(arm.codecs), "codecs": " ".join(arm.codecs)}
    for metric, scores in by_metric.items():
        estimate = BY_NAME[metric].bounded(scores.estimate(means[metric][arm]))
        row |= {metric: estimate.value, f"{metric}_low": estimate.low, f"{metric}_high": estimate.high}
        row[f"{metric}_by_seed"] = " ".join(f"{scores.mean(codec)[0]:.6g}" for codec in arm.codecs)
    row["collapsed"] = sum(codec in scores.collapsed for codec in arm.codecs)
    return row


def _falls(study: Study, found: Sequence[Arm]) -> Iterator[tuple[str, Contrast]]:
    """From each frame rate to the next lower one: the fall under fixed duration beyond that with fixed tokens."""
    of = {codec: arm for arm in found for codec in arm.codecs}
    rates = [rate for rate in study.tables["fixed_duration"] if rate in study.tables["fixed_tokens"]]
    for high, low in pairwise(sorted(rates, reverse=True)):
        names = [
            study.codec_id(rate, protocol) for protocol in ("fixed-duration", "fixed-tokens") for rate in (low, high)
        ]
        if not all(name in of for name in names):
            continue
        duration_low, duration_high, tokens_low, tokens_high = (of[name] for name in names)
        question = f"From {high:g} to {low:g} Hz: quality {{}}"
        duration = [(1, duration_low), (-1, duration_high)]
        tokens = [(1, tokens_low), (-1, tokens_high)]
        beyond = [*duration, *((-factor, arm) for factor, arm in tokens)]
        yield question.format("under fixed duration"), duration
        yield question.format("with fixed tokens"), tokens
        yield question.format("under fixed duration, beyond the change with fixed tokens"), beyond


def _clip_lengths(found: Sequence[Arm]) -> Iterator[tuple[str, Contrast]]:
    """Each clip length of a frame rate against the next longer one at equal audio, and the shortest against the longest."""
    for rate in dict.fromkeys(arm.frame_rate for arm in found):
        for level in equal_audio([arm for arm in found if arm.frame_rate == rate], padded=True):
            for short, long in [*pairwise(level), *([(level[0], level[-1])] if len(level) > 2 else [])]:
                yield f"At {rate:g} Hz: clips of {long.name} instead of {short.name}", [(1, long), (-1, short)]


def _verdict(
    question: str, contrast: Contrast, by_metric: Mapping[str, Scores], spreads: Mapping[str, Spread]
) -> Verdict:
    """Better, worse or not settled, metric by metric; nothing is, where no arm of the study has two seeds.

    Not tested where the arms have no seed in common.
    """
    if not shared_seeds(contrast):
        return Verdict(question, "not tested", "No seed was trained in all of these arms.")
    sides: dict[str, list[str]] = {"better": [], "worse": [], "not settled": []}
    evidence = []
    for metric, scores in by_metric.items():
        shown = METRICS[metric]
        estimate, n_seeds = scores.contrast(contrast, spreads[metric])
        better = "+" if shown.better == "higher" else "-"
        settled = spreads[metric][1] and sign(estimate) != "0"
        sides[("better" if sign(estimate) == better else "worse") if settled else "not settled"].append(shown.heading)
        evidence.append(f"{shown.heading} {signed(estimate)}")
    verdict = "; ".join(f"{side} in {', '.join(names)}" for side, names in sides.items() if names)
    return Verdict(question, verdict, "; ".join(evidence) + f". {n_seeds} seed{'s' if n_seeds > 1 else ''} an arm.")


def main() -> None:
    parser = study_arguments(__doc__)
    parser.add_argument("--codecs", required=True, nargs="+", help="probe runs, every metric of which is measured")
    parser.add_argument("--rows", required=True, type=Path)
    parser.add_argument("--verdicts", required=True, type=Path)
    args = parser.parse_args()
    study = args.study
    found = arms({codec: study.probe_runs[codec] for codec in args.codecs})
    answered = answer(study, found, metric_scores(study, args.results, args.codecs))
    write_csv(args.rows, answered.rows)
    write_csv(args.verdicts, [asdict(verdict) for verdict in answered.verdicts])
    print(f"{args.rows}: {len(answered.rows)} arms, {len(answered.verdicts)} verdicts", flush=True)


if __name__ == "__main__":
    exit_cleanly(main)
