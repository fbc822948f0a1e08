"""Audio files as people have them: WAV, FLAC, Ogg (Vorbis, Opus) and MP3 at any rate, one channel or several that are equal."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import soundfile

from codec_cliff.corpus.walk import below
from codec_cliff.errors import CorpusError

SUFFIXES = (".wav", ".flac", ".ogg", ".oga", ".opus", ".mp3")
EQUAL = 1e-3  # of the loudest channel's level (-60 dB): what a lossy format leaves between two equal channels


def read_audio(path: str | Path) -> tuple[np.ndarray, int]:
    """Samples, float32 (n,), and sample rate (Hz); CorpusError where the file cannot be decoded or is no mono speech."""
    try:
        audio, sample_rate = soundfile.read(path, dtype="float32", always_2d=True)
    except (soundfile.SoundFileError, OSError) as error:
        raise CorpusError(f"{path}: cannot be decoded ({error})") from error
    if not len(audio):
        raise CorpusError(f"{path}: holds no samples")
    return _one_channel(audio, path), sample_rate


def _one_channel(audio: np.ndarray, path: str | Path) -> np.ndarray:
    """The mean of equal channels (n, channels)."""
    if audio.shape[1] == 1:
        return audio[:, 0]
    mean = audio.mean(axis=1)
    if np.abs(audio - mean[:, None]).max() > EQUAL * np.abs(audio).max():
        raise CorpusError(f"{path}: has {audio.shape[1]} channels that differ; make it mono")
    return mean


def audio_files(folder: str | Path) -> list[Path]:
    """Every audio file below a folder."""
    return list(files_below(folder, SUFFIXES))


def files_below(folder: str | Path, suffixes: tuple[str, ...]) -> Iterator[Path]:
    """Files of these endings, sorted, each real folder once; hidden ones, which file systems leave behind, are passed over."""
    found = below(Path(folder)) if Path(folder).is_dir() else ()
    yield from sorted(path for path in found if path.name.lower().endswith(suffixes))
