"""The audio store: a split as one int16 array, and crops of it as a pure function of (seed, clip number).

No file is decoded and no worker process runs in the training loop. The array is memory-mapped on a CPU;
train-clean-100 is 11.6 GB as int16 and fits in a data-centre GPU's memory.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

import numpy as np
import soundfile
from tqdm import tqdm

from codec_cliff.corpus.account import BadFiles
from codec_cliff.corpus.manifest import Utterance, read_manifest
from codec_cliff.errors import CorpusError
from codec_cliff.files import atomic_path

INT16_SCALE = 32768.0  # full scale of 16-bit PCM: float = int16 / 32768, as libsndfile has it
LOUDEST = 2.0  # of full scale: a float recording may pass it by a few decibels, what goes beyond was scaled or written wrongly


@dataclass(frozen=True)
class AudioStore:
    """`utterances` in order, and their samples one after the other in `samples` (int16, 1-D)."""

    utterances: list[Utterance]
    samples: np.ndarray
    offsets: np.ndarray  # (len(utterances) + 1,): utterance i is samples[offsets[i]:offsets[i + 1]]

    def audio(self, index: int) -> np.ndarray:
        """Utterance `index` as float32 in [-1, 1), shape (n_samples,)."""
        return self.samples[self.offsets[index] : self.offsets[index + 1]].astype(np.float32) / INT16_SCALE

    @property
    def seconds(self) -> float:
        return sum(utterance.seconds for utterance in self.utterances)


def open_store(manifest: str | Path, store: str | Path) -> AudioStore:
    """Memory-map a store; raises CorpusError where it does not hold what its manifest says."""
    utterances, samples = read_manifest(manifest), _mapped(store)
    offsets = np.concatenate([[0], np.cumsum([utterance.n_samples for utterance in utterances])])
    if samples.dtype != np.int16 or samples.shape != (offsets[-1],):
        raise CorpusError(
            f"{store}: holds {samples.shape} {samples.dtype}, its manifest {manifest} asks for {offsets[-1]} int16 "
            "samples; delete the store to have it rebuilt"
        )
    return AudioStore(utterances, samples, offsets)


def _mapped(store: str | Path) -> np.ndarray:
    try:
        return np.load(store, mmap_mode="r")
    except (OSError, ValueError, EOFError) as error:
        raise CorpusError(
            f"{store}: is no audio store ({error}); delete it and its manifest to have them rebuilt"
        ) from error


def write_store(manifest: str | Path, store: str | Path) -> None:
    """Decode every file of a manifest into `store`; raises CorpusError on the first that does not decode."""
    decode_into_store(store, read_manifest(manifest), BadFiles(skip=False))


def decode_into_store(store: str | Path, utterances: Iterable[Utterance], bad_files: BadFiles) -> list[Utterance]:
    """Decode every file once into `store` (.npy, int16), one utterance in memory at a time.

    Returns the utterances that the store holds: its manifest. A file that does not decode to what its header said goes
    to `bad_files`; CorpusError where none is left.
    """
    kept: list[Utterance] = []
    with atomic_path(store) as temporary, open(temporary, "wb") as file:
        _write_header(file, n_samples=0)
        for utterance in tqdm(utterances, desc=f"decode into {store}", disable=None):
            audio, fault = _decode(utterance)
            if fault is not None:
                bad_files.report(utterance.path, fault)
                continue
            file.write(audio.tobytes())
            kept.append(utterance)
        file.seek(0)
        _write_header(file, sum(utterance.n_samples for utterance in kept))
        if not kept:
            raise CorpusError(f"{store}: no file of the split decodes; left out: {bad_files.skipped[:3]} ...")
    return kept


def _write_header(file: BinaryIO, n_samples: int) -> None:
    """The header of a 1-D .npy file; numpy pads it so that a longer first axis still fits into its place."""
    description = np.lib.format.dtype_to_descr(np.dtype(np.int16))
    header = {"descr": description, "fortran_order": False, "shape": (n_samples,)}
    np.lib.format.write_array_header_1_0(file, header)


def read_int16(utterance: Utterance) -> np.ndarray:
    """An utterance's file as int16, shape (n_samples,); CorpusError where it is not what the manifest says."""
    audio, fault = _decode(utterance)
    if fault is not None:
        raise CorpusError(f"{utterance.path}: {fault}; replace the file, or delete the manifest to have it rebuilt")
    return audio


def _decode(utterance: Utterance) -> tuple[np.ndarray, str | None]:
    """The samples, and what is wrong with them or None."""
    try:
        with soundfile.SoundFile(utterance.path) as file:
            sample_rate, audio = file.samplerate, _read(file)
    except (soundfile.SoundFileError, OSError) as error:
        return np.empty(0, np.int16), f"cannot be decoded ({error})"
    if audio.shape != (utterance.n_samples,) or sample_rate != utterance.sample_rate:
        return np.empty(0, np.int16), (
            f"decodes to {audio.shape} samples at {sample_rate} Hz, "
            f"expected ({utterance.n_samples},) at {utterance.sample_rate} Hz"
        )
    fault = _sample_fault(audio)
    return (np.empty(0, np.int16) if fault else _int16(audio)), fault


def _read(file: soundfile.SoundFile) -> np.ndarray:
    """int16 or float64, (n_samples,): libsndfile would hand out a float file's samples as integers unscaled, all zeros."""
    return file.read(dtype="int16" if file.subtype.startswith("PCM") else "float64")


def _sample_fault(audio: np.ndarray) -> str | None:
    if audio.dtype == np.int16:
        return None
    if broken := np.count_nonzero(~np.isfinite(audio)):
        return f"holds {broken} samples of {len(audio)} that are not finite numbers"
    if (peak := np.abs(audio).max(initial=0)) > LOUDEST:
        return f"peaks at {peak:.4g} times full scale; samples as floating point belong between -1 and 1"
    return None


def _int16(audio: np.ndarray) -> np.ndarray:
    return audio if audio.dtype == np.int16 else np.clip(np.rint(audio * INT16_SCALE), -32768, 32767).astype(np.int16)


@dataclass(frozen=True)
class Crop:
    """Where a training clip lies: samples [start, start + length) of utterance `index`, zero-padded on the right."""

    index: int
    start: int
    length: int


def crop(store: AudioStore, seed: int, clip_number: int, clip_samples: int, attempt: int = 0) -> Crop:
    """The `clip_number`-th training clip: a pure function of its arguments; a later attempt lies elsewhere in its utterance.

    Every utterance is drawn once an epoch, in an order that depends on the seed and the epoch alone, and the position
    within it is a fraction that depends on the seed and the clip number alone. So every frame rate and protocol hears
    the same utterances in the same order, and a resumed run hears what the uninterrupted one would have.
    """
    epoch, position = divmod(clip_number, len(store.utterances))
    index = int(_epoch_order(seed, epoch, len(store.utterances))[position])
    fraction = np.random.default_rng([seed, 1, clip_number]).random(attempt + 1)[attempt]
    n_samples = store.utterances[index].n_samples
    start = int(fraction * (max(n_samples - clip_samples, 0) + 1))
    return Crop(index, start, min(clip_samples, n_samples))


_ORDERS: dict[tuple[int, int, int], np.ndarray] = {}


def _epoch_order(seed: int, epoch: int, n_utterances: int) -> np.ndarray:
    key = (seed, epoch, n_utterances)
    if key not in _ORDERS:
        _ORDERS.clear()  # a run walks through the epochs in order: one permutation is enough
        _ORDERS[key] = np.random.default_rng([seed, 0, epoch]).permutation(n_utterances)
    return _ORDERS[key]


def cut(store: AudioStore, crops: list[Crop], clip_samples: int) -> np.ndarray:
    """Crops as float32 (B, clip_samples) in [-1, 1), zero-padded on the right."""
    audio = np.zeros((len(crops), clip_samples), dtype=np.float32)
    for row, clip in zip(audio, crops, strict=True):
        start = store.offsets[clip.index] + clip.start
        row[: clip.length] = store.samples[start : start + clip.length]
    return audio / np.float32(INT16_SCALE)
