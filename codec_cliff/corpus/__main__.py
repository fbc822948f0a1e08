"""Command line of the corpora: make one, download one, or turn a folder into a manifest and an audio store."""

import argparse
from pathlib import Path

from codec_cliff.corpus.account import BadFiles, require_words
from codec_cliff.corpus.folder import read_folder
from codec_cliff.corpus.librispeech import ARCHIVES, download
from codec_cliff.corpus.listing import folder_listing, write_listing
from codec_cliff.corpus.manifest import Utterance, read_manifest, write_manifest
from codec_cliff.corpus.overlap import of_splits, refuse_overlap
from codec_cliff.corpus.store import decode_into_store
from codec_cliff.corpus.synthetic import make_synthetic
from codec_cliff.errors import CorpusError, exit_cleanly
from codec_cliff.files import expanded


def prepare(arguments: argparse.Namespace) -> None:
    """Read headers and transcripts, then decode every file once: store, manifest and the list of skipped files."""
    bad_files = BadFiles(skip=arguments.bad_files == "skip")
    listing = folder_listing(arguments.root, arguments.splits)
    listed = read_folder(arguments.root, arguments.splits, arguments.sample_rate, bad_files, arguments.max_utterances)
    if arguments.words:
        require_words(listed)
    utterances = decode_into_store(arguments.store, listed, bad_files)
    bad_files.check_sums(utterances)
    write_manifest(arguments.manifest, utterances)
    _keep_apart(arguments, utterances)
    bad_files.write(arguments.skipped)
    write_listing(arguments.manifest, listing)
    seconds = sum(utterance.seconds for utterance in utterances)
    print(
        f"{arguments.manifest}: {len(utterances)} utterances, {seconds:.0f} s, {len(bad_files.skipped)} left out"
        f"{f', {len(bad_files.spare)} more than were asked for' if bad_files.spare else ''}",
        flush=True,
    )


def _keep_apart(arguments: argparse.Namespace, utterances: list[Utterance]) -> None:
    """Both splits look for the other's manifest once their own lies there, so that the later one sees both."""
    if arguments.apart_from is None or not arguments.apart_from.exists():
        return
    others = of_splits(read_manifest(arguments.apart_from), arguments.root, arguments.other_splits)
    try:
        refuse_overlap(utterances, others, arguments.apart_from)
    except CorpusError:
        Path(arguments.manifest).unlink()
        raise


def make(arguments: argparse.Namespace) -> None:
    make_synthetic(arguments.root, arguments.sample_rate)


def fetch(arguments: argparse.Namespace) -> None:
    print(f"{download(arguments.root, arguments.split)}: complete", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m codec_cliff.corpus", description=__doc__)
    commands = parser.add_subparsers(required=True)

    command = commands.add_parser("make-synthetic", help="speak the embedded sentences into DIR/train and DIR/test")
    command.add_argument("--root", required=True, type=expanded)
    command.add_argument("--sample-rate", type=int, default=16000, help="Hz")
    command.set_defaults(run=make)

    command = commands.add_parser("download", help="fetch a split of LibriSpeech into DIR/<split>")
    command.add_argument("--root", required=True, type=expanded)
    command.add_argument("--split", required=True, help=", ".join(ARCHIVES))
    command.set_defaults(run=fetch)

    command = commands.add_parser("prepare", help="write a manifest and its audio store; each file is decoded once")
    command.add_argument("--root", required=True, type=expanded, help="the folder that holds the splits")
    command.add_argument("--splits", nargs="+", required=True)
    command.add_argument("--sample-rate", type=int, required=True, help="Hz")
    command.add_argument("--bad-files", choices=("error", "skip"), required=True)
    command.add_argument("--max-utterances", type=int, default=None, help="a subset spread over the speakers")
    command.add_argument("--manifest", required=True)
    command.add_argument("--store", required=True)
    command.add_argument("--skipped", required=True, help="table of the files left out: path, reason")
    command.add_argument("--words", action="store_true", help="refuse transcripts none of which has a word of a-z")
    command.add_argument("--apart-from", type=Path, help="the other split's manifest: no recording may be in both")
    command.add_argument("--other-splits", nargs="+", default=[], help="the splits that it is of")
    command.set_defaults(run=prepare)

    arguments = parser.parse_args()
    arguments.run(arguments)


if __name__ == "__main__":
    exit_cleanly(main)
