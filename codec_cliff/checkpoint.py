"""Checkpoints that survive a kill: written aside, flushed, renamed; the previous one is kept until the new one is whole."""

import fcntl
import hashlib
import json
import logging
import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import MISSING, fields
from pathlib import Path
from typing import Any

import torch

from codec_cliff.config import Run, Training
from codec_cliff.errors import TrainingError
from codec_cliff.files import atomic_path

log = logging.getLogger("training")
NAME = "checkpoint.pt"
PREVIOUS = "checkpoint.previous.pt"
# What may differ between the run that wrote a checkpoint and the one that goes on from it: where and how it is watched.
FREE_KEYS = ("device", "log_every_steps", "checkpoint_every_seconds", "compile", "resident_store", "micro_batch_clips")


def digest(run: Run) -> str:
    """A hash of everything in a run's configuration that shapes its weights."""
    values = {key: value for key, value in run.to_dict().items() if key != "gpus"}
    younger = {field.name: field.default for field in fields(Training) if field.default is not MISSING}
    values[
        "training"
    ] = {  # a key younger than a checkpoint, at the value that it had without a name, makes no difference
        key: value
        for key, value in values["training"].items()
        if key not in FREE_KEYS and not (key in younger and value == younger[key])
    }
    return hashlib.sha256(json.dumps(values, sort_keys=True).encode()).hexdigest()[:16]


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
