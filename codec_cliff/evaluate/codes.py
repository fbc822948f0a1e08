"""Codes that a system brings along: utilization and entropy (Eqs. 2 and 3), all systems on equally many frames."""

import shutil
import zlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from zipfile import BadZipFile

import numpy as np

from codec_cliff.codes.codebook import codebook_rows
from codec_cliff.corpus.audio_files import files_below
from codec_cliff.corpus.matching import Names
from codec_cliff.errors import CodecError
from codec_cliff.evaluate.folders import System
from codec_cliff.evaluate.problems import Problem
from codec_cliff.files import write_csv

ARCHIVE = "codes.npz"
LARGEST = 2**20  # codes of a codebook: integers beyond are no codes, and counting them would fill the memory
UNREADABLE = (OSError, ValueError, TypeError, EOFError, BadZipFile, zlib.error)  # what numpy raises


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
        return _checked(archive, *_from_archive(archive, codebook_size))
    files = names.match(system.folder, files_below(system.folder, (".npy",))).files
    if not files:
        return None
    return _checked(system.folder, *_from_files(system.folder, list(files.values())), codebook_size)


def _from_archive(path: Path, codebook_size: int | None) -> tuple[np.ndarray, np.ndarray, int | None]:
    """Codes, offsets, and the size of a codebook that the archive or else the user names."""
    with _named(path), np.load(path) as file:
        if not {"codes", "offsets"} <= set(file.files):
            raise CodecError(f"{path}: needs the arrays codes (n_codebooks, frames) and offsets, has {file.files}")
        size = int(file["codebook_size"]) if "codebook_size" in file.files else codebook_size
        return file["codes"], file["offsets"], size


def _from_files(folder: Path, paths: Sequence[Path]) -> tuple[np.ndarray, np.ndarray]:
    arrays = [_array(path) for path in paths]
    if len({len(array) for array in arrays}) > 1:
        raise CodecError(f"{folder}: its .npy files have different numbers of codebooks (n_codebooks, frames)")
    return np.concatenate(arrays, axis=1), np.cumsum([0, *(array.shape[1] for array in arrays)])


def _array(path: Path) -> np.ndarray:
    with _named(path):
        array = np.asarray(np.load(path))
        array = array.reshape(-1, array.shape[-1]) if array.ndim not in (0, 2) else array
    _check_integers(path, array)
    return array


@contextmanager
def _named(path: Path) -> Iterator[None]:
    """What numpy cannot read is named."""
    try:
        yield
    except UNREADABLE as error:
        raise CodecError(f"{path}: cannot be read ({error}); save arrays of integers, no objects") from error


def _checked(where: Path, codes: np.ndarray, offsets: np.ndarray, codebook_size: int | None) -> Codes:
    """The codes of the recordings that have some; CodecError where they cannot be codes in a codebook, or not these recordings'."""
    _check_integers(where, codes)
    if not _rises(offsets, codes.shape[1]):
        raise CodecError(f"{where}: offsets must be integers that rise from 0 to {codes.shape[1]}, the frames of codes")
    if not codes.size:
        raise CodecError(f"{where}: holds no frames")
    size = codebook_size or 2 ** max(1, int(codes.max()).bit_length())
    if codes.min() < 0 or codes.max() >= size or not 2 <= size <= LARGEST:
        raise CodecError(f"{where}: holds {codes.min()} to {codes.max()}, no codes of a codebook of {size}")
    return Codes(codes.astype(np.int64), np.unique(offsets.astype(np.int64)), size)


def _rises(offsets: np.ndarray, n_frames: int) -> bool:
    if offsets.ndim != 1 or not np.issubdtype(offsets.dtype, np.integer):
        return False
    ends = offsets.tolist()
    return ends[:1] == [0] and ends[-1] == n_frames and ends == sorted(ends)


def _check_integers(where: Path, codes: np.ndarray) -> None:
    if codes.ndim != 2 or not np.issubdtype(codes.dtype, np.integer):
        raise CodecError(f"{where}: holds {codes.shape} {codes.dtype}, expected integers (n_codebooks, frames)")


def _transposed(system: System, codes: Codes | None) -> Iterator[Problem]:
    """A problem where most recordings have fewer frames than codebooks: figures of such codes may be of the wrong axis."""
    if codes is None:
        return
    n_codebooks, frames = len(codes.codes), np.diff(codes.offsets)
    if np.mean(frames < n_codebooks) > 0.5:
        text = (
            f"more codebooks than frames ({n_codebooks}, and {np.median(frames):.0f} frames a recording): are the codes "
            "transposed? Expected is (n_codebooks, frames)"
        )
        yield Problem(system.name, "", str(system.folder), "codes", text, measured=True)


def write_codebooks(
    output: Path, systems: Sequence[System], names: Names, codebook_size: int | None, seed: int
) -> list[Problem]:
    """`codebook/<system>.csv` of every system that brings codes and of no other, each on as many frames as the shortest has.

    Returns a problem for each system whose codes cannot be used, or seem transposed.
    """
    found, problems = {}, []
    for system in systems:
        try:
            found[system.name] = read_codes(system, names, codebook_size)
        except CodecError as error:
            text = f"no use of codebooks: {error}"
            problems.append(Problem(system.name, "", str(system.folder), "codes", text, measured=False))
        problems += _transposed(system, found.get(system.name))
    usable = {system: codes for system, codes in found.items() if codes}
    fewest = min((codes.codes.shape[1] for codes in usable.values()), default=0)
    shutil.rmtree(output / "codebook", ignore_errors=True)
    for system, codes in usable.items():
        rows = codebook_rows(codes.codes, codes.offsets, codes.codebook_size, fewest, seed)
        levels = [{"level": row["level"], "codebook_size": codes.codebook_size} | row for row in rows]
        write_csv(output / "codebook" / f"{system}.csv", levels)
    return problems
