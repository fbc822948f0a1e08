"""A table as data, and its three faces: CSV for programs, Markdown for reading, LaTeX for a paper."""

import csv
import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from codec_cliff.files import atomic_path

MISSING = "–"


@dataclass(frozen=True)
class Cell:
    """What a reader sees: a value, its interval and the paper's value, each as text or empty."""

    value: str
    interval: str = ""
    paper: str = ""

    @property
    def text(self) -> str:
        """`0.89 [0.88, 0.90] (paper 0.89)`."""
        return " ".join(part for part in (self.value, self.interval, f"({self.paper})" if self.paper else "") if part)


@dataclass(frozen=True)
class Line:
    """A row as shown; `marked` where it is not the paper's own kind of row (a repaired model); of a `codec`, if of one."""

    cells: list[Cell]
    marked: bool = False
    codec: str = ""


@dataclass(frozen=True)
class Table:
    """`records` is the CSV, column name to value (None where there is none); `header` and `lines` are what is shown."""

    name: str
    title: str
    records: list[dict[str, Any]]
    header: list[str]
    lines: list[Line]
    notes: list[str]


def number(value: float | None, digits: int, sign: bool = False) -> str:
    """A number as shown: fixed digits, a true minus; a dash where there is none."""
    if value is None:
        return MISSING
    rounded = round(value, digits) + 0.0  # + 0.0: no minus before a zero
    return f"{rounded:{'+' if sign else ''}.{digits}f}".replace("-", "−")


def interval(low: float | None, high: float | None, digits: int, sign: bool = False) -> str:
    return "" if low is None else f"[{number(low, digits, sign)}, {number(high, digits, sign)}]"


def plain(value: Any) -> Cell:
    """A cell without interval: text as it is, a number as short as it is exact."""
    if value is None:
        return Cell(MISSING)
    return Cell(f"{value:g}" if isinstance(value, float) else str(value))


SUFFIXES = (".csv", ".md", ".tex")


def write_table(table: Table, stem: Path) -> None:
    """Write `stem`.csv, .md and .tex."""
    with atomic_path(f"{stem}.csv") as temporary, open(temporary, "w", newline="", encoding="utf-8") as file:
        columns = list(dict.fromkeys(name for record in table.records for name in record))
        writer = csv.DictWriter(file, columns, lineterminator="\n")
        writer.writeheader()
        writer.writerows(table.records)
    for suffix, face in ((".md", markdown), (".tex", latex)):
        with atomic_path(f"{stem}{suffix}") as temporary:
            temporary.write_text(face(table), encoding="utf-8")


def remove_table(stem: Path) -> None:
    """Remove what `write_table` wrote, if it did."""
    for suffix in SUFFIXES:
        Path(f"{stem}{suffix}").unlink(missing_ok=True)


def markdown(table: Table) -> str:
    rows = [table.header, ["---"] * len(table.header), *([cell.text for cell in line.cells] for line in table.lines)]
    body = "\n".join("| " + " | ".join(cell.replace("|", "\\|") for cell in row) + " |" for row in rows)
    notes = "\n".join(f"- {note}" for note in table.notes)
    return f"**{table.title}**\n\n{body}\n\n{notes}\n"


def read_markdown(path: Path) -> Table:
    """A table from the Markdown that `write_table` made: what is shown, without its records."""
    lines = path.read_text(encoding="utf-8").splitlines()
    rows = [_markdown_cells(line) for line in lines if line.startswith("| ")]
    notes = [line.removeprefix("- ") for line in lines if line.startswith("- ")]
    title = lines[0].strip("*") if lines and lines[0].startswith("**") else path.stem.replace("_", " ")
    shown = [Line([Cell(cell) for cell in row]) for row in rows[2:]]
    return Table(path.stem, title, [], rows[0] if rows else [], shown, notes)


def _markdown_cells(line: str) -> list[str]:
    return [cell.replace("\\|", "|").strip() for cell in re.split(r"(?<!\\)\|", line)[1:-1]]


def latex(table: Table) -> str:
    """A `table*` with booktabs rules; an interval and the paper's value stand in small print below the value."""
    notes = r" \\ ".join(escape(note) for note in table.notes)
    return "\n".join(
        [
            r"% \usepackage{booktabs}",
            r"\begin{table*}",
            r"\centering\footnotesize\setlength{\tabcolsep}{3pt}",
            rf"\caption{{{escape(table.title)}}}",
            rf"\begin{{tabular}}{{l{'r' * (len(table.header) - 1)}}}",
            r"\toprule",
            _latex_row(escape(cell) for cell in table.header),
            r"\midrule",
            *(row for line in table.lines for row in _latex_rows(line)),
            r"\bottomrule",
            r"\end{tabular}",
            rf"\par\smallskip\parbox{{\textwidth}}{{\scriptsize {notes}}}",
            r"\end{table*}",
            "",
        ]
    )


def _latex_rows(line: Line) -> Iterable[str]:
    yield _latex_row(escape(cell.value) for cell in line.cells)
    for part in ("interval", "paper"):
        small = [escape(getattr(cell, part)) for cell in line.cells]
        if any(small):
            yield _latex_row(rf"{{\scriptsize {cell}}}" if cell else "" for cell in small)


def _latex_row(cells: Iterable[str]) -> str:
    return " & ".join(cells) + r" \\"


ESCAPES = {
    **{character: f"\\{character}" for character in "&%$#_{}"},
    "\\": r"\textbackslash{}",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    "<": r"\textless{}",
    ">": r"\textgreater{}",
    "†": r"\textsuperscript{\dag}",
    "–": "--",
    "−": "$-$",
}


def escape(text: str) -> str:
    """Text for LaTeX."""
    return "".join(ESCAPES.get(character, character) for character in text)
