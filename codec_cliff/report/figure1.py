"""Figure 1: intelligibility against frame rate under both protocols, and the phonemes that a frame has to hold."""

from collections.abc import Sequence
from pathlib import Path

from codec_cliff.canvas import Axes, Figure, HandlerTuple, Line2D, matplotlib, plt
from codec_cliff.files import atomic_path
from codec_cliff.paper.values import paper, paper_phonemes, paper_quality
from codec_cliff.statistics.results import Results
from codec_cliff.study.config import ORIGINAL, Study

STYLE = {
    "font.family": "DejaVu Sans",
    "font.size": 7,
    "axes.labelsize": 7.5,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.linewidth": 0.6,
    "pdf.fonttype": 42,
    "svg.hashsalt": "figure1",  # the same input gives the same file
}
WITHOUT_DATE = {"pdf": {"CreationDate": None, "ModDate": None}, "svg": {"Date": None}, "png": {}}
# Okabe and Ito's palette; shapes differ too, for print without colour.
PROTOCOLS = {"fixed-duration": ("#D55E00", "o", "fixed duration"), "fixed-tokens": ("#0072B2", "s", "fixed tokens")}
REPAIRED = ("#009E73", "D", "fixed duration, repaired")
CONTROL = ("#CC79A7", "^", "control")
DEFINITIONS = {
    "rate": ("#000000", "-", "o", "rate / frame rate"),
    "overlapping": ("#56B4E9", "--", "s", "overlapping a frame"),
    "distinct": ("#E69F00", ":", "D", "distinct in a frame"),
}
PAPER_GREY = "#888888"


def draw(study: Study, results: Results) -> Figure:
    """The figure, one column wide (3.5 in): WER and STOI by protocol, phonemes a frame by definition."""
    figure, axes = plt.subplots(3, 1, figsize=(3.5, 6.2), sharex=True, height_ratios=[1.35, 1, 1], layout="constrained")
    for axis, metric, label in zip(axes[:2], ("wer", "stoi"), ("WER (%)", "STOI"), strict=True):
        _quality_panel(axis, study, results, metric)
        axis.set_ylabel(f"{label}, {results.figure(ORIGINAL, metric)['backend']}")
    axes[0].set_ylim(bottom=0)
    _phoneme_panel(axes[2], results)
    _frame_rate_axis(axes[2], [rate.frame_rate for rate in study.own_rates])
    legend = _legend(study, results)
    both = {tuple: HandlerTuple(ndivide=None)}
    place = {"loc": "outside upper center", "ncols": 2, "frameon": False, "fontsize": 6.5}
    figure.legend(legend.values(), legend.keys(), handler_map=both, **place)
    return figure


def _quality_panel(axis: Axes, study: Study, results: Results, metric: str) -> None:
    for protocol, (colour, marker, _) in PROTOCOLS.items():
        rates = [study.runs[codec].frame_rate for codec in study.codecs(protocol)]
        published = [(rate, value) for rate in rates if (value := paper_quality(protocol, rate, metric)) is not None]
        axis.plot(*zip(*published, strict=True), color=PAPER_GREY, marker=marker, mfc="white", ms=3.5, lw=0.7, zorder=1)
        _points(axis, study, results, metric, study.codecs(protocol), colour, marker, line="-")
    _points(axis, study, results, metric, study.repaired, *REPAIRED[:2])
    _points(axis, study, results, metric, measured_controls(study, results), *CONTROL[:2])
    floor = results.figure(ORIGINAL, metric)
    if floor.get("value") is not None:
        axis.axhline(floor["value"], color="black", lw=0.6, ls=(0, (1, 2)), zorder=0)


def _points(
    axis: Axes,
    study: Study,
    results: Results,
    metric: str,
    codecs: Sequence[str],
    colour: str,
    marker: str,
    line: str = "",
) -> None:
    """Values with their intervals; a codec without a score leaves a gap."""
    rows = [(position(study, codec), results.figure(codec, metric)) for codec in codecs]
    rows = [(place, row) for place, row in rows if row.get("low") is not None]
    at, values = [place for place, _ in rows], [row["value"] for _, row in rows]
    axis.vlines(at, [row["low"] for _, row in rows], [row["high"] for _, row in rows], color=colour, lw=1, zorder=2)
    axis.plot(at, values, color=colour, marker=marker, ls=line or "none", ms=4, lw=1, zorder=3)


def position(study: Study, codec: str) -> float:
    """Where a model stands: at its frame rate, the protocols a little apart so that their intervals can be told."""
    run = study.runs[study.repaired.get(codec, codec)]
    shared = run.codec in study.codecs("fixed-duration") and run.codec in study.codecs("fixed-tokens")
    if shared or run.codec not in study.trained:
        return run.frame_rate
    return run.frame_rate * (0.97 if run.protocol == "fixed-duration" else 1.03)


def _phoneme_panel(axis: Axes, results: Results) -> None:
    for definition, (colour, line, marker, label) in DEFINITIONS.items():
        chosen = (definition, "without")
        rows = [row for row in results.phonemes if row["frame_rate"] and (row["definition"], row["silence"]) == chosen]
        rates = [row["frame_rate"] for row in rows]
        axis.vlines(rates, [row["low"] for row in rows], [row["high"] for row in rows], color=colour, lw=1)
        axis.plot(rates, [row["value"] for row in rows], color=colour, ls=line, marker=marker, ms=3, lw=1, label=label)
    for rate in dict.fromkeys(row["frame_rate"] for row in results.phonemes if row["frame_rate"]):
        if (value := paper_phonemes(rate)) is not None:
            axis.plot(
                [rate], [value], color=PAPER_GREY, marker="*", mfc="white", ms=9, ls="none", label=f"paper: {value:g}"
            )
    axis.set_yscale("log")
    axis.yaxis.set_major_locator(matplotlib.ticker.FixedLocator([0.1, 0.2, 0.5, 1, 2, 5, 10, 20]))
    axis.yaxis.set_minor_locator(matplotlib.ticker.NullLocator())
    axis.yaxis.set_major_formatter("{x:g}")
    axis.set_ylabel("Phonemes a frame")
    axis.legend(frameon=False, fontsize=6.5, loc="lower left")


def _frame_rate_axis(axis: Axes, rates: Sequence[float]) -> None:
    axis.set_xscale("log")
    axis.set_xticks(rates, [f"{rate:g}" for rate in rates])
    axis.xaxis.set_minor_locator(matplotlib.ticker.NullLocator())
    axis.set_xlabel("Frame rate (Hz)")


def _legend(study: Study, results: Results) -> dict[str, Line2D | tuple[Line2D, ...]]:
    marks = [(colour, marker, "-", label) for colour, marker, label in PROTOCOLS.values()]
    marks += [(*REPAIRED[:2], "none", REPAIRED[2])] if study.repaired else []
    marks += [(*CONTROL[:2], "none", CONTROL[2])] if measured_controls(study, results) else []
    handles = {label: Line2D([], [], color=c, marker=m, ls=line, ms=4, lw=1) for c, m, line, label in marks}
    handles["original recordings"] = Line2D([], [], color="black", lw=0.6, ls=(0, (1, 2)))
    published = {"color": PAPER_GREY, "mfc": "white", "ms": 3.5, "lw": 0.7}
    handles[f"paper ({paper()['backends']['wer']['name']}, full scale)"] = tuple(
        Line2D([], [], marker=marker, **published) for marker in "os"
    )
    return handles


def measured_controls(study: Study, results: Results) -> list[str]:
    return [codec for codec in study.control_runs if codec in results.codecs]


def save(figure: Figure, stem: Path) -> None:
    """Write `stem`.pdf, .png and .svg, without dates."""
    for suffix, metadata in WITHOUT_DATE.items():
        with atomic_path(f"{stem}.{suffix}") as temporary:
            figure.savefig(temporary, format=suffix, dpi=300, metadata=metadata)


def remove(stem: Path) -> None:
    """Remove what `save` wrote, if it did."""
    for suffix in WITHOUT_DATE:
        Path(f"{stem}.{suffix}").unlink(missing_ok=True)
