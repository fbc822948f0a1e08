"""The files to look at and listen to first: where each metric is worst, of whichever system."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import pandas as pd

from codec_cliff.evaluate.figures import Measured
from codec_cliff.metrics.headings import METRICS, TABLE_METRICS
from codec_cliff.statistics.summary import BY_NAME, FIGURES, Figure, scored
from codec_cliff.study.config import ORIGINAL

LISTED = 5  # files a metric
RANKED = tuple(
    name for name in (*TABLE_METRICS, "wer_of_original") if name not in ("wer_plain", "wer_whisper", "wer_beyond_all")
)


@dataclass(frozen=True)
class Worst:
    """A file and what makes it one of the worst."""

    metric: str
    system: str
    utterance_id: str
    value: float


def worst_files(measured: Measured) -> list[Worst]:
    """The LISTED worst files of each headline metric over all systems, metric by metric, the worst first."""
    return [each for figure in FIGURES if figure.name in RANKED for each in _worst(measured, figure)]


def _worst(measured: Measured, figure: Figure) -> Iterable[Worst]:
    values = {system: _values(files, figure) for system, files in measured.items() if system != ORIGINAL}
    found = [
        Worst(figure.name, system, str(name), float(value))
        for system, column in values.items()
        for name, value in column.items()
    ]
    sign = 1 if METRICS[figure.name].better == "higher" else -1
    return sorted(found, key=lambda worst: (sign * worst.value, worst.utterance_id))[:LISTED]


def _values(files: dict[str, pd.DataFrame], figure: Figure) -> pd.Series:
    if figure.file not in files or figure.numerator not in files[figure.file]:
        return pd.Series(dtype=float)
    sums = scored(files[figure.file], figure)
    return sums["numerator"] / sums["denominator"]


def value_of(measured: Measured, system: str, metric: str, utterance_id: str) -> float | None:
    """A metric of one file; None where it has none."""
    value = _values(measured.get(system, {}), BY_NAME[metric]).get(utterance_id)
    return None if value is None else float(value)


def middle_file(measured: Measured, ids: Sequence[str]) -> str | None:
    """The file in the middle of the order by the first metric there is, over all systems; None where nothing is measured."""
    for figure in (figure for figure in FIGURES if figure.name in RANKED):
        columns = [_values(files, figure) for system, files in measured.items() if system != ORIGINAL]
        mean = pd.concat(columns, axis=1).mean(axis=1).reindex(ids).dropna().sort_index(kind="stable").sort_values()
        if len(mean):
            return str(mean.index[len(mean) // 2])
    return None
