"""How far each tap moved from its initial value: the initial weights are made again from the run's seed.

Weight norm and decay can only rescale an uncovered tap, one number a channel of the weight's first axis. So its direction in every
such channel stays what it was at the start: a cosine of 1, whatever its length.
"""

import argparse
from pathlib import Path

import torch
from torch import nn

from codec_cliff.config import Run
from codec_cliff.errors import exit_cleanly
from codec_cliff.files import write_csv
from codec_cliff.models.dac import build_generator, load_generator
from codec_cliff.probes.coverage import generator_taps
from codec_cliff.probes.edits import effective_weight


def initial_generator(run: Run) -> nn.Module:
    """The generator as its training began: the same seed, the same draws."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(run.seed)
        return build_generator(run)


def drift_rows(run: Run, model: nn.Module) -> list[dict[str, object]]:
    """One row a tap of each kernel longer than one: norms before and after, and the mean cosine between them over channels."""
    initial = initial_generator(run)
    rows = []
    for layer in (layer for layer in generator_taps(run) if layer.taps > 1):
        before, after = (effective_weight(part.get_submodule(layer.layer)) for part in (initial, model))
        cosines = nn.functional.cosine_similarity(before, after, dim=1).mean(0)  # (taps,), the mean over channels
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
                }
            )
    return rows


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--run-folder", required=True, type=Path)
    parser.add_argument("--output", required=True, type=Path, help="CSV, one row a tap")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    write_csv(arguments.output, drift_rows(*load_generator(arguments.run_folder)))


if __name__ == "__main__":
    exit_cleanly(main)
