"""Every file decoded once before anything is measured: what it is, and whether it can be what its name says."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from tqdm import tqdm

from codec_cliff.corpus.audio_files import read_audio
from codec_cliff.corpus.decoded import alike_in_length, said_length
from codec_cliff.corpus.store import LOUDEST
from codec_cliff.errors import CorpusError
from codec_cliff.evaluate.likeness import likeness, outline
from codec_cliff.evaluate.workers import as_they_come
from codec_cliff.study.config import ORIGINAL

SILENCE = 10 ** (-70 / 20)  # a peak below this is silence
# Measured on 40 recordings of 24 speakers: other recordings reach 0.17 on average and 0.48 at most; the same one 0.92 through
# Opus at 6 kbit/s, 0.73 in noise of its own level and 0.40 in noise 10 dB above.
UNLIKE, ALIKE, CLEARLY = 0.3, 0.6, 0.2
CHUNK = 16  # recordings a task
COMPARISONS = 200_000  # of a system's files with other recordings: minutes; a collapsed codec's thousands take hours


@dataclass(frozen=True)
class Decoded:
    """A file as it decodes; `fault` says why it cannot be measured, `remark` what is odd about it all the same."""

    path: Path
    n_samples: int = 0
    sample_rate: int = 0
    fault: str = ""
    remark: str = ""

    @property
    def seconds(self) -> float:
        return self.n_samples / self.sample_rate


@dataclass(frozen=True)
class Inspected:
    """A recording and its reconstructions by system; `outlines` of the recording and of those that are little like it."""

    utterance_id: str
    decoded: dict[str, Decoded]
    likenesses: dict[str, float]
    outlines: dict[str, np.ndarray]


Task = list[tuple[str, dict[str, Path]]]


def inspect(files: Mapping[str, Mapping[str, Path]], n_workers: int) -> dict[str, Inspected]:
    """Every recording's files by system, the original's under ORIGINAL; in the order of `files`."""
    listed = [(utterance_id, dict(paths)) for utterance_id, paths in files.items()]
    tasks = [listed[start : start + CHUNK] for start in range(0, len(listed), CHUNK)]
    weigh = lambda task: sum(len(paths) for _, paths in task)  # noqa: E731
    found = {}
    for _, inspected in as_they_come(_inspect_task, tasks, n_workers, "reading", weigh):
        found |= {each.utterance_id: each for each in inspected}
    return {utterance_id: found[utterance_id] for utterance_id in files}


def _inspect_task(task: Task) -> list[Inspected]:
    return [_inspect(utterance_id, paths) for utterance_id, paths in task]


def _inspect(utterance_id: str, paths: Mapping[str, Path]) -> Inspected:
    decoded, outlines, likenesses = {}, {}, {}
    for system, path in paths.items():
        decoded[system], audio = _decode(path)
        if decoded[system].fault or decoded[system].remark:
            continue
        shape = outline(audio, decoded[system].sample_rate)
        if system == ORIGINAL:
            outlines[system] = shape
        elif ORIGINAL in outlines:
            likenesses[system] = likeness(outlines[ORIGINAL], shape)
            outlines |= {system: shape} if likenesses[system] < ALIKE else {}
    return Inspected(utterance_id, decoded, likenesses, outlines)


def _decode(path: Path) -> tuple[Decoded, np.ndarray]:
    try:
        audio, rate = read_audio(path)
    except CorpusError as error:
        return Decoded(path, fault=str(error).removeprefix(f"{path}: ")), np.empty(0, np.float32)
    if not np.isfinite(audio).all():
        return Decoded(path, len(audio), rate, fault="holds NaN or infinity"), audio
    peak = np.abs(audio).max()
    if peak > LOUDEST:
        fault = (
            f"peaks at {peak:.4g} times full scale; floats belong between -1 and 1: divide integers by their full scale"
        )
        return Decoded(path, len(audio), rate, fault), audio
    return Decoded(path, len(audio), rate, remark="is silent" if peak < SILENCE else ""), audio


def other_recordings(inspected: Mapping[str, Inspected], system: str) -> tuple[dict[str, str], list[str]]:
    """By id, the recordings that a system's files clearly are where those are not the ones of their names; and the ids of the
    files that were not compared with the others, the most like their originals, where COMPARISONS do not reach.
    """
    unlike = [name for name, each in inspected.items() if each.likenesses.get(system, 1.0) < ALIKE]
    unlike.sort(key=lambda name: inspected[name].likenesses[system])
    found, compared = {}, 0
    for place, name in enumerate(tqdm(unlike, f"{system}: unlike files", leave=False, unit="file", disable=None)):
        if compared >= COMPARISONS:
            return found, unlike[place:]
        others = list(_of_like_length(inspected.values(), inspected[name].decoded[system].seconds))
        if other := _another_recording(inspected[name], others, system):
            found[name] = other
        compared += len(others)
    return found, []


def _another_recording(mine: Inspected, others: Iterable[Inspected], system: str) -> str | None:
    """The id of the recording that a file clearly is, where that is not the one of its name."""
    best, best_likeness = None, max(ALIKE, mine.likenesses[system] + CLEARLY)
    for other in others:
        if (found := likeness(other.outlines[ORIGINAL], mine.outlines[system])) > best_likeness:
            best, best_likeness = other.utterance_id, found
    return best


def _of_like_length(inspected: Iterable[Inspected], seconds: float) -> Iterator[Inspected]:
    for each in inspected:
        if ORIGINAL in each.outlines and alike_in_length(seconds, each.decoded[ORIGINAL].seconds):
            yield each


def length_fault(original: Decoded, decoded: Decoded) -> str:
    """Why two lengths cannot be of one recording, or nothing."""
    return "" if alike_in_length(decoded.seconds, original.seconds) else said_length(decoded.seconds, original.seconds)
