"""How far each tap moved from its initial value: the initial weights are made again from the run's seed.

The gradient that reaches an uncovered tap is a multiple of the tap itself, one number a channel of the weight's first axis, and
decay shrinks it. Adam divides each element's step by that element's own size, so it moves all elements of a channel towards or
away from zero by nearly the same amount: lengths and angles change, but the order of a channel's elements stays what the draw
made it. A rank correlation of 1 with the initial weights says that a tap holds nothing that was learnt from data.
"""

import argparse
from pathlib import Path

import torch
from torch import nn

from codec_cliff.errors import exit_cleanly
from codec_cliff.files import write_csv
from codec_cliff.models.coverage import generator_taps
from codec_cliff.models.dac import build_generator, load_generator
from codec_cliff.probes.edits import effective_weight
from codec_cliff.study.config import Run


def initial_generator(run: Run) -> nn.Module:
    """The generator as its training began: the same seed, the same draws."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(run.seed)
        return build_generator(run)


def drift_rows(run: Run, model: nn.Module) -> list[dict[str, object]]:
    """One row a tap of each kernel longer than one: norms before and after; cosine and rank correlation, means over channels."""
    initial = initial_generator(run)
    rows = []
    for layer in (layer for layer in generator_taps(run) if layer.taps > 1):
        before, after = (effective_weight(part.get_submodule(layer.layer)) for part in (initial, model))
        cosines = _cosine(before, after)  # (taps,)
        ranks = _cosine(*(_centred_ranks(weight) for weight in (before, after)))
        for tap, positions in enumerate(layer.positions):
            old, new = (weight[..., tap].norm().item() for weight in (before, after))
            rows.append(
                {
                    "codec": run.codec,
                    "layer": layer.layer,
                    "tap": tap,
                    "positions_per_clip": positions,
                    "initial_norm": old,
                    "trained_norm": new,
                    "cosine": cosines[tap].item(),
                    "rank_correlation": ranks[tap].item() if before.shape[1] > 1 else None,  # one element has no order
                }
            )
    return rows


def _cosine(before: torch.Tensor, after: torch.Tensor) -> torch.Tensor:
    """Of two weights (C, C', taps): by tap, the mean over the first axis of the cosine along the second."""
    return nn.functional.cosine_similarity(before, after, dim=1).mean(0)


def _centred_ranks(weight: torch.Tensor) -> torch.Tensor:
    ranks = weight.argsort(1).argsort(1).float()
    return ranks - ranks.mean(1, keepdim=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--run-folder", required=True, type=Path)
    parser.add_argument("--output", required=True, type=Path, help="CSV, one row a tap")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    write_csv(arguments.output, drift_rows(*load_generator(arguments.run_folder)))


if __name__ == "__main__":
    exit_cleanly(main)
