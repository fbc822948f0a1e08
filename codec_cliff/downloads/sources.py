"""Published code that is in no package: fetched at a fixed commit into the cache, never kept in this repository."""

import os
import shutil
import subprocess
import sys
import tempfile
from importlib import import_module
from pathlib import Path
from types import ModuleType

from codec_cliff.downloads.pins import Source
from codec_cliff.errors import DownloadError

GITHUB = "https://github.com"


def checkout(source: Source, cache: Path) -> Path:
    """The folder `<cache>/sources/<name>@<commit>` with the source at its commit, fetched with git where it is missing.

    git names a commit by its content, so what arrives is what was pinned. Raises DownloadError where it cannot be fetched.
    """
    folder = cache / "sources" / f"{source.repository.split('/')[1]}@{source.commit}"
    if folder.exists():
        return folder
    folder.parent.mkdir(parents=True, exist_ok=True)
    temporary = Path(tempfile.mkdtemp(dir=folder.parent, prefix=".fetch-"))
    try:
        _fetch(source, temporary, folder)
        temporary.chmod(0o755)  # mkdtemp's is for one user only; caches are shared
        temporary.rename(folder)
    except OSError:
        if not folder.exists():  # it does where another job was first, with the same content
            raise
    finally:
        shutil.rmtree(temporary, ignore_errors=True)
    return folder


def _fetch(source: Source, into: Path, folder: Path) -> None:
    url = f"{GITHUB}/{source.repository}"
    steps = (["init"], ["fetch", "--depth", "1", url, source.commit], ["checkout", "--detach", source.commit])
    try:
        for step in steps:
            subprocess.run(
                ["git", *step], cwd=into, env=_environment(), check=True, capture_output=True, text=True, timeout=600
            )
    except (subprocess.SubprocessError, OSError) as error:
        reason = (getattr(error, "stderr", None) or str(error)).strip().splitlines()[-1]
        raise DownloadError(
            f"{url} at commit {source.commit} cannot be fetched ({reason}); where there is no network, put a "
            f"checkout of that commit at {folder}"
        ) from error
    shutil.rmtree(into / ".git")


def _environment() -> dict[str, str]:
    # Never take the repository that surrounds the cache for the one meant, and never wait for a password.
    kept = {key: value for key, value in os.environ.items() if key not in ("GIT_DIR", "GIT_WORK_TREE")}
    return {**kept, "GIT_TERMINAL_PROMPT": "0"}


def import_from(folder: Path, name: str) -> ModuleType:
    """Import module `name` of a checked-out source; its absolute imports of its own modules are found as well.

    Raises DownloadError where a module of that name from elsewhere is already loaded.
    """
    root = str(folder.resolve())
    if root not in sys.path:
        sys.path.insert(0, root)
    module = import_module(name)
    if not Path(module.__file__ or "").resolve().is_relative_to(root):
        raise DownloadError(f"{name}: loaded from {module.__file__}, not from {root}; load one such codec a process")
    return module
