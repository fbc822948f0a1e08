"""A whole step as one CUDA graph: the host launches it in one call instead of some thousands, for which the GPU would wait.

What changes from step to step lies in tensors that stay: clips and levels are copied into them, learning rates are filled in.
"""

import logging
from collections.abc import Iterator
from contextlib import contextmanager

import torch

from codec_cliff.study.config import Run
from codec_cliff.training.step import MicroBatch, Networks, Outcome, advance, compute

log = logging.getLogger("training")
WARM_UP = 3  # steps before the capture, in which libraries choose their kernels and take their memory


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


class Stepper:
    """Steps, captured after the first few where nothing speaks against it; `reason` says what does."""

    def __init__(self, networks: Networks, run: Run, device: str, micro: MicroBatch, reason: str | None = None):
        self.networks, self.run, self.micro = networks, run, micro
        self.reason = reason if device.startswith("cuda") else "no GPU"
        self.graph: torch.cuda.CUDAGraph | None = None
        self.taken = 0

    @property
    def captured(self) -> bool:
        return self.graph is not None

    def __call__(self, audio: torch.Tensor, levels: torch.Tensor) -> Outcome:
        """One step on audio (B, 1, T) and levels (B,); a captured step's outcome holds until the next."""
        levels = levels.to(audio.device, non_blocking=True)
        if self.graph is None and self.reason is None and self.taken >= WARM_UP:
            self._capture(audio, levels)
        if self.graph is None:
            outcome = compute(self.networks, self.run, audio, levels, self.micro)
        else:
            self.audio.copy_(audio)
            self.levels.copy_(levels)
            self.graph.replay()
            outcome = self.outcome
        advance(self.networks)
        self.taken += 1
        return outcome

    def _capture(self, audio: torch.Tensor, levels: torch.Tensor) -> None:
        if self.micro.clips < len(audio):
            self.reason = f"{self.micro.clips} of {len(audio)} clips at once"
            return
        self.audio, self.levels = audio.clone(), levels.clone()
        for name in ("generator", "discriminator"):
            if name in self.networks.parts:
                self.networks.parts[name].zero_grad(set_to_none=True)
        torch.cuda.synchronize()
        graph = torch.cuda.CUDAGraph()
        try:
            with torch.cuda.graph(graph, stream=torch.cuda.current_stream()):
                self.outcome = compute(self.networks, self.run, self.audio, self.levels, self.micro)
        except Exception as error:
            self.reason = f"{type(error).__name__}: {error}".splitlines()[0]
            log.warning("%s: the step cannot be captured (%s); going on without", self.run.codec, self.reason)
            return
        self.graph = graph
