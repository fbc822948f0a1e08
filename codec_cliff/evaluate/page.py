"""The page of an evaluation: the study's page with what an evaluation has."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from markupsafe import Markup

from codec_cliff.evaluate.findings import Finding
from codec_cliff.evaluate.problems import Problem
from codec_cliff.files import atomic_path
from codec_cliff.report import charts
from codec_cliff.report.clips import Listening
from codec_cliff.report.layout import Cell, Line, Table
from codec_cliff.report.page import SIZE, environment, library, size_statement
from codec_cliff.statistics.results import Results

HEADER = ("System", "File", "What is wrong", "Measured")


@dataclass(frozen=True)
class Page:
    """What the page shows, ready to be printed; `unavailable` are metrics that could not be had, with the reason."""

    title: str
    facts: Sequence[str]
    findings: Sequence[Finding]
    unavailable: Mapping[str, str]
    tables: Mapping[str, Table]
    problems: Sequence[Problem]
    charts: Mapping[str, charts.Spec]
    listening: Listening | None


def write_page(path: Path, page: Page) -> None:
    """One self-contained HTML file."""
    heard = page.listening
    text = environment().get_template("evaluation.html.jinja").render(
        page=page,
        charts=page.charts,
        listening=heard,
        hearable=heard.codecs if heard else set(),
        problems=problems_table(page.problems) if page.problems else None,
        size=SIZE,
        library=Markup(library()),
    )  # fmt: skip
    with atomic_path(path) as temporary:
        temporary.write_text(text.replace(SIZE, size_statement(text, heard)), encoding="utf-8")


def problems_table(problems: Sequence[Problem]) -> Table:
    lines = [
        Line(
            [
                Cell(each.system),
                Cell(each.utterance_id or each.file),
                Cell(each.problem),
                Cell("yes" if each.measured else "no"),
            ]
        )
        for each in problems
    ]
    return Table(
        "problems", "Problems, file by file", [], list(HEADER), lines, ["The files' paths are in problems.csv."]
    )


def charts_of(results: Results, metrics: Sequence[str], names: dict[str, str]) -> dict[str, charts.Spec]:
    """A chart a metric, by its element's id."""
    return {f"chart-{metric}": charts.systems(results, metric, names) for metric in metrics}
