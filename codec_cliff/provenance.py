"""Where a result comes from: the commit, versions, device and cost of a run."""

import platform
import resource
import subprocess
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import torch

from codec_cliff.study.config import Run

PACKAGES = ("codec-cliff", "torch", "torchaudio", "descript-audio-codec", "numpy")


def run_record(
    run: Run,
    device: str,
    seconds: float,
    warnings: list[str],
    collapsed: bool,
    clip_shares: dict[str, float],
    micro_batch_clips: int,
) -> dict[str, Any]:
    """The contents of run.json (DESIGN: contracts between the rooms)."""
    on_gpu = device.startswith("cuda")
    return {
        "codec": run.codec,
        "protocol": run.protocol,
        "frame_rate": run.frame_rate,
        "seed": run.seed,
        "steps": run.training.steps,
        "commit": commit(),
        "versions": versions(),
        "device": torch.cuda.get_device_name(device) if on_gpu else f"CPU ({platform.machine()})",
        "precision": run.training.precision,
        "seconds": seconds,
        "audio_seconds": run.training.steps * run.batch_clips * run.clip_seconds,
        **clip_shares,
        "tokens_per_clip": run.tokens_per_clip,
        "micro_batch_clips": micro_batch_clips,
        "gpus": run.gpus if on_gpu else 0,
        "peak_memory_bytes": peak_memory_bytes(device),
        "gpu_hours": run.gpus * seconds / 3600 if on_gpu else 0.0,
        "finished": datetime.now(UTC).isoformat(timespec="seconds"),
        "collapsed": collapsed,
        "warnings": warnings,
    }


def commit() -> str:
    """The commit of the checkout, `+changes` where its tracked files differ from it; `unknown` outside a checkout."""
    here = Path(__file__).resolve().parent
    try:
        described = subprocess.run(
            ["git", "describe", "--always", "--dirty=+changes", "--abbrev=40", "--exclude=*"],
            cwd=here, capture_output=True, text=True, check=True,
        )  # fmt: skip
    except (OSError, subprocess.CalledProcessError):
        return "unknown"
    return described.stdout.strip()


def versions() -> dict[str, str]:
    found = {"python": platform.python_version()}
    for package in PACKAGES:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            found[package] = "not installed"
    return found


def peak_memory_bytes(device: str) -> int:
    """Peak memory of this process: the GPU's allocations where it runs on one, else resident memory."""
    if device.startswith("cuda"):
        return torch.cuda.max_memory_allocated(device)
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
