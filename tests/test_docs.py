"""The how-tos, followed to the letter: files are written, lines inserted, commands run; what needs more than a laptop is planned."""

import os
import re
import shutil
import subprocess
import sys
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

import pytest

from tests.evaluate import folders
from tests.paths import ROOT

DOCS = ROOT / "docs"
FENCE = re.compile(r"^```(\w*)\n(.*?)^```$", re.M | re.S)
NAMED = re.compile(r"^# (?P<path>[\w./]+\.\w+)(?:, below: (?P<anchor>.*))?$")
OWN = re.compile(r"(?<![\w/.])(?:codec_cliff|workflow|tests|benchmarks|profiles|envs)/[\w./]*\w\.(?:py|ya?ml|smk|md)\b")
PLANNED = "# planned only in the tests"
FOLLOWED = (
    "new_site",
    "own_recordings",
    "add_a_codec",
    "add_a_metric",
    "read_the_results",
    "evaluate",
    "what_cannot_be_concluded",
)


@dataclass(frozen=True)
class Block:
    language: str
    text: str


def blocks(name: str) -> list[Block]:
    return [Block(*match.groups()) for match in FENCE.finditer((DOCS / f"{name}.md").read_text())]


def follow(name: str, folder: Path) -> None:
    """Do what a page says, in `folder`, in its order."""
    for block in blocks(name):
        if block.language in ("yaml", "python"):
            place(block, folder)
        elif block.language == "sh":
            commands = [line for line in block.text.splitlines() if not line.startswith("#")]
            for command in commands:
                planned = block.text.startswith(PLANNED)
                run(command.replace("snakemake ", "snakemake -n ", 1) if planned else command, folder)


def place(block: Block, folder: Path) -> None:
    """Write a block to the file that its first line names, or insert it below the line that it names there."""
    first, _, rest = block.text.partition("\n")
    named = NAMED.match(first)
    assert named, f"the first line of the block must name a file: {first}"
    path = folder / named["path"]
    if named["anchor"] is None:
        path.write_text(rest)
        return
    lines = path.read_text().splitlines(keepends=True)
    found = [number for number, line in enumerate(lines) if line.startswith(named["anchor"])]
    assert len(found) == 1, f"{named['path']}: {len(found)} lines begin with {named['anchor']!r}"
    lines.insert(found[0] + 1, rest)
    path.write_text("".join(lines))


def run(command: str, folder: Path) -> None:
    bare = command
    for needless in (
        "uv run ",
        " --sdm conda",
        " --conda-create-envs-only",
    ):  # the tests run in the environment; none has conda
        bare = bare.replace(needless, "")
    search = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    environment = os.environ | {"PATH": search, "PYTHONPATH": str(folder)}
    finished = subprocess.run(bare, shell=True, cwd=folder, env=environment, capture_output=True, text=True)
    assert finished.returncode == 0, f"{command}\n{finished.stdout[-2000:]}{finished.stderr[-3000:]}"


def copy_of_the_project(folder: Path) -> Path:
    for name in ("codec_cliff", "workflow", "profiles", "envs"):
        shutil.copytree(ROOT / name, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("Snakefile", "config.yaml"):
        shutil.copy(ROOT / name, folder / name)
    return folder


@pytest.fixture(scope="module")
def recordings(tmp_path_factory):
    """A folder in LibriSpeech's layout; its speech is the demo's."""
    folder = tmp_path_factory.mktemp("recordings")
    command = [sys.executable, "-m", "codec_cliff.corpus", "make-synthetic", "--root", str(folder)]
    subprocess.run(command, cwd=ROOT, check=True, capture_output=True)
    (folder / "synthetic.tsv").unlink()
    return folder


@pytest.fixture(scope="module")
def trial(tmp_path_factory, recordings):
    """The project after somebody has followed own_recordings.md: the trial study has run."""
    folder = copy_of_the_project(tmp_path_factory.mktemp("trial"))
    (folder / "recordings").symlink_to(recordings)
    follow("own_recordings", folder)
    return folder


def test_own_recordings(trial):
    results = trial / "results" / "mine-trial"
    assert (results / "report.html").stat().st_size > 1_000_000
    assert (results / "listening" / "listening.json").exists()


def test_read_the_results(trial):
    follow("read_the_results", trial)
    results = trial / "results" / "mine-trial"
    assert "6.25hz-fixed-tokens" in (results / "compared.csv").read_text()
    report = (results / "workflow.html").read_text(encoding="utf-8")
    for text in ("Tables", "Figures", "Verdict", "Figure 1 (section 4.3)", "table4.csv", "claims.csv"):
        assert text in report


@pytest.mark.skipif(
    find_spec("moonshine_voice") is None, reason="the recogniser's weights (uv sync --group recogniser)"
)
def test_evaluate(tmp_path):
    folders.originals(tmp_path / "originals")
    for name in ("mine", "theirs"):
        folders.system(tmp_path / name, folders.noisy)
    follow("evaluate", tmp_path)
    assert (tmp_path / "results" / "mine" / "report.html").stat().st_size > 1_000_000


def test_new_site(tmp_path):
    follow("new_site", copy_of_the_project(tmp_path))


@pytest.mark.parametrize(
    ("name", "result"),
    [("add_a_codec", "mulaw/metrics/mulaw/stoi.csv"), ("add_a_metric", "lsd/metrics/opus_12/lsd.csv")],
)
def test_something_new(tmp_path, name, result):
    folder = copy_of_the_project(tmp_path)
    follow(name, folder)
    rows = (folder / "results" / result).read_text().splitlines()
    assert len(rows) == 3
    assert float(rows[1].split(",")[4]) > 0
    if name == "add_a_metric":
        evaluated_too(folder)


def evaluated_too(folder: Path) -> None:
    """The new metric is one of `codec-cliff evaluate`, by either set of backends."""
    folders.originals(folder / "originals")
    folders.system(folder / "mine", folders.noisy)
    for backends in ("embedded", "paper"):
        run(f"codec-cliff evaluate originals mine --metrics lsd,stoi --backends {backends} --output {backends}", folder)
        table = (folder / backends / "table.csv").read_text().splitlines()
        assert float(dict(zip(table[0].split(","), table[2].split(","), strict=True))["lsd"]) > 0


def test_every_page_is_followed_and_every_command_is_one_that_the_tests_know():
    pages = {path.stem for path in DOCS.glob("*.md")} - {"published_codecs"}
    assert set(FOLLOWED) <= pages
    for name in FOLLOWED:
        for block in blocks(name):
            assert block.language in ("", "sh", "yaml", "python"), name
            for line in block.text.splitlines() if block.language == "sh" else []:
                assert line.startswith(("# planned only in the tests: ", "uv run ", "cat ", "head ")), line
                assert not (block.text.startswith(PLANNED) and line.startswith("uv run ") and "snakemake" not in line)


def test_files_of_the_project_that_a_page_names_are_there():
    pages = [*DOCS.glob("*.md"), *ROOT.glob("*.md"), *ROOT.glob("profiles/**/*.md"), ROOT / "results" / "README.md"]
    heads = [NAMED.match(block.text.partition("\n")[0]) for page in DOCS.glob("*.md") for block in blocks(page.stem)]
    made = {head["path"] for head in heads if head}
    named = {path for page in pages for path in re.findall(OWN, page.read_text())}
    assert len(named) > 20
    assert sorted(path for path in named - made if not (ROOT / path).exists()) == []


@pytest.mark.parametrize("name", [path.stem for path in DOCS.glob("*.md")])
def test_links_lead_somewhere(name):
    text = (DOCS / f"{name}.md").read_text()
    for target in re.findall(r"\]\(([^)#]+)\)", text):
        if not target.startswith("http"):
            assert (DOCS / target).exists(), target
