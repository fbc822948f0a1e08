"""Ours beside the paper's, cell by cell, with a verdict: reproduced, not reproduced, or not comparable and why."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from codec_cliff.errors import exit_cleanly
from codec_cliff.files import write_csv
from codec_cliff.paper.scale import scale_differences
from codec_cliff.paper.values import (
    is_paper_backend,
    paper,
    paper_codebook,
    paper_phonemes,
    paper_quality,
    paper_reference,
)
from codec_cliff.statistics.results import Results, Row
from codec_cliff.study.arguments import study_arguments
from codec_cliff.study.config import Study

COLUMNS = ("table", "codec", "metric", "ours", "low", "high", "paper", "difference", "verdict", "reason")
ROUNDING = {"wer": 0.005, "utilization": 0.0005, "entropy_efficiency": 0.0005, "phonemes": 0.05}  # half a last digit
PAPER_ROW = {"mimi_32": "mimi_8"}  # the paper's one row of Mimi, whose values look like 32 codebooks


@dataclass(frozen=True)
class Cell:
    """One figure of the paper's and what stands for it here; `obstacle` says why the two may not be compared."""

    table: str
    codec: str
    metric: str
    paper: float
    row: Row
    obstacle: str = ""

    def judged(self) -> dict[str, Any]:
        ours, low, high = (self.row.get(name) for name in ("value", "low", "high"))
        values = {"ours": ours, "low": low, "high": high, "paper": self.paper}
        difference = None if ours is None else ours - self.paper
        verdict, reason = verdict_of(self, ours, low, high)
        names = {"table": self.table, "codec": self.codec, "metric": self.metric}
        return names | values | {"difference": difference, "verdict": verdict, "reason": reason}


def verdict_of(cell: Cell, ours: float | None, low: float | None, high: float | None) -> tuple[str, str]:
    """Reproduced where the paper's rounded value lies within our interval."""
    if ours is None:
        return "not comparable", "not measured here"
    if cell.obstacle:
        return "not comparable", cell.obstacle
    half = ROUNDING.get(cell.metric.partition(",")[0], 0.005)
    off = abs(ours - cell.paper)
    if low is None or high is None:
        return "not comparable", "no interval"
    if low - half <= cell.paper <= high + half:
        return "reproduced", f"within {off:.3g}, inside the interval"
    return "not reproduced", f"{off:.3g} off, outside the interval [{low:.4g}, {high:.4g}]"


def cells(study: Study, results: Results) -> Iterator[Cell]:
    """Every figure of Tables 1 to 4 and section 4.3 that this study has a row for."""
    departures = [difference.key for difference in scale_differences(study)]
    trained = f"another study than the paper's ({', '.join(departures)})" if departures else ""
    speech = [key for key in departures if key.startswith(("corpus", "sample_rate"))]
    heard = f"other recordings than the paper's ({', '.join(speech)})" if speech else ""
    columns = paper()["table1"]["columns"]
    for codec in study.reference_codecs:
        for metric in columns:
            yield from _quality(
                "table1", results, codec, metric, paper_reference(PAPER_ROW.get(codec, codec), metric), heard
            )
    for table, protocol in (("table2", "fixed-duration"), ("table4", "fixed-tokens")):
        for rate, codec in zip(study.tables[protocol.replace("-", "_")], study.codecs(protocol), strict=True):
            for metric in columns:
                yield from _quality(table, results, codec, metric, paper_quality(protocol, rate, metric), trained)
    yield from _codebooks(study, results, trained)
    yield from _phonemes(study, results, heard)


def _quality(
    table: str, results: Results, codec: str, metric: str, published: float | None, obstacle: str
) -> Iterable[Cell]:
    row = results.summary.get((codec, metric), {})
    if published is None:
        return
    backend = row.get("backend")
    if backend and not obstacle and not is_paper_backend(metric, backend):
        named = paper()["backends"][metric]
        obstacle = named["note"] if named["id"] is None else f"backend differs: {backend} here, {named['name']} there"
    yield Cell(table, codec, metric, published, row, obstacle)


def _codebooks(study: Study, results: Results, obstacle: str) -> Iterable[Cell]:
    for protocol in ("fixed-duration", "fixed-tokens"):
        for rate, codec in zip(study.tables[protocol.replace("-", "_")], study.codecs(protocol), strict=True):
            mean = results.codebook(codec)
            for name in ("utilization", "entropy_efficiency"):
                if (published := paper_codebook(rate, name)) is not None:
                    row = {"value": mean[name], "low": mean[f"{name}_low"], "high": mean[f"{name}_high"]}
                    yield Cell("table3", codec, name, published, row, obstacle)


def _phonemes(study: Study, results: Results, heard: str) -> Iterable[Cell]:
    aligner = study.alignment["aligner"]
    obstacle = heard or ("" if aligner == "mfa" else f"aligner differs: {aligner} here")
    for row in results.phonemes:
        published = paper_phonemes(row["frame_rate"])
        if published is None or row["silence"] != "without" or str(row["definition"]).startswith("share_"):
            continue
        rate = "a second" if row["frame_rate"] is None else f"a frame at {row['frame_rate']:g} Hz"
        yield Cell("section 4.3", rate, f"phonemes, {row['definition']}", published, row, obstacle)


def main(arguments: Iterable[str] | None = None) -> None:
    parser = study_arguments(__doc__)
    parser.add_argument("--output", required=True, type=Path)
    options = parser.parse_args(arguments)
    rows = [cell.judged() for cell in cells(options.study, Results(options.results))]
    write_csv(options.output, rows or [dict.fromkeys(COLUMNS)])
    counted = {
        verdict: sum(row["verdict"] == verdict for row in rows) for verdict in sorted({row["verdict"] for row in rows})
    }
    print(f"{options.output}: {', '.join(f'{count} {verdict}' for verdict, count in counted.items())}", flush=True)


if __name__ == "__main__":
    exit_cleanly(main)
