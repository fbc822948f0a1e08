"""Everything about the cause in one command on a lent card: the pilot's arms, then the full width, packed to come home.

    python -m benchmarks.cause --corpus DIR --output DIR --rest DIR [--seconds 540] [--workers 10] [--only-arms] [--tiny]

The halves take turns, for a kernel of the full width fills the card and every tiny one would wait behind it (58 ms a step instead of
some). They are processes of their own; whatever becomes of them, what there is gets packed: `scores.tar.gz` anew every half minute,
models in tar files by rank, as many into `--output` as may come home at once, the others into `--rest`. Laid into results/, `snakemake`
goes on from them. `--tiny` rehearses it on a CPU in minutes.
"""

import argparse
import contextlib
import logging
import os
import signal
import subprocess
import sys
import tarfile
import time
from collections.abc import Iterable, Sequence
from pathlib import Path

import yaml

from codec_cliff.device import choose_device
from codec_cliff.probes.side_by_side import prepare, shared_gpu
from codec_cliff.study.files import merged
from codec_cliff.study.load import load_study

log = logging.getLogger("cause")
ROOT = Path(__file__).resolve().parents[1]
PILOT = ("config.yaml", "profiles/pilot/study.yaml")
ARMS, FULL = "pilot", "pilot-full-width"
OVERLAYS = {ARMS: "profiles/pilot/causes.yaml", FULL: "profiles/pilot/full_width.yaml"}
ARCHIVE, HOME, FILES = int(15.5 * 2**20), 60 * 2**20, 8  # bytes a file, bytes and files at once
HEAVY = (".safetensors", ".npy", ".pt", ".flac", ".npz")
WEIGHTS = ("model.safetensors", "checkpoint.pt")  # a finished run's, and those from which another machine goes on
OF_A_MODEL = (*WEIGHTS, "config.json", "run.json", "train.csv")
TINY = {
    "model": {"encoder_dim": 4, "decoder_dim": 32, "codebook_size": 16},
    "training": {"steps": 6, "log_every_steps": 2, "keep_steps": [2, 4], "warmup_steps": 2},
    "corpus": {"max_train_utterances": 20, "max_test_utterances": 3},
}


def tiny(overlay: str) -> dict:
    """A study's overlay with everything small: its variants too."""
    values = yaml.safe_load((ROOT / overlay).read_text())
    values = {
        **values,
        **TINY,
        "protocols": {"fixed-tokens": {"batch_seconds": 3.1}, "fixed-duration": {"batch_seconds": 1}},
    }
    if "longer" in values["probes"]["variants"]:
        values["probes"]["variants"]["longer"]["training"] |= {"steps": 12, "keep_steps": [3, 6, 9]}
        values["probes"] |= {"arms": values["probes"]["arms"][:4], "batch_seconds": 1}
    else:
        values["discriminator"] = {"enabled": True, "periods": [2], "fft_sizes": [256]}
        values["training"] = {**TINY["training"], "steps": 100000, "keep_steps": list(range(2, 4000, 2))}
    return values


def pack(target: Path, files: Iterable[Path], root: Path, mode: str) -> None:
    """An archive of those files that are there, whole or not at all."""
    temporary = target.with_name(f".{target.name}.tmp")
    with tarfile.open(temporary, mode) as archive:
        for path in files:
            with contextlib.suppress(FileNotFoundError):  # renamed while we looked
                archive.add(path, path.relative_to(root))
    os.replace(temporary, target)


def small_files(root: Path) -> list[Path]:
    """Everything but weights, stores and sound."""
    found = (path for path in root.rglob("*") if path.is_file() and path.suffix not in HEAVY)
    return sorted(path for path in found if not path.name.startswith(".") and path.name != "lock")


def size_of(files: Iterable[Path]) -> int:
    """Bytes in an archive, of those files that are there."""
    size = 0
    for path in files:
        with contextlib.suppress(FileNotFoundError):
            size += path.stat().st_size + 2048
    return size


def groups(folders: Sequence[list[Path]]) -> list[list[Path]]:
    """Models, each a list of files, in groups that fit an archive, in their order."""
    packed: list[list[Path]] = []
    room = 0
    for files in folders:
        size = size_of(files)
        if size > room:
            packed.append([])
            room = ARCHIVE
        packed[-1] += files
        room -= size
    return packed


def pack_models(work: Path, results: Path, codecs: Sequence[str], output: Path, rest: Path) -> None:
    """Models by rank, the unfinished as checkpoints: into `output` while they fit beside what lies there, then into `rest`."""
    folders = [results / "runs" / codec for codec in codecs]
    begun = [folder for folder in folders if any((folder / name).exists() for name in WEIGHTS)]
    kept = [[folder / name for name in OF_A_MODEL] for folder in begun]
    _place(work, groups(kept), "models", output, rest)


def pack_sound(work: Path, results: Path, output: Path, rest: Path) -> None:
    folders = [path for path in sorted((results / "reconstruction").glob("*")) if path.is_dir()]
    _place(
        work, groups([sorted(p for p in folder.rglob("*") if p.is_file()) for folder in folders]), "sound", output, rest
    )


def _place(work: Path, packed: Sequence[list[Path]], kind: str, output: Path, rest: Path) -> None:
    for number, files in enumerate(packed, start=1):
        there = [path for path in output.iterdir() if path.is_file()]
        size = size_of(files) + 10240
        home = len(there) < FILES - 1 and sum(path.stat().st_size for path in there) + size < HOME
        pack((output if home else rest) / f"{kind}-{number:02d}.tar", files, work, "w")


def started(
    module: str, study: Sequence[str], corpus: Path, results: Path, log_file: Path, more: Sequence[str]
) -> subprocess.Popen:
    """One half, the leader of a process group of its own."""
    command = [sys.executable, "-m", f"codec_cliff.probes.{module}", "--study", *study, "--corpus", str(corpus)]
    with open(log_file, "a") as output:
        return subprocess.Popen(
            [*command, "--results", str(results), *more],
            cwd=ROOT, stdout=output, stderr=subprocess.STDOUT, start_new_session=True,
        )  # fmt: skip


def parsed() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--corpus", required=True, type=Path)
    parser.add_argument("--output", required=True, type=Path, help="what comes home first")
    parser.add_argument("--rest", required=True, type=Path, help="archives for which there was no room there")
    parser.add_argument("--work", type=Path, default=Path("/tmp/cause"))
    parser.add_argument("--seconds", type=float, default=540)
    parser.add_argument("--arms", type=float, default=0.48, help="share of the seconds after which no arm trains on")
    parser.add_argument("--train", type=float, default=0.8, help="the same of the full width, which begins then")
    parser.add_argument("--workers", type=int, default=10)
    parser.add_argument("--judges", type=int, default=8)
    parser.add_argument("--only-arms", action="store_true", help="nothing of the full width")
    parser.add_argument("--codecs", nargs="+", help="these arms in this order (default: all by rank)")
    parser.add_argument("--tiny", action="store_true")
    return parser.parse_args()


class Session:
    """The time and the folders of one command: both studies' configurations and results, and what has been packed of them."""

    def __init__(self, options: argparse.Namespace):
        self.options, self.start, self.packed = options, time.monotonic(), False
        for folder in (options.output, options.rest, options.work):
            folder.mkdir(parents=True, exist_ok=True)
        self.log_file = options.work / "cause.log"
        self.studies = {name: [str(ROOT / path) for path in (*PILOT, overlay)] for name, overlay in OVERLAYS.items()}
        if options.tiny:
            for name, overlay in OVERLAYS.items():
                path = options.work / f"{name}.yaml"
                path.write_text(yaml.safe_dump(tiny(overlay)))
                self.studies[name][-1] = str(path)
        self.arms = load_study(merged([Path(path) for path in self.studies[ARMS]]))
        self.results = {name: options.work / name for name in self.studies}

    @property
    def gone(self) -> float:
        return time.monotonic() - self.start

    def read_recordings(self) -> None:
        """Manifests and stores of the arms; the full width has links to them."""
        prepare(self.arms, self.options.corpus, self.results[ARMS] / "data")
        (self.results[FULL] / "data").mkdir(parents=True, exist_ok=True)
        for path in (self.results[ARMS] / "data").iterdir():
            with contextlib.suppress(FileExistsError):
                os.link(path, self.results[FULL] / "data" / path.name)

    def begin(self, module: str, name: str, train: float, *more: str) -> subprocess.Popen:
        """One half, which trains until `train` seconds of the session are gone."""
        end = self.options.seconds - 35
        times = ["--deadline", f"{train - self.gone:.0f}", "--finish", f"{end - self.gone:.0f}"]
        results = self.results[name]
        return started(module, self.studies[name], self.options.corpus, results, self.log_file, [*times, *more])

    def run(self) -> None:
        """The arms, then the full width; whatever becomes of them, scores and models are packed as they come."""
        options = self.options
        end_of_arms = options.arms * options.seconds
        end_of_training = end_of_arms + 8 if options.only_arms else options.train * options.seconds
        more = ["--workers", str(options.workers), "--judges", str(options.judges)]
        if options.codecs:
            more += ["--codecs", *options.codecs]
        halves = [self.begin("side_by_side", ARMS, end_of_arms, *more)]
        while halves[0].poll() is None and "trainings ended" not in self.log_file.read_text():
            time.sleep(0.5)
            if self.gone > end_of_arms + 5:  # a training may be slow to stop; it has kept its checkpoint
                break
        if not options.only_arms:
            halves.append(self.begin("full_width", FULL, end_of_training))
        last = time.monotonic()
        while self.gone < options.seconds - 25 and any(half.poll() is None for half in halves):
            time.sleep(1)
            if time.monotonic() - last > 30:
                last = time.monotonic()
                with contextlib.suppress(OSError):
                    self.save_scores()
            if self.gone > end_of_training or halves[0].poll() is not None:
                self.pack_models()
        for half in halves:
            log.info("%s: exit %s", half.args[2], half.poll())
            with contextlib.suppress(ProcessLookupError):
                os.killpg(half.pid, signal.SIGKILL)  # its trainings too

    def save_scores(self) -> None:
        pack(self.options.output / "scores.tar.gz", small_files(self.options.work), self.options.work, "w:gz")

    def pack_models(self) -> None:
        """Once."""
        if not self.packed:
            codecs = list(self.arms.probe_runs)
            pack_models(self.options.work, self.results[ARMS], codecs, self.options.output, self.options.rest)
            self.packed = True

    def pack_what_is_left(self) -> None:
        self.pack_models()
        pack_sound(self.options.work, self.results[FULL], self.options.output, self.options.rest)
        self.save_scores()

    @property
    def archives(self) -> str:
        return ", ".join(
            f"{path.parent.name}/{path.name} {path.stat().st_size / 2**20:.1f} MiB"
            for folder in (self.options.output, self.options.rest)
            for path in sorted(folder.iterdir())
        )


def main() -> None:
    session = Session(parsed())
    logging.basicConfig(
        level=logging.INFO, format="%(asctime)s %(message)s", datefmt="%H:%M:%S",
        handlers=[logging.StreamHandler(), logging.FileHandler(session.log_file)],
    )  # fmt: skip
    session.read_recordings()
    log.info("recordings ready after %.0f s", session.gone)
    session.save_scores()
    device = choose_device("auto")
    with shared_gpu() if device.startswith("cuda") else contextlib.nullcontext(False) as shared:
        log.info("%s; multi-process service: %s", device, "there" if shared else "not there")
        session.run()
        session.pack_what_is_left()
    log.info("%.0f s: %s", session.gone, session.archives)


if __name__ == "__main__":
    main()
