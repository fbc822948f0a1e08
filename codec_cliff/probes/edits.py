"""Edits of single taps of a finished model's *effective* weights (weight norm removed): zero them, or draw them anew."""

import re
from collections.abc import Mapping, Sequence

import torch
from torch import nn

from codec_cliff.models.taps import LayerTaps

RESIDUAL = re.compile(
    r"(encoder\.block|decoder\.model)\.\d+\.block\.\d+\.block\.\d+"
)  # a convolution of DAC's residual units
Taps = Mapping[str, Sequence[int]]  # layer -> taps along its kernel


def effective_weight(layer: nn.Module) -> torch.Tensor:
    """The weight that a weight-normed convolution applies: g * v / ||v||."""
    return torch._weight_norm(layer.weight_v, layer.weight_g, 0).detach()


def write_weight(layer: nn.Module, weight: torch.Tensor) -> None:
    """Make `weight` the effective one: as v with g = ||v||, so the model keeps its form and loads like any other.

    Editing `weight_v` alone would scale the other taps up, for weight norm spreads one length over all of them.
    """
    with torch.no_grad():
        layer.weight_v.copy_(weight)
        layer.weight_g.copy_(weight.norm(dim=(1, 2), keepdim=True))


def zero_taps(layer: nn.Module, taps: Sequence[int]) -> None:
    """Set taps of the effective weight to zero and leave all others as they are."""
    weight = effective_weight(layer).clone()
    weight[..., list(taps)] = 0
    write_weight(layer, weight)


def randomise_taps(layer: nn.Module, taps: Sequence[int], seed: int) -> None:
    """Draw taps anew: Gaussian, each with its own norm kept in every channel of the weight's first axis."""
    weight = effective_weight(layer).clone()
    generator = torch.Generator().manual_seed(seed)
    for tap in taps:
        drawn = torch.randn(weight.shape[:2], generator=generator)
        length = weight[..., tap].norm(dim=1, keepdim=True)
        weight[..., tap] = drawn * length / drawn.norm(dim=1, keepdim=True)
    write_weight(layer, weight)


def uncovered_taps(layers: Sequence[LayerTaps]) -> dict[str, tuple[int, ...]]:
    """The taps that no training clip reaches, by layer."""
    return {layer.layer: layer.uncovered for layer in layers if layer.uncovered}


def least_covered_taps(layers: Sequence[LayerTaps]) -> dict[str, tuple[int, ...]]:
    """The control: in each of those layers as many *covered* taps, the ones that meet data least often.

    Where a layer has fewer covered taps than uncovered ones, all of its covered ones.
    """
    control = {}
    for layer in (layer for layer in layers if layer.uncovered):
        covered = [tap for tap in range(layer.taps) if layer.positions[tap]]
        covered.sort(key=lambda tap, layer=layer: layer.positions[tap])
        control[layer.layer] = tuple(sorted(covered[: len(layer.uncovered)]))
    return control


def silences(layers: Sequence[LayerTaps]) -> list[str]:
    """The layers that the control leaves no covered tap and that no residual connection leads around: nothing comes through."""
    control = least_covered_taps(layers)
    bare = [layer for layer in layers if len(control.get(layer.layer, ())) + len(layer.uncovered) == layer.taps]
    return [layer.layer for layer in bare if layer.uncovered and not RESIDUAL.fullmatch(layer.layer)]


def edit(model: nn.Module, name: str, layers: Sequence[LayerTaps], seed: int = 0) -> dict[str, list[int]]:
    """Apply one of `edit_names` to `model` in place; returns what was edited: layer -> taps."""
    uncovered = uncovered_taps(layers)
    taps = {"zero-covered": least_covered_taps(layers)}.get(name, uncovered)
    if name.startswith("zero-only:"):
        taps = {layer: found for layer, found in uncovered.items() if layer == name.removeprefix("zero-only:")}
    for number, (layer, found) in enumerate(taps.items()):
        if name == "randomise-uncovered":
            randomise_taps(model.get_submodule(layer), found, seed + number)
        else:
            zero_taps(model.get_submodule(layer), found)
    return {layer: list(found) for layer, found in taps.items()}


def edit_names(layers: Sequence[LayerTaps]) -> list[str]:
    """The repair, its two controls, and the repair of each layer alone where more than one has uncovered taps."""
    uncovered = uncovered_taps(layers)
    if not uncovered:
        return []
    single = [f"zero-only:{layer}" for layer in uncovered] if len(uncovered) > 1 else []
    return ["zero-uncovered", *single, "zero-covered", "randomise-uncovered"]
