"""Write one table as CSV, Markdown and LaTeX: Tables 1-4, those behind the explanations, and the probes'."""

from functools import partial
from pathlib import Path

from codec_cliff.errors import exit_cleanly
from codec_cliff.report import cost, mechanism, quality
from codec_cliff.report.layout import write_table
from codec_cliff.report.probes import LAYOUTS, probe_table
from codec_cliff.statistics.results import Results
from codec_cliff.study.arguments import study_arguments

TABLES = {
    "table1": quality.table1,
    "table2": quality.table2,
    "table3": mechanism.table3,
    "table4": quality.table4,
    "coverage": mechanism.coverage,
    "phonemes": mechanism.phonemes,
    "comparisons": mechanism.comparisons,
    "lag": quality.lag,
    "controls": quality.controls,
    "cost": cost.cost,
    "cost_paper": cost.cost_paper,
}


def main() -> None:
    tables = TABLES | {f"probe_{name}": partial(probe_table, name) for name in LAYOUTS}
    parser = study_arguments(__doc__)
    parser.add_argument("--table", required=True, choices=tables)
    parser.add_argument("--output", required=True, type=Path, help="without suffix; .csv, .md and .tex are written")
    args = parser.parse_args()
    table = tables[args.table](args.study, Results(args.results))
    write_table(table, args.output)
    print(f"{args.output}: {len(table.records)} rows", flush=True)


if __name__ == "__main__":
    exit_cleanly(main)
