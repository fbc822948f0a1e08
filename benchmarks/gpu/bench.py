"""What every part of the benchmark uses: runs, networks, clocks, the card's own profile, and the figures so far."""

import copy
import gc
import json
import time
from argparse import Namespace
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import torch
import yaml

from benchmarks.gpu import DEVICE, TINY
from codec_cliff.models.gpu.switches import NONE, Ways, chosen
from codec_cliff.study.config import Run
from codec_cliff.study.load import load_study
from codec_cliff.training.graph import Stepper
from codec_cliff.training.loop import set_arithmetic
from codec_cliff.training.step import MicroBatch, Networks, build_networks

ROOT = Path(__file__).resolve().parents[2]
NARROW = {"encoder_dim": 4, "decoder_dim": 32, "n_codebooks": 2, "codebook_size": 16}
ALL = Ways(norm=not TINY)  # thousands of rows in the interpreter, a program each, take minutes
BY_TRIAL = NONE if TINY else ALL  # a CPU's memory is counted on meta tensors, on which no kernel of Triton runs


def study(tiny: bool) -> dict[str, Any]:
    config = yaml.safe_load((ROOT / "config.yaml").read_text())
    if tiny:
        config["model"] |= NARROW
        config["discriminator"] |= {"periods": [3], "fft_sizes": [256], "bands": [[0.0, 1.0]]}
        config["protocols"] |= {"fixed-duration": {"clip_seconds": 0.08, "batch_clips": 2}}
    config["probes"], config["controls"] = {}, {}
    config["training"] |= {"precision": "float32" if tiny else "bfloat16"}
    return config


def run_of(config: dict, codec: str, clips: int | None = None, seconds: float | None = None) -> Run:
    run = load_study(config).runs[codec]
    run = replace(run, batch_clips=clips or run.batch_clips)
    return replace(run, clip_samples=round(seconds * run.sample_rate)) if seconds else run


def synchronise() -> None:
    if DEVICE == "cuda":
        torch.cuda.synchronize()


def free() -> None:
    gc.collect()
    if DEVICE == "cuda":
        torch.cuda.empty_cache()
        torch.cuda.reset_peak_memory_stats()


def peak() -> float:
    return torch.cuda.max_memory_allocated() / 1e9 if DEVICE == "cuda" else 0.0


@dataclass
class Figures:
    """What has been measured: lines to print, and everything for the file."""

    output: Path | None
    rows: list[dict] = field(default_factory=list)

    def add(self, what: str, **values: object) -> None:
        self.rows.append({"what": what, **values})
        said = ", ".join(
            f"{key} {value:.4g}" if isinstance(value, float) else f"{key} {value}" for key, value in values.items()
        )
        print(f"{what}: {said}", flush=True)
        self.save()

    def save(self) -> None:
        if self.output:
            self.output.mkdir(parents=True, exist_ok=True)
            (self.output / "gpu.json").write_text(json.dumps(self.rows, indent=1, default=str))

    def value(self, name: str, key: str = "ms") -> float | None:
        return next((row[key] for row in self.rows if row["what"] == name and key in row), None)


def timed(step: Callable[[], object], rounds: int) -> dict[str, float]:
    """Milliseconds a call, wall and host's, of so many calls."""
    synchronise()
    start = time.perf_counter()
    for _ in range(rounds):
        step()
    host = time.perf_counter() - start
    synchronise()
    return {"ms": 1e3 * (time.perf_counter() - start) / rounds, "host_ms": 1e3 * host / rounds}


class Bench:
    """What the parts measure with: a run, its networks once they are built, a batch of noise."""

    def __init__(self, arguments: Namespace, figures: Figures):
        self.tiny, self.figures = arguments.tiny, figures
        self.rounds = 1 if self.tiny else arguments.rounds
        self.config = study(self.tiny)
        self.take(run_of(self.config, "50hz-fixed-duration" if self.tiny else "50hz"))

    def take(self, run: Run) -> None:
        """Measure this run from now on: networks are built for it when asked for, clips are noise."""
        self.run, self.networks = run, None
        random = torch.Generator().manual_seed(0)
        self.audio = (torch.randn((run.batch_clips, 1, run.clip_samples), generator=random) * 0.1).to(DEVICE)
        self.levels = torch.full((run.batch_clips,), run.model.n_codebooks, device=DEVICE)

    def beside(self, run: Run) -> "Bench":
        """The same for another run."""
        bench = copy.copy(self)
        bench.take(run)
        return bench

    def network(self) -> Networks:
        if self.networks is None:
            torch.manual_seed(0)
            self.networks = build_networks(self.run, DEVICE)
        return self.networks

    def step(
        self, name: str, ways: Ways, captured: bool = True, rounds: int | None = None, **settings: object
    ) -> Stepper:
        """Time our step with some ways; the first ones and the capture are timed apart."""
        free()
        set_arithmetic(self.run.training.precision, DEVICE, 1)
        for key, value in settings.items():
            (torch.backends.cuda.matmul if key == "matmul_tf32" else torch.backends.cudnn).allow_tf32 = value
        with chosen(ways):
            networks = self.network()
            stepper = Stepper(
                networks, self.run, DEVICE, MicroBatch(self.run.batch_clips), None if captured else "not asked for"
            )
            start = time.perf_counter()
            stepper(self.audio, self.levels)
            synchronise()
            first = time.perf_counter() - start
            timed(lambda: stepper(self.audio, self.levels), 1 if self.tiny else 3)
            prepared = time.perf_counter() - start
            measured = timed(lambda: stepper(self.audio, self.levels), rounds or self.rounds)
        reason = {} if stepper.captured or not captured else {"not_captured": stepper.reason}
        self.figures.add(name, **measured, first_s=first, prepared_s=prepared, peak_gb=peak(), **reason)
        return stepper

    def profile(self, stepper: Stepper) -> None:
        """Kernels of one captured step by GPU time, and how many of them convert layouts."""
        activities = [torch.profiler.ProfilerActivity.CPU] + [torch.profiler.ProfilerActivity.CUDA] * (DEVICE == "cuda")
        with chosen(ALL), torch.profiler.profile(activities=activities) as profiler:
            stepper(self.audio, self.levels)
            synchronise()
        self.report_profile("profile, captured", profiler)

    def report_profile(self, name: str, profiler: torch.profiler.profile) -> None:
        wanted = torch.autograd.DeviceType.CUDA if DEVICE == "cuda" else torch.autograd.DeviceType.CPU
        entries = [entry for entry in profiler.key_averages() if entry.device_type == wanted]
        key = "self_device_time_total" if DEVICE == "cuda" else "self_cpu_time_total"
        rows = sorted(((getattr(entry, key) / 1e3, entry.count, entry.key) for entry in entries), reverse=True)
        conversions = [row for row in rows if "nchwToNhwc" in row[2] or "nhwcToNchw" in row[2]]
        self.figures.add(
            name,
            kernels=sum(row[1] for row in rows),
            gpu_ms=sum(row[0] for row in rows),
            conversions=sum(row[1] for row in conversions),
            conversion_ms=float(sum(row[0] for row in conversions)),
        )
        for ms, count, kernel in rows[:28]:
            print(f"  {ms:8.3f} ms {count:5d} x  {kernel[:110]}", flush=True)
        self.write(
            f"{name.replace(', ', '_').replace(' ', '_')}.txt", "\n".join(f"{ms:.4f} {n} {key}" for ms, n, key in rows)
        )

    def write(self, name: str, text: str) -> None:
        if self.figures.output:
            self.figures.output.mkdir(parents=True, exist_ok=True)
            (self.figures.output / name).write_text(text)
