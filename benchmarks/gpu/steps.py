"""Parts that time a step: the official one, ours in all its ways, other batches, and the memory they take."""

import time
from dataclasses import replace

import torch

from benchmarks.gpu import DEVICE
from benchmarks.gpu.bench import ALL, BY_TRIAL, NARROW, ROOT, Bench, free, peak, run_of, synchronise, timed
from benchmarks.official import OfficialStep
from codec_cliff.models.gpu.switches import NONE, chosen
from codec_cliff.study.files import merged
from codec_cliff.training.graph import Stepper
from codec_cliff.training.loop import set_arithmetic
from codec_cliff.training.memory import choose_micro_batch
from codec_cliff.training.step import MicroBatch, build_networks


def card(bench: Bench) -> None:
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
    bench.figures.add("card", name=name, torch=torch.__version__, GB=memory, bf16_tflops=rate, copy_gb_s=moved)


def official(bench: Bench) -> None:
    torch.backends.cudnn.allow_tf32, torch.backends.cuda.matmul.allow_tf32 = True, False
    start = time.perf_counter()
    step = OfficialStep(bench.run, DEVICE)
    step(bench.audio)
    synchronise()
    first = time.perf_counter() - start
    timed(lambda: step(bench.audio), 2)
    measured = timed(lambda: step(bench.audio), bench.rounds)
    bench.figures.add("official", **measured, first_s=first, peak_gb=peak())


def ours(bench: Bench) -> None:
    stepper = bench.step("ours, all, captured", ALL, rounds=2 * bench.rounds)
    bench.profile(stepper)


def before(bench: Bench) -> None:
    bench.step("as torch does it, eager", NONE, captured=False)
    bench.step("as torch does it, captured", NONE)


def eager(bench: Bench) -> None:
    bench.step("all, eager", ALL, captured=False)


def alone(bench: Bench) -> None:
    bench.step("Snake fused alone, eager", replace(NONE, snake=True), captured=False)
    bench.step("Snake fused alone, captured", replace(NONE, snake=True))
    bench.step("Snake and one-channel products, captured", replace(NONE, snake=True, products=True))
    bench.step("Snake and channels last, captured", replace(NONE, snake=True, last=True, norm=True))
    bench.step(
        "Snake, products, channels last, captured", replace(NONE, snake=True, products=True, last=True, norm=True)
    )


def without(bench: Bench) -> None:
    for name in ("dilated", "fill", "distance", "leaky", "products", "last", "norm", "bias", "spectra"):
        bench.step(f"all but {name}, captured", replace(ALL, **{name: False}))
    bench.step("all, TF32 in what is left of float32, captured", ALL, matmul_tf32=True, cudnn_tf32=True)


def tokens(bench: Bench) -> None:
    """9 x 3.04 s at 6.25 Hz."""
    clips, codec = (2, "6.25hz-fixed-duration") if bench.tiny else (9, "6.25hz-fixed-tokens")
    bench.networks = None
    free()
    other = bench.beside(run_of(bench.config, codec, clips))
    torch.backends.cudnn.allow_tf32, torch.backends.cuda.matmul.allow_tf32 = True, False
    _official_tokens(other)
    free()
    other.step("ours, 9 x 3.04 s at 6.25 Hz", ALL)


def _official_tokens(bench: Bench) -> None:
    """A function of its own, so that the official networks are gone when it returns."""
    step = OfficialStep(bench.run, DEVICE)
    timed(lambda: step(bench.audio), 3)
    bench.figures.add("official, 9 x 3.04 s at 6.25 Hz", **timed(lambda: step(bench.audio), bench.rounds))


def small(bench: Bench) -> None:
    """The pilot's models, no discriminators and float32: what of the above pays where every layer is narrow."""
    config = merged([ROOT / "config.yaml", ROOT / "profiles/pilot/study.yaml"])
    if bench.tiny:
        config["model"] |= NARROW
    narrow = bench.beside(run_of(config, "6.25hz-fixed-tokens", seconds=0.16 if bench.tiny else None))
    stepper = narrow.step("small, all, captured", ALL)
    narrow.profile(stepper)
    narrow.step("small, as torch does it, captured", NONE)
    narrow.step("small, Snake fused alone, captured", replace(NONE, snake=True))
    narrow.step("small, all, TF32, captured", ALL, matmul_tf32=True, cudnn_tf32=True)
    for name in ("dilated", "fill", "last"):
        narrow.step(f"small, all but {name}, captured", replace(ALL, **{name: False}))


def largest(bench: Bench) -> None:
    """The largest batch of the study: 19 tokens at 1.6 Hz, 72 clips, in as many parts as the card asks for."""
    run = run_of(bench.config, "1.6hz-fixed-tokens", 2 if bench.tiny else None, 1.3 if bench.tiny else None)
    bench.networks = None
    free()
    set_arithmetic(run.training.precision, DEVICE, 1)
    networks = build_networks(run, DEVICE)
    with chosen(BY_TRIAL):
        clips, taken = choose_micro_batch(run, DEVICE, run.batch_clips, networks)
    bench.figures.add("memory by trial, 1.6 Hz", clips_at_once=clips, gb=taken / 1e9)
    free()
    with chosen(ALL):
        stepper = Stepper(networks, run, DEVICE, MicroBatch(clips))
        audio = torch.randn(run.batch_clips, 1, run.clip_samples, device=DEVICE) * 0.1
        levels = torch.full((run.batch_clips,), run.model.n_codebooks, device=DEVICE)
        timed(lambda: stepper(audio, levels), 4)  # warm up and capture
        measured = timed(lambda: stepper(audio, levels), 1)
    bench.figures.add("largest 1.6 Hz batch", **measured, clips_at_once=stepper.micro.clips, peak_gb=peak())


def memory(bench: Bench) -> None:
    """What a trial step says of the usual batch, against its peak."""
    free()
    set_arithmetic(bench.run.training.precision, DEVICE, 1)
    with chosen(BY_TRIAL):
        start = time.perf_counter()
        clips, taken = choose_micro_batch(bench.run, DEVICE, bench.run.batch_clips, bench.network())
        synchronise()
    bench.figures.add("memory by trial", s=time.perf_counter() - start, clips_at_once=clips, gb=taken / 1e9)


def shapes(bench: Bench) -> None:
    """Operators of an eager step by input shape: which layers the time goes to."""
    activities = [torch.profiler.ProfilerActivity.CPU] + [torch.profiler.ProfilerActivity.CUDA] * (DEVICE == "cuda")
    with chosen(ALL):
        stepper = Stepper(bench.network(), bench.run, DEVICE, MicroBatch(bench.run.batch_clips), "not asked for")
        stepper(bench.audio, bench.levels)
        with torch.profiler.profile(activities=activities, record_shapes=True) as profiler:
            stepper(bench.audio, bench.levels)
            synchronise()
    entries = profiler.key_averages(group_by_input_shape=True)
    key = "self_device_time_total" if DEVICE == "cuda" else "self_cpu_time_total"
    rows = [(getattr(e, key) / 1e3, e.count, e.key, str(e.input_shapes)) for e in entries if e.input_shapes]
    rows.sort(reverse=True)
    bench.figures.add("profile by shape", operators=len(rows))
    for ms, count, name, shapes in rows[:26]:
        print(f"  {ms:8.3f} ms {count:4d} x  {name[:44]} {shapes[:100]}", flush=True)
    bench.write("shapes.txt", "\n".join(f"{ms:.4f} {count} {name} {shapes}" for ms, count, name, shapes in rows))
