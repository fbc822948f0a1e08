"""Checkpoints and sources of published codecs: pinned, and read without running what they carry."""

import subprocess
from pathlib import Path

import pytest
import torch

from codec_cliff.downloads import sources as source_module
from codec_cliff.downloads.pins import Source
from codec_cliff.downloads.sources import checkout, import_from
from codec_cliff.errors import CodecError, DownloadError
from codec_cliff.models.reference.unpickling import Inert
from codec_cliff.models.reference.weights import load_checkpoint


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
    with pytest.raises(DownloadError, match=r"owner/published at commit 0{40}.*put a checkout"):
        checkout(Source("owner/published", "0" * 40), tmp_path / "cache")
    assert list((tmp_path / "cache" / "sources").iterdir()) == []


def test_module_from_elsewhere_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr("sys.path", list(source_module.sys.path))
    with pytest.raises(DownloadError, match="json: loaded from"):
        import_from(tmp_path, "json")
