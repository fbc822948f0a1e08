"""Write one figure as PDF, PNG and SVG: the paper's, or a probe's."""

from pathlib import Path

import matplotlib.pyplot as plt

from codec_cliff.errors import exit_cleanly
from codec_cliff.report import probe_figures
from codec_cliff.report.figure1 import STYLE, draw, save
from codec_cliff.statistics.results import Results
from codec_cliff.study.arguments import study_arguments

FIGURES = {"figure1": lambda study, folder: draw(study, Results(folder))}
FIGURES |= {f"probe_{name}": figure for name, figure in probe_figures.FIGURES.items()}


def main() -> None:
    parser = study_arguments(__doc__)
    parser.add_argument("--figure", required=True, choices=FIGURES)
    parser.add_argument("--output", required=True, type=Path, help="without suffix; .pdf, .png and .svg are written")
    args = parser.parse_args()
    with plt.rc_context(STYLE):
        save(FIGURES[args.figure](args.study, args.results), args.output)
    print(f"{args.output}: pdf, png, svg", flush=True)


if __name__ == "__main__":
    exit_cleanly(main)
