"""The report: one plain, self-contained HTML page with the figure, the tables, our choices and provenance."""

import argparse
import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from codec_cliff.config import Study, load_study
from codec_cliff.errors import UserError, exit_cleanly
from codec_cliff.files import atomic_path
from codec_cliff.report import mechanism, quality
from codec_cliff.report.layout import Table, number
from codec_cliff.report.notes import METRICS, TABLE_METRICS
from codec_cliff.report.paper import paper
from codec_cliff.report.results import Results, Row
from codec_cliff.report.scale import choices, differences, statement

REQUIRED = (quality.table1, quality.table2, mechanism.table3, quality.table4)
OPTIONAL: dict[str, Callable[[Study, Results], Table]] = {  # shown where the study has the file
    "probes/coverage.csv": mechanism.coverage,
    "phonemes.csv": mechanism.phonemes,
    "comparisons.csv": mechanism.comparisons,
}


@dataclass(frozen=True)
class Finding:
    """What the models of one frame rate scored on one metric, and what their paired differences settle."""

    subject: str
    values: str
    verdicts: list[str]


def render(study: Study, results: Results) -> str:
    """The page's HTML; UserError where Figure 1 or a table's input is missing."""
    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    runs = [run for codec in [*study.trained, *study.control_runs] if (run := results.run(codec))]
    return environment.get_template("page.html.jinja").render(
        study=study,
        paper=paper(),
        statement=statement(study),
        figure=Markup(inline_figure(results)),
        findings=findings(study, results),
        tables=tables(study, results),
        choices=choices(),
        differences=differences(study),
        runs=runs,
        versions=dict.fromkeys(_joined(run["versions"]) for run in runs),
        reconstructions=[facts for codec in results.codecs if (facts := results.facts(codec))],
        skipped={split: results.skipped(split) for split in ("train", "test")},
    )


def _joined(versions: dict[str, str]) -> str:
    return ", ".join(f"{name} {version}" for name, version in versions.items())


def inline_figure(results: Results) -> str:
    """Figure 1 as an svg element, without the XML prologue; matplotlib wrote it, so it needs no escaping."""
    path = results.folder / "figures" / "figure1.svg"
    if not path.exists():
        raise UserError(f"{path}: missing; build it first (snakemake {path})")
    svg = path.read_text(encoding="utf-8")
    return svg[svg.index("<svg") :]


def tables(study: Study, results: Results) -> list[Table]:
    built = [table(study, results) for table in REQUIRED]
    built += [table(study, results) for name, table in OPTIONAL.items() if results.has(name)]
    built.append(quality.lag(study, results))
    built += [quality.controls(study, results)] if set(study.control_runs) & set(results.codecs) else []
    return built


def findings(study: Study, results: Results) -> list[Finding]:
    """A sentence a metric for each frame rate that has a repaired model, from the paired intervals."""
    rows = results.comparisons if results.has("comparisons.csv") else []
    subjects = dict.fromkeys((row["frame_rate"], row["metric"]) for row in rows if _is_shown(study, row))
    return [
        _finding(study, results, [row for row in rows if (row["frame_rate"], row["metric"]) == subject])
        for subject in subjects
    ]


def _is_shown(study: Study, row: Row) -> bool:
    return row["frame_rate"] in study.tables["repaired"] and row["metric"] in TABLE_METRICS


def _finding(study: Study, results: Results, rows: list[Row]) -> Finding:
    metric = rows[0]["metric"]
    shown = METRICS[metric]
    codecs = list(dict.fromkeys(row[name] for name in ("codec_a", "codec_b") for row in rows))
    values = [
        f"{mechanism.variant(study, codec)} {number(results.figure(codec, metric).get('value'), shown.digits)}"
        for codec in codecs
    ]
    subject = f"{rows[0]['frame_rate']:g} Hz, {shown.heading} ({shown.better} is better)"
    return Finding(subject, ", ".join(values), [_verdict(study, row) for row in rows])


def _verdict(study: Study, row: Row) -> str:
    a, b = (mechanism.variant(study, row[name]) for name in ("codec_a", "codec_b"))
    better = METRICS[row["metric"]].better
    meaning = "" if row["verdict"] == "not settled" else f" ({'better' if row['verdict'] == better else 'worse'})"
    return f"{b} minus {a}: {mechanism.difference_cell(row).text}: {row['verdict']}{meaning}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--study", required=True, help="the merged configuration, JSON")
    parser.add_argument("--results", required=True, type=Path, help="results/<study>")
    parser.add_argument("--output", required=True, type=Path, help="an .html file")
    args = parser.parse_args()
    page = render(load_study(json.loads(args.study)), Results(args.results))
    with atomic_path(args.output) as temporary:
        temporary.write_text(page, encoding="utf-8")
    print(f"{args.output}: {len(page)} characters", flush=True)


if __name__ == "__main__":
    exit_cleanly(main)
