"""What was said: LibriSpeech's files, a text file a recording, a table, or nothing."""

import csv
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import chain
from pathlib import Path

from codec_cliff.corpus.audio_files import SUFFIXES, files_below
from codec_cliff.corpus.folder import TRANSCRIPT_SUFFIX
from codec_cliff.corpus.matching import Names
from codec_cliff.corpus.transcripts import text_lines
from codec_cliff.errors import CorpusError

IDS = ("utterance_id", "id", "file", "path", "audio", "name")
TEXTS = ("transcript", "text", "sentence")
NONE = "none"
NORMALISED = ".normalized"  # LibriTTS has `<id>.normalized.txt`, numbers in words, beside `<id>.original.txt`
MARKS = "\t|,"  # between the columns of a table; else a blank stands after the name
EXACTLY, WITHIN = 0, 1  # how surely a name is a recording's: by itself, or with its id within it


@dataclass(frozen=True)
class Claim:
    """What a file says of a recording; the least `rank` counts."""

    rank: tuple[int, bool]
    text: str
    path: Path


def read_transcripts(source: str | None, originals: Path, names: Names) -> dict[str, str]:
    """Transcripts by recording id; none where `source` is "none" or, without a source, where the originals' folder has none.

    A source is a table (`id<TAB>text`, with or without a header) or a folder. Raises CorpusError where it gives nothing, or two
    texts of one recording without saying which counts.
    """
    if source == NONE:
        return {}
    place = Path(source) if source else originals
    if not place.exists():
        raise CorpusError(f"{place}: no such file or folder; name the transcripts, or --transcripts none")
    claims: dict[str, list[Claim]] = defaultdict(list)
    empty = set()
    for path, name, text in _table(place, names) if place.is_file() else _folder(place, names):
        owner = _owner(name, names)
        if owner and not text.strip():
            empty.add(owner[0])
        elif owner:
            rank = (owner[1], not name.endswith(NORMALISED))
            claims[owner[0]].append(Claim(rank, " ".join(text.split()), path))
    found = {utterance_id: _settled(utterance_id, claimed) for utterance_id, claimed in claims.items()}
    if source and empty and not found:
        raise CorpusError(
            f"{place}: names {len(empty)} of the recordings of {originals}, but says nothing of them: its texts are empty; fill "
            "them in, or --transcripts none"
        )
    if source and not found:
        raise CorpusError(
            f"{place}: transcribes none of the recordings of {originals} ({', '.join(names.ids[:3])} ...); its lines "
            "must begin with their names"
        )
    return found


def _owner(name: str, names: Names) -> tuple[str, int] | None:
    """The recording that a name of a file or of a table's row is of, and how surely."""
    return names.owner(Path(name).with_suffix("") if name.lower().endswith(SUFFIXES) else Path(name))


def _settled(utterance_id: str, claimed: Sequence[Claim]) -> str:
    """The text that counts; CorpusError where two count alike and are not the same."""
    rank = min(claim.rank for claim in claimed)
    first, *others = [claim for claim in claimed if claim.rank == rank]
    for other in others:
        if other.text != first.text:
            places = " and ".join(dict.fromkeys((str(first.path), str(other.path))))
            raise CorpusError(
                f"{places}: give two transcripts of {utterance_id}; remove one, or name the right ones by --transcripts"
            )
    return first.text


def _folder(folder: Path, names: Names) -> Iterator[tuple[Path, str, str]]:
    """File, name and text of what a folder holds."""
    for path in files_below(folder, (".txt",)):
        if path.name.endswith(TRANSCRIPT_SUFFIX):
            yield from _lines(path)
        elif _owner(name := str(path.relative_to(folder).with_suffix("")), names):
            yield path, name, _text(path)
    for path in sorted(folder.glob("*.tsv")):
        yield from _table(path, names)


def _table(path: Path, names: Names) -> Iterator[tuple[Path, str, str]]:
    """Rows of a table, its columns by header where it has one that names them, else the first two."""
    lines = text_lines(_text(path))
    mark = None if path.name.endswith(TRANSCRIPT_SUFFIX) else _mark(lines, names)
    if mark is None:
        yield from _lines(path)
        return
    rows = _cells(lines, mark)
    first = next(rows)
    header = _columns(first[1])
    columns = header or (0, 1)
    for number, row in rows if header else chain([first], rows):
        if len(row) > max(columns):
            yield path, row[columns[0]], row[columns[1]]
        elif header:
            raise CorpusError(f"{path}:{number}: ends before the column that its header names; complete the row")


def _cells(lines: Sequence[str], mark: str) -> Iterator[tuple[int, list[str]]]:
    """Line number and cells of the rows that say something."""
    reader = csv.reader(lines, delimiter=mark, quoting=csv.QUOTE_MINIMAL if mark == "," else csv.QUOTE_NONE)
    return ((reader.line_num, row) for row in reader if any(cell.strip() for cell in row))


def _columns(cells: Sequence[str]) -> tuple[int, int] | None:
    """Where a header has names and texts; None where these cells are no header."""
    header = [cell.strip().lower() for cell in cells]
    found = [next((header.index(name) for name in known if name in header), None) for known in (IDS, TEXTS)]
    return None if None in found else (found[0], found[1])


def _mark(lines: Sequence[str], names: Names) -> str | None:
    """What stands between a table's columns; None where that is a blank, and marks are those of the sentences.

    It is the mark at which a header has known columns, or a line the name of a recording before it.
    """
    head = next((line for line in lines if line.strip()), "")
    for mark in MARKS:
        if _columns(next(_cells([head], mark), (1, []))[1]):
            return mark
    for surety in (EXACTLY, WITHIN):
        for mark in (*MARKS, " "):
            if any(_is_name(line, mark, surety, names) for line in lines):
                return None if mark == " " else mark
    return None


def _is_name(line: str, mark: str, surety: int, names: Names) -> bool:
    """Whether a recording's name stands before a mark; a name that only holds its id must be one word, or it is a sentence."""
    name, found, _ = line.partition(mark)
    name = name.strip().strip('"')
    owner = _owner(name, names) if found and (surety == EXACTLY or " " not in name) else None
    return owner is not None and owner[1] == surety


def _lines(path: Path) -> Iterator[tuple[Path, str, str]]:
    """LibriSpeech's lines: the id, a space, the words."""
    for line in text_lines(_text(path)):
        name, _, words = line.strip().partition(" ")
        yield path, name, words


def _text(path: Path) -> str:
    """CorpusError where it is UTF-16, whose letters of ASCII come with zeros between them."""
    text = path.read_text(encoding="utf-8-sig", errors="replace")
    if "\0" in text:
        raise CorpusError(f"{path}: is not encoded in UTF-8, but in UTF-16 as it seems; save it as UTF-8")
    return text
