"""Training of one codec: one frame rate, one clip protocol, one run folder (section 3.4; DAC's recipe)."""

import argparse
import json
import signal
import time
from pathlib import Path

import torch
from safetensors.torch import save_file
from torch import nn
from tqdm import tqdm

from codec_cliff.checkpoint import (
    keep_finished,
    load_checkpoint,
    remove_checkpoints,
    restore_finished,
    run_lock,
    save_checkpoint,
)
from codec_cliff.config import Run, digest
from codec_cliff.corpus.manifest import recordings_digest
from codec_cliff.device import choose_device
from codec_cliff.errors import TrainingError, exit_cleanly
from codec_cliff.files import atomic_path
from codec_cliff.losses import MultiScaleMelLoss, discriminator_loss, generator_losses
from codec_cliff.models.dac import build_discriminator, build_generator
from codec_cliff.provenance import run_record
from codec_cliff.store import AudioStore, batch, open_store
from codec_cliff.training_log import configure_logging, describe, log, open_table, progress, write_row

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


class CodesInUse:
    """Which codes of each level occurred since the last log line; `share` is a mean over levels."""

    def __init__(self, run: Run):
        self.seen = torch.zeros(run.model.n_codebooks, run.model.codebook_size, dtype=torch.bool)
        self.frames = 0

    def add(self, codes: torch.Tensor) -> None:
        """Codes (B, n_codebooks, N) of a step."""
        flat = codes.detach().transpose(0, 1).flatten(1)  # (n_codebooks, B * N)
        self.seen = self.seen.to(codes.device).scatter(1, flat, True)
        self.frames += flat.shape[1]

    @property
    def share(self) -> float:
        """Codes in use over codes that could be, at most 1."""
        return self.seen.sum(1).float().mean().item() / min(self.seen.shape[1], self.frames)

    def reset(self) -> None:
        self.seen = torch.zeros_like(self.seen)
        self.frames = 0


def optimizer(module: nn.Module, run: Run) -> tuple[torch.optim.Optimizer, torch.optim.lr_scheduler.LRScheduler]:
    """AdamW with a per-step exponential decay, after a linear warm-up where one is configured."""
    training = run.training
    adamw = torch.optim.AdamW(
        module.parameters(),
        lr=training.learning_rate,
        betas=tuple(training.betas),
        weight_decay=training.weight_decay,
        fused=True,  # one pass over memory, on CPU and GPU alike
    )

    def factor(step: int) -> float:
        return training.learning_rate_decay**step * min(1.0, (step + 1) / max(1, training.warmup_steps))

    return adamw, torch.optim.lr_scheduler.LambdaLR(adamw, factor)


def train(run: Run, store: AudioStore, folder: Path, stop: Stop, threads: int = 1) -> None:
    """Train `run` in `folder` until its last step, or until `stop` asks for an end; a found checkpoint is continued.

    Leaves config.json, train.csv, model.safetensors and run.json. Raises TrainingError on a loss that is not finite; the last
    good checkpoint stays.
    """
    recordings = recordings_digest(store.utterances)
    if restore_finished(folder, run, recordings):
        log.info(
            "%s: was trained to its end under these settings and is put back; to train it anew: "
            "snakemake clean_branch --config branch=%s", run.codec, run.codec,
        )  # fmt: skip
        return
    torch.set_num_threads(threads)
    device = choose_device(run.training.device)
    with atomic_path(folder / "config.json") as temporary:
        temporary.write_text(json.dumps(run.to_dict(), indent=1))

    torch.manual_seed(run.seed)
    generator = build_generator(run).to(device)
    adversarial = run.discriminator.enabled
    discriminator = build_discriminator(run).to(device) if adversarial else nn.Identity()
    mel_loss = MultiScaleMelLoss(run.sample_rate).to(device)
    parts = {"generator": generator}
    parts["generator_optimizer"], parts["generator_schedule"] = optimizer(generator, run)
    if adversarial:
        parts["discriminator"] = discriminator
        parts["discriminator_optimizer"], parts["discriminator_schedule"] = optimizer(discriminator, run)

    first_step, seconds_before, codes_in_use, warnings = 0, 0.0, CodesInUse(run), []
    state = load_checkpoint(folder, run)
    if state:
        for name, part in parts.items():
            part.load_state_dict(state[name])
        first_step, seconds_before, warnings = state["step"], state["seconds"], state["warnings"]
        codes_in_use.seen, codes_in_use.frames = state["codes_seen"], state["code_frames"]
        log.info("%s: going on from the checkpoint at step %d", run.codec, first_step)
    table = open_table(folder / "train.csv", first_step)
    log.info("%s", describe(run, generator, device, store))

    start = saved = shown = time.monotonic()
    padded_samples, finite = 0, torch.ones((), dtype=torch.bool, device=device)

    def seconds() -> float:
        return seconds_before + time.monotonic() - start

    def check_finite(step: int) -> None:
        if not finite.item():
            raise TrainingError(
                f"{run.codec}: loss or gradient is not finite by step {step}; the last good checkpoint is kept"
            )

    def checkpoint(step: int) -> None:
        check_finite(step)
        states = {name: part.state_dict() for name, part in parts.items()}
        tracker = {"codes_seen": codes_in_use.seen.cpu(), "code_frames": codes_in_use.frames}
        save_checkpoint(folder, run, {"step": step, "seconds": seconds(), "warnings": warnings, **tracker, **states})

    for step in tqdm(
        range(first_step, run.training.steps), run.codec, initial=first_step, total=run.training.steps, disable=None
    ):
        # batch: a pure function of (seed, step); so is what the quantizer's dropout draws
        clips, crops = batch(store, run.seed, step, run.batch_clips, run.clip_samples)
        audio = torch.from_numpy(clips).to(device)[:, None]  # (B, 1, T)
        torch.manual_seed(run.seed * 2**32 + step)
        padded_samples += sum(run.tokens_per_clip * run.hop_length - clip.length for clip in crops)

        # forward
        output = generator(audio, run.sample_rate)
        losses = {
            "mel": mel_loss(output["audio"], audio),
            "commitment": output["vq/commitment_loss"],
            "codebook": output["vq/codebook_loss"],
        }

        # discriminator
        if adversarial:
            loss = discriminator_loss(discriminator(audio), discriminator(output["audio"].detach()))
            parts["discriminator_optimizer"].zero_grad(set_to_none=True)
            loss.backward()
            nn.utils.clip_grad_norm_(discriminator.parameters(), run.training.discriminator_gradient_clip)
            parts["discriminator_optimizer"].step()
            parts["discriminator_schedule"].step()
            with torch.no_grad():
                real = discriminator(audio)
            losses["adversarial"], losses["feature_matching"] = generator_losses(real, discriminator(output["audio"]))
            losses["discriminator"] = loss.detach()

        # generator
        total = sum(weight * losses[name] for name, weight in vars(run.losses).items() if name in losses)
        parts["generator_optimizer"].zero_grad(set_to_none=True)
        total.backward()
        gradient_norm = nn.utils.clip_grad_norm_(generator.parameters(), run.training.generator_gradient_clip)
        parts["generator_optimizer"].step()
        parts["generator_schedule"].step()
        finite &= torch.isfinite(total.detach()) & torch.isfinite(gradient_norm)
        codes_in_use.add(output["codes"])

        # log
        done = step + 1
        if step == 0 or done % run.training.log_every_steps == 0 or done == run.training.steps:
            check_finite(done)
            row = {name: value.item() for name, value in losses.items()}
            row |= {"loss": total.item(), "gradient_norm": gradient_norm.item(), "codes_in_use": codes_in_use.share}
            row |= {"step": done, "seconds": seconds(), "audio_seconds": done * run.batch_clips * run.clip_seconds}
            row["learning_rate"] = parts["generator_schedule"].get_last_lr()[0]
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

        # checkpoint
        reason = stop.reason
        if done < run.training.steps and (reason or time.monotonic() - saved > run.training.checkpoint_every_seconds):
            checkpoint(done)
            saved = time.monotonic()
        if reason and done < run.training.steps:
            raise TrainingError(
                f"{run.codec}: stopped by {reason} at step {done}; a checkpoint is written, the same command goes on from it"
            )

    with atomic_path(folder / "model.safetensors") as temporary:
        save_file({name: tensor.contiguous() for name, tensor in generator.state_dict().items()}, temporary)
    clip_slots = (run.training.steps - first_step) * run.batch_clips * run.tokens_per_clip * run.hop_length
    collapsed = row["codes_in_use"] < COLLAPSED
    record = run_record(run, device, seconds(), warnings, collapsed, padded_samples / clip_slots)
    record |= {"digest": digest(run), "recordings": recordings}
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


if __name__ == "__main__":
    exit_cleanly(main)
