"""Where a study stands: done, running, queued, stopped and failed trainings, read from the results folder alone.

Nothing is asked of a scheduler or server, so it answers on any machine that sees the folder, while jobs run.
"""

import argparse
import json
import os
import socket
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from codec_cliff.corpus.listing import changes
from codec_cliff.corpus.manifest import read_manifest, recordings_digest
from codec_cliff.errors import CorpusError, UserError, anew
from codec_cliff.files import atomic_path, read_json
from codec_cliff.study.config import Run, Study, digest
from codec_cliff.study.load import load_study
from codec_cliff.training.table import read_rows

RECORD = "study.json"  # the study's configuration as it was last started; says what is still to come
SILENCE = 600.0  # seconds without a sign of life after which a trainer on another machine counts as gone, at least
RECENT_ROWS = 10  # the rate is taken over so many rows of train.csv
STATES = ("done", "running", "stopped", "failed", "queued")


@dataclass(frozen=True)
class Progress:
    """One training as its folder tells it; `rate` in steps a second, `left` in seconds."""

    codec: str
    state: str
    step: int = 0
    steps: int | None = None
    rate: float | None = None
    loss: float | None = None
    note: str = ""

    @property
    def left(self) -> float | None:
        return (self.steps - self.step) / self.rate if self.rate and self.steps is not None else None


def record_study(values: dict[str, Any], results: str | Path) -> None:
    """Keep the configuration that a run starts with, so that what has no folder yet is known too."""
    with atomic_path(Path(results) / RECORD) as temporary:
        temporary.write_text(json.dumps(values, indent=1, sort_keys=True))


def run_progress(folder: Path, log: Path, now: float) -> Progress:
    """The state of one run folder at `now` (seconds since the epoch)."""
    training = _training(folder)
    rows = [row for row in read_rows(folder / "train.csv") if row.get("seconds") and row.get("loss")]
    measured = {
        "step": int(rows[-1]["step"]) if rows else 0,
        "steps": training.get("steps"),
        "loss": float(rows[-1]["loss"]) if rows else None,
    }
    if (
        folder / "run.json"
    ).exists():  # written last; a repository of results, or a copy from a cluster, has no weights
        weights = (folder / "model.safetensors").exists()
        return Progress(folder.name, "done", note="" if weights else "its weights are not here", **measured)
    trainer = _text(folder / "lock").strip()
    if not trainer and rows:  # records that were copied here or published
        return Progress(folder.name, "stopped", note=f"unfinished, elsewhere; {_remedy(folder)}", **measured)
    if not trainer:
        return Progress(folder.name, "queued", **measured)
    if is_alive(folder, trainer, log, now, _patience(training, rows)):
        return Progress(folder.name, "running", rate=_rate(rows), note=trainer, **measured)
    last_words = (_text(log).strip().splitlines() or [""])[-1]
    if "stopped by" in last_words or "steps/s" in last_words or not last_words:
        return Progress(folder.name, "stopped", note=_stopped(last_words, folder, log, now), **measured)
    return Progress(folder.name, "failed", note=f"{last_words} ({log})", **measured)


def is_alive(folder: Path, trainer: str, log: Path, now: float, patience: float) -> bool:
    """Whether the trainer that wrote `process PID on HOST` is at work.

    On this machine its process is looked for; the lock itself is left alone, for a trainer that starts would find it held. On
    another one, whose locks a shared file system may not show, its files are younger than `patience` seconds.
    """
    process, _, host = trainer.removeprefix("process ").partition(" on ")
    if host == socket.gethostname() and process.isdigit():
        return Path(f"/proc/{process}").exists() if Path("/proc/self").exists() else _answers(int(process))
    return now - _last_sign(folder, log) < patience


def _answers(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


def _last_sign(folder: Path, log: Path) -> float:
    files = (folder / "lock", folder / "train.csv", folder / "checkpoint.pt", log)
    return max((path.stat().st_mtime for path in files if path.exists()), default=0.0)


def _patience(training: dict[str, Any], rows: list[dict[str, str]]) -> float:
    between = 0.0
    if len(rows) > 1:
        between = float(rows[-1]["seconds"]) - float(rows[-2]["seconds"])
    return max(SILENCE, 2 * training.get("checkpoint_every_seconds", 0), 5 * between)


def _stopped(last_words: str, folder: Path, log: Path, now: float) -> str:
    if "stopped by" in last_words:
        reason = last_words[last_words.index("stopped by") :].split(";")[0]
    else:
        reason = f"no sign of life for {duration(now - _last_sign(folder, log))}"
    return f"{reason}; {_remedy(folder)}"


def _remedy(folder: Path) -> str:
    kept = any((folder / name).exists() for name in ("checkpoint.pt", "checkpoint.previous.pt"))
    return f"the same command {'goes on from its checkpoint' if kept else 'starts it anew'}"


def _rate(rows: list[dict[str, str]]) -> float | None:
    recent = rows[-RECENT_ROWS:]
    if not recent:
        return None
    first = recent[0] if len(recent) > 1 else {"step": 0, "seconds": 0}
    seconds = float(recent[-1]["seconds"]) - float(first["seconds"])
    return (int(recent[-1]["step"]) - int(first["step"])) / seconds if seconds > 0 else None


def _text(path: Path) -> str:
    try:
        return path.read_text(errors="replace")
    except OSError:
        return ""


def _json(path: Path) -> dict[str, Any]:
    """What a file holds; empty where it is missing or damaged."""
    try:
        values = json.loads(_text(path))
    except ValueError:
        return {}
    return values if isinstance(values, dict) else {}


def _training(folder: Path) -> dict[str, Any]:
    """The numbers of a run's training section."""
    values = _json(folder / "config.json").get("training")
    return (
        {key: value for key, value in values.items() if isinstance(value, int | float)}
        if isinstance(values, dict)
        else {}
    )


def stale(run: Run, folder: Path, recordings: str | None) -> str:
    """Why a finished model is no longer what its study asks for; empty where it is."""
    config, record = _json(folder / "config.json"), _json(folder / "run.json")
    if not record or not config:
        return ""
    try:
        if digest(Run.from_dict(config)) != digest(run):
            return "trained under other settings"
    except (AttributeError, KeyError, TypeError):
        return "trained under settings that this version does not know"
    if recordings and record.get("recordings", recordings) != recordings:
        return "trained on other recordings than lie in data/train.tsv now"
    return ""


def stale_models(study: Study, results: str | Path) -> list[str]:
    """One line for each finished model that does not fit its study, with the remedy."""
    manifest = Path(results) / "data/train.tsv"
    try:
        recordings = recordings_digest(read_manifest(manifest)) if manifest.exists() else None
    except CorpusError as error:
        return [str(error)]
    reasons = {codec: stale(run, Path(results) / "runs" / codec, recordings) for codec, run in study.runs.items()}
    return [
        f"{codec}: {reason}; to train it anew: {anew(Path(results) / 'runs' / codec)}"
        for codec, reason in reasons.items()
        if reason
    ]


def trainings(results: Path, study: Study | None, now: float) -> list[Progress]:
    """Every training of the study, in its order, then what else has a run folder."""
    present = [path.name for path in sorted((results / "runs").glob("*")) if (path / "config.json").exists()]
    present = [codec for codec in present if not (results / "runs" / codec / "repair.json").exists()]
    names = dict.fromkeys([*(study.trained if study else []), *present])
    return [run_progress(results / "runs" / name, results / f"logs/train/{name}.log", now) for name in names]


def evaluation(results: Path, study: Study) -> dict[str, tuple[int, int]]:
    """What is done of what `all` asks for after training: part -> (done, of)."""
    codecs, metrics = study.evaluated, study.metrics
    wanted = {
        "reconstructions": [f"reconstruction/{codec}/manifest.tsv" for codec in codecs],
        "metrics": [f"metrics/{codec}/{metric}.csv" for codec in codecs for metric in metrics],
        "codebooks": [f"codebook/{codec}.csv" for codec in study.trained],
        "report": ["report.html"],
    }
    return {part: (sum((results / path).exists() for path in paths), len(paths)) for part, paths in wanted.items()}


def duration(seconds: float) -> str:
    """`45 s`, `12 min`, `3 h 05 min`, `2 d 04 h`."""
    minutes, hours, days = seconds // 60, seconds // 3600, seconds // 86400
    if seconds < 60:
        return f"{seconds:.0f} s"
    if hours < 1:
        return f"{minutes:.0f} min"
    return f"{hours:.0f} h {minutes % 60:02.0f} min" if days < 1 else f"{days:.0f} d {hours % 24:02.0f} h"


def render(name: str, runs: list[Progress], parts: dict[str, tuple[int, int]]) -> str:
    """The study as lines of text."""
    counts = ", ".join(
        f"{count} {state}" for state in STATES if (count := sum(run.state == state for run in runs)) or state == "done"
    )
    width = max([len(run.codec) for run in runs] + [5])
    lines = [f"{name}: {len(runs)} trainings: {counts}"]
    if runs:
        lines.append(f"  {'codec':{width}}  {'state':8}{'step':>15}{'steps/s':>9}{'left':>12}{'loss':>9}")
    for run in runs:
        step = f"{run.step}/{run.steps}" if run.steps is not None else "-"
        rate = f"{run.rate:.3g}" if run.rate else "-"
        left = duration(run.left) if run.left is not None else "-"
        loss = f"{run.loss:.4g}" if run.loss is not None else "-"
        lines.append(f"  {run.codec:{width}}  {run.state:8}{step:>15}{rate:>9}{left:>12}{loss:>9}  {run.note}".rstrip())
    if parts:
        lines.append("  " + ", ".join(f"{part} {done}/{of}" for part, (done, of) in parts.items()))
    return "\n".join(lines)


def changed_recordings(study: Study, results: str | Path) -> list[str]:
    """One line for each split of a folder corpus that holds something else than when it was read."""
    corpus = study.corpus
    if corpus.kind != "folder":
        return []
    names = {"train": corpus.train, "test": corpus.test}
    found = (changes(Path(results) / f"data/{split}.tsv", corpus.root, names[split]) for split in names)
    return [line for line in found if line]


def describe_study(results: Path, now: float) -> str:
    """What is known of a study, also where its record cannot be read; that is said then."""
    path, study, lines = results / RECORD, None, []
    try:
        study = load_study(read_json(path)) if path.exists() else None
    except (UserError, AttributeError, TypeError) as error:
        where = "" if str(path) in str(error) else f"{path}: "
        lines.append(f"  ! {where}{error}; what has not begun is not known")
    if study is None and not lines:
        lines.append(f"  (no {RECORD} here: what has not begun is not known)")
    if study is not None:
        lines += [f"  ! {line}" for line in (*stale_models(study, results), *changed_recordings(study, results))]
    shown = render(results.name, trainings(results, study, now), evaluation(results, study) if study else {})
    return "\n".join([shown, *lines])


def main(arguments: list[str]) -> None:
    parser = argparse.ArgumentParser("codec-cliff status", description=__doc__.splitlines()[0])
    parser.add_argument("study", nargs="*", help="names of studies; all that have results where none is given")
    parser.add_argument("--results", type=Path, default=Path("results"), help="folder of the studies (results)")
    parsed = parser.parse_args(arguments)
    known = sorted(
        path.name for path in parsed.results.glob("*") if (path / "runs").is_dir() or (path / RECORD).exists()
    )
    for name in parsed.study or known:
        if name not in known:
            raise UserError(
                f"{parsed.results / name}: no study has results there (known: {', '.join(known) or 'none'}); "
                "start one, or give its folder with --results"
            )
        print(describe_study(parsed.results / name, time.time()))
    if not known:
        print(f"{parsed.results}: no study has been started here")
