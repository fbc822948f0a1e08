"""How evenly each codebook level is used: codes in order of use, in groups, for the histograms of section 4.4."""

import argparse
from collections.abc import Iterable
from pathlib import Path

import numpy as np

from codec_cliff.codes.codebook import code_counts, codebook_size_of, equal_frames, fewest_frames
from codec_cliff.errors import exit_cleanly
from codec_cliff.files import write_csv

GROUPS = 32  # of codes a histogram; fewer where the codebook is smaller


def ranked_use(counts: np.ndarray, groups: int) -> np.ndarray:
    """Counts (levels, codebook_size) to use relative to uniform, (levels, groups): codes sorted from the most used down.

    1 throughout is uniform use; the mean over the groups is always 1.
    """
    ranked = -np.sort(-counts, axis=1)
    edges = np.linspace(0, counts.shape[1], groups + 1).astype(int)
    shares = np.add.reduceat(ranked, edges[:-1], axis=1) / counts.sum(1, keepdims=True)
    return shares * counts.shape[1] / np.diff(edges)


def rows(codec: str, codes: np.ndarray, codebook_size: int, n_frames: int, seed: int) -> Iterable[dict[str, object]]:
    """One row a level and group, counted on at most `n_frames` frames so that the rates compare."""
    counts = code_counts(equal_frames(codes, n_frames, seed), codebook_size)
    groups = min(GROUPS, codebook_size)
    for level, use in enumerate(ranked_use(counts, groups)):
        for group, relative in enumerate(use):
            at = (group + 0.5) / groups  # the middle of the group, as a share of the codebook
            yield {"codec": codec, "level": level, "at": f"{at:.4g}", "relative_use": f"{relative:.4g}"}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--codecs", required=True, nargs="+")
    parser.add_argument("--reconstruction", required=True, type=Path, help="results/<study>/reconstruction")
    parser.add_argument("--manifest", required=True, help="of the reference recordings")
    parser.add_argument("--longest-hop", required=True, type=int, help="samples a token of the study's lowest rate")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--output", required=True, type=Path)
    args = parser.parse_args()
    fewest = fewest_frames(args.manifest, args.longest_hop)
    table = []
    for codec in args.codecs:
        size = codebook_size_of(args.reconstruction / codec)
        with np.load(args.reconstruction / codec / "codes.npz") as file:
            table += rows(codec, file["codes"], size, fewest, args.seed)
    write_csv(args.output, table)


if __name__ == "__main__":
    exit_cleanly(main)
