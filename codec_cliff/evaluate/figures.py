"""From rows to corpus figures: the study's own statistics over the systems of an evaluation."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from codec_cliff.corpus.manifest import Utterance
from codec_cliff.evaluate.pairing import Recordings
from codec_cliff.files import atomic_path
from codec_cliff.statistics.bootstrap import Resampling
from codec_cliff.statistics.summary import COMPARED, codec_rows, pair_rows, read_metric
from codec_cliff.study.config import ORIGINAL

Measured = Mapping[str, Mapping[str, pd.DataFrame]]  # rows by system and metric


def read_measured(output: Path, recordings: Recordings, metrics: Sequence[str]) -> dict[str, dict[str, pd.DataFrame]]:
    """The rows of every metric and system; empty ones of a system that the metric could be measured on no file of."""
    found = {metric: _read(output, recordings, metric) for metric in metrics}
    return {system: {metric: rows[system] for metric, rows in found.items()} for system in recordings.decoded}


def _read(output: Path, recordings: Recordings, metric: str) -> dict[str, pd.DataFrame]:
    rows = {
        system: read_metric(output, system, metric, whole=False)  # a system may lack files
        for system in recordings.decoded
        if (output / "metrics" / system / f"{metric}.csv").exists()
    }
    like = next(iter(rows.values()))
    without = {
        system: _empty(files or recordings.originals, like)
        for system, files in recordings.decoded.items()
        if system not in rows
    }
    return rows | without


def _empty(files: Mapping[str, Utterance], like: pd.DataFrame) -> pd.DataFrame:
    """A row a file: who, with what, and no figure; the columns are those of `like`."""
    rows = [{"utterance_id": file.utterance_id, "speaker_id": file.speaker_id} for file in files.values()]
    backend = {name: like[name].iloc[0] for name in ("backend", "revision")}
    return pd.DataFrame(rows).reindex(columns=like.columns).assign(**backend)


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
