"""Checkpoints that survive a kill: written aside, flushed, renamed; the previous one is kept until the new one is whole."""

import fcntl
import json
import logging
import os
import shutil
import socket
import zipfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save_file

from codec_cliff.errors import CodecError, ResultsError, TrainingError
from codec_cliff.files import atomic_path, read_json
from codec_cliff.models.dac import is_whole, load_run
from codec_cliff.study.config import Run, digest
from codec_cliff.training.step import restore

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


def load_checkpoint(folder: Path, run: Run, recordings: str | None = None) -> dict[str, Any] | None:
    """The newest whole checkpoint on the CPU, or None where there is none.

    Raises TrainingError where the folder's checkpoints are damaged or were written under another configuration or, by their digest,
    on other `recordings`.
    """
    found = [path for path in (folder / NAME, folder / PREVIOUS) if path.exists()]
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
    for name in (NAME, PREVIOUS):
        (folder / name).unlink(missing_ok=True)


def write_config(folder: Path, run: Run) -> None:
    """The folder's config.json."""
    with atomic_path(folder / "config.json") as temporary:
        temporary.write_text(json.dumps(run.to_dict(), indent=1))


def keep_step(folder: Path, run: Run, step: int, model: torch.nn.Module) -> None:
    """The weights after `step` as a run folder of their own, `steps/<step>`: it loads like a finished one."""
    kept = folder / STEPS / str(step)
    write_config(kept, _at_step(run, step))
    save_weights(kept, model)


def _at_step(run: Run, step: int) -> Run:
    return replace(run, codec=f"{run.codec}-step{step}")


def clear_others(folder: Path, run: Run, step: int) -> None:
    """Remove what is not of the training that goes on from `step`: final weights, their record, steps kept beyond or by another one.

    What a finished training left stays under FINISHED.
    """
    if not (folder / FINISHED).exists() and all((folder / name).exists() for name in FINAL):
        keep_finished(folder)  # a folder that was copied without it
    for name in FINAL:
        (folder / name).unlink(missing_ok=True)
    _remove_foreign_steps(folder, run, step)


def _remove_foreign_steps(folder: Path, run: Run, last: int) -> None:
    for kept in (folder / STEPS).glob("*/"):
        if not _is_step_of(kept, run) or int(kept.name) > last:
            shutil.rmtree(kept)


def _is_step_of(kept: Path, run: Run) -> bool:
    try:
        return digest(load_run(kept)) == digest(_at_step(run, int(kept.name)))
    except (CodecError, ValueError):
        return False


def save_weights(folder: Path, model: torch.nn.Module) -> None:
    """The folder's model.safetensors."""
    with atomic_path(folder / "model.safetensors") as temporary:
        save_file({name: tensor.contiguous() for name, tensor in model.state_dict().items()}, temporary)


def keep_finished(folder: Path) -> None:
    """Hold on to a finished run's weights and record, its table and the steps that it kept.

    Snakemake deletes the outputs of a job that it takes for failed or incomplete before it runs it again: where the driver was
    killed and the job went on to its end, that would be a finished model. And other settings may be tried in the folder.
    """
    shutil.rmtree(folder / FINISHED / STEPS, ignore_errors=True)  # of a training before, if any
    for path in (*_left_along(folder), *FINAL):
        _link(folder / path, folder / FINISHED / path)


def _left_along(place: Path) -> list[Path]:
    """What a training leaves in `place` along its way, by the paths in it."""
    steps = [kept / name for kept in (place / STEPS).glob("*/") for name in ("config.json", "model.safetensors")]
    return [path.relative_to(place) for path in (place / "train.csv", *steps) if path.exists()]


def restore_finished(folder: Path, run: Run, recordings: str) -> bool:
    """Put a finished run's files back in their places, if it was this very run on these very recordings and they are whole."""
    places = (folder / FINISHED, folder)
    records = [place / "run.json" for place in places if _is_record_of(place / "run.json", run, recordings)]
    models = [place / "model.safetensors" for place in places if records and is_whole(place, records[0])]
    if records and not models:
        log.warning("%s: was trained to its end, but its weights are missing or damaged", folder)
    if not models:
        return False
    if first_process():
        _put_back(folder, run, models[0], records[0])
    return True


def _put_back(folder: Path, run: Run, weights: Path, record: Path) -> None:
    """The configuration first: another one may have been tried in the folder since."""
    write_config(folder, run)
    _remove_foreign_steps(folder, run, run.training.steps)
    for path in _left_along(record.parent):
        _link(record.parent / path, folder / path)
    for source in (weights, record):
        _link(source, folder / source.name)
        os.utime(folder / source.name)
    keep_finished(folder)


def _is_record_of(path: Path, run: Run, recordings: str) -> bool:
    if not path.exists():
        return False
    try:
        record = read_json(path)
        return (record["digest"], record["recordings"]) == (digest(run), recordings)
    except (ResultsError, KeyError, TypeError) as error:
        log.warning("%s: unreadable (%s)", path, error)
        return False


def _link(source: Path, target: Path) -> None:
    """A second name for a file; a copy where the file system has no hard links."""
    with atomic_path(target) as temporary:
        try:
            os.link(source, temporary)
        except OSError:
            shutil.copyfile(source, temporary)


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
        except OSError as error:
            file.seek(0)
            raise TrainingError(
                f"{folder}: another trainer is at work in it ({file.read().strip()}); wait for it or stop it"
            ) from error
        file.truncate(0)
        file.write(f"process {os.getpid()} on {socket.gethostname()}\n")
        file.flush()
        for path in folder.rglob(".*.tmp"):  # of a trainer that was killed while it wrote
            path.unlink(missing_ok=True)
        yield
