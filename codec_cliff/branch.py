"""Delete everything that was made of one trained codec, and the tables that show it, so that the next run makes it anew."""

import argparse
import shutil
from pathlib import Path

from codec_cliff.errors import exit_cleanly
from codec_cliff.training.checkpoint import run_lock

KEPT = ("logs",)
SUMMARIES = (
    "tables",
    "figures",
)  # made of all branches in seconds; as long as they stand, Snakemake sees nothing to do


def branch_paths(results: Path, codec: str) -> list[Path]:
    """Files and folders of `codec` and of its repaired model, in whichever part of the results they lie, and what sums them up."""
    names = {codec, f"{codec}-repaired"}
    parts = [part for part in sorted(results.iterdir()) if part.is_dir() and part.name not in KEPT]
    own = [
        path for part in parts for path in sorted(part.iterdir()) if {path.name, path.name.removesuffix(".csv")} & names
    ]
    summaries = [path for path in sorted(results.iterdir()) if path.is_file() and path.name != "study.json"]
    return own + [part for part in parts if part.name in SUMMARIES] + summaries if own else []


def clean_branch(results: Path, codec: str) -> list[Path]:
    """Delete a branch and return what is gone.

    Raises TrainingError where a trainer is at work in it.
    """
    if not results.is_dir():
        return []
    found = branch_paths(results, codec)
    if results / "runs" / codec in found:
        with run_lock(results / "runs" / codec):
            return _delete(found)
    return _delete(found)


def _delete(paths: list[Path]) -> list[Path]:
    for path in paths:
        shutil.rmtree(path) if path.is_dir() else path.unlink()
    return paths


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--results", required=True, type=Path)
    parser.add_argument("--codec", required=True)
    arguments = parser.parse_args()
    deleted = clean_branch(arguments.results, arguments.codec)
    for path in deleted:
        print(f"deleted {path}")
    if not deleted:
        print(f"{arguments.codec}: there is nothing of it in {arguments.results}")


if __name__ == "__main__":
    exit_cleanly(main)
