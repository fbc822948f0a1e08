"""The folders that a user names: the originals, and what each system made of them."""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from codec_cliff.corpus.audio_files import SUFFIXES, audio_files
from codec_cliff.corpus.matching import Match, Names, listed
from codec_cliff.errors import CorpusError
from codec_cliff.evaluate.problems import Problem
from codec_cliff.study.config import ORIGINAL

OWN = ("listening", "metrics", "codebook", "data", "parts")  # what an evaluation writes below its output
EMPTIED = ("listening", "codebook")  # of these, what every run begins anew


@dataclass(frozen=True)
class Originals:
    """The recordings by id, and by which names files are found to be theirs."""

    folder: Path
    files: dict[str, Path]
    names: Names


@dataclass(frozen=True)
class System:
    """A folder of reconstructions under the name that tables give it."""

    name: str
    folder: Path
    match: Match


def check_output(output: Path, originals: Path, named: Sequence[str]) -> None:
    """CorpusError where an evaluation would read, or remove, what it writes; `named` are the systems as the user names them."""
    written = [output.resolve(), *((output / name).resolve() for name in OWN)]
    emptied = [(output / name).resolve() for name in EMPTIED]
    for folder in (originals, *_names_and_folders(named)[1]):
        read = folder.resolve()
        if any(path.is_relative_to(read) for path in written) or any(read.is_relative_to(path) for path in emptied):
            raise CorpusError(
                f"--output {output} would change what is read from {folder}: the next run would take its clips for recordings, "
                f"or find recordings removed; name an output outside {folder}"
            )


def read_originals(folder: Path) -> Originals:
    """Raises CorpusError where the folder is missing, holds no audio, or two files that names cannot tell apart."""
    paths = _audio(folder)
    names = Names(folder, paths)
    files: dict[str, Path] = {}
    for name, path in zip(names.ids, paths, strict=True):
        if name in files:
            raise CorpusError(f"{files[name]} and {path}: both would be the recording {name}; rename or remove one")
        files[name] = path
    return Originals(folder, files, names)


def read_systems(named: Sequence[str], originals: Originals) -> list[System]:
    """Systems in their order from `folder` or `name=folder`; CorpusError where one matches nothing or a name is taken."""
    systems = []
    for name, folder in zip(*_names_and_folders(named), strict=True):
        match = originals.names.match(folder, _audio(folder))
        if not match.files and match.several:
            utterance_id, found = next(iter(match.several.items()))
            raise CorpusError(
                f"{folder}: several files stand for each recording that it has, as for {utterance_id}: "
                f"{listed(map(str, found))}; remove all but one of each"
            )
        if not match.files:
            there, here = listed(originals.files), listed(path.name for path in match.unknown)
            raise CorpusError(
                f"{folder}: no file has the name of a recording of {originals.folder} (there {there}; here {here}); "
                "files belong together by their names without suffix, whatever their folders"
            )
        systems.append(System(name, folder, match))
    return systems


def _names_and_folders(named: Sequence[str]) -> tuple[list[str], list[Path]]:
    pairs = [text.partition("=") if "=" in text and not Path(text).exists() else ("", "", text) for text in named]
    folders = [Path(folder) for *_, folder in pairs]
    depth = 1
    while True:
        ends = ["-".join(folder.resolve().parts[-depth:]).strip("/-") for folder in folders]
        names = [_plain(given or end) for (given, *_), end in zip(pairs, ends, strict=True)]
        if len(set(names)) == len(names) or depth > max(len(folder.resolve().parts) for folder in folders):
            break
        depth += 1
    taken = {name for name in names if names.count(name) > 1 or name == ORIGINAL}
    if taken:
        raise CorpusError(
            f"{', '.join(sorted(taken))}: this name is taken; give each system its own, as in mine={folders[0]}"
        )
    return names, folders


def _plain(name: str) -> str:
    """A name that may be a folder's."""
    return re.sub(r"[^\w.+-]+", "-", name).strip(".-") or "system"


def _audio(folder: Path) -> list[Path]:
    if not folder.is_dir():
        raise CorpusError(f"{folder}: no such folder")
    paths = audio_files(folder)
    if not paths:
        raise CorpusError(f"{folder}: holds no audio ({', '.join(SUFFIXES)})")
    return paths


def name_problems(originals: Originals, systems: Iterable[System]) -> list[Problem]:
    """Files without a recording, recordings without a file, and recordings with several."""
    problems = []
    for system in systems:

        def say(utterance_id: str, file: object, kind: str, text: str, name: str = system.name) -> None:
            problems.append(Problem(name, utterance_id, str(file), kind, text, measured=False))

        match = system.match
        for utterance_id, found in match.several.items():
            say(
                utterance_id,
                found[0],
                "several files",
                f"stands for one recording with {listed(map(str, found[1:]))}; remove all but one",
            )
        for utterance_id, found in match.passed_over.items():
            counting = listed(map(str, match.several.get(utterance_id) or [match.files[utterance_id]]))
            for path in found:
                say(utterance_id, path, "further file", f"is left out, as {counting} has the recording's very name")
        for path in match.unknown:
            say("", path, "no recording", "has no original of this name, or several have it")
        for utterance_id in originals.files.keys() - match.files.keys() - match.several.keys():
            say(utterance_id, "", "missing", "the system has no file of this recording")
    return sorted(problems, key=lambda problem: (problem.system, problem.kind, problem.utterance_id, problem.file))
