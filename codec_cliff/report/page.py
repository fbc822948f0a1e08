"""The report: one self-contained HTML page with verdict, listening, tables, interactive figures, our choices and provenance."""

from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import vl_convert
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from codec_cliff.errors import exit_cleanly
from codec_cliff.files import atomic_path
from codec_cliff.metrics.headings import METRICS, TABLE_METRICS
from codec_cliff.paper.scale import choices, differences, statement
from codec_cliff.paper.values import paper
from codec_cliff.report import charts, extras, mechanism, quality
from codec_cliff.report.clips import Listening, codec_name, listening
from codec_cliff.report.layout import Table, number, read_markdown
from codec_cliff.report.verdict import tally, verdict
from codec_cliff.statistics.results import Results, Row
from codec_cliff.study.arguments import study_arguments
from codec_cliff.study.config import Study

TEMPLATES = Path(__file__).parent / "templates"
SIZE = "@@size@@"  # filled in once the page is written


@dataclass(frozen=True)
class Finding:
    """What the models of one frame rate scored on one metric, and what their paired differences settle."""

    subject: str
    values: str
    verdicts: list[str]


def render(study: Study, results: Results, recordings: bool = True) -> str:
    """The page's HTML; UserError where a table's input is missing. What a study has not run is left out.

    Without `recordings` there is nothing to listen to: a page for a repository that may hold no speech.
    """
    heard, claims = listening(study, results) if recordings else None, verdict(results)
    page = environment().get_template("page.html.jinja").render(
        study=study,
        paper=paper(),
        statement=statement(study),
        claims=claims,
        tally=tally(claims),
        listening=heard,
        hearable=heard.codecs if heard else set(),
        tables=tables(study, results),
        charts=figures(study, results),
        dashes=charts.DASHES,
        findings=findings(study, results),
        choices=choices(),
        differences=differences(study),
        size=SIZE,
        library=Markup(library()),
        **_probes(results),
        **_provenance(study, results),
    )  # fmt: skip
    return page.replace(SIZE, size_statement(page, heard))


def environment() -> Environment:
    """The templates, with the style sheet and the script that every page has."""
    made = Environment(
        loader=FileSystemLoader(TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.filters["name"] = codec_name
    made.globals["style"] = Markup((TEMPLATES / "page.css").read_text(encoding="utf-8"))
    made.globals["script"] = Markup((TEMPLATES / "page.js").read_text(encoding="utf-8"))
    return made


@cache
def library() -> str:
    """Vega-Embed with Vega-Lite and Vega as one script for `window.vegaEmbed`; nothing in it may end the script element."""
    bundle = vl_convert.javascript_bundle("window.vegaEmbed = vegaEmbed;")
    return bundle.replace("</script", r"<\/script").replace("<!--", r"\x3C!--")


def tables(study: Study, results: Results) -> dict[str, Table]:
    """Every table of the page by name; those of a part that the study has not run are left out."""
    built = [table(study, results) for table in (quality.table1, quality.table2, mechanism.table3, quality.table4)]
    optional = {
        "probes/coverage.csv": mechanism.coverage,
        "phonemes.csv": mechanism.phonemes,
        "comparisons.csv": mechanism.comparisons,
    }
    built += [table(study, results) for name, table in optional.items() if results.has(name)]
    built.append(quality.lag(study, results))
    built += [quality.controls(study, results)] if set(study.control_runs) & set(results.codecs) else []
    built += [table] if (table := extras.paper_comparison(results)) else []
    return {table.name: table for table in built}


def figures(study: Study, results: Results) -> dict[str, charts.Spec]:
    """Every chart of the page by its element's id."""
    metrics = [metric for metric in TABLE_METRICS if metric in results.metrics]
    specs = {f"chart-{metric}": charts.quality(study, results, metric) for metric in metrics}
    if results.has("phonemes.csv"):
        specs |= {"chart-phonemes": charts.phonemes(study, results), "chart-shares": charts.phoneme_shares(results)}
    specs["chart-efficiency"] = charts.code_efficiency(study, results)
    specs |= {f"chart-level-{level}": spec for level, spec in enumerate(charts.code_use(study, results))}
    trained = [*study.trained, *study.control_runs]
    columns = charts.curves(results, trained)
    return specs | {f"chart-curve-{name}": charts.training(study, results, trained, name) for name in columns}


def _probes(results: Results) -> dict[str, Any]:
    return {
        "probe_verdicts": results.rows("probes/verdicts.csv") + results.rows("probes/quality_verdicts.csv"),
        "probe_tables": extras.shown_tables(results, "probe_*"),
        "probe_pictures": extras.pictures(results, "probe_*"),
        "training_clips": read_markdown(TEMPLATES / "training_clips.md"),
        "cost_tables": extras.shown_tables(results, "cost*"),
    }


def _provenance(study: Study, results: Results) -> dict[str, Any]:
    runs = [run for codec in [*study.trained, *study.control_runs] if (run := results.run(codec))]
    backends = dict.fromkeys((row["metric"], row["backend"], row["revision"]) for row in results.summary.values())
    return {
        "runs": runs,
        "versions": dict.fromkeys(_joined(run["versions"]) for run in runs),
        "reconstructions": [facts for codec in results.codecs if (facts := results.facts(codec))],
        "backends": [(METRICS[metric].heading, backend, revision) for metric, backend, revision in backends],
        "skipped": {split: results.skipped(split) for split in ("train", "test")},
    }


def _joined(versions: dict[str, str]) -> str:
    return ", ".join(f"{name} {version}" for name, version in versions.items())


def size_statement(page: str, heard: Listening | None) -> str:
    """What the page weighs, and of what: it holds everything, so this is what a reader downloads."""
    parts = {"the plotting library": len(library())}
    if heard:
        parts |= {"audio": heard.weight("audio"), "spectrograms": heard.weight("picture")}
    listed = ", ".join(f"{name} {megabytes(weight)}" for name, weight in parts.items())
    return f"{megabytes(len(page.encode()))}, of which {listed}"


def megabytes(weight: int) -> str:
    return f"{weight / 1e6:.1f} MB"


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
    parser = study_arguments(__doc__)
    parser.add_argument("--output", required=True, type=Path, help="an .html file")
    parser.add_argument("--without-recordings", action="store_true", help="leave out the clips to listen to")
    args = parser.parse_args()
    page = render(args.study, Results(args.results), not args.without_recordings)
    with atomic_path(args.output) as temporary:
        temporary.write_text(page, encoding="utf-8")
    print(f"{args.output}: {megabytes(len(page.encode()))}", flush=True)


if __name__ == "__main__":
    exit_cleanly(main)
