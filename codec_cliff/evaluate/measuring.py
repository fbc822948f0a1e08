"""One metric of some recordings and all their reconstructions: what one worker does at a time."""

import traceback
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import lru_cache
from typing import Any

import numpy as np

from codec_cliff.corpus.audio_files import read_audio
from codec_cliff.corpus.manifest import Utterance
from codec_cliff.errors import UserError
from codec_cliff.evaluate.backends import WORDS, WORDS_OF_ORIGINAL, module_of
from codec_cliff.metrics.construct import construct
from codec_cliff.metrics.rows import metric_rows
from codec_cliff.metrics.scorer import Item, Scorer, Value, referenced
from codec_cliff.metrics.waveform import fit, resample
from codec_cliff.study.config import ORIGINAL

Row = dict[str, Value]


@dataclass(frozen=True)
class Backend:
    """How a metric is measured; the same in every task of a run."""

    metric: str
    name: str
    normaliser: str
    cache: str
    device: str
    transcripts: tuple[str, ...] = ()  # of all recordings, for a recogniser that asks what may be said


@dataclass(frozen=True)
class Task:
    """Some recordings by id with their files by system; the original is among them, and measured where `original` says so."""

    backend: Backend
    recordings: Mapping[str, Mapping[str, Utterance]]
    original: bool

    @property
    def n_files(self) -> int:
        return sum(len(files) - (not self.original) for files in self.recordings.values())


@dataclass
class Measured:
    """Rows by system, and why some files have none, by (system, recording)."""

    rows: dict[str, list[Row]] = field(default_factory=dict)
    failures: dict[tuple[str, str], str] = field(default_factory=dict)

    def add(self, system: str, row: Row) -> None:
        self.rows.setdefault(system, []).append(row)


@lru_cache(maxsize=1)
def scorer_of(backend: Backend) -> Scorer:
    """The backend, constructed once a worker and metric; only the recordings' transcripts are known to it."""
    utterances = [Utterance(str(n), "", "", 1, 1, text) for n, text in enumerate(backend.transcripts)]
    metric = module_of(backend.metric)
    more = {"normaliser": backend.normaliser} if metric == WORDS else {}
    return construct(metric, backend.name)(utterances, backend.cache, backend.device, **more)


def measure(task: Task) -> Measured:
    """Every row of a task; a file that cannot be measured is named and stops no other. UserError where the backend cannot be had."""
    scorer, measured = scorer_of(task.backend), Measured()
    try:
        _measure(task, scorer, measured)
    except Exception:
        measured = Measured()
        for single in _one_by_one(task):
            _measure_single(single, scorer, measured)
    return measured


def _measure(task: Task, scorer: Scorer, measured: Measured) -> None:
    of_original = task.backend.metric == WORDS_OF_ORIGINAL
    heard = _heard_of_originals(task, scorer) if of_original else {}
    names: list[str] = []
    for row in metric_rows(scorer, _items(task, scorer, heard, names)):
        measured.add(names.pop(0), row)


def _heard_of_originals(task: Task, scorer: Scorer) -> dict[str, str]:
    """What the recogniser hears in each original, which stands for the transcript."""
    alone = replace(task, recordings={name: {ORIGINAL: files[ORIGINAL]} for name, files in task.recordings.items()})
    rows = metric_rows(scorer, _items(replace(alone, original=True), scorer, {}, []))
    return {str(row["utterance_id"]): str(row["hypothesis"] or "") for row in rows}


def _items(task: Task, scorer: Scorer, heard: Mapping[str, str], names: list[str]) -> Iterator[Item]:
    """Every file of a task with its original, whose features are computed once; its system is appended to `names`."""
    for name, files in task.recordings.items():
        original = files[ORIGINAL]
        utterance = replace(original, transcript=heard.get(name, original.transcript))
        rate = scorer.sample_rate or original.sample_rate
        audio = _audio(original, rate)
        reference = referenced(scorer, utterance, audio)
        for system, file in files.items():
            if system != ORIGINAL or task.original:
                names.append(system)
                yield utterance, reference, audio if system == ORIGINAL else fit(_audio(file, rate), len(audio))


def _audio(file: Utterance, rate: int) -> np.ndarray:
    return resample(read_audio(file.path)[0], file.sample_rate, rate)


def _one_by_one(task: Task) -> Iterator[tuple[str, str, Task]]:
    for name, files in task.recordings.items():
        for system in files:
            if system != ORIGINAL or task.original:
                pair = {ORIGINAL: files[ORIGINAL], system: files[system]}
                yield name, system, replace(task, recordings={name: pair}, original=system == ORIGINAL)


def _measure_single(single: tuple[str, str, Task], scorer: Scorer, measured: Measured) -> None:
    name, system, task = single
    try:
        _measure(task, scorer, measured)
    except Exception as error:
        said = str(error) if isinstance(error, UserError) else _last_line(error)
        measured.failures[system, name] = said.removeprefix(f"{name}: ")


def _last_line(error: Exception) -> str:
    return traceback.format_exception_only(error)[-1].strip()


def chunks(names: Sequence[str], n_workers: int) -> list[Sequence[str]]:
    """Recordings in tasks: enough of them that all workers end together, few enough that an interrupt costs little."""
    size = min(max(2, -(-len(names) // (4 * n_workers))), 32)
    return [names[start : start + size] for start in range(0, len(names), size)]


def empty_row(utterance: Utterance, like: Row) -> Row:
    """The row of a file that could not be measured: who, with what, and empty cells."""
    kept: dict[str, Any] = {"utterance_id": utterance.utterance_id, "speaker_id": utterance.speaker_id}
    return {name: kept.get(name, like[name] if name in ("backend", "revision") else None) for name in like}
