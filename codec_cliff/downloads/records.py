"""What arrived at a first download, in `<cache>/pins/<name>.json`, and `pins.lock.json`, which carries it to other machines."""

import fcntl
import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from codec_cliff.errors import DownloadError
from codec_cliff.files import atomic_path

LOCK = Path("pins.lock.json")


@contextmanager
def taking_turns(path: Path) -> Iterator[None]:
    """Hold the lock file `path`, once whoever has it lets go; DownloadError where its file system has no locks."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with open(path, "w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX)
        except OSError as error:
            raise DownloadError(
                f"{path}: cannot be locked ({error.strerror}), and without a lock downloads side by side would spoil each "
                "other's files; set the folder (cache, corpus.root) to a local disk, or to one with locks"
            ) from error
        yield


@contextmanager
def locked(key: str, cache: Path) -> Iterator[dict[str, Any]]:
    """The record of a download, to be changed in place; jobs side by side take turns. Nothing is kept on an error."""
    path = cache / "pins" / f"{key}.json"
    with taking_turns(path.with_suffix(".lock")):
        before = read_record(key, cache)
        record = json.loads(json.dumps(before))
        yield record
        if record != before or not path.exists():
            with atomic_path(path) as temporary:
                temporary.write_text(json.dumps(record, indent=1, sort_keys=True) + "\n")


def read_record(key: str, cache: Path) -> dict[str, Any]:
    """What is known of a download: from the cache, else from the lock file, else nothing."""
    path = cache / "pins" / f"{key}.json"
    if path.exists():
        return json.loads(path.read_text())
    locked = json.loads(LOCK.read_text()) if LOCK.exists() else {}
    return {"files": {}} | locked.get(key, {})


def write_lock(cache: Path, lock: Path = LOCK) -> int:
    """Collect the cache's records in the lock file, without what belongs to this machine alone; how many it holds."""
    held = json.loads(lock.read_text()) if lock.exists() else {}
    for path in sorted((cache / "pins").glob("*.json")):
        record = json.loads(path.read_text())
        files = {name: {key: entry[key] for key in ("bytes", "sha256")} for name, entry in record["files"].items()}
        held[path.stem] = record | {"files": files}
    with atomic_path(lock) as temporary:
        temporary.write_text(json.dumps(held, indent=1, sort_keys=True) + "\n")
    return len(held)
