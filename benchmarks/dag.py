"""How long Snakemake plans, and in how much memory, as a study grows to 50 variants x 5 seeds and 20 published codecs.

Dry runs of `all controls` in an empty folder, so nothing is trained or written. Seconds are CPU seconds of the planning
process: other work on the machine does not change them. Start-up is part of every plan, so look at `ms/more` too: what each
further job costs; where it grows from line to line, something grows faster than the study. The last line is the time per job at
the largest scale over that at the smallest.

    python -m benchmarks.dag [--scales 1 4 16] [--runs 16]
"""

import argparse
import os
import re
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).resolve().parents[1]
STRIDES = [
    [2, 4, 4, 5], [2, 4, 5, 8], [2, 4, 5, 10], [4, 4, 5, 8], [2, 4, 10, 10],
    [4, 4, 8, 10], [4, 4, 10, 10], [4, 8, 8, 10], [4, 8, 10, 10], [8, 8, 8, 10],
]  # fmt: skip
CODECS = ["dac_16k", "bigcodec", "dac_24k", "qwen3_tts_12hz", "mimi_8", "mimi_32", "snac_24k", "wavtokenizer_75"]
CODECS += ["wavtokenizer_40", *(f"opus_{kbps}" for kbps in range(6, 17))]


@dataclass(frozen=True)
class Plan:
    """One dry run: `runs` trainings in `jobs` jobs."""

    runs: int
    jobs: int
    seconds: float
    megabytes: float


def study(runs: int) -> dict[str, Any]:
    """A configuration of `runs` trainings: ten frame rates under as many protocols as it takes, and twenty codecs.

    The protocols stand for seeds too: to the planner, a run more is a run more.
    """
    rates = [{"frame_rate": 16000 / _product(strides), "strides": strides} for strides in STRIDES]
    names = [rate["frame_rate"] for rate in rates]
    protocols = {"fixed-duration": {"clip_seconds": 0.38, "batch_clips": 72}}
    protocols |= {"fixed-tokens": {"clip_tokens": 19, "batch_clips": 72}}
    controls: dict[str, list[float]] = {"fixed-tokens-matched-audio": []}
    left = runs - len(names)
    while left > 0:
        protocol = f"tokens-{20 + len(controls)}"
        protocols[protocol] = {"clip_tokens": 20 + len(controls), "batch_clips": 72}
        controls[protocol] = names[:left]
        left -= len(names)
    tables = {"fixed_duration": names, "fixed_tokens": names[1:2], "repaired": [], "reference_codecs": CODECS}
    settings = {"frame_rates": rates, "protocols": protocols, "controls": controls, "tables": tables}
    return settings | {"probes": {"arms": []}}  # they are of rates that are not among these


def _product(strides: list[int]) -> int:
    product = 1
    for stride in strides:
        product *= stride
    return product


def plan(runs: int) -> Plan:
    """Plan a study of `runs` trainings in a folder of its own."""
    with tempfile.TemporaryDirectory() as folder:
        for name in ("Snakefile", "workflow", "codec_cliff", "config.yaml", "envs"):
            (Path(folder) / name).symlink_to(ROOT / name)
        (Path(folder) / "large.yaml").write_text(yaml.safe_dump(study(runs)))
        command = [sys.executable, "-m", "snakemake", "-n", "--quiet", "rules", "--cores", "1"]
        command += ["--configfile", "large.yaml", "--", "all", "controls"]
        with open(Path(folder) / "log", "w+") as log:
            process = subprocess.Popen(command, cwd=folder, stdout=log, stderr=log)
            _, status, usage = os.wait4(process.pid, 0)
            log.seek(0)
            said = log.read()
    counts = dict(re.findall(r"^(\w+) +(\d+)$", said, re.M))
    if status or "total" not in counts:
        sys.exit(f"the plan of {runs} runs failed:\n{said[-3000:]}")
    # at least the trainings: a shared 50 Hz run, and nothing that fell out of the plan
    assert int(counts["train"]) == runs, (counts, runs)
    return Plan(runs, int(counts["total"]), usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024)


def further(plans: list[Plan]) -> float | None:
    """Milliseconds that each job more has cost, from the last scale but one to the last: start-up falls out."""
    if len(plans) < 2:
        return None
    small, large = plans[-2:]
    return 1000 * (large.seconds - small.seconds) / (large.jobs - small.jobs)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--scales", type=int, nargs="+", default=[1, 4, 16], help="multiples of --runs")
    parser.add_argument(
        "--runs", type=int, default=16, help="trainings at scale 1 (16; 16x is 250: 50 variants x 5 seeds)"
    )
    arguments = parser.parse_args()
    plans = []
    print(f"{'scale':>5}{'trainings':>11}{'jobs':>8}{'CPU s':>9}{'ms/job':>9}{'ms/more':>9}{'MB':>8}")
    for scale in sorted(arguments.scales):
        plans.append(plan(scale * arguments.runs))
        last, more = plans[-1], further(plans)
        print(
            f"{scale:>4}x{last.runs:>11}{last.jobs:>8}{last.seconds:>9.1f}{1000 * last.seconds / last.jobs:>9.2f}"
            f"{'-' if more is None else f'{more:.2f}':>9}{last.megabytes:>8.0f}",
            flush=True,
        )
    print(f"ratio {plans[-1].seconds / plans[-1].jobs * plans[0].jobs / plans[0].seconds:.2f}")


if __name__ == "__main__":
    main()
