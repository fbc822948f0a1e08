"""One optimisation step of DAC: the discriminators on real and decoded clips, then the generator against them (section 3.4).

Arithmetic and order are those of DAC's training script (a test holds losses, gradients and weights to a step of its own modules);
what it computes without need is left out: gradients of the discriminators' weights under the generator's loss, a graph through the
real clips' feature maps, and two logged losses of no weight.
"""

import logging
import math
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from typing import Any, TypeVar

import torch
from torch import nn
from torch.nn.parallel import DistributedDataParallel

from codec_cliff.errors import TrainingError
from codec_cliff.models.dac import build_discriminator, build_generator
from codec_cliff.models.periods import frozen
from codec_cliff.study.config import Run
from codec_cliff.training.losses import MultiScaleMelLoss, discriminator_loss, generator_losses

log = logging.getLogger("training")
Losses = dict[str, torch.Tensor]
Result = TypeVar("Result")


@dataclass
class Networks:
    """What a step trains and measures with; `discriminator` is None where a study trains without one."""

    generator: nn.Module
    discriminator: nn.Module | None
    mel_loss: nn.Module
    parts: dict[str, Any]  # everything that has a state_dict, under the name it has in a checkpoint


@dataclass(frozen=True)
class Outcome:
    """What a step leaves: losses, gradient norms before clipping, and the codes (B, n_codebooks, N)."""

    losses: Losses
    norms: Losses
    codes: torch.Tensor


class MicroBatch:
    """How many clips go through the networks at once; halved once where the device runs out of memory, unless they are final."""

    def __init__(self, clips: int, codec: str = "", final: bool = False):
        self.clips, self.codec, self.halved = clips, codec, final

    def attempt(self, phase: Callable[..., Result], *arguments: Any) -> Result:
        """One phase of a step, `phase(*arguments, clips)`, which must start from zeroed gradients; a second time with half the
        clips if memory runs out.
        """
        try:
            return phase(*arguments, self.clips)
        except (torch.OutOfMemoryError, RuntimeError) as error:
            if not out_of_memory(error):
                raise
            if self.halved or self.clips == 1:
                raise TrainingError(
                    f"{self.codec}: out of memory with {self.clips} clips at once; set training.micro_batch_clips below that"
                ) from None
        self.clips, self.halved = math.ceil(self.clips / 2), True
        log.warning("%s: out of memory; going on with %d clips at once, gradients accumulated", self.codec, self.clips)
        if torch.cuda.is_available():
            torch.cuda.empty_cache()
        return phase(*arguments, self.clips)


def out_of_memory(error: Exception) -> bool:
    """Of a GPU, or of the CPU's allocator, which has no class of its own."""
    return isinstance(error, torch.OutOfMemoryError) or "can't allocate memory" in str(error)


def build_networks(run: Run, device: str, wrap: Callable[[nn.Module], nn.Module] = lambda module: module) -> Networks:
    """Networks with fresh weights from torch's random state; `wrap` makes each a data-parallel one where there are several GPUs."""
    generator = build_generator(run).to(device)
    discriminator = build_discriminator(run).to(device) if run.discriminator.enabled else None
    parts: dict[str, Any] = {"generator": generator}
    parts["generator_optimizer"], parts["generator_schedule"] = optimizer(generator, run, device)
    if discriminator is not None:
        parts["discriminator"] = discriminator
        parts["discriminator_optimizer"], parts["discriminator_schedule"] = optimizer(discriminator, run, device)
    wrapped = [None if module is None else wrap(module) for module in (generator, discriminator)]
    return Networks(*wrapped, MultiScaleMelLoss(run.sample_rate).to(device), parts)


def optimizer(
    module: nn.Module, run: Run, device: str
) -> tuple[torch.optim.Optimizer, torch.optim.lr_scheduler.LRScheduler]:
    """AdamW with a per-step exponential decay, after a linear warm-up where one is configured.

    On a GPU everything that it reads lies there, the learning rate too, so that a step can be captured (graph.py).
    """
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

    schedule = torch.optim.lr_scheduler.LambdaLR(adamw, factor)
    for group in adamw.param_groups if device.startswith("cuda") else ():
        group |= {"capturable": True, "lr": torch.tensor(group["lr"], device=device)}
    return adamw, schedule


def state_of(part: Any) -> dict[str, Any]:
    """A part's state as any device reads it: what a captured step holds in tensors, in numbers."""
    state = part.state_dict()
    for group in state.get("param_groups", ()):
        group |= {"capturable": False, "lr": float(group["lr"])}
    if "_last_lr" in state:
        state["_last_lr"] = [float(rate) for rate in state["_last_lr"]]
    return state


def restore(part: Any, state: dict[str, Any]) -> None:
    """Load a part's state; what a captured step reads stays where it lies."""
    groups = [dict(group) for group in getattr(part, "param_groups", ())]
    part.load_state_dict(state)
    for group, before in zip(getattr(part, "param_groups", ()), groups, strict=True):
        if isinstance(before["lr"], torch.Tensor):
            group |= {"capturable": True, "lr": before["lr"].fill_(group["lr"])}


def optimise(networks: Networks, run: Run, audio: torch.Tensor, levels: torch.Tensor, micro: MicroBatch) -> Outcome:
    """One step on audio (B, 1, T) whose clips use `levels` codebooks, (B,), in parts of `micro.clips` clips.

    Gradients are those of the whole batch, for every loss is a mean over clips of equal length.
    """
    outcome = compute(networks, run, audio, levels, micro)
    advance(networks)
    return outcome


def advance(networks: Networks) -> None:
    """The next step's learning rates."""
    for name, part in networks.parts.items():
        if name.endswith("_schedule"):
            part.step()


def compute(networks: Networks, run: Run, audio: torch.Tensor, levels: torch.Tensor, micro: MicroBatch) -> Outcome:
    """A step without its schedules: all that a GPU does."""
    parts, norms, discriminator_losses, kept = networks.parts, {}, {}, []
    if networks.discriminator is not None:
        discriminator_losses, kept = micro.attempt(discriminator_gradients, networks, run, audio, levels)
        norms["discriminator"] = update(parts, "discriminator", run.training.discriminator_gradient_clip)
    losses, codes = micro.attempt(generator_gradients, networks, run, audio, levels, kept)
    norms["generator"] = update(parts, "generator", run.training.generator_gradient_clip)
    return Outcome({**losses, **discriminator_losses}, norms, codes)


def discriminator_gradients(
    networks: Networks, run: Run, audio: torch.Tensor, levels: torch.Tensor, clips: int
) -> tuple[Losses, list[dict[str, torch.Tensor]]]:
    """Accumulate the discriminators' gradients; returns their loss and a list: the generator's output where the batch is one part."""
    whole, total = clips >= audio.shape[0], 0.0
    networks.parts["discriminator_optimizer"].zero_grad(set_to_none=True)
    for rows, share, last in portions(audio, clips):
        with synchronised(networks.discriminator, last):
            loss, output = discriminator_part(networks, run, audio[rows], levels[rows], share, whole)
        total = total + loss
    return {"discriminator": total}, [output] if whole else []


def discriminator_part(
    networks: Networks, run: Run, audio: torch.Tensor, levels: torch.Tensor, share: float, keep: bool
) -> tuple[torch.Tensor, dict[str, torch.Tensor]]:
    """Add the gradients of some clips, a share of the batch; `keep` keeps the generator's graph for its own phase."""
    with torch.set_grad_enabled(keep):
        output = generate(networks, run, audio, levels)
    both = torch.cat([audio, output["audio"].detach()])  # one pass instead of two
    real, fake = halves(discriminate(networks.discriminator, run, both))
    loss = share * discriminator_loss(real, fake)
    loss.backward()
    return loss.detach(), output


def generator_gradients(
    networks: Networks,
    run: Run,
    audio: torch.Tensor,
    levels: torch.Tensor,
    kept: list[dict[str, torch.Tensor]],
    clips: int,
) -> tuple[Losses, torch.Tensor]:
    """Accumulate the generator's gradients; returns its losses and the codes. `kept` saves a pass where the batch is one part.

    It is emptied: where memory runs out, the whole batch's graph must not outlive the attempt.
    """
    totals: Losses = {}
    codes = []
    networks.parts["generator_optimizer"].zero_grad(set_to_none=True)
    for rows, share, last in portions(audio, clips):
        with synchronised(networks.generator, last):
            reused = kept.pop() if kept else None
            losses, part = generator_part(networks, run, audio[rows], levels[rows], share, reused)
        for name, loss in losses.items():
            totals[name] = totals.get(name, 0.0) + loss
        codes.append(part)
    return totals, torch.cat(codes)


def generator_part(
    networks: Networks,
    run: Run,
    audio: torch.Tensor,
    levels: torch.Tensor,
    share: float,
    kept: dict[str, torch.Tensor] | None = None,
) -> tuple[Losses, torch.Tensor]:
    """Add the gradients of some clips, a share of the batch; their part of the losses, and their codes."""
    output = generate(networks, run, audio, levels) if kept is None else kept
    losses = losses_of(networks, run, output, audio)
    (share * losses["loss"]).backward()
    return {name: share * loss.detach() for name, loss in losses.items()}, output["codes"]


def losses_of(networks: Networks, run: Run, output: dict[str, torch.Tensor], audio: torch.Tensor) -> Losses:
    """The generator's losses, unweighted, and `loss`, their weighted sum."""
    decoded = output["audio"].to(audio.dtype)
    losses = {
        "mel": networks.mel_loss(decoded, audio),
        "commitment": output["vq/commitment_loss"],
        "codebook": output["vq/codebook_loss"],
    }
    if networks.discriminator is not None:
        discriminator = networks.parts["discriminator"]
        with frozen(discriminator):  # only the way to the decoded clips is needed
            with torch.no_grad():
                real = discriminate(discriminator, run, audio)
            fake = discriminate(discriminator, run, decoded)
        losses["adversarial"], losses["feature_matching"] = generator_losses(real, fake)
    weights = vars(run.losses)
    losses["loss"] = sum(weights[name] * loss for name, loss in losses.items())
    return losses


def update(parts: dict[str, Any], name: str, clip: float) -> torch.Tensor:
    """Clip a network's gradients and step its optimiser; returns the norm before clipping."""
    norm = nn.utils.clip_grad_norm_(parts[name].parameters(), clip)
    parts[f"{name}_optimizer"].step()
    return norm


def generate(networks: Networks, run: Run, audio: torch.Tensor, levels: torch.Tensor) -> dict[str, torch.Tensor]:
    with autocast(run, audio):
        return networks.generator(audio, run.sample_rate, n_quantizers=levels.to(audio.device))


def discriminate(discriminator: nn.Module, run: Run, audio: torch.Tensor) -> list[list[torch.Tensor]]:
    with autocast(run, audio):
        return discriminator(audio)


def autocast(run: Run, audio: torch.Tensor) -> AbstractContextManager:
    """Half the bits for convolutions where the study says so; losses, spectra and quantizer stay in float32."""
    if run.training.precision != "bfloat16":
        return nullcontext()
    return torch.autocast(audio.device.type, torch.bfloat16)


def portions(audio: torch.Tensor, clips: int) -> Iterator[tuple[slice, float, bool]]:
    """A batch in parts: rows, their share of the batch, and whether they are the last."""
    batch_clips = audio.shape[0]
    for first in range(0, batch_clips, clips):
        end = min(first + clips, batch_clips)
        yield slice(first, end), (end - first) / batch_clips, end == batch_clips


def halves(maps: list[list[torch.Tensor]]) -> tuple[list[list[torch.Tensor]], list[list[torch.Tensor]]]:
    """Feature maps of real and decoded clips from those of both in one batch."""
    pairs = [[feature_map.chunk(2) for feature_map in discriminator] for discriminator in maps]
    return tuple([[pair[side] for pair in discriminator] for discriminator in pairs] for side in (0, 1))


def synchronised(module: nn.Module, last: bool) -> AbstractContextManager:
    """Gradients are exchanged between GPUs once, with the last part."""
    parallel = isinstance(module, DistributedDataParallel)
    return module.no_sync() if parallel and not last else nullcontext()
