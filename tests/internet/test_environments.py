"""The conda environments as Snakemake makes them when it is started by `uv run`, with a stand-in for conda."""

import re
import subprocess
from pathlib import Path

import pytest
import yaml

from tests.internet.clone import Clone
from tests.paths import ROOT

ENVIRONMENTS = sorted((ROOT / "envs").glob("*.yaml"))


@pytest.fixture(scope="module")
def clone(tmp_path_factory) -> Clone:
    return Clone(tmp_path_factory.mktemp("user"))


def test_uv_run_fills_the_main_environment_from_the_lock(clone):
    made = clone.run("uv run snakemake --profile profiles/demo --sdm conda --conda-create-envs-only")
    assert made.returncode == 0, made.stdout
    (environment,) = {path.parents[1] for path in clone.folder.glob(".snakemake/conda/*/bin/python")}
    assert environment != clone.folder / ".venv"
    lock = (clone.folder / "uv.lock").read_text()
    for name in ("torch", "descript-audio-codec", "transformers", "espeakng-loader"):
        version = re.search(rf'^name = "{name}"\nversion = "(.+)"', lock, re.M).group(1)
        assert list(environment.glob(f"lib/*/site-packages/{name.replace('-', '_')}-{version}*.dist-info")), name
    imported = "import codec_cliff.training.loop, codec_cliff.metrics.wer, codec_cliff.corpus.synthetic"
    subprocess.run([environment / "bin/python", "-c", imported], cwd=clone.folder, check=True)


def test_uv_is_one_version_from_pypi():
    """conda-forge has no uv of every version; PyPI has the one that the Makefile brings."""
    wanted = re.search(r"^UV_VERSION := (\S+)", (ROOT / "Makefile").read_text(), re.M).group(1)
    assert {"pip": [f"uv=={wanted}"]} in dependencies(ROOT / "envs/codec-cliff.yaml")


def dependencies(file: Path) -> list:
    return yaml.safe_load(file.read_text())["dependencies"]
