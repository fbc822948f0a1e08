"""Checkpoints that survive a kill: written aside, flushed, renamed; the previous one is kept until the new one is whole."""

import fcntl
import json
import logging
import os
import shutil
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save_file

from codec_cliff.errors import TrainingError
from codec_cliff.files import atomic_path
from codec_cliff.study.config import Run, digest

log = logging.getLogger("training")
NAME = "checkpoint.pt"
PREVIOUS = "checkpoint.previous.pt"
FINISHED = "finished"  # hard links to a finished run's files, under names that no workflow deletes
STEPS = "steps"  # the folder of the weights that `training.keep_steps` asks for
FINAL = ("model.safetensors", "run.json")


def save_checkpoint(folder: Path, run: Run, state: dict[str, Any]) -> None:
    """Write `state` as the folder's checkpoint; on any failure, a full disk included, the earlier one stays."""
    with atomic_path(folder / NAME) as temporary:
        torch.save({"digest": digest(run), **state}, temporary)
        if (folder / NAME).exists():
            os.replace(folder / NAME, folder / PREVIOUS)


def load_checkpoint(folder: Path, run: Run) -> dict[str, Any] | None:
    """The newest whole checkpoint on the CPU, or None where there is none.

    Raises TrainingError where the folder's checkpoints are unreadable or were written under another configuration.
    """
    found = [path for path in (folder / NAME, folder / PREVIOUS) if path.exists()]
    for path in found:
        try:
            state = torch.load(path, map_location="cpu", weights_only=True)
        except Exception as error:  # a truncated file raises whatever its first broken byte leads to
            log.warning("%s: unreadable (%s: %s); trying the one before", path, type(error).__name__, error)
            continue
        if state.get("digest") != digest(run):
            raise TrainingError(
                f"{path}: was written under another configuration than {run.codec}'s present one; "
                f"restore that configuration to go on with it, or delete {folder} to start anew"
            )
        return state
    if found:
        raise TrainingError(f"{folder}: no checkpoint in it can be read; delete {folder} to start anew")
    return None


def remove_checkpoints(folder: Path) -> None:
    """Once the final weights are written."""
    for name in (NAME, PREVIOUS):
        (folder / name).unlink(missing_ok=True)


def keep_step(folder: Path, run: Run, step: int, model: torch.nn.Module) -> None:
    """The weights after `step` as a run folder of their own, `steps/<step>`: it loads like a finished one."""
    kept = folder / STEPS / str(step)
    kept.mkdir(parents=True, exist_ok=True)
    with atomic_path(kept / "config.json") as temporary:
        temporary.write_text(json.dumps(replace(run, codec=f"{run.codec}-step{step}").to_dict(), indent=1))
    save_weights(kept, model)


def save_weights(folder: Path, model: torch.nn.Module) -> None:
    """The folder's model.safetensors."""
    with atomic_path(folder / "model.safetensors") as temporary:
        save_file({name: tensor.contiguous() for name, tensor in model.state_dict().items()}, temporary)


def keep_finished(folder: Path) -> None:
    """Hold on to a finished run's weights and record.

    Snakemake deletes the outputs of a job that it takes for failed or incomplete before it runs it again: where the driver was
    killed and the job went on to its end, that would be a finished model.
    """
    (folder / FINISHED).mkdir(exist_ok=True)
    for name in FINAL:
        _link(folder / name, folder / FINISHED / name)


def restore_finished(folder: Path, run: Run, recordings: str) -> bool:
    """Put a finished run's files back in their places, if it was this very run on these very recordings."""
    kept = folder / FINISHED
    if not all((kept / name).exists() for name in FINAL):
        return False
    record = json.loads((kept / "run.json").read_text())
    if (record.get("digest"), record.get("recordings")) != (digest(run), recordings):
        return False
    for name in FINAL:
        _link(kept / name, folder / name)
        os.utime(folder / name)
    return True


def _link(source: Path, target: Path) -> None:
    """A second name for a file; a copy where the file system has no hard links."""
    with atomic_path(target) as temporary:
        try:
            os.link(source, temporary)
        except OSError:
            shutil.copyfile(source, temporary)


@contextmanager
def run_lock(folder: Path) -> Iterator[None]:
    """Hold the run folder against a second trainer; the lock goes with the process, however it ends.

    Of the processes that train together under torchrun, the first holds it for all.
    """
    if os.environ.get("RANK", "0") != "0":
        yield
        return
    folder.mkdir(parents=True, exist_ok=True)
    with open(folder / "lock", "a+") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            file.seek(0)
            raise TrainingError(
                f"{folder}: another trainer is at work in it ({file.read().strip()}); wait for it or stop it"
            ) from error
        file.truncate(0)
        file.write(f"process {os.getpid()} on {socket.gethostname()}\n")
        file.flush()
        yield
