"""The recordings that a benchmark hears: a folder in LibriSpeech's layout, or the synthetic speech that the package carries."""

import argparse
from pathlib import Path

from codec_cliff.corpus.account import BadFiles
from codec_cliff.corpus.folder import read_folder
from codec_cliff.corpus.manifest import write_manifest
from codec_cliff.corpus.store import AudioStore, decode_into_store, open_store
from codec_cliff.corpus.synthetic import make_synthetic

RATE = 16000


def add_speech(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--corpus", type=Path, help="a folder in LibriSpeech's layout; default: synthetic speech")
    parser.add_argument("--split", help="of the corpus, as in test-clean")


def corpus(options: argparse.Namespace, folder: Path, synthetic_split: str = "test") -> tuple[Path, str]:
    """The corpus' folder and its split; without one, synthetic speech is made in `folder`, and that is said."""
    if options.corpus:
        return options.corpus, options.split
    print("SYNTHETIC speech: published figures are of LibriSpeech (--corpus DIR --split test-clean)", flush=True)
    make_synthetic(folder / "synthetic", RATE)
    return folder / "synthetic", synthetic_split


def prepare(root: Path, split: str, folder: Path, limit: int | None = None) -> AudioStore:
    """Manifest and audio store of a split, `speech.tsv` and `speech.npy` in `folder`."""
    bad_files = BadFiles(skip=True)
    listed = read_folder(root, [split], RATE, bad_files, limit)
    utterances = decode_into_store(folder / "speech.npy", listed, bad_files)
    write_manifest(folder / "speech.tsv", utterances)
    return open_store(folder / "speech.tsv", folder / "speech.npy")
