"""Codebook utilization and entropy efficiency, per level and mean over levels (Eqs. 2 and 3; section 4.4)."""

import argparse
import math
from pathlib import Path

import numpy as np
from scipy.special import stdtrit

from codec_cliff.corpus.manifest import read_manifest
from codec_cliff.errors import CodecError, exit_cleanly
from codec_cliff.files import read_json, write_csv

JACKKNIFE_GROUPS = 20


def utilization(counts: np.ndarray) -> np.ndarray:
    """Share of a vocabulary that occurs at all (Eq. 2): counts (..., codebook_size) to (...)."""
    return (counts > 0).mean(-1)


def entropy_efficiency(counts: np.ndarray) -> np.ndarray:
    """Empirical entropy over that of uniform use (Eq. 3): counts (..., codebook_size) to (...); 1 is uniform, 0 one code."""
    p = counts / counts.sum(-1, keepdims=True)
    return -(p * np.log2(np.where(p > 0, p, 1))).sum(-1) / np.log2(counts.shape[-1])


def code_counts(codes: np.ndarray, codebook_size: int) -> np.ndarray:
    """Codes (n_codebooks, N) to how often each occurs, (n_codebooks, codebook_size)."""
    if codes.min() < 0 or codes.max() >= codebook_size:
        raise CodecError(f"codes reach from {codes.min()} to {codes.max()}, outside a codebook of {codebook_size}")
    return np.stack([np.bincount(level, minlength=codebook_size) for level in codes])


def equal_frames(codes: np.ndarray, n_frames: int, seed: int) -> np.ndarray:
    """A random subset of `n_frames` frames, the same for all levels.

    The plug-in entropy and the utilization are biased low where frames are few, so rates are compared on equally many.
    """
    if n_frames >= codes.shape[1]:
        return codes
    return codes[:, np.random.default_rng(seed).choice(codes.shape[1], n_frames, replace=False)]


def codebook_size_of(reconstruction: Path) -> int:
    """Codes a codebook, of the codec that made results/<study>/reconstruction/<codec>."""
    return read_json(reconstruction / "codec.json")["codebook_size"]


def fewest_frames(manifest: str | Path, longest_hop: int) -> int:
    """Frames of a manifest's recordings at the study's lowest rate, `longest_hop` samples a token: on these the rates compare."""
    return sum(math.ceil(utterance.n_samples / longest_hop) for utterance in read_manifest(manifest))


def jackknife(counts: np.ndarray, statistic) -> tuple[np.ndarray, np.ndarray]:
    """95 % interval of a statistic of summed counts, from leaving out one group of utterances at a time.

    `counts` is (groups, levels, codebook_size). A bootstrap will not do here: a resample repeats utterances, sees fewer distinct
    codes than the data and lies wholly below the estimate.
    """
    groups = len(counts)
    total = counts.sum(0)
    left_out = np.stack([statistic(total - group) for group in counts])
    error = np.sqrt((groups - 1) / groups * ((left_out - left_out.mean(0)) ** 2).sum(0))
    value = statistic(total)
    reach = stdtrit(groups - 1, 0.975) * error
    return value - reach, value + reach


def codebook_rows(
    codes: np.ndarray, offsets: np.ndarray, codebook_size: int, n_frames_equal: int, seed: int
) -> list[dict[str, object]]:
    """One row a level and one named `mean`; `codes` (n_codebooks, frames) with utterance `offsets`.

    Of one utterance there are no intervals: None.
    """
    groups = min(JACKKNIFE_GROUPS, len(offsets) - 1)
    group_of_frame = np.repeat(np.arange(len(offsets) - 1) % groups, np.diff(offsets))
    counts = np.stack([code_counts(codes[:, group_of_frame == group], codebook_size) for group in range(groups)])
    equal = code_counts(equal_frames(codes, n_frames_equal, seed), codebook_size)
    columns: dict[str, np.ndarray] = {}
    unknown = np.full(len(codes) + 1, None)
    for name, per_level in (("utilization", utilization), ("entropy_efficiency", entropy_efficiency)):

        def with_mean(counts: np.ndarray, per_level=per_level) -> np.ndarray:
            levels = per_level(counts)
            return np.append(levels, levels.mean())

        columns[name] = with_mean(counts.sum(0))
        ends = (end.clip(0, 1) for end in jackknife(counts, with_mean)) if groups > 1 else (unknown, unknown)
        columns[f"{name}_low"], columns[f"{name}_high"] = ends
        columns[f"{name}_equal_frames"] = with_mean(equal)
    labels = [*map(str, range(len(codes))), "mean"]
    frames = {"n_frames": codes.shape[1], "n_frames_equal": int(equal[0].sum())}
    return [
        {"level": label, **frames, **{name: values[i] for name, values in columns.items()}}
        for i, label in enumerate(labels)
    ]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--reconstruction", required=True, type=Path, help="a codec's, with codes.npz and codec.json")
    parser.add_argument("--manifest", required=True, help="of the reference recordings")
    parser.add_argument("--longest-hop", required=True, type=int, help="samples a token of the study's lowest rate")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--output", required=True, type=Path)
    arguments = parser.parse_args()
    fewest = fewest_frames(arguments.manifest, arguments.longest_hop)
    size = codebook_size_of(arguments.reconstruction)
    with np.load(arguments.reconstruction / "codes.npz") as file:
        rows = codebook_rows(file["codes"], file["offsets"], size, fewest, arguments.seed)
    write_csv(arguments.output, rows)


if __name__ == "__main__":
    exit_cleanly(main)
