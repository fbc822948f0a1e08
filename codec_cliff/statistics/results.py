"""What a study has produced, read from results/<study> and handed to the tables, the figure and the page."""

import csv
import json
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from codec_cliff.errors import UserError

Row = dict[str, Any]  # a CSV row; numbers as float, empty cells as None

TEXT = {
    "codec",
    "codec_a",
    "codec_b",
    "metric",
    "backend",
    "revision",
    "unit",
    "verdict",
    "level",
    "layers",
    "protocol",
    "id",
    "section",
    "claim",
    "quantity",
    "range",
    "reason",
    "question",
    "evidence",
    "hypothesis",
    "utterance_id",
    "table",
}


def read_rows(path: Path) -> list[Row]:
    """The rows of a CSV file; UserError where it is missing."""
    if not path.exists():
        raise UserError(f"{path}: missing; build it first (snakemake {path})")
    with open(path, newline="", encoding="utf-8") as file:
        return [{name: _value(name, cell) for name, cell in row.items()} for row in csv.DictReader(file)]


def _value(name: str, cell: str) -> Any:
    if name in TEXT or cell == "":
        return cell or None
    try:
        return float(cell)
    except ValueError:
        return cell


@dataclass(frozen=True)
class Results:
    """results/<study>: CSV files are required where they are asked for, records of single codecs are not."""

    folder: Path

    @cached_property
    def summary(self) -> dict[tuple[str, str], Row]:
        """Rows of summary.csv by (codec, metric)."""
        return {(row["codec"], row["metric"]): row for row in read_rows(self.folder / "summary.csv")}

    def figure(self, codec: str, metric: str) -> Row:
        """A codec's row of summary.csv; UserError where the codec was left out, empty where only this metric was."""
        if codec not in self.codecs:
            raise UserError(f"{self.folder / 'summary.csv'}: {codec} is missing; rebuild it with this codec")
        return self.summary.get((codec, metric), {})

    @cached_property
    def codecs(self) -> list[str]:
        return list(dict.fromkeys(codec for codec, _ in self.summary))

    @cached_property
    def metrics(self) -> list[str]:
        """The measured figures, in the summary's order."""
        return list(dict.fromkeys(metric for _, metric in self.summary))

    @cached_property
    def comparisons(self) -> list[Row]:
        return read_rows(self.folder / "comparisons.csv")

    @cached_property
    def phonemes(self) -> list[Row]:
        return read_rows(self.folder / "phonemes.csv")

    @cached_property
    def coverage(self) -> list[Row]:
        return read_rows(self.folder / "probes" / "coverage.csv")

    def codebook(self, codec: str) -> Row:
        """The row `mean` of a codec's codebook statistics: the mean over its levels."""
        return next(row for row in self.codebook_levels(codec) if row["level"] == "mean")

    def codebook_levels(self, codec: str) -> list[Row]:
        """A codec's codebook statistics: a row a level, and the row `mean`."""
        return read_rows(self.folder / "codebook" / f"{codec}.csv")

    def rows(self, name: str) -> list[Row]:
        """The rows of a CSV file that a study need not have; none where it is missing."""
        return read_rows(self.folder / name) if self.has(name) else []

    def facts(self, codec: str) -> Row:
        """reconstruction/<codec>/codec.json."""
        return self._json(f"reconstruction/{codec}/codec.json")

    def run(self, codec: str) -> Row:
        """runs/<codec>/run.json."""
        return self._json(f"runs/{codec}/run.json")

    def skipped(self, split: str) -> list[str]:
        """The recordings that a split left out, each with its reason."""
        path = self.folder / "data" / f"{split}.skipped.tsv"
        if not path.exists():
            return []
        with open(path, newline="", encoding="utf-8") as file:
            return [f"{row['path']}: {row['reason']}" for row in csv.DictReader(file, delimiter="\t")]

    def has(self, name: str) -> bool:
        """Whether a file of the study exists: a study need not have run every probe."""
        return (self.folder / name).exists()

    def _json(self, name: str) -> Row:
        path = self.folder / name
        return json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
