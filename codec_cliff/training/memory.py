"""What a training step needs of the device's memory, and the micro-batch that fits."""

import logging
import math
import re
from dataclasses import replace
from pathlib import Path

import torch
from torch import nn

from codec_cliff.corpus.store import AudioStore
from codec_cliff.errors import TrainingError
from codec_cliff.models.dac import build_discriminator, build_generator
from codec_cliff.study.config import Run
from codec_cliff.training.losses import MultiScaleMelLoss
from codec_cliff.training.step import (
    Networks,
    discriminate,
    discriminator_gradients,
    generator_gradients,
    losses_of,
    out_of_memory,
)

log = logging.getLogger("training")
USABLE = 0.85  # of what is free: the rest is workspace, fragments and the estimate's error
OWN_GROUP, GROUPS = Path("/proc/self/cgroup"), Path("/sys/fs/cgroup")  # control groups, version 2


def needed_bytes(run: Run) -> tuple[int, int]:
    """Bytes a step needs whatever the batch (weights, gradients, Adam's two moments), and bytes for each clip at once.

    The second is what autograd keeps for one clip, counted on tensors without data, of the worse of a step's two phases.
    """
    run = replace(
        run, training=replace(run.training, precision="float32")
    )  # an upper bound; there is no autocast without data
    with torch.device("meta"):
        generator = build_generator(run)
        discriminator = build_discriminator(run) if run.discriminator.enabled else None
        mel_loss = MultiScaleMelLoss(run.sample_rate).to("meta")
        networks = Networks(generator, discriminator, mel_loss, {"discriminator": discriminator})
        audio = torch.zeros(1, 1, run.clip_samples)
        levels = torch.full((1,), run.model.n_codebooks)
        parameters = sum(parameter.numel() for part in modules(networks) for parameter in part.parameters())
        with Kept() as of_generator:
            output = networks.generator(audio, run.sample_rate, n_quantizers=levels)
        with Kept() as of_losses:
            losses_of(networks, run, output, audio)
        second = of_generator.bytes + of_losses.bytes
        if networks.discriminator is None:
            return 16 * parameters, second
        with Kept() as of_discriminator:
            discriminate(networks.discriminator, run, torch.cat([audio, audio]))
    return 16 * parameters, max(second, of_generator.bytes + of_discriminator.bytes)


def fitting_clips(run: Run, device: str, batch_clips: int, networks: Networks) -> tuple[int, int]:
    """The most clips that a trial step on the GPU has room for, in parts of one size, and the bytes that a step then takes.

    Other processes may work on the same card: what counts is what is free now. A batch too large for something other than the memory,
    as for a kernel's launch, does not fit either; what fails with a single clip is raised.
    """
    networks = replace(
        networks, generator=networks.parts["generator"], discriminator=networks.parts.get("discriminator")
    )
    for clips in (batch_clips // parts for parts in range(1, batch_clips + 1) if batch_clips % parts == 0):
        try:
            taken = _trial_bytes(networks, run, device, clips)
        except (torch.OutOfMemoryError, RuntimeError) as error:
            if not out_of_memory(error):
                if clips == 1:
                    raise
                what = (run.codec, clips, str(error).partition("\n")[0])
                log.warning("%s: a trial step with %d clips at once fails (%s); going on with fewer", *what)
            taken = None
        for module in modules(networks):
            module.zero_grad(set_to_none=True)
        torch.cuda.empty_cache()
        free = free_share(run, device)
        if taken is not None and taken < USABLE * free:
            log.info(
                "%s: a trial step with %d of %d clips of %g s at once takes %.2f GB; %.1f GB are free",
                *(run.codec, clips, batch_clips, run.clip_seconds, taken / 1e9, free / 1e9),
            )
            return clips, taken
    raise TrainingError(f"{run.codec}: {free / 1e9:.1f} GB of {device} are free, too little for a step with one clip")


def _trial_bytes(networks: Networks, run: Run, device: str, clips: int) -> int:
    """Bytes on the GPU at the peak of a step: weights, gradients, activations, and AdamW's moments, which may not be there yet.

    Weights, moments and random states stay as they are.
    """
    random = torch.Generator().manual_seed(0)
    audio = (torch.randn(clips, 1, run.clip_samples, generator=random) * 0.1).to(device)
    levels = torch.full((clips,), run.model.n_codebooks, device=device)
    torch.cuda.reset_peak_memory_stats(device)
    kept = []
    if networks.discriminator is not None:
        _, kept = discriminator_gradients(networks, run, audio, levels, clips)
    generator_gradients(networks, run, audio, levels, kept, clips)
    weights = sum(parameter.numel() for module in modules(networks) for parameter in module.parameters())
    return torch.cuda.max_memory_allocated(device) + 8 * weights


def modules(networks: object) -> list[nn.Module]:
    return [part for part in vars(networks).values() if isinstance(part, nn.Module)]


class Kept(torch.autograd.graph.saved_tensors_hooks):
    """Bytes of the storages that autograd keeps for the backward pass, parameters left out."""

    def __init__(self):
        self.storages: dict[int, torch.UntypedStorage] = {}
        super().__init__(self._pack, lambda tensor: tensor)

    def __enter__(self) -> "Kept":
        super().__enter__()
        return self

    def _pack(self, tensor: torch.Tensor) -> torch.Tensor:
        if not isinstance(tensor, nn.Parameter):
            storage = tensor.untyped_storage()
            self.storages[storage._cdata] = storage
        return tensor

    @property
    def bytes(self) -> int:
        return sum(storage.nbytes() for storage in self.storages.values())


def free_bytes(device: str) -> int:
    """Memory free on the GPU, or of this machine and the control group that the process runs in."""
    if device.startswith("cuda"):  # what this process holds and does not use counts as free
        return torch.cuda.mem_get_info(device)[0] + torch.cuda.memory_reserved(device)
    fields = dict(line.split(":") for line in Path("/proc/meminfo").read_text().splitlines())
    return min([int(fields["MemAvailable"].split()[0]) * 1024, *_left_in_groups()])


def _left_in_groups() -> list[int]:
    """What the process' control group and those above it have left of their limits; a job's own lies below the machine's."""
    own = re.search("^0::/(.*)$", OWN_GROUP.read_text() if OWN_GROUP.exists() else "", re.MULTILINE)
    group = GROUPS / own[1] if own else GROUPS
    files = [(place / "memory.max", place / "memory.current") for place in (group, *group.parents)]
    limits = [(limit.read_text(), used.read_text()) for limit, used in files if limit.exists() and used.exists()]
    return [int(limit) - int(used) for limit, used in limits if limit.strip() != "max"]


def free_share(run: Run, device: str) -> float:
    """What a run may take of the memory that is free now: where it has a share of a card, no more than that."""
    free = free_bytes(device)
    return free if run.gpus >= 1 else min(free, run.gpus * torch.cuda.get_device_properties(device).total_memory)


def choose_micro_batch(run: Run, device: str, batch_clips: int, networks: Networks) -> tuple[int, int]:
    """The configured number of clips at once, or the most that fit, in parts of equal size, and a step's bytes; says what it found.

    On a GPU a trial step tells; on a CPU, where memory grows as it is used, an estimate.
    """
    wanted = run.training.micro_batch_clips
    if device.startswith("cuda"):
        clips, taken = fitting_clips(run, device, batch_clips, networks)
        return (clips if wanted is None else min(wanted, batch_clips)), taken
    fixed, per_clip = needed_bytes(run)
    if wanted is not None:
        return min(wanted, batch_clips), fixed + wanted * per_clip
    free = free_bytes(device)
    fitting = max(1, int((USABLE * free - fixed) // per_clip))
    clips = math.ceil(batch_clips / math.ceil(batch_clips / min(fitting, batch_clips)))
    log.info(
        "%s: needs %.2f GB for weights and optimisers and %.3f GB a clip of %g s; %.1f GB are free: %d of %d clips at once",
        *(run.codec, fixed / 1e9, per_clip / 1e9, run.clip_seconds, free / 1e9, clips, batch_clips),
    )
    return clips, fixed + clips * per_clip


def store_fits(run: Run, store: AudioStore, device: str, step_bytes: int) -> bool:
    """Whether the recordings may lie on the device beside a step; on a CPU they are memory-mapped as they are."""
    if not device.startswith("cuda") or not run.training.resident_store:
        return False
    return store.samples.nbytes < USABLE * free_share(run, device) - step_bytes
