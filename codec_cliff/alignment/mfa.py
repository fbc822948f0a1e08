"""The Montreal Forced Aligner (McAuliffe et al. 2017) in its own conda environment: staged, called, counted.

Its models are fetched beforehand at their pins (`codec_cliff/downloads/pins.py`), not by MFA, which would take the newest unverified.
"""

import os
import re
import shutil
import subprocess
import tempfile
from collections.abc import Sequence
from pathlib import Path

from codec_cliff.alignment import AlignmentError, unspeakable
from codec_cliff.alignment.index import NO_PHONE, Aligned
from codec_cliff.alignment.textgrid import SILENCE, UNKNOWN, read_intervals
from codec_cliff.corpus.manifest import Utterance
from codec_cliff.corpus.transcripts import normalise

# ours: the paper names no aligner. ARPAbet phones, so that a "phoneme" is what the 12.2 a second of section 4.3
# suggest.
MODEL = "english_us_arpa"
VERSION = (3, 4, 3)  # 3.4.0 to 3.4.2 forget to adapt to the speakers before the second pass
DROPPED = "MFA wrote no TextGrid"  # the reason in the index
LOG_LINES = 5


def command(corpus: Path, output_dir: Path, temporary: Path, jobs: int, model: str = MODEL) -> list[str]:
    """`mfa align` of MFA 3.4. SQLite instead of Postgres, nothing kept of earlier runs; speakers are adapted to."""
    options = ["--clean", "--final_clean", "--overwrite", "-j", str(jobs), "-t", str(temporary), "--no_use_postgres"]
    return ["mfa", "align", str(corpus), model, model, str(output_dir), *options, "--output_format", "long_textgrid"]


def stage(utterances: Sequence[Utterance], folder: Path) -> None:
    """Lay utterances out as MFA reads them: <speaker>/<utterance>.flac (a link) beside its .lab; but for those it cannot spell."""
    for utterance in (each for each in utterances if not unspeakable(each.transcript)):
        audio = Path(utterance.path).resolve()
        place = folder / utterance.speaker_id / utterance.utterance_id
        place.parent.mkdir(parents=True, exist_ok=True)
        place.with_name(place.name + audio.suffix).symlink_to(audio)
        place.with_name(place.name + ".lab").write_text(normalise(utterance.transcript) + "\n")


def align_manifest(
    utterances: Sequence[Utterance],
    output_dir: str | Path,
    root: str | Path,
    jobs: int,
    temporary_root: str | None = None,
    model: str = MODEL,
) -> list[Aligned]:
    """Align with MFA into `output_dir`/<speaker>/<utterance>.TextGrid; what it drops is a row without a TextGrid.

    `root` becomes MFA_ROOT_DIR and holds the models; everything else lives in a temporary folder below
    `temporary_root`, new for every job, because MFA names its working folder after the corpus folder alone.
    """
    root, output_dir = Path(root).resolve(), Path(output_dir)
    check_installed()
    check_version(root)
    check_models(root, model)
    for path in paths(utterances, output_dir):
        path.unlink(missing_ok=True)  # an earlier run's TextGrid would hide that this run dropped the utterance
    with tempfile.TemporaryDirectory(prefix="mfa.", dir=temporary_root) as folder:
        corpus = Path(folder) / "corpus"
        stage(utterances, corpus)
        run(command(corpus, output_dir.resolve(), Path(folder) / "work", jobs, model), root)
    return collected(utterances, output_dir)


def check_installed() -> None:
    """AlignmentError, with the environment and how to get it, where there is no `mfa`."""
    if shutil.which("mfa") is None:
        raise AlignmentError(
            "mfa is not on the PATH: this job needs the environment envs/mfa.yaml; install conda (for example Miniforge, "
            "https://conda-forge.org/download) and run Snakemake with --sdm conda, which builds it, or set "
            "alignment.aligner to pocketsphinx"
        )


def check_version(root: Path) -> None:
    """AlignmentError where the `mfa` on the PATH is older than VERSION."""
    found = run(["mfa", "version"], root)
    numbers = re.findall(r"(\d+)\.(\d+)\.(\d+)", found)  # it may warn first
    if not numbers or tuple(map(int, numbers[-1])) < VERSION:
        raise AlignmentError(
            f"mfa {found.strip()}: versions before 3.4.3 forget to adapt to the speakers; run Snakemake with --sdm conda, which "
            "builds the environment envs/mfa.yaml"
        )


def check_models(root: Path, model: str) -> None:
    """AlignmentError where MFA_ROOT_DIR `root` lacks a file of the model."""
    names = (f"acoustic/{model}.zip", f"dictionary/{model}.dict")
    if missing := [name for name in names if not (root / "pretrained_models" / name).exists()]:
        raise AlignmentError(
            f"{root}: lacks MFA's {' and '.join(missing)}; `codec-cliff downloads fetch mfa_{model}` fetches them at their pins, on "
            "a machine with network"
        )


def run(line: list[str], root: Path) -> str:
    """What one `mfa` call under MFA_ROOT_DIR `root` says, printed too; AlignmentError with its last lines on failure."""
    environment = os.environ | {"MFA_ROOT_DIR": str(root)}
    finished = subprocess.run(line, env=environment, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    print(finished.stdout, flush=True)
    if finished.returncode:
        last = " | ".join(finished.stdout.strip().splitlines()[-LOG_LINES:])
        raise AlignmentError(f"{' '.join(line[:4])} ... failed with status {finished.returncode}: {last}")
    return finished.stdout


def collected(utterances: Sequence[Utterance], output_dir: Path) -> list[Aligned]:
    """The rows of the index; MFA drops what it cannot align without an error, so all files are looked for."""
    found = paths(utterances, output_dir)
    if missing := [path.stem for path in found if not path.exists()]:
        print(f"MFA wrote no TextGrid for {len(missing)} of {len(found)} utterances: {', '.join(missing)}", flush=True)
    return [_row(utterance, path) for utterance, path in zip(utterances, found, strict=True)]


def _row(utterance: Utterance, path: Path) -> Aligned:
    if not path.exists():
        reason = unspeakable(utterance.transcript) or DROPPED
        return Aligned(utterance.utterance_id, utterance.speaker_id, "", 0, reason)
    if not (phones := count_phones(path)):
        return Aligned(utterance.utterance_id, utterance.speaker_id, "", 0, NO_PHONE)
    return Aligned(utterance.utterance_id, utterance.speaker_id, str(path), phones, "")


def paths(utterances: Sequence[Utterance], output_dir: Path) -> list[Path]:
    """Where MFA writes the TextGrids of utterances staged by speaker."""
    return [output_dir / utterance.speaker_id / f"{utterance.utterance_id}.TextGrid" for utterance in utterances]


def count_phones(path: Path) -> int:
    return sum(interval.label not in (SILENCE, UNKNOWN) for interval in read_intervals(path))
