"""TextGrids in the Montreal Forced Aligner's shape: tiers `words` and `phones`, silence as an empty label."""

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from praatio import textgrid as praat
from praatio.utilities.errors import PraatioException
from praatio.utilities.textgrid_io import parseTextgridStr

from codec_cliff.alignment import AlignmentError
from codec_cliff.files import atomic_path

SILENCE = ""
UNKNOWN = "spn"  # MFA's phone for a word that its dictionary lacks: speech, but nobody knows how many phonemes
# As aligners write them, in whatever case.
SILENCES = frozenset(
    {"", "sil", "sp", "pau", "silence", "<eps>", "<sil>", "<sp>", "<p:>", "{sp}", "{sl}", "sil_s", "#", "h#"}
)
UNKNOWNS = frozenset({"spn", "<unk>", "<spn>", "<nib>"})
ROUNDING = 1e-3  # seconds: intervals that cross by less were rounded, not misplaced


@dataclass(frozen=True)
class Interval:
    """`label` from `start` to `end` (seconds); SILENCE and UNKNOWN are the two labels that are no phone."""

    label: str
    start: float
    end: float


def read_intervals(path: str | Path, tier: str = "phones") -> list[Interval]:
    """A tier's intervals in order, silence and unknown speech under the labels SILENCE and UNKNOWN.

    Raises AlignmentError where the file is no TextGrid, has no such tier or several, or its intervals cross by more than ROUNDING.
    """
    try:
        text = _text(path)
        tiers = parseTextgridStr(text, True)["tiers"]
        number = [each["name"] for each in tiers].index(tier_name([each["name"] for each in tiers], tier))
        _check_size(text, number, len(tiers[number]["entries"]))
        return list(_in_order(tiers[number]["entries"]))
    except (OSError, ValueError, LookupError, AttributeError, PraatioException) as error:
        reason = " ".join(str(error).strip("'\"").split()) or type(error).__name__
        raise AlignmentError(f"{path}: {reason}; delete the file and align again") from error


def _text(path: str | Path) -> str:
    content = Path(path).read_bytes()
    if not content.strip(b"\0"):
        raise ValueError("is empty")
    utf16 = content.startswith((b"\xff\xfe", b"\xfe\xff"))
    text = content.decode("utf-16" if utf16 else "utf-8-sig").replace("\r\n", "\n").replace("\r", "\n")
    if "TextGrid" not in text:
        raise ValueError("is no TextGrid")
    return text


def _check_size(text: str, tier: int, n_entries: int) -> None:
    """The long format says how many intervals each tier has."""
    sizes = re.findall(r"(?:intervals|points): size = (\d+)", text)
    if tier < len(sizes) and int(sizes[tier]) != n_entries:
        raise ValueError(f"is cut short: it promises {sizes[tier]} intervals and holds {n_entries}")


def _in_order(entries: Iterable[Sequence]) -> Iterator[Interval]:
    reached = 0.0
    for number, (first, last, text) in enumerate(entries, start=1):
        start, end = float(first), float(last)
        if not start >= reached - ROUNDING or not end >= start - ROUNDING:  # not a number is neither
            raise ValueError(
                f"interval {number} ({text or 'silence'}, {start} to {end} s) crosses the one before, or itself"
            )
        start = max(start, reached)
        reached = max(start, end)
        yield Interval(_label(text.strip()), start, reached)


def _label(text: str) -> str:
    if text.lower() in SILENCES:
        return SILENCE
    return UNKNOWN if text.lower() in UNKNOWNS else text


def tier_name(names: Sequence[str], tier: str) -> str:
    """`phones`, or the one `<speaker> - phones` that MFA writes where it takes a file for several speakers'."""
    plain = {name: name.strip().lower() for name in names}
    named = [name for name in names if plain[name] == tier or plain[name].endswith(f" - {tier}")]
    if len(named) != 1:
        raise LookupError(
            f"{len(named)} of its tiers are called {tier}, expected one (tiers: {', '.join(names) or 'none'})"
        )
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
