"""From rows to corpus figures: the study's own statistics over the systems of an evaluation."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from codec_cliff.files import atomic_path
from codec_cliff.statistics.bootstrap import Resampling
from codec_cliff.statistics.summary import COMPARED, codec_rows, pair_rows, read_metric
from codec_cliff.study.config import ORIGINAL

Measured = Mapping[str, Mapping[str, pd.DataFrame]]  # rows by system and metric


def read_measured(output: Path, systems: Sequence[str], metrics: Sequence[str]) -> dict[str, dict[str, pd.DataFrame]]:
    """The rows of every metric that has been measured."""
    return {
        system: {
            metric: read_metric(output, system, metric, whole=False)  # a system may lack files
            for metric in metrics
            if (output / "metrics" / system / f"{metric}.csv").exists()
        }
        for system in systems
    }


def write_figures(output: Path, measured: Measured, by: Resampling) -> None:
    """summary.csv, a row a system and figure; comparisons.csv, each system minus the first, paired over shared recordings."""
    rows = [_said(row) for system, files in measured.items() for row in codec_rows(system, files, by)]
    first, *others = (system for system in measured if system != ORIGINAL)
    pairs = [row for other in others for row in pair_rows(first, other, measured[first], measured[other], by)]
    for name, frame in (("summary", pd.DataFrame(rows)), ("comparisons", pd.DataFrame(pairs, columns=COMPARED))):
        with atomic_path(output / f"{name}.csv") as temporary:
            frame.to_csv(temporary, index=False, lineterminator="\n", float_format="%.10g")


def _said(row: dict[str, Any]) -> dict[str, Any]:
    """A figure, emptied where it says nothing: an original has no errors against its own transcript by definition."""
    if row["codec"] == ORIGINAL and row["metric"] == "wer_of_original":
        return row | dict.fromkeys(("value", "low", "high", "unit"))
    return row
