"""Every probe run of a study trained side by side on one card, in rank order until a deadline, each measured as it ends.

For someone who has a GPU for minutes and no Snakemake on it: a small model uses a hundredth of a card, so ten train at once. Leaves
what `snakemake ... probes` would (`runs/`, `probes/`), from which it goes on. A run that the deadline stops keeps its checkpoint, and
the weights of `training.keep_steps` are measured.
"""

import argparse
import contextlib
import json
import logging
import multiprocessing
import os
import queue
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch

from codec_cliff.corpus.store import AudioStore, open_store
from codec_cliff.device import choose_device
from codec_cliff.errors import ConfigError, exit_cleanly
from codec_cliff.files import write_csv
from codec_cliff.metrics.construct import construct
from codec_cliff.models.dac import TrainedCodec, load_generator
from codec_cliff.models.gpu.switches import PLAIN
from codec_cliff.probes.along import kept_steps, step_rows
from codec_cliff.probes.drift import drift_rows
from codec_cliff.probes.variants import measure
from codec_cliff.study.config import Run, Study
from codec_cliff.study.files import merged
from codec_cliff.study.load import load_study

log = logging.getLogger("side by side")
LEAST_SECONDS = 20  # a training that could run for less is not begun
GRACE_SECONDS = 30  # for a stopped training to write its checkpoint


def prepare(study: Study, root: Path, data: Path) -> None:
    """Manifest and audio store of both splits in `data`, decoded once; what lies there already stays."""
    for split, limit in (("test", study.corpus.max_test_utterances), ("train", study.corpus.max_train_utterances)):
        manifest = data / f"{split}.tsv"
        if manifest.exists():
            continue
        command = [sys.executable, "-m", "codec_cliff.corpus", "prepare", "--root", str(root), "--splits"]
        command += [*getattr(study.corpus, split), "--sample-rate", str(study.sample_rate)]
        command += ["--bad-files", study.corpus.bad_files, "--manifest", str(manifest)]
        command += ["--store", str(manifest.with_suffix(".npy")), "--skipped", str(data / f"{split}.skipped.tsv")]
        subprocess.run(command + (["--max-utterances", str(limit)] if limit else []), check=True)


@contextlib.contextmanager
def shared_gpu() -> Iterator[bool]:
    """NVIDIA's Multi-Process Service while the body runs: kernels of several processes share the card. Yields whether it is there."""
    if "CUDA_MPS_PIPE_DIRECTORY" in os.environ:  # somebody has started it already
        yield True
        return
    if not (shutil.which("nvidia-cuda-mps-control") and torch.cuda.is_available()):
        yield False
        return
    for name in ("PIPE", "LOG"):
        os.environ.setdefault(f"CUDA_MPS_{name}_DIRECTORY", f"/tmp/codec-cliff-mps-{name.lower()}-{os.getpid()}")
        Path(os.environ[f"CUDA_MPS_{name}_DIRECTORY"]).mkdir(exist_ok=True)
    there = False
    with contextlib.suppress(OSError, subprocess.SubprocessError):
        subprocess.run(["nvidia-cuda-mps-control", "-d"], timeout=10, check=True)
        probe = [sys.executable, "-c", "import torch; print(torch.ones(2, device='cuda').sum().item())"]
        there = subprocess.run(probe, timeout=40, capture_output=True, check=False).stdout.strip() == b"2.0"
    if not there:
        _quit_service()
        del os.environ["CUDA_MPS_PIPE_DIRECTORY"], os.environ["CUDA_MPS_LOG_DIRECTORY"]
    try:
        yield there
    finally:
        if there:
            _quit_service()


def _quit_service() -> None:
    with contextlib.suppress(OSError, subprocess.SubprocessError):
        subprocess.run(["nvidia-cuda-mps-control"], input=b"quit -t 1\n", timeout=15, check=False)


class Trainings:
    """Workers that take runs by rank and train each in a process of its own, until the deadline (time.monotonic())."""

    def __init__(self, runs: Sequence[Run], results: Path, deadline: float):
        self.results, self.deadline = results, deadline
        self.ended: queue.SimpleQueue[Run | None] = queue.SimpleQueue()  # each run as it ends, then None
        self._waiting = queue.SimpleQueue()
        for run in runs:
            self._waiting.put(run)

    def start(self, workers: int) -> None:
        threads = [threading.Thread(target=self._work, daemon=True) for _ in range(workers)]
        for thread in threads:
            thread.start()
        threading.Thread(target=self._end, args=(threads,), daemon=True).start()

    def as_they_end(self, every: float = 5) -> Iterator[Run | None]:
        """Each run as it ends, and None every so many seconds, so that what runs have kept meanwhile can be seen to."""
        while True:
            try:
                run = self.ended.get(timeout=every)
            except queue.Empty:
                yield None
                continue
            yield run
            if run is None:
                return

    def _end(self, threads: Sequence[threading.Thread]) -> None:
        for thread in threads:
            thread.join()
        self.ended.put(None)

    def _work(self) -> None:
        with contextlib.suppress(queue.Empty):
            while self.deadline - time.monotonic() > LEAST_SECONDS:
                run = self._waiting.get_nowait()
                if self._train(run, dict(os.environ)) != 0 and self.deadline - time.monotonic() > LEAST_SECONDS:
                    alone = {name: value for name, value in os.environ.items() if not name.startswith("CUDA_MPS")}
                    self._train(
                        run, {**alone, PLAIN: "1"}
                    )  # from its checkpoint, without shared service and own kernels
                self.ended.put(run)

    def _train(self, run: Run, environment: Mapping[str, str]) -> int | str:
        folder, data = self.results / "runs" / run.codec, self.results / "data"
        left = self.deadline - time.monotonic()
        command = [sys.executable, "-m", "codec_cliff.training", "--run", json.dumps(run.to_dict())]
        command += ["--manifest", str(data / "train.tsv"), "--store", str(data / "train.npy"), "--folder", str(folder)]
        command += ["--threads", "1", "--max-seconds", f"{left:.0f}", "--log", str(folder / "train.log")]
        folder.mkdir(parents=True, exist_ok=True)
        start = time.monotonic()
        threads = {name: "1" for name in ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS")}
        with open(folder / "output.log", "a") as output:
            try:
                code = subprocess.run(
                    command, stdout=output, stderr=output, timeout=left + GRACE_SECONDS, check=False,
                    env={**environment, **threads, "TQDM_DISABLE": "1"},
                ).returncode  # fmt: skip
            except subprocess.TimeoutExpired:
                code = "killed"
        log.info("%s: trained for %.0f s, exit %s", run.codec, time.monotonic() - start, code)
        return code


class Judge:
    """What a measuring process holds: the test recordings and the metrics."""

    store: AudioStore
    scorers: Sequence[object]
    device: str

    @classmethod
    def prepare(cls, data: Path, metrics: Mapping[str, str], device: str) -> None:
        torch.set_num_threads(1)
        cls.store, cls.device = open_store(data / "test.tsv", data / "test.npy"), choose_device(device)
        cls.scorers = [construct(name, backend)(cls.store.utterances, None, "cpu") for name, backend in metrics.items()]

    @classmethod
    def final(cls, results: Path, codec: str) -> None:
        """Scores, errors by position and drift of a finished run."""
        run, model = load_generator(results / "runs" / codec)
        write_csv(results / "probes" / "drift" / f"{codec}.csv", drift_rows(run, model))
        try:
            scores, positions = measure(TrainedCodec(run, model, cls.device), cls.store, cls.scorers)
        except Exception as error:  # a GPU that is full, lost, or without a kernel
            log.warning("%s: measured on the CPU (%s)", codec, error)
            scores, positions = measure(TrainedCodec(run, model, "cpu"), cls.store, cls.scorers)
        write_csv(results / "probes" / "scores" / f"{codec}.csv", scores)
        write_csv(results / "probes" / "positions" / f"{codec}.csv", positions)

    @classmethod
    def kept(cls, results: Path, codec: str, step: int) -> None:
        """Scores and tap norms of the weights that a run kept at a step."""
        try:
            scores, taps = step_rows(results / "runs" / codec, step, cls.store, cls.scorers, cls.device)
        except Exception as error:
            log.warning("%s at step %d: measured on the CPU (%s)", codec, step, error)
            scores, taps = step_rows(results / "runs" / codec, step, cls.store, cls.scorers, "cpu")
        write_csv(results / "runs" / codec / "steps" / str(step) / "scores.csv", scores)
        write_csv(results / "runs" / codec / "steps" / str(step) / "taps.csv", taps)


def unmeasured(results: Path, runs: Sequence[Run]) -> list[tuple[str, int]]:
    """Codec and step of all weights kept along the way that have no scores yet."""
    return [
        (run.codec, step)
        for run in runs
        for step in kept_steps(results / "runs" / run.codec)
        if not (results / "runs" / run.codec / "steps" / str(step) / "scores.csv").exists()
    ]


def abandon(pool: ProcessPoolExecutor) -> None:
    """End a pool at once, whatever its processes are at."""
    processes = list((pool._processes or {}).values())
    pool.shutdown(wait=False, cancel_futures=True)
    for process in processes:
        process.terminate()


class Court:
    """A pool of measuring processes; where one dies, the pool is made anew and what it had not done is asked again, once."""

    def __init__(self, size: int, results: Path, metrics: Mapping[str, str], device: str):
        self.size, self.results, self.arguments = size, results, (results / "data", metrics, device)
        self.jobs: dict[tuple, Future] = {}
        self.again = True
        self._open()

    def _open(self) -> None:
        context = multiprocessing.get_context("spawn")
        self.pool = ProcessPoolExecutor(self.size, context, Judge.prepare, self.arguments)

    def ask(self, method: Any, *arguments: object) -> None:
        key = (method.__name__, *arguments)
        if key in self.jobs:
            return
        try:
            self.jobs[key] = self.pool.submit(method, self.results, *arguments)
        except BrokenProcessPool:
            self._renew()
            self.jobs[key] = self.pool.submit(method, self.results, *arguments)

    def _renew(self) -> None:
        lost = [key for key, job in self.jobs.items() if job.done() and isinstance(job.exception(), BrokenProcessPool)]
        self._open()
        for name, *arguments in lost:
            self.jobs[(name, *arguments)] = self.pool.submit(getattr(Judge, name), self.results, *arguments)

    def wait(self, deadline: float) -> None:
        """Until all is done or the time is over; says what failed."""
        while time.monotonic() < deadline and not all(job.done() for job in self.jobs.values()):
            time.sleep(0.5)
            if self.again and any(
                job.done() and not job.cancelled() and isinstance(job.exception(), BrokenProcessPool)
                for job in self.jobs.values()
            ):
                self.again = False
                self._renew()
        for key, job in self.jobs.items():
            if not job.done():
                log.warning("not measured, for want of time: %s", " ".join(map(str, key)))
            elif job.cancelled() or job.exception():
                log.warning("not measured: %s (%s)", " ".join(map(str, key)), job.exception())

    def close(self) -> None:
        abandon(self.pool)


def gather(results: Path, runs: Sequence[Run]) -> None:
    """The measured steps of each run as one table: `probes/along/<codec>.csv` and `probes/along_taps/<codec>.csv`."""
    for run in runs:
        folders = [
            results / "runs" / run.codec / "steps" / str(step) for step in kept_steps(results / "runs" / run.codec)
        ]
        for kind, name in (("along", "scores.csv"), ("along_taps", "taps.csv")):
            parts = [(folder / name).read_text() for folder in folders if (folder / name).exists()]
            if parts:
                header = parts[0].splitlines()[0]
                body = [line for part in parts for line in part.splitlines()[1:]]
                target = results / "probes" / kind / f"{run.codec}.csv"
                target.parent.mkdir(parents=True, exist_ok=True)
                target.write_text("\n".join([header, *body]) + "\n")


def asked_for(study: Study, codecs: Sequence[str] | None) -> list[Run]:
    """The probe runs of these names in the names' order, or all by rank; ConfigError on a name that is none."""
    if unknown := sorted(set(codecs or ()) - set(study.probe_runs)):
        raise ConfigError(
            f"--codecs {' '.join(unknown)}: no probe run is called so; there are {', '.join(study.probe_runs)}"
        )
    return [study.probe_runs[codec] for codec in codecs or study.probe_runs]


def work(
    study: Study, chosen: Sequence[Run], results: Path, device: str, seconds: float, finish: float,
    workers: int, judges: int, shared: bool,
) -> None:  # fmt: skip
    """Train until `seconds` from now, measure until `finish` seconds from now."""
    start = time.monotonic()
    runs = [replace(run, training=replace(run.training, device=device)) for run in chosen]
    if device.startswith("cuda") and not shared:
        runs.sort(key=lambda run: run.training.steps)  # processes take turns: what is short first
    trainings = Trainings(runs, results, start + seconds)
    trainings.start(workers)
    metrics = {name: study.metrics[name] for name in study.probes.metrics if name == "stoi"}
    court = Court(judges, results, metrics, device)
    for run in trainings.as_they_end():
        if run is not None and (results / "runs" / run.codec / "run.json").exists():
            court.ask(Judge.final, run.codec)
        for codec, step in unmeasured(
            results, runs
        ):  # as soon as they are kept: a card may be gone before its runs end
            court.ask(Judge.kept, codec, step)
    log.info("trainings ended after %.0f s; measuring", time.monotonic() - start)
    court.wait(start + finish)
    court.close()
    gather(results, runs)
    finished = sum((results / "runs" / run.codec / "run.json").exists() for run in runs)
    log.info("%d of %d trainings finished, %.0f s in all", finished, len(runs), time.monotonic() - start)


def timed_arguments(description: str | None) -> argparse.ArgumentParser:
    """A parser of what is trained and measured against the clock."""
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("--study", required=True, nargs="+", type=Path, help="configurations, each over the one before")
    parser.add_argument("--corpus", required=True, type=Path, help="the folder that holds the splits")
    parser.add_argument("--results", required=True, type=Path, help="results/<study>")
    parser.add_argument("--deadline", required=True, type=float, help="seconds after which no training goes on")
    parser.add_argument("--finish", required=True, type=float, help="seconds after which nothing is measured")
    parser.add_argument("--device", default="auto")
    return parser


def begin(options: argparse.Namespace) -> tuple[Study, str, float]:
    """The study, the device, and when the clock was started (time.monotonic()); the recordings are ready."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s", datefmt="%H:%M:%S")
    study, device, start = load_study(merged(options.study)), choose_device(options.device), time.monotonic()
    prepare(study, options.corpus, options.results / "data")
    return study, device, start


def main() -> None:
    parser = timed_arguments(__doc__)
    parser.add_argument("--workers", type=int, default=1, help="trainings at once")
    parser.add_argument("--judges", type=int, default=1, help="measurements at once")
    parser.add_argument("--codecs", nargs="+", help="these runs, in this order (default: all by rank)")
    options = parser.parse_args()
    study, device, start = begin(options)
    runs = asked_for(study, options.codecs)
    log.info("recordings ready after %.0f s", time.monotonic() - start)
    with shared_gpu() if device.startswith("cuda") else contextlib.nullcontext(False) as shared:
        log.info("%s; NVIDIA's multi-process service: %s", device, "there" if shared else "not there")
        spent = time.monotonic() - start
        times = options.deadline - spent, options.finish - spent
        work(study, runs, options.results, device, *times, options.workers, options.judges, shared)


if __name__ == "__main__":
    exit_cleanly(main)
