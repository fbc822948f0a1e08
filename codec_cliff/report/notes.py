"""What a table owes its reader about its metrics."""

from collections.abc import Mapping, Sequence
from typing import Any

from codec_cliff.metrics.headings import METRICS
from codec_cliff.paper.scale import scale_differences
from codec_cliff.paper.values import is_paper_backend, paper
from codec_cliff.statistics.results import Results, Row
from codec_cliff.study.config import Study

DAGGER = "† The two protocols give the same clips at this rate: one model, printed in both tables, as in the paper."


def metric_notes(study: Study, results: Results, metrics: Sequence[str], codecs: Sequence[str]) -> list[str]:
    """What a table owes its reader: backends, what was resampled, and what could not be scored."""
    found = {metric: [row for codec in codecs if (row := results.figure(codec, metric))] for metric in metrics}
    rows = [row for rows in found.values() for row in rows]
    backends = {(row["metric"], row["backend"]): backend_note(row) for row in rows}
    intervals = interval_note(rows, study.statistics["confidence"])
    return [*backends.values(), intervals, *scale_note(study), *missing_notes(found)]


def interval_note(rows: Sequence[Row], confidence: float) -> str:
    """What the brackets of rows of summary.csv are, and over what."""
    counts: dict[str, set[int]] = {}
    for row in rows:
        if row["unit"]:
            counts.setdefault(row["unit"], set()).add(int(row["n_speakers"]))
    samples = [f"{unit}s ({_speakers(numbers)})" for unit, numbers in sorted(counts.items())]
    few = "; over utterances they hold for these speakers alone" if "utterance" in counts else ""
    return f"Brackets: {confidence:.0%} bootstrap intervals over {' or '.join(samples)}{few}."


def _speakers(numbers: set[int]) -> str:
    least, most = min(numbers), max(numbers)
    return f"{least} to {most} speakers" if least < most else f"{most} speaker{'s' if most > 1 else ''}"


def missing_notes(found: Mapping[str, Sequence[Row]]) -> list[str]:
    """How many utterances each metric could not score, codec by codec."""
    notes = []
    for metric, rows in found.items():
        if left_out := [f"{row['codec']} {row['n_missing']:.0f}" for row in rows if row["n_missing"]]:
            notes.append(f"{METRICS[metric].heading}, utterances without a score: {', '.join(left_out)}.")
    return notes


def scale_note(study: Study) -> list[str]:
    """That the paper's values stand beside those of a study unlike the paper's; nothing where it is alike."""
    if not scale_differences(study):
        return []
    return [f"The paper's values are of {paper()['corpus']} and its own models; this study is not at that scale."]


def backend_note(row: dict[str, Any]) -> str:
    """Which backend a figure is from, and whether the paper's value may be compared with it."""
    metric, named = row["metric"], paper()["backends"].get(row["metric"])
    measured = f"{METRICS[metric].heading}: {row['backend']} ({row['revision']})"
    if named is None or is_paper_backend(metric, row["backend"]):
        return f"{measured}."
    if named["id"] is None:
        return f"{measured}; {named['note']}."
    return f"{measured}; the paper used {named['name']}, so its values are not comparable with these."
