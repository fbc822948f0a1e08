"""Codes that a system brings along: utilization and entropy (Eqs. 2 and 3), all systems on equally many frames."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from codec_cliff.codes.codebook import codebook_rows
from codec_cliff.corpus.audio_files import files_below
from codec_cliff.corpus.matching import Names
from codec_cliff.errors import CodecError
from codec_cliff.evaluate.folders import System
from codec_cliff.files import write_csv

ARCHIVE = "codes.npz"


@dataclass(frozen=True)
class Codes:
    """`codes` (n_codebooks, frames of all recordings), `offsets` of the recordings, and the size of a codebook."""

    codes: np.ndarray
    offsets: np.ndarray
    codebook_size: int


def read_codes(system: System, names: Names, codebook_size: int | None) -> Codes | None:
    """A system's codes from `codes.npz` or an `.npy` a recording; None where it brings none. CodecError where they are unusable."""
    archive = system.folder / ARCHIVE
    if archive.exists():
        with np.load(archive) as file:
            if not {"codes", "offsets"} <= set(file.files):
                raise CodecError(
                    f"{archive}: needs the arrays codes (n_codebooks, frames) and offsets, has {file.files}"
                )
            codes, offsets = file["codes"], file["offsets"]
            size = int(file["codebook_size"]) if "codebook_size" in file.files else codebook_size
    else:
        match = names.match(system.folder, files_below(system.folder, (".npy",)))
        if not match.files:
            return None
        arrays = [_array(path) for path in match.files.values()]
        if len({len(array) for array in arrays}) > 1:
            raise CodecError(
                f"{system.folder}: its .npy files have different numbers of codebooks (n_codebooks, frames)"
            )
        codes, size = np.concatenate(arrays, axis=1), codebook_size
        offsets = np.cumsum([0, *(array.shape[1] for array in arrays)])
    return Codes(codes, offsets, size or 2 ** max(1, int(codes.max()).bit_length()))


def _array(path: Path) -> np.ndarray:
    array = np.load(path)
    array = array.reshape(-1, array.shape[-1]) if array.ndim != 2 and array.ndim > 0 else array
    if array.ndim != 2 or not np.issubdtype(array.dtype, np.integer):
        raise CodecError(f"{path}: holds {array.shape} {array.dtype}, expected integers (n_codebooks, frames)")
    return array


def write_codebooks(
    output: Path, systems: Sequence[System], names: Names, codebook_size: int | None, seed: int
) -> None:
    """`codebook/<system>.csv` of every system that brings codes, each on as many frames as the shortest has."""
    found: Mapping[str, Codes] = {s.name: codes for s in systems if (codes := read_codes(s, names, codebook_size))}
    fewest = min((codes.codes.shape[1] for codes in found.values()), default=0)
    for system, codes in found.items():
        rows = codebook_rows(codes.codes, codes.offsets, codes.codebook_size, fewest, seed)
        levels = [{"level": row["level"], "codebook_size": codes.codebook_size} | row for row in rows]
        write_csv(output / "codebook" / f"{system}.csv", levels)
