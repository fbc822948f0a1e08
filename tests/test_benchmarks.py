"""A benchmark runs where there is no speech but the package's own, and says that it did."""

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
