"""What a reader should know of each system before its figures, in sentences: files, rates, delay, level."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import pandas as pd

from codec_cliff.corpus.matching import listed
from codec_cliff.evaluate.pairing import Recordings
from codec_cliff.evaluate.problems import Problem
from codec_cliff.study.config import ORIGINAL

AUDIBLE_MS, AUDIBLE_DB = 1.0, 0.5  # from here on a delay or level is worth a sentence
WORDS = {
    "missing": "missing",
    "no recording": "without an original of their name",
    "several files": "left out, as several files stand for one recording",
    "further file": "with a further file that is left out",
    "unusable": "unusable",
    "another recording": "another recording than the name says",
    "length": "of another length",
    "silence": "silent",
    "unlike": "unlike the original",
    "not measured": "without some of the figures",
    "no transcript": "without a transcript, and so without word errors",
}
OF_ALL = ("no figure", "codes", "not looked for")  # problems of a system, not of a file: said in their own words
NOTHING = "No metric could be measured; the reasons are above."


@dataclass(frozen=True)
class Finding:
    """A system, how many of the recordings it is measured on, and what is to be said of it."""

    system: str
    n_files: int
    n_recordings: int
    sentences: list[str]


def findings(
    recordings: Recordings,
    n_recordings: int,
    problems: Sequence[Problem],
    metrics: Sequence[str],
    stoi: Mapping[str, pd.DataFrame],
) -> list[Finding]:
    """One each, the originals among them where something is wrong with them; `metrics` are those that could be had."""
    found, nothing = [], [] if metrics else [NOTHING]
    for system, files in recordings.decoded.items():
        mine = [problem for problem in problems if problem.system == system]
        sentences = [*nothing, *_files(mine), *_of_all(mine), *_rates(system, recordings), *_matched(stoi.get(system))]
        if system != ORIGINAL or mine:
            found.append(Finding(system, len(files), n_recordings, sentences))
    return found


def without_delay(recordings: Recordings, stoi: Mapping[str, pd.DataFrame], named: Iterable[Problem]) -> list[Problem]:
    """A problem for every file whose delay could not be found, but for those that have been named for another reason."""
    known = {(problem.system, problem.file) for problem in named}
    text = "no delay could be found against the original, so it has no figure with the delay removed"
    return [
        Problem(system, name, recordings.decoded[system][name].path, "no delay", text, measured=True)
        for system, rows in stoi.items()
        for name in _unfound(rows)["utterance_id"]
        if (system, recordings.decoded[system][name].path) not in known
    ]


def _unfound(rows: pd.DataFrame) -> pd.DataFrame:
    return rows[rows["stoi"].notna() & rows["lag_ms"].isna()]


def _files(problems: Iterable[Problem]) -> Iterable[str]:
    groups: dict[tuple[str, bool], list[Problem]] = {}
    for problem in problems:
        if problem.kind in WORDS:
            groups.setdefault((problem.kind, problem.measured), []).append(problem)
    for (kind, measured), members in groups.items():
        names = dict.fromkeys(member.utterance_id or member.file for member in members)
        yield f"{len(names)} {WORDS[kind]}{', measured all the same' if measured else ''}: {listed(names)}."


def _of_all(problems: Iterable[Problem]) -> Iterable[str]:
    return (f"{each.problem[0].upper()}{each.problem[1:]}." for each in problems if each.kind in OF_ALL)


def _rates(system: str, recordings: Recordings) -> Iterable[str]:
    theirs = {file.sample_rate for file in recordings.originals.values()}
    mine = Counter(file.sample_rate for file in recordings.decoded[system].values())
    if system != ORIGINAL and mine and set(mine) != theirs:
        yield f"At {kilohertz(mine)} kHz; resampled to the originals' {kilohertz(theirs)} kHz to be compared."


def kilohertz(rates: Iterable[int]) -> str:
    return ", ".join(f"{rate / 1000:g}" for rate in sorted(set(rates)))


def _matched(rows: pd.DataFrame | None) -> Iterable[str]:
    """Delay and level that most files share."""
    if rows is None or "lag_ms" not in rows:
        return
    rows = rows[rows["stoi"].notna()]
    if rows.empty:
        return
    lags = rows["lag_ms"]
    if unfound := len(_unfound(rows)):
        yield f"In {unfound} of {len(rows)} files no delay could be found, so they have no figure with the delay removed."
    median = lags.median()
    if abs(median) >= AUDIBLE_MS:
        near = int(((lags - median).abs() < AUDIBLE_MS).sum())
        which = "late" if median > 0 else "early"
        yield f"{abs(median):.1f} ms {which} in {near} of {len(rows)} files: compare the figures with the delay removed."
    level = rows["level_difference_db"].median()
    if abs(level) >= AUDIBLE_DB:
        yield f"{abs(level):.1f} dB {'louder' if level > 0 else 'quieter'} than the originals (median)."
