"""Downloads of weights against a server on this machine that can break off, lie about lengths and serve a wrong byte."""

import errno
import hashlib
import json
import os
import re
import shlex
import subprocess
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
import yaml

from codec_cliff.downloads import command as downloads
from codec_cliff.downloads import hub, records
from codec_cliff.downloads.hub import download, hub_folder
from codec_cliff.downloads.listing import pin_of
from codec_cliff.downloads.pins import DOWNLOADS, HubFiles, Release, Source
from codec_cliff.downloads.records import locked, write_lock
from codec_cliff.errors import DownloadError
from tests.paths import ROOT

COMMIT = "a" * 40
CONTENT = bytes(range(256)) * 300
SHA256 = hashlib.sha256(CONTENT).hexdigest()


class Server(ThreadingHTTPServer):
    """A release at /w.pth and a hub with owner/codec, whose main branch is at `commit`."""

    def __init__(self):
        super().__init__(("127.0.0.1", 0), Handler)
        self.content, self.commit, self.etag = CONTENT, COMMIT, SHA256
        self.sends: int | None = None  # bytes, then it hangs up
        self.announces_more = 0
        self.asked: list[str] = []

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"


class Handler(BaseHTTPRequestHandler):
    def do_HEAD(self):
        self.answer(body=False)

    def do_GET(self):
        self.answer(body=True)

    def answer(self, body: bool):
        server, wanted = self.server, self.headers.get("Range")
        server.asked.append(f"{self.command} {self.path} {wanted or ''}".strip())
        if not re.fullmatch(r"/w\.pth|/owner/codec/resolve/(main|[ab]{40})/(folder/)?codec\.pt", self.path):
            self.send_error(404)
            return
        start = int(re.fullmatch(r"bytes=(\d+)-", wanted)[1]) if wanted else 0
        content = server.content[start:]
        self.send_response(206 if start else 200)
        if start:
            self.send_header("Content-Range", f"bytes {start}-{len(server.content) - 1}/{len(server.content)}")
        self.send_header("Content-Length", str(len(content) + server.announces_more))
        self.send_header("ETag", f'"{server.etag}"')
        self.send_header("X-Repo-Commit", server.commit)
        self.end_headers()
        if body:
            self.wfile.write(content[: server.sends])

    def log_message(self, *arguments):
        pass


@pytest.fixture
def server(monkeypatch):
    server = Server()
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
    monkeypatch.setattr(hub.constants, "ENDPOINT", server.url)
    monkeypatch.setattr(
        hub.constants, "HUGGINGFACE_CO_URL_TEMPLATE", server.url + "/{repo_id}/resolve/{revision}/{filename}"
    )
    monkeypatch.setattr(hub.constants, "HF_HUB_OFFLINE", False)
    monkeypatch.setattr(records, "LOCK", Path("no-such-lock.json"))
    yield server
    server.shutdown()
    server.server_close()


def release(server, sha256: str | None = SHA256) -> Release:
    return Release(f"{server.url}/w.pth", "dac/w.pth", sha256)


def test_a_release_is_kept_recorded_and_not_fetched_again(server, tmp_path):
    path = download(release(server), tmp_path)
    assert path == tmp_path / "dac" / "w.pth"
    assert path.read_bytes() == CONTENT
    record = json.loads((tmp_path / "pins" / "dac--w.pth.json").read_text())
    assert record["files"]["dac/w.pth"]["sha256"] == SHA256
    assert download(release(server), tmp_path) == path
    assert len(server.asked) == 1


def test_a_release_that_breaks_off_goes_on_where_it_stopped(server, tmp_path):
    server.sends = 1000
    with pytest.raises(DownloadError, match=r"ended at byte 1000 of 76800.*run again"):
        download(release(server), tmp_path)
    server.sends = None
    assert download(release(server), tmp_path).read_bytes() == CONTENT
    assert server.asked == ["GET /w.pth", "GET /w.pth bytes=1000-"]


@pytest.mark.parametrize("more", [5, -5])
def test_a_lie_about_the_length_is_no_file(server, tmp_path, more):
    server.announces_more = more
    with pytest.raises(DownloadError, match=r"ended at byte|SHA-256 is"):
        download(release(server), tmp_path)
    assert not (tmp_path / "dac" / "w.pth").exists()


def test_a_wrong_byte_is_removed_and_the_right_file_fetched_anew(server, tmp_path):
    server.content = CONTENT[:-1] + b"x"
    with pytest.raises(DownloadError, match=rf"pinned is {SHA256}; the file was removed"):
        download(release(server), tmp_path)
    assert not list((tmp_path / "dac").iterdir())
    server.content = CONTENT
    assert download(release(server), tmp_path).read_bytes() == CONTENT


def test_without_a_published_checksum_the_first_download_counts_ever_after(server, tmp_path):
    path = download(release(server, None), tmp_path)
    path.unlink()
    server.content = CONTENT[:-1] + b"x"
    with pytest.raises(DownloadError, match=rf"recorded or published is {SHA256}; delete it"):
        download(release(server, None), tmp_path)
    path.write_bytes(CONTENT)
    assert download(release(server, None), tmp_path) == path


def test_a_file_that_changes_later_is_noticed(server, tmp_path):
    path = download(release(server), tmp_path)
    path.write_bytes(CONTENT[:-1] + b"x")
    with pytest.raises(DownloadError, match="SHA-256"):
        download(release(server), tmp_path)


def test_offline_says_where_the_file_belongs(tmp_path, monkeypatch):
    monkeypatch.setattr(hub.constants, "HF_HUB_OFFLINE", True)
    with pytest.raises(DownloadError, match=r"HF_HUB_OFFLINE is set; put the file at .*w\.pth"):
        download(Release("https://example.org/w.pth", "w.pth", None), tmp_path)


FILES = HubFiles("owner/codec", None, ("codec.pt",))


def test_the_hubs_commit_found_first_is_used_ever_after(server, tmp_path):
    folder = hub_folder(FILES, tmp_path)
    assert folder.name == COMMIT
    assert (folder / "codec.pt").read_bytes() == CONTENT
    server.commit = "b" * 40
    asked = len(server.asked)
    assert hub_folder(FILES, tmp_path) == folder
    assert len(server.asked) == asked  # a known commit needs no network


def test_a_changed_commit_is_fetched_anew_and_then_held_against(server, tmp_path):
    server.etag = "e" * 40  # a small file's, which is no checksum of its content
    hub_folder(HubFiles("owner/codec", COMMIT, ("codec.pt",)), tmp_path)
    server.commit, server.etag, server.content = "b" * 40, "f" * 40, CONTENT[:-1] + b"x"
    moved = HubFiles("owner/codec", "b" * 40, ("codec.pt",))
    path = hub_folder(moved, tmp_path) / "codec.pt"
    assert path.read_bytes() == server.content
    path.write_bytes(CONTENT)
    with pytest.raises(DownloadError, match=f"recorded or published is {hashlib.sha256(server.content).hexdigest()}"):
        hub_folder(moved, tmp_path)


def test_a_relative_cache_as_the_configuration_has_it(server, tmp_path, monkeypatch):
    """The command as the rule `fetch` gives it: the cache of config.yaml, below the working folder."""
    monkeypatch.chdir(tmp_path)
    files = HubFiles("owner/codec", COMMIT, ("codec.pt", "folder/codec.pt"))
    monkeypatch.setitem(DOWNLOADS, "ours", (files,))
    cache = yaml.safe_load((ROOT / "config.yaml").read_text())["cache"]
    assert not Path(cache).is_absolute()
    downloads.main(["fetch", "ours", "--cache", cache, "--marker", f"{cache}/downloads/ours.complete"])
    downloads.main(["fetch", "ours"])  # the same folder by default, and nothing left to fetch
    folder = hub_folder(files, Path(cache))
    assert (folder / "folder/codec.pt").read_bytes() == CONTENT
    assert f"commit {COMMIT}: folder/codec.pt, SHA-256 {SHA256}" in Path(cache, "downloads/ours.complete").read_text()
    assert sum(line.startswith("GET") for line in server.asked) == 1  # both names are the same content


def test_the_hub_is_asked_for_files_and_for_nothing_else(server, tmp_path, monkeypatch):
    monkeypatch.setattr("huggingface_hub.utils._detect_agent._registry", None)  # as in a new process
    monkeypatch.setattr("huggingface_hub.constants.AGENT_HARNESSES_PATH", str(tmp_path / "none"))
    hub_folder(HubFiles("owner/codec", COMMIT, ("codec.pt",)), tmp_path)
    assert server.asked
    assert all(line.split()[1].startswith("/owner/codec/resolve/") for line in server.asked)


def test_what_a_killed_job_left_of_a_hub_file_is_cleared_away(server, tmp_path):
    left = tmp_path / "huggingface/models--owner--codec/blobs" / f"{SHA256}.0123abcd.incomplete"
    left.parent.mkdir(parents=True)
    left.write_bytes(CONTENT[:1000])
    assert (hub_folder(FILES, tmp_path) / "codec.pt").read_bytes() == CONTENT
    assert not left.exists()


def test_a_lock_file_carries_pins_to_another_machine(server, tmp_path, monkeypatch):
    hub_folder(FILES, tmp_path / "one")
    assert write_lock(tmp_path / "one", tmp_path / "pins.lock.json") == 1
    monkeypatch.setattr(records, "LOCK", tmp_path / "pins.lock.json")
    server.commit = "b" * 40  # main has moved on; the server gives the old commit where it is asked for
    with pytest.raises(DownloadError, match=r"gave commit bbbb.* where aaaa"):  # this stand-in knows its newest alone
        hub_folder(FILES, tmp_path / "two")
    assert any("/resolve/aaaa" in line for line in server.asked)
    server.commit, server.content = COMMIT, CONTENT[:-1] + b"x"
    server.etag = hashlib.sha256(server.content).hexdigest()
    with pytest.raises(DownloadError, match="SHA-256"):
        hub_folder(FILES, tmp_path / "three")


@pytest.mark.parametrize("fault", ["wrong byte", "breaks off", "announces more"])
def test_a_hub_file_that_is_not_what_it_says_is_refused(server, tmp_path, fault, monkeypatch):
    monkeypatch.setattr("huggingface_hub.file_download.time.sleep", lambda seconds: None)  # between its retries
    if fault == "wrong byte":
        server.content = CONTENT[:-1] + b"x"  # the hub's own checksum, its ETag, says otherwise
    elif fault == "breaks off":
        server.sends = 1000
    else:
        server.announces_more = 9
    with pytest.raises(DownloadError, match=r"SHA-256|neither in .* nor to be had"):
        hub_folder(FILES, tmp_path)
    assert not (tmp_path / "pins" / "owner--codec.json").exists()


def test_a_declared_checksum_is_held_against_the_hubs_file(server, tmp_path):
    with pytest.raises(DownloadError, match="published is 0000"):
        hub_folder(HubFiles("owner/codec", COMMIT, ("codec.pt",), {"codec.pt": "0" * 64}), tmp_path)


def test_offline_a_hub_error_names_file_repository_and_remedy(tmp_path, monkeypatch):
    monkeypatch.setattr(hub.constants, "HF_HUB_OFFLINE", True)
    with pytest.raises(DownloadError, match=r"codec\.pt of the Hugging Face repository owner/codec.*hf download"):
        hub_folder(FILES, tmp_path)


def test_pins_are_whole():
    for pinned in (pinned for group in DOWNLOADS.values() for pinned in group):
        assert pinned.licence
        if isinstance(pinned, Release):
            assert pinned.url.startswith("https://")
            assert re.fullmatch(r"[0-9a-f]{64}", pinned.sha256)
        else:
            commit = pinned.commit
            assert commit is None or re.fullmatch(r"[0-9a-f]{40}", commit)
            assert commit or not isinstance(pinned, Source)
        if isinstance(pinned, HubFiles):
            assert set(pinned.sha256) <= set(pinned.names)
            assert all(re.fullmatch(r"[0-9a-f]{64}", value) for value in pinned.sha256.values())


def test_the_list_names_every_download_and_its_pin(capsys, tmp_path):
    downloads.main(["list", "--cache", str(tmp_path)])
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 1 + sum(len(group) for group in DOWNLOADS.values())
    assert any("kyutai/mimi" in line and "89091b3e" in line and "CC-BY-4.0" in line for line in lines)
    with pytest.raises(SystemExit):
        downloads.main(["list", "nothing"])


def test_fetch_writes_its_marker_last(server, tmp_path, monkeypatch):
    monkeypatch.setitem(DOWNLOADS, "ours", (release(server), FILES))
    marker = tmp_path / "downloads" / "ours.complete"
    server.sends = 10
    with pytest.raises(DownloadError):
        downloads.main(["fetch", "ours", "--cache", str(tmp_path), "--marker", str(marker)])
    assert not marker.exists()
    server.sends = None
    downloads.main(["fetch", "ours", "--cache", str(tmp_path), "--marker", str(marker)])
    assert f"ours: dac/w.pth, SHA-256 {SHA256}" in marker.read_text()
    downloads.main(["pin", "--cache", str(tmp_path), "--lock", str(tmp_path / "lock.json")])
    assert set(json.loads((tmp_path / "lock.json").read_text())) == {"dac--w.pth", "owner--codec"}


def test_a_marker_has_the_same_bytes_for_the_same_files_and_other_bytes_for_others(server, tmp_path, monkeypatch):
    source = Source("owner/code", COMMIT)
    monkeypatch.setitem(DOWNLOADS, "ours", (release(server, None), FILES, source))

    def marker(name: str) -> str:
        cache = tmp_path / name
        (cache / f"sources/code@{COMMIT}").mkdir(parents=True)
        downloads.main(["fetch", "ours", "--cache", str(cache), "--marker", str(cache / "ours.complete")])
        return (cache / "ours.complete").read_text()

    first = marker("one")
    assert first == marker("two")
    server.content = CONTENT[:-1] + b"x"  # what was published under the same names is another thing now
    server.etag = hashlib.sha256(server.content).hexdigest()
    server.commit = "b" * 40
    later = first.replace(SHA256, server.etag).replace(
        f"owner/codec, commit {COMMIT}", f"owner/codec, commit {'b' * 40}"
    )
    assert marker("three") == later != first
    assert f"ours: git owner/code, commit {COMMIT}\n" in first


def test_pinning_changes_no_rules_parameter(tmp_path, monkeypatch, capsys):
    """`downloads pin` writes to the folder where the workflow runs; what is already there needs no second fetch."""
    monkeypatch.chdir(tmp_path)
    before = pin_of("bigcodec")
    key = next(pinned.key for pinned in DOWNLOADS["bigcodec"] if isinstance(pinned, HubFiles))
    Path("pins.lock.json").write_text(json.dumps({key: {"commit": COMMIT, "files": {}}}))
    assert pin_of("bigcodec") == before
    downloads.main(["list", "bigcodec"])
    assert f"commit {COMMIT}" in capsys.readouterr().out


@pytest.mark.parametrize("code", [errno.ENOLCK, errno.ENOSYS])
def test_a_file_system_without_locks_is_named_with_the_remedy(tmp_path, monkeypatch, code):
    def refuse(file, operation):
        raise OSError(code, os.strerror(code))

    monkeypatch.setattr(records.fcntl, "flock", refuse)
    message = rf"{tmp_path}/pins/dac--w\.pth\.lock: cannot be locked \({os.strerror(code)}\).*cache.*to a local disk"
    with pytest.raises(DownloadError, match=message), locked("dac--w.pth", tmp_path):
        pass


def test_the_rule_fetches_into_a_cache_whose_path_has_a_space(tmp_path):
    marker = "my cache/downloads/dac_16k.complete"
    command = [sys.executable, "-m", "snakemake", "-s", ROOT / "Snakefile", "-n", "-p", "--config", "cache=my cache"]
    planned = subprocess.run([*command, "--", marker], cwd=tmp_path, capture_output=True, text=True)
    shell = re.search(r"python -m codec_cliff\.downloads fetch .*", planned.stdout + planned.stderr)
    words = shlex.split(shell[0])
    assert words[words.index("--marker") + 1] == marker
    assert words[words.index("--cache") + 1] == "my cache"


# A repository of the hub -> the documentation's word for it.
TRUSTED_AT_FIRST = {
    "Qwen/Qwen3-TTS-Tokenizer-12Hz": "Qwen",
    "kyutai/mimi": "Mimi",
    "facebook/encodec_24khz": "EnCodec",
    "OpenMOSS-Team/SpeechTokenizer": "SpeechTokenizer",
    "nvidia/nemo-nano-codec-22khz-1.78kbps-12.5fps": "NanoCodec",
    "jiaqili3/flexicodec": "FlexiCodec",
    "FunAudioLLM/SenseVoiceSmall": "SenseVoice",
    "facebook/mms-1b-all": "MMS",
    "espnet/voxcelebs12_ska_wavlm_joint": "ESPnet",
}


def test_the_documentation_names_every_checksum_that_only_the_first_download_gives():
    hub_files = [pinned for group in DOWNLOADS.values() for pinned in group if isinstance(pinned, HubFiles)]
    unknown = [files for files in hub_files if set(files.names) - set(files.sha256)]
    assert {files.repository for files in unknown} == set(TRUSTED_AT_FIRST)
    words = " ".join((ROOT / "docs/downloads.md").read_text().split())
    checksums = re.search(r"published nowhere that we could see: .*? the checksums of (.*?)\. For these", words)[1]
    every, _, configurations = checksums.partition("the configurations")
    for files in unknown:
        assert TRUSTED_AT_FIRST[files.repository] in (configurations if files.sha256 else every)
