"""Measure anyone's reconstructions against their originals: folders in; tables, intervals and a page to listen to out."""

import argparse
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from codec_cliff.corpus.manifest import write_manifest
from codec_cliff.corpus.matching import UNKNOWN_SPEAKER
from codec_cliff.corpus.transcripts import NORMALISERS
from codec_cliff.evaluate.backends import SETS, WORDS, choose, of_words
from codec_cliff.evaluate.codes import write_codebooks
from codec_cliff.evaluate.figures import read_measured, write_figures
from codec_cliff.evaluate.findings import Finding, findings, without_delay
from codec_cliff.evaluate.folders import Originals, System, check_output, name_problems, read_originals, read_systems
from codec_cliff.evaluate.inspection import inspect
from codec_cliff.evaluate.ledger import Ledger
from codec_cliff.evaluate.measurements import failed, measure_all, untranscribed
from codec_cliff.evaluate.measuring import Backend
from codec_cliff.evaluate.pairing import Recordings, pair
from codec_cliff.evaluate.problems import write_problems
from codec_cliff.evaluate.report import write_report
from codec_cliff.evaluate.transcripts import read_transcripts
from codec_cliff.evaluate.workers import cores
from codec_cliff.metrics.construct import METRICS
from codec_cliff.report.compare import bootstrap_samples, confidence
from codec_cliff.statistics.bootstrap import Resampling
from codec_cliff.study.config import ORIGINAL

INTERRUPTED = 130


def main(arguments: Sequence[str] | None = None) -> None:
    options = parser().parse_args(arguments)
    try:
        unavailable = evaluate(options)
    except KeyboardInterrupt:
        print("\nstopped; what is finished is kept: give the same command again to go on", file=sys.stderr)
        sys.exit(INTERRUPTED)
    if unavailable:
        sys.exit(1)


def evaluate(options: argparse.Namespace) -> Mapping[str, str]:
    """The whole evaluation, read downwards; returns the metrics that could not be had, with the reason."""
    backends = choose(options.metrics, options.backends)
    output = options.output
    check_output(output, options.originals, options.systems)
    originals = read_originals(options.originals)
    systems = read_systems(options.systems, originals)
    transcripts = read_transcripts(options.transcripts, originals.folder, originals.names)
    speakers = originals.names.speakers()
    _say(originals, systems, transcripts, speakers)

    inspected = inspect(_files(originals, systems), options.jobs)
    recordings, mismatches = pair(
        inspected, [system.name for system in systems], speakers, transcripts, options.measure_mismatches
    )
    problems = [*name_problems(originals, systems), *mismatches]
    write_problems(output / "problems.csv", problems)
    write_manifest(output / "data" / "test.tsv", recordings.originals.values())

    chosen = [_backend(name, of, options, recordings) for name, of in of_words(backends, bool(transcripts)).items()]
    ledger = Ledger(output)
    unavailable = measure_all(recordings, chosen, ledger, options.jobs)
    metrics = [backend.metric for backend in chosen if backend.metric not in unavailable]
    problems += [*untranscribed(recordings, metrics), *failed(recordings, metrics, ledger)]
    problems += write_codebooks(output, systems, originals.names, options.codebook_size, options.seed)

    measured = read_measured(output, recordings, metrics)
    write_figures(output, measured, Resampling(options.bootstrap_samples, options.confidence, options.seed))
    stoi = {system: files["stoi"] for system, files in measured.items() if "stoi" in files}
    problems += without_delay(recordings, stoi, problems)
    write_problems(output / "problems.csv", problems)
    said = findings(recordings, len(originals.files), problems, metrics, stoi)
    write_report(output, recordings, measured, said, problems, unavailable, options)
    _conclude(output, said, len(problems))
    return unavailable


def _files(originals: Originals, systems: Sequence[System]) -> dict[str, dict[str, Path]]:
    """Every recording's files, by system."""
    files = {name: {ORIGINAL: path} for name, path in originals.files.items()}
    for system in systems:
        for name, path in system.match.files.items():
            files[name][system.name] = path
    return files


def _backend(metric: str, name: str, options: argparse.Namespace, recordings: Recordings) -> Backend:
    said = tuple(file.transcript for file in recordings.originals.values()) if metric == WORDS else ()
    return Backend(metric, name, options.normaliser, str(options.cache), options.device, said)


def _say(
    originals: Originals, systems: Sequence[System], transcripts: Mapping[str, str], speakers: Mapping[str, str]
) -> None:
    known = set(speakers.values()) - {UNKNOWN_SPEAKER}
    said = (
        f"{len(transcripts)} transcripts"
        if transcripts
        else "no transcripts: WER is against the recogniser's own words"
    )
    print(f"{originals.folder}: {len(originals.files)} recordings, {len(known) or 'no known'} speakers, {said}")
    for system in systems:
        print(
            f"{system.name} ({system.folder}): {len(system.match.files)} of {len(originals.files)} recordings",
            flush=True,
        )


def _conclude(output: Path, said: Sequence[Finding], n_problems: int) -> None:
    for finding in said:
        remarks = " ".join(finding.sentences) or "Nothing to remark."
        print(f"{finding.system}, {finding.n_files} of {finding.n_recordings} files: {remarks}")
    print((output / "table.md").read_text(encoding="utf-8"))
    print(f"{output / 'report.html'}: the page; {output / 'problems.csv'}: {n_problems} problems")


def at_least(least: int) -> Callable[[str], int]:
    """An argument type: whole numbers from `least` up."""

    def number(text: str) -> int:
        if int(text) < least:
            raise argparse.ArgumentTypeError(f"{text} is too small; {least} or more")
        return int(text)

    return number


def parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser("codec-cliff evaluate", description=__doc__)
    parser.add_argument("originals", type=Path, help="folder of recordings: WAV, FLAC, Ogg or MP3, in any sub-folders")
    parser.add_argument(
        "systems", nargs="+", help="folders of what each codec made of them, files named alike; or name=folder"
    )
    parser.add_argument("--output", type=Path, default=Path("results/evaluation"), help="default: %(default)s")
    parser.add_argument(
        "--transcripts",
        help="a table (id<TAB>text) or a folder of .txt or *.trans.txt; default: what lies by the originals; or none",
    )
    parser.add_argument("--metrics", help=f"of {','.join(METRICS)}; default: all")
    parser.add_argument(
        "--backends",
        default="embedded",
        help=f"{' or '.join(SETS)} (needs the network and a GPU), or wer=mms_1b_all,...; default: %(default)s",
    )
    parser.add_argument(
        "--normaliser", choices=NORMALISERS, default="plain", help="of transcripts; default: %(default)s"
    )
    parser.add_argument("--measure-mismatches", action="store_true", help="files that seem to be another recording too")
    parser.add_argument(
        "--codebook-size", type=at_least(2), help="of codes.npz or .npy files; default: the next power of two"
    )
    parser.add_argument("--without-recordings", action="store_true", help="a page that holds no speech")
    parser.add_argument("--jobs", type=at_least(1), default=cores(), help="processes at once; default: %(default)s")
    parser.add_argument("--cache", type=Path, default=Path("cache"), help="of downloaded weights; default: %(default)s")
    parser.add_argument("--device", default="auto", help="auto, cpu or cuda[:n]")
    parser.add_argument("--bootstrap-samples", type=bootstrap_samples, default=1000, help="100 or more (%(default)s)")
    parser.add_argument("--confidence", type=confidence, default=0.95, help="between 0 and 1 (%(default)s)")
    parser.add_argument("--seed", type=at_least(0), default=0)
    return parser
