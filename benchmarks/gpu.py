"""The training step on a GPU, whole: against the official one, each change alone and all, memory, first steps, a kill and a resume.

One command of a few minutes. Every part prints its line when it is done; one that fails prints its traceback and the rest goes on. A
table comes last, then `ratio X.XX`: seconds of the official step over seconds of ours.
Needs torch, Triton, numpy, scipy and the project's
pure-Python dependencies. `--tiny` runs the same on a CPU at small widths, Triton's kernels in its interpreter: a test of itself.

    python -m benchmarks.gpu [--seconds 200] [--output DIR] [--only official ours ...] [--tiny]
"""

import argparse
import copy
import gc
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

TINY = "--tiny" in sys.argv
if TINY:
    os.environ["TRITON_INTERPRET"] = "1"  # before Triton is imported anywhere

import numpy as np
import torch
import yaml

from benchmarks.official import OfficialStep
from codec_cliff.corpus.manifest import Utterance, write_manifest
from codec_cliff.corpus.store import open_store
from codec_cliff.models.gpu.switches import NONE, Ways, chosen
from codec_cliff.probes.side_by_side import merged
from codec_cliff.study.config import Run
from codec_cliff.study.load import load_study
from codec_cliff.training.clips import step_clips
from codec_cliff.training.graph import Stepper, own_stream
from codec_cliff.training.loop import set_arithmetic
from codec_cliff.training.memory import choose_micro_batch
from codec_cliff.training.step import MicroBatch, Networks, build_networks

ROOT = Path(__file__).resolve().parents[1]
DEVICE = "cpu" if TINY else "cuda"
NARROW = {"encoder_dim": 4, "decoder_dim": 32, "n_codebooks": 2, "codebook_size": 16}
ALL = Ways(norm=not TINY)  # thousands of rows in the interpreter, a program each, take minutes
BY_TRIAL = NONE if TINY else ALL  # a CPU's memory is counted on meta tensors, on which no kernel of Triton runs


def study(tiny: bool, **training: object):
    config = yaml.safe_load((ROOT / "config.yaml").read_text())
    if tiny:
        config["model"] |= NARROW
        config["discriminator"] |= {"periods": [3], "fft_sizes": [256], "bands": [[0.0, 1.0]]}
        config["protocols"] |= {"fixed-duration": {"clip_seconds": 0.08, "batch_clips": 2}}
    config["probes"], config["controls"] = {}, {}
    config["training"] |= {"precision": "float32" if tiny else "bfloat16", **training}
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
    """The parts, each a method; what several need is built once."""

    def __init__(self, arguments: argparse.Namespace, figures: Figures):
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

    def card(self) -> None:
        name = torch.cuda.get_device_name() if DEVICE == "cuda" else "CPU"
        size = 8192 if DEVICE == "cuda" else 256
        a, b = (torch.randn(size, size, device=DEVICE, dtype=torch.bfloat16) for _ in range(2))
        torch.mm(a, b)
        rate = 2 * size**3 / timed(lambda: torch.mm(a, b), 10)["ms"] / 1e9
        wide = torch.ones(size * size * 4, device=DEVICE)
        target = torch.empty_like(wide)
        target.copy_(wide)
        moved = 2 * wide.nbytes / timed(lambda: target.copy_(wide), 10)["ms"] / 1e6
        memory = torch.cuda.mem_get_info()[1] / 1e9 if DEVICE == "cuda" else 0.0
        self.figures.add("card", name=name, torch=torch.__version__, GB=memory, bf16_tflops=rate, copy_gb_s=moved)

    def official(self) -> None:
        torch.backends.cudnn.allow_tf32, torch.backends.cuda.matmul.allow_tf32 = True, False
        start = time.perf_counter()
        step = OfficialStep(self.run, DEVICE)
        step(self.audio)
        synchronise()
        first = time.perf_counter() - start
        timed(lambda: step(self.audio), 2)
        measured = timed(lambda: step(self.audio), self.rounds)
        self.figures.add("official", **measured, first_s=first, peak_gb=peak())

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

    def ours(self) -> None:
        stepper = self.step("ours, all, captured", ALL, rounds=2 * self.rounds)
        self.profile(stepper)

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

    def shapes(self) -> None:
        """Operators of an eager step by input shape: which layers the time goes to."""
        activities = [torch.profiler.ProfilerActivity.CPU] + [torch.profiler.ProfilerActivity.CUDA] * (DEVICE == "cuda")
        with chosen(ALL):
            stepper = Stepper(self.network(), self.run, DEVICE, MicroBatch(self.run.batch_clips), "not asked for")
            stepper(self.audio, self.levels)
            with torch.profiler.profile(activities=activities, record_shapes=True) as profiler:
                stepper(self.audio, self.levels)
                synchronise()
        entries = profiler.key_averages(group_by_input_shape=True)
        key = "self_device_time_total" if DEVICE == "cuda" else "self_cpu_time_total"
        rows = [(getattr(e, key) / 1e3, e.count, e.key, str(e.input_shapes)) for e in entries if e.input_shapes]
        rows.sort(reverse=True)
        self.figures.add("profile by shape", operators=len(rows))
        for ms, count, name, shapes in rows[:26]:
            print(f"  {ms:8.3f} ms {count:4d} x  {name[:44]} {shapes[:100]}", flush=True)
        self.write("shapes.txt", "\n".join(f"{ms:.4f} {count} {name} {shapes}" for ms, count, name, shapes in rows))

    def write(self, name: str, text: str) -> None:
        if self.figures.output:
            self.figures.output.mkdir(parents=True, exist_ok=True)
            (self.figures.output / name).write_text(text)

    def before(self) -> None:
        self.step("as torch does it, eager", NONE, captured=False)
        self.step("as torch does it, captured", NONE)

    def eager(self) -> None:
        self.step("all, eager", ALL, captured=False)

    def alone(self) -> None:
        self.step("Snake fused alone, eager", replace(NONE, snake=True), captured=False)
        self.step("Snake fused alone, captured", replace(NONE, snake=True))
        self.step("Snake and one-channel products, captured", replace(NONE, snake=True, products=True))
        self.step("Snake and channels last, captured", replace(NONE, snake=True, last=True, norm=True))
        self.step(
            "Snake, products, channels last, captured", replace(NONE, snake=True, products=True, last=True, norm=True)
        )

    def without(self) -> None:
        for name in ("dilated", "fill", "distance", "leaky", "products", "last", "norm", "bias", "spectra"):
            self.step(f"all but {name}, captured", replace(ALL, **{name: False}))
        self.step("all, TF32 in what is left of float32, captured", ALL, matmul_tf32=True, cudnn_tf32=True)

    def agreement(self) -> None:
        """Ten steps captured against ten eager ones, and one step against torch's own ways in float32: how far they part."""
        results = {}
        for name, ways, reason in (("captured", ALL, None), ("eager", ALL, "asked"), ("torch", NONE, "asked")):
            torch.manual_seed(0)
            networks = build_networks(self.run, DEVICE)
            with chosen(ways):
                stepper = Stepper(networks, self.run, DEVICE, MicroBatch(self.run.batch_clips), reason)
                losses = []
                for number in range(4 if self.tiny else 10):
                    audio = self.audio.roll(997 * number, -1)
                    outcome = stepper(audio, self.levels)
                    losses.append(float(outcome.losses["loss"]))
            weights = torch.cat([p.detach().flatten() for p in networks.parts["generator"].parameters()])
            results[name] = (losses, weights, {key: float(value) for key, value in outcome.losses.items()})
            del stepper, networks, outcome
            free()
        for name in ("eager", "torch"):
            moved = (results["captured"][1] - results[name][1]).norm() / results[name][1].norm()
            self.figures.add(
                f"captured against {name}, ten steps",
                weights_relative=float(moved),
                largest_loss_difference=max(
                    abs(a - b) / abs(b) for a, b in zip(results["captured"][0], results[name][0], strict=True)
                ),
                losses=" ".join(f"{value:.3f}" for value in results["captured"][0]),
                theirs=" ".join(f"{value:.3f}" for value in results[name][0]),
            )

    def gradients(self) -> None:
        """Gradients of a step in float32 by our ways against torch's own, worst network-wide and layer."""
        run = replace(self.run, training=replace(self.run.training, precision="float32"))
        set_arithmetic("float32", DEVICE, 1)
        clips = min(4, self.run.batch_clips)
        found = {}
        for name, ways in (("ours", ALL), ("torch", NONE)):
            torch.manual_seed(0)
            networks = build_networks(run, DEVICE)
            with chosen(ways):
                stepper = Stepper(networks, run, DEVICE, MicroBatch(clips), "asked")
                stepper(self.audio[:clips], self.levels[:clips])
            found[name] = {
                f"{part}.{key}": value.grad.double()
                for part in ("generator", "discriminator")
                for key, value in networks.parts[part].named_parameters()
                if value.grad is not None
            }
            del stepper, networks
            free()
        errors = {
            key: float((found["ours"][key] - value).norm() / (value.norm() + 1e-12))
            for key, value in found["torch"].items()
        }
        for part in ("generator", "discriminator"):
            mine = torch.cat([value.flatten() for key, value in found["ours"].items() if key.startswith(part)])
            other = torch.cat([value.flatten() for key, value in found["torch"].items() if key.startswith(part)])
            worst = sorted(((error, key) for key, error in errors.items() if key.startswith(part)), reverse=True)[:3]
            self.figures.add(
                f"gradients in float32, {part}",
                relative=float((mine - other).norm() / other.norm()),
                worst=" ".join(f"{key}:{error:.1e}" for error, key in worst),
            )

    def tokens(self) -> None:
        """9 x 3.04 s at 6.25 Hz."""
        clips, codec = (2, "6.25hz-fixed-duration") if self.tiny else (9, "6.25hz-fixed-tokens")
        bench = self.beside(run_of(self.config, codec, clips))
        self.networks = None
        free()
        torch.backends.cudnn.allow_tf32, torch.backends.cuda.matmul.allow_tf32 = True, False
        self.official_tokens(bench)
        free()
        bench.step("ours, 9 x 3.04 s at 6.25 Hz", ALL)

    def small(self) -> None:
        """The pilot's models, no discriminators and float32: what of the above pays where every layer is narrow."""
        config = merged([ROOT / "config.yaml", ROOT / "profiles/pilot/study.yaml"])
        if self.tiny:
            config["model"] |= NARROW
        bench = self.beside(run_of(config, "6.25hz-fixed-tokens", seconds=0.16 if self.tiny else None))
        stepper = bench.step("small, all, captured", ALL)
        bench.profile(stepper)
        bench.step("small, as torch does it, captured", NONE)
        bench.step("small, Snake fused alone, captured", replace(NONE, snake=True))
        bench.step("small, all, TF32, captured", ALL, matmul_tf32=True, cudnn_tf32=True)
        for name in ("dilated", "fill", "last"):
            bench.step(f"small, all but {name}, captured", replace(ALL, **{name: False}))

    def official_tokens(self, bench: "Bench") -> None:
        step = OfficialStep(bench.run, DEVICE)
        timed(lambda: step(bench.audio), 3)
        self.figures.add("official, 9 x 3.04 s at 6.25 Hz", **timed(lambda: step(bench.audio), self.rounds))

    def largest(self) -> None:
        """The largest batch of the study: 19 tokens at 1.6 Hz, 72 clips, in as many parts as the card asks for."""
        run = run_of(self.config, "1.6hz-fixed-tokens", 2 if self.tiny else None, 1.3 if self.tiny else None)
        self.networks = None
        free()
        set_arithmetic(run.training.precision, DEVICE, 1)
        networks = build_networks(run, DEVICE)
        with chosen(BY_TRIAL):
            clips, taken = choose_micro_batch(run, DEVICE, run.batch_clips, networks)
        self.figures.add("memory by trial, 1.6 Hz", clips_at_once=clips, gb=taken / 1e9)
        free()
        with chosen(ALL):
            stepper = Stepper(networks, run, DEVICE, MicroBatch(clips))
            audio = torch.randn(run.batch_clips, 1, run.clip_samples, device=DEVICE) * 0.1
            levels = torch.full((run.batch_clips,), run.model.n_codebooks, device=DEVICE)
            timed(lambda: stepper(audio, levels), 4)  # warm up and capture
            measured = timed(lambda: stepper(audio, levels), 1)
        self.figures.add("largest 1.6 Hz batch", **measured, clips_at_once=stepper.micro.clips, peak_gb=peak())

    def memory(self) -> None:
        """What a trial step says of the usual batch, against its peak."""
        free()
        set_arithmetic(self.run.training.precision, DEVICE, 1)
        with chosen(BY_TRIAL):
            start = time.perf_counter()
            clips, taken = choose_micro_batch(self.run, DEVICE, self.run.batch_clips, self.network())
            synchronise()
        self.figures.add("memory by trial", s=time.perf_counter() - start, clips_at_once=clips, gb=taken / 1e9)

    def choosing(self) -> None:
        """The host's time to choose a step's clips."""
        with synthetic_store(self.tiny) as folder:
            store = open_store(folder / "train.tsv", folder / "train.npy")
            run = replace(self.run, batch_clips=72)
            step_clips(store, run, 0)
            start = time.perf_counter()
            for number in range(3):
                step_clips(store, run, number)
            self.figures.add("choosing 72 clips", ms=1e3 * (time.perf_counter() - start) / 3)

    def trainer(self) -> None:
        """The trainer itself, recordings resident, clips chosen by loudness: its steps a second."""
        self.networks = None
        free()
        with synthetic_store(self.tiny) as folder:
            self.trainer_speed(folder)

    def resume(self) -> None:
        """A deterministic training killed and resumed beside one that is not."""
        self.networks = None
        free()
        with synthetic_store(self.tiny) as folder:
            self.kill_and_resume(folder)

    def trainer_speed(self, folder: Path) -> None:
        steps = 6 if self.tiny else 120
        run = replace(self.run, training=replace(self.run.training, steps=steps, log_every_steps=max(1, steps // 6)))
        start = time.perf_counter()
        said = train(run, folder, folder / "speed").communicate()[0]
        record = json.loads((folder / "speed/run.json").read_text()) if (folder / "speed/run.json").exists() else {}
        if not record:
            print(said[-1500:], flush=True)
            raise RuntimeError("the trainer failed")
        for line in said.splitlines():
            if "at once" in line or "captured" in line or "warn" in line.lower():
                print("  " + line[:200], flush=True)
        times = [
            tuple(map(float, line.split(",")[:2])) for line in (folder / "speed/train.csv").read_text().splitlines()[1:]
        ]
        (first, at_first), (last, at_last) = times[-4], times[-1]
        self.figures.add(
            "trainer", ms=1e3 * (at_last - at_first) / (last - first), whole_s=time.perf_counter() - start,
            first_row_s=times[0][1], graph=record.get("cuda_graph"), reason=record.get("cuda_graph_reason"),
            peak_gb=record["peak_memory_bytes"] / 1e9,
        )  # fmt: skip

    def kill_and_resume(self, folder: Path) -> None:
        steps = 8 if self.tiny else 24
        training = replace(
            self.run.training,
            steps=steps,
            deterministic=True,
            log_every_steps=1,
            checkpoint_every_seconds=0.0 if self.tiny else 1.0,
        )
        run = replace(self.run, training=training)
        whole, killed = train(run, folder, folder / "whole"), train(run, folder, folder / "killed")
        while killed.poll() is None and rows_of(folder / "killed") < steps // 2:
            time.sleep(0.05)
        killed.send_signal(signal.SIGKILL)
        killed.communicate()
        at, kept = rows_of(folder / "killed"), (folder / "killed/checkpoint.pt").exists()
        resumed = train(run, folder, folder / "killed")
        said = [resumed.communicate()[0], whole.communicate()[0]]
        if resumed.returncode or whole.returncode:
            print("\n".join(text[-1200:] for text in said), flush=True)
            raise RuntimeError("a deterministic training failed")
        names = ("whole", "killed")
        same = (folder / "whole/model.safetensors").read_bytes() == (folder / "killed/model.safetensors").read_bytes()
        tables = [
            [row.split(",")[4:12] for row in (folder / name / "train.csv").read_text().splitlines()[1:]]
            for name in names
        ]
        first_apart = next((n + 1 for n, (a, b) in enumerate(zip(*tables, strict=False)) if a != b), None)
        times = [float(row.split(",")[1]) for row in (folder / "killed/train.csv").read_text().splitlines()[1:]]
        self.figures.add(
            "killed and resumed, deterministic", killed_at=at, checkpoint=kept, same_weights=same, first_row_apart=first_apart,
            ms=1e3 * (times[-1] - times[-steps // 4]) / (steps // 4 - 1),
        )  # fmt: skip

    def deterministic(self) -> None:
        """The step's time where its operations must add in a fixed order; what has no such form is named."""
        os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
        torch.utils.deterministic.fill_uninitialized_memory = False
        import warnings

        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            original = torch.use_deterministic_algorithms
            try:
                free()
                set_arithmetic(self.run.training.precision, DEVICE, 1)
                original(True, warn_only=True)
                with chosen(ALL):
                    stepper = Stepper(self.network(), self.run, DEVICE, MicroBatch(self.run.batch_clips))
                    timed(lambda: stepper(self.audio, self.levels), 4)
                    measured = timed(lambda: stepper(self.audio, self.levels), self.rounds)
            finally:
                original(False)
        without = {str(each.message).split("(")[0][:90] for each in caught if "deterministic" in str(each.message)}
        self.figures.add("all, deterministic, captured", **measured, no_form=sorted(without))


def rows_of(folder: Path) -> int:
    path = folder / "train.csv"
    return max(0, len(path.read_text().splitlines()) - 1) if path.exists() else 0


def train(run: Run, store: Path, folder: Path) -> subprocess.Popen:
    command = [
        sys.executable,
        "-m",
        "codec_cliff.training",
        "--run",
        json.dumps(run.to_dict()),
        "--folder",
        str(folder),
    ]
    command += ["--manifest", str(store / "train.tsv"), "--store", str(store / "train.npy"), "--threads", "4"]
    environment = os.environ | {"TQDM_DISABLE": "1", "PYTHONUNBUFFERED": "1"}
    return subprocess.Popen(
        command, cwd=ROOT, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )


@contextmanager
def synthetic_store(tiny: bool) -> Iterator[Path]:
    """Noise with the loudness of speech, pauses too, so that some crops are drawn anew."""
    folder = Path(tempfile.mkdtemp())
    random = np.random.default_rng(0)
    utterances, pieces = [], []
    for number in range(8 if tiny else 400):
        n_samples = int(random.integers(60000, 240000))
        envelope = np.clip(np.sin(2 * np.pi * np.arange(n_samples) / 16000 * 0.7 + number), 0, 1)
        pieces.append((4000 * envelope * random.standard_normal(n_samples)).astype(np.int16))
        utterances.append(Utterance(f"u{number}", f"s{number % 9}", f"u{number}.flac", n_samples, 16000, "HELLO"))
    write_manifest(folder / "train.tsv", utterances)
    np.save(folder / "train.npy", np.concatenate(pieces))
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


PARTS = [
    *("card", "official", "ours", "memory", "choosing", "resume", "trainer", "tokens", "largest", "small", "without"),
    *("gradients", "agreement", "deterministic", "eager", "before", "alone", "shapes"),
]


def table(figures: Figures) -> None:
    official = figures.value("official")
    print(f"\n{'':50}{'ms a step':>10}{'host ms':>9}{'times official':>16}{'peak GB':>9}")
    for row in figures.rows:
        if "ms" not in row:
            continue
        base = figures.value("official, 9 x 3.04 s at 6.25 Hz") if "3.04" in row["what"] else official
        times = f"{base / row['ms']:.2f}" if base else "-"
        host, memory = (f"{row[key]:.1f}" if key in row else "-" for key in ("host_ms", "peak_gb"))
        print(f"{row['what'][:49]:50}{row['ms']:>10.1f}{host:>9}{times:>16}{memory:>9}")
    ours = figures.value("ours, all, captured")
    if official and ours:
        print(f"ratio {official / ours:.2f}", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=200, help="no part is begun after so many")
    parser.add_argument("--rounds", type=int, default=8)
    parser.add_argument("--output", type=Path)
    parser.add_argument("--only", nargs="+", choices=PARTS, default=PARTS)
    parser.add_argument("--tiny", action="store_true", help="on a CPU, at small widths")
    arguments = parser.parse_args()
    figures, start = Figures(arguments.output), time.monotonic()
    with own_stream(DEVICE):
        bench = Bench(arguments, figures)
        for name in arguments.only:
            begun = time.monotonic() - start
            if begun > arguments.seconds:
                print(f"{name}: left out, {begun:.0f} s are gone", flush=True)
                continue
            try:
                getattr(bench, name)()
            except Exception:
                print(f"{name} FAILED\n" + "".join(traceback.format_exc(limit=-6)[-1800:]), flush=True)
                set_arithmetic(bench.run.training.precision, DEVICE, 1)
            print(
                f"  [{name}: {time.monotonic() - start - begun:.1f} s, {time.monotonic() - start:.0f} s in all]",
                flush=True,
            )
        table(figures)
        bench = None


if __name__ == "__main__":
    main()
