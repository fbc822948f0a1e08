"""What somebody's codec has made of a split: files in a folder, as the study's own reconstructions."""

import hashlib
import math
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from codec_cliff.corpus.audio_files import audio_files, read_audio
from codec_cliff.corpus.manifest import Utterance
from codec_cliff.corpus.matching import Names, listed
from codec_cliff.errors import CodecError, CorpusError

LENGTH_SECONDS = 0.7  # by which lengths may differ: a token at the lowest rate of the field, 1.6 Hz


def alike_in_length(seconds: float, original_seconds: float) -> bool:
    """Whether two lengths can be of one recording."""
    return abs(seconds - original_seconds) <= min(LENGTH_SECONDS, original_seconds / 2)


def said_length(seconds: float, original_seconds: float) -> str:
    return f"is {seconds:.2f} s long, the original {original_seconds:.2f} s"


class DecodedFiles:
    """A folder's files by utterance, matched by name; CodecError where one is missing, for a study's rows share their recordings."""

    def __init__(self, folder: Path, utterances: Sequence[Utterance]):
        names = Names(Path(), [Path(f"{utterance.utterance_id}.id") for utterance in utterances])
        self.files = names.match(folder, audio_files(folder)).files
        missing = [utterance.utterance_id for utterance in utterances if utterance.utterance_id not in self.files]
        if missing:
            raise CodecError(
                f"{folder}: has no file, or several, of {len(missing)} of {len(utterances)} recordings ({listed(missing)}); "
                "add them, or use codec-cliff evaluate, which compares what is there"
            )

    def audio(self, utterance: Utterance) -> tuple[np.ndarray, int]:
        """Samples, float32 (n,) of the original's duration, and their rate; CodecError where the file cannot be of this recording."""
        path = self.files[utterance.utterance_id]
        try:
            audio, sample_rate = read_audio(path)
        except CorpusError as error:
            raise CodecError(str(error)) from error
        if not alike_in_length(len(audio) / sample_rate, utterance.seconds):
            raise CodecError(f"{path}: {said_length(len(audio) / sample_rate, utterance.seconds)}; replace it")
        n_samples = math.ceil(utterance.n_samples * sample_rate / utterance.sample_rate)
        return np.pad(audio[:n_samples], (0, max(0, n_samples - len(audio)))), sample_rate


def state(folder: str | Path) -> str:
    """A hash of a folder's audio files: names, sizes and dates."""
    found = [(str(path), path.stat().st_size, path.stat().st_mtime_ns) for path in audio_files(folder)]
    return hashlib.sha256(repr(found).encode()).hexdigest()[:16]
