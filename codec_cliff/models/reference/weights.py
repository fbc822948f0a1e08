"""Weights of published codecs: downloaded once into the cache, pinned, and read without running code from them."""

import hashlib
import json
import pickle
import shutil
import urllib.request
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from huggingface_hub import constants, hf_hub_download

from codec_cliff.errors import CodecError
from codec_cliff.files import atomic_path
from codec_cliff.models.reference.unpickling import load_inert


@dataclass(frozen=True)
class HubFiles:
    """Files of a repository on the Hugging Face Hub, at a commit; None where none could be established beforehand."""

    repository: str
    commit: str | None
    names: tuple[str, ...]  # at the top of the repository


def download(url: str, path: Path) -> Path:
    """The file at `url`, kept at `path`, with its size and SHA-256 in `<path>.json`.

    Nobody publishes a checksum for it, so the first download is trusted and every later use is held against its record.
    """
    if not path.exists():
        _download(url, path)
    record = path.with_name(f"{path.name}.json")
    found = {"url": url, "bytes": path.stat().st_size, "sha256": _sha256(path)}
    if not record.exists():
        with atomic_path(record) as temporary:
            temporary.write_text(json.dumps(found, indent=1) + "\n")
    if json.loads(record.read_text()) != found:
        raise CodecError(
            f"{path}: is not the file that {record.name} recorded at its first download; delete it to have it "
            "downloaded again, and the record too only if the publisher is known to have replaced the file"
        )
    return path


def _download(url: str, path: Path) -> None:
    if constants.HF_HUB_OFFLINE:
        raise CodecError(f"{url}: HF_HUB_OFFLINE is set; put the file at {path}, or unset it")
    print(f"downloading {url}", flush=True)
    try:
        with atomic_path(path) as temporary:
            with urllib.request.urlopen(url, timeout=30) as answer, open(temporary, "wb") as file:
                shutil.copyfileobj(answer, file)
                expected = answer.headers.get("Content-Length")
            if expected is not None and temporary.stat().st_size != int(expected):
                raise OSError(f"{temporary.stat().st_size} of {expected} bytes arrived")
    except OSError as error:
        raise CodecError(
            f"{url}: cannot be downloaded ({error}); where there is no network, put the file at {path}"
        ) from error


def _sha256(path: Path) -> str:
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def hub_folder(files: HubFiles, cache: Path) -> Path:
    """The folder in the cache that holds `files`, downloading what is missing.

    Where no commit is declared, the one found at the first download is written to `pins/<owner>--<name>` in the cache
    (a file each, for jobs run side by side) and used ever after. `HF_HUB_OFFLINE` is respected.
    """
    pin = cache / "pins" / files.repository.replace("/", "--")
    commit = files.commit or (pin.read_text().strip() if pin.exists() else None)
    for name in files.names:
        path = _hub_file(files.repository, name, commit, cache)
        if commit is None:
            commit = path.parent.name
            with atomic_path(pin) as temporary:
                temporary.write_text(commit + "\n")
    return _snapshots(files.repository, cache) / commit


def _snapshots(repository: str, cache: Path) -> Path:
    return cache / "huggingface" / f"models--{repository.replace('/', '--')}" / "snapshots"


def _hub_file(repository: str, name: str, commit: str | None, cache: Path) -> Path:
    try:
        return Path(hf_hub_download(repository, name, revision=commit or "main", cache_dir=cache / "huggingface"))
    except OSError as error:
        revision = commit or "main"
        raise CodecError(
            f"{name} of the Hugging Face repository {repository} ({revision}) is neither in {cache / 'huggingface'} "
            f"nor to be had ({type(error).__name__}); where this machine has no access to the hub, run `hf download "
            f"{repository} {name} --revision {revision} --cache-dir DIR` on one that has, and copy DIR to "
            f"{cache / 'huggingface'}"
        ) from error


def load_checkpoint(path: Path) -> Any:
    """A torch checkpoint on the CPU, read without running any code from it; objects other than tensors may be `Inert`.

    Raises CodecError for a file that is no readable checkpoint.
    """
    try:
        try:
            return torch.load(path, map_location="cpu", weights_only=True)
        except pickle.UnpicklingError:
            return load_inert(path)
    except (pickle.UnpicklingError, RuntimeError, EOFError, OSError, TypeError) as error:
        reason = (str(error).strip().splitlines() or [type(error).__name__])[0]
        raise CodecError(
            f"{path}: is no readable checkpoint ({reason}); delete it to have it downloaded again"
        ) from error
