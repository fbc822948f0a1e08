"""The probes' figures: coverage, dose-response, matched audio, drift, error by position."""

from collections.abc import Callable
from pathlib import Path

import numpy as np

from codec_cliff.canvas import Figure, matplotlib, plt
from codec_cliff.metrics.headings import METRICS, TABLE_METRICS
from codec_cliff.models.coverage import generator_taps
from codec_cliff.probes.heat_map import draw_heat_map
from codec_cliff.probes.positions import PHASE_BINS
from codec_cliff.statistics.results import Row, read_rows
from codec_cliff.study.config import Study

# Okabe and Ito's palette; shapes differ too, for print without colour.
AS_IT_IS, REPAIRED, CHUNKED = ("#D55E00", "o"), ("#009E73", "D"), ("#0072B2", "s")
VALUE = {"value": "", "low": "_low", "high": "_high"}  # key -> ending of a metric's columns
DISTANCES = {  # what the bins of `probes/positions.py` count
    "utterance_edge": "Distance from the utterance's edge (half tokens)",
    "token_boundary": f"Distance from a token boundary (1/{2 * PHASE_BINS} tokens)",
}
COLOURS = ("#D55E00", "#0072B2", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000", "#888888")


def coverage(study: Study, results: Path) -> Figure:
    """Which taps clips of fixed duration reach, one panel a frame rate."""
    runs = [study.runs[codec] for codec in study.codecs("fixed-duration")]
    return draw_heat_map(
        {
            f"{run.frame_rate:g} Hz, {run.clip_seconds:g} s, {run.tokens_per_clip} tokens": generator_taps(run)
            for run in runs
        }
    )


def dose(study: Study, results: Path) -> Figure:
    """Quality against tokens a clip, one panel a frame rate; seeds as small marks."""
    rows = read_rows(results / "probes" / "dose.csv")
    rates = list(dict.fromkeys(row["frame_rate"] for row in rows if "frame_rate" in row))
    figure, axes = _panels(len(rates))
    for axis, rate in zip(axes, rates, strict=False):
        at = [row for row in rows if row["frame_rate"] == rate]
        tokens = [row["tokens"] for row in at]
        axis.vlines(tokens, [row["low"] for row in at], [row["high"] for row in at], color=AS_IT_IS[0], lw=0.8)
        axis.plot(tokens, [row["value"] for row in at], color=AS_IT_IS[0], marker="o", ms=4, lw=1, label="as it is")
        for key, (colour, marker), label in (
            ("zero-uncovered", REPAIRED, "uncovered taps zeroed"),
            ("overlapping-chunks", CHUNKED, "overlapping chunks"),
        ):
            known = [(row["tokens"], row[key]) for row in at if row.get(key) is not None]
            if known:
                axis.plot(
                    *zip(*known, strict=True), color=colour, marker=marker, mfc="none", ms=4, ls="none", label=label
                )
        for row in at:
            seeds = [float(value) for value in str(row["by_seed"]).split()]
            axis.plot([row["tokens"]] * len(seeds), seeds, "_", color=AS_IT_IS[0], ms=6)
        axis.set_xscale("log")
        axis.set_xticks(tokens, [f"{n:g}" for n in tokens])
        axis.xaxis.set_minor_locator(matplotlib.ticker.NullLocator())
        axis.set_title(f"{rate:g} Hz", loc="left", fontsize=7)
        axis.set_xlabel("Tokens a training clip")
        axis.set_ylabel("STOI")
        axis.legend(frameon=False, fontsize=6, loc="lower left")
    return figure


def quality(study: Study, results: Path) -> Figure:
    """Every arm in every metric: intervals, and seeds as small marks; one panel a metric."""
    rows = read_rows(results / "probes" / "quality.csv")
    metrics = [metric for metric in TABLE_METRICS if metric in rows[0]]
    across = min(3, len(metrics))
    down = -(-len(metrics) // across)
    size = (7, down * (0.7 + 0.16 * len(rows)))
    figure, axes = plt.subplots(down, across, figsize=size, sharey=True, squeeze=False, layout="constrained")
    for axis, metric in zip(axes.flat, metrics, strict=False):
        known = [{key: row[f"{metric}{end}"] for key, end in VALUE.items()} for row in rows]
        _intervals(axis, known, [f"{row['frame_rate']:g} Hz: {row['arm']}" for row in rows], "value", zero=False)
        for place, row in enumerate(rows):
            seeds = [float(value) for value in str(row[f"{metric}_by_seed"]).split()]
            axis.plot(seeds, [place] * len(seeds), "|", color="black", ms=6, mew=0.8)
        axis.set_xlabel(METRICS[metric].heading)
    axes.flat[0].invert_yaxis()  # shared, so once for all
    for axis in axes.flat[len(metrics) :]:
        axis.set_visible(False)
    return figure


def audio(study: Study, results: Path) -> Figure:
    """The effects of more tokens and more audio with their intervals."""
    rows = [row for row in read_rows(results / "probes" / "audio.csv") if "effect" in row]
    figure, (axis,) = _panels(1, width=7)
    labels = [f"{row['frame_rate']:g} Hz: {row['effect']}" for row in rows]
    _intervals(axis, rows, labels, "difference")
    axis.set_xlabel("Difference in STOI")
    return figure


def repair(study: Study, results: Path) -> Figure:
    """What each edit of each model changes."""
    return _variants(results, "repair")


def chunks(study: Study, results: Path) -> Figure:
    """What decoding each model in chunks changes."""
    return _variants(results, "chunks")


def _variants(results: Path, probe: str) -> Figure:
    rows = [row for row in read_rows(results / "probes" / f"{probe}.csv") if "variant" in row]
    figure, (axis,) = _panels(1, height=max(1.2, 0.16 * len(rows)), width=7)
    _intervals(axis, rows, [f"{row['codec']}: {row['variant']}" for row in rows], "difference")
    axis.set_xscale("symlog", linthresh=0.02)  # a control that silences a layer lies ten times as far away
    axis.set_xticks([-0.2, -0.05, -0.02, -0.01, 0, 0.01, 0.02], minor=False)
    axis.xaxis.set_major_formatter("{x:g}")
    axis.set_xlabel("Difference in STOI to the model as it is")
    return figure


def load(study: Study, results: Path) -> Figure:
    """Slopes on phonemic load within and across frame rates."""
    rows = [row for row in read_rows(results / "probes" / "load.csv") if "metric" in row]
    figure, (axis,) = _panels(1, width=7)
    both = [
        {
            "value": row[part],
            "low": row[f"{part}_low"],
            "high": row[f"{part}_high"],
            "label": f"{row['group']}, {row['metric']}: {part}",
        }
        for row in rows
        for part in ("within", "across")
        if row[part] is not None
    ]
    _intervals(axis, both, [row["label"] for row in both], "value")
    axis.set_xlabel("Change of the metric a phoneme a frame")
    return figure


def drift(study: Study, results: Path) -> Figure:
    """The decoder's first convolution: norm of each tap, and rank correlation with its initial weights."""
    rows = [row for row in read_rows(results / "probes" / "drift.csv") if row["layer"] == "decoder.model.0"]
    figure, axes = _panels(2)
    for number, codec in enumerate(dict.fromkeys(row["codec"] for row in rows)):
        at = [row for row in rows if row["codec"] == codec]
        style = {"color": COLOURS[number % len(COLOURS)], "marker": "osD^v<>x"[number % 8], "ms": 3, "lw": 0.8}
        for axis, key in zip(axes, ("trained_norm", "rank_correlation"), strict=True):
            axis.plot([row["tap"] for row in at], [row[key] for row in at], label=codec, **style)
    for axis, label in zip(axes, ("Norm after training", "Rank correlation with the draw"), strict=True):
        axis.set_xlabel("Tap of the decoder's first convolution")
        axis.set_ylabel(label)
    axes[0].legend(frameon=False, fontsize=5)
    return figure


def positions(study: Study, results: Path) -> Figure:
    """Error by distance from the utterance's edge and from a token boundary, models with uncovered taps."""
    rows = read_rows(results / "probes" / "positions.csv")
    figure, axes = _panels(2, height=3.2)
    drawn = [row for row in rows if row["variant"] == "zero-uncovered"]
    codecs = list(dict.fromkeys(row["codec"] for row in drawn))
    for axis, (kind, label) in zip(axes, DISTANCES.items(), strict=True):
        for number, codec in enumerate(codecs):
            for variant, line in (("whole", "-"), ("zero-uncovered", ":"), ("overlapping-chunks", "--")):
                at = [r for r in rows if (r["codec"], r["variant"], r["distance"]) == (codec, variant, kind)]
                colour = COLOURS[number % len(COLOURS)]
                style = {"ls": line, "color": colour, "lw": 1, "label": f"{codec}, {variant}"}
                axis.plot([r["bin"] for r in at], [r["value"] for r in at], **style)
        axis.set_xlabel(label)
        axis.set_ylabel("Log-mel error (dB)")
    if codecs:
        handles, labels = axes[0].get_legend_handles_labels()
        figure.legend(handles, labels, loc="outside lower center", ncols=3, frameon=False, fontsize=5)
    return figure


def causes(study: Study, results: Path) -> Figure:
    """Every experiment with its interval; what each explanation predicts stands beside it."""
    rows = [row for row in read_rows(results / "probes" / "causes.csv") if "experiment" in row]
    figure, axes = plt.subplots(figsize=(7, 0.6 + 0.22 * max(1, len(rows))), layout="constrained")
    labels = [f"{row['experiment']}  [{row['coverage'][0]} {row['context'][0]} {row['zeros'][0]}]" for row in rows]
    _intervals(axes, rows, labels, "difference")
    axes.set_xlabel("Difference in STOI; in brackets what coverage, context and zeros predict")
    return figure


def along(study: Study, results: Path) -> Figure:
    """What zeroing taps gives at each kept step, one panel an arm; hollow and apart where a step lacks some seeds."""
    rows = [row for row in read_rows(results / "probes" / "along.csv") if "step" in row]
    names = list(dict.fromkeys(row["arm"] for row in rows))
    figure, axes = _panels(len(names))
    for axis, name in zip(axes, names, strict=False):
        at = [row for row in rows if row["arm"] == name]
        for key, (colour, marker), label in (
            ("zero-uncovered", REPAIRED, "uncovered taps zeroed"),
            ("zero-covered", AS_IT_IS, "as many covered"),
            ("overlapping-chunks", CHUNKED, "overlapping chunks"),
        ):
            known = [row for row in at if row.get(key) is not None]
            ends = [[row[f"{key}{end}"] for row in known] for end in ("_low", "_high")]
            axis.vlines([row["step"] for row in known], *ends, color=colour, lw=0.8)
            for complete, style in ((True, {"lw": 1, "label": label}), (False, {"lw": 0, "mfc": "white"})):
                some = [row for row in known if (row["seeds"] == max(row["seeds"] for row in at)) == complete]
                axis.plot(
                    [row["step"] for row in some],
                    [row[key] for row in some],
                    **{"color": colour, "marker": marker, "ms": 4, **style},
                )
        axis.axhline(0, color="black", lw=0.6)
        axis.set_title(name, fontsize=6)
        axis.set_xlabel("Step")
    axes[0].set_ylabel("Difference in STOI")
    if names:
        axes[len(names) - 1].legend(frameon=False, fontsize=5)
        limits = [axis.get_ylim() for axis in axes]  # one scale, or a difference of nothing looks like one
        for axis in axes:
            axis.set_ylim(min(low for low, _ in limits), max(high for _, high in limits))
    return figure


def bitrate(study: Study, results: Path) -> Figure:
    """Rate and distortion: STOI over bitrate, a mark a frame rate."""
    rows = [row for row in read_rows(results / "probes" / "bitrate.csv") if "bitrate" in row]
    figure, axes = plt.subplots(figsize=(3.5, 2.4), layout="constrained")
    for held, (colour, marker) in (("codebooks", AS_IT_IS), ("bitrate", CHUNKED)):
        at = [row for row in rows if row["held"] == held]
        places = [row["bitrate"] for row in at]
        axes.vlines(places, [row["low"] for row in at], [row["high"] for row in at], color=colour, lw=0.8)
        axes.plot(places, [row["value"] for row in at], color=colour, marker=marker, ms=4, lw=0.8, label=f"{held} held")
        for row in at:
            axes.annotate(
                f"{row['frame_rate']:g} Hz",
                (row["bitrate"], row["value"]),
                fontsize=5,
                xytext=(3, 2),
                textcoords="offset points",
            )
    axes.set_xscale("log", base=2)
    axes.set_xlabel("Bit/s")
    axes.set_ylabel("STOI")
    axes.legend(frameon=False, fontsize=5)
    return figure


def _intervals(axis, rows: list[Row], labels: list[str], key: str, zero: bool = True) -> None:
    places = np.arange(len(rows))
    axis.hlines(places, [row["low"] for row in rows], [row["high"] for row in rows], color=AS_IT_IS[0], lw=1)
    axis.plot([row[key] for row in rows], places, "o", color=AS_IT_IS[0], ms=3)
    axis.set_yticks(places, labels, fontsize=5.5)
    if zero:
        axis.axvline(0, color="black", lw=0.6)
        axis.invert_yaxis()


def _panels(number: int, height: float = 2.4, width: float = 3.5):
    """A row of panels, each of `width` inches, two columns (7 in) at most."""
    number = max(1, number)
    figure, axes = plt.subplots(1, number, figsize=(min(7, width * number), height), layout="constrained")
    return figure, np.atleast_1d(axes)


FIGURES: dict[str, Callable[[Study, Path], Figure]] = {
    "coverage": coverage,
    "repair": repair,
    "drift": drift,
    "chunks": chunks,
    "positions": positions,
    "dose": dose,
    "audio": audio,
    "load": load,
    "quality": quality,
    "causes": causes,
    "along": along,
    "bitrate": bitrate,
}
