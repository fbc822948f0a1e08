"""Weights and code from the hub and GitHub: downloaded once into the cache, pinned, and verified before every use.

Downloads without a published commit or checksum are trusted the first time; what arrived is written to
`<cache>/pins/<name>.json`, and from then on held against that. `pins.lock.json` in the working folder carries such
records from one machine to the next.
"""

import re
from pathlib import Path
from typing import Any

from huggingface_hub import constants, hf_hub_download

from codec_cliff.downloads.pins import HubFiles, Pinned, Release, Source
from codec_cliff.downloads.records import locked
from codec_cliff.downloads.sources import checkout
from codec_cliff.downloads.transfer import fetch
from codec_cliff.errors import DownloadError
from codec_cliff.files import sha256

# Before a process' first file, cached or not, the client would fetch a list to describe its caller by; a compute node without
# network would wait for it. Files are asked for, and nothing else.
constants.HF_HUB_DISABLE_TELEMETRY = True


def obtain(pinned: Pinned, cache: Path) -> Path:
    """Whatever it is, downloaded where it is not there, and verified; the file or folder."""
    if isinstance(pinned, Source):
        return checkout(pinned, cache)
    return download(pinned, cache) if isinstance(pinned, Release) else hub_folder(pinned, cache)


def download(release: Release, cache: Path) -> Path:
    """The file of a release at `<cache>/<path>`; DownloadError where it cannot be had or is not what was pinned."""
    path = cache / release.path
    with locked(release.key, cache) as record:
        if not path.exists():
            _download(release, path)
        record["url"] = release.url
        _verify(path, release.path, release.sha256, record)
    return path


def _download(release: Release, path: Path) -> None:
    if constants.HF_HUB_OFFLINE:
        raise DownloadError(f"{release.url}: HF_HUB_OFFLINE is set; put the file at {path}, or unset it")
    partial = path.with_name(f"{path.name}.part")
    if faults := fetch(partial, [release.url]):
        raise DownloadError(
            f"cannot download {'; '.join(faults)}; run again to go on where it stopped, or, where there is no network, "
            f"put the file at {path}"
        )
    if release.sha256 and (found := sha256(partial)) != release.sha256:
        partial.unlink()
        raise DownloadError(
            f"{release.url}: its SHA-256 is {found}, pinned is {release.sha256}; the file was removed, run again to "
            "fetch it anew"
        )
    partial.replace(path)


def hub_folder(files: HubFiles, cache: Path) -> Path:
    """The snapshot folder in the cache that holds `files`, all of them verified; `HF_HUB_OFFLINE` is respected.

    Where no commit is declared, the one found at the first download is recorded and used ever after. Raises
    DownloadError where a file cannot be had or is not what was pinned.
    """
    snapshots = cache / "huggingface" / f"models--{files.key}" / "snapshots"
    with locked(files.key, cache) as record:
        for left in snapshots.parent.glob(
            "blobs/*.incomplete"
        ):  # of a job that was killed: the client does not go on with it
            left.unlink()
        record["repository"] = files.repository
        commit = files.commit or record.get("commit")
        if commit != record.get("commit"):  # the pin has changed; another commit's files say nothing of this one's
            record["files"] = {}
        for name in files.names:
            path = _hub_file(files.repository, name, commit, cache)
            found = path.parents[len(Path(name).parts) - 1].name  # the client may have made a relative cache absolute
            if found != (commit := commit or found):
                raise DownloadError(f"{files.repository}: the hub gave commit {found} where {commit} was asked for")
            known = files.sha256.get(name) or record["files"].get(name, {}).get("sha256")
            _verify(path, name, known or _hub_checksum(path), record)
        record["commit"] = commit
    return snapshots / commit


def _hub_file(repository: str, name: str, commit: str | None, cache: Path) -> Path:
    try:
        return Path(hf_hub_download(repository, name, revision=commit or "main", cache_dir=cache / "huggingface"))
    except Exception as error:  # each version of the client raises another library's; all mean that there is no file
        revision = commit or "main"
        raise DownloadError(
            f"{name} of the Hugging Face repository {repository} ({revision}) is neither in {cache / 'huggingface'} "
            f"nor to be had ({type(error).__name__}); where this machine has no access to the hub, run `hf download "
            f"{repository} {name} --revision {revision} --cache-dir DIR` on one that has, and copy DIR to "
            f"{cache / 'huggingface'}"
        ) from error


def _hub_checksum(path: Path) -> str | None:
    """What the hub itself says of a large file: it names the file's place in the cache after its SHA-256."""
    name = path.resolve().name
    return name if re.fullmatch(r"[0-9a-f]{64}", name) else None


def _verify(path: Path, name: str, expected: str | None, record: dict[str, Any]) -> None:
    """Hold a file against its published checksum or its record; a file that has not changed since is not read again."""
    known, stat = record["files"].get(name, {}), path.stat()
    stamp = {"bytes": stat.st_size, "mtime_ns": stat.st_mtime_ns}
    expected = expected or known.get("sha256")
    if {**known, **stamp} == known and known["sha256"] == expected:
        return
    found = sha256(path)
    if expected and found != expected:
        raise DownloadError(
            f"{path}: its SHA-256 is {found}, recorded or published is {expected}; delete it (and what it links to) to "
            "have it downloaded again, and its record too only if the publisher is known to have replaced it"
        )
    record["files"][name] = {**stamp, "sha256": found}
