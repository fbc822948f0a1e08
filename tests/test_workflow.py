"""The workflow itself: the paper's plan, mistakes before any job, and one whole study with a branch that breaks."""

import re
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest

ROOT = Path(__file__).resolve().parents[1]
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
    "target", ["table1", "table2", "table3", "table4", "figure1", "report", "controls", "downloads"]
)
def test_every_target_plans(checkout, target):
    planned = snakemake(checkout, "-n", target)
    assert planned.returncode == 0, planned.stderr
    assert jobs(planned)


@pytest.mark.parametrize("profile", ["demo", "local", "slurm"])
def test_profiles_plan(checkout, profile):
    planned = snakemake(checkout, "-n", "--profile", f"profiles/{profile}")
    assert planned.returncode == 0, planned.stderr
    assert jobs(planned)["train"] == {"demo": 7, "local": 11, "slurm": 11}[profile]


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


def test_a_deleted_figure_is_one_job(study):
    (study / RESULTS / "figures/figure1.png").unlink()
    rebuilt = snakemake(study, "--configfile", "tests/micro.yaml", "--", f"{RESULTS}/figures/figure1.png")
    assert rebuilt.returncode == 0, rebuilt.stderr
    assert jobs(rebuilt) == {"figure": 1}
    assert (study / RESULTS / "figures/figure1.png").stat().st_size > 10_000


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
