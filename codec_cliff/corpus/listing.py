"""A folder of recordings as it was when it was read, so that a mended file or a new speaker is noticed at the next start."""

import csv
from collections.abc import Sequence
from pathlib import Path

from codec_cliff.corpus.walk import is_folder, splits
from codec_cliff.errors import CorpusError
from codec_cliff.files import atomic_path

COLUMNS = ["path", "bytes", "modified_ns"]
SHOWN = 3


def listing_path(manifest: str | Path) -> Path:
    """Beside the manifest; no declared output of a job, so that results made before there were listings stay as they are."""
    return Path(manifest).with_suffix(".listing.tsv")


def folder_listing(root: str | Path, names: Sequence[str]) -> dict[str, tuple[str, str]]:
    """Path below the root -> size and date of every file of some splits."""
    root = Path(root)
    stamps = ((path, _stamp(path)) for _, below in splits(root, names) for path in below if _is_utf8(path))
    return {str(path.relative_to(root)): stamp for path, stamp in stamps if stamp is not None}


def _stamp(path: Path) -> tuple[str, str] | None:
    """None for a link that leads nowhere. One look a file: a corpus has tens of thousands, and every start asks."""
    try:
        found = path.stat()
    except OSError:
        return None
    return str(found.st_size), str(found.st_mtime_ns)


def _is_utf8(path: Path) -> bool:
    return str(path).isprintable() or str(path) == str(path).encode("utf-8", "replace").decode()


def write_listing(manifest: str | Path, listing: dict[str, tuple[str, str]]) -> None:
    with atomic_path(listing_path(manifest)) as temporary, open(temporary, "w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, delimiter="\t", lineterminator="\n")
        writer.writerow(COLUMNS)
        writer.writerows((path, *stamp) for path, stamp in listing.items())


def read_listing(manifest: str | Path) -> dict[str, tuple[str, str]] | None:
    """None where there is none, or none that can be read: then nothing is known."""
    try:
        with open(listing_path(manifest), newline="", encoding="utf-8") as file:
            header, *rows = csv.reader(file, delimiter="\t")
            return {path: (size, modified) for path, size, modified in rows} if header == COLUMNS else None
    except (OSError, ValueError, csv.Error):
        return None


def changes(manifest: str | Path, root: str | Path, names: Sequence[str]) -> str:
    """What a folder holds otherwise than when it was read, in a sentence with the remedy; empty where nothing is known or changed."""
    before = read_listing(manifest)
    if before is None or not all(is_folder(Path(root) / name) for name in names):
        return ""
    try:
        now = folder_listing(root, names)
    except CorpusError as error:
        return str(error)
    new, gone = sorted(set(now) - set(before)), sorted(set(before) - set(now))
    other = sorted(path for path in set(now) & set(before) if now[path] != before[path])
    parts = [_part(found, what) for found, what in ((new, "new"), (other, "changed"), (gone, "gone")) if found]
    if not parts:
        return ""
    return (
        f"{manifest}: the recordings in {root} are not what they were when it was written ({'; '.join(parts)}); to read them "
        "anew give the same command with --forcerun prepare"
    )


def _part(paths: list[str], what: str) -> str:
    more = ", ..." if len(paths) > SHOWN else ""
    return f"{len(paths)} {what}: {', '.join(paths[:SHOWN])}{more}"
