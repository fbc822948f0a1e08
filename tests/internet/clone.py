"""A clone of the project as a user has it, with a stand-in for conda, and commands run in it as the README types them."""

import os
import shlex
import subprocess
import sys
from pathlib import Path

from tests.paths import ROOT

GIT = ["git", "-c", "user.name=clone", "-c", "user.email=clone@localhost"]


class Clone:
    """The project's files, uncommitted ones included, in a repository of their own."""

    def __init__(self, home: Path):
        self.folder, self.home = home / "codec-cliff", home
        self.folder.mkdir(parents=True)
        listed = subprocess.run(
            ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
            cwd=ROOT, check=True, capture_output=True, text=True,
        )  # fmt: skip
        present = [name for name in listed.stdout.split("\0") if name and (ROOT / name).exists()]
        copied = subprocess.run(
            ["cp", "--parents", "--no-dereference", *present, str(self.folder)],
            cwd=ROOT,
            capture_output=True,
            text=True,
        )
        assert copied.returncode == 0, copied.stderr
        self._conda()
        self.environment = self._environment()

    def _conda(self) -> None:
        script = self.home / "bin/conda"
        script.parent.mkdir()
        script.write_text(f'#!/bin/sh\nexec {sys.executable} {ROOT}/tests/internet/conda.py "$@"\n')
        script.chmod(0o755)

    def _environment(self) -> dict[str, str]:
        """A user's: no environment is active, and conda is on the PATH."""
        kept = {key: value for key, value in os.environ.items() if key not in ("VIRTUAL_ENV", "CONDA_PREFIX")}
        path = os.pathsep.join(part for part in os.environ["PATH"].split(os.pathsep) if part != f"{sys.prefix}/bin")
        return kept | {"PATH": f"{self.home}/bin{os.pathsep}{path}", "STAND_IN_CONDA": str(self.home / "conda")}

    def commit(self) -> None:
        for line in (["init", "--quiet"], ["add", "--all"], ["commit", "--quiet", "--message", "clone"]):
            subprocess.run([*GIT, *line], cwd=self.folder, check=True)

    def run(self, command: str, **environment: str) -> subprocess.CompletedProcess[str]:
        """A command as it is typed; what it prints in one stream."""
        return subprocess.run(
            shlex.split(command, comments=True), cwd=self.folder, env=self.environment | environment,
            text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        )  # fmt: skip
