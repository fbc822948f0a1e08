"""A live SLURM of one node with fake GPUs for the whole session, and a checkout whose studies run through it."""

import csv
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.paths import ROOT

REQUIRED = "CODEC_CLIFF_REQUIRE_SLURM"  # where this is set, a missing SLURM is a failure
PROGRAMS = ("munged", "slurmctld", "slurmd", "slurmdbd", "mariadbd", "sacct", "sbatch")
RUN = "6.25hz-fixed-tokens"  # the branch that things happen to


def what_is_missing() -> str | None:
    if os.geteuid() != 0:
        return "a private SLURM needs root"
    path = f"{os.environ['PATH']}:/usr/sbin:/sbin"
    missing = [program for program in PROGRAMS if not shutil.which(program, path=path)]
    packages = "apt-get install --no-install-recommends munge slurm-wlm slurmdbd mariadb-server"
    return f"no {', '.join(missing)} here ({packages})" if missing else None


@pytest.fixture(scope="session", autouse=True)
def slurm_is_there() -> None:
    if missing := what_is_missing():
        (pytest.fail if os.environ.get(REQUIRED) else pytest.skip)(f"SLURM tests: {missing}")


class Cluster:
    """The daemons, started and stopped with or without accounting."""

    def __init__(self, root: Path):
        self.root = root

    def _script(self, command: str, accounting: bool = True) -> None:
        environment = {
            **os.environ,
            "PATH": f"{os.environ['PATH']}:/usr/sbin:/sbin",
            "SLURM_ROOT": str(self.root),
            "ACCOUNTING": str(int(accounting)),
        }
        # a file, not a pipe: the daemons keep it open
        with open(self.root / f"{command}.log", "w+") as log:
            subprocess.run(
                [ROOT / "tests/slurm/cluster.sh", command],
                env=environment,
                stdout=log,
                stderr=log,
                check=True,
                timeout=240,
            )

    def up(self, accounting: bool = True) -> None:
        self._script("up", accounting)

    def down(self) -> None:
        self._script("down")

    def ask(self, *command: str) -> str:
        return subprocess.run(command, capture_output=True, text=True, check=True, timeout=60).stdout.strip()

    def jobs(self, name: str, state: str = "all") -> list[str]:
        """Ids of the jobs in the queue whose comment, the rule with its wildcards, holds `name`."""
        listed = self.ask("squeue", "--noheader", "--states", state, "--format", "%i %k").splitlines()
        return [line.split()[0] for line in listed if name in line]

    @property
    def node(self) -> str:
        return self.ask("hostname", "-s")


@pytest.fixture(scope="session")
def cluster(slurm_is_there: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    cluster = Cluster(tmp_path_factory.mktemp("slurm"))
    try:
        cluster.up()
        yield cluster
    finally:
        cluster.down()


def wait_until(happens: Callable[[], Any], what: str, seconds: float = 300, driver: "Driver | None" = None) -> Any:
    """The first true answer; fails the test after so many seconds, or once the driver that should bring it about has ended."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        ended = driver is not None and driver.process.poll() is not None
        if answer := happens():
            return answer
        if ended:
            pytest.fail(f"{what} did not happen before the driver ended:\n{driver.said[-5000:]}")
        time.sleep(0.5)
    return pytest.fail(f"{what} did not happen within {seconds:g} s")


class Driver:
    """One Snakemake that submits jobs, and all it says."""

    def __init__(self, folder: Path, log: Path, arguments: list[str]):
        self.log = log
        command = [sys.executable, "-m", "snakemake", "--profile", "profiles/slurm"]
        command += ["--workflow-profile", "tests/slurm/profile", *arguments]
        with open(log, "w") as file:
            # a session of its own: Ctrl-C goes to it and not to the test
            self.process = subprocess.Popen(
                command, cwd=folder, stdout=file, stderr=file, start_new_session=True, env=environment(),
                # a shell's background job, and what it starts, would ignore Ctrl-C
                preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
            )  # fmt: skip

    @property
    def said(self) -> str:
        return self.log.read_text()

    def signal(self, number: int) -> None:
        os.killpg(self.process.pid, number)

    def wait(self, seconds: float = 420) -> int:
        try:
            return self.process.wait(seconds)
        except subprocess.TimeoutExpired:
            self.signal(signal.SIGKILL)
            return pytest.fail(f"the driver went on for more than {seconds:g} s:\n{self.said[-5000:]}")


def environment() -> dict[str, str]:
    """The user's own, with one thread a process, as jobs on a cluster have it."""
    return {**os.environ, "OMP_NUM_THREADS": "1"}


class Checkout:
    """A working folder with the project linked into it; its studies differ from tests/micro.yaml."""

    def __init__(self, folder: Path):
        self.folder = folder
        self.drivers = 0
        for name in ("Snakefile", "workflow", "codec_cliff", "config.yaml", "envs", "profiles", "tests"):
            (folder / name).symlink_to(ROOT / name)

    def study(self, name: str, **changes: Any) -> "Study":
        return Study(self, name, changes)

    def start(self, *arguments: str) -> Driver:
        self.drivers += 1
        return Driver(self.folder, self.folder / f"driver{self.drivers}.log", list(arguments))

    def snakemake(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Snakemake without a cluster: dry runs, --unlock."""
        command = [sys.executable, "-m", "snakemake", *arguments]
        return subprocess.run(command, cwd=self.folder, capture_output=True, text=True, env=environment(), timeout=240)


class Study:
    """A micro study; with the data of the study `base`, only its trainings are still to be done."""

    def __init__(self, checkout: Checkout, name: str, changes: dict[str, Any]):
        self.checkout = checkout
        self.config = f"{name}.yaml"
        values = yaml.safe_load((ROOT / "tests/micro.yaml").read_text())
        values["study"] = name
        values["corpus"]["root"] = "results/corpus"
        for key, change in changes.items():
            values[key].update(change)
        (checkout.folder / self.config).write_text(yaml.safe_dump(values))
        self.results = checkout.folder / "results" / name
        self.results.mkdir(parents=True, exist_ok=True)
        self.name = name

    def take_data(self) -> None:
        shutil.copytree(self.checkout.folder / "results/base/data", self.results / "data")

    def model(self, run: str = RUN) -> str:
        return f"results/{self.name}/runs/{run}/model.safetensors"

    def start(self, *arguments: str, targets: list[str] | None = None) -> Driver:
        return self.checkout.start("--configfile", self.config, *arguments, "--", *(targets or [self.model()]))

    def status(self) -> str:
        """What the user sees who asks for the study's progress."""
        command = [sys.executable, "-m", "codec_cliff.cli", "status", self.name]
        return subprocess.run(
            command, cwd=self.checkout.folder, capture_output=True, text=True, check=True, timeout=120
        ).stdout

    def file(self, name: str, run: str = RUN) -> Path:
        return self.results / "runs" / run / name

    def log(self, run: str = RUN) -> str:
        path = self.results / f"logs/train/{run}.log"
        return path.read_text() if path.exists() else ""

    def step(self, run: str = RUN) -> int:
        """The last step in train.csv."""
        rows = self.file("train.csv", run).read_text().splitlines() if self.file("train.csv", run).exists() else []
        return int(rows[-1].split(",")[0]) if len(rows) > 1 and rows[-1].count(",") == rows[0].count(",") else 0

    def wait_for_step(self, step: int, driver: Driver, run: str = RUN) -> int:
        return wait_until(lambda: (now := self.step(run)) >= step and now, f"step {step} of {run}", driver=driver)

    def resumed_at(self, run: str = RUN) -> int:
        """The step that the last attempt went on from; 0 where it started anew."""
        found = re.findall(r"going on from the checkpoint at step (\d+)", self.log(run))
        return int(found[-1]) if found else 0


@pytest.fixture(scope="session")
def checkout(cluster: Cluster, tmp_path_factory: pytest.TempPathFactory) -> Checkout:
    """With the data of the study `base`, which was never queued."""
    checkout = Checkout(tmp_path_factory.mktemp("checkout"))
    base = checkout.study("base")
    data = [f"results/base/data/{split}.tsv" for split in ("train", "test")]
    prepared = checkout.snakemake("--cores", "2", "--configfile", base.config, "--", *data)
    assert prepared.returncode == 0, prepared.stderr[-3000:]
    return checkout


@pytest.fixture(scope="session")
def steps_a_second(checkout: Checkout) -> float:
    """How fast a training of the micro study is on this machine now."""
    study = checkout.study("base", training={"steps": 20, "log_every_steps": 5})
    trained = checkout.snakemake("--cores", "1", "--configfile", study.config, "--", study.model())
    assert trained.returncode == 0, trained.stderr[-3000:]
    with open(study.file("train.csv"), newline="") as file:
        rows = list(csv.DictReader(file))
    return (int(rows[-1]["step"]) - int(rows[0]["step"])) / (float(rows[-1]["seconds"]) - float(rows[0]["seconds"]))
