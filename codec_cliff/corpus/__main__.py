"""Command line of the corpora: make one, download one, or turn a folder into a manifest and an audio store."""

import argparse

from codec_cliff.corpus.folder import BadFiles, read_folder
from codec_cliff.corpus.librispeech import ARCHIVES, download
from codec_cliff.corpus.manifest import write_manifest
from codec_cliff.corpus.store import decode_into_store
from codec_cliff.corpus.synthetic import make_synthetic
from codec_cliff.errors import exit_cleanly


def prepare(arguments: argparse.Namespace) -> None:
    """Read headers and transcripts, then decode every file once: store, manifest and the list of skipped files."""
    bad_files = BadFiles(skip=arguments.bad_files == "skip")
    listed = read_folder(arguments.root, arguments.splits, arguments.sample_rate, bad_files, arguments.max_utterances)
    utterances = decode_into_store(arguments.store, listed, bad_files)
    write_manifest(arguments.manifest, utterances)
    bad_files.write(arguments.skipped)
    seconds = sum(utterance.seconds for utterance in utterances)
    print(
        f"{arguments.manifest}: {len(utterances)} utterances, {seconds:.0f} s, {len(bad_files.skipped)} left out",
        flush=True,
    )


def make(arguments: argparse.Namespace) -> None:
    make_synthetic(arguments.root, arguments.sample_rate)


def fetch(arguments: argparse.Namespace) -> None:
    print(f"{download(arguments.root, arguments.split)}: complete", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m codec_cliff.corpus", description=__doc__)
    commands = parser.add_subparsers(required=True)

    command = commands.add_parser("make-synthetic", help="speak the embedded sentences into DIR/train and DIR/test")
    command.add_argument("--root", required=True)
    command.add_argument("--sample-rate", type=int, default=16000, help="Hz")
    command.set_defaults(run=make)

    command = commands.add_parser("download", help="fetch a split of LibriSpeech into DIR/<split>")
    command.add_argument("--root", required=True)
    command.add_argument("--split", required=True, help=", ".join(ARCHIVES))
    command.set_defaults(run=fetch)

    command = commands.add_parser("prepare", help="write a manifest and its audio store; each file is decoded once")
    command.add_argument("--root", required=True, help="the folder that holds the splits")
    command.add_argument("--splits", nargs="+", required=True)
    command.add_argument("--sample-rate", type=int, required=True, help="Hz")
    command.add_argument("--bad-files", choices=("error", "skip"), required=True)
    command.add_argument("--max-utterances", type=int, default=None, help="a subset spread over the speakers")
    command.add_argument("--manifest", required=True)
    command.add_argument("--store", required=True)
    command.add_argument("--skipped", required=True, help="table of the files left out: path, reason")
    command.set_defaults(run=prepare)

    arguments = parser.parse_args()
    arguments.run(arguments)


if __name__ == "__main__":
    exit_cleanly(main)
