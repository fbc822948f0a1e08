"""A whole step as CUDA graphs: the host launches it in one call instead of some thousands, for which the GPU would wait.

What changes from step to step lies in tensors that stay: clips and levels are copied into them, learning rates are filled in. A batch
in parts has four graphs, two of which are replayed part by part.
"""

import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import torch

from codec_cliff.study.config import Run
from codec_cliff.training.step import (
    MicroBatch,
    Networks,
    Outcome,
    advance,
    compute,
    discriminator_part,
    generator_part,
    update,
)

log = logging.getLogger("training")
WARM_UP = 3  # steps before the capture, in which libraries choose their kernels and take their memory
Work = Callable[[], object]
Recorder = Callable[[Work], Work]


@contextmanager
def own_stream(device: str) -> Iterator[None]:
    """Work on a stream of one's own: what is to be captured must never have touched the default one."""
    if not device.startswith("cuda"):
        yield
        return
    stream = torch.cuda.Stream(device)
    stream.wait_stream(torch.cuda.current_stream(device))
    with torch.cuda.stream(stream):
        yield
        stream.synchronize()


def recorder() -> Recorder:
    """Turns work into a replay of it, without doing it; all in one pool of memory, so replays keep the order of their records."""
    pool = torch.cuda.graph_pool_handle()

    def record(work: Work) -> Work:
        graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(graph, pool=pool, stream=torch.cuda.current_stream()):
            work()
        return graph.replay

    return record


class Stepper:
    """Steps, captured after the first few where nothing speaks against it; `reason` says what does."""

    def __init__(
        self,
        networks: Networks,
        run: Run,
        device: str,
        micro: MicroBatch,
        reason: str | None = None,
        make_recorder: Callable[[], Recorder] = recorder,
    ):
        self.networks, self.run, self.micro, self.make_recorder = networks, run, micro, make_recorder
        self.reason = reason or (None if device.startswith("cuda") or make_recorder is not recorder else "no GPU")
        self.recorded: _Whole | _Parts | None = None
        self.taken = 0

    @property
    def captured(self) -> bool:
        return self.recorded is not None

    def __call__(self, audio: torch.Tensor, levels: torch.Tensor) -> Outcome:
        """One step on audio (B, 1, T) and levels (B,); a captured step's outcome holds until the next."""
        levels = levels.to(audio.device, non_blocking=True)
        if self.recorded is None and self.reason is None and self.taken >= WARM_UP:
            self._record(audio, levels)
        outcome = self.recorded(audio, levels) if self.recorded else self._eager(audio, levels)
        advance(self.networks)
        self.taken += 1
        return outcome

    def _eager(self, audio: torch.Tensor, levels: torch.Tensor) -> Outcome:
        return compute(self.networks, self.run, audio, levels, self.micro)

    def _record(self, audio: torch.Tensor, levels: torch.Tensor) -> None:
        clips = self.micro.clips
        if len(audio) % min(clips, len(audio)):
            self.reason = f"{len(audio)} clips in parts of {clips} are not of one size"
            return
        forget_gradients(self.networks)
        whole = clips >= len(audio)
        try:
            record = self.make_recorder()
            shared = (self.networks, self.run, audio, levels)
            self.recorded = _Whole(*shared, record) if whole else _Parts(*shared, clips, record)
        except Exception as error:  # whatever a library cannot do while it is recorded
            self.reason = f"{type(error).__name__}: {error}".splitlines()[0]
            log.warning("%s: the step cannot be captured (%s); going on without", self.run.codec, self.reason)
            forget_gradients(self.networks)


def forget_gradients(networks: Networks) -> None:
    for name in ("generator", "discriminator"):
        if name in networks.parts:
            networks.parts[name].zero_grad(set_to_none=True)


class _Whole:
    """A step whose batch is one part."""

    def __init__(self, networks: Networks, run: Run, audio: torch.Tensor, levels: torch.Tensor, record: Recorder):
        self.audio, self.levels, self.outcome = audio.clone(), levels.clone(), None

        def work() -> None:
            self.outcome = compute(
                networks, run, self.audio, self.levels, MicroBatch(len(audio), run.codec, final=True)
            )

        self.replay = record(work)

    def __call__(self, audio: torch.Tensor, levels: torch.Tensor) -> Outcome:
        self.audio.copy_(audio)
        self.levels.copy_(levels)
        self.replay()
        return self.outcome


class _Parts:
    """A step whose batch comes in parts of one size: gradients lie where they are, and are set to zero after they were used."""

    def __init__(
        self, networks: Networks, run: Run, audio: torch.Tensor, levels: torch.Tensor, clips: int, record: Recorder
    ):
        self.networks, self.run, self.clips, self.share = networks, run, clips, clips / len(audio)
        self.audio, self.levels = audio[:clips].clone(), levels[:clips].clone()
        self.losses, self.norms, self.codes = {}, {}, None
        for name in self.names:
            for parameter in networks.parts[name].parameters():
                parameter.grad = torch.zeros_like(parameter)
        self.replays = {name: (record(self._part(name)), record(self._update(name))) for name in self.names}

    @property
    def names(self) -> list[str]:
        """The networks in the order of a step's phases."""
        return [name for name in ("discriminator", "generator") if name in self.networks.parts]

    def _part(self, name: str) -> Work:
        def work() -> None:
            given = (self.networks, self.run, self.audio, self.levels, self.share)
            if name == "discriminator":
                self.losses[name] = {name: discriminator_part(*given, keep=False)[0]}
            else:
                self.losses[name], self.codes = generator_part(*given)

        return work

    def _update(self, name: str) -> Work:
        clip = getattr(self.run.training, f"{name}_gradient_clip")

        def work() -> None:
            self.norms[name] = update(self.networks.parts, name, clip)
            self.networks.parts[f"{name}_optimizer"].zero_grad(set_to_none=False)

        return work

    def __call__(self, audio: torch.Tensor, levels: torch.Tensor) -> Outcome:
        totals, codes = {}, []
        for name, (part, apply) in self.replays.items():
            for first in range(0, len(audio), self.clips):
                self.audio.copy_(audio[first : first + self.clips])
                self.levels.copy_(levels[first : first + self.clips])
                part()
                for key, loss in self.losses[name].items():
                    totals[key] = totals.get(key, 0.0) + loss
                if name == "generator":
                    codes.append(self.codes.clone())
            apply()
        return Outcome(totals, dict(self.norms), torch.cat(codes))
