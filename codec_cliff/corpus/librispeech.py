"""LibriSpeech from OpenSLR: fetched with resumption, checked by the published MD5, unpacked whole or not at all."""

import hashlib
import shutil
import tarfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from codec_cliff.downloads.records import taking_turns
from codec_cliff.downloads.transfer import fetch
from codec_cliff.errors import CorpusError

MIRRORS = (
    "https://www.openslr.org/resources",
    "https://us.openslr.org/resources",
    "https://openslr.elda.org/resources",
)
# In the split's folder: what it was unpacked from. It tells our folders from others' where a workflow, before a rerun,
# deletes its own flag, the empty `<root>/<split>.complete`.
MARKER = ".complete"
UNPACKED = 1.05  # of an archive's size: FLAC hardly packs


@dataclass(frozen=True)
class Archive:
    """A split's archive: its path below a mirror, and its MD5."""

    path: str
    md5: str


# OpenSLR's resources/12/md5sum.txt and, for Mini LibriSpeech, resources/31/md5sum.txt, as several projects quote them.
ARCHIVES = {
    "train-clean-100": Archive("12/train-clean-100.tar.gz", "2a93770f6d5c6c964bc36631d331a522"),
    "dev-clean": Archive("12/dev-clean.tar.gz", "42e2234ba48799c1f50f24a7926300a1"),
    "test-clean": Archive("12/test-clean.tar.gz", "32fa31d27d2e1cad72775fee3f4849a9"),
    "train-clean-5": Archive("31/train-clean-5.tar.gz", "5df7d4e78065366204ca6845bb08f490"),
    "dev-clean-2": Archive("31/dev-clean-2.tar.gz", "6d7ab67ac6a1d2c993d050e16d61080d"),
}


def download(
    root: str | Path, split: str, mirrors: Sequence[str] = MIRRORS, archives: Mapping[str, Archive] = ARCHIVES
) -> Path:
    """Make `<root>/<split>/<speaker>/<chapter>/*.flac` and return `<root>/<split>`; at once where it is complete.

    The empty file `<root>/<split>.complete` is written last. An interrupted download goes on where it stopped; processes
    with one root take turns. Raises CorpusError where the split is unknown, no mirror can be reached, the checksum differs,
    or the folder is there but was not unpacked by this function.
    """
    folder = Path(root) / split
    if split not in archives:
        raise CorpusError(f"split {split}: not known; known: {', '.join(archives)} (or set corpus.kind to folder)")
    if not (folder / MARKER).exists():
        with taking_turns(folder.with_name(f".{split}.lock")):
            if not (folder / MARKER).exists():  # it is where another process had the turn before
                _obtain(folder, archives[split], mirrors)
    (Path(root) / f"{split}.complete").touch()
    return folder


def _obtain(folder: Path, archive: Archive, mirrors: Sequence[str]) -> None:
    if folder.exists() and any(folder.iterdir()):
        raise CorpusError(
            f"{folder}: was not unpacked by this command; set corpus.kind to folder to use it as it is, or move it"
        )
    partial = folder.with_name(f"{folder.name}.tar.gz.part")
    partial.parent.mkdir(parents=True, exist_ok=True)
    _fetch(partial, [f"{mirror}/{archive.path}" for mirror in mirrors])
    _verify(partial, archive)
    _unpack(partial, folder, archive)
    partial.unlink()


def _fetch(partial: Path, urls: list[str]) -> None:
    if faults := fetch(partial, urls, unpacked=UNPACKED):
        raise CorpusError(
            f"cannot download {'; '.join(faults)}. Where there is no network, set corpus.root to a folder that holds the "
            "split and corpus.kind to folder; else run again: the download goes on where it stopped"
        )


def _verify(partial: Path, archive: Archive) -> None:
    with open(partial, "rb") as file:
        md5 = hashlib.file_digest(file, "md5").hexdigest()
    if md5 != archive.md5:
        partial.unlink()
        raise CorpusError(
            f"{partial}: MD5 is {md5}, published is {archive.md5}; the file was removed, run again to fetch it anew"
        )


def _extract(tar: tarfile.TarFile, member: tarfile.TarInfo, target: Path) -> None:
    """Write a plain file below `target`; tarfile's own safe filter is missing from Python 3.11.0 to 3.11.3."""
    path = target / member.name
    if not path.resolve().is_relative_to(target.resolve()):
        raise tarfile.TarError(f"{member.name} lies outside the archive's folder")
    if member.isdir():
        path.mkdir(parents=True, exist_ok=True)
    elif member.isfile():
        path.parent.mkdir(parents=True, exist_ok=True)
        with tar.extractfile(member) as source, open(path, "wb") as file:
            shutil.copyfileobj(source, file)
    else:
        raise tarfile.TarError(f"{member.name} is neither a file nor a folder")


def _unpack(partial: Path, folder: Path, archive: Archive) -> None:
    """Unpack beside `folder` and rename, so that a folder of the split's name is always whole."""
    scratch = folder.with_name(f".{folder.name}.unpacking")
    shutil.rmtree(scratch, ignore_errors=True)
    try:
        with tarfile.open(partial) as tar:
            for member in tar:
                _extract(tar, member, scratch)
        unpacked = scratch / "LibriSpeech" / folder.name
        (unpacked / MARKER).write_text(f"{archive.path} {archive.md5}\n")
        unpacked.replace(folder)
    except (OSError, tarfile.TarError) as error:
        raise CorpusError(
            f"{folder}: cannot be unpacked ({error}); free space or rights may be lacking, then run again"
        ) from error
    finally:
        shutil.rmtree(scratch, ignore_errors=True)
