"""Align a split's audio with its transcripts: a TextGrid an utterance, and the index of all of them."""

import argparse
from collections.abc import Sequence
from importlib import import_module

from codec_cliff.alignment.index import Aligned, write_index
from codec_cliff.corpus.store import open_store
from codec_cliff.errors import exit_cleanly


def align(options: argparse.Namespace) -> list[Aligned]:
    store = open_store(options.manifest, options.store)
    if options.aligner == "pocketsphinx":
        return import_module("codec_cliff.alignment.pocketsphinx").align_store(store, options.output_dir)
    mfa = import_module("codec_cliff.alignment.mfa")
    return mfa.align_manifest(
        store.utterances, options.output_dir, options.mfa_root, options.jobs, options.temporary_dir, options.mfa_model
    )


def parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m codec_cliff.alignment", description=__doc__)
    parser.add_argument("--aligner", required=True, choices=("mfa", "pocketsphinx"))
    parser.add_argument("--manifest", required=True, help="the split's manifest")
    parser.add_argument("--store", required=True, help="its audio store")
    parser.add_argument("--output-dir", required=True, help="folder for <speaker>/<utterance>.TextGrid")
    parser.add_argument("--index", required=True, help="table of the TextGrids, written last")
    parser.add_argument("--mfa-root", default="cache/mfa", help="MFA_ROOT_DIR: MFA's models, downloaded once")
    parser.add_argument("--mfa-model", default="english_us_arpa", help="acoustic model and dictionary of one name")
    parser.add_argument("--temporary-dir", help="local disk for MFA's database (default: the system's)")
    parser.add_argument("--jobs", type=int, default=1, help="processes of MFA; it uses one a speaker at most")
    return parser


def main(arguments: Sequence[str] | None = None) -> None:
    options = parser().parse_args(arguments)
    write_index(options.index, align(options))


if __name__ == "__main__":
    exit_cleanly(main)
