"""Downloads of LibriSpeech, against a server on this machine: resumed, verified, unpacked whole or not at all."""

import hashlib
import io
import re
import tarfile
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import SimpleNamespace

import pytest

from codec_cliff.corpus.librispeech import ARCHIVES, MARKER, Archive, download
from codec_cliff.errors import CorpusError, DownloadError

SPLIT = "tiny-clean"
FILES = {"7/1/7-1-0000.flac": bytes(range(256)) * 400, "7/1/7-1.trans.txt": b"7-1-0000 A WORD\n"}


def make_archive(files: dict[str, bytes], prefix: str = f"LibriSpeech/{SPLIT}/") -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as tar:
        for name, content in files.items():
            member = tarfile.TarInfo(prefix + name)
            member.size = len(content)
            tar.addfile(member, io.BytesIO(content))
    return buffer.getvalue()


class Server(ThreadingHTTPServer):
    """Serves `content` for /12/tiny-clean.tar.gz; can ignore ranges and hang up early; keeps the ranges asked for."""

    def __init__(self, content: bytes):
        super().__init__(("127.0.0.1", 0), Handler)
        self.content = content
        self.honours_ranges = True
        self.hangs_up_after: int | None = None
        self.announces_more = 0  # bytes in its Content-Length beside what it sends
        self.waits = 0.0  # seconds, in the midst of the file
        self.asked: list[str | None] = []

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"


class Handler(BaseHTTPRequestHandler):
    def do_GET(self):
        server, wanted = self.server, self.headers.get("Range")
        server.asked.append(wanted)
        if self.path != f"/12/{SPLIT}.tar.gz":
            self.send_error(404)
            return
        start = int(re.fullmatch(r"bytes=(\d+)-", wanted)[1]) if wanted and server.honours_ranges else 0
        if start >= len(server.content):
            self.send_error(416)
            return
        body = server.content[start:]
        self.send_response(206 if start else 200)
        if start:
            self.send_header("Content-Range", f"bytes {start}-{len(server.content) - 1}/{len(server.content)}")
        self.send_header("Content-Length", str(len(body) + server.announces_more))
        self.end_headers()
        body = body[: server.hangs_up_after]
        self.wfile.write(body[: len(body) // 2])
        time.sleep(server.waits)
        self.wfile.write(body[len(body) // 2 :])

    def log_message(self, *arguments):
        pass


@pytest.fixture
def server():
    server = Server(make_archive(FILES))
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    yield server
    server.shutdown()
    server.server_close()


def fetch(root, server, md5: str | None = None, mirrors: list[str] | None = None):
    archive = Archive(f"12/{SPLIT}.tar.gz", md5 or hashlib.md5(server.content).hexdigest())
    return download(root, SPLIT, mirrors or [server.url], {SPLIT: archive})


def assert_complete(folder):
    assert {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*.*") if path.is_file()} == {
        **FILES, MARKER: (folder / MARKER).read_bytes(),
    }  # fmt: skip
    assert left(folder.parent) == {SPLIT, f"{SPLIT}.complete"}


def left(root) -> set[str]:
    """What lies in a root, but for the lock."""
    return {path.name for path in root.iterdir()} - {f".{SPLIT}.lock"}


def test_a_download_lies_below_the_root_and_is_not_repeated(tmp_path, server):
    folder = fetch(tmp_path / "LibriSpeech", server)
    assert folder == tmp_path / "LibriSpeech" / SPLIT
    assert_complete(folder)
    (tmp_path / f"LibriSpeech/{SPLIT}.complete").unlink()  # as a workflow does before it runs a rule again
    assert fetch(tmp_path / "LibriSpeech", server) == folder
    assert_complete(folder)
    assert server.asked == [None]


def test_an_interrupted_download_goes_on_where_it_stopped(tmp_path, server):
    server.hangs_up_after = 500
    with pytest.raises(CorpusError, match="byte 500 of"):
        fetch(tmp_path, server)
    assert not (tmp_path / SPLIT).exists()
    server.hangs_up_after = None
    assert_complete(fetch(tmp_path, server))
    assert server.asked == [None, "bytes=500-"]


def test_downloads_side_by_side_take_turns(tmp_path, server):
    server.waits = 0.3
    with ThreadPoolExecutor(2) as threads:
        folders = [threads.submit(fetch, tmp_path, server) for _ in range(2)]
    assert [folder.result() for folder in folders] == [tmp_path / SPLIT] * 2
    assert_complete(tmp_path / SPLIT)
    assert server.asked == [None]


def test_a_server_that_ignores_ranges_sends_all_of_it(tmp_path, server):
    server.honours_ranges = False
    (tmp_path / f"{SPLIT}.tar.gz.part").write_bytes(b"x" * 100)
    assert_complete(fetch(tmp_path, server))


def test_a_download_that_only_lacked_its_unpacking_is_not_fetched_again(tmp_path, server):
    (tmp_path / f"{SPLIT}.tar.gz.part").write_bytes(server.content)
    assert_complete(fetch(tmp_path, server))


def test_the_next_mirror_is_asked_where_one_fails(tmp_path, server):
    assert_complete(fetch(tmp_path, server, mirrors=["http://127.0.0.1:9", f"{server.url}/missing", server.url]))


def test_a_wrong_checksum_removes_the_file(tmp_path, server):
    with pytest.raises(CorpusError, match=r"MD5 is .* published is 0123"):
        fetch(tmp_path, server, md5="0123")
    assert not left(tmp_path)


def test_offline_names_the_addresses_and_the_remedy(tmp_path, server):
    with pytest.raises(CorpusError) as error:
        fetch(tmp_path, server, mirrors=["http://127.0.0.1:9", "http://no-such-host.invalid"])
    for part in (
        f"http://127.0.0.1:9/12/{SPLIT}.tar.gz",
        "no-such-host.invalid",
        "corpus.root",
        "corpus.kind to folder",
    ):
        assert part in str(error.value)


def test_a_folder_that_was_there_before_is_left_alone_and_an_empty_one_is_filled(tmp_path, server):
    (tmp_path / SPLIT / "7").mkdir(parents=True)
    with pytest.raises(CorpusError, match="was not unpacked by this command"):
        fetch(tmp_path, server)
    (tmp_path / SPLIT / "7").rmdir()
    assert_complete(fetch(tmp_path, server))


@pytest.mark.parametrize("more", [7, -7])
def test_a_server_that_lies_about_the_length_leaves_no_split(tmp_path, server, more):
    md5 = hashlib.md5(server.content).hexdigest()
    server.announces_more = more
    with pytest.raises(CorpusError, match=r"the connection ended at byte|MD5 is"):
        fetch(tmp_path, server, md5)
    assert not (tmp_path / SPLIT).exists()
    server.announces_more = 0
    assert_complete(fetch(tmp_path, server, md5))


def test_a_wrong_byte_is_noticed(tmp_path, server):
    md5, content = hashlib.md5(server.content).hexdigest(), server.content
    server.content = content[:100] + bytes([content[100] ^ 1]) + content[101:]
    with pytest.raises(CorpusError, match=r"MD5 is .* published is"):
        fetch(tmp_path, server, md5)
    assert not left(tmp_path)


def test_too_small_a_disk_is_noticed_before_the_first_byte(tmp_path, server, monkeypatch):
    monkeypatch.setattr("codec_cliff.downloads.transfer.shutil.disk_usage", lambda path: SimpleNamespace(free=1000))
    with pytest.raises(DownloadError, match=r"needs 0\.3 GB on this disk, 0\.0 GB are free; make room"):
        fetch(tmp_path, server)
    assert not left(tmp_path)


@pytest.mark.parametrize("kind", [tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.FIFOTYPE])
def test_links_and_devices_in_an_archive_are_refused(tmp_path, server, kind):
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as tar:
        member = tarfile.TarInfo(f"LibriSpeech/{SPLIT}/7/1/7-1-0000.flac")
        member.type, member.linkname = kind, "/etc/passwd"
        tar.addfile(member)
    server.content = buffer.getvalue()
    with pytest.raises(CorpusError, match="is neither a file nor a folder"):
        fetch(tmp_path / "root", server)
    assert not (tmp_path / "root" / SPLIT).exists()


@pytest.mark.parametrize("prefix", ["LibriSpeech/another/", f"LibriSpeech/{SPLIT}/../../../"])
def test_an_archive_of_something_else_leaves_no_folder(tmp_path, server, prefix):
    server.content = make_archive(FILES, prefix)
    with pytest.raises(CorpusError, match="cannot be unpacked"):
        fetch(tmp_path / "root", server)
    assert not (tmp_path / "root" / SPLIT).exists()
    assert not (tmp_path / "7").exists()
    assert not (tmp_path / "root" / f".{SPLIT}.unpacking").exists()


def test_an_unknown_split_names_the_known_ones(tmp_path):
    with pytest.raises(CorpusError, match="test-dirty: not known; known: train-clean-100, "):
        download(tmp_path, "test-dirty")


def test_checksums_are_md5_and_paths_name_their_split():
    for split, archive in ARCHIVES.items():
        assert re.fullmatch(r"[0-9a-f]{32}", archive.md5)
        assert re.fullmatch(rf"(12|31)/{split}\.tar\.gz", archive.path)
    assert len({archive.md5 for archive in ARCHIVES.values()}) == len(ARCHIVES)
