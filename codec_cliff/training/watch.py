"""What a run watches from step to step and carries from checkpoint to checkpoint: time, clips, codes in use, values that are finite."""

import time
from pathlib import Path
from typing import Any

import torch

from codec_cliff.corpus.store import AudioStore, Crop
from codec_cliff.errors import TrainingError
from codec_cliff.study.config import Run
from codec_cliff.training.log import ClipTally, CodesInUse, log, write_bad_step
from codec_cliff.training.parallel import Team
from codec_cliff.training.step import Outcome

COLLAPSED = 0.1  # below this share of the codes that could be in use, a run is warned of as collapsed
MIN_FRAMES_TO_JUDGE = 100


class Watch:
    """A run's account of itself; `state` is what an earlier one left in a checkpoint."""

    def __init__(self, run: Run, members: Team, device: str, state: dict[str, Any] | None):
        self.run, self.members = run, members
        self.codes_in_use, self.warnings, self.seconds_before = CodesInUse(run), [], 0.0
        self.tally = ClipTally(run, state["clip_tally"] if state and "clip_tally" in state else None)
        if state:
            self.seconds_before, self.warnings = state["seconds"], state["warnings"]
            self.codes_in_use.seen, self.codes_in_use.frames = state["codes_seen"], state["code_frames"]
        # read at log steps alone: a look would wait for the GPU
        self.bad_step = torch.full((), -1, dtype=torch.int64, device=device)
        self.start = time.monotonic()

    @property
    def seconds(self) -> float:
        """Since the run's first start, the breaks left out."""
        return self.seconds_before + time.monotonic() - self.start

    def add(self, step: int, crops: list[Crop], outcome: Outcome) -> None:
        self.tally.add(crops)
        finite = torch.stack(
            [torch.isfinite(value) for value in (*outcome.losses.values(), *outcome.norms.values())]
        ).all()
        self.bad_step = torch.where(finite | (self.bad_step >= 0), self.bad_step, step)
        self.codes_in_use.add(outcome.codes)

    def check_finite(self, folder: Path, store: AudioStore) -> None:
        """Raises TrainingError where a loss or gradient of any step so far was not finite; its clips are listed in `folder`."""
        step = int(self.members.largest(self.bad_step).item())
        if step < 0:
            return
        path = write_bad_step(folder, self.run, store, step) if self.members.writes else folder
        raise TrainingError(
            f"{self.run.codec}: loss or gradient is not finite by step {step + 1}, whose clips {path} lists; "
            "the last good checkpoint is kept"
        )

    def row(self, done: int, outcome: Outcome, learning_rate: float) -> dict[str, float]:
        """The line of train.csv after `done` steps."""
        row = {name: self.members.mean(value).item() for name, value in outcome.losses.items()}
        row |= {"gradient_norm": outcome.norms["generator"].item()}
        row |= {"codes_in_use": self.codes_in_use.share(self.members)}
        row |= {"step": done, "seconds": self.seconds}
        row |= {"audio_seconds": done * self.run.batch_clips * self.run.clip_seconds}
        return row | {"learning_rate": learning_rate, **self.tally.shares}

    @staticmethod
    def collapsed(row: dict[str, float]) -> bool:
        return row["codes_in_use"] < COLLAPSED

    def judge(self, row: dict[str, float]) -> None:
        """Warn of codebooks that have collapsed since the last line, and count anew."""
        if self.codes_in_use.frames >= MIN_FRAMES_TO_JUDGE and self.collapsed(row):
            share = f"only {row['codes_in_use']:.1%} of the codes in use"
            self.warnings.append(f"step {row['step']}: {share}; the codebooks have collapsed")
            log.warning("%s: %s", self.run.codec, self.warnings[-1])
        self.codes_in_use.reset()

    def state(self) -> dict[str, Any]:
        """What a checkpoint holds of it; all processes take part."""
        self.codes_in_use.seen = self.members.largest(self.codes_in_use.seen.to(torch.uint8)).bool()
        codes = {"codes_seen": self.codes_in_use.seen.cpu(), "code_frames": self.codes_in_use.frames}
        return {"seconds": self.seconds, "warnings": self.warnings, "clip_tally": self.tally.state(), **codes}
