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
from codec_cliff.paper.values import paper_codebook, paper_phonemes, paper_quality
from codec_cliff.statistics.bootstrap import Resampling, paired_difference
from codec_cliff.statistics.summary import FIGURES, read_metric, scored
from codec_cliff.study.arguments import study_arguments
from codec_cliff.study.config import Study

CLAIMS = Path(__file__).parents[1] / "paper" / "claims.yaml"
REPRODUCED, NOT_REPRODUCED, NOT_SETTLED, NOT_TESTED = "reproduced", "not reproduced", "not settled", "not tested"


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
    figure = next(figure for figure in FIGURES if figure.name == metric)
    a, b = (read_metric(results, study.codec_id(rate, protocol), figure.file) for protocol, rate in (minus, of))
    both = pd.merge(scored(a, figure), scored(b, figure), left_index=True, right_index=True, suffixes=("_a", "_b"))
    if both.empty:
        return Quantity(text, paper=paper, reason="no utterance is scored under both")
    sums = [(both[f"numerator_{x}"].to_numpy(), both[f"denominator_{x}"].to_numpy()) for x in "ab"]
    estimate = paired_difference(*sums, both["speaker_id_a"], Resampling.of(study))
    return Quantity(text, estimate.value, estimate.low, estimate.high, paper, a["backend"].iloc[0])


def _model(named: Sequence) -> str:
    protocol, rate = named
    return f"{rate:g} Hz {protocol.replace('-', ' ')}"


def phonemes(study: Study, results: Path, definition: str, rate: float | None) -> Quantity:
    """A row of phonemes.csv, silence left out."""
    rows = pd.read_csv(results / "phonemes.csv")
    at = rows["frame_rate"].isna() if rate is None else rows["frame_rate"] == rate
    rows = rows[at & (rows["definition"] == definition) & (rows["silence"] == "without")]
    text = f"phonemes, {definition.replace('_', ' ')}" + ("" if rate is None else f", at {rate:g} Hz")
    if rows.empty:
        return Quantity(text, paper=paper_phonemes(rate), reason=f"the study has no {rate:g} Hz")
    row = rows.iloc[0]
    return Quantity(text, row["value"], row["low"], row["high"], paper_phonemes(rate), study.alignment["aligner"])


def lowest(study: Study, results: Path, column: str) -> Quantity:
    """The smallest of a codebook statistic over the trained models."""
    rows = _codebooks(study, results)
    row = rows.loc[rows[column].idxmin()]
    text = f"lowest {_words(column)}, that of {row['codec']}"
    return Quantity(text, row[column], row[f"{column}_low"], row[f"{column}_high"], min(_published(column)))


def spread(study: Study, results: Path, column: str) -> Quantity:
    """Largest minus smallest of a codebook statistic; the interval is the widest that those of the models allow."""
    rows = _codebooks(study, results)
    low, high = rows[f"{column}_low"], rows[f"{column}_high"]
    published = _published(column)
    return Quantity(
        f"{_words(column)}, largest minus smallest over the rates",
        rows[column].max() - rows[column].min(),
        max(0.0, low.max() - high.min()),
        high.max() - low.min(),
        round(max(published) - min(published), 6),
    )


def _codebooks(study: Study, results: Path) -> pd.DataFrame:
    """The row `mean` of each trained model."""
    files = {codec: pd.read_csv(results / "codebook" / f"{codec}.csv", dtype={"level": str}) for codec in study.trained}
    return pd.concat(
        [rows[rows["level"] == "mean"].assign(codec=codec) for codec, rows in files.items()], ignore_index=True
    )


def _published(column: str) -> list[float]:
    return [value for rate in (6.25, 12.5, 25, 50, 100) if (value := paper_codebook(rate, column)) is not None]


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
        judged = {"verdict": judge(quantity, claim["holds"]), "reason": quantity.reason}
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
