"""Recordings in LibriSpeech's layout, `<root>/<split>/<speaker>/<chapter>/*.flac` with `*.trans.txt`, as utterances."""

import re
import stat
from collections import defaultdict
from collections.abc import Iterable, Iterator
from itertools import chain, zip_longest
from pathlib import Path

import soundfile

from codec_cliff.corpus.account import BadFiles, printable
from codec_cliff.corpus.manifest import Utterance
from codec_cliff.corpus.transcripts import composed, text_lines
from codec_cliff.corpus.walk import Identity, identity, is_folder, splits
from codec_cliff.errors import CorpusError

AUDIO_SUFFIXES = (".flac", ".wav")
# Recordings too, though they are not read: passing them over would lose them in silence.
OTHER_AUDIO = (
    *(".mp3", ".ogg", ".oga", ".opus", ".m4a", ".mp4", ".aac", ".wma", ".aif", ".aiff", ".aifc", ".au", ".snd", ".caf"),
    *(".sph", ".nist", ".w64", ".rf64", ".webm", ".amr", ".3gp", ".ape", ".wv", ".raw", ".pcm"),
)
TRANSCRIPT_SUFFIX = ".trans.txt"  # lines of `<utterance-id> TRANSCRIPT`
STREAMED = 2**31 - 2**16  # a WAV header with as many bytes or more was written before anybody knew how many


def read_folder(
    root: str | Path, names: list[str], sample_rate: int, bad_files: BadFiles, max_utterances: int | None = None
) -> list[Utterance]:
    """The utterances of the splits `names`, one after the other and each in the order of the ids, from headers and transcripts alone.

    Raises CorpusError where a folder is missing, cannot be listed or holds no audio. A single file that cannot be used (no header, no
    samples, another rate than `sample_rate` in Hz, not mono, cut short, another format, a second name of one that was read, an id that
    occurred before, no transcript or an empty one), a link that leads nowhere and a transcript without audio go to `bad_files`.
    Whether a file decodes turns out when the audio store is written.
    """
    utterances: dict[str, Utterance] = {}
    for name in names:
        _check_there(Path(root), name)
    for folder, files in splits(Path(root), names):
        for utterance in _read_split(folder, files, sample_rate, bad_files):
            if utterance.utterance_id in utterances:
                first = utterances[utterance.utterance_id].path
                bad_files.report(utterance.path, f"its id {utterance.utterance_id} is taken by {first}")
            else:
                utterances[utterance.utterance_id] = utterance
    if not utterances:
        raise CorpusError(
            f"{root}: none of the files of {', '.join(names)} can be used; left out: {bad_files.skipped[:3]} ..."
        )
    chosen = spread(list(utterances.values()), max_utterances)
    bad_files.spare += sorted({each.path for each in utterances.values()} - {each.path for each in chosen})
    return chosen


def spread(utterances: list[Utterance], n_utterances: int | None) -> list[Utterance]:
    """At most `n_utterances` of them, in their order: each speaker's first, then each speaker's second, and so on."""
    speakers: dict[str, list[Utterance]] = defaultdict(list)
    for utterance in utterances:
        speakers[utterance.speaker_id].append(utterance)
    rounds = chain.from_iterable(zip_longest(*(speakers[speaker] for speaker in sorted(speakers))))
    chosen = {utterance.utterance_id for utterance in [each for each in rounds if each is not None][:n_utterances]}
    return [utterance for utterance in utterances if utterance.utterance_id in chosen]


def _check_there(root: Path, split: str) -> None:
    if not is_folder(root / split):
        missing = root / split if is_folder(root) else root
        raise CorpusError(f"{missing}: no such folder; corpus.root must hold one folder for each split ({split})")


def _read_split(folder: Path, files: list[Path], sample_rate: int, bad_files: BadFiles) -> Iterator[Utterance]:
    audio = [path for path in files if path.suffix.lower() in AUDIO_SUFFIXES]
    if not audio:
        raise CorpusError(
            f"{folder}: holds no {' or '.join(AUDIO_SUFFIXES)} file; expected {folder}/<speaker>/<chapter>/*.flac"
        )
    ids = {id_of(path) for path in audio}
    transcripts = _transcripts(files, bad_files)
    _report_strays(files, ids, bad_files)
    bad_files.found += map(str, audio)
    named = _first_names(audio)
    for path in sorted(audio, key=lambda path: (id_of(path), path)):
        first = named[identity(path)]
        if first != path:
            bad_files.report(path, f"is the file {printable(first)} under another name")
            continue
        utterance = _utterance(path, folder, transcripts.get(id_of(path)), sample_rate)
        if isinstance(utterance, str):
            bad_files.report(path, utterance)
        else:
            yield utterance
    for utterance_id in sorted(set(transcripts) - ids):
        bad_files.report(transcripts[utterance_id][0], f"transcribes {utterance_id}, of which there is no audio file")


def id_of(path: Path) -> str:
    """The utterance id that a file's name gives, composed."""
    return composed(path.stem)


def _first_names(audio: Iterable[Path]) -> dict[Identity, Path]:
    """The name under which each file is read: a real one before links, then the first in order."""
    named: dict[Identity, Path] = {}
    for path in sorted(audio, key=lambda path: (path.is_symlink(), id_of(path), path)):
        named.setdefault(identity(path), path)
    return named


def _report_strays(files: list[Path], ids: set[str], bad_files: BadFiles) -> None:
    """Links that lead nowhere, and recordings in formats that are not read, unless they are there as FLAC or WAV too."""
    for path in files:
        suffix = path.suffix.lower()
        if suffix in AUDIO_SUFFIXES or path.name.lower().endswith(TRANSCRIPT_SUFFIX):
            continue  # what is wrong with those is said when they are read
        if not path.exists():
            bad_files.report(path, "is a link that leads nowhere")
        elif suffix in OTHER_AUDIO and id_of(path) not in ids:
            bad_files.found.append(str(path))
            bad_files.report(path, f"is {suffix}, and only {' and '.join(AUDIO_SUFFIXES)} are read; convert it")


def _transcripts(files: list[Path], bad_files: BadFiles) -> dict[str, tuple[Path, str]]:
    """Utterance id -> the transcript file and the text, both composed (NFC)."""
    transcripts: dict[str, tuple[Path, str]] = {}
    paths = [path for path in files if path.name.lower().endswith(TRANSCRIPT_SUFFIX)]
    for path in sorted(_first_names(paths).values()):
        for line in _lines(path, bad_files):
            utterance_id, *words = line.split()
            if utterance_id in transcripts:
                bad_files.report(path, f"transcribes {utterance_id}, as {printable(transcripts[utterance_id][0])} does")
            else:
                transcripts[utterance_id] = (path, " ".join(words))
    return transcripts


def _lines(path: Path, bad_files: BadFiles) -> list[str]:
    """The lines that say something."""
    try:
        if not stat.S_ISREG(path.stat().st_mode):
            raise OSError("it is no regular file")
        text = path.read_text(encoding="utf-8-sig")
        if "\0" in text:
            raise ValueError("it holds zeros")
    except (ValueError, OSError) as error:
        bad_files.report(path, f"cannot be read as UTF-8 text ({error})")
        return []
    return [line for line in text_lines(text) if line.strip()]


def _utterance(path: Path, folder: Path, transcript: tuple[Path, str] | None, sample_rate: int) -> Utterance | str:
    """The utterance of an audio file, or what is wrong with it."""
    try:
        str(path).encode("utf-8")
        if not stat.S_ISREG(path.stat().st_mode):
            return "is no regular file"
        header = soundfile.info(path, verbose=True)
    except UnicodeEncodeError:
        return "has a name that is no UTF-8; rename it, or the folder"
    except (soundfile.SoundFileError, OSError) as error:
        return f"cannot be read ({error})"
    speaker_id = _speaker_id(path, folder)
    if speaker_id is None:
        return f"lies directly in {folder} and its name does not begin with a speaker's id and a hyphen"
    fault = (
        _header_fault(header.samplerate, header.channels, header.frames, sample_rate)
        or _cut_short(header.extra_info)
        or _transcript_fault(transcript)
    )
    return fault or Utterance(id_of(path), speaker_id, str(path), header.frames, sample_rate, transcript[1])


def _cut_short(header: str) -> str | None:
    """libsndfile shortens a WAV that holds less than it promises, and says so in its log alone."""
    promised = re.search(r"^data : (\d+) \(should be (\d+)\)", header, re.MULTILINE)
    if promised is None or not int(promised[2]) < int(promised[1]) < STREAMED:
        return None
    return f"is cut short: its header promises {promised[1]} bytes of samples, it holds {promised[2]}"


def _speaker_id(path: Path, folder: Path) -> str | None:
    parts = path.relative_to(folder).parts
    if len(parts) > 1:
        return composed(parts[0])
    speaker_id, hyphen, _ = id_of(path).partition("-")
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
