"""Two studies or two runs side by side: what was set differently, and what that did, paired over the utterances both have."""

import argparse
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from codec_cliff.corpus.manifest import read_manifest
from codec_cliff.errors import ResultsError, UserError
from codec_cliff.files import atomic_path, read_json, write_csv
from codec_cliff.metrics.headings import METRICS
from codec_cliff.report.layout import Cell, Line, Table, interval, markdown, number
from codec_cliff.statistics.bootstrap import Estimate, Resampling, paired_difference, verdict
from codec_cliff.statistics.summary import FIGURES, Figure, read_rows, scored

RESULTS = Path("results")


@dataclass(frozen=True)
class Side:
    """A study's folder, and the codec of one run in it; None stands for all of the study."""

    study: Path
    codec: str | None

    @property
    def name(self) -> str:
        return f"{self.study.name}/{self.codec}" if self.codec else self.study.name

    def metrics(self, codec: str) -> Path:
        return self.study / "metrics" / codec

    def codecs(self) -> list[str]:
        return sorted(folder.name for folder in (self.study / "metrics").iterdir() if any(folder.glob("*.csv")))


def side(text: str) -> Side:
    """`demo`, `results/demo`, `demo/50hz` or `results/demo/runs/50hz`; UserError where nothing of it has been measured."""
    for path in (Path(text), RESULTS / text):
        if (path / "metrics").is_dir():
            return Side(path, None)
        study = path.parent.parent if path.parent.name == "runs" else path.parent
        if (study / "metrics" / path.name).is_dir():
            return Side(study, path.name)
    studies = sorted(str(path.parent) for path in RESULTS.glob("*/metrics"))
    known = ", ".join(studies) or "none yet; run one"
    raise UserError(
        f"{text}: neither a study nor a run with metrics; name results/<study> or <study>/<codec> (studies: {known})"
    )


def pairs(a: Side, b: Side) -> list[tuple[str, str, str]]:
    """(label, codec of a, codec of b) of what can be set beside each other; UserError where that is nothing."""
    if (a.codec is None) != (b.codec is None):
        raise UserError(f"{a.name} and {b.name}: one is a study, the other a run; name two of a kind")
    if a.codec and b.codec:
        return [(f"{a.codec} / {b.codec}" if a.codec != b.codec else a.codec, a.codec, b.codec)]
    shared = [codec for codec in a.codecs() if codec in b.codecs()]
    if not shared:
        raise UserError(
            f"{a.name} and {b.name}: no codec is measured in both; compare two runs instead (<study>/<codec>)"
        )
    return [(codec, codec, codec) for codec in shared]


def settings(a: Side, b: Side) -> list[dict[str, Any]]:
    """The settings in which the runs differ, as their config.json have them; codec ids and empty folders aside."""
    rows = []
    for label, codec_a, codec_b in pairs(a, b):
        flat_a, flat_b = (_flat(_config(s.study / "runs" / codec)) for s, codec in ((a, codec_a), (b, codec_b)))
        differing = [key for key in flat_a if key in flat_b and flat_a[key] != flat_b[key] and key != "codec"]
        rows += [{"codec": label, "setting": key, "a": flat_a[key], "b": flat_b[key]} for key in differing]
    return rows


def _config(run: Path) -> dict[str, Any]:
    path = run / "config.json"
    values = read_json(path) if path.exists() else {}
    if not isinstance(values, dict):
        raise ResultsError(f"{path}: is no configuration of a run; restore it, or delete it")
    return values


def _flat(values: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    flat: dict[str, Any] = {}
    for key, value in values.items():
        flat |= _flat(value, f"{prefix}{key}.") if isinstance(value, Mapping) else {f"{prefix}{key}": value}
    return flat


def figures(a: Side, b: Side, resampling: Resampling) -> list[dict[str, Any]]:
    """Every figure that both have of a codec: values over the shared utterances, paired difference, interval, verdict."""
    same = same_recordings(a, b)
    return [row for label, *codecs in pairs(a, b) for row in _codec_rows(a, b, label, codecs, same, resampling)]


def same_recordings(a: Side, b: Side) -> set[str] | None:
    """Utterance ids that stand for the same recording on both sides: equal length and transcript. None within one study: all do."""
    if a.study.resolve() == b.study.resolve():
        return None
    of_a, of_b = (_recordings(side) for side in (a, b))
    return {name for name, facts in of_a.items() if of_b.get(name) == facts}


def _recordings(side: Side) -> dict[str, tuple[int, int, str]]:
    path = side.study / "data" / "test.tsv"
    if not path.exists():
        raise UserError(
            f"{path}: not there, so nobody can tell which recordings of two studies are the same; "
            "bring it from where the study ran, or compare two runs of one study"
        )
    return {u.utterance_id: (u.n_samples, u.sample_rate, u.transcript) for u in read_manifest(path)}


def _codec_rows(
    a: Side, b: Side, label: str, codecs: Sequence[str], same: set[str] | None, resampling: Resampling
) -> Iterable[dict[str, Any]]:
    folders = [s.metrics(codec) for s, codec in zip((a, b), codecs, strict=True)]
    for file in dict.fromkeys(figure.file for figure in FIGURES):
        paths = [folder / f"{file}.csv" for folder in folders]
        if not all(path.exists() for path in paths):
            continue
        tables = [_measured(path) for path in paths]
        for figure in (figure for figure in FIGURES if figure.file == file):
            if all(figure.numerator in table.columns for table in tables):
                yield {"codec": label, "metric": figure.name} | _compared(figure, tables, same, resampling)


def _compared(
    figure: Figure, tables: list[pd.DataFrame], same: set[str] | None, resampling: Resampling
) -> dict[str, Any]:
    backends = [" ".join(map(str, table[["backend", "revision"]].iloc[0])) for table in tables]
    names = ("a", "b", "difference", "low", "high", "unit", "n_utterances", "verdict")
    row: dict[str, Any] = {"backend": backends[0]} | dict.fromkeys(names)
    if backends[0] != backends[1]:
        return row | {"backend": " / ".join(backends), "verdict": "other backends, not comparable"}
    both = pd.merge(
        *(scored(table, figure) for table in tables), left_index=True, right_index=True, suffixes=("_a", "_b")
    )
    both = both if same is None else both[both.index.isin(same)]
    row["n_utterances"] = len(both)
    if both.empty:
        return row | {"verdict": "no utterance in common"}
    sums = [(both[f"numerator_{x}"].to_numpy(), both[f"denominator_{x}"].to_numpy()) for x in "ab"]
    estimate = paired_difference(*sums, both["speaker_id_a"], resampling)
    values = [numerators.sum() / denominators.sum() for numerators, denominators in sums]
    return row | {"a": values[0], "b": values[1]} | _difference(estimate)


def _difference(estimate: Estimate) -> dict[str, Any]:
    bounds = {"low": estimate.low, "high": estimate.high, "unit": estimate.unit}
    return {"difference": estimate.value, **bounds, "verdict": verdict(estimate)}


def _measured(path: Path) -> pd.DataFrame:
    rows = read_rows(path)
    if rows.empty or not {"utterance_id", "speaker_id", "backend", "revision"} <= set(rows):
        raise ResultsError(f"{path}: holds no measured utterances; delete it to have it measured anew")
    return rows


def report(a: Side, b: Side, resampling: Resampling) -> tuple[str, list[dict[str, Any]]]:
    """The comparison as Markdown, and its figures."""
    rows = figures(a, b, resampling)
    parts = [markdown(table) for table in (_settings_table(a, b), _figures_table(a, b, rows, resampling))]
    return "\n".join(parts), rows


def _settings_table(a: Side, b: Side) -> Table:
    rows = settings(a, b)
    lines = [Line([Cell(str(row[name])) for name in ("codec", "setting", "a", "b")]) for row in rows]
    notes = [] if rows else ["The runs' settings are the same, or published codecs, which have none."]
    return Table("settings", "What was set differently", rows, ["Codec", "Setting", a.name, b.name], lines, notes)


def _figures_table(a: Side, b: Side, rows: list[dict[str, Any]], resampling: Resampling) -> Table:
    lines = [Line(_cells(row)) for row in rows]
    header = ["Codec", "Metric", a.name, b.name, f"{b.name} minus {a.name}", "Verdict", "Utterances"]
    notes = [
        f"Over the same recordings; brackets: {resampling.confidence:.0%} bootstrap intervals of the paired difference.",
        "Higher or lower: the interval leaves out zero. Of many differences, some do so by chance.",
        *dict.fromkeys(f"{METRICS[row['metric']].heading}: {row['backend']}." for row in rows),
    ]
    return Table("figures", f"{a.name} and {b.name}", rows, header, lines, notes)


def _cells(row: dict[str, Any]) -> list[Cell]:
    shown = METRICS[row["metric"]]
    digits = shown.digits + 1
    values = [Cell(number(row[name], digits)) for name in ("a", "b")]
    difference = Cell(number(row["difference"], digits, True), interval(row["low"], row["high"], digits, True))
    counted = Cell("" if row["n_utterances"] is None else str(row["n_utterances"]))
    return [Cell(row["codec"]), Cell(shown.heading), *values, difference, Cell(row["verdict"]), counted]


def confidence(text: str) -> float:
    """A share, as argparse takes it."""
    if not 0 < float(text) < 1:
        raise argparse.ArgumentTypeError(f"{text} is no share between 0 and 1; write 0.95 for 95 %")
    return float(text)


def bootstrap_samples(text: str) -> int:
    if int(text) < 100:
        raise argparse.ArgumentTypeError(f"{text} are too few; 100 or more")
    return int(text)


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser("codec-cliff compare", description=__doc__)
    parser.add_argument("a", help="results/<study>, or <study>/<codec>")
    parser.add_argument("b", help="the same; differences are b minus a")
    parser.add_argument("--output", type=Path, help="write the Markdown to this file too")
    parser.add_argument("--csv", type=Path, help="write the figures to this CSV file too")
    parser.add_argument("--bootstrap-samples", type=bootstrap_samples, default=1000, help="100 or more (1000)")
    parser.add_argument("--confidence", type=confidence, default=0.95, help="between 0 and 1 (0.95)")
    options = parser.parse_args(arguments)
    resampling = Resampling(options.bootstrap_samples, options.confidence, seed=0)
    text, rows = report(side(options.a), side(options.b), resampling)
    print(text)
    if options.output:
        with atomic_path(options.output) as temporary:
            temporary.write_text(text, encoding="utf-8")
    if options.csv and rows:
        write_csv(options.csv, rows)
