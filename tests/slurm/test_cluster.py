"""The study on a live SLURM, and what can go wrong there: for each fault, what was lost and what the user was told.

The tests share one cluster and one checkout; the last one starts the cluster anew.
"""

import contextlib
import hashlib
import os
import re
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.slurm.conftest import RUN, Checkout, Cluster, Driver, Study, wait_until

ACTIVE = "PENDING,RUNNING"
OTHERS = ("50hz", "6.25hz-fixed-duration")
# Faults are injected once a step is reached, and boots take as many times longer on a busy machine as steps do.
SHORT = {"steps": 20, "log_every_steps": 1, "checkpoint_every_seconds": 2}
MIDDLE = {**SHORT, "steps": 120}
LONG = {**SHORT, "steps": 450, "checkpoint_every_seconds": 5}  # a minute and more on an idle core

LOCKED = r"(?s)Error: Directory cannot be locked.*?--unlock argument"


class Observations:
    """The table of faults, as the tests saw them."""

    def __init__(self) -> None:
        self.rows: list[tuple[str, str, str, str]] = []

    def add(self, injected: str, observed: str, lost: str, message: str) -> None:
        self.rows.append((injected, observed, lost, message))

    def markdown(self) -> str:
        lines = ["| injected | observed | lost | what the user sees |", "| --- | --- | --- | --- |"]
        return (
            "\n".join(lines + [f"| {' | '.join(cell.replace('|', '/') for cell in row)} |" for row in self.rows]) + "\n"
        )


@pytest.fixture(scope="module")
def observed(checkout: Checkout) -> Iterator[Observations]:
    """Written to CODEC_CLIFF_FAILURES, where that is set: docs/cluster_failures.md is made of it."""
    observations = Observations()
    yield observations
    if path := os.environ.get("CODEC_CLIFF_FAILURES"):
        Path(path).write_text(observations.markdown())


def message(said: str, pattern: str) -> str:
    """The part of what was said that matches, on one line, without this machine's paths."""
    found = re.search(pattern, said)
    assert found, f"{pattern!r} is nowhere in:\n{said[-6000:]}"
    text = re.sub(r"\s+", " ", found.group(0))
    for path, shown in ((r"/\S*/(results|\.snakemake)/", r"\1/"), (r" /\S*/checkout\d+ ", " <the project> ")):
        text = re.sub(path, shown, text)
    return "`" + text.replace("`", "'") + "`"


def planned(driver: Driver) -> dict[str, int]:
    """The driver's job table: rule -> count."""
    table = driver.said[driver.said.index("Job stats:") :].split("\n\n")[0]
    return {rule: int(count) for rule, count in re.findall(r"^(\w+) +(\d+)$", table, re.M) if rule != "total"}


def lost_steps(study: Study, reached: int, run: str = RUN) -> str:
    """Steps between the last one seen before the fault and the one that training went on from, in words for the table."""
    resumed = study.resumed_at(run)
    assert resumed > 0, f"{run} began anew:\n{study.log(run)}"
    lost = max(0, reached - resumed)
    assert lost == 0, f"{run} had reached step {reached} and went on from {resumed}"
    return f"nothing: at step {reached} before, went on from {resumed}"


def whole(study: Study, run: str = RUN) -> bool:
    """Whether a training came to its end, its table without a gap or a repeated step."""
    rows = study.file("train.csv", run).read_text().splitlines()[1:]
    steps = [int(row.split(",")[0]) for row in rows]
    return study.file("run.json", run).exists() and steps == list(range(1, len(steps) + 1))


def digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


@pytest.fixture(scope="module")
def micro(cluster: Cluster, checkout: Checkout, observed: Observations) -> Study:
    """A whole study with one training that fails, then mended."""
    study = checkout.study("micro")
    broken = study.file("checkpoint.pt")
    broken.parent.mkdir(parents=True)
    broken.write_bytes(b"not a checkpoint")
    # one job a codec, as profiles/slurm offers it: 6 instead of 36 evaluations queue, on two cores
    grouped = ("--groups", "reconstruct=evaluate", "metric=evaluate")
    first = study.start(*grouped, targets=["all"])
    assert first.wait(1200) != 0
    seen = message(first.said, r"results/micro/runs/[^\n]*no checkpoint in it can be read[^\n]*")
    codecs = ["original", "opus_12", *OTHERS, "6.25hz-fixed-duration-repaired"]
    metrics = [study.results / f"metrics/{codec}/{name}.csv" for codec in codecs for name in ("stoi", "wer", "mcd")]
    assert [path for path in metrics if not path.exists()] == []
    assert "failed" in study.status()
    queued = planned(first)

    broken.unlink()
    second = study.start(*grouped, targets=["all"])
    assert second.wait(600) == 0, second.said[-6000:]
    branch = planned(second)
    expected = {"train": 1, "reconstruct": 1, "metric": 5, "codebook": 1}
    assert {rule: branch.get(rule, 0) for rule in ("train", "reconstruct", "metric", "codebook", "prepare")} == {
        **expected, "prepare": 0
    }  # fmt: skip
    observed.add(
        "a training fails (its checkpoint is unreadable)",
        f"the other branches were finished ({queued['train'] - 1} of {queued['train']} trainings, all their metrics); the next call "
        f"ran {branch['train']} training, {branch['reconstruct']} reconstruction, {branch['metric']} metrics and what hangs on them",
        "nothing of the other branches",
        seen,
    )
    return study


def test_a_whole_study_runs_and_a_failed_branch_is_rerun_alone(cluster, micro):
    assert (micro.results / "report.html").exists()
    assert "3 trainings: 3 done" in micro.status()
    records = cluster.ask(
        "sacct", "-X", "--noheader", "--parsable2", "--format", "Comment,State,AllocTRES"
    ).splitlines()
    trained = [line for line in records if line.startswith("rule_train")]
    assert len(trained) >= 3
    assert all("gres/gpu=1" in line for line in trained)
    evaluated = [line for line in records if line.startswith("rule_evaluate")]
    assert len(evaluated) == 6, records
    light = ("table", "figure", "page", "statistics", "coverage", "codebook", "repair", "phonemes", "synthesize")
    assert not [line for line in records if line.startswith(tuple(f"rule_{rule}" for rule in light))]


@pytest.fixture
def branch(checkout, request) -> Study:
    """A study of the test's own, in which only the trainings are still to be done."""
    name = request.node.name.removeprefix("test_").split("_")[0]
    study = checkout.study(name, training=request.param)
    study.take_data()
    return study


def test_timeout_goes_on_from_the_checkpoint(cluster, checkout, steps_a_second, observed):
    steps = max(40, round(150 * steps_a_second))  # SLURM looks every half minute: a limit of a minute is one and a half
    branch = checkout.study("timeout", training={**LONG, "steps": steps})
    branch.take_data()
    limits = "train:runtime=1 if attempt == 1 else 60"
    driver = branch.start("--set-resources", limits, "train:slurm_partition=gpu", "train:mem_mb=2000")
    wait_until(lambda: "TIMEOUT" in driver.said, "the time limit", driver=driver)
    wait_until(lambda: branch.resumed_at(), "the second attempt", driver=driver)
    attempts = branch.step()
    resumed = branch.resumed_at()
    assert driver.wait(900) == 0, driver.said[-6000:]
    assert whole(branch)
    assert attempts >= resumed
    observed.add(
        "TIMEOUT: a training longer than its `runtime`",
        f"SIGTERM wrote a checkpoint at step {resumed}; `retries` submitted a second job, which went on from it to step {steps}",
        "nothing: every step is in train.csv once",
        message(driver.said, r"SLURM status is: 'TIMEOUT'[^\n]*"),
    )


@pytest.mark.parametrize("branch", [MIDDLE], indirect=True)
def test_interference_of_operators(cluster, branch, observed):
    """A drained node, then `scontrol requeue` of one training, scancel of another, and a third that a draining node lets end."""
    node, earlier = cluster.node, set(cluster.jobs("train"))
    cluster.ask("scontrol", "update", f"NodeName={node}", "State=DRAIN", "Reason=test")
    driver = branch.start(targets=[branch.model(run) for run in (RUN, *OTHERS)])
    waiting = wait_until(
        lambda: len(jobs := cluster.jobs("train", "PENDING")) == 3 and jobs, "three waiting jobs", driver=driver
    )
    assert "3 queued" in branch.status()
    reason = cluster.ask("squeue", "--noheader", "--jobs", waiting[0], "--format", "%R")
    cluster.ask("scontrol", "update", f"NodeName={node}", "State=RESUME")
    observed.add(
        "a node drained before the jobs start, then resumed", "the jobs waited, the driver with them, and started by themselves",
        "nothing", f"`squeue`: `{reason}`; `codec-cliff status`: `3 queued`",
    )  # fmt: skip

    requeued, cancelled, left_alone = RUN, *OTHERS
    ids = {run: cluster.jobs(f"train_wildcards_{run}", ACTIVE)[0] for run in (RUN, *OTHERS)}
    for run in ids:
        branch.wait_for_step(5, driver, run)
    assert "3 running" in branch.status()
    cluster.ask("scontrol", "requeue", ids[requeued])
    cluster.ask("scancel", ids[cancelled])
    cluster.ask("scontrol", "update", f"NodeName={node}", "State=DRAIN", "Reason=test")
    for run in (requeued, cancelled):
        wait_until(lambda run=run: "stopped by SIGTERM" in branch.log(run), f"the checkpoint of {run}", driver=driver)
    reached = {run: branch.step(run) for run in (requeued, cancelled)}
    before = branch.step(left_alone)
    assert branch.wait_for_step(before + 2, driver, left_alone) > before
    stopped = next(line for line in branch.status().splitlines() if requeued in line)
    cluster.ask("scontrol", "update", f"NodeName={node}", "State=RESUME")
    cluster.ask(
        "scontrol", "update", f"JobId={ids[requeued]}", "StartTime=now"
    )  # SLURM's own pause would be two minutes
    for run in (requeued, cancelled):
        wait_until(lambda run=run: branch.resumed_at(run), f"{run} going on", driver=driver)
    lost = {run: lost_steps(branch, reached[run], run) for run in (requeued, cancelled)}
    assert driver.wait(900) == 0, driver.said[-6000:]
    assert all(whole(branch, run) for run in (RUN, *OTHERS))
    assert set(cluster.jobs(f"train_wildcards_{requeued}")) - earlier == {ids[requeued]}  # the same job
    observed.add(
        "`scontrol requeue` of a running training",
        "SLURM put the same job back in the queue for two minutes, then it went on; the driver noticed nothing",
        lost[requeued], f"`codec-cliff status`: `{' '.join(stopped.split()[1:])}`",
    )  # fmt: skip
    observed.add(
        "`scancel` of a running training", "`retries` submitted a new job, which went on",
        lost[cancelled], message(driver.said, r"SLURM status is: 'CANCELLED[^\n]*"),
    )  # fmt: skip
    observed.add(
        "a node drained while a training runs on it", "the training ran on; stopped ones waited until the node was resumed",
        "nothing", "`sinfo`: `draining`",
    )  # fmt: skip


@pytest.mark.parametrize("branch", [LONG], indirect=True)
def test_driver_stopped_and_killed(cluster, checkout, branch, observed):
    """Ctrl-C, then kill -9, and a restart while the job of the killed driver is alive."""
    driver = branch.start()
    branch.wait_for_step(5, driver)
    os.kill(driver.process.pid, signal.SIGINT)
    assert driver.wait(120) != 0
    wait_until(lambda: not cluster.jobs("train", "RUNNING,COMPLETING"), "the end of the cancelled job")
    reached = branch.step()
    assert branch.file("checkpoint.pt").exists()
    seen = next(line for line in branch.status().splitlines() if RUN in line)

    driver = branch.start()
    wait_until(lambda: branch.resumed_at(), "the training going on", driver=driver)
    observed.add(
        "Ctrl-C of the driver", "its jobs were cancelled, the training wrote its checkpoint; the next call went on from it",
        lost_steps(branch, reached), f"`codec-cliff status`: `{' '.join(seen.split()[1:])}`",
    )  # fmt: skip

    branch.wait_for_step(reached + 5, driver)
    driver.signal(signal.SIGKILL)
    driver.process.wait()
    (old,) = cluster.jobs("train", "RUNNING")
    locked = branch.start()
    assert locked.wait(120) != 0
    seen_lock = message(locked.said, LOCKED)
    assert checkout.snakemake("--unlock", "--configfile", branch.config).returncode == 0
    refused = branch.start("--retries", "0")
    assert refused.wait(240) != 0
    seen_refusal = message(refused.said, r"results/\S*: another trainer is at work in it[^\n]*")
    assert cluster.jobs("train", ACTIVE) in ([old], [])  # the rival is gone

    wait_until(lambda: not cluster.jobs("train", "RUNNING,COMPLETING"), "the old job's end", 900)
    # the outputs proper may have been deleted with those of the refused job
    kept = branch.file("finished")
    trained, record = digest(kept / "model.safetensors"), (kept / "run.json").read_text()
    again = branch.start()
    assert again.wait(240) == 0, again.said[-6000:]
    assert whole(branch)
    assert digest(branch.file("model.safetensors")) == trained
    assert branch.file("run.json").read_text() == record
    restored = "was trained to its end under these settings and is put back" in branch.log()
    observed.add(
        "`kill -9` of the driver, then the same command", "the job went on by itself; the folder's lock refused a second driver",
        "nothing", seen_lock,
    )  # fmt: skip
    observed.add(
        "`--unlock` and a restart while that job is alive",
        "the run folder's lock refused the second trainer; the first came to its end; the next call "
        + ("put its model back in place without training" if restored else "found its model"),
        "nothing: the same model, byte for byte", seen_refusal,
    )  # fmt: skip


@pytest.fixture
def small_disk(checkout: Checkout) -> Iterator[Path]:
    """The results of the study `full` on a disk of their own, 32 MB large."""
    folder = checkout.folder / "results/full"
    folder.mkdir(parents=True)
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=32m", "tmpfs", folder], check=True)
    yield folder
    subprocess.run(["umount", "--lazy", folder], check=True)


def fill(path: Path) -> None:
    """Write until nothing more fits on the disk."""
    with open(path, "wb", buffering=0) as filler, contextlib.suppress(OSError):
        while filler.write(bytes(2**16)):
            pass
    assert shutil.disk_usage(path.parent).free == 0


def test_full_disk(checkout, small_disk, observed):
    study = checkout.study("full", training={**MIDDLE, "checkpoint_every_seconds": 1})
    study.take_data()
    driver = study.start("--retries", "0")
    wait_until(lambda: study.file("checkpoint.pt").exists(), "a checkpoint", driver=driver)
    fill(small_disk / "filler")
    assert driver.wait(240) != 0
    reached = study.step()
    seen = message(driver.said, r"results/\S*: no space left on its disk[^\n]*")
    (small_disk / "filler").unlink()
    again = study.start()
    wait_until(lambda: study.resumed_at(), "the training going on", driver=again)
    resumed = study.resumed_at()
    assert again.wait(600) == 0, again.said[-6000:]
    assert whole(study)
    assert reached - resumed < 60  # what was not yet in a checkpoint: a second's steps, and what the filling took
    observed.add(
        "the disk of the results is full", "the training stopped with its last checkpoint whole; with space again it went on",
        f"steps since the last checkpoint: at step {reached} before, went on from {resumed}", seen,
    )  # fmt: skip


def test_two_studies_at_once(cluster, checkout, observed):
    one, two = (checkout.study(name, training=SHORT) for name in ("one", "two"))
    for study in (one, two):
        study.take_data()
    first = one.start()
    wait_until(lambda: cluster.jobs("train", ACTIVE), "the first study's job", driver=first)
    second = two.start()
    third = one.start()
    assert third.wait(120) != 0
    seen = message(third.said, LOCKED)
    assert [first.wait(), second.wait()] == [0, 0], first.said[-3000:] + second.said[-3000:]
    assert whole(one)
    assert whole(two)
    digests = {digest(study.file("model.safetensors")) for study in (one, two)}
    assert len(digests) == 1  # on a CPU: neither heard anything of the other
    observed.add(
        "two studies at once in one folder", "both came to their ends, with the same weights where their settings are the same",
        "nothing", "nothing unusual",
    )  # fmt: skip
    observed.add("the same study started twice", "the second driver was refused, the first went on", "nothing", seen)


def test_without_accounting(cluster, checkout, observed):
    """Last, for the cluster is started anew without slurmdbd: `sacct` is there and answers nothing."""
    cluster.down()
    cluster.up(accounting=False)
    assert subprocess.run(["sacct"], capture_output=True).returncode != 0
    study = checkout.study("squeue", training=SHORT)
    study.take_data()
    start = time.monotonic()
    driver = study.start()
    assert driver.wait() == 0, driver.said[-6000:]
    assert whole(study)
    observed.add(
        "a cluster without accounting (`sacct` fails)",
        f"the training ran and was seen to finish, {time.monotonic() - start:.0f} s in all", "nothing", "nothing unusual",
    )  # fmt: skip
