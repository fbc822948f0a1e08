"""Writes beside each environment what its pip part resolves to, for Linux on x86-64: `python envs/lock.py`.

What conda itself brings is pinned in the .yaml alone.
"""

import re
import subprocess
from pathlib import Path

import yaml

HEADER = "# python envs/lock.py: the pip part of {name}, Python {python}. Without conda: uv pip install --no-deps -r {lock}\n"


def parts(environment: Path) -> tuple[str, list[str]]:
    """The Python version and the pip requirements of an environment file."""
    listed = yaml.safe_load(environment.read_text())["dependencies"]
    python = next(
        found[1] for item in listed if isinstance(item, str) and (found := re.match(r"python=([\d.]+)", item))
    )
    return python, next((item["pip"] for item in listed if isinstance(item, dict)), [])


def locked(environment: Path) -> Path:
    return environment.with_suffix(".lock.txt")


def lock(environment: Path) -> None:
    python, wanted = parts(environment)
    command = ["uv", "pip", "compile", "--quiet", "--no-header", "--no-annotate", "--python-version", python, "-"]
    command += ["--python-platform", "x86_64-manylinux_2_28"]
    found = subprocess.run(command, input="\n".join(wanted), capture_output=True, text=True, check=True).stdout
    file = locked(environment)
    file.write_text(HEADER.format(name=environment.name, python=python, lock=file.name) + found)


if __name__ == "__main__":
    for path in sorted(Path(__file__).parent.glob("*.yaml")):
        if path.stem != "codec-cliff":  # uv.lock's
            lock(path)
