"""The wheel, installed with what the lock names in an empty environment, and used in an empty folder."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import codec_cliff
from tests.paths import ROOT

UV = os.environ.get("UV") or shutil.which("uv") or ROOT / ".tools/bin/uv"
COMMANDS = sorted(
    ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__main__")
    for path in (ROOT / "codec_cliff").rglob("*.py")
    if 'if __name__ == "__main__"' in path.read_text()
)
# All in one process, for each alone would import torch anew; what comes out of the wheel is named.
HELP = """
import runpy, sys
for name in sys.argv[1:]:
    sys.argv = [name, "--help"]
    try:
        runpy.run_module(name, run_name="__main__", alter_sys=True)
    except SystemExit as stop:
        assert stop.code == 0, name
import codec_cliff
print(codec_cliff.__file__)
"""
READ = """
from importlib.resources import files
import yaml
from codec_cliff.paper.scale import PAPER_STUDY, choices, differences
from codec_cliff.paper.values import paper
from codec_cliff.study.load import load_study
print(PAPER_STUDY, differences(load_study(yaml.safe_load(PAPER_STUDY.read_text()))), len(choices()) > 0, len(paper()) > 0)
"""


def uv(*arguments: str | Path) -> None:
    done = subprocess.run([UV, *arguments], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


@pytest.fixture(scope="module")
def installed(tmp_path_factory):
    """The programs of an environment that holds the wheel and its dependencies, those of no development."""
    folder = tmp_path_factory.mktemp("installed")
    environment, wanted = folder / "environment", folder / "requirements.txt"
    uv("build", "-q", "--wheel", "--out-dir", folder)
    uv(
        "export",
        "-q",
        "--locked",
        "--no-default-groups",
        "--group=training",
        "--group=synthetic",
        "--no-emit-project",
        "-o",
        wanted,
    )
    uv("venv", "-q", "--python", sys.executable, environment)
    python = environment / "bin" / "python"
    uv("pip", "install", "-q", "--python", python, "--no-deps", "-r", wanted)
    uv("pip", "install", "-q", "--python", python, "--no-deps", *folder.glob("*.whl"))
    return environment / "bin"


@pytest.fixture
def run(installed, tmp_path):
    """Runs one of the programs in an empty folder; what it prints."""

    def run(program: str, *arguments: str) -> str:
        environment = {key: value for key, value in os.environ.items() if key != "PYTHONPATH"}
        command = [installed / program, *arguments]
        done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
        return done.stdout

    return run


@pytest.mark.slow
def test_every_command_starts_outside_a_checkout(run, installed):
    said = run("python", "-c", HELP, *COMMANDS)
    assert said.count("usage:") == len(COMMANDS) >= 25
    assert Path(said.splitlines()[-1]).is_relative_to(installed.parent)


@pytest.mark.slow
def test_commands_do_their_work_in_an_empty_folder(run, tmp_path):
    assert run("codec-cliff", "coverage", "--strides", "4,8,8,10", "--clip", "0.38s").endswith("uncovered taps: 2\n")
    assert "bigcodec | " in run("codec-cliff", "downloads", "list", "bigcodec")
    assert "no study has been started here" in run("codec-cliff", "status")
    run("python", "-m", "codec_cliff.corpus", "make-synthetic", "--root", "speech")
    assert (tmp_path / "speech" / "synthetic.tsv").exists()


@pytest.mark.slow
def test_the_wheel_carries_the_papers_study_and_values(run, installed):
    path, *rest = run("python", "-c", READ).split()
    assert Path(path).is_relative_to(installed.parent)
    assert rest == ["[]", "True", "True"]


def test_the_version_stands_in_one_place_and_is_cited():
    cited = re.search(r"^version: (.*)$", (ROOT / "CITATION.cff").read_text(), re.M)[1]
    newest = re.search(r"^## (\S+)", (ROOT / "CHANGELOG.md").read_text(), re.M)[1]
    assert codec_cliff.__version__ == cited == newest
    assert "\nversion =" not in (ROOT / "pyproject.toml").read_text()
