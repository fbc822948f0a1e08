"""The clips of an evaluation: the worst file of each metric, and one from the middle."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from codec_cliff.corpus.manifest import Utterance
from codec_cliff.evaluate.figures import Measured
from codec_cliff.evaluate.pairing import Recordings
from codec_cliff.evaluate.tables import display_name
from codec_cliff.evaluate.worst import Worst, middle_file, value_of
from codec_cliff.metrics.headings import METRICS
from codec_cliff.report.clips import Listening, Names, Transcripts, heard, read_listing
from codec_cliff.report.layout import number
from codec_cliff.report.listening import write_listing
from codec_cliff.statistics.results import Results
from codec_cliff.study.config import ORIGINAL

LONGEST = 30.0  # seconds: what a page can carry of several systems
WORD_METRICS = ("wer", "wer_of_original")
PICKED = f"the worst file of each metric, and one from the middle, of those of at most {LONGEST:g} seconds"


@dataclass(frozen=True)
class Pick:
    """A recording to listen to, why, and what was measured of it."""

    utterance_id: str
    title: str
    remark: str


def write_clips(folder: Path, recordings: Recordings, measured: Measured, worst: Sequence[Worst]) -> None:
    """Fill `folder` with clips and listening.json."""
    short = [name for name, file in recordings.originals.items() if file.seconds <= LONGEST]
    picks = _picks(worst, measured, short)
    utterances = [_said(file, measured) for file in recordings.originals.values()]
    decoded = {
        system: {name: file.path for name, file in files.items()} for system, files in recordings.decoded.items()
    }
    write_listing(folder, {"longest": LONGEST}, picks, utterances, decoded)


def _picks(worst: Sequence[Worst], measured: Measured, short: Sequence[str]) -> list[Pick]:
    chosen: dict[str, Pick] = {}
    metrics = dict.fromkeys(each.metric for each in worst)
    for metric in metrics:
        for each in (each for each in worst if each.metric == metric and each.utterance_id in short):
            shown = METRICS[metric]
            value = f"{number(each.value, shown.digits)} ({each.system})"
            if earlier := chosen.get(each.utterance_id):
                remark = f"{earlier.remark}; {shown.heading} worst too: {value}"
                chosen[each.utterance_id] = replace(earlier, remark=remark)
            else:
                title = f"Worst {shown.heading}: {each.utterance_id}"
                chosen[each.utterance_id] = Pick(each.utterance_id, title, f"{shown.heading} {value}")
            break
    middle = middle_file(measured, [name for name in short if name not in chosen])
    if middle is not None:
        chosen[middle] = Pick(middle, f"From the middle: {middle}", _values(measured, middle))
    return list(chosen.values())


def _values(measured: Measured, name: str) -> str:
    """The first metric of each system."""
    metric = next(iter(dict.fromkeys(metric for files in measured.values() for metric in files)))
    found = (
        {s: value for s in measured if (value := value_of(measured, s, metric, name)) is not None}
        if metric in METRICS
        else {}
    )
    shown = METRICS.get(metric)
    return (
        f"{shown.heading}: {', '.join(f'{display_name(s)} {number(v, shown.digits)}' for s, v in found.items())}"
        if found
        else ""
    )


def _said(file: Utterance, measured: Measured) -> Utterance:
    """The recording with what the word errors were counted against."""
    rows = measured.get(ORIGINAL, {}).get("wer_of_original")
    if rows is None:
        return file
    hypotheses = rows.set_index("utterance_id")["hypothesis"].fillna("")
    return replace(file, transcript=str(hypotheses.get(file.utterance_id, "")))


def listening(results: Results, measured: Measured) -> Listening | None:
    """The grid of the page; None where no clips have been made."""
    if (listed := read_listing(results)) is None:
        return None
    metric = next((name for name in WORD_METRICS if any(name in files for files in measured.values())), WORD_METRICS[0])
    names = Names(display_name, lambda system: "Original" if system == ORIGINAL else "Systems")
    transcripts = Transcripts(results, metric)
    entries: Sequence[Mapping[str, str]] = listed["utterances"]
    return Listening(PICKED, [heard(results, names, transcripts, e, e["title"], e["remark"]) for e in entries])
