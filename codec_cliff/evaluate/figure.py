"""The figure of an evaluation for a paper: a panel a metric, a mark a system, its interval, the originals as a line."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from codec_cliff.canvas import plt
from codec_cliff.metrics.headings import METRICS
from codec_cliff.report.figure1 import STYLE, save
from codec_cliff.statistics.results import Results
from codec_cliff.study.config import ORIGINAL

PANEL = (2.3, 0.8)  # inches: width, and height without the systems
BLUE = "#0072B2"


def write_figure(results: Results, metrics: Sequence[str], names: Mapping[str, str], stem: Path) -> None:
    """Write `stem`.png, .pdf and .svg."""
    systems = [system for system in names if system != ORIGINAL]
    size = (PANEL[0] * len(metrics) + 1, PANEL[1] + 0.24 * len(systems))
    with plt.rc_context(STYLE):
        figure, axes = plt.subplots(1, len(metrics), figsize=size, sharey=True, squeeze=False, layout="constrained")
        for axis, metric in zip(axes[0], metrics, strict=True):
            _panel(axis, results, metric, systems)
        axes[0][0].set_yticks(range(len(systems)), [names[system] for system in systems])
        axes[0][0].invert_yaxis()
        save(figure, stem)
        plt.close(figure)


def _panel(axis, results: Results, metric: str, systems: Sequence[str]) -> None:
    for place, system in enumerate(systems):
        row = results.summary.get((system, metric), {})
        if row.get("value") is not None:
            axis.plot(row["value"], place, "o", color=BLUE, markersize=4)
        if row.get("low") is not None:  # one file has no interval
            axis.plot([row["low"], row["high"]], [place, place], color=BLUE, linewidth=1.5)
    if (value := results.summary.get((ORIGINAL, metric), {}).get("value")) is not None:
        axis.axvline(value, color="black", linewidth=1, linestyle=":")
    axis.set_xlabel(METRICS[metric].heading)
