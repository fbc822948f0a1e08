"""Parts that run the trainer itself on noise: how fast it chooses clips and steps, and whether a killed run is the same in the end."""

import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import numpy as np

from benchmarks.gpu.bench import ROOT, Bench, free
from codec_cliff.corpus.manifest import Utterance, write_manifest
from codec_cliff.corpus.store import open_store
from codec_cliff.study.config import Run
from codec_cliff.training.clips import step_clips


def choosing(bench: Bench) -> None:
    """The host's time to choose a step's clips."""
    with noise_store(bench.tiny) as folder:
        store = open_store(folder / "train.tsv", folder / "train.npy")
        run = replace(bench.run, batch_clips=72)
        step_clips(store, run, 0)
        start = time.perf_counter()
        for number in range(3):
            step_clips(store, run, number)
        bench.figures.add("choosing 72 clips", ms=1e3 * (time.perf_counter() - start) / 3)


def trainer(bench: Bench) -> None:
    """The trainer itself, recordings resident, clips chosen by loudness: its steps a second."""
    bench.networks = None
    free()
    with noise_store(bench.tiny) as folder:
        _speed(bench, folder)


def resume(bench: Bench) -> None:
    """A deterministic training killed and resumed beside one that is not."""
    bench.networks = None
    free()
    with noise_store(bench.tiny) as folder:
        _kill_and_resume(bench, folder)


def _speed(bench: Bench, folder: Path) -> None:
    steps = 6 if bench.tiny else 120
    run = replace(bench.run, training=replace(bench.run.training, steps=steps, log_every_steps=max(1, steps // 6)))
    start = time.perf_counter()
    said = _train(run, folder, folder / "speed").communicate()[0]
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
    bench.figures.add(
        "trainer", ms=1e3 * (at_last - at_first) / (last - first), whole_s=time.perf_counter() - start,
        first_row_s=times[0][1], graph=record.get("cuda_graph"), reason=record.get("cuda_graph_reason"),
        peak_gb=record["peak_memory_bytes"] / 1e9,
    )  # fmt: skip


def _kill_and_resume(bench: Bench, folder: Path) -> None:
    steps = 8 if bench.tiny else 24
    training = replace(
        bench.run.training,
        steps=steps,
        deterministic=True,
        log_every_steps=1,
        checkpoint_every_seconds=0.0 if bench.tiny else 1.0,
    )
    run = replace(bench.run, training=training)
    whole, killed = _train(run, folder, folder / "whole"), _train(run, folder, folder / "killed")
    while killed.poll() is None and _rows(folder / "killed") < steps // 2:
        time.sleep(0.05)
    killed.send_signal(signal.SIGKILL)
    killed.communicate()
    at, kept = _rows(folder / "killed"), (folder / "killed/checkpoint.pt").exists()
    resumed = _train(run, folder, folder / "killed")
    said = [resumed.communicate()[0], whole.communicate()[0]]
    if resumed.returncode or whole.returncode:
        print("\n".join(text[-1200:] for text in said), flush=True)
        raise RuntimeError("a deterministic training failed")
    names = ("whole", "killed")
    same = (folder / "whole/model.safetensors").read_bytes() == (folder / "killed/model.safetensors").read_bytes()
    tables = [
        [row.split(",")[4:12] for row in (folder / name / "train.csv").read_text().splitlines()[1:]] for name in names
    ]
    first_apart = next((n + 1 for n, (a, b) in enumerate(zip(*tables, strict=False)) if a != b), None)
    times = [float(row.split(",")[1]) for row in (folder / "killed/train.csv").read_text().splitlines()[1:]]
    bench.figures.add(
        "killed and resumed, deterministic", killed_at=at, checkpoint=kept, same_weights=same, first_row_apart=first_apart,
        ms=1e3 * (times[-1] - times[-steps // 4]) / (steps // 4 - 1),
    )  # fmt: skip


def _rows(folder: Path) -> int:
    path = folder / "train.csv"
    return max(0, len(path.read_text().splitlines()) - 1) if path.exists() else 0


def _train(run: Run, store: Path, folder: Path) -> subprocess.Popen:
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
def noise_store(tiny: bool) -> Iterator[Path]:
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
