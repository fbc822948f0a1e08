"""Training as processes: killed at any moment nothing is lost, and two processes train what one does."""

import csv
import json
import multiprocessing
import os
import random
import resource
import signal
import subprocess
import sys
import time
from dataclasses import replace
from multiprocessing.process import BaseProcess

import pytest
import torch
from safetensors.torch import load_file

from codec_cliff.study.load import load_study
from tests.conftest import ROOT, tiny_config
from tests.training import train_tiny

KILLS = 20
FORKS = multiprocessing.get_context("forkserver")
FORKS.set_forkserver_preload(["tests.training.train_tiny", "torch._dynamo"])


@pytest.fixture(scope="session")
def stem(store):
    """Where the store's manifest and samples lie, without suffix."""
    return os.path.splitext(store.samples.filename)[0]


def command(run, stem, folder, launcher=(sys.executable, "-m")) -> list[str]:
    return [*launcher, "tests.training.train_tiny", json.dumps(run.to_dict()), str(stem), str(folder)]


def start(arguments: list[str], **options) -> subprocess.Popen:
    environment = os.environ | {"OMP_NUM_THREADS": "1", "TQDM_DISABLE": "1"}
    return subprocess.Popen(
        arguments, cwd=ROOT, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, **options
    )


def begin(run, stem, folder) -> BaseProcess:
    """A training in a process that has imported everything before: imports would be most of the time of twenty starts."""
    process = FORKS.Process(target=train_tiny.main, args=(json.dumps(run.to_dict()), str(stem), str(folder)))
    process.start()
    return process


def end(process: BaseProcess) -> None:
    process.join(900)
    assert process.exitcode == 0


def finish(process: subprocess.Popen) -> str:
    output, _ = process.communicate(timeout=900)
    assert process.returncode == 0, output
    return output


def assert_same_weights(one, other) -> None:
    one, other = (load_file(folder / "model.safetensors") for folder in (one, other))
    assert one.keys() == other.keys()
    assert all(torch.equal(one[name], other[name]) for name in one)


@pytest.mark.slow
def test_kill_minus_nine_at_twenty_random_moments_loses_nothing(tiny_run, stem, tmp_path, monkeypatch):
    """Some kills strike a checkpoint half written, for one is written after every step."""
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    monkeypatch.setenv("TQDM_DISABLE", "1")
    run = replace(tiny_run, training=replace(tiny_run.training, steps=400, checkpoint_every_seconds=1e-9))
    end(begin(run, stem, tmp_path / "whole"))
    moments, killed, resumed_at = random.Random(0), 0, []
    while killed < KILLS:
        process = begin(run, stem, tmp_path / "killed")
        table = tmp_path / "killed" / "train.csv"
        rows = table.read_text().count("\n") if table.exists() else 0
        while process.is_alive() and (not table.exists() or table.read_text().count("\n") <= rows):
            time.sleep(0.02)  # until it trains
        time.sleep(moments.uniform(0, 1.0))
        assert process.is_alive(), "finished before it was killed often enough: give it more steps"
        process.kill()
        process.join()
        killed += 1
        with open(table, newline="") as file:  # a kill may strike before the first line: then there is only the header
            resumed_at.append([row["step"] for row in csv.DictReader(file)][-1:])
    end(begin(run, stem, tmp_path / "killed"))
    print(f"killed {killed} times, after logging steps {resumed_at}")
    assert_same_weights(tmp_path / "whole", tmp_path / "killed")


def test_a_disk_that_fills_up_during_a_save_loses_nothing(tiny_run, stem, tmp_path):
    """A file-size limit below the checkpoint's size stands for the full disk: the write stops half-way with an error."""
    finish(start(command(tiny_run, stem, tmp_path / "whole")))
    every_step = replace(tiny_run, training=replace(tiny_run.training, checkpoint_every_seconds=1e-9))
    folder = tmp_path / "full"
    limited = start(
        command(every_step, stem, folder),
        preexec_fn=lambda: (
            signal.signal(signal.SIGXFSZ, signal.SIG_IGN),
            resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000)),
        ),
    )
    output, _ = limited.communicate(timeout=300)
    assert limited.returncode != 0
    assert "File too large" in output or "PytorchStreamWriter" in output or "unexpected pos" in output
    assert not list(folder.glob(".*.tmp"))
    finish(start(command(every_step, stem, folder)))
    assert_same_weights(tmp_path / "whole", folder)


def test_two_processes_train_what_one_does(stem, tmp_path):
    """Same batch, half of it each, under torchrun with gloo; weights agree to rounding."""
    config = tiny_config()
    config["discriminator"] = {"enabled": True, "periods": [2], "fft_sizes": [512]}
    config["training"] |= {"steps": 3, "learning_rate": 1e-4, "log_every_steps": 1, "keep_steps": [2]}
    config["protocols"]["fixed-duration"]["batch_clips"] = 4
    config["gpus"] = {"6.25hz-fixed-duration": 2}
    run = load_study(config).runs["6.25hz-fixed-duration"]
    finish(start(command(run, stem, tmp_path / "one")))
    torchrun = (sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node=2", "-m")
    finish(start(command(run, stem, tmp_path / "two", torchrun)))
    one, two = (load_file(tmp_path / name / "model.safetensors") for name in ("one", "two"))
    moved = 3 * 1e-4  # Adam moves a weight by the learning rate a step
    for name in one:
        torch.testing.assert_close(two[name], one[name], atol=0.02 * moved, rtol=1e-4, msg=name)
    assert (tmp_path / "two/steps/2/model.safetensors").exists()
    rows = [list(csv.DictReader((tmp_path / name / "train.csv").read_text().splitlines())) for name in ("one", "two")]
    for first, second in zip(*rows, strict=True):
        for loss in ("loss", "mel", "discriminator", "feature_matching", "codes_in_use"):
            assert float(second[loss]) == pytest.approx(float(first[loss]), rel=1e-4), loss
