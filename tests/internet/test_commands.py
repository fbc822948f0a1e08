"""What README.md, the profiles and docs/ tell a user to type is what the rehearsal ran, character by character."""

import re

import pytest

from tests.internet.rehearsal import CLUSTER, COMMANDS, DOWNLOAD, ENVIRONMENTS, PLAN, STATUS, STUDY
from tests.paths import ROOT

PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md")), *sorted((ROOT / "profiles").glob("*/README.md"))]
TYPED = re.compile(r"(?:uv run )?snakemake [^`#|]*?profiles/(?:local|slurm)\b[^`#|\n]*(?:\n +[^`#|\n]*(?=`))?")
OTHERS = ("results/", "--configfile", " probes")  # one file, another study, what is not the paper's


def typed(text: str) -> list[str]:
    """The commands on a page that run the paper's study or a stage of it."""
    found = [" ".join(command.split()) for command in TYPED.findall(text)]
    return [command for command in found if not any(other in command for other in OTHERS)]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_a_page_names_the_commands_that_were_run(page):
    for command in typed(page.read_text()):
        assert command.replace("profiles/slurm", "profiles/local") in COMMANDS, command


def test_the_readme_names_every_stage_in_its_order():
    text = (ROOT / "README.md").read_text()
    places = [
        re.search(rf"^{re.escape(command)} +#", text, re.M).start() for command in (*COMMANDS[:-1], CLUSTER, STATUS)
    ]
    assert places == sorted(places)
    assert COMMANDS == (PLAN, DOWNLOAD, ENVIRONMENTS, STUDY, STATUS)


def test_a_page_that_strays_is_noticed():
    assert typed("`uv run snakemake --profile profiles/slurm downloads`") == [
        "uv run snakemake --profile profiles/slurm downloads"
    ]
    assert typed("run `uv run snakemake all\n   --profile profiles/slurm -n`") == [PLAN.replace("local", "slurm")]
