"""Corpus figures, paired differences and phonemic load, with intervals: where measurements become figures."""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from codec_cliff.alignment.phonemes import LAST_BIN
from codec_cliff.corpus.manifest import read_manifest
from codec_cliff.errors import MetricError
from codec_cliff.files import atomic_path
from codec_cliff.paper.values import paper_phonemes
from codec_cliff.statistics.bootstrap import Estimate, Resampling, bootstrap_ratio, paired_difference, verdict
from codec_cliff.study.arguments import study_arguments
from codec_cliff.study.config import Study


@dataclass(frozen=True)
class Figure:
    """A corpus figure: the mean of a column of `metrics/<codec>/<file>.csv`, or its sum over that of `denominator`.

    `least` and `most` are the ends of the scale: no interval reaches beyond them.
    """

    name: str
    file: str
    numerator: str
    denominator: str | None = None
    scale: float = 1.0
    least: float = 0.0
    most: float = math.inf

    def bounded(self, estimate: Estimate) -> Estimate:
        """An estimate whose interval keeps to the scale; a value that lies beyond it, as a predictor's may, is in it all the same."""
        least, most = min(self.least, estimate.value), max(self.most, estimate.value)
        low, high = (float(np.clip(end, least, most)) for end in (estimate.low, estimate.high))
        return replace(estimate, low=low, high=high)


MCD_CONVENTIONS = (
    "mcd_matched",
    "mcd_pymcd_dtw",
    "mcd_versa",
    "mcd_versa_dtw",
    "mcd_mfcc",
    "mcd_mfcc_dtw",
)
OPINIONS = ("utmos", "distillmos", "dnsmos_p808")
NEITHER_GOOD_NOR_BAD = ("lag_ms", "level_difference_db")

FIGURES = (
    Figure("stoi", "stoi", "stoi", least=-1, most=1),  # correlations
    Figure("stoi_aligned", "stoi", "stoi_aligned", least=-1, most=1),
    Figure("lag_ms", "stoi", "lag_ms", least=-math.inf),
    Figure("wer", "wer", "errors", "reference_words", scale=100),  # percent, insertions counted: it may exceed 100
    Figure("wer_plain", "wer", "errors_plain", "reference_words_plain", scale=100),  # where whisper is the headline
    Figure("wer_whisper", "wer", "errors_whisper", "reference_words_whisper", scale=100),
    Figure("wer_of_original", "wer_of_original", "errors", "reference_words", scale=100),
    Figure("wer_insertions", "wer", "insertions", "reference_words", scale=100),
    Figure("wer_beyond_all", "wer", "beyond_all", scale=100, most=100),  # of the utterances: a recogniser's loops
    Figure("level_difference_db", "stoi", "level_difference_db", least=-math.inf),
    Figure("mcd", "mcd", "mcd"),
    *(Figure(name, "mcd", name) for name in MCD_CONVENTIONS),
    Figure("spk_sim", "spk_sim", "spk_sim", least=-1, most=1),  # a cosine
    *(Figure(name, "naturalness", name, least=1, most=5) for name in OPINIONS),
)
BY_NAME = {figure.name: figure for figure in FIGURES}


TEXT = ("utterance_id", "speaker_id", "backend", "revision", "normaliser")


def read_rows(path: Path) -> pd.DataFrame:
    """A CSV file with one row an utterance; empty numbers are missing, while text stays as it is written: a speaker may be called NA.

    Raises MetricError where the file is none of those.
    """
    try:
        rows = pd.read_csv(path, dtype=str, keep_default_na=False, na_filter=False)
    except (OSError, ValueError) as error:  # pandas' own errors are ValueErrors
        raise MetricError(f"{path}: cannot be read as a table ({error}); delete it to have it made anew") from error
    return rows.assign(**{name: _typed(rows[name]) for name in rows if not _is_text(name)})


def _is_text(column: str) -> bool:
    return column in TEXT or column.startswith("hypothesis")


def _typed(column: pd.Series) -> pd.Series:
    """Numbers or truth values where all cells are; empty cells are missing."""
    if set(column) <= {"True", "False"}:
        return column == "True"
    given = column.mask(column.isin(["", "nan"]))
    try:
        return pd.to_numeric(given)
    except ValueError:
        return given


def read_metric(results: Path, codec: str, file: str, whole: bool = True) -> pd.DataFrame:
    """A metric's rows; MetricError where the file is missing, holds rows of two backends or, asked to be whole, lacks utterances."""
    path = results / "metrics" / codec / f"{file}.csv"
    if not path.exists():
        raise MetricError(f"{path}: not measured; build it, or leave {codec} out with --codecs")
    rows = read_rows(path)
    if (
        not {"utterance_id", "backend", "revision"} <= set(rows)
        or len(rows[["backend", "revision"]].drop_duplicates()) != 1
    ):
        raise MetricError(f"{path}: needs rows of one backend and revision; delete it to have it measured anew")
    if whole:
        _check_utterances(results, path, rows)
    return rows


def _check_utterances(results: Path, path: Path, rows: pd.DataFrame) -> None:
    """MetricError where a table does not hold every utterance of the test set once: those without a score have empty cells."""
    manifest = results / "data" / "test.tsv"
    measured = list(rows["utterance_id"])
    expected = (
        [each.utterance_id for each in read_manifest(manifest)] if manifest.exists() else list(dict.fromkeys(measured))
    )
    if sorted(measured) != sorted(expected):
        odd = sorted(set(measured) ^ set(expected)) or measured
        raise MetricError(
            f"{path}: holds {len(measured)} utterances, {manifest} {len(expected)} ({odd[0]} is in one of them or there twice); "
            "delete it to have it measured anew"
        )


def scored(rows: pd.DataFrame, figure: Figure) -> pd.DataFrame:
    """The utterances that have this figure, indexed by id: `speaker_id, numerator, denominator`, scaled."""
    denominators = rows[figure.denominator] if figure.denominator else pd.Series(1.0, index=rows.index)
    sums = pd.DataFrame({"speaker_id": rows["speaker_id"], "numerator": rows[figure.numerator] * figure.scale})
    sums = sums.assign(denominator=denominators.where(denominators > 0)).set_index(rows["utterance_id"])
    return sums.dropna()


def summary(study: Study, results: Path, codecs: Sequence[str]) -> pd.DataFrame:
    """Every figure of every codec with its interval, one row each; empty cells where nothing could be scored."""
    return pd.DataFrame(
        [
            row
            for codec in codecs
            for row in codec_rows(codec, _read_metrics(study, results, codec), Resampling.of(study))
        ]
    )


def _read_metrics(study: Study, results: Path, codec: str) -> dict[str, pd.DataFrame]:
    return {file: read_metric(results, codec, file) for file in study.metrics}


def codec_rows(codec: str, files: Mapping[str, pd.DataFrame], by: Resampling) -> Iterable[dict[str, Any]]:
    """A codec's rows of summary.csv, one a figure that its metrics, by file, have columns for."""
    for figure in measured_figures(files):
        rows = files[figure.file]
        sums = scored(rows, figure)
        estimate = {}
        if len(sums):
            estimate = asdict(figure.bounded(bootstrap_ratio(sums.numerator, sums.denominator, sums.speaker_id, by)))
        yield {
            "codec": codec,
            "metric": figure.name,
            "backend": rows["backend"].iloc[0],
            "revision": rows["revision"].iloc[0],
            **{name: estimate.get(name) for name in ("value", "low", "high")},
            "n_utterances": len(sums),
            "n_missing": len(rows) - len(sums),
            "n_speakers": sums["speaker_id"].nunique(),
            "unit": estimate.get("unit"),
        }


def measured_figures(files: Mapping[str, pd.DataFrame]) -> list[Figure]:
    """The figures that a codec's metrics, by file, have columns for."""
    return [figure for figure in FIGURES if figure.file in files and figure.numerator in files[figure.file].columns]


def comparisons(study: Study, results: Path, codecs: Sequence[str]) -> pd.DataFrame:
    """Paired differences (b - a) between the codecs of one frame rate, over the utterances that both have scored."""
    rows = [
        {"frame_rate": rate} | row
        for rate, *names in comparison_pairs(study, codecs)
        for row in pair_rows(*names, *(_read_metrics(study, results, name) for name in names), Resampling.of(study))
    ]
    return pd.DataFrame(rows, columns=["frame_rate", *COMPARED])


def comparison_pairs(study: Study, codecs: Sequence[str]) -> list[tuple[float, str, str]]:
    """(rate, a, b) for each two of a rate's fixed-duration, repaired, control and fixed-token models, in that order."""
    pairs = []
    for rate in study.own_rates:
        chain = [study.codec_id(rate.frame_rate, "fixed-duration")]
        chain += [repaired for repaired, source in study.repaired.items() if source == chain[0]]
        chain += [control for control in study.control_runs if study.runs[control].frame_rate == rate.frame_rate]
        chain += [study.codec_id(rate.frame_rate, "fixed-tokens")]
        present = [codec for codec in dict.fromkeys(chain) if codec in codecs]
        pairs += [(rate.frame_rate, a, b) for a, b in combinations(present, 2)]
    return pairs


COMPARED = ["codec_a", "codec_b", "metric", "backend", "difference", "low", "high", "unit", "n_utterances", "verdict"]


def pair_rows(
    a: str, b: str, files_a: Mapping[str, pd.DataFrame], files_b: Mapping[str, pd.DataFrame], by: Resampling
) -> Iterable[dict[str, Any]]:
    """Paired differences (b - a) of two codecs in every figure of quality that both have, over the utterances of both."""
    shared = [figure for figure in measured_figures(files_a) if figure in measured_figures(files_b)]
    for figure in (figure for figure in shared if figure.name not in NEITHER_GOOD_NOR_BAD):
        (rows_a, rows_b), keys = (files_a[figure.file], files_b[figure.file]), ["backend", "revision"]
        if list(rows_a[keys].iloc[0]) != list(rows_b[keys].iloc[0]):
            raise MetricError(f"{figure.file}.csv of {a} and {b} have different backends; measure one anew")
        both = pd.merge(
            scored(rows_a, figure), scored(rows_b, figure), left_index=True, right_index=True, suffixes=("_a", "_b")
        )
        if both.empty:
            continue
        sums = [(both[f"numerator_{x}"].to_numpy(), both[f"denominator_{x}"].to_numpy()) for x in "ab"]
        estimate = paired_difference(*sums, both["speaker_id_a"], by)
        names = {"codec_a": a, "codec_b": b, "metric": figure.name}
        numbers = {"difference": estimate.value, "low": estimate.low, "high": estimate.high, "unit": estimate.unit}
        counts = {"n_utterances": len(both), "verdict": verdict(estimate)}
        yield {**names, "backend": rows_a["backend"].iloc[0], **numbers, **counts}


PHONEME_DEFINITIONS = {  # numerator and denominator columns; the paper does not say which one it counts
    "rate": ("phones", "n_tokens"),  # phoneme rate over frame rate
    "overlapping": ("overlapping", "n_frames"),
    "distinct": ("distinct", "n_frames"),
    "per_second": ("phones", "seconds"),
    "per_speech_second": ("phones", "speech_seconds"),
}

MANY_PHONEMES = 5  # of the distribution over frames, this many and more are one class


def phonemes(counts: pd.DataFrame, resampling: Resampling) -> pd.DataFrame:
    """Phonemes a frame by frame rate, definition and silence (section 4.3); without a frame rate: a second.

    The definitions `share_0` to `share_5` are the distribution: the share of frames that so many phonemes overlap (5: or more).
    """
    counts = counts.assign(n_tokens=counts["seconds"] * counts["frame_rate"])
    rates = {rate: rows for rate, rows in counts.groupby("frame_rate", sort=False)}
    rows = [row for rate, group in rates.items() for row in _phoneme_rows(rate, group, resampling)]
    return pd.DataFrame(rows + list(_phoneme_rows(None, next(iter(rates.values())), resampling)))


def _phoneme_rows(rate: float | None, counts: pd.DataFrame, resampling: Resampling) -> Iterable[dict[str, Any]]:
    for definition, (numerator, denominator) in PHONEME_DEFINITIONS.items():
        for silence, column in (("without", numerator), ("with", f"{numerator}_with_silence")):
            by_time = definition.startswith("per_")
            if by_time != (rate is None) or (silence, definition) == ("with", "per_speech_second"):
                continue
            estimate = bootstrap_ratio(counts[column], counts[denominator], counts["speaker_id"], resampling)
            names = {"frame_rate": rate, "definition": definition, "silence": silence}
            yield {**names, **asdict(estimate), "paper": paper_phonemes(rate)}
    for number in range(MANY_PHONEMES + 1) if rate is not None else ():
        held = [f"frames_with_{n}" for n in ([number] if number < MANY_PHONEMES else range(number, LAST_BIN + 1))]
        estimate = bootstrap_ratio(counts[held].sum(axis=1), counts["n_frames"], counts["speaker_id"], resampling)
        names = {"frame_rate": rate, "definition": f"share_{number}", "silence": "without"}
        yield {**names, **asdict(estimate), "paper": None}


def default_codecs(study: Study, results: Path) -> list[str]:
    """The codecs that `all` evaluates, and those controls whose metrics are all there."""
    files = [f"{file}.csv" for file in study.metrics]
    controls = (
        codec for codec in study.control_runs if all((results / "metrics" / codec / file).exists() for file in files)
    )
    return list(dict.fromkeys([*study.evaluated, *controls]))


def main() -> None:
    parser = study_arguments(__doc__)
    parser.add_argument("table", choices=("summary", "comparisons", "phonemes"))
    parser.add_argument("--output", required=True, type=Path)
    parser.add_argument("--codecs", nargs="+", help="default: all evaluated, and the controls that are measured")
    args = parser.parse_args()
    study = args.study
    if args.table == "phonemes":
        counts = read_rows(args.results / "alignment" / "phonemes_per_frame.csv")
        frame = phonemes(counts, Resampling.of(study))
    else:
        codecs = args.codecs or default_codecs(study, args.results)
        frame = (summary if args.table == "summary" else comparisons)(study, args.results, codecs)
    with atomic_path(args.output) as temporary:
        frame.to_csv(temporary, index=False, lineterminator="\n", float_format="%.10g")
    print(f"{args.output}: {len(frame)} rows", flush=True)
