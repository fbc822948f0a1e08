"""What each change to DAC's step brings: our step with that change alone taken back, against our step as it is, turn and turn about.

The batch and the widths are those of benchmarks/training_step.py, on a CPU with one thread. The last line is `ratio X.XX`: our step
with all of them taken back over our step as it is.

    python -m benchmarks.training_changes [--precision float32] [--rounds 3]
"""

import argparse
import functools
import statistics
from collections.abc import Callable
from contextlib import ExitStack, nullcontext
from unittest import mock

import torch

from benchmarks.training_step import benchmark_run, seconds
from codec_cliff.models import dac, layers
from codec_cliff.training import step
from codec_cliff.training.allocator import keep_freed_memory, return_freed_memory
from codec_cliff.training.step import MicroBatch

generator_gradients = step.generator_gradients


def unfused(adamw: type, parameters: object, fused: bool, **settings: object) -> torch.optim.Optimizer:
    return adamw(parameters, **settings)


PATCHES: dict[str, Callable[[], object]] = {  # what puts DAC's own way back
    "Snake's gradient written out": lambda: mock.patch.object(layers, "Snake1d", ()),
    "one-tap and narrow convolutions as products": lambda: mock.patch.object(
        layers, "_faster_class", return_value=None
    ),
    "fewer multiplications in the period discriminators": lambda: mock.patch.object(
        dac, "replace_column_convolutions", lambda model: model
    ),
    "no weight gradients of the discriminators in the generator's phase": lambda: mock.patch.object(
        step, "frozen", return_value=nullcontext()
    ),
    "the generator's output used in both phases": lambda: mock.patch.object(
        step, "generator_gradients", lambda *arguments: generator_gradients(*arguments[:-2], [], arguments[-1])
    ),
    "AdamW fused": lambda: mock.patch.object(torch.optim, "AdamW", functools.partial(unfused, torch.optim.AdamW)),
    "freed memory kept": nullcontext,
}


class Ours:
    """Our step without some of its changes."""

    def __init__(self, without: list[str], precision: str):
        arguments = argparse.Namespace(clip_seconds=0.38, batch_clips=None, frame_rate=50, precision=precision)
        self.run, self.without = benchmark_run(arguments, "cpu"), without
        torch.manual_seed(0)
        self.audio = torch.randn(self.run.batch_clips, 1, self.run.clip_samples) * 0.1
        self.levels = torch.full((self.run.batch_clips,), self.run.model.n_codebooks)
        with self.patched():
            self.networks = step.build_networks(self.run, "cpu")

    def patched(self) -> ExitStack:
        stack = ExitStack()
        for name in self.without:
            stack.enter_context(PATCHES[name]())
        return stack

    def __call__(self) -> float:
        """Processor seconds of a step."""
        (return_freed_memory if "freed memory kept" in self.without else keep_freed_memory)()
        micro = MicroBatch(self.run.batch_clips)
        with self.patched():
            return seconds(lambda: step.optimise(self.networks, self.run, self.audio, self.levels, micro), "cpu")[1]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--precision", default="float32", choices=("float32", "bfloat16"))
    parser.add_argument("--rounds", type=int, default=3)
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    variants = {**{name: [name] for name in PATCHES}, "all of them": list(PATCHES)}
    for name, without in variants.items():
        pair = {"with": Ours([], arguments.precision), "without": Ours(without, arguments.precision)}
        times: dict[str, list[float]] = {side: [] for side in pair}
        for turn in range(arguments.rounds + 1):
            for side, ours in pair.items():
                taken = ours()
                if turn:  # the first warms up
                    times[side].append(taken)
        medians = {side: statistics.median(column) for side, column in times.items()}
        gain = medians["without"] / medians["with"]
        print(f"{name:68} without {medians['without']:6.3f} s, with {medians['with']:6.3f} s, {gain:.2f} x", flush=True)
    print(f"ratio {medians['without'] / medians['with']:.2f}")


if __name__ == "__main__":
    main()
