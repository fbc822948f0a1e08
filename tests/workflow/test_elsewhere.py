"""The workflow from another folder, under any profile, and as a module of another workflow."""

import subprocess
import sys

import pytest
import yaml

from tests.paths import ROOT
from tests.workflow.test_workflow import jobs, snakemake

MODULE = """
module cliff:
    snakefile: "{root}/Snakefile"
    config: config["cliff"]

use rule * from cliff as cliff_*

rule mine:
    default_target: True
    input: rules.cliff_all.input
"""


def test_any_folder_plans_what_the_projects_plans(tmp_path):
    here = jobs(
        snakemake(
            tmp_path,
            "-s",
            ROOT / "Snakefile",
            "--directory",
            tmp_path / "a",
            "--profile",
            ROOT / "profiles/demo",
            "-n",
            "all",
        )
    )
    there = snakemake(
        tmp_path, "-s", ROOT / "Snakefile", "--configfile", ROOT / "profiles/demo/study.yaml", "-n", "all"
    )
    assert here == jobs(there)
    assert here["train"] == 7


def test_a_config_beside_it_differs_from_the_projects(tmp_path):
    (tmp_path / "config.yaml").write_text(
        "study: mine\ntables: {fixed_duration: [6.25], fixed_tokens: [6.25], repaired: [], reference_codecs: []}\n"
    )
    planned = jobs(snakemake(tmp_path, "-s", ROOT / "Snakefile", "-n", "all"))
    assert planned["train"] == 2


def test_rules_run_elsewhere(tmp_path):
    done = snakemake(
        tmp_path,
        "-s",
        ROOT / "Snakefile",
        "--configfile",
        ROOT / "profiles/demo/study.yaml",
        "--",
        "results/demo/probes/coverage.csv",
    )
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "results/demo/probes/coverage.csv").exists()


def test_as_a_module_of_another_workflow(tmp_path):
    (tmp_path / "Snakefile").write_text(MODULE.format(root=ROOT))
    study = yaml.safe_load((ROOT / "profiles/demo/study.yaml").read_text())
    (tmp_path / "config.yaml").write_text(yaml.safe_dump({"cliff": study}))
    planned = snakemake(tmp_path, "--configfile", "config.yaml", "-n")
    assert planned.returncode == 0, planned.stderr
    assert jobs(planned)["cliff_train"] == 7


@pytest.mark.parametrize(
    "command", ["status", "compare demo micro", "coverage --strides 4,8,8,10 --clip 0.38s", "downloads list"]
)
def test_commands_answer_anywhere(tmp_path, command):
    done = subprocess.run(
        [sys.executable, "-m", "codec_cliff.cli", *command.split()], cwd=tmp_path, capture_output=True, text=True
    )
    assert "Traceback" not in done.stderr
