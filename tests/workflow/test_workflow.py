"""The workflow itself: the paper's plan, mistakes before any job, and one whole study with a branch that breaks."""

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest
import yaml

from codec_cliff.study.load import load_study
from tests.paths import ROOT

RESULTS = "results/micro"


def snakemake(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [
        sys.executable,
        "-m",
        "snakemake",
        "--cores",
        "2",
        "--rerun-triggers",
        "mtime",
        "params",
        "input",
        *arguments,
    ]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True)


def jobs(finished: subprocess.CompletedProcess[str]) -> dict[str, int]:
    """The job table of a plan: rule -> count; empty where there is nothing to be done."""
    table = finished.stdout + finished.stderr
    table = table[table.find("Job stats:") :] if "Job stats:" in table else ""
    return {
        rule: int(count)
        for rule, count in re.findall(r"^(\w+) +(\d+)$", table.split("\n\n")[0], re.M)
        if rule != "total"
    }


@pytest.fixture(scope="module")
def checkout(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A working folder with the project linked into it, so that results land elsewhere."""
    folder = tmp_path_factory.mktemp("checkout")
    for name in ("Snakefile", "workflow", "codec_cliff", "config.yaml", "envs", "profiles", "tests"):
        (folder / name).symlink_to(ROOT / name)
    return folder


def test_the_papers_plan_holds_eleven_trainings(checkout):
    planned = snakemake(checkout, "-n", "all")
    assert planned.returncode == 0, planned.stderr
    counts = jobs(planned)
    assert counts["train"] == 11
    assert counts["reconstruct"] == 22  # 11 trained, 1 repaired, 9 published, the originals
    assert counts["metric"] == 5 * 22


@pytest.mark.parametrize(
    "target",
    [
        "table1",
        "table2",
        "table3",
        "table4",
        "figure1",
        "report",
        "controls",
        "probes",
        "arms",
        "published",
        "downloads",
    ],
)
def test_every_target_plans(checkout, target):
    planned = snakemake(checkout, "-n", target)
    assert planned.returncode == 0, planned.stderr
    assert jobs(planned)


@pytest.mark.parametrize("profile", ["demo", "pilot", "local", "slurm"])
def test_profiles_plan(checkout, profile):
    planned = snakemake(checkout, "-n", "--profile", f"profiles/{profile}")
    assert planned.returncode == 0, planned.stderr
    assert jobs(planned)["train"] == {"demo": 7, "pilot": 5, "local": 11, "slurm": 11}[profile]


def test_the_probes_that_are_asked_for_exist(checkout):
    from codec_cliff.report.probe_figures import FIGURES
    from codec_cliff.report.probes import LAYOUTS

    planned = snakemake(checkout, "-n", "probes", "arms")
    assert set(re.findall(r"figures/probe_(\w+)\.pdf", planned.stdout)) == set(FIGURES)
    assert set(re.findall(r"tables/probe_(\w+)\.md", planned.stdout)) == set(LAYOUTS)


def test_codebooks_of_sizes_by_frame_rate_are_counted_each_by_its_own(checkout):
    sizes = {100: 64, 50: 64, 25: 64, 12.5: 64, 6.25: 32, 3.125: 64, 1.6: 64}
    (checkout / "sizes.yaml").write_text(yaml.safe_dump({"model": {"codebook_size": sizes}}))
    planned = snakemake(
        checkout, "-n", "-p", "--configfile", "sizes.yaml", "--", "results/paper/codebook/usage.csv", "table3"
    )
    assert planned.returncode == 0, planned.stderr
    commands = re.findall(r"python -m codec_cliff\.codes\.\w+ .*", planned.stdout + planned.stderr)
    assert len(commands) == 12  # a study's value that is no number cannot be an argument of theirs
    assert not any("{" in command for command in commands)


def test_a_large_study_plans():
    """The smallest scale of the benchmark, which goes on to 256 trainings."""
    command = [sys.executable, "benchmarks/dag.py", "--scales", "1", "--runs", "12"]
    planned = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert planned.returncode == 0, planned.stderr
    assert planned.stdout.splitlines()[-1] == "ratio 1.00"


def test_the_target_rules_read_like_a_menu(checkout):
    listed = snakemake(checkout, "--list-target-rules").stdout.splitlines()
    menu = dict(re.fullmatch(r"(\w+) \((.+)\)", line).groups() for line in listed)  # each with a sentence
    targets = {
        "all",
        "arm",
        "arms",
        "clean_branch",
        "controls",
        "downloads",
        "figure1",
        "published",
        "report",
        "table1",
        "table2",
        "table3",
        "table4",
    }
    assert targets <= set(menu)


def test_the_papers_study_queues_what_is_worth_queueing(checkout):
    """The counts that profiles/slurm/README.md names."""
    planned = snakemake(checkout, "-n", "--profile", "profiles/slurm", "all")
    counts = jobs(planned)
    local = re.search(r"localrules:\n((?:    \w+,\n)+)", (ROOT / "Snakefile").read_text()).group(1)
    queued = {rule: count for rule, count in counts.items() if f" {rule}," not in local}
    assert set(queued) == {"train", "prepare", "align", "reconstruct", "references", "metric"}, (
        "light rules belong to localrules"
    )
    readme = " ".join((ROOT / "profiles/slurm/README.md").read_text().split())
    assert f"{sum(queued.values())} jobs in the queue" in readme


def test_training_asks_for_a_gpu_memory_and_the_time_it_will_take(checkout):
    planned = snakemake(checkout, "-n", "--profile", "profiles/slurm", "results/paper/runs/50hz/model.safetensors")
    (resources,) = re.findall(r"rule train:.*?resources: (.*?)\n", planned.stdout + planned.stderr, re.S)
    assert {"gpu=1", "slurm_partition=gpu", "mem_mb=32000"} <= set(resources.split(", "))
    assert int(re.search(r"runtime=(\d+)", resources).group(1)) > 30


def test_on_one_machine_what_needs_the_card_counts_against_it(checkout):
    planned = snakemake(checkout, "-n", "--profile", "profiles/local", "all", "probes")
    said = planned.stdout + planned.stderr
    jobs_of = re.findall(r"rule metric:.*?metric=(\w+)\n.*?gpu_percent=(\d+)", said, re.S)
    assert dict(jobs_of) == {"stoi": "0", "mcd": "0", "wer": "25", "spk_sim": "25", "naturalness": "25"}
    for rule in ("reconstruct", "probe_scores"):
        assert "gpu_percent=25" in re.search(rf"rule {rule}:.*?resources: (.*?)\n", said, re.S).group(1)


def test_the_papers_page_trains_nothing_for_the_probes_whose_answers_lie_there(checkout, tmp_path):
    """`all` shows the probes' tables where they are and waits for none; results/pilot lies in git without its models."""
    folder = tmp_path / "checkout"
    folder.mkdir()
    for path in checkout.iterdir():
        if path.name not in ("results", ".snakemake"):
            (folder / path.name).symlink_to(path)
    shutil.copytree(ROOT / "results/pilot", folder / "results/pilot")
    planned = snakemake(folder, "-n", "--profile", "profiles/pilot", "--", "all")
    assert planned.returncode == 0, planned.stderr
    assert jobs(planned)["train"] == 5
    assert not {"probe_scores", "probe_answers", "probe_quality"} & set(jobs(planned))


GPU_PILOT = ["--profile", "profiles/pilot", "--configfile", "profiles/pilot/study.yaml", "profiles/pilot/gpu.yaml"]


def test_an_arm_of_the_pilot_at_full_width_needs_no_other(checkout):
    """What training on a GPU for half an hour relies on: one model, its repair, every metric and probe, and nothing else."""
    config = ["--config", "corpus={kind: folder}", "branch=6.25hz-fixed-duration"]
    planned = snakemake(checkout, "-n", "-p", *GPU_PILOT, *config, "--", "arm")
    assert planned.returncode == 0, planned.stderr
    counts = jobs(planned)
    assert (counts["train"], counts["repair"], counts["metric"], counts["reconstruct"]) == (1, 1, 10, 2)
    assert (counts["probe_scores"], counts["probe_drift"]) == (1, 1)
    run = json.loads(re.search(r"--run '(\{.*?\})' --manifest", planned.stdout + planned.stderr).group(1))
    paper = load_study(yaml.safe_load((ROOT / "config.yaml").read_text())).runs["6.25hz-fixed-duration"]
    theirs = json.loads(json.dumps(paper.to_dict()))
    for part in ("model", "discriminator", "losses", "batch_clips", "clip_samples"):
        assert run[part] == theirs[part]


@pytest.mark.parametrize("name", ["7hz", "6.25hz-fixed-token", "100hz-repaired"])
def test_a_codec_that_the_study_lacks_is_named_while_planning(checkout, name):
    planned = snakemake(checkout, "-n", f"results/paper/runs/{name}/model.safetensors")
    assert planned.returncode != 0
    assert f"{name}: the study paper has no such codec; it has " in planned.stdout + planned.stderr


@pytest.mark.parametrize("target", ["arm", "clean_branch"])
def test_targets_of_one_branch_ask_which(checkout, target):
    asked = snakemake(checkout, "--", target)
    assert asked.returncode != 0
    assert f"{target}: name the trained codec with --config branch=<codec>, one of " in asked.stdout + asked.stderr


def test_every_stack_has_its_conda_environment(checkout, tmp_path):
    """A dry run with conda at hand, which is asked for nothing but its version and platform."""
    conda = tmp_path / "conda"
    info = '{"conda_version": "25.1.0", "platform": "linux-64", "conda_prefix": "/c", "root_prefix": "/c", "active_prefix": null}'
    strict = '{"get": {"channel_priority": "strict"}}'
    conda.write_text(
        f"#!/bin/sh\ncase \"$*\" in *--version*) echo conda 25.1.0;; *channel_priority*) echo '{strict}';; *) echo '{info}';; esac\n"
    )
    conda.chmod(0o755)
    planned = subprocess.run(
        [sys.executable, "-m", "snakemake", "-n", "--cores", "2", "all", "--sdm", "conda"],
        cwd=checkout, capture_output=True, text=True, env={**os.environ, "PATH": f"{tmp_path}:{os.environ['PATH']}"},
    )  # fmt: skip
    assert planned.returncode == 0, planned.stderr
    for name in ("codec-cliff", "mfa", "qwen"):
        assert f"envs/{name}.yaml will be created" in planned.stdout + planned.stderr


def test_a_wrong_key_stops_before_any_job(checkout):
    planned = snakemake(checkout, "-n", "--config", "sead=1")
    assert planned.returncode != 0
    assert "sead: unknown key (did you mean seed?)" in planned.stdout + planned.stderr
    assert "Traceback" not in planned.stderr


@pytest.fixture(scope="module")
def study(checkout: Path) -> Path:
    """The micro study, run with one branch broken, then mended and run again."""
    broken = checkout / RESULTS / "runs/6.25hz-fixed-tokens/checkpoint.pt"
    broken.parent.mkdir(parents=True)
    broken.write_bytes(b"not a checkpoint")
    first = snakemake(checkout, "--configfile", "tests/micro.yaml", "--keep-going", "--show-failed-logs")
    assert first.returncode != 0
    assert "no checkpoint in it can be read" in first.stdout + first.stderr
    for codec in ("original", "opus_12", "50hz", "6.25hz-fixed-duration", "6.25hz-fixed-duration-repaired"):
        for metric in ("stoi", "wer", "mcd", "spk_sim", "naturalness"):
            assert (checkout / RESULTS / f"metrics/{codec}/{metric}.csv").exists(), (
                codec,
                metric,
                first.stderr[-3000:],
            )
    broken.unlink()

    planned = jobs(snakemake(checkout, "-n", "--configfile", "tests/micro.yaml"))
    branch = {"train": 1, "reconstruct": 1, "codebook": 1, "metric": 5}
    assert {rule: count for rule, count in planned.items() if rule in branch} == branch
    assert "prepare" not in planned
    assert "repair" not in planned
    second = snakemake(checkout, "--configfile", "tests/micro.yaml", "--show-failed-logs")
    assert second.returncode == 0, second.stderr[-3000:]
    return checkout


def test_a_second_call_does_nothing(study):
    assert jobs(snakemake(study, "-n", "--configfile", "tests/micro.yaml")) == {}


def test_changed_strides_retrain_that_variant_alone(study):
    other = (study / "tests/micro.yaml").read_text() + (
        "frame_rates: [{frame_rate: 50, strides: [2, 4, 5, 8]}, {frame_rate: 6.25, strides: [8, 4, 8, 10]}]\n"
    )
    (study / "other.yaml").write_text(other)
    planned = snakemake(study, "-n", "--configfile", "other.yaml", "--", f"{RESULTS}/runs/50hz/model.safetensors")
    assert jobs(planned) == {}
    planned = snakemake(
        study, "-n", "--configfile", "other.yaml", "--", f"{RESULTS}/runs/6.25hz-fixed-tokens/model.safetensors"
    )
    assert jobs(planned) == {"train": 1}


def test_tables_hold_every_codec_with_intervals_and_the_papers_values(study):
    tables = {
        name: pd.read_csv(study / RESULTS / f"tables/{name}.csv") for name in ("table1", "table2", "table3", "table4")
    }
    assert tables["table1"]["codec"].tolist() == ["original", "opus_12"]
    assert tables["table2"]["codec"].tolist() == ["50hz", "6.25hz-fixed-duration", "6.25hz-fixed-duration-repaired"]
    assert tables["table4"]["codec"].tolist() == ["50hz", "6.25hz-fixed-tokens"]
    assert set(tables["table3"]["codec"]) == {"50hz", "6.25hz-fixed-duration", "6.25hz-fixed-tokens"}
    for name in ("table2", "table4"):
        table = tables[name]
        assert (table["stoi_low"] <= table["stoi"]).all()
        assert (table["stoi"] <= table["stoi_high"]).all()
        assert table["stoi_paper"].notna().any()
    original = tables["table1"].iloc[0]
    assert original["stoi"] == pytest.approx(1)
    assert original["spk_sim"] == pytest.approx(1)
    coverage = pd.read_csv(study / RESULTS / "tables/coverage.csv").set_index("codec")["uncovered_taps"]
    assert coverage.to_dict() == {"50hz": 0, "6.25hz-fixed-duration": 2, "6.25hz-fixed-tokens": 0}


def test_the_report_is_there(study):
    page = (study / RESULTS / "report.html").read_text()
    assert "6.25hz-fixed-duration-repaired" in page


def touch(folder: Path) -> None:
    """Give every file under a folder today's date, in an order of its own."""
    for path in sorted(folder.rglob("*"), reverse=True):
        if path.is_file() and not path.is_symlink():
            os.utime(path)


@pytest.fixture
def moved(study: Path, tmp_path: Path) -> Path:
    """The finished study in another folder, its .snakemake folder with it."""
    folder = tmp_path / "moved"
    shutil.copytree(study, folder, symlinks=True)
    return folder


def test_a_deleted_figure_is_one_job(moved):
    (moved / RESULTS / "figures/figure1.png").unlink()
    rebuilt = snakemake(moved, "--configfile", "tests/micro.yaml", "--", f"{RESULTS}/figures/figure1.png")
    assert rebuilt.returncode == 0, rebuilt.stderr
    assert jobs(rebuilt) == {"figure": 1}
    assert (moved / RESULTS / "figures/figure1.png").stat().st_size > 10_000


def plan(folder: Path) -> dict[str, int]:
    planned = snakemake(folder, "-n", "--configfile", "tests/micro.yaml")
    assert planned.returncode == 0, planned.stderr
    print(
        *re.findall(r"^ *(?:local)?rule .*|^ *reason: .*", planned.stdout, re.M), sep="\n"
    )  # shown where a test fails
    return jobs(planned)


def own_sources(folder: Path) -> Path:
    """A copy of the package with new dates, as a fresh checkout has them."""
    package = folder / "codec_cliff"
    package.unlink()
    shutil.copytree(
        ROOT / "codec_cliff", package, ignore=shutil.ignore_patterns("__pycache__"), copy_function=shutil.copyfile
    )
    return package


def test_moving_the_project_and_touching_its_files_reruns_nothing(moved):
    assert plan(moved) == {}
    own_sources(moved)
    touch(moved / "results")
    assert plan(moved) == {}


def test_without_the_snakemake_folder_training_never_reruns(moved):
    shutil.rmtree(moved / ".snakemake")
    assert plan(moved) == {}
    own_sources(moved)
    touch(moved / "results")
    for newest in ("corpus", "data"):
        touch(moved / RESULTS / newest)
    planned = plan(moved)
    assert "prepare" in planned or "reconstruct" in planned  # not for want of anything to rerun
    assert "train" not in planned


def test_a_changed_metric_reruns_that_metric_alone(moved):
    with open(own_sources(moved) / "metrics/stoi.py", "a") as file:
        file.write("# changed\n")
    planned = snakemake(moved, "-n", "--configfile", "tests/micro.yaml")
    codecs = {
        "original",
        "opus_12",
        "50hz",
        "6.25hz-fixed-duration",
        "6.25hz-fixed-duration-repaired",
        "6.25hz-fixed-tokens",
    }
    rerun = set(re.findall(rf"output: {RESULTS}/metrics/(\S+)\.csv", planned.stdout + planned.stderr))
    assert rerun == {f"{codec}/stoi" for codec in codecs}
    assert not {"train", "repair", "reconstruct", "codebook", "align", "prepare"} & set(jobs(planned))


def test_recordings_made_anew_are_measured_anew(moved):
    """Another model's have the names and lengths of the first one's; if the driver stops between, the next call must see it."""
    made = f"{RESULTS}/reconstruction/50hz/manifest.tsv"
    anew = snakemake(moved, "--configfile", "tests/micro.yaml", "--forcerun", "reconstruct", "--", made)
    assert anew.returncode == 0, anew.stderr
    assert jobs(anew) == {"reconstruct": 1}
    planned = plan(moved)
    assert {rule: planned.get(rule) for rule in ("metric", "codebook", "code_usage", "listening", "page")} == {
        **{"metric": 5, "codebook": 1},
        **dict.fromkeys(("code_usage", "listening", "page"), 1),
    }
    assert not {"train", "reconstruct", "repair"} & set(planned)


def test_a_cleaned_branch_is_made_anew_and_no_other(moved):
    cleaned = snakemake(
        moved, "--configfile", "tests/micro.yaml", "--config", "branch=6.25hz-fixed-tokens", "--", "clean_branch"
    )
    assert cleaned.returncode == 0, cleaned.stderr
    assert "deleted results/micro/runs/6.25hz-fixed-tokens" in cleaned.stdout
    planned = plan(moved)
    expected = {"train": 1, "reconstruct": 1, "codebook": 1, "metric": 5}
    assert {rule: planned.get(rule, 0) for rule in [*expected, "prepare", "repair"]} == {
        **expected,
        "prepare": 0,
        "repair": 0,
    }
