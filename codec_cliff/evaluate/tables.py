"""The tables of an evaluation: all systems, their differences to the first, delay and level, the worst files, codes."""

from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from codec_cliff.corpus.matching import UNKNOWN_SPEAKER
from codec_cliff.evaluate.figures import Measured
from codec_cliff.evaluate.findings import Finding, kilohertz
from codec_cliff.evaluate.pairing import Recordings
from codec_cliff.evaluate.worst import Worst, value_of
from codec_cliff.metrics.headings import LAG_METRICS, METRICS, TABLE_METRICS
from codec_cliff.report.layout import Cell, Line, Table, interval, number
from codec_cliff.report.notes import interval_note, missing_notes
from codec_cliff.report.quality import metric_cells, metric_record, nothing
from codec_cliff.statistics.results import Results, Row
from codec_cliff.statistics.summary import NEITHER_GOOD_NOR_BAD
from codec_cliff.study.config import ORIGINAL

MAIN = (*TABLE_METRICS[:2], "wer_of_original", *TABLE_METRICS[2:], *NEITHER_GOOD_NOR_BAD)
OF_ORIGINAL = (
    "WER against the original's transcript: the recogniser's own words on the original stand for what was said, so its own errors "
    "count as truth. It is not comparable with a WER against transcripts."
)
SETTLED = "better or worse: the interval leaves out zero. Of many differences, some do so by chance."
CODES = ["System", "Level", "Codebook", "Frames", "Utilization", "Entropy efficiency"]
CODES += [f"{name}, equal frames" for name in CODES[-2:]]
EQUAL_FRAMES = (
    "Brackets: 95 % jackknife intervals over groups of recordings. Few frames leave codes unseen and the entropy low, so systems "
    "are compared on equally many."
)


def display_name(system: str) -> str:
    return "Originals" if system == ORIGINAL else system


def main_table(results: Results, recordings: Recordings, findings: Sequence[Finding], confidence: float) -> Table:
    """A row a system, the originals first: files measured, sample rate, every headline metric, delay and level."""
    metrics = [metric for metric in MAIN if metric in results.metrics]
    counted = {finding.system: f"{finding.n_files} of {finding.n_recordings}" for finding in findings}
    records, lines = [], []
    for system, files in recordings.decoded.items():
        record = _record(results, system, metrics) | {"files": len(files)}
        rates = kilohertz(file.sample_rate for file in files.values())
        records.append({"system": system, "files": len(files), "sample_rates_khz": rates} | record)
        facts = [Cell(display_name(system)), Cell(counted.get(system, str(len(files)))), Cell(rates)]
        lines.append(Line([*facts, *metric_cells(record, metrics)], codec=system))
    header = ["System", "Files", "kHz", *_headings(metrics)]
    return Table("table", "All systems", records, header, lines, notes(results, recordings, metrics, confidence))


def _record(results: Results, system: str, metrics: Sequence[str]) -> dict[str, Any]:
    record = metric_record(results, system, metrics, nothing)
    return {name: value for name, value in record.items() if not name.endswith("_paper")}


def notes(results: Results, recordings: Recordings, metrics: Sequence[str], confidence: float) -> list[str]:
    """Backends, what the brackets are, and what could not be scored."""
    noted = [metric for metric in metrics if metric not in NEITHER_GOOD_NOR_BAD]
    found = {metric: [row for (_, name), row in results.summary.items() if name == metric] for metric in noted}
    rows = [row for rows in found.values() for row in rows]
    backends = {_backend(row): None for row in rows}
    of_original = [OF_ORIGINAL] if "wer_of_original" in metrics else []
    return [*backends, *of_original, *_intervals(rows, recordings, confidence), *missing_notes(found)]


def _intervals(rows: Sequence[Row], recordings: Recordings, confidence: float) -> list[str]:
    """What the brackets are, where there are some."""
    if all(row["low"] is None for row in rows):
        return []
    if {file.speaker_id for file in recordings.originals.values()} == {UNKNOWN_SPEAKER}:
        over = "over utterances, speakers unknown; they say nothing of other speakers"
        return [f"Brackets: {confidence:.0%} bootstrap intervals {over}."]
    return [interval_note(rows, confidence)]


def _backend(row: Row) -> str:
    shown = METRICS[row["metric"]]
    return f"{shown.heading}: {row['backend']} ({row['revision']}); {shown.better} is better."


def _headings(metrics: Sequence[str]) -> list[str]:
    return [METRICS[metric].heading for metric in metrics]


def differences(results: Results) -> Table | None:
    """Each system minus the first, paired over the recordings of both; none where there is one system alone."""
    rows = [row for row in results.comparisons if row["metric"] in TABLE_METRICS or row["metric"] == "wer_of_original"]
    if not rows:
        return None
    header = ["System", "Metric", f"Minus {rows[0]['codec_a']}", "Verdict", "Recordings"]
    lines = [Line([Cell(row["codec_b"]), *_difference(row)]) for row in rows]
    said = [
        f"Paired over the recordings that both have, in percent or the metric's own unit; {SETTLED}",
    ]
    return Table("differences", f"Differences to {rows[0]['codec_a']}", rows, header, lines, said)


def _difference(row: Row) -> list[Cell]:
    shown = METRICS[row["metric"]]
    digits = shown.digits + 1
    value = Cell(number(row["difference"], digits, True), interval(row["low"], row["high"], digits, True))
    settled = "better" if row["verdict"] == shown.better else "worse"
    said = "not settled" if row["verdict"] == "not settled" else settled
    return [Cell(shown.heading), value, Cell(said), Cell(f"{row['n_utterances']:.0f}")]


def worst_table(worst: Sequence[Worst], measured: Measured) -> Table | None:
    """The worst files of each metric, and what the original has there."""
    if not worst:
        return None
    records = [asdict(each) | {"original": _of_original(measured, each)} for each in worst]
    lines = [Line([Cell(METRICS[record["metric"]].heading), *_worst(record)]) for record in records]
    return Table("worst", "Worst files by metric", records, ["Metric", "System", "File", "Here", "Original"], lines, [])


def _of_original(measured: Measured, worst: Worst) -> float | None:
    """The original's value beside a file's; an original has no errors against its own words by definition."""
    if worst.metric == "wer_of_original":
        return None
    return value_of(measured, ORIGINAL, worst.metric, worst.utterance_id)


def _worst(record: Row) -> list[Cell]:
    digits = METRICS[record["metric"]].digits
    numbers = [Cell(number(record[name], digits)) for name in ("value", "original")]
    return [Cell(record["system"]), Cell(record["utterance_id"]), *numbers]


def matching(results: Results, recordings: Recordings, confidence: float) -> Table:
    """Delay and level, and the metrics with and without them."""
    metrics = [metric for metric in LAG_METRICS if metric in results.metrics]
    records = [{"system": system} | _record(results, system, metrics) for system in results.codecs]
    lines = [Line([Cell(display_name(record["system"])), *metric_cells(record, metrics)]) for record in records]
    header = ["System", *_headings(metrics)]
    noted = notes(results, recordings, metrics, confidence)
    return Table("matching", "Delay and level, and what they cost", records, header, lines, noted)


def codes_table(output: Path, systems: Sequence[str]) -> Table | None:
    """Utilization and entropy of the systems that brought their codes."""
    results = Results(output)
    records = [
        {"system": system} | row
        for system in systems
        if results.has(f"codebook/{system}.csv")
        for row in results.codebook_levels(system)
    ]
    if not records:
        return None
    lines = [Line(_codes(record), marked=record["level"] == "mean") for record in records]
    return Table("codes", "Use of the codebooks", records, CODES, lines, [EQUAL_FRAMES])


def _codes(record: Row) -> list[Cell]:
    level = record["level"] if record["level"] == "mean" else str(int(record["level"]) + 1)
    ours = [
        Cell(number(record[name], 3), interval(record[f"{name}_low"], record[f"{name}_high"], 3))
        for name in ("utilization", "entropy_efficiency")
    ]
    equal = [Cell(number(record[f"{name}_equal_frames"], 3)) for name in ("utilization", "entropy_efficiency")]
    sizes = [Cell(f"{record[name]:.0f}") for name in ("codebook_size", "n_frames")]
    return [Cell(record["system"]), Cell(level), *sizes, *ours, *equal]
