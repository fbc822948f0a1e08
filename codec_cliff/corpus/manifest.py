"""The manifest: one row an utterance, the only description of a split that the rest of the pipeline reads."""

import csv
import hashlib
import json
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass, fields
from pathlib import Path

from codec_cliff.errors import CorpusError
from codec_cliff.files import atomic_path


@dataclass(frozen=True)
class Utterance:
    """One recording: `n_samples` at `sample_rate` (Hz), mono, and its reference transcript."""

    utterance_id: str
    speaker_id: str
    path: str
    n_samples: int
    sample_rate: int
    transcript: str

    @property
    def seconds(self) -> float:
        return self.n_samples / self.sample_rate


COLUMNS = [field.name for field in fields(Utterance)]


def write_manifest(path: str | Path, utterances: Iterable[Utterance]) -> None:
    """Write a tab-separated manifest; the order of the rows is the order of the audio store."""
    rows = [asdict(utterance) for utterance in utterances]
    check_unique([row["utterance_id"] for row in rows], path)
    with atomic_path(path) as temporary, open(temporary, "w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, COLUMNS, delimiter="\t", lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)


def read_manifest(path: str | Path) -> list[Utterance]:
    """Read and check a manifest.

    Raises CorpusError where a column is missing, a number is none, a row is empty or an id occurs twice.
    """
    try:
        with open(path, newline="", encoding="utf-8") as file:
            utterances = list(_rows(csv.DictReader(file, delimiter="\t", quoting=csv.QUOTE_MINIMAL), path))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise CorpusError(f"{path}: cannot be read as a manifest ({error}); delete it to have it rebuilt") from error
    check_unique([utterance.utterance_id for utterance in utterances], path)
    if not utterances:
        raise CorpusError(f"{path}: holds no utterance")
    return utterances


def recordings_digest(utterances: Iterable[Utterance]) -> str:
    """A hash of which recordings these are: ids, lengths and transcripts in their order, wherever the files lie."""
    rows = [[row.utterance_id, row.n_samples, row.sample_rate, row.transcript] for row in utterances]
    return hashlib.sha256(json.dumps(rows).encode()).hexdigest()[:16]


def check_unique(utterance_ids: list[str], where: str | Path) -> None:
    """Raise CorpusError on the first id that occurs twice."""
    seen: set[str] = set()
    for utterance_id in utterance_ids:
        if utterance_id in seen:
            raise CorpusError(f"{where}: utterance id {utterance_id} occurs twice; ids must be unique within a split")
        seen.add(utterance_id)


def _rows(reader: csv.DictReader, path: str | Path) -> Iterator[Utterance]:
    if reader.fieldnames != COLUMNS:
        raise CorpusError(f"{path}: columns are {reader.fieldnames}, expected {COLUMNS}; delete it to have it rebuilt")
    for number, row in enumerate(reader, start=2):
        yield _utterance(row, f"{path}:{number}")


def _utterance(row: dict[str, str], where: str) -> Utterance:
    try:
        utterance = Utterance(**{**row, "n_samples": int(row["n_samples"]), "sample_rate": int(row["sample_rate"])})
    except (TypeError, ValueError) as error:
        raise CorpusError(f"{where}: {error}") from error
    if utterance.n_samples <= 0 or utterance.sample_rate <= 0:
        raise CorpusError(f"{where}: {utterance.utterance_id} has no samples")
    return utterance
