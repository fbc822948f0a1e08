"""A finished model with its uncovered taps set to zero, nothing retrained: what do taps that no data ever shaped cost?"""

import argparse
import json
from dataclasses import replace
from pathlib import Path

import torch
from safetensors.torch import save_file
from torch import nn

from codec_cliff.config import Run
from codec_cliff.errors import exit_cleanly
from codec_cliff.files import atomic_path
from codec_cliff.models.dac import load_generator
from codec_cliff.probes.coverage import LayerCoverage, generator_coverage


def effective_weight(layer: nn.Module) -> torch.Tensor:
    """The weight that a weight-normed convolution applies: g * v / ||v||."""
    return torch._weight_norm(layer.weight_v, layer.weight_g, 0).detach()


def tap_norms(layer: nn.Module) -> list[float]:
    """Norm of each tap of the effective weight, along the kernel."""
    return effective_weight(layer).norm(dim=(0, 1)).tolist()


def zero_taps(layer: nn.Module, taps: tuple[int, ...]) -> None:
    """Set taps of the *effective* weight to zero and leave all others as they are.

    Zeroing `weight_v` alone would scale the trained taps up, for weight norm would spread the same length over fewer of them.
    The edited weight is written back as v with g = ||v||, so the model keeps its form and loads like any other.
    """
    weight = effective_weight(layer).clone()
    weight[..., list(taps)] = 0
    with torch.no_grad():
        layer.weight_v.copy_(weight)
        layer.weight_g.copy_(weight.norm(dim=(1, 2), keepdim=True))


def repair(model: nn.Module, coverage: list[LayerCoverage]) -> dict[str, dict[str, object]]:
    """Zero every uncovered tap of `model` in place; returns, by layer, the taps and all tap norms before."""
    edited: dict[str, dict[str, object]] = {}
    for part in coverage:
        if part.uncovered:
            layer = model.get_submodule(part.layer)
            edited[part.layer] = {"taps": list(part.uncovered), "tap_norms_before": tap_norms(layer)}
            zero_taps(layer, part.uncovered)
    return edited


def write_repaired(source: Path, folder: Path) -> None:
    """Read the run folder `source`, write the repaired run folder: config.json, model.safetensors, repair.json."""
    run, model = load_generator(source)
    edited = repair(model, generator_coverage(run))
    repaired: Run = replace(run, codec=f"{run.codec}-repaired")
    folder.mkdir(parents=True, exist_ok=True)
    for name, content in (
        ("config.json", repaired.to_dict()),
        ("repair.json", {"source": run.codec, "layers": edited}),
    ):
        with atomic_path(folder / name) as temporary:
            temporary.write_text(json.dumps(content, indent=1))
    with atomic_path(folder / "model.safetensors") as temporary:
        save_file({name: tensor.contiguous() for name, tensor in model.state_dict().items()}, temporary)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--source", required=True, type=Path, help="run folder of the finished model")
    parser.add_argument("--folder", required=True, type=Path, help="run folder of the repaired one")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    write_repaired(arguments.source, arguments.folder)


if __name__ == "__main__":
    exit_cleanly(main)
