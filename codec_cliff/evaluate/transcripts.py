"""What was said: LibriSpeech's files, a text file a recording, a table, or nothing."""

import csv
from collections.abc import Iterator
from pathlib import Path

from codec_cliff.corpus.audio_files import SUFFIXES, files_below
from codec_cliff.corpus.folder import TRANSCRIPT_SUFFIX
from codec_cliff.corpus.matching import Names
from codec_cliff.corpus.transcripts import text_lines
from codec_cliff.errors import CorpusError

IDS = ("utterance_id", "id", "file", "path", "audio", "name")
TEXTS = ("transcript", "text", "sentence")
NONE = "none"


def read_transcripts(source: str | None, originals: Path, names: Names) -> dict[str, str]:
    """Transcripts by recording id; none where `source` is "none" or, without a source, where the originals' folder has none.

    A source is a table (`id<TAB>text`, with or without a header) or a folder. Raises CorpusError where it gives nothing.
    """
    if source == NONE:
        return {}
    place = Path(source) if source else originals
    if not place.exists():
        raise CorpusError(f"{place}: no such file or folder; name the transcripts, or --transcripts none")
    lines = _table(place) if place.is_file() else _folder(place)
    found = {}
    for name, text in lines:
        owner = names.owner(Path(name).with_suffix("") if name.lower().endswith(SUFFIXES) else Path(name))
        if owner and text.strip():
            found[owner[0]] = " ".join(text.split())
    if source and not found:
        raise CorpusError(
            f"{place}: transcribes none of the recordings of {originals} ({', '.join(names.ids[:3])} ...); its lines "
            "must begin with their names"
        )
    return found


def _folder(folder: Path) -> Iterator[tuple[str, str]]:
    for path in files_below(folder, (".txt",)):
        if path.name.endswith(TRANSCRIPT_SUFFIX):
            yield from _lines(_text(path))
        else:
            yield str(path.relative_to(folder).with_suffix("")), _text(path)
    for path in sorted(folder.glob("*.tsv")):
        yield from _table(path)


def _table(path: Path) -> Iterator[tuple[str, str]]:
    """Rows of a table, its columns by header where it has one that names them, else the first two."""
    text = _text(path)
    mark = next((mark for mark in "\t|," if mark in text.partition("\n")[0]), None)
    if mark is None or path.name.endswith(TRANSCRIPT_SUFFIX):
        yield from _lines(text)
        return
    quoting = csv.QUOTE_MINIMAL if mark == "," else csv.QUOTE_NONE
    rows = [row for row in csv.reader(text_lines(text), delimiter=mark, quoting=quoting) if len(row) > 1]
    header = [cell.strip().lower() for cell in rows[0]] if rows else []
    columns = [next((header.index(name) for name in known if name in header), None) for known in (IDS, TEXTS)]
    named = None not in columns
    for row in rows[named:]:
        yield (row[columns[0]], row[columns[1]]) if named else (row[0], row[1])


def _lines(text: str) -> Iterator[tuple[str, str]]:
    """LibriSpeech's lines: the id, a space, the words."""
    for line in text_lines(text):
        name, _, words = line.strip().partition(" ")
        yield name, words


def _text(path: Path) -> str:
    return path.read_text(encoding="utf-8-sig", errors="replace")
