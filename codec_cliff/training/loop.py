"""Training of one codec: one frame rate, one clip protocol, one run folder (section 3.4; DAC's recipe)."""

import argparse
import json
import os
import signal
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import torch
from tqdm import tqdm

from codec_cliff.corpus.manifest import recordings_digest
from codec_cliff.corpus.store import AudioStore, open_store
from codec_cliff.device import choose_device, choose_precision
from codec_cliff.errors import TrainingError
from codec_cliff.files import atomic_path, sha256
from codec_cliff.models import coverage
from codec_cliff.models.quantizer import draw_levels
from codec_cliff.provenance import run_record
from codec_cliff.study.config import Run, digest
from codec_cliff.training.allocator import keep_freed_memory
from codec_cliff.training.checkpoint import (
    keep_finished,
    keep_step,
    load_checkpoint,
    remove_checkpoints,
    restore_finished,
    restore_parts,
    run_lock,
    save_checkpoint,
    save_weights,
)
from codec_cliff.training.clips import ClipSource, step_clips
from codec_cliff.training.graph import Stepper, own_stream
from codec_cliff.training.log import (
    ClipTally,
    CodesInUse,
    configure_logging,
    describe,
    log,
    progress,
    write_bad_step,
)
from codec_cliff.training.memory import choose_micro_batch, measured_bytes, needed_bytes, store_fits
from codec_cliff.training.parallel import Team, team
from codec_cliff.training.step import MicroBatch, build_networks, state_of
from codec_cliff.training.table import open_table, write_row

COLLAPSED = 0.1  # below this share of the codes that could be in use, a run is warned of as collapsed
MIN_FRAMES_TO_JUDGE = 100


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


def train(run: Run, store: AudioStore, folder: Path, stop: Stop, threads: int = 1) -> None:
    """Train `run` in `folder` until its last step, or until `stop` asks for an end; a found checkpoint is continued.

    Leaves config.json, train.csv, model.safetensors and run.json. Raises TrainingError on a loss or gradient that is not finite;
    the last good checkpoint stays. Under torchrun, every process calls this, and the first one writes.
    """
    recordings = recordings_digest(store.utterances)
    if restore_finished(folder, run, recordings):
        log.info(
            "%s: was trained to its end under these settings and is put back; to train it anew: "
            "snakemake clean_branch --config branch=%s", run.codec, run.codec,
        )  # fmt: skip
        return
    with team(choose_device(run.training.device)) as (members, device), own_stream(device):
        _train(run, store, folder, stop, threads, members, device, recordings)


def _train(
    run: Run, store: AudioStore, folder: Path, stop: Stop, threads: int, members: Team, device: str, recordings: str
) -> None:
    state = load_checkpoint(folder, run, recordings)
    if members.writes:  # not before: where a checkpoint is refused, the configuration beside it is its own
        with atomic_path(folder / "config.json") as temporary:
            temporary.write_text(json.dumps(run.to_dict(), indent=1))

    # a checkpoint's own precision and micro-batch: others would round otherwise
    precision = (state or {}).get("precision") or choose_precision(run.training.precision, device)
    set_arithmetic(precision, device, threads, run.training.deterministic)
    exact = replace(run, training=replace(run.training, precision=precision))
    torch.manual_seed(run.seed)
    networks = build_networks(run, device, members.wrap)
    parts, rows = networks.parts, members.rows(run.batch_clips)
    first_step, seconds_before, codes_in_use, warnings, clips_at_once = 0, 0.0, CodesInUse(run), [], None
    if state:
        restore_parts(parts, state, folder)
        first_step, seconds_before, warnings = state["step"], state["seconds"], state["warnings"]
        codes_in_use.seen, codes_in_use.frames = state["codes_seen"], state["code_frames"]
        clips_at_once = state.get("micro_batch_clips")
        log.info("%s: going on from the checkpoint at step %d", run.codec, first_step)
    table = open_table(folder / "train.csv", first_step, run) if members.writes else None
    log.info("%s", describe(exact, parts["generator"], device, store))
    if untrained := coverage.warning(run):
        log.warning("%s: %s", run.codec, untrained)
    needed = measured_bytes(networks, exact, device) if device.startswith("cuda") else needed_bytes(run)
    micro = MicroBatch(clips_at_once or choose_micro_batch(run, device, rows.stop - rows.start, needed), run.codec)
    source = ClipSource(store, run, device, store_fits(run, store, device, micro.clips, needed))
    stepper = Stepper(networks, exact, device, micro, "several GPUs" if members.size > 1 else None)
    tally = ClipTally(run, state["clip_tally"] if state and "clip_tally" in state else None)

    start = saved = shown = time.monotonic()
    bad_step = torch.full(
        (), -1, dtype=torch.int64, device=device
    )  # read at log steps alone: a look would wait for the GPU

    def seconds() -> float:
        return seconds_before + time.monotonic() - start

    def check_finite() -> None:
        step = int(members.largest(bad_step).item())
        if step < 0:
            return
        path = write_bad_step(folder, run, store, step) if members.writes else folder
        raise TrainingError(
            f"{run.codec}: loss or gradient is not finite by step {step + 1}, whose clips {path} lists; "
            "the last good checkpoint is kept"
        )

    def checkpoint(step: int) -> None:
        check_finite()
        codes_in_use.seen = members.largest(codes_in_use.seen.to(torch.uint8)).bool()
        if members.writes:
            states = {"recordings": recordings} | {name: state_of(part) for name, part in parts.items()}
            tracker = {"codes_seen": codes_in_use.seen.cpu(), "code_frames": codes_in_use.frames}
            tracker |= {"precision": precision, "micro_batch_clips": micro.clips, "clip_tally": tally.state()}
            save_checkpoint(
                folder, run, {"step": step, "seconds": seconds(), "warnings": warnings, **tracker, **states}
            )

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
        torch.manual_seed(run.seed * 2**32 + step)
        levels = draw_levels(run.batch_clips, run.model.n_codebooks, run.model.quantizer_dropout)[rows]
        tally.add(clips.crops)

        # forward, discriminators, generator
        outcome = stepper(audio, levels)
        finite = torch.stack(
            [torch.isfinite(value) for value in (*outcome.losses.values(), *outcome.norms.values())]
        ).all()
        bad_step = torch.where(finite | (bad_step >= 0), bad_step, step)
        codes_in_use.add(outcome.codes)

        # log
        done = step + 1
        if step == 0 or done % run.training.log_every_steps == 0 or done == run.training.steps:
            check_finite()
            row = {name: members.mean(value).item() for name, value in outcome.losses.items()}
            row |= {"gradient_norm": outcome.norms["generator"].item(), "codes_in_use": codes_in_use.share(members)}
            row |= {"step": done, "seconds": seconds(), "audio_seconds": done * run.batch_clips * run.clip_seconds}
            row |= {"learning_rate": float(parts["generator_schedule"].get_last_lr()[0]), **tally.shares}
            if members.writes:
                write_row(table, row)
            if codes_in_use.frames >= MIN_FRAMES_TO_JUDGE and row["codes_in_use"] < COLLAPSED:
                warnings.append(
                    f"step {done}: only {row['codes_in_use']:.1%} of the codes in use; the codebooks have collapsed"
                )
                log.warning("%s: %s", run.codec, warnings[-1])
            codes_in_use.reset()
            if time.monotonic() - shown > 10 or done == run.training.steps or step == 0:
                log.info("%s", progress(run, row, done - first_step, time.monotonic() - start))
                shown = time.monotonic()

        # keep
        if done in run.training.keep_steps and members.writes:
            check_finite()
            keep_step(folder, run, done, parts["generator"])

        # checkpoint
        reason = stop.reason
        due = time.monotonic() - saved > run.training.checkpoint_every_seconds
        stopping, due = members.any(reason is not None, due)
        if done < run.training.steps and (stopping or due):
            checkpoint(done)
            saved = time.monotonic()
        if stopping and done < run.training.steps:
            ahead.shutdown(wait=True)
            raise TrainingError(
                f"{run.codec}: stopped by {reason or 'another process'} at step {done}; "
                "a checkpoint is written, the same command goes on from it"
            )

    ahead.shutdown(wait=True)
    if not members.writes:
        return
    save_weights(folder, parts["generator"])
    collapsed = row["codes_in_use"] < COLLAPSED
    record = run_record(exact, device, seconds(), warnings, collapsed, tally.shares, micro.clips)
    record |= {"digest": digest(run), "recordings": recordings}
    record |= {"cuda_graph": stepper.captured, "cuda_graph_reason": stepper.reason}
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
