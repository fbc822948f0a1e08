"""A run folder holds one training: what a finished one left, or one that was stopped for it, is kept aside for its settings' return."""

import logging
import os
import shutil
from pathlib import Path

from codec_cliff.errors import CodecError, ResultsError
from codec_cliff.files import atomic_path, read_json
from codec_cliff.models.dac import is_whole, load_run
from codec_cliff.study.config import Run, digest
from codec_cliff.training.checkpoint import CHECKPOINTS, STEPS, at_step, checkpoints, first_process, write_config

log = logging.getLogger("training")
FINISHED = "finished"  # hard links to a finished run's files, under names that no workflow deletes
UNFINISHED = "unfinished"  # a training that stopped, while the finished one stands in the folder again
FINAL = ("model.safetensors", "run.json")


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
    _set_aside(folder, run)
    write_config(folder, run)
    _remove_foreign_steps(folder, run, run.training.steps)
    for path in _left_along(record.parent):
        _link(record.parent / path, folder / path)
    for source in (weights, record):
        _link(source, folder / source.name)
        os.utime(folder / source.name)
    keep_finished(folder)


def take_up(folder: Path, run: Run) -> None:
    """Bring back what was set aside, if it is this run's; what lies in its places is the finished run's, and kept."""
    aside = folder / UNFINISHED
    if _is_of(aside, digest(run)) and not checkpoints(folder):
        _move(aside, folder)
        shutil.rmtree(aside)


def _set_aside(folder: Path, run: Run) -> None:
    """Checkpoints of other settings and all that belongs to them."""
    if checkpoints(folder) and not _is_of(folder, digest(run)):
        shutil.rmtree(folder / UNFINISHED, ignore_errors=True)
        _move(folder, folder / UNFINISHED)


def _move(source: Path, target: Path) -> None:
    target.mkdir(exist_ok=True)
    shutil.rmtree(target / STEPS, ignore_errors=True)
    for name in ("train.csv", STEPS, *CHECKPOINTS, "config.json"):
        if (source / name).exists():
            os.replace(source / name, target / name)


def clear_others(folder: Path, run: Run, step: int) -> None:
    """Remove what is not of the training that goes on from `step`: final weights, their record, steps kept beyond or by another one.

    What a finished training left stays under FINISHED.
    """
    if not (folder / FINISHED).exists() and all((folder / name).exists() for name in FINAL):
        keep_finished(folder)  # a folder that was copied without it
    _complete(folder)
    for name in FINAL:
        (folder / name).unlink(missing_ok=True)
    _remove_foreign_steps(folder, run, step)


def _complete(folder: Path) -> None:
    """Table and kept steps of a run that finished when weights and record alone were held on to."""
    if (folder / FINISHED / "train.csv").exists():
        return
    try:
        settings = read_json(folder / FINISHED / "run.json")["digest"]
    except (ResultsError, KeyError, TypeError):
        return
    if _is_of(folder, settings):
        for path in _left_along(folder):
            _link(folder / path, folder / FINISHED / path)


def _remove_foreign_steps(folder: Path, run: Run, last: int) -> None:
    for kept in (folder / STEPS).glob("*/"):
        if not (
            kept.name.isdecimal() and int(kept.name) <= last and _is_of(kept, digest(at_step(run, int(kept.name))))
        ):
            shutil.rmtree(kept)


def _is_of(place: Path, settings: str | None) -> bool:
    """Whether a folder's configuration has this digest."""
    try:
        return digest(load_run(place)) == settings
    except CodecError:
        return False


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
