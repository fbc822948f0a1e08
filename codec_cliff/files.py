"""Files appear whole or not at all."""

import csv
import hashlib
import json
import os
import shutil
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from codec_cliff.errors import DiskError, ResultsError, is_full_disk

FULL = 2**18  # bytes left on a disk that a writer has just failed on


@contextmanager
def atomic_path(path: str | Path) -> Iterator[Path]:
    """Yield a temporary path beside `path`; on success it is flushed to disk and renamed over `path`.

    On an exception the temporary file is removed and an existing `path` stays as it was. Raises DiskError where the disk is full.
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        yield temporary
        with open(temporary, "rb") as file:
            os.fsync(file.fileno())
        os.replace(temporary, path)
    except Exception as error:
        # The writers of torch and safetensors do not say so, but while the temporary file is there, the disk does.
        if is_full_disk(error) or (temporary.exists() and shutil.disk_usage(path.parent).free < FULL):
            raise DiskError(path) from error
        raise
    finally:
        temporary.unlink(missing_ok=True)


def write_csv(path: str | Path, rows: list[dict[str, Any]], columns: Iterable[str] = ()) -> None:
    """Write rows, all with the first one's keys, as comma-separated values under a header; None becomes an empty cell.

    `columns` are the header of a table that may have no rows.
    """
    with atomic_path(path) as temporary, open(temporary, "w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, list(columns) or list(rows[0]), lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)


def expanded(path: str) -> str:
    """A path with `~` and variables filled in, as a shell would; a name that is not set stays as it is."""
    return os.path.expandvars(os.path.expanduser(path))


def read_json(path: str | Path) -> Any:
    """What a JSON file holds; ResultsError where it is missing, cut, or no JSON."""
    try:
        return json.loads(Path(path).read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise ResultsError(
            f"{path}: cannot be read as JSON ({error}); restore it, or delete it and run again"
        ) from error


def sha256(path: str | Path) -> str:
    """A file's SHA-256, in hexadecimal digits."""
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
