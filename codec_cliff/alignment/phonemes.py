"""Phonemes per frame (section 4.3, Figure 1): how much speech a token has to hold.

The paper gives 12.2 phonemes a second and 2.6 distinct phonemes a frame at 6.25 Hz, "over six" at 1.6 Hz, and no
definition. Rate over rate gives 12.2 / 6.25 = 1.95 and 12.2 / 1.6 = 7.6, so its figures are of another kind. Three
definitions, each a sum over a sum of this table's columns, without silence and (`_with_silence`) with every stretch of
silence counted as one more phone:

1. rate: `phones / seconds / frame_rate`. Over `speech_seconds` instead of `seconds`: the rate while somebody speaks.
2. overlapping: `overlapping / n_frames`, phones whose interval shares time with a frame. Touching at an edge is no
   overlap. A phone that lies across an edge counts in both frames, so this exceeds the rate: by about one phone a frame
   where there is little silence.
3. distinct: `distinct / n_frames`, the different labels among those, stress digits removed.

Frame k covers [k / frame_rate, (k + 1) / frame_rate); the last one counts though it be partial. `spn`, MFA's unknown
speech, is neither a phone nor silence: it counts nowhere but in its own column `unknown`.
"""

import argparse
import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from tqdm import tqdm

from codec_cliff.alignment import AlignmentError
from codec_cliff.alignment.index import read_index
from codec_cliff.alignment.textgrid import SILENCE, UNKNOWN, Interval, read_intervals
from codec_cliff.corpus.manifest import Utterance, read_manifest
from codec_cliff.errors import exit_cleanly
from codec_cliff.files import write_csv

EDGE = 1e-6  # of a frame: times are decimal numbers in a text file, and an edge shared on paper must not overlap
LAST_BIN = 15  # frames with as many phones or more share a column


@dataclass(frozen=True)
class FrameCounts:
    """What the frames of one utterance hold, phones in int64 arrays (n_frames,)."""

    overlapping: np.ndarray
    distinct: np.ndarray


def n_frames(seconds: float, frame_rate: float) -> int:
    """Frames that cover `seconds`, the last one perhaps in part."""
    return max(1, math.ceil(seconds * frame_rate - EDGE))


def count(intervals: Iterable[Interval], seconds: float, frame_rate: float) -> FrameCounts:
    """Overlapping intervals, and distinct labels among them, in each frame."""
    frames = n_frames(seconds, frame_rate)
    overlapping = np.zeros(frames, dtype=np.int64)
    present: dict[str, np.ndarray] = {}
    for interval in intervals:
        first = max(0, math.floor(interval.start * frame_rate + EDGE))
        last = min(frames, math.ceil(interval.end * frame_rate - EDGE))
        overlapping[first:last] += 1
        present.setdefault(phoneme(interval.label), np.zeros(frames, dtype=bool))[first:last] = True
    return FrameCounts(overlapping, sum(present.values(), np.zeros(frames, dtype=np.int64)))


def phoneme(label: str) -> str:
    """`AH0` -> `AH`: stress is not another phoneme."""
    return label.rstrip("012")


def rows(utterance: Utterance, intervals: Sequence[Interval], frame_rates: Iterable[float]) -> list[dict[str, object]]:
    """An utterance's raw sums, one row a frame rate."""
    known = [interval for interval in intervals if interval.label != UNKNOWN]
    phones = [interval for interval in known if interval.label != SILENCE]
    shared = {
        "seconds": utterance.seconds,
        "speech_seconds": round(sum(phone.end - phone.start for phone in phones), 6),
    }
    totals = {
        "phones": len(phones),
        "phones_with_silence": len(known),
        "unknown": len(intervals) - len(known),
    }
    table = []
    for frame_rate in frame_rates:
        speech, everything = (count(kind, utterance.seconds, frame_rate) for kind in (phones, known))
        bins = np.bincount(np.minimum(speech.overlapping, LAST_BIN), minlength=LAST_BIN + 1)
        table.append(
            {
                "utterance_id": utterance.utterance_id,
                "speaker_id": utterance.speaker_id,
                "frame_rate": f"{frame_rate:g}",
            }
            | shared
            | {"n_frames": len(speech.overlapping)}
            | totals
            | {"overlapping": speech.overlapping.sum(), "overlapping_with_silence": everything.overlapping.sum()}
            | {"distinct": speech.distinct.sum(), "distinct_with_silence": everything.distinct.sum()}
            | {f"frames_with_{number}": frames for number, frames in enumerate(bins)}
        )
    return table


def measure(index: str | Path, manifest: str | Path, frame_rates: Sequence[float]) -> list[dict[str, object]]:
    """Every aligned utterance's rows; AlignmentError where the index is not of this manifest."""
    utterances = {utterance.utterance_id: utterance for utterance in read_manifest(manifest)}
    entries = read_index(index)
    if [entry.utterance_id for entry in entries] != list(utterances):
        raise AlignmentError(f"{index}: not the utterances of {manifest} in their order; delete it to have it rebuilt")
    table = []
    for entry in tqdm(entries, "phonemes", disable=None):
        if entry.path:
            table += rows(utterances[entry.utterance_id], read_intervals(entry.path), frame_rates)
    return table


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(
        prog="python -m codec_cliff.alignment.phonemes", description=__doc__.splitlines()[0]
    )
    parser.add_argument("--index", required=True, help="index of the TextGrids")
    parser.add_argument("--manifest", required=True, help="the split's manifest")
    parser.add_argument("--frame-rates", required=True, nargs="+", type=float, help="Hz")
    parser.add_argument("--output", required=True, help="CSV, one row an utterance and frame rate")
    options = parser.parse_args(arguments)
    write_csv(options.output, measure(options.index, options.manifest, options.frame_rates))


if __name__ == "__main__":
    exit_cleanly(main)
