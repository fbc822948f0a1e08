"""Checkpoints that survive a kill: written aside, flushed, renamed; the previous one is kept until the new one is whole."""

import fcntl
import json
import logging
import os
import socket
import zipfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save_file

from codec_cliff.errors import TrainingError
from codec_cliff.files import atomic_path
from codec_cliff.study.config import Run, digest
from codec_cliff.training.step import restore

log = logging.getLogger("training")
NAME = "checkpoint.pt"
PREVIOUS = "checkpoint.previous.pt"
CHECKPOINTS = (NAME, PREVIOUS)  # the newest first
STEPS = "steps"  # the folder of the weights that `training.keep_steps` asks for


def save_checkpoint(folder: Path, run: Run, state: dict[str, Any]) -> None:
    """Write `state` as the folder's checkpoint; on any failure, a full disk included, the earlier one stays."""
    with atomic_path(folder / NAME) as temporary:
        torch.save({"digest": digest(run), **state}, temporary)
        if (folder / NAME).exists():
            os.replace(folder / NAME, folder / PREVIOUS)


def checkpoints(folder: Path) -> list[Path]:
    """Those that lie in a folder, the newest first."""
    return [folder / name for name in CHECKPOINTS if (folder / name).exists()]


def load_checkpoint(folder: Path, run: Run, recordings: str | None = None) -> dict[str, Any] | None:
    """The newest whole checkpoint on the CPU, or None where there is none.

    Raises TrainingError where the folder's checkpoints are damaged or were written under another configuration or, by their digest,
    on other `recordings`.
    """
    found = checkpoints(folder)
    for path in found:
        if (state := _read(path)) is not None:
            _refuse_foreign(path, state, run, recordings)
            return state
    if found:
        raise TrainingError(f"{folder}: no checkpoint in it can be read; delete {folder} to start anew")
    return None


def _read(path: Path) -> dict[str, Any] | None:
    """A checkpoint, or None where it is damaged: torch writes checksums and never looks at them."""
    try:
        with zipfile.ZipFile(path) as archive:
            if damaged := archive.testzip():
                raise zipfile.BadZipFile(f"{damaged} has another checksum than was written")
        state = torch.load(path, map_location="cpu", weights_only=True)
        return {"digest": state["digest"], **state}
    except Exception as error:  # a damaged file raises whatever its first broken byte leads to
        log.warning("%s: unreadable (%s: %s); trying the one before", path, type(error).__name__, error)
        return None


def _refuse_foreign(path: Path, state: dict[str, Any], run: Run, recordings: str | None) -> None:
    if state["digest"] != digest(run):
        raise TrainingError(
            f"{path}: was written under another configuration than {run.codec}'s present one; "
            f"restore that configuration to go on with it, or delete {path.parent} to start anew"
        )
    if recordings is not None and state.get("recordings", recordings) != recordings:
        raise TrainingError(
            f"{path}: was trained on other recordings than {run.codec} is given now; "
            f"restore those to go on with it, or delete {path.parent} to start anew"
        )


def restore_parts(parts: Mapping[str, Any], state: Mapping[str, Any], folder: Path) -> None:
    """Put a checkpoint's states into networks, optimisers and schedules; TrainingError where they are of other shapes."""
    try:
        for name, part in parts.items():
            restore(part, state[name])
    except (KeyError, RuntimeError, ValueError) as error:
        reason = str(error).strip().splitlines()[0]
        raise TrainingError(
            f"{folder}: its checkpoint was written by another version of this software ({reason}); "
            f"go on with that version, or delete {folder} to start anew"
        ) from error


def remove_checkpoints(folder: Path) -> None:
    """Once the final weights are written."""
    for path in checkpoints(folder):
        path.unlink()


def write_config(folder: Path, run: Run) -> None:
    """The folder's config.json."""
    with atomic_path(folder / "config.json") as temporary:
        temporary.write_text(json.dumps(run.to_dict(), indent=1))


def keep_step(folder: Path, run: Run, step: int, model: torch.nn.Module) -> None:
    """The weights after `step` as a run folder of their own, `steps/<step>`: it loads like a finished one."""
    kept = folder / STEPS / str(step)
    write_config(kept, at_step(run, step))
    save_weights(kept, model)


def at_step(run: Run, step: int) -> Run:
    """The run that weights kept at a step are of."""
    return replace(run, codec=f"{run.codec}-step{step}")


def save_weights(folder: Path, model: torch.nn.Module) -> None:
    """The folder's model.safetensors."""
    with atomic_path(folder / "model.safetensors") as temporary:
        save_file({name: tensor.contiguous() for name, tensor in model.state_dict().items()}, temporary)


def first_process() -> bool:
    """Whether this process is the one that writes, also where those of torchrun have not met yet."""
    return os.environ.get("RANK", "0") == "0"


@contextmanager
def run_lock(folder: Path) -> Iterator[None]:
    """Hold the run folder against a second trainer; the lock goes with the process, however it ends.

    Of the processes that train together under torchrun, the first holds it for all.
    """
    if not first_process():
        yield
        return
    folder.mkdir(parents=True, exist_ok=True)
    with open(folder / "lock", "a+") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            file.seek(0)
            raise TrainingError(
                f"{folder}: another trainer is at work in it ({file.read().strip()}); wait for it or stop it"
            ) from error
        except OSError as error:
            raise TrainingError(
                f"{folder / 'lock'}: its file system cannot lock files ({error.strerror}); keep the study's folder on one that can"
            ) from error
        file.truncate(0)
        file.write(f"process {os.getpid()} on {socket.gethostname()}\n")
        file.flush()
        for path in folder.rglob(".*.tmp"):  # of a trainer that was killed while it wrote
            path.unlink(missing_ok=True)
        yield
