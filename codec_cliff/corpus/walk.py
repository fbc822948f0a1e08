"""Every entry of a folder of recordings, each real folder once, however links run."""

import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from codec_cliff.errors import CorpusError

Identity = tuple[int, int]  # device and inode: what a file is, whatever its names


@dataclass
class Walk:
    """Files and links that lead nowhere, in the order of their names; hidden ones, which file systems leave behind, are passed over.

    Real folders come before those that only a link leads to, so that a recording goes under the name of the folder that holds it.
    `seen` are folders that are not to be read: those above a split, and the other splits.
    """

    seen: set[Identity] = field(default_factory=set)

    def files(self, folder: Path) -> Iterator[Path]:
        """Raises CorpusError where a folder cannot be listed: what it holds would be lost."""
        links = [folder]
        for link in links:
            yield from self._real_folders(link, links)

    def _real_folders(self, folder: Path, links: list[Path]) -> Iterator[Path]:
        waiting = [folder]
        while waiting:
            folder = waiting.pop()
            if identity(folder) not in self.seen:
                self.seen.add(identity(folder))
                real = []
                for entry in _shown(folder):
                    if entry.is_dir(follow_symlinks=False):
                        real.append(Path(entry.path))
                    elif is_folder(entry):
                        links.append(Path(entry.path))
                    else:
                        yield Path(entry.path)
                waiting += reversed(real)


def splits(root: Path, names: Iterable[str]) -> Iterator[tuple[Path, list[Path]]]:
    """Each split's folder with the files below it."""
    folders = [root / name for name in names]
    for folder in folders:
        yield folder, list(below(folder, [other for other in folders if other != folder]))


def below(folder: Path, others: Iterable[Path] = ()) -> Iterator[Path]:
    """The files below a folder; links to folders that hold it, and to `others`, are passed over."""
    around = {*folder.resolve().parents, *(other.resolve() for other in others)}
    return Walk({identity(path) for path in around if path.is_dir()} - {identity(folder)}).files(folder)


def identity(path: Path) -> Identity:
    """What a path leads to; the path itself where it leads nowhere."""
    try:
        found = path.stat()
    except OSError:
        found = path.lstat()
    return found.st_dev, found.st_ino


def is_folder(entry: os.DirEntry[str] | Path) -> bool:
    """Also through links; a link to itself is none."""
    try:
        return entry.is_dir()
    except OSError:
        return False


def _shown(folder: Path) -> list[os.DirEntry[str]]:
    try:
        with os.scandir(folder) as entries:
            return sorted((entry for entry in entries if not entry.name.startswith(".")), key=lambda entry: entry.name)
    except OSError as error:
        raise CorpusError(
            f"{folder}: cannot be listed ({error.strerror}), so nobody knows what it holds; give yourself the right to read it, "
            "or move it out of the corpus"
        ) from error
