"""A benchmark runs where there is no speech but the package's own, and says that it did."""

import json
import subprocess
import sys

from tests.paths import ROOT


def test_degradations_of_synthetic_speech(tmp_path):
    command = [sys.executable, "-m", "benchmarks.degradations", "--metrics", "stoi", "--utterances", "1"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("SYNTHETIC speech")
    figures = [
        line.split(" | ")[1] for line in done.stdout.splitlines() if line.startswith(("| original", "| noise 0"))
    ]
    assert float(figures[0]) > 0.999 > 0.9 > float(figures[1])


def test_the_gpus_benchmark_rehearses_on_a_cpu(tmp_path):
    """Parts that Triton's interpreter does not slow down to minutes; a step by the kernels: tests/training/test_gpu_step.py."""
    parts = ["card", "memory", "choosing", "resume"]
    command = [sys.executable, "-m", "benchmarks.gpu", "--tiny", "--output", str(tmp_path), "--only", *parts]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert "FAILED" not in done.stdout, done.stdout
    rows = {row["what"]: row for row in json.loads((tmp_path / "gpu.json").read_text())}
    resumed = rows["killed and resumed, deterministic"]
    assert resumed["checkpoint"]
    assert resumed["same_weights"]
    assert resumed["first_row_apart"] is None
    assert {"card", "memory by trial", "choosing 72 clips"} <= rows.keys()
