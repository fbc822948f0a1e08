"""How fast one optimisation step is: ours against one of descript-audio-codec's own modules, and against what the device could do.

Both run in this process, turn and turn about, on the same clips. Without a GPU: encoder 16, decoder 384, all discriminators,
8 clips of 0.38 s at 50 Hz; with one: full width, 72 clips. The floor is the longer of arithmetic (FLOPs of the official step over the
device's measured matrix rate in each side's precision) and traffic (each weight, gradient and moment once, each kept activation written
and read, over the measured bandwidth). The last line is `ratio X.XX`: seconds of the official step over seconds of ours.

    python -m benchmarks.training_step [--rounds 5] [--threads 1] [--batch-clips 9 --clip-seconds 3.04 --frame-rate 6.25] [--profile]
"""

import argparse
import statistics
import time
from collections.abc import Callable
from pathlib import Path

import torch
import yaml
from torch.utils.flop_counter import FlopCounterMode

from benchmarks.official import OfficialStep
from codec_cliff.device import choose_device, choose_precision
from codec_cliff.study.config import Run
from codec_cliff.study.load import load_study
from codec_cliff.training.allocator import return_freed_memory
from codec_cliff.training.loop import set_arithmetic
from codec_cliff.training.memory import needed_bytes
from codec_cliff.training.step import MicroBatch, build_networks, optimise

ROOT = Path(__file__).resolve().parents[1]


def benchmark_run(arguments: argparse.Namespace, device: str) -> Run:
    """The run of the benchmark: DAC's recipe at full width on a GPU, a quarter of the width on a CPU."""
    config = yaml.safe_load((ROOT / "config.yaml").read_text())
    on_gpu = device.startswith("cuda")
    clips = {"clip_seconds": arguments.clip_seconds, "batch_clips": arguments.batch_clips or (72 if on_gpu else 8)}
    config["protocols"] |= {"fixed-duration": clips, "fixed-tokens": clips}
    config["model"] |= {} if on_gpu else {"encoder_dim": 16, "decoder_dim": 384}
    precision = choose_precision(arguments.precision, device)
    config["training"] |= {"precision": precision}
    return load_study(config).runs[f"{arguments.frame_rate:g}hz"]


def set_torch_defaults(device: str) -> None:
    """What the official script leaves as torch has it: TensorFloat-32 in a GPU's convolutions, on a CPU freed memory returned."""
    if device.startswith("cuda"):
        torch.backends.cudnn.benchmark = True  # this one it sets
        torch.backends.cudnn.allow_tf32, torch.backends.cuda.matmul.allow_tf32 = True, False
    else:
        return_freed_memory()


def seconds(work: Callable[[], object], device: str) -> tuple[float, float]:
    """Wall and processor seconds of a call."""
    start, processor = time.perf_counter(), time.process_time()
    work()
    if device.startswith("cuda"):
        torch.cuda.synchronize()
    return time.perf_counter() - start, time.process_time() - processor


def matrix_rate(device: str, dtype: torch.dtype) -> float:
    """Multiplications and additions a second of a large matrix product, the best of ten."""
    size = 8192 if device.startswith("cuda") else 1024
    a, b = (torch.randn(size, size, device=device).to(dtype) for _ in range(2))
    torch.mm(a, b)
    return 2 * size**3 / min(seconds(lambda: torch.mm(a, b), device)[0] for _ in range(10))


def bandwidth(device: str) -> float:
    """Bytes a second, read and written, of copying 256 MB, the best of ten."""
    source = torch.ones(64 << 20, device=device)
    target = torch.empty_like(source)
    target.copy_(source)
    return 2 * source.nbytes / min(seconds(lambda: target.copy_(source), device)[0] for _ in range(10))


def floor_seconds(run: Run, official: OfficialStep, audio: torch.Tensor, device: str) -> dict[str, float]:
    """Seconds that the arithmetic of a step takes at the rate of each side's precision, or its traffic where that is longer."""
    with FlopCounterMode(display=False) as counter:
        official(audio)
    fixed, per_clip = needed_bytes(run)
    flops, moved = counter.get_total_flops(), 2 * fixed + 2 * len(audio) * per_clip
    width, floors = bandwidth(device), {}
    print(f"floor: {flops / 1e9:.0f} GFLOP, {moved / 1e9:.2f} GB at {width / 1e9:.1f} GB/s")
    for name, precision in (("official", "float32"), ("ours", run.training.precision)):
        rate = matrix_rate(device, torch.bfloat16 if precision == "bfloat16" else torch.float32)
        floors[name] = max(flops / rate, moved / width)
        print(f"  {name}: {rate / 1e9:.1f} GFLOP/s in {precision}: {floors[name]:.3f} s")
    return floors


def arguments_of() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--device", default="auto")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--batch-clips", type=int)
    parser.add_argument("--clip-seconds", type=float, default=0.38)
    parser.add_argument("--frame-rate", type=float, default=50)
    parser.add_argument(
        "--precision", default="auto", choices=("auto", "float32", "tf32", "bfloat16"), help="of our step"
    )
    parser.add_argument("--profile", action="store_true", help="where our step spends its time")
    return parser.parse_args()


def main() -> None:
    arguments = arguments_of()
    device = choose_device(arguments.device)
    run = benchmark_run(arguments, device)
    torch.set_num_threads(arguments.threads)
    torch.manual_seed(0)
    audio = torch.randn(run.batch_clips, 1, run.clip_samples, device=device) * 0.1
    levels = torch.full((run.batch_clips,), run.model.n_codebooks)
    official, networks = OfficialStep(run, device), build_networks(run, device)
    steps = {
        "official": (lambda: set_torch_defaults(device), lambda: official(audio)),
        "ours": (
            lambda: set_arithmetic(run.training.precision, device, arguments.threads),
            lambda: optimise(networks, run, audio, levels, MicroBatch(run.batch_clips)),
        ),
    }
    times: dict[str, list[tuple[float, float]]] = {name: [] for name in steps}
    for turn in range(arguments.rounds + 1):
        for name, (prepare, work) in steps.items():
            prepare()
            measured = seconds(work, device)
            if turn:  # the first warms up
                times[name].append(measured)
    audio_seconds = run.batch_clips * run.clip_seconds
    name = torch.cuda.get_device_name() if device.startswith("cuda") else f"CPU, {torch.get_num_threads()} thread"
    batch = f"{run.batch_clips} x {run.clip_seconds:g} s at {run.frame_rate:g} Hz"
    print(f"{name}, ours in {run.training.precision}: {batch}, {arguments.rounds} rounds")
    floors = floor_seconds(run, official, audio, device)
    best = {name: [min(column) for column in zip(*measured, strict=True)] for name, measured in times.items()}
    for name, measured in times.items():
        wall, processor = (statistics.median(column) for column in zip(*measured, strict=True))
        print(
            f"{name:9} {wall:7.3f} s a step (processor {processor:.3f}; best {best[name][0]:.3f}, {best[name][1]:.3f}), "
            f"{audio_seconds / wall:.3f} audio-seconds/s, {wall / floors[name]:.2f} x its floor"
        )
    if arguments.profile:
        with torch.profiler.profile() as profiler:
            steps["ours"][1]()
        print(profiler.key_averages().table(sort_by="self_cpu_time_total", row_limit=25, max_name_column_width=45))
    clock = 0 if device.startswith("cuda") else 1  # processor seconds on a CPU, which others may share
    medians = {name: statistics.median(entry[clock] for entry in measured) for name, measured in times.items()}
    print(f"ratio {medians['official'] / medians['ours']:.2f}")


if __name__ == "__main__":
    main()
