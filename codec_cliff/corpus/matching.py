"""Which decoded file belongs to which recording: by path, by name, or by the recording's id within the name."""

import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path, PurePath

from codec_cliff.corpus.transcripts import composed

LIBRISPEECH_ID = re.compile(r"(\d+)-\d+-\d+")
UNKNOWN_SPEAKER = "unknown"


@dataclass(frozen=True)
class Match:
    """`files` by recording id; `unknown` files match no recording, `several` stand for one that has another file too.

    `passed_over` are files that hold an id in their names, of recordings that have a file of their very name.
    """

    files: dict[str, Path]
    unknown: list[Path]
    several: dict[str, list[Path]]
    passed_over: dict[str, list[Path]]


class Names:
    """The recordings of a folder by every name that tells them apart: an id is the shortest such end of its path."""

    def __init__(self, folder: Path, paths: Iterable[Path]):
        self.relative = [_composed(path.relative_to(folder).with_suffix("")) for path in paths]
        self._owners: dict[str, list[int]] = defaultdict(list)
        for number, relative in enumerate(self.relative):
            for name in tails(relative):
                self._owners[name].append(number)
        self.ids = [self._id(relative) for relative in self.relative]

    def _id(self, relative: PurePath) -> str:
        names = [name for name in tails(relative) if len(self._owners[name]) == 1]
        return min(names, key=len, default=relative.as_posix()).replace("/", "-")

    def owner(self, relative: PurePath) -> tuple[str, int] | None:
        """The id of the recording that a file without suffix is of, and how surely: 0 by its name, 1 by an id within it."""
        relative = _composed(relative)
        for name in tails(relative):
            if len(self._owners.get(name, ())) == 1:
                return self.ids[self._owners[name][0]], 0
        for name in parts_of_name(relative.name):
            if len(self._owners.get(name, ())) == 1:
                return self.ids[self._owners[name][0]], 1
        return None

    def match(self, folder: Path, paths: Iterable[Path]) -> Match:
        """The files of another folder; where two are of one recording, the one of its very name counts, or none."""
        claims: dict[str, dict[int, list[Path]]] = defaultdict(lambda: defaultdict(list))
        unknown = []
        for path in paths:
            owner = self.owner(path.relative_to(folder).with_suffix(""))
            if owner is None:
                unknown.append(path)
            else:
                claims[owner[0]][owner[1]].append(path)
        best = {name: by_surety[min(by_surety)] for name, by_surety in claims.items()}
        files = {name: found[0] for name, found in best.items() if len(found) == 1}
        several = {name: found for name, found in best.items() if len(found) > 1}
        passed_over = {name: by_surety[max(by_surety)] for name, by_surety in claims.items() if len(by_surety) > 1}
        return Match(files, unknown, several, passed_over)

    def speakers(self) -> dict[str, str]:
        """Each recording's speaker: the first folder that tells recordings apart, or LibriSpeech's ids; else unknown."""
        shared = shared_folders(self.relative)
        return {name: _speaker(relative, shared) for name, relative in zip(self.ids, self.relative, strict=True)}


def _composed(path: PurePath) -> PurePath:
    return PurePath(composed(str(path)))


def tails(relative: PurePath) -> Iterator[str]:
    """`a/b/c`, `b/c`, `c`: the ends of a path, the longest first."""
    for start in range(len(relative.parts)):
        yield "/".join(relative.parts[start:])


def parts_of_name(name: str) -> Iterator[str]:
    """The beginnings and ends of a name at marks between letters or digits, the longest first: `x-1_opus` gives `x-1`."""
    cuts = [match.span() for match in re.finditer(r"[^A-Za-z0-9]+", name)]
    parts = [name[:start] for start, _ in cuts] + [name[end:] for _, end in cuts]
    yield from sorted(filter(None, parts), key=len, reverse=True)


def shared_folders(paths: Iterable[PurePath]) -> int:
    """How many leading folders all paths have in common."""
    folders = [path.parts[:-1] for path in paths]
    depth = 0
    while folders and all(len(parts) > depth for parts in folders) and len({parts[depth] for parts in folders}) == 1:
        depth += 1
    return depth


def _speaker(relative: PurePath, shared: int) -> str:
    folders = relative.parts[shared:-1]
    if folders:
        return folders[0]
    librispeech = LIBRISPEECH_ID.fullmatch(relative.name)
    return librispeech[1] if librispeech else UNKNOWN_SPEAKER


def listed(names: Iterable[str] | Mapping[str, object], shown: int = 3) -> str:
    """`a, b, c and 5 more`."""
    names = list(names)
    more = f" and {len(names) - shown} more" if len(names) > shown else ""
    return ", ".join(names[:shown]) + more
