"""Weights and sources of published codecs: whole, pinned, and read without running what they carry."""

import json
import subprocess
from io import BytesIO
from pathlib import Path

import pytest
import torch

from codec_cliff.errors import CodecError
from codec_cliff.models.reference import source as source_module
from codec_cliff.models.reference import weights
from codec_cliff.models.reference.source import Source, checkout, import_from
from codec_cliff.models.reference.unpickling import Inert
from codec_cliff.models.reference.weights import HubFiles, download, hub_folder, load_checkpoint


@pytest.fixture
def published(tmp_path) -> Path:
    path = tmp_path / "published.pth"
    path.write_bytes(b"weights" * 1000)
    return path


def test_download_is_recorded_and_held_to_its_record(published, tmp_path):
    kept = download(published.as_uri(), tmp_path / "cache" / "kept.pth")
    assert kept.read_bytes() == published.read_bytes()
    assert json.loads((tmp_path / "cache" / "kept.pth.json").read_text())["bytes"] == 7000
    assert download(published.as_uri(), kept) == kept

    kept.unlink()
    published.write_bytes(b"another" * 1000)
    with pytest.raises(CodecError, match=r"kept.pth.*recorded.*delete it"):
        download(published.as_uri(), kept)


def test_broken_download_leaves_nothing(tmp_path, monkeypatch):
    answer = BytesIO(b"half")
    answer.headers = {"Content-Length": "8"}
    monkeypatch.setattr(weights.urllib.request, "urlopen", lambda url, timeout: answer)
    with pytest.raises(CodecError, match="4 of 8 bytes"):
        download("https://example.org/w.pth", tmp_path / "cache" / "w.pth")
    assert list((tmp_path / "cache").iterdir()) == []


def test_offline_download_says_where_the_file_belongs(tmp_path, monkeypatch):
    monkeypatch.setattr(weights.constants, "HF_HUB_OFFLINE", True)
    with pytest.raises(CodecError, match=r"HF_HUB_OFFLINE.*w\.pth"):
        download("https://example.org/w.pth", tmp_path / "w.pth")


def put_on_the_hub(cache: Path, commit: str, content: bytes) -> None:
    """The hub's cache as it is after a download of owner/codec while its main branch was at `commit`."""
    repository = cache / "huggingface" / "models--owner--codec"
    for folder in ("refs", f"snapshots/{commit}"):
        (repository / folder).mkdir(parents=True, exist_ok=True)
    (repository / "refs" / "main").write_text(commit)
    (repository / "snapshots" / commit / "codec.pt").write_bytes(content)


def test_commit_found_first_is_used_ever_after(tmp_path, monkeypatch):
    monkeypatch.setattr(weights.constants, "HF_HUB_OFFLINE", True)
    files = HubFiles("owner/codec", None, ("codec.pt",))
    put_on_the_hub(tmp_path, "a" * 40, b"first")
    assert (hub_folder(files, tmp_path) / "codec.pt").read_bytes() == b"first"
    assert (tmp_path / "pins" / "owner--codec").read_text() == "a" * 40 + "\n"

    put_on_the_hub(tmp_path, "b" * 40, b"second")
    assert (hub_folder(files, tmp_path) / "codec.pt").read_bytes() == b"first"
    declared = HubFiles("owner/codec", "b" * 40, ("codec.pt",))
    assert (hub_folder(declared, tmp_path) / "codec.pt").read_bytes() == b"second"


def test_offline_hub_error_names_file_repository_and_remedy(tmp_path, monkeypatch):
    monkeypatch.setattr(weights.constants, "HF_HUB_OFFLINE", True)
    with pytest.raises(CodecError, match=r"codec\.pt of the Hugging Face repository owner/codec.*hf download"):
        hub_folder(HubFiles("owner/codec", None, ("codec.pt",)), tmp_path)
    assert not (tmp_path / "pins").exists()


class Trap:
    """What a malicious or merely foreign checkpoint may carry: unpickled the usual way, it writes a file."""

    def __init__(self, path: Path):
        self.path = path

    def __reduce__(self):
        return Path.write_text, (self.path, "sprung")


def test_checkpoint_is_read_without_running_it(tmp_path):
    sprung = tmp_path / "sprung"
    tensor = torch.arange(6.0).reshape(2, 3)
    shared = torch.nn.Parameter(tensor.clone())
    torch.save(
        {"state_dict": {"weight": tensor, "bias": shared}, "trainer": Trap(sprung), "step": 7}, tmp_path / "c.pt"
    )
    checkpoint = load_checkpoint(tmp_path / "c.pt")
    assert torch.equal(checkpoint["state_dict"]["weight"], tensor)
    assert torch.equal(checkpoint["state_dict"]["bias"], tensor)
    assert checkpoint["step"] == 7
    assert isinstance(checkpoint["trainer"], Inert)
    assert not sprung.exists()


@pytest.mark.parametrize("content", [b"", b"<html>not found</html>", b"PK\x03\x04 cut short"])
def test_unreadable_checkpoint_names_the_remedy(content, tmp_path):
    (tmp_path / "c.pt").write_bytes(content)
    with pytest.raises(CodecError, match=r"c\.pt.*delete it"):
        load_checkpoint(tmp_path / "c.pt")


@pytest.fixture
def repository(tmp_path, monkeypatch) -> Source:
    """A repository owner/published of one commit, where GitHub would be; another commit lies on top of it."""
    folder = tmp_path / "github" / "owner" / "published"
    (folder / "published_codec").mkdir(parents=True)
    git(folder, "init", "--quiet")
    git(folder, "config", "uploadpack.allowAnySHA1InWant", "true")
    for version in ("1", "2"):
        (folder / "published_codec" / "__init__.py").write_text(f"VERSION = {version}\n")
        git(folder, "add", ".")
        git(folder, "-c", "user.name=t", "-c", "user.email=t@example.org", "commit", "--quiet", "-m", version)
    monkeypatch.setattr(source_module, "GITHUB", str(tmp_path / "github"))
    return Source("owner/published", git(folder, "rev-parse", "HEAD^"))


def git(folder: Path, *arguments: str) -> str:
    done = subprocess.run(["git", *arguments], cwd=folder, check=True, capture_output=True, text=True)
    return done.stdout.strip()


def test_source_is_fetched_at_its_commit_and_imported(repository, tmp_path, monkeypatch):
    monkeypatch.setattr("sys.path", list(source_module.sys.path))
    folder = checkout(repository, tmp_path / "cache")
    assert folder == tmp_path / "cache" / "sources" / f"published@{repository.commit}"
    assert import_from(folder, "published_codec").VERSION == 1
    monkeypatch.setattr(source_module, "GITHUB", str(tmp_path / "nowhere"))
    assert checkout(repository, tmp_path / "cache") == folder


def test_unknown_commit_leaves_nothing_and_names_the_remedy(repository, tmp_path):
    with pytest.raises(CodecError, match=r"owner/published at commit 0{40}.*put a checkout"):
        checkout(Source("owner/published", "0" * 40), tmp_path / "cache")
    assert list((tmp_path / "cache" / "sources").iterdir()) == []


def test_module_from_elsewhere_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr("sys.path", list(source_module.sys.path))
    with pytest.raises(CodecError, match="json: loaded from"):
        import_from(tmp_path, "json")
