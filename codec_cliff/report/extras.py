"""Parts of the page that a study may or may not have: the comparison with the paper, probes, cost."""

import base64
from dataclasses import dataclass
from pathlib import Path

from codec_cliff.metrics.headings import METRICS
from codec_cliff.report.layout import Cell, Line, Table, interval, number, read_markdown
from codec_cliff.statistics.results import Results, Row


@dataclass(frozen=True)
class Picture:
    """A static figure as a data URI, with the words for those who do not see it."""

    name: str
    title: str
    uri: str


def paper_comparison(results: Results) -> Table | None:
    """Every value of the paper beside ours, with the verdict and its reason (paper_comparison.csv)."""
    rows = results.rows("paper_comparison.csv")
    if not rows:
        return None
    header = ["Table", "Codec", "Metric", "Ours", "Paper", "Difference", "Verdict", "Reason"]
    lines = [Line([Cell(str(row["table"])), Cell(row["codec"]), *_compared(row)]) for row in rows]
    return Table("paper_comparison", "The paper's values, one by one", rows, header, lines, [])


def _compared(row: Row) -> list[Cell]:
    shown = METRICS.get(row["metric"])
    digits = shown.digits if shown else 3
    return [
        Cell(shown.heading if shown else row["metric"]),
        Cell(number(row["ours"], digits), interval(row["low"], row["high"], digits)),
        Cell(number(row["paper"], digits)),
        Cell(number(row["difference"], digits, sign=True)),
        Cell(row["verdict"]),
        Cell(row["reason"] or ""),
    ]


def shown_tables(results: Results, pattern: str) -> list[Table]:
    """Tables that another step has written, by their Markdown."""
    return [read_markdown(path) for path in sorted((results.folder / "tables").glob(f"{pattern}.md"))]


def pictures(results: Results, pattern: str) -> list[Picture]:
    """Static figures that another step has drawn."""
    return [_picture(path) for path in sorted((results.folder / "figures").glob(f"{pattern}.svg"))]


def _picture(path: Path) -> Picture:
    title = path.stem.removeprefix("probe_").replace("_", " ").capitalize()
    encoded = base64.b64encode(path.read_bytes()).decode("ascii")
    return Picture(path.stem, title, f"data:image/svg+xml;base64,{encoded}")
