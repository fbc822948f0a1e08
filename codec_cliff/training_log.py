"""What a training run says while it goes: train.csv, progress in plain lines, and the job's log."""

import csv
import logging
import math
import os
import sys
from pathlib import Path

from torch import nn

from codec_cliff.config import Run
from codec_cliff.files import atomic_path
from codec_cliff.store import AudioStore

log = logging.getLogger("training")


def describe(run: Run, generator: nn.Module, device: str, store: AudioStore) -> str:
    """What is about to be trained, in a line."""
    parameters = sum(parameter.numel() for parameter in generator.parameters()) / 1e6
    return (
        f"{run.codec}: {parameters:.2f} M parameters on {device}; {run.training.steps} steps of {run.batch_clips} clips of "
        f"{run.clip_seconds:g} s ({run.tokens_per_clip} tokens) from {store.seconds / 3600:.2f} h of {len(store.utterances)} utterances"
    )


def progress(run: Run, row: dict[str, float], steps: int, seconds: float) -> str:
    """A plain line for a log: where the run is, how fast, and how long it will still take."""
    rate = steps / seconds
    left = (run.training.steps - row["step"]) / rate
    return (
        f"{run.codec}: step {row['step']}/{run.training.steps}, {rate:.2f} steps/s, {math.ceil(left / 60)} min left, "
        f"mel {row['mel']:.3f}, codes in use {row['codes_in_use']:.0%}"
    )


COLUMNS = ["step", "seconds", "audio_seconds", "learning_rate", "loss", "mel", "commitment", "codebook"]
COLUMNS += ["adversarial", "feature_matching", "discriminator", "gradient_norm", "codes_in_use"]


def open_table(path: Path, first_step: int) -> Path:
    """Keep the rows up to the checkpoint that a run goes on from; start anew where there is none."""
    rows = []
    if first_step and path.exists():
        with open(path, newline="") as file:
            rows = [row for row in csv.DictReader(file) if int(row["step"]) <= first_step]
    with atomic_path(path) as temporary, open(temporary, "w", newline="") as file:
        writer = csv.DictWriter(file, COLUMNS)
        writer.writeheader()
        writer.writerows(rows)
    return path


def write_row(path: Path, row: dict[str, float]) -> None:
    with open(path, "a", newline="") as file:
        csv.DictWriter(file, COLUMNS, restval="").writerow({name: f"{value:.6g}" for name, value in row.items()})


def configure_logging(path: str | None) -> None:
    """Plain lines go to the job's log, and to stderr where no progress bar is shown there; warnings always."""
    stream = logging.StreamHandler()
    bar = sys.stderr.isatty() and not os.environ.get("TQDM_DISABLE")
    stream.setLevel(logging.WARNING if bar else logging.INFO)
    handlers: list[logging.Handler] = [stream]
    if path:
        handlers.append(logging.FileHandler(path))
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s", datefmt="%H:%M:%S", handlers=handlers)
