"""The verdict at a glance: the paper's claims, what this study measured for each, and whether they agree."""

from collections import Counter
from dataclasses import dataclass

from codec_cliff.metrics.headings import METRICS
from codec_cliff.paper.values import is_paper_backend, paper
from codec_cliff.report.layout import interval, number
from codec_cliff.statistics.results import Results, Row

MARKS = {
    "reproduced": "✓",
    "not reproduced": "✗",
    "agrees, one training": "(✓)",
    "disagrees, one training": "(✗)",
    "not settled": "?",
    "not tested": "–",
}  # never by colour alone
COLUMN_DIGITS = 3  # codebook statistics
PHONEME_DIGITS = 2
SECTIONS = {"4.2": "table2", "4.3": "figure1", "4.4": "table3", "4.5": "table4", "4.6": "table4", "5": "table4"}


@dataclass(frozen=True)
class Claim:
    """A claim as shown: the mark and the word for its verdict, the figure behind it, and where on the page that stands."""

    section: str
    claim: str
    verdict: str
    mark: str
    ours: str
    paper: str
    range: str
    remark: str
    link: str


def verdict(results: Results) -> list[Claim]:
    """The rows of claims.csv as shown; none where the study has no such file."""
    return [_claim(row) for row in results.rows("claims.csv")]


def tally(claims: list[Claim]) -> list[tuple[str, str, int]]:
    """(verdict, mark, how many) for each verdict that occurs."""
    counts = Counter(claim.verdict for claim in claims)
    return [(name, mark, counts[name]) for name, mark in MARKS.items() if counts[name]]


def _claim(row: Row) -> Claim:
    digits, sign = _digits(row), row["metric"] is not None
    metric = row["metric"]
    quantity = row["quantity"].replace(f"{metric}:", f"{METRICS[metric].heading},", 1) if metric else row["quantity"]
    measured = f"{number(row['value'], digits, sign)} {interval(row['low'], row['high'], digits, sign)}"
    published = number(row["paper"], digits, sign) if row["paper"] is not None else ""
    return Claim(
        section=row["section"],
        claim=row["claim"],
        verdict=row["verdict"],
        mark=MARKS[row["verdict"]],
        ours=f"{quantity}: {measured}" if row["value"] is not None else f"{quantity}: {row['reason']}",
        paper=published,
        range=f"{_bounds(row, digits, sign)} ({row['range']})",
        remark=_remark(row),
        link=SECTIONS[row["section"]],
    )


def _digits(row: Row) -> int:
    if row["metric"]:
        return METRICS[row["metric"]].digits + 1
    return PHONEME_DIGITS if "phonemes" in row["quantity"] else COLUMN_DIGITS


def _bounds(row: Row, digits: int, sign: bool) -> str:
    least, most = (None if row[name] is None else number(row[name], digits, sign) for name in ("at_least", "at_most"))
    if least and most:
        return f"{least} to {most}"
    return f"{least} or more" if least else f"{most} or less"


def _remark(row: Row) -> str:
    metric, backend = row["metric"], row["backend"]
    if not metric or not backend or is_paper_backend(metric, backend):
        return ""
    return f"Measured with {backend}; the paper used {paper()['backends'][metric]['name']}."
