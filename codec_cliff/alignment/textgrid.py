"""TextGrids in the Montreal Forced Aligner's shape: tiers `words` and `phones`, silence as an empty label."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from praatio import textgrid as praat
from praatio.utilities.errors import PraatioException

from codec_cliff.alignment import AlignmentError
from codec_cliff.files import atomic_path

SILENCE = ""
SILENCE_LABELS = frozenset({"", "sil", "sp", "<eps>", "<sil>", "SIL"})
UNKNOWN = "spn"  # MFA's phone for a word that its dictionary lacks: speech, but nobody knows how many phonemes


@dataclass(frozen=True)
class Interval:
    """`label` from `start` to `end` (seconds); SILENCE and UNKNOWN are the two labels that are no phone."""

    label: str
    start: float
    end: float


def read_intervals(path: str | Path, tier: str = "phones") -> list[Interval]:
    """A tier's intervals in order, all silence under the label SILENCE; AlignmentError where there is no such tier."""
    try:
        grid = praat.openTextgrid(str(path), includeEmptyIntervals=True)
        entries = grid.getTier(tier_name(grid.tierNames, tier)).entries
    except (OSError, ValueError, KeyError, PraatioException) as error:
        raise AlignmentError(
            f"{path}: has no tier {tier} to read ({error}); delete the file and align again"
        ) from error
    return [Interval(SILENCE if label in SILENCE_LABELS else label, start, end) for start, end, label in entries]


def tier_name(names: Sequence[str], tier: str) -> str:
    """`phones`, or the one `<speaker> - phones` that MFA writes where it takes a file for several speakers'."""
    named = [name for name in names if name == tier or name.endswith(f" - {tier}")]
    if len(named) != 1:
        raise KeyError(f"tiers {', '.join(names)}")
    return named[0]


def write_textgrid(path: str | Path, words: Iterable[Interval], phones: Iterable[Interval], seconds: float) -> None:
    """Write the two tiers in Praat's long format, gaps filled with silence up to `seconds`."""
    grid = praat.Textgrid(0, seconds)
    for name, intervals in (("words", words), ("phones", phones)):
        entries = [(interval.start, interval.end, interval.label) for interval in filled(intervals, seconds)]
        grid.addTier(praat.IntervalTier(name, entries, 0, seconds))
    with atomic_path(path) as temporary:
        grid.save(str(temporary), format="long_textgrid", includeBlankSpaces=True)


def filled(intervals: Iterable[Interval], seconds: float) -> list[Interval]:
    """The intervals, cut at `seconds`, with silence wherever there is none; silences side by side become one."""
    tier: list[Interval] = []
    for interval in [*intervals, Interval(SILENCE, seconds, seconds)]:
        start, end = min(interval.start, seconds), min(interval.end, seconds)
        reached = tier[-1].end if tier else 0.0
        if interval.label == SILENCE:
            start = reached
        elif start > reached:
            _append(tier, Interval(SILENCE, reached, start))
        _append(tier, Interval(interval.label, start, end))
    return tier


def _append(tier: list[Interval], interval: Interval) -> None:
    if interval.end <= interval.start:
        return
    if tier and tier[-1].label == interval.label == SILENCE:
        interval = Interval(SILENCE, tier.pop().start, interval.end)
    tier.append(interval)
