"""How metrics are headed and rounded, and what a table owes its reader about them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from codec_cliff.paper.scale import scale_differences
from codec_cliff.paper.values import is_paper_backend, paper
from codec_cliff.statistics.results import Results, Row
from codec_cliff.study.config import Study


@dataclass(frozen=True)
class Shown:
    """How a metric is printed: heading, digits of ours and of the paper's value, and which way is better."""

    heading: str
    digits: int
    better: str
    paper_digits: int = 2


METRICS = {
    "stoi": Shown("STOI", 2, "higher"),
    "stoi_aligned": Shown("STOI, lag removed", 2, "higher"),
    "lag_ms": Shown("Lag (ms)", 1, "lower"),
    "wer": Shown("WER (%)", 1, "lower"),
    "wer_plain": Shown("WER (%), plain normaliser", 1, "lower"),
    "wer_whisper": Shown("WER (%), Whisper's normaliser", 1, "lower"),
    "wer_of_original": Shown("WER (%) against the original's transcript", 1, "lower"),
    "wer_flat": Shown("WER (%), no text prior", 1, "lower"),
    "mcd": Shown("MCD", 2, "lower"),
    "mcd_raw": Shown("MCD, raw", 2, "lower"),
    "mcd_aligned": Shown("MCD, lag removed", 2, "lower"),
    "mcd_pymcd_dtw": Shown("MCD, pymcd warped", 2, "lower"),
    "mcd_versa": Shown("MCD, VERSA", 2, "lower"),
    "mcd_versa_dtw": Shown("MCD, VERSA warped", 2, "lower"),
    "mcd_versa_no_c0": Shown("MCD, VERSA without c0", 2, "lower"),
    "mcd_mfcc": Shown("MCD, MFCC", 2, "lower"),
    "mcd_mfcc_dtw": Shown("MCD, MFCC warped", 2, "lower"),
    "level_difference_db": Shown("Level (dB)", 1, "lower"),
    "spk_sim": Shown("SPK-SIM", 2, "higher"),
    "utmos": Shown("UTMOS", 2, "higher"),
    "dnsmos_p808": Shown("DNSMOS P.808", 2, "higher"),
}
TABLE_METRICS = ("stoi", "wer", "wer_plain", "wer_whisper", "wer_flat", "mcd", "spk_sim", "utmos", "dnsmos_p808")
LAG_METRICS = (
    "lag_ms",
    "level_difference_db",
    "stoi",
    "stoi_aligned",
    "mcd",
    "mcd_raw",
    *(name for name in METRICS if name.startswith("mcd_") and name != "mcd_raw"),
)
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
    samples = sorted({f"{row['unit']}s ({row['n_speakers']:.0f} speakers)" for row in rows if row["unit"]})
    return f"Brackets: {confidence:.0%} bootstrap intervals over {' or '.join(samples)}."


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
