"""The paper's study from an empty clone, as a user runs it, on the stand-in for the internet; the other published codecs beside it.

`make rehearsal` runs it whole and prints its log: jobs by rule with their seconds, and every file that was fetched with its checksum.
"""

import json
import os
import re
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from pathlib import Path

import yaml

from codec_cliff.downloads.pins import DOWNLOADS
from tests.internet import site as sites
from tests.internet.clone import Clone
from tests.internet.server import Internet
from tests.paths import ROOT
from tests.slurm.conftest import Cluster, what_is_missing

# What README.md, the profiles and docs/ tell a user to type; a test holds them to that, character by character.
PLAN = "uv run snakemake all --profile profiles/local -n"
DOWNLOAD = "uv run snakemake downloads --profile profiles/local --sdm conda"
ENVIRONMENTS = "uv run snakemake all --profile profiles/local --sdm conda --conda-create-envs-only"
STUDY = "uv run snakemake all --profile profiles/local --sdm conda"
STATUS = "uv run codec-cliff status"
CLUSTER = STUDY.replace("profiles/local", "profiles/slurm")
COMMANDS = (PLAN, DOWNLOAD, ENVIRONMENTS, STUDY, STATUS)

# config.yaml as it stands but for widths, batches, steps: lines in it -> lines in the clone's.
SMALL = {
    "  encoder_dim: 64": "  encoder_dim: 4",
    "  decoder_dim: 1536": "  decoder_dim: 32",
    "  periods: [2, 3, 5, 7, 11]": "  periods: [2]",
    "  fft_sizes: [2048, 1024, 512]": "  fft_sizes: [512]",
    "batch_clips: 72}  # sec. 3.4; ours: batch 72": "batch_clips: 2}  # sec. 3.4; ours: batch 72",
    "batch_clips: 72}  # sec. 3.4; ours: the same": "batch_clips: 2}  # sec. 3.4; ours: the same",
    "  steps: 100000": "  steps: 2",
    "  bootstrap_samples: 1000": "  bootstrap_samples: 100",
}
# The published codecs beyond Table 1 too.
OTHERS = ("encodec_3", "speechtokenizer", "nanocodec", "flexicodec")
LAST = "    - wavtokenizer_40\n"
WHOLE = SMALL | {LAST: LAST + "".join(f"    - {name}\n" for name in OTHERS)}
TRAIN, TEST = 24, 3  # utterances
STACKS = {
    "qwen3_tts_12hz": "qwen",
    "espnet_wavlm": "espnet",
    "nanocodec": "nemo",
    "flexicodec": "flexicodec",
}  # name -> envs/


def edited(text: str, lines: dict[str, str]) -> str:
    """config.yaml with some of its text replaced, each exactly once."""
    for old, new in lines.items():
        assert text.count(old) == 1, f"config.yaml holds {old!r} {text.count(old)} times"
        text = text.replace(old, new)
    return text


def needed(config: dict) -> list[str]:
    """What a study downloads."""
    asked = [*config["tables"]["reference_codecs"], *config["metrics"].values()]
    aligner = config["alignment"]
    asked += [f"mfa_{aligner['model']}"] if aligner["aligner"] == "mfa" else []
    return [name for name in asked if name in DOWNLOADS]


class Rehearsal:
    """An empty clone, what it downloads, and the internet that it downloads it from."""

    def __init__(self, home: Path, changes: dict[str, str], train: int = TRAIN, test: int = TEST):
        self.home, self.clone = home, Clone(home)
        config = self.clone.folder / "config.yaml"
        config.write_text(edited(config.read_text(), changes))
        self.config = yaml.safe_load(config.read_text())
        self.names = needed(self.config)
        folder = home / "site"
        here = [name for name in self.names if name not in STACKS]
        make = [sys.executable, "-m", "tests.internet.site", str(folder), str(train), str(test), *here]
        made_here(make)
        for name in set(self.names) & set(STACKS):
            self._stack(name, folder / "hub")
        self.site = sites.load(folder, self.names)
        self.swap = sites.replacements(self.site, self.names)
        sites.inject(self.clone.folder, self.swap)
        self.clone.commit()
        self.internet = Internet(self.site, home)
        self.results = self.clone.folder / "results" / self.config["study"]

    def _stack(self, name: str, hub: Path) -> None:
        """The stand-in for weights whose libraries live in an environment of their own, made there."""
        prefix = self.home / "stacks" / STACKS[name]
        if not prefix.exists():
            file = ROOT / f"envs/{STACKS[name]}.yaml"
            made = self.clone.run(f"conda env create --file {file} --prefix {prefix}")
            assert made.returncode == 0, made.stdout
        make = [f"{prefix}/bin/python", "-m", "tests.internet.stacks", name, str(hub)]
        made_here(make)

    def online(self, command: str) -> subprocess.CompletedProcess[str]:
        return self.clone.run(command, **self.internet.environment)

    def offline(self, command: str) -> subprocess.CompletedProcess[str]:
        """With nothing but this machine within reach; what was asked for all the same is in `tried`."""
        return self.clone.run(f"{sys.executable} {ROOT}/tests/internet/offline.py {self.home}/tried.log {command}")

    def on_a_cluster(self, command: str) -> subprocess.CompletedProcess[str]:
        """With a live SLURM of one node, from no results at all; proxies that nobody answers stand for no network."""
        self.results.rename(self.home / "results.local")
        cluster = Cluster(self.home / "slurm")
        cluster.root.mkdir()
        nobody = {name: "http://127.0.0.1:9" for name in ("HTTP_PROXY", "HTTPS_PROXY")}
        try:
            cluster.up()
            return self.clone.run(command, **nobody, NO_PROXY="localhost,127.0.0.1")
        finally:
            cluster.down()

    @property
    def tried(self) -> list[str]:
        """Names and addresses asked for while offline; neither this machine's own nor the queue that SLURM's clients look for."""
        log = self.home / "tried.log"
        lines = log.read_text().splitlines() if log.exists() else []
        own = (os.uname().nodename.split(".")[0], "localhost", "_slurmctld")
        return [line for line in lines if line.split()[1].split(".")[0] not in own]

    def jobs(self) -> dict[str, tuple[int, float]]:
        """Rule -> how many jobs of it have run, and their seconds, a queue's included, from Snakemake's own records of what it made."""
        runs: dict[str, dict[object, list[tuple[float, float]]]] = defaultdict(lambda: defaultdict(list))
        for path in (self.clone.folder / ".snakemake/metadata").rglob("*"):
            if path.is_file():  # one a file that was made; a job has one log
                record = json.loads(path.read_text())
                job = tuple(record["log"]) or record["starttime"]
                runs[record["rule"]][job].append((record["starttime"], record["endtime"]))
        return {
            rule: (
                len(jobs),
                sum(max(end for _, end in times) - min(start for start, _ in times) for times in jobs.values()),
            )
            for rule, jobs in sorted(runs.items())
        }

    def fetched(self) -> dict[str, str]:
        """File -> SHA-256, as the cache's records have them; the corpora's are MD5."""
        found = {}
        for record in sorted((self.clone.folder / "cache/pins").glob("*.json")):
            for name, entry in json.loads(record.read_text())["files"].items():
                found[f"{record.stem}: {name}"] = entry["sha256"]
        for marker in sorted((self.clone.folder / "data/LibriSpeech").glob("*/.complete")):
            path, md5 = marker.read_text().split()
            found[path] = f"MD5 {md5}"
        return found


def made_here(command: list[str]) -> None:
    """Run a command in the project itself."""
    made = subprocess.run(command, cwd=ROOT, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    assert made.returncode == 0, made.stdout[-4000:]


def shown(rehearsal: Rehearsal) -> str:
    """The log's tables."""
    jobs = [f"{rule:22} {count:5} {seconds:9.1f} s" for rule, (count, seconds) in rehearsal.jobs().items()]
    files = [f"{checksum}  {name}" for name, checksum in rehearsal.fetched().items()]
    return "\n".join(["jobs by rule", *jobs, "", "files fetched", *files, ""])


def job_table(said: str) -> dict[str, int]:
    """Rule -> count, as Snakemake announces it."""
    table = said[said.index("Job stats:") :].split("\n\n")[0] if "Job stats:" in said else ""
    return {rule: int(count) for rule, count in re.findall(r"^(\w+) +(\d+)$", table, re.M) if rule != "total"}


def main(home: Path) -> None:
    """The whole, with its log on standard output; ends with an error where a stage does."""
    rehearsal = Rehearsal(home, WHOLE)
    stages = [(PLAN, rehearsal.online), (DOWNLOAD, rehearsal.online), (ENVIRONMENTS, rehearsal.clone.run)]
    stages += [(STUDY, rehearsal.offline), (STATUS, rehearsal.offline)]
    if missing := what_is_missing():
        print(f"not run through profiles/slurm: {missing}")
    else:
        stages += [(CLUSTER, rehearsal.on_a_cluster), (STATUS, rehearsal.clone.run)]
    with rehearsal.internet as internet:
        for command, run in stages:
            start = time.monotonic()
            finished = run(command)
            print(f"$ {command}\n{time.monotonic() - start:.0f} s, status {finished.returncode}", flush=True)
            (home / f"stage{len(list(home.glob('stage*.log')))}.log").write_text(finished.stdout)
            print(*(f"{rule} {count}" for rule, count in job_table(finished.stdout).items()), sep=", ", flush=True)
            if finished.returncode:
                sys.exit(finished.stdout[-8000:])
            if command in (STUDY, CLUSTER):
                print(shown(rehearsal), flush=True)
        print(finished.stdout)
        print(f"hosts asked for that nobody plays: {internet.unknown}; asked for while offline: {rehearsal.tried}")
        if internet.unknown or rehearsal.tried:
            sys.exit("somebody outside was asked for")


if __name__ == "__main__":
    main(Path(sys.argv[1] if len(sys.argv) > 1 else tempfile.mkdtemp(prefix="rehearsal.")).resolve())
