"""train.csv: one row a log step, written as training goes and read by whoever watches."""

import csv
import logging
import math
from pathlib import Path

from codec_cliff.files import atomic_path
from codec_cliff.study.config import Run

log = logging.getLogger("training")

COLUMNS = ["step", "seconds", "audio_seconds", "learning_rate", "loss", "mel", "commitment", "codebook"]
COLUMNS += ["adversarial", "feature_matching", "discriminator", "gradient_norm", "codes_in_use"]
COLUMNS += ["padded_share", "short_clips", "tokens_heard"]


def open_table(path: Path, first_step: int, run: Run) -> Path:
    """Keep the rows up to the checkpoint that a run goes on from; start anew where there is none.

    Of a damaged table what can be read is kept, for the weights do not depend on it.
    """
    rows = [row for row in read_rows(path) if int(row["step"]) <= first_step]
    if first_step and (not rows or int(rows[-1]["step"]) < first_step - run.training.log_every_steps):
        log.warning("%s: is missing or damaged, so it does not tell all of the %d steps before", path, first_step)
    with atomic_path(path) as temporary, open(temporary, "w", newline="") as file:
        writer = csv.DictWriter(file, COLUMNS)
        writer.writeheader()
        writer.writerows(rows)
    return path


def read_rows(path: Path) -> list[dict[str, str]]:
    """The rows of train.csv that are whole: a kill or a full disk may leave half of one, zeros, or nothing at all."""
    if not path.exists():
        return []
    with open(path, newline="", encoding="utf-8", errors="replace") as file:
        lines = (line for line in file if line.endswith("\n") and "\0" not in line)  # csv refuses zeros
        return [row for row in csv.DictReader(lines) if _is_whole(row)]


def _is_whole(row: dict[str, str | None]) -> bool:
    try:
        return all(math.isfinite(float(row[name])) for name in row if row[name] != "") and int(row["step"]) > 0
    except (KeyError, TypeError, ValueError):
        return False


def write_row(path: Path, row: dict[str, float]) -> None:
    with open(path, "a", newline="") as file:
        csv.DictWriter(file, COLUMNS, restval="").writerow({name: f"{value:.6g}" for name, value in row.items()})
