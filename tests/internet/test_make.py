"""`make` behind a proxy that signs TLS anew, played by a uv that refuses certificates."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.paths import ROOT

UV = """#!/bin/sh
echo "$*" >> "$CALLS"
case "$1 $*" in run*) exit 0;; *"$ACCEPTED"*) mkdir -p .venv; exit 0;; esac
echo "error: invalid peer certificate: UnknownIssuer" >&2
exit 2
"""


def make(folder: Path, accepted: str) -> subprocess.CompletedProcess[str]:
    for name in ("Makefile", "pyproject.toml", "uv.lock"):
        shutil.copy(ROOT / name, folder)
    (folder / "bin").mkdir()
    (folder / "bin/uv").write_text(UV)
    (folder / "bin/uv").chmod(0o755)
    environment = os.environ | {
        "PATH": f"{folder}/bin:{os.environ['PATH']}",
        "CALLS": str(folder / "calls"),
        "ACCEPTED": accepted,
    }
    return subprocess.run(["make", "demo"], cwd=folder, env=environment, text=True, capture_output=True)


def test_uvs_own_certificates_are_tried_first(tmp_path):
    assert make(tmp_path, "sync").returncode == 0
    assert (tmp_path / "calls").read_text().splitlines()[0] == "sync --locked"


def test_the_systems_certificates_are_tried_where_uvs_are_refused(tmp_path):
    assert make(tmp_path, "--system-certs").returncode == 0
    assert (tmp_path / "calls").read_text().splitlines()[:2] == ["sync --locked", "sync --locked --system-certs"]


@pytest.mark.parametrize("remedy", ["SSL_CERT_FILE", "PIP_CERT", "UV_SYSTEM_CERTS=1", "HTTPS_PROXY"])
def test_where_both_are_refused_the_remedy_is_named(tmp_path, remedy):
    refused = make(tmp_path, "nothing")
    assert refused.returncode != 0
    assert "UnknownIssuer" in refused.stderr
    assert remedy in refused.stdout
