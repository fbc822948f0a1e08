"""Write one table as CSV, Markdown and LaTeX (Tables 1-4, and those behind the explanations)."""

import argparse
import json
from pathlib import Path

from codec_cliff.errors import exit_cleanly
from codec_cliff.report import cost, mechanism, quality
from codec_cliff.report.layout import write_table
from codec_cliff.statistics.results import Results
from codec_cliff.study.load import load_study

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
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--table", required=True, choices=TABLES)
    parser.add_argument("--study", required=True, help="the merged configuration, JSON")
    parser.add_argument("--results", required=True, type=Path, help="results/<study>")
    parser.add_argument("--output", required=True, type=Path, help="without suffix; .csv, .md and .tex are written")
    args = parser.parse_args()
    table = TABLES[args.table](load_study(json.loads(args.study)), Results(args.results))
    write_table(table, args.output)
    print(f"{args.output}: {len(table.records)} rows", flush=True)


if __name__ == "__main__":
    exit_cleanly(main)
