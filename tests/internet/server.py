"""The internet as the project knows it, on this machine: a proxy that answers for every host itself, under certificates of its own.

Clients are told of it as behind any company's proxy that re-signs TLS (HTTPS_PROXY, SSL_CERT_FILE), so addresses, redirects and
headers are the real ones. What is asked for is kept; a host that nobody plays is refused and kept too.
"""

import hashlib
import json
import os
import re
import ssl
import subprocess
import threading
from dataclasses import dataclass, field
from functools import lru_cache
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import unquote, urlsplit

import trustme

OPENSLR = ("www.openslr.org", "us.openslr.org", "openslr.elda.org")
GITHUB, ASSETS = "github.com", "release-assets.githubusercontent.com"
HUB, LARGE = "huggingface.co", "cas-bridge.xethub.hf.co"
HOSTS = (*OPENSLR, GITHUB, ASSETS, HUB, LARGE)
LARGE_FILE = re.compile(r"\.(safetensors|pt|pth|bin|ckpt|nemo|model)$")  # what the hub keeps outside git


@dataclass
class Repository:
    """A repository of the hub: its newest commit, and its files."""

    commit: str
    files: dict[str, Path] = field(default_factory=dict)


@dataclass
class Site:
    """What the internet holds."""

    archives: dict[str, Path] = field(default_factory=dict)  # OpenSLR: path below /resources
    releases: dict[str, Path] = field(default_factory=dict)  # GitHub: path of a release's asset
    sources: dict[str, Path] = field(default_factory=dict)  # GitHub: owner/name -> git folder
    hub: dict[str, Repository] = field(default_factory=dict)  # owner/name -> repository


@dataclass(frozen=True)
class Asked:
    """One request and its answer."""

    host: str
    method: str
    path: str
    range: str
    status: int


class Internet(ThreadingHTTPServer):
    """Listens on loopback as a proxy.

    Faults, by host or address (host and path): `answers` it has left before it cannot be reached any more, a `wrong` byte in what it
    sends, `cuts` after so many bytes, and `stalls` in the same way, until `go_on` is set.
    """

    daemon_threads = True

    def __init__(self, site: Site, home: Path):
        super().__init__(("127.0.0.1", 0), Handler)
        self.site, self.asked, self.unknown = site, [], []
        self.answers: dict[str, int] = {}
        self.wrong: set[str] = set()
        self.cuts: dict[str, int] = {}
        self.stalls: dict[str, int] = {}
        self.stalled, self.go_on = threading.Event(), threading.Event()
        authority = trustme.CA()
        self.tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        authority.issue_cert(*HOSTS).configure_cert(self.tls)
        system = Path(ssl.get_default_verify_paths().cafile or "/etc/ssl/certs/ca-certificates.crt")
        self.certificates = home / "certificates.pem"
        self.certificates.write_bytes((system.read_bytes() if system.exists() else b"") + authority.cert_pem.bytes())

    def __enter__(self) -> "Internet":
        threading.Thread(target=self.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self.shutdown()
        self.server_close()

    @property
    def environment(self) -> dict[str, str]:
        """How a client is told of the proxy and its certificates; package registries are asked directly."""
        proxy, certificates = f"http://127.0.0.1:{self.server_port}", str(self.certificates)
        names = ("SSL_CERT_FILE", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "GIT_SSL_CAINFO")
        return dict.fromkeys(names, certificates) | {
            "HTTPS_PROXY": proxy,
            "HTTP_PROXY": proxy,
            "NO_PROXY": "pypi.org,files.pythonhosted.org",
        }

    def reaches(self, host: str) -> bool:
        """Whether a host still answers; a connection and each request on it count."""
        if host not in self.answers:
            return True
        self.answers[host] -= 1
        return self.answers[host] >= 0

    def handle_error(self, request: object, client_address: object) -> None:
        """A client that hangs up is no news."""


class Handler(BaseHTTPRequestHandler):
    """One connection: CONNECT, then HTTPS as the host that was asked for."""

    protocol_version = "HTTP/1.1"
    server: Internet
    host = ""
    timeout = 120

    def do_CONNECT(self) -> None:
        host = self.path.rpartition(":")[0]
        if host not in HOSTS or not self.server.reaches(host):
            kept = self.server.asked if host in HOSTS else self.server.unknown
            kept.append(Asked(host, "CONNECT", "", "", 502))
            self.send_error(502)
            self.close_connection = True
            return
        self.send_response(200)
        self.end_headers()
        self.connection = self.request = self.server.tls.wrap_socket(self.connection, server_side=True)
        self.rfile, self.wfile = self.connection.makefile("rb"), self.connection.makefile("wb", 0)
        self.host, self.close_connection = host, False

    def do_HEAD(self) -> None:
        self.answer()

    def do_GET(self) -> None:
        self.answer()

    def do_POST(self) -> None:
        self.answer()

    def answer(self) -> None:
        path = unquote(urlsplit(self.path).path)
        if not self.host:
            self.server.unknown.append(Asked(self.path, self.command, "", "", 502))
            self.plain(502)
        elif not self.server.reaches(self.host):
            self.close_connection = True
        elif self.host in OPENSLR:
            self.file(self.server.site.archives.get(path.removeprefix("/resources/")))
        elif self.host == GITHUB:
            self.github(path)
        elif self.host == HUB:
            self.hub(path)
        else:  # where GitHub and the hub send clients for large files: named after repository and file
            self.file(self.large().get(path))

    def large(self) -> dict[str, Path]:
        site = self.server.site
        held = {f"/{name}/{file}": path for name, repo in site.hub.items() for file, path in repo.files.items()}
        return held if self.host == LARGE else site.releases

    def github(self, path: str) -> None:
        repository = re.match(r"/([^/]+/[^/]+?)(\.git)?/(info/refs|git-upload-pack)$", path)
        if repository:
            self.git(repository[1], "/" + repository[3])
        elif path in self.server.site.releases:
            self.redirect(f"https://{ASSETS}{path}", {})
        else:
            self.plain(404)

    def hub(self, path: str) -> None:
        """`/<owner>/<name>/resolve/<revision>/<file>`: a small file itself, a large one's address, size and SHA-256."""
        wanted = re.fullmatch(r"/([^/]+/[^/]+)/resolve/([^/]+)/(.+)", path)
        repository = self.server.site.hub.get(wanted[1]) if wanted else None
        file = repository.files.get(wanted[3]) if repository and wanted[2] in ("main", repository.commit) else None
        if file is None:
            self.plain(404, {"X-Error-Code": "EntryNotFound" if repository else "RepoNotFound"})
            return
        headers = {"X-Repo-Commit": repository.commit}
        if LARGE_FILE.search(wanted[3]):
            headers |= {"X-Linked-Size": str(file.stat().st_size), "X-Linked-Etag": f'"{digest(file)}"'}
            self.redirect(f"https://{LARGE}/{wanted[1]}/{wanted[3]}", headers)
        else:
            self.file(file, headers | {"ETag": f'"{hashlib.sha1(file.read_bytes()).hexdigest()}"'})

    def file(self, path: Path | None, headers: dict[str, str] | None = None) -> None:
        """A file from where the client wants it."""
        if path is None:
            self.plain(404)
            return
        size, wanted = path.stat().st_size, self.headers.get("Range", "")
        start = int(match[1]) if (match := re.fullmatch(r"bytes=(\d+)-\d*", wanted)) else 0
        if start >= size:
            self.plain(416, {"Content-Range": f"bytes */{size}"})
            return
        ranged = {"Content-Range": f"bytes {start}-{size - 1}/{size}"} if wanted else {}
        self.head(206 if wanted else 200, size - start, (headers or {}) | ranged)
        if self.command == "GET":
            self.send(path, start)

    def send(self, path: Path, start: int) -> None:
        address = f"{self.host}{unquote(urlsplit(self.path).path)}"
        content = path.read_bytes()[start:]
        if address in self.server.wrong:
            content = bytes([content[0] ^ 1]) + content[1:]
        stop = self.server.cuts.get(address, self.server.stalls.get(address, len(content)))
        self.wfile.write(content[:stop])
        if address in self.server.cuts:
            self.close_connection = True
        elif address in self.server.stalls:
            self.server.stalled.set()
            self.server.go_on.wait(120)
            self.wfile.write(content[stop:])

    def git(self, repository: str, service: str) -> None:
        folder = self.server.site.sources.get(repository)
        if folder is None:
            self.plain(404)
            return
        length = int(self.headers.get("Content-Length") or 0)
        body = self.chunks() if self.headers.get("Transfer-Encoding") == "chunked" else self.rfile.read(length)
        variables = {
            "GIT_PROJECT_ROOT": str(folder), "PATH_INFO": service, "QUERY_STRING": urlsplit(self.path).query,
            "REQUEST_METHOD": self.command, "CONTENT_TYPE": self.headers.get("Content-Type", ""), "GIT_HTTP_EXPORT_ALL": "1",
            "GIT_PROTOCOL": self.headers.get("Git-Protocol", ""), "CONTENT_LENGTH": str(len(body)),
            "HTTP_CONTENT_ENCODING": self.headers.get("Content-Encoding", ""),
            "GIT_CONFIG_COUNT": "2", "GIT_CONFIG_KEY_0": "uploadpack.allowAnySHA1InWant", "GIT_CONFIG_VALUE_0": "true",
            "GIT_CONFIG_KEY_1": "safe.directory", "GIT_CONFIG_VALUE_1": "*",
        }  # fmt: skip
        served = subprocess.run(
            ["git", "http-backend"], input=body, env=os.environ | variables, stdout=subprocess.PIPE, check=True
        )
        head, _, content = served.stdout.partition(b"\r\n\r\n")
        headers = dict(line.split(": ", 1) for line in head.decode().splitlines())
        status = int(headers.pop("Status", "200").split()[0])
        self.head(status, len(content), headers)
        self.wfile.write(content)

    def chunks(self) -> bytes:
        body = b""
        while length := int(self.rfile.readline().strip() or b"0", 16):
            body += self.rfile.read(length)
            self.rfile.readline()
        self.rfile.readline()
        return body

    def redirect(self, address: str, headers: dict[str, str]) -> None:
        self.plain(302, headers | {"Location": address})

    def plain(self, status: int, headers: dict[str, str] | None = None) -> None:
        self.head(status, 0, headers or {})

    def head(self, status: int, length: int, headers: dict[str, str]) -> None:
        path, wanted = unquote(urlsplit(self.path).path), self.headers.get("Range", "")
        self.server.asked.append(Asked(self.host, self.command, path, wanted, status))
        self.send_response(status)
        for name, value in (headers | {"Content-Length": str(length)}).items():
            self.send_header(name, value)
        self.end_headers()

    def log_message(self, *_: object) -> None:
        """Kept in `asked` instead."""


@lru_cache
def digest(path: Path, kind: str = "sha256") -> str:
    with open(path, "rb") as file:
        return hashlib.file_digest(file, kind).hexdigest()


def report(asked: list[Asked]) -> str:
    """What was asked for, one JSON a line."""
    return "".join(json.dumps(vars(one)) + "\n" for one in asked)
