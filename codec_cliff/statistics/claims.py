"""The paper's claims against a study's measurements: a quantity with its interval, the range the claim needs, and a verdict."""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import pandas as pd
import yaml

from codec_cliff.errors import exit_cleanly
from codec_cliff.files import write_csv
from codec_cliff.paper.values import (
    ABLATION_TABLES,
    paper_codebook,
    paper_phonemes,
    paper_phonemes_over,
    paper_quality,
    table3_rates,
)
from codec_cliff.statistics.bootstrap import Resampling, paired_difference
from codec_cliff.statistics.seeds import Spread, arm_of, block_spread, widen
from codec_cliff.statistics.summary import BY_NAME, Figure, read_metric, scored
from codec_cliff.study.arguments import study_arguments
from codec_cliff.study.config import Study

CLAIMS = Path(__file__).parents[1] / "paper" / "claims.yaml"
NO_RATE = "the study has too few frame rates of the paper's Table 3"
REPRODUCED, NOT_REPRODUCED, NOT_SETTLED, NOT_TESTED = "reproduced", "not reproduced", "not settled", "not tested"
# Of a claim about a cause, where no arm has a second seed: another training might have said otherwise.
ONE_TRAINING = {REPRODUCED: "agrees, one training", NOT_REPRODUCED: "disagrees, one training"}


@dataclass(frozen=True)
class Quantity:
    """What a study says about a claim: a value with its interval, beside the paper's; None where it cannot say."""

    text: str
    value: float | None = None
    low: float | None = None
    high: float | None = None
    paper: float | None = None
    backend: str | None = None
    reason: str = ""
    seeds: int | None = None  # trainings a side, where the interval holds what seeds add


@cache
def claims() -> list[dict[str, Any]]:
    """Everything in claims.yaml."""
    return yaml.safe_load(CLAIMS.read_text(encoding="utf-8"))


def judge(quantity: Quantity, holds: Sequence[float | None]) -> str:
    """Whether an interval lies within, outside or across a range; an open side is None."""
    if quantity.value is None:
        return NOT_TESTED
    least, most = (
        bound if bound is not None else open_side for bound, open_side in zip(holds, (-math.inf, math.inf), strict=True)
    )
    if least <= quantity.low and quantity.high <= most:
        return REPRODUCED
    return NOT_REPRODUCED if quantity.high < least or quantity.low > most else NOT_SETTLED


def difference(study: Study, results: Path, metric: str, of: Sequence, minus: Sequence) -> Quantity:
    """A paired difference between two models, over the utterances that both have scored."""
    text = f"{{metric}}: {_model(of)} minus {_model(minus)}"
    published = [paper_quality(protocol, rate, metric) for protocol, rate in (of, minus)]
    paper = None if None in published else round(published[0] - published[1], 6)
    for protocol, rate in (of, minus):
        if rate not in study.tables[protocol.replace("-", "_")]:
            return Quantity(text, paper=paper, reason=f"the study has no {_model((protocol, rate))}")
    figure = BY_NAME[metric]
    sides = [trainings(study, results, study.codec_id(rate, protocol)) for protocol, rate in (minus, of)]
    seeds = sorted(sides[0].keys() & sides[1].keys())
    a, b = ([scored(read_metric(results, side[seed], figure.file), figure) for seed in seeds] for side in sides)
    shared = sorted(set.intersection(*(set(rows.index) for rows in (*a, *b))))
    if not shared:
        return Quantity(text, paper=paper, reason="no utterance is scored under both")
    sums = [tuple(sum(rows.loc[shared, part].to_numpy() for rows in side) for part in PARTS) for side in (a, b)]
    estimate = paired_difference(*sums, a[0].loc[shared, "speaker_id"], Resampling.of(study))
    backend = read_metric(results, sides[0][seeds[0]], figure.file)["backend"].iloc[0]
    spread = seed_spread(study, results, figure)
    if spread[1]:
        estimate = widen(estimate, spread, len(seeds), 2, study.statistics["confidence"])
    return Quantity(text, estimate.value, estimate.low, estimate.high, paper, backend, seeds=len(seeds))


PARTS = ("numerator", "denominator")


def trainings(study: Study, results: Path, codec: str) -> dict[int, str]:
    """Seed -> codec id of the measured trainings that differ from `codec` in their seed alone, itself included."""
    run = study.runs[codec]
    equal = [name for name, other in study.probe_runs.items() if arm_of(other) == arm_of(run)]
    measured = [name for name in equal if (results / "metrics" / name).is_dir()]  # one seed may have several names
    return {study.probe_runs[name].seed: name for name in measured} | {study.seed: codec}


def seed_spread(study: Study, results: Path, figure: Figure) -> Spread:
    """How far the measured probe runs scatter beyond what arm and seed explain, in a figure."""
    values = {}
    for codec, run in study.probe_runs.items():
        if (results / "metrics" / codec / f"{figure.file}.csv").exists():
            rows = scored(read_metric(results, codec, figure.file), figure)
            values[arm_of(run), run.seed] = rows["numerator"].sum() / rows["denominator"].sum()
    return block_spread(values)


def _model(named: Sequence) -> str:
    protocol, rate = named
    return f"{rate:g} Hz {protocol.replace('-', ' ')}"


def phonemes(study: Study, results: Path, definition: str, rate: float | None) -> Quantity:
    """A row of phonemes.csv, silence left out."""
    rows = pd.read_csv(results / "phonemes.csv")
    at = rows["frame_rate"].isna() if rate is None else rows["frame_rate"] == rate
    rows = rows[at & (rows["definition"] == definition) & (rows["silence"] == "without")]
    text = f"phonemes, {definition.replace('_', ' ')}" + ("" if rate is None else f", at {rate:g} Hz")
    paper = paper_phonemes(rate) or paper_phonemes_over(rate)
    if rows.empty:
        return Quantity(text, paper=paper, reason=f"the study has no {rate:g} Hz")
    row = rows.iloc[0]
    return Quantity(text, row["value"], row["low"], row["high"], paper, study.alignment["aligner"])


def lowest(study: Study, results: Path, column: str) -> Quantity:
    """The smallest of a codebook statistic over the models at the rates of the paper's Table 3."""
    paper = min(_published(column))
    rows = [row for protocol in ABLATION_TABLES for row in _codebooks(study, results, protocol)]
    if not rows:
        return Quantity(f"lowest {_words(column)}", paper=paper, reason=NO_RATE)
    row = min(rows, key=lambda row: row[column])
    text = f"lowest {_words(column)}, that of {row['codec']}"
    return Quantity(text, row[column], row[f"{column}_low"], row[f"{column}_high"], paper)


def spread(study: Study, results: Path, column: str) -> Quantity:
    """Largest minus smallest of a codebook statistic over those rates, under the protocol where it is larger.

    The interval is the widest that those of the models allow.
    """
    published = _published(column)
    paper = round(max(published) - min(published), 6)
    text = f"{_words(column)}, largest minus smallest over the rates"
    quantities = []
    for protocol in ABLATION_TABLES:
        if len(rows := _codebooks(study, results, protocol)) > 1:
            value, low, high = ([row[f"{column}{end}"] for row in rows] for end in ("", "_low", "_high"))
            bounds = max(value) - min(value), max(0.0, max(low) - min(high)), max(high) - min(low)
            quantities.append(Quantity(f"{text}, {protocol.replace('-', ' ')}", *bounds, paper))
    return max(quantities, key=lambda quantity: quantity.value, default=Quantity(text, paper=paper, reason=NO_RATE))


def _codebooks(study: Study, results: Path, protocol: str) -> list[dict[str, Any]]:
    """The row `mean` of each of a protocol's models whose rate is in the paper's Table 3."""
    rows = []
    for codec in study.codecs(protocol):
        if study.runs[codec].frame_rate in table3_rates():
            levels = pd.read_csv(results / "codebook" / f"{codec}.csv", dtype={"level": str})
            rows.append(levels[levels["level"] == "mean"].iloc[0].to_dict() | {"codec": codec})
    return rows


def _published(column: str) -> list[float]:
    return [paper_codebook(rate, column) for rate in table3_rates()]


def _words(column: str) -> str:
    return column.replace("_", " ")


KINDS: Mapping[str, Callable[..., Quantity]] = {
    "difference": difference,
    "phonemes": phonemes,
    "lowest": lowest,
    "spread": spread,
}


def verdicts(study: Study, results: Path) -> list[dict[str, Any]]:
    """Every claim with its quantity and verdict, a row each."""
    rows = []
    for claim in claims():
        measure = dict(claim["measure"])
        quantity = KINDS[measure.pop("kind")](study, results, **measure)
        text = quantity.text.replace("{metric}", measure.get("metric", ""))
        names = {"id": claim["id"], "section": claim["section"], "claim": claim["claim"], "quantity": text}
        numbers = {name: getattr(quantity, name) for name in ("value", "low", "high", "paper", "backend")}
        bounds = dict(zip(("at_least", "at_most"), claim["holds"], strict=True))
        verdict = judge(quantity, claim["holds"])
        if claim.get("cause") and quantity.seeds == 1:
            verdict = ONE_TRAINING.get(verdict, verdict)
        judged = {"verdict": verdict, "reason": quantity.reason, "seeds": quantity.seeds}
        rows.append(names | {"metric": measure.get("metric")} | numbers | bounds | {"range": claim["range"]} | judged)
    return rows


def main() -> None:
    parser = study_arguments(__doc__)
    parser.add_argument("--output", required=True, type=Path)
    args = parser.parse_args()
    rows = verdicts(args.study, args.results)
    write_csv(args.output, rows)
    for row in rows:
        print(f"{row['id']}: {row['verdict']}", flush=True)


if __name__ == "__main__":
    exit_cleanly(main)
