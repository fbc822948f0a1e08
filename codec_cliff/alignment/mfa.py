"""The Montreal Forced Aligner (McAuliffe et al. 2017) in its own conda environment: staged, called, counted."""

import argparse
import os
import shutil
import subprocess
import tempfile
from collections.abc import Sequence
from pathlib import Path

from codec_cliff.alignment import AlignmentError
from codec_cliff.alignment.index import Aligned
from codec_cliff.alignment.textgrid import SILENCE, UNKNOWN, read_intervals
from codec_cliff.corpus.manifest import Utterance
from codec_cliff.corpus.transcripts import normalise
from codec_cliff.errors import exit_cleanly
from codec_cliff.files import atomic_path

# ours: the paper names no aligner. ARPAbet phones, so that a "phoneme" is what the 12.2 a second of section 4.3
# suggest.
MODEL = "english_us_arpa"
MODELS = (MODEL, "english_mfa")  # ARPAbet with stress, or IPA: other inventories, so other phoneme counts
LOG_LINES = 5


def command(corpus: Path, output_dir: Path, temporary: Path, jobs: int, model: str = MODEL) -> list[str]:
    """`mfa align` of MFA 3.4. SQLite instead of Postgres, nothing kept of earlier runs; speakers are adapted to."""
    options = ["--clean", "--final_clean", "--overwrite", "-j", str(jobs), "-t", str(temporary), "--no_use_postgres"]
    return ["mfa", "align", str(corpus), model, model, str(output_dir), *options, "--output_format", "long_textgrid"]


def download_commands(root: Path, model: str = MODEL) -> list[list[str]]:
    """The downloads that MFA_ROOT_DIR `root` still needs; MFA asks api.github.com: they want a node with internet."""
    wanted = {"acoustic": ".zip", "dictionary": ".dict"}
    paths = {kind: root / "pretrained_models" / kind / f"{model}{suffix}" for kind, suffix in wanted.items()}
    return [["mfa", "model", "download", kind, model] for kind, path in paths.items() if not path.exists()]


def stage(utterances: Sequence[Utterance], folder: Path) -> None:
    """Lay utterances out as MFA reads them: <speaker>/<utterance>.flac (a link) beside its .lab."""
    for utterance in utterances:
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
    """Align with MFA into `output_dir`/<speaker>/<utterance>.TextGrid; AlignmentError where a TextGrid is missing.
    `root` becomes MFA_ROOT_DIR (models, configuration); everything else lives in a temporary folder below
       `temporary_root`, new for every job, because MFA names its working folder after the corpus folder alone.
    """
    check_installed()
    root, output_dir = Path(root).resolve(), Path(output_dir)
    root.mkdir(parents=True, exist_ok=True)
    for path in paths(utterances, output_dir):
        path.unlink(missing_ok=True)  # an earlier run's TextGrid would hide that this run dropped the utterance
    with tempfile.TemporaryDirectory(prefix="mfa.", dir=temporary_root) as folder:
        corpus = Path(folder) / "corpus"
        stage(utterances, corpus)
        for line in [
            *download_commands(root, model),
            command(corpus, output_dir.resolve(), Path(folder) / "work", jobs, model),
        ]:
            run(line, root)
    return collected(utterances, output_dir)


def check_installed() -> None:
    """AlignmentError, with the environment and how to get it, where there is no `mfa`."""
    if shutil.which("mfa") is None:
        raise AlignmentError(
            "mfa is not on the PATH: this job needs the environment envs/mfa.yaml; install conda (for example Miniforge, "
            "https://conda-forge.org/download) and run Snakemake with --sdm conda, which builds it, or set "
            "alignment.aligner to pocketsphinx"
        )


def run(line: list[str], root: Path) -> None:
    """One `mfa` call under MFA_ROOT_DIR `root`, its output printed; AlignmentError with its last lines on failure."""
    environment = os.environ | {"MFA_ROOT_DIR": str(root)}
    finished = subprocess.run(line, env=environment, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    print(finished.stdout, flush=True)
    if finished.returncode:
        last = " | ".join(finished.stdout.strip().splitlines()[-LOG_LINES:])
        raise AlignmentError(f"{' '.join(line[:4])} ... failed with status {finished.returncode}: {last}")


def collected(utterances: Sequence[Utterance], output_dir: Path) -> list[Aligned]:
    """The rows of the index; MFA drops what it cannot align without an error, so all files are counted."""
    found = paths(utterances, output_dir)
    missing = [path.stem for path in found if not path.exists()]
    if missing:
        raise AlignmentError(
            f"{output_dir}: MFA wrote {len(found) - len(missing)} TextGrids for {len(found)} utterances, without "
            f"{', '.join(missing[:10])}; run `mfa validate` on them or leave them out of the corpus"
        )
    return [
        Aligned(utterance.utterance_id, utterance.speaker_id, str(path), count_phones(path), "")
        for utterance, path in zip(utterances, found, strict=True)
    ]


def paths(utterances: Sequence[Utterance], output_dir: Path) -> list[Path]:
    """Where MFA writes the TextGrids of utterances staged by speaker."""
    return [output_dir / utterance.speaker_id / f"{utterance.utterance_id}.TextGrid" for utterance in utterances]


def count_phones(path: Path) -> int:
    return sum(interval.label not in (SILENCE, UNKNOWN) for interval in read_intervals(path))


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog="python -m codec_cliff.alignment.mfa", description="Download MFA's models.")
    parser.add_argument("--model", required=True, choices=MODELS)
    parser.add_argument("--mfa-root", required=True, type=Path, help="MFA_ROOT_DIR")
    parser.add_argument("--marker", required=True, type=Path, help="written last")
    options = parser.parse_args(arguments)
    check_installed()
    root = options.mfa_root.resolve()
    root.mkdir(parents=True, exist_ok=True)
    for line in download_commands(root, options.model):
        run(line, root)
    with atomic_path(options.marker) as temporary:
        temporary.write_text(f"{options.model} below {root}\n")


if __name__ == "__main__":
    exit_cleanly(main)
