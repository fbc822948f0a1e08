"""Recordings in LibriSpeech's layout, `<root>/<split>/<speaker>/<chapter>/*.flac` with `*.trans.txt`, as utterances."""

import csv
import os
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import chain, zip_longest
from pathlib import Path

import soundfile

from codec_cliff.corpus.manifest import Utterance
from codec_cliff.errors import CorpusError
from codec_cliff.files import atomic_path

AUDIO_SUFFIXES = (".flac", ".wav")
TRANSCRIPT_SUFFIX = ".trans.txt"  # lines of `<utterance-id> TRANSCRIPT`


@dataclass
class BadFiles:
    """What becomes of unusable files: raised at once or, with `skip`, left out and remembered as (path, reason)."""

    skip: bool
    skipped: list[tuple[str, str]] = field(default_factory=list)

    def report(self, path: str | Path, reason: str) -> None:
        if not self.skip:
            raise CorpusError(f"{path}: {reason}; mend or remove it, or set corpus.bad_files to skip to leave it out")
        self.skipped.append((str(path), reason))

    def write(self, path: str | Path) -> None:
        """Write what was left out as a tab-separated table, `path` and `reason`; its header alone for nothing."""
        with atomic_path(path) as temporary, open(temporary, "w", newline="", encoding="utf-8") as file:
            writer = csv.writer(file, delimiter="\t", lineterminator="\n")
            writer.writerows([("path", "reason"), *self.skipped])


def read_folder(
    root: str | Path, splits: list[str], sample_rate: int, bad_files: BadFiles, max_utterances: int | None = None
) -> list[Utterance]:
    """The utterances of `splits`, split by split and each in the order of the ids, from headers and transcripts alone.

    Raises CorpusError where a folder is missing or holds no audio. A single file that cannot be used (no header, no
    samples, another rate than `sample_rate` in Hz, not mono, an id that occurred before, no transcript or an empty one)
    and a transcript without audio go to `bad_files`. Whether a file decodes turns out when the audio store is written.
    """
    utterances: dict[str, Utterance] = {}
    for split in splits:
        for utterance in _read_split(Path(root), split, sample_rate, bad_files):
            if utterance.utterance_id in utterances:
                first = utterances[utterance.utterance_id].path
                bad_files.report(utterance.path, f"its id {utterance.utterance_id} is taken by {first}")
            else:
                utterances[utterance.utterance_id] = utterance
    if not utterances:
        raise CorpusError(
            f"{root}: none of the files of {', '.join(splits)} can be used; left out: {bad_files.skipped[:3]} ..."
        )
    return spread(list(utterances.values()), max_utterances)


def spread(utterances: list[Utterance], n_utterances: int | None) -> list[Utterance]:
    """At most `n_utterances` of them, in their order: each speaker's first, then each speaker's second, and so on."""
    speakers: dict[str, list[Utterance]] = defaultdict(list)
    for utterance in utterances:
        speakers[utterance.speaker_id].append(utterance)
    rounds = chain.from_iterable(zip_longest(*(speakers[speaker] for speaker in sorted(speakers))))
    chosen = {utterance.utterance_id for utterance in [each for each in rounds if each is not None][:n_utterances]}
    return [utterance for utterance in utterances if utterance.utterance_id in chosen]


def _read_split(root: Path, split: str, sample_rate: int, bad_files: BadFiles) -> Iterator[Utterance]:
    folder = root / split
    if not folder.is_dir():
        missing = folder if root.is_dir() else root
        raise CorpusError(f"{missing}: no such folder; corpus.root must hold one folder for each split ({split})")
    files = sorted(_files(folder))
    audio = [path for path in files if path.suffix.lower() in AUDIO_SUFFIXES]
    if not audio:
        raise CorpusError(
            f"{folder}: holds no {' or '.join(AUDIO_SUFFIXES)} file; expected {folder}/<speaker>/<chapter>/*.flac"
        )
    transcripts = _transcripts(files, bad_files)
    for path in sorted(audio, key=lambda path: (path.stem, path)):
        utterance = _utterance(path, folder, transcripts.get(path.stem), sample_rate)
        if isinstance(utterance, str):
            bad_files.report(path, utterance)
        else:
            yield utterance
    for utterance_id in sorted(set(transcripts) - {path.stem for path in audio}):
        bad_files.report(transcripts[utterance_id][0], f"transcribes {utterance_id}, of which there is no audio file")


def _files(folder: Path) -> Iterator[Path]:
    """Every file below, through links as clusters have them, without the hidden ones that file systems leave."""
    for parent, _, names in os.walk(folder, followlinks=True):
        yield from (Path(parent, name) for name in names if not name.startswith("."))


def _transcripts(files: list[Path], bad_files: BadFiles) -> dict[str, tuple[Path, str]]:
    """Utterance id -> the transcript file and the text."""
    transcripts: dict[str, tuple[Path, str]] = {}
    for path in files:
        if not path.name.endswith(TRANSCRIPT_SUFFIX):
            continue
        for line in _lines(path, bad_files):
            utterance_id, *words = line.split()
            if utterance_id in transcripts:
                bad_files.report(path, f"transcribes {utterance_id}, as {transcripts[utterance_id][0]} does")
            else:
                transcripts[utterance_id] = (path, " ".join(words))
    return transcripts


def _lines(path: Path, bad_files: BadFiles) -> list[str]:
    try:
        text = path.read_text(encoding="utf-8-sig")
    except (UnicodeDecodeError, OSError) as error:
        bad_files.report(path, f"cannot be read as UTF-8 text ({error})")
        return []
    return [line for line in text.splitlines() if line.strip()]


def _utterance(path: Path, folder: Path, transcript: tuple[Path, str] | None, sample_rate: int) -> Utterance | str:
    """The utterance of an audio file, or what is wrong with it."""
    try:
        header = soundfile.info(path)
    except (soundfile.SoundFileError, OSError) as error:
        return f"cannot be read ({error})"
    speaker_id = _speaker_id(path, folder)
    if speaker_id is None:
        return f"lies directly in {folder} and its name does not begin with a speaker's id and a hyphen"
    fault = _header_fault(header.samplerate, header.channels, header.frames, sample_rate) or _transcript_fault(
        transcript
    )
    return fault or Utterance(path.stem, speaker_id, str(path), header.frames, sample_rate, transcript[1])


def _speaker_id(path: Path, folder: Path) -> str | None:
    parts = path.relative_to(folder).parts
    if len(parts) > 1:
        return parts[0]
    speaker_id, hyphen, _ = path.stem.partition("-")
    return speaker_id if speaker_id and hyphen else None


def _header_fault(rate: int, channels: int, frames: int, sample_rate: int) -> str | None:
    if rate != sample_rate:
        return f"has {rate} Hz, the study's sample_rate is {sample_rate} Hz"
    if channels != 1:
        return f"has {channels} channels, expected one"
    return "holds no samples" if frames == 0 else None


def _transcript_fault(transcript: tuple[Path, str] | None) -> str | None:
    if transcript is None:
        return f"has no line in any *{TRANSCRIPT_SUFFIX} of its split"
    return None if transcript[1] else f"has an empty transcript in {transcript[0]}"
