"""A heat map of kernel coverage: layers down, taps across; crosses mark the taps that training never reaches."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from codec_cliff.canvas import Axes, Figure, matplotlib, plt
from codec_cliff.errors import ConfigError
from codec_cliff.files import atomic_path
from codec_cliff.models.taps import LayerTaps

SUFFIXES = (".png", ".pdf", ".svg")
WELL_COVERED = 0.9  # layers all of whose taps meet this share of their best tap's positions are left out


def draw_heat_map(clips: Mapping[str, Sequence[LayerTaps]]) -> Figure:
    """One panel a clip, by its title; only layers with a tap that is reached clearly less often than another."""
    shown = {title: [layer for layer in layers if min(layer.shares) < WELL_COVERED] for title, layers in clips.items()}
    heights = [max(1, len(layers)) for layers in shown.values()]
    size = (5.5, 0.7 * len(shown) + 0.13 * sum(heights) + 0.4)
    figure, axes = plt.subplots(len(shown), 1, figsize=size, height_ratios=heights, layout="constrained", squeeze=False)
    for axis, (title, layers) in zip(axes[:, 0], shown.items(), strict=True):
        axis.set_title(title, fontsize=7, loc="left")
        _panel(axis, layers)
    figure.colorbar(
        matplotlib.cm.ScalarMappable(matplotlib.colors.Normalize(0, 1), "viridis"),
        ax=axes,
        label="share of positions",
        shrink=0.5,
    )
    return figure


def _panel(axis: Axes, layers: Sequence[LayerTaps]) -> None:
    if not layers:
        axis.text(0.5, 0.5, "every tap well covered", ha="center", va="center", fontsize=7)
        axis.set_axis_off()
        return
    shares = np.full((len(layers), max(layer.taps for layer in layers)), np.nan)
    for row, layer in enumerate(layers):
        shares[row, : layer.taps] = layer.shares
        axis.plot(layer.uncovered, [row] * len(layer.uncovered), "x", color="red", ms=4)
    axis.imshow(shares, aspect="auto", vmin=0, vmax=1, cmap="viridis")
    axis.set_yticks(range(len(layers)), [layer.layer for layer in layers], fontsize=5)
    axis.xaxis.set_major_locator(matplotlib.ticker.MaxNLocator(integer=True))
    axis.tick_params(axis="x", labelsize=6)
    axis.set_xlabel("tap", fontsize=6)


def write_heat_map(clips: Mapping[str, Sequence[LayerTaps]], path: Path) -> None:
    """Write the figure as .png, .pdf or .svg; ConfigError on another suffix."""
    if path.suffix not in SUFFIXES:
        raise ConfigError(f"{path}: a heat map is written as {', '.join(SUFFIXES)}; name the file so")
    with atomic_path(path) as temporary:
        draw_heat_map(clips).savefig(temporary, format=path.suffix[1:], dpi=200)
    plt.close("all")
