"""Training of one codec: one frame rate, one clip protocol, one run folder (section 3.4; DAC's recipe)."""

import argparse
import json
import os
import signal
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from torch import nn
from tqdm import tqdm

from codec_cliff.corpus.manifest import recordings_digest
from codec_cliff.corpus.store import AudioStore, open_store
from codec_cliff.device import choose_device, choose_precision
from codec_cliff.errors import TrainingError, anew
from codec_cliff.files import atomic_path, sha256
from codec_cliff.models import coverage
from codec_cliff.models.gpu.switches import has_triton
from codec_cliff.models.quantizer import draw_levels
from codec_cliff.provenance import run_record
from codec_cliff.study.config import Run, digest
from codec_cliff.training.allocator import keep_freed_memory
from codec_cliff.training.checkpoint import (
    first_process,
    keep_step,
    load_checkpoint,
    remove_checkpoints,
    restore_parts,
    run_lock,
    save_checkpoint,
    save_weights,
    write_config,
)
from codec_cliff.training.clips import ClipSource, step_clips
from codec_cliff.training.finished import clear_others, keep_finished, restore_finished, take_up
from codec_cliff.training.graph import Stepper, own_stream
from codec_cliff.training.log import (
    configure_logging,
    describe,
    log,
    progress,
)
from codec_cliff.training.memory import choose_micro_batch, store_fits
from codec_cliff.training.parallel import Team, team
from codec_cliff.training.step import MicroBatch, build_networks, state_of
from codec_cliff.training.table import open_table, write_row
from codec_cliff.training.watch import Watch


class Stop:
    """SIGTERM and SIGINT, and a soft deadline, asked for between steps, so that a checkpoint can still be written."""

    def __init__(self, max_seconds: float | None):
        self.signal: int | None = None
        self.deadline = None if max_seconds is None else time.monotonic() + max_seconds
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._remember)

    def _remember(self, number: int, _frame: object) -> None:
        self.signal = number

    @property
    def reason(self) -> str | None:
        if self.signal is not None:
            return signal.Signals(self.signal).name
        return "the soft deadline" if self.deadline is not None and time.monotonic() > self.deadline else None


def set_arithmetic(precision: str, device: str, threads: int, deterministic: bool = False) -> None:
    """How the process computes: threads, what the GPU may round, in which order it adds, and memory that is kept."""
    torch.set_num_threads(threads)
    if device.startswith("cuda"):
        torch.backends.cudnn.benchmark = False  # trying every kernel takes most of a minute a start, and gains nothing
        if deterministic:
            os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
            torch.utils.deterministic.fill_uninitialized_memory = False
        torch.use_deterministic_algorithms(deterministic)
        torch.backends.cudnn.allow_tf32 = torch.backends.cuda.matmul.allow_tf32 = precision == "tf32"
    else:
        keep_freed_memory()


def prepare_gpu(run: Run, device: str) -> None:
    """Keep to the run's share of the card, give the launching thread Python's lock in time, say where our kernels cannot be had.

    Clips are chosen on a thread beside it; at Python's usual 5 ms it waited that long at every operation.
    """
    sys.setswitchinterval(5e-5)
    if run.gpus < 1:
        torch.cuda.set_per_process_memory_fraction(run.gpus, torch.cuda.current_device())
    if not has_triton():
        log.warning("%s: Triton is not installed on this machine, so torch's own layers train on %s", run.codec, device)


def train(run: Run, store: AudioStore, folder: Path, stop: Stop, threads: int = 1) -> None:
    """Train `run` in `folder` until its last step, or until `stop` asks for an end; a found checkpoint is continued.

    Leaves config.json, train.csv, model.safetensors and run.json. Raises TrainingError on a loss or gradient that is not finite;
    the last good checkpoint stays. Under torchrun, every process calls this, and the first one writes.
    """
    recordings = recordings_digest(store.utterances)
    if restore_finished(folder, run, recordings):
        log.info(
            "%s: was trained to its end under these settings and is put back; to train it anew: %s",
            run.codec, anew(folder),
        )  # fmt: skip
        return
    if first_process():  # the team's meeting is after it
        take_up(folder, run)
    with team(choose_device(run.training.device)) as (members, device), own_stream(device):
        _train(run, store, folder, stop, threads, members, device, recordings)


def _train(
    run: Run, store: AudioStore, folder: Path, stop: Stop, threads: int, members: Team, device: str, recordings: str
) -> None:
    state = load_checkpoint(folder, run, recordings)
    if device.startswith("cuda"):
        prepare_gpu(run, device)
    if members.writes:  # not before: where a checkpoint is refused, the configuration beside it is its own
        clear_others(folder, run, state["step"] if state else 0)
        write_config(folder, run)

    # a checkpoint's own precision and micro-batch: others would round otherwise
    precision = (state or {}).get("precision") or choose_precision(run.training.precision, device)
    set_arithmetic(precision, device, threads, run.training.deterministic)
    exact = replace(run, training=replace(run.training, precision=precision))
    torch.manual_seed(run.seed)
    networks = build_networks(run, device, members.wrap)
    parts, rows = networks.parts, members.rows(run.batch_clips)
    first_step, clips_at_once = 0, None
    if state:
        restore_parts(parts, state, folder)
        first_step, clips_at_once = state["step"], state.get("micro_batch_clips")
        log.info("%s: going on from the checkpoint at step %d", run.codec, first_step)
    table = open_table(folder / "train.csv", first_step, run) if members.writes else None
    log.info("%s", describe(exact, parts["generator"], device, store))
    if untrained := coverage.warning(run):
        log.warning("%s: %s", run.codec, untrained)
    fitting, step_bytes = choose_micro_batch(exact, device, rows.stop - rows.start, networks)
    micro = MicroBatch(clips_at_once or fitting, run.codec)
    source = ClipSource(store, run, device, store_fits(run, store, device, step_bytes))
    stepper = Stepper(networks, exact, device, micro, "several GPUs" if members.size > 1 else None)
    watch = Watch(run, members, device, state)

    saved = shown = time.monotonic()
    steps = range(first_step, run.training.steps)
    ahead = ThreadPoolExecutor(1)  # the next step's clips are chosen while the device computes
    planned = ahead.submit(step_clips, store, run, first_step, rows.start, rows.stop - rows.start)
    for step in tqdm(
        steps, run.codec, initial=first_step, total=run.training.steps, disable=None if members.writes else True
    ):
        # batch: a pure function of (recordings, seed, step); so is what the quantizer's dropout draws
        clips = planned.result()
        planned = ahead.submit(step_clips, store, run, step + 1, rows.start, rows.stop - rows.start)
        audio = source.audio(clips)  # (B, 1, T)
        torch.manual_seed(step_seed(run.seed, step))
        levels = draw_levels(run.batch_clips, run.model.n_codebooks, run.model.quantizer_dropout)[rows]

        # forward, discriminators, generator
        outcome = stepper(audio, levels)
        watch.add(step, clips.crops, outcome)

        # log
        done = step + 1
        if step == 0 or done % run.training.log_every_steps == 0 or done == run.training.steps:
            watch.check_finite(folder, store)
            row = watch.row(done, outcome, float(parts["generator_schedule"].get_last_lr()[0]))
            if members.writes:
                write_row(table, row)
            watch.judge(row)
            if time.monotonic() - shown > 10 or done == run.training.steps or step == 0:
                log.info("%s", progress(run, row, done - first_step, time.monotonic() - watch.start))
                shown = time.monotonic()

        # keep
        if done in run.training.keep_steps:
            watch.check_finite(folder, store)  # all processes take part
            if members.writes:
                keep_step(folder, run, done, parts["generator"])

        # checkpoint
        reason = stop.reason
        due = time.monotonic() - saved > run.training.checkpoint_every_seconds
        stopping, due = members.any(reason is not None, due)
        if done < run.training.steps and (stopping or due):
            watch.check_finite(folder, store)
            state = {"step": done, "precision": precision, "micro_batch_clips": micro.clips, **watch.state()}
            if members.writes:
                states = {name: state_of(part) for name, part in parts.items()}
                save_checkpoint(folder, run, {**state, "recordings": recordings, **states})
            saved = time.monotonic()
        if stopping and done < run.training.steps:
            ahead.shutdown(wait=True)
            raise TrainingError(
                f"{run.codec}: stopped by {reason or 'another process'} at step {done}; "
                "a checkpoint is written, the same command goes on from it"
            )

    ahead.shutdown(wait=True)
    if members.writes:
        record = run_record(
            exact,
            device,
            watch.seconds,
            watch.warnings,
            watch.collapsed(row),
            watch.tally.shares,
            micro.clips,
        )
        record |= {"digest": digest(run), "recordings": recordings}
        record |= {"cuda_graph": stepper.captured, "cuda_graph_reason": stepper.reason}
        finish(folder, parts["generator"], record)


def step_seed(seed: int, step: int) -> int:
    """What torch's random state starts from at a step: its CPU generator reads no more than 32 bits. Seed 0 is the step itself."""
    return step ^ (seed * 0x9E3779B1 & 0xFFFFFFFF)


def finish(folder: Path, generator: nn.Module, record: dict[str, Any]) -> None:
    """The weights, then the record that they are whole by, then what is no longer needed."""
    save_weights(folder, generator)
    record["weights_sha256"] = sha256(folder / "model.safetensors")
    with atomic_path(folder / "run.json") as temporary:
        temporary.write_text(json.dumps(record, indent=1))
    keep_finished(folder)
    remove_checkpoints(folder)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--run", required=True, help="the run's resolved configuration as JSON")
    parser.add_argument("--manifest", required=True)
    parser.add_argument("--store", required=True)
    parser.add_argument("--folder", required=True, type=Path)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--max-seconds", type=float, help="write a checkpoint and exit non-zero after this long")
    parser.add_argument("--log", help="file that the progress lines go to")
    arguments = parser.parse_args()
    configure_logging(arguments.log)
    try:
        with run_lock(arguments.folder):
            run = Run.from_dict(json.loads(arguments.run))
            train(
                run,
                open_store(arguments.manifest, arguments.store),
                arguments.folder,
                Stop(arguments.max_seconds),
                arguments.threads,
            )
    except Exception as error:
        log.error("%s", error)
        raise
