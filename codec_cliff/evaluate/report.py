"""Everything that an evaluation shows, from its rows: table, figure, clips and page."""

import argparse
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path

from codec_cliff.corpus.matching import UNKNOWN_SPEAKER
from codec_cliff.evaluate.figure import write_figure
from codec_cliff.evaluate.figures import Measured
from codec_cliff.evaluate.findings import Finding
from codec_cliff.evaluate.listening import listening, write_clips
from codec_cliff.evaluate.page import Page, charts_of, write_page
from codec_cliff.evaluate.pairing import Recordings
from codec_cliff.evaluate.problems import Problem
from codec_cliff.evaluate.tables import codes_table, differences, display_name, main_table, matching, worst_table
from codec_cliff.evaluate.worst import RANKED, worst_files
from codec_cliff.report.figure1 import remove
from codec_cliff.report.layout import Table, remove_table, write_table
from codec_cliff.statistics.results import Results


def write_report(
    output: Path,
    recordings: Recordings,
    measured: Measured,
    said: Sequence[Finding],
    problems: Sequence[Problem],
    unavailable: Mapping[str, str],
    options: argparse.Namespace,
) -> None:
    """Write table.{csv,md,tex}, figure.{png,pdf,svg}, differences.*, worst.*, codes.* and report.html.

    What an earlier run wrote and this one has nothing for goes.
    """
    results = Results(output)
    metrics = [metric for metric in results.metrics if metric in RANKED]
    names = {system: display_name(system) for system in recordings.decoded}
    worst = worst_files(measured)
    tables = _tables(output, results, recordings, measured, worst, said, options.confidence)
    for name in ("table", "differences", "worst", "codes"):
        if name in tables:
            write_table(tables[name], output / name)
        else:
            remove_table(output / name)
    if metrics:
        write_figure(results, metrics, names, output / "figure")
    else:
        remove(output / "figure")
    shutil.rmtree(output / "listening", ignore_errors=True)
    if not options.without_recordings:
        write_clips(output / "listening", recordings, measured, worst)
    page = Page(
        output.name,
        _facts(recordings, options),
        said,
        unavailable,
        tables,
        problems,
        charts_of(results, metrics, names),
        listening(results, measured),
    )
    write_page(output / "report.html", page)


def _tables(
    output: Path, results: Results, recordings: Recordings, measured: Measured, worst, said, confidence: float
) -> dict[str, Table]:
    built = [
        main_table(results, recordings, said, confidence),
        differences(results),
        worst_table(worst, measured),
        matching(results, recordings, confidence),
        codes_table(output, recordings.systems),
    ]
    return {table.name: table for table in built if table}


def _facts(recordings: Recordings, options: argparse.Namespace) -> list[str]:
    originals = recordings.originals.values()
    speakers = {file.speaker_id for file in originals} - {UNKNOWN_SPEAKER}
    minutes = sum(file.seconds for file in originals) / 60
    known = f"of {len(speakers)} speakers" if speakers else "of speakers that the folders do not tell"
    words = (
        f"word errors against transcripts ({options.normaliser} normaliser)"
        if any(file.transcript for file in originals)
        else "no transcripts"
    )
    return [f"{len(originals)} recordings, {minutes:.1f} minutes, {known}; {words}."]
