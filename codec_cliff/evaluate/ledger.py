"""What has been measured already, and of which files: an interrupted or extended evaluation measures nothing twice."""

import hashlib
import json
import shutil
from collections.abc import Mapping
from importlib.metadata import version
from pathlib import Path
from typing import Any

from codec_cliff.corpus.manifest import Utterance
from codec_cliff.evaluate.measuring import Backend, Measured, Task
from codec_cliff.files import atomic_path


class Ledger:
    """`measured.json` below the output: a digest for each finished metric of a system; `parts/` holds the unfinished ones."""

    def __init__(self, output: Path):
        self.output, self.path, self.parts = output, output / "measured.json", output / "parts"
        self._entries: dict[str, dict[str, Any]] = json.loads(self.path.read_text()) if self.path.exists() else {}

    def has(self, system: str, metric: str, digest: str) -> bool:
        """Whether a metric of a system was measured on these very files; where it could be on none, there is no CSV."""
        entry = self._entries.get(f"{system}/{metric}", {})
        there = self.csv(system, metric).exists() or entry.get("rows") == 0
        return entry.get("digest") == digest and there

    def failures(self, system: str, metric: str) -> dict[str, str]:
        """Why files of a finished metric have no row, by recording id."""
        return self._entries.get(f"{system}/{metric}", {}).get("failures", {})

    def enter(self, system: str, metric: str, digest: str, failures: Mapping[str, str], n_rows: int) -> None:
        self._entries[f"{system}/{metric}"] = {"digest": digest, "failures": dict(failures), "rows": n_rows}
        with atomic_path(self.path) as temporary:
            temporary.write_text(json.dumps(self._entries, indent=1, sort_keys=True))

    def csv(self, system: str, metric: str) -> Path:
        return self.output / "metrics" / system / f"{metric}.csv"

    def part(self, task: Task) -> Measured | None:
        """A task's result from an earlier, interrupted run."""
        path = self._part(task)
        if not path.exists():
            return None
        content = json.loads(path.read_text(encoding="utf-8"))
        failures = {(system, name): why for system, name, why in content["failures"]}
        return Measured(content["rows"], failures)

    def keep(self, task: Task, measured: Measured) -> None:
        failures = [[*key, why] for key, why in measured.failures.items()]
        with atomic_path(self._part(task)) as temporary:
            temporary.write_text(json.dumps({"rows": measured.rows, "failures": failures}), encoding="utf-8")

    def forget_parts(self, metric: str) -> None:
        shutil.rmtree(self.parts / metric, ignore_errors=True)
        if self.parts.is_dir() and not any(self.parts.iterdir()):
            self.parts.rmdir()

    def _part(self, task: Task) -> Path:
        recordings = {
            name: {system: _state(file) for system, file in files.items()} for name, files in task.recordings.items()
        }
        return self.parts / task.backend.metric / f"{_hash([_named(task.backend), task.original, recordings])}.json"


def digest(backend: Backend, originals: Mapping[str, Utterance], files: Mapping[str, Utterance]) -> str:
    """What the rows of a system depend on: the backend and its settings, its files, their originals and the names of both.

    A recording's name grows where another one is added that ends alike: the rows would keep the shorter one.
    """
    return _hash([_named(backend), [[name, _state(originals[name]), _state(file)] for name, file in files.items()]])


def _named(backend: Backend) -> list[Any]:
    return [version("codec-cliff"), backend.metric, backend.name, backend.normaliser, *backend.transcripts]


def _state(file: Utterance) -> list[Any]:
    found = Path(file.path).stat()
    return [file.path, found.st_size, found.st_mtime_ns, file.speaker_id, file.transcript]


def _hash(values: Any) -> str:
    return hashlib.sha256(json.dumps(values, sort_keys=True).encode()).hexdigest()[:16]
