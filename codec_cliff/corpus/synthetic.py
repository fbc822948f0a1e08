"""A corpus made on the spot, so that nothing needs a network: espeak-ng reads sentences that the package carries.

It shows that every step works. It says nothing about natural speech: no breath, no room, and very little variation.
"""

import csv
import ctypes
import importlib.util
import math
import re
import shutil
import zlib
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import cache
from multiprocessing import get_context
from pathlib import Path

import numpy as np
import soundfile
from tqdm import tqdm

from codec_cliff.errors import CorpusError
from codec_cliff.files import atomic_path

# The embedded recogniser reads klatt2 too, but its buzz is beyond models that train for minutes: STOI 0.1 to 0.2 below the others.
VOICES = ("en-us+f2", "en-us+f5", "en-us+m5")
LEVEL_DB = -23.0  # RMS relative to full scale; espeak-ng itself peaks at full scale
PEAK = 0.98
# A quiet room: over digital silence the embedded recogniser gets 18 % of m5's words wrong, so 1 %.
NOISE_DB = -60.0
INDEX = "synthetic.tsv"  # written last: a corpus is complete where it exists
INDEX_COLUMNS = ["split", "utterances", "seconds", "voices"]
OWNED = ".synthetic"  # marks a split that may be replaced

# Constants of espeak-ng's speak_lib.h
_AUDIO_OUTPUT_SYNCHRONOUS = 2
_DONT_EXIT = 0x8000
_CHARS_UTF8 = 1
_RATE, _PITCH = 1, 3


@dataclass(frozen=True)
class Reading:
    """A text as one voice reads it: pitch on espeak-ng's scale of 0-99, rate in words a minute."""

    utterance_id: str
    voice: str
    pitch: int
    rate: int
    text: str

    @property
    def speaker_id(self) -> str:
        return self.voice.replace("+", "-")

    @property
    def chapter(self) -> str:
        return f"p{self.pitch}r{self.rate}"

    @property
    def transcript(self) -> str:
        """Upper case, letters and apostrophes alone, as LibriSpeech has it."""
        return " ".join(re.findall(r"[A-Z']+", self.text.upper()))


SETTINGS = ((45, 140), (50, 150), (60, 165))  # (pitch, rate) of a reading


def sentences(split: str) -> list[str]:
    """The texts of `train` or `test`, one an utterance."""
    lines = Path(__file__).with_name(f"sentences_{split}.txt").read_text(encoding="utf-8").splitlines()
    return [line for line in lines if line and not line.startswith("#")]


def readings(split: str) -> list[Reading]:
    """Who reads what: each training text by two or three voices, each test sentence by one."""
    return [
        _reading(voice, number, text, SETTINGS[(number // len(VOICES) + voice_number) % len(SETTINGS)])
        for voice_number, voice in enumerate(VOICES)
        for number, text in enumerate(sentences(split))
        if _is_read(split, voice_number, number)
    ]


def _is_read(split: str, voice_number: int, number: int) -> bool:
    if split == "test":
        return number % len(VOICES) == voice_number
    return (number + voice_number) % 5 < 4


def _reading(voice: str, number: int, text: str, setting: tuple[int, int]) -> Reading:
    pitch, rate = setting
    speaker = voice.replace("+", "-")
    return Reading(f"{speaker}-p{pitch}r{rate}-{number:04d}", voice, pitch, rate, text)


def make_synthetic(root: str | Path, sample_rate: int = 16000) -> Path:
    """Write the splits `train` and `test` under `root` in LibriSpeech's layout, 16-bit FLAC at `sample_rate` (Hz).

    The same bytes on every call. Returns the index file. Raises CorpusError where espeak-ng is not installed, or where
    a folder of a split's name is there that was not made here.
    """
    _require_espeak()
    folders = [Path(root) / split for split in ("train", "test")]
    for folder in folders:
        _refuse_foreign(folder)
    # A fresh process for each split: espeak-ng carries state from one utterance to the next, seeded or not.
    with ProcessPoolExecutor(1, mp_context=get_context("spawn"), max_tasks_per_child=1) as pool:
        rows = list(pool.map(_write_split, folders, [sample_rate] * 2))
    index = Path(root) / INDEX
    with atomic_path(index) as temporary, open(temporary, "w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, INDEX_COLUMNS, delimiter="\t", lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
    return index


def _write_split(folder: Path, sample_rate: int) -> dict[str, object]:
    _claim(folder)
    split_readings = readings(folder.name)
    n_samples = 0
    for reading in tqdm(split_readings, desc=f"synthesise {folder.name}", disable=None):
        audio = speak(reading, sample_rate)
        n_samples += len(audio)
        _write_reading(folder, reading, audio, sample_rate)
    seconds = n_samples / sample_rate
    voices = len({reading.voice for reading in split_readings})
    print(f"{folder}: {len(split_readings)} utterances, {seconds:.0f} s, {voices} voices", flush=True)
    values = (folder.name, len(split_readings), f"{seconds:.2f}", voices)
    return dict(zip(INDEX_COLUMNS, values, strict=True))


def _refuse_foreign(folder: Path) -> None:
    if folder.exists() and not (folder / OWNED).exists() and any(folder.iterdir()):
        raise CorpusError(
            f"{folder}: holds files that make-synthetic did not write; choose another corpus.root or move them"
        )


def _claim(folder: Path) -> None:
    """An empty folder that is ours; files of an earlier set of sentences must not stay behind."""
    _refuse_foreign(folder)
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    (folder / OWNED).touch()


def _write_reading(folder: Path, reading: Reading, audio: np.ndarray, sample_rate: int) -> None:
    chapter = folder / reading.speaker_id / reading.chapter
    chapter.mkdir(parents=True, exist_ok=True)
    soundfile.write(chapter / f"{reading.utterance_id}.flac", audio, sample_rate, subtype="PCM_16")
    with open(chapter / f"{reading.speaker_id}-{reading.chapter}.trans.txt", "a", encoding="utf-8") as file:
        file.write(f"{reading.utterance_id} {reading.transcript}\n")


def speak(reading: Reading, sample_rate: int) -> np.ndarray:
    """A reading as int16 at `sample_rate` (Hz), shape (n_samples,): LEVEL_DB over NOISE_DB, softer if it would clip."""
    from scipy.signal import resample_poly  # here: the other commands of the corpus start half a second sooner

    native, native_rate = _synthesise(reading)
    divisor = math.gcd(sample_rate, native_rate)
    audio = resample_poly(native.astype(np.float64), sample_rate // divisor, native_rate // divisor)
    level = np.sqrt(np.mean(audio**2))
    gain = min(10 ** (LEVEL_DB / 20) / level, PEAK / np.abs(audio).max())
    noise = np.random.default_rng(zlib.crc32(reading.utterance_id.encode())).standard_normal(len(audio))
    return np.rint((audio * gain + noise * 10 ** (NOISE_DB / 20)) * 32767).astype(np.int16)


def _synthesise(reading: Reading) -> tuple[np.ndarray, int]:
    library, sample_rate = _espeak()
    library.espeak_ng_SetRandSeed(ctypes.c_long(1))  # seeded with the time of day otherwise; its generator sticks at 0
    if library.espeak_SetVoiceByName(reading.voice.encode()) != 0:
        raise CorpusError(
            f"espeak-ng has no voice {reading.voice}; reinstall it: uv sync --group synthetic --reinstall"
        )
    library.espeak_SetParameter(_RATE, reading.rate, 0)
    library.espeak_SetParameter(_PITCH, reading.pitch, 0)
    text = reading.text.encode()
    _CHUNKS.clear()
    library.espeak_Synth(text, ctypes.c_size_t(len(text) + 1), 0, 0, 0, _CHARS_UTF8, None, None)
    return np.concatenate(_CHUNKS), sample_rate


_CHUNKS: list[np.ndarray] = []


@ctypes.CFUNCTYPE(ctypes.c_int, ctypes.POINTER(ctypes.c_short), ctypes.c_int, ctypes.c_void_p)
def _collect(samples: "ctypes._Pointer[ctypes.c_short]", n_samples: int, events: int | None) -> int:
    if samples and n_samples > 0:
        _CHUNKS.append(np.ctypeslib.as_array(samples, (n_samples,)).copy())
    return 0


def _require_espeak() -> None:
    if importlib.util.find_spec("espeakng_loader") is None:
        raise CorpusError(
            "the synthetic corpus needs espeak-ng, which is not installed; run: uv sync --group synthetic"
        )


@cache  # espeak-ng keeps its state in globals: one initialisation a process
def _espeak() -> tuple[ctypes.CDLL, int]:
    _require_espeak()
    import espeakng_loader  # GPL-3, in a dependency group of its own: the rest of the package lives without it

    library = ctypes.CDLL(str(espeakng_loader.get_library_path()))
    data = str(espeakng_loader.get_data_path()).encode()
    sample_rate = library.espeak_Initialize(_AUDIO_OUTPUT_SYNCHRONOUS, 0, data, _DONT_EXIT)
    if sample_rate <= 0:
        raise CorpusError("espeak-ng cannot read its data; reinstall it: uv sync --group synthetic --reinstall")
    library.espeak_SetSynthCallback(_collect)
    return library, sample_rate
