"""What a training run says while it goes: train.csv, progress in plain lines, and the job's log."""

import json
import logging
import math
import os
import sys
from pathlib import Path

import torch
from torch import nn

from codec_cliff.corpus.store import AudioStore, Crop
from codec_cliff.files import atomic_path
from codec_cliff.study.config import Run
from codec_cliff.training.clips import step_clips
from codec_cliff.training.parallel import Team

log = logging.getLogger("training")


class CodesInUse:
    """Which codes of each level occurred since the last log line; their share is a mean over levels."""

    def __init__(self, run: Run):
        self.seen = torch.zeros(run.model.n_codebooks, run.model.codebook_size, dtype=torch.bool)
        self.frames = 0

    def add(self, codes: torch.Tensor) -> None:
        """Codes (B, n_codebooks, N) of a step."""
        flat = codes.detach().transpose(0, 1).flatten(1)  # (n_codebooks, B * N)
        self.seen = self.seen.to(codes.device).scatter(1, flat, True)
        self.frames += flat.shape[1]

    def share(self, members: Team = Team()) -> float:  # noqa: B008 (frozen)
        """Codes in use, by any process, over codes that could be, at most 1."""
        seen = members.largest(self.seen.to(torch.uint8))
        return seen.sum(1).float().mean().item() / min(seen.shape[1], self.frames * members.size)

    def reset(self) -> None:
        self.seen = torch.zeros_like(self.seen)
        self.frames = 0


class ClipTally:
    """What the clips so far really held: DAC pads a clip to a whole token, and an utterance shorter than the clip leaves zeros."""

    def __init__(self, run: Run, state: dict[str, int] | None = None):
        self.run = run
        self.counts = {"clips": 0, "samples": 0, "short_clips": 0} | (state or {})

    def add(self, crops: list[Crop]) -> None:
        self.counts["clips"] += len(crops)
        self.counts["samples"] += sum(crop.length for crop in crops)
        self.counts["short_clips"] += sum(crop.length < self.run.clip_samples for crop in crops)

    def state(self) -> dict[str, int]:
        return dict(self.counts)

    @property
    def shares(self) -> dict[str, float]:
        """Share of zeros in what the encoder read, share of clips whose utterance is shorter, and tokens of speech a clip, mean."""
        clips = max(1, self.counts["clips"])
        heard = self.counts["samples"] / clips
        return {
            "padded_share": 1 - heard / (self.run.tokens_per_clip * self.run.hop_length),
            "short_clips": self.counts["short_clips"] / clips,
            "tokens_heard": heard / self.run.hop_length,
        }


def write_bad_step(folder: Path, run: Run, store: AudioStore, step: int) -> Path:
    """The clips of a step whose loss or gradient was not finite: utterance, first sample, samples."""
    crops = step_clips(store, run, step).crops
    clips = [[store.utterances[crop.index].utterance_id, crop.start, crop.length] for crop in crops]
    with atomic_path(folder / "not_finite.json") as temporary:
        temporary.write_text(json.dumps({"step": step + 1, "clips": clips}, indent=1))
    return folder / "not_finite.json"


def describe(run: Run, generator: nn.Module, device: str, store: AudioStore) -> str:
    """What is about to be trained, in a line."""
    parameters = sum(parameter.numel() for parameter in generator.parameters()) / 1e6
    short = sum(utterance.n_samples < run.clip_samples for utterance in store.utterances) / len(store.utterances)
    return (
        f"{run.codec}: {parameters:.2f} M parameters on {device} in {run.training.precision}; "
        f"{run.training.steps} steps of {run.batch_clips} clips of {run.clip_seconds:g} s ({run.tokens_per_clip} tokens) "
        f"from {store.seconds / 3600:.2f} h of {len(store.utterances)} utterances, "
        f"{short:.1%} of them shorter than a clip"
    )


def progress(run: Run, row: dict[str, float], steps: int, seconds: float) -> str:
    """A plain line for a log: where the run is, how fast, and how long it will still take."""
    rate = steps / seconds
    left = (run.training.steps - row["step"]) / rate
    return (
        f"{run.codec}: step {row['step']}/{run.training.steps}, {rate:.2f} steps/s, {math.ceil(left / 60)} min left, "
        f"mel {row['mel']:.3f}, codes in use {row['codes_in_use']:.0%}"
    )


def configure_logging(path: str | None) -> None:
    """Plain lines go to the job's log, and to stderr where no progress bar is shown there; warnings always."""
    stream = logging.StreamHandler()
    bar = sys.stderr.isatty() and not os.environ.get("TQDM_DISABLE")
    stream.setLevel(logging.WARNING if bar else logging.INFO)
    handlers: list[logging.Handler] = [stream]
    if path:
        handlers.append(logging.FileHandler(path))
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s", datefmt="%H:%M:%S", handlers=handlers)
