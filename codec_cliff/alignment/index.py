"""The index of an alignment: one row an utterance, aligned or not."""

import csv
from collections.abc import Iterable
from dataclasses import asdict, dataclass, fields
from pathlib import Path

from codec_cliff.alignment import AlignmentError
from codec_cliff.files import atomic_path


@dataclass(frozen=True)
class Aligned:
    """Where an utterance's TextGrid lies and how many phones (silence and unknown speech apart) it holds.

    An utterance that could not be aligned has an empty `path`, no phones and a `reason`.
    """

    utterance_id: str
    speaker_id: str
    path: str
    n_phones: int
    reason: str


NO_PHONE = "no phone in its alignment"  # the reason in the index
COLUMNS = [field.name for field in fields(Aligned)]


def write_index(path: str | Path, rows: Iterable[Aligned]) -> None:
    """Write the index; AlignmentError where nothing was aligned."""
    rows = list(rows)
    left_out = [row for row in rows if not row.path]
    if len(left_out) == len(rows):
        reasons = "; ".join(f"{row.utterance_id}: {row.reason}" for row in left_out[:3])
        raise AlignmentError(
            f"{path}: none of {len(rows)} utterances could be aligned ({reasons}); check their transcripts"
        )
    if left_out:
        print(f"{path}: {len(left_out)} of {len(rows)} utterances left out, see its column reason", flush=True)
    with atomic_path(path) as temporary, open(temporary, "w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, COLUMNS, delimiter="\t", lineterminator="\n")
        writer.writeheader()
        writer.writerows(asdict(row) for row in rows)


def read_index(path: str | Path) -> list[Aligned]:
    """Read an index; AlignmentError where its columns or rows are others."""
    try:
        with open(path, newline="", encoding="utf-8") as file:
            reader = csv.DictReader(file, delimiter="\t")
            columns = reader.fieldnames
            rows = [Aligned(**{**row, "n_phones": int(row["n_phones"])}) for row in reader]
    except (OSError, ValueError, KeyError, TypeError, csv.Error) as error:
        raise AlignmentError(f"{path}: cannot be read as an index ({error}); delete it to have it rebuilt") from error
    if columns != COLUMNS:
        raise AlignmentError(f"{path}: columns are {columns}, expected {COLUMNS}; delete it to have it rebuilt")
    return rows
