"""A stand-in for conda: makes the environments of envs/*.yaml from PyPI with uv, and activates them as conda does.

What conda-forge alone has, Kaldi and MFA, is played by `mfa.py` beside this file; of programs only the name is kept.
"""

import json
import os
import re
import shutil
import stat
import subprocess
import sys
from itertools import pairwise
from pathlib import Path

import yaml

HERE = Path(__file__).resolve().parent
HOME = Path(os.environ["STAND_IN_CONDA"])
# conda activates without touching VIRTUAL_ENV: so does this.
ACTIVATE = """export CONDA_PREFIX="$1" CONDA_DEFAULT_ENV="$1" PATH="$1/bin:$PATH"\n"""
NAMES = {"pysoundfile": "soundfile"}  # conda-forge's name -> PyPI's
PROGRAMS = {"montreal-forced-aligner", "kaldi", "sox"}  # with what the first brings along of PyPI's:
ALIGNER = ("numpy", "soundfile", "praatio>=6.2")
OUTSIDE = ("VIRTUAL_ENV", "CONDA_PREFIX", "HTTPS_PROXY", "HTTP_PROXY", "https_proxy", "http_proxy")


def requirements(dependencies: list) -> tuple[str, list[str]]:
    """An environment file's dependencies as a Python version and PyPI requirements."""
    python, wanted = "", []
    for dependency in dependencies:
        if isinstance(dependency, dict):
            wanted += [one for one in dependency["pip"] if re.split(r"[=<>]", one)[0] not in PROGRAMS]
            continue
        name, constraint = re.fullmatch(r"([\w-]+)(.*)", dependency).groups()
        if name == "python":
            python = constraint.lstrip("=")
        elif name not in PROGRAMS:
            wanted.append(NAMES.get(name, name) + (f"={constraint}" if re.match(r"=\d", constraint) else constraint))
    return python, wanted


def uv(*arguments: str) -> None:
    environment = {key: value for key, value in os.environ.items() if key not in OUTSIDE} | {"UV_LOCK_TIMEOUT": "3600"}
    finished = subprocess.run(["uv", *arguments], env=environment, text=True, capture_output=True)
    print(finished.stdout + finished.stderr, flush=True)
    if finished.returncode:
        sys.exit(finished.returncode)


def interpreter(version: str) -> str:
    """A Python of that version on this machine; where there is none the one that runs this, and the log says so."""
    found = [shutil.which(f"python{version}"), *Path.home().glob(f".pyenv/versions/{version}.*/bin/python3")]
    for python in filter(None, found):
        if subprocess.run([python, "-c", ""], capture_output=True).returncode == 0:
            return str(python)
    print(f"no Python {version} here, so {sys.version.split()[0]}")
    return sys._base_executable


def create(file: Path, prefix: Path) -> None:
    dependencies = yaml.safe_load(file.read_text())["dependencies"]
    python, wanted = requirements(dependencies)
    uv("venv", "--quiet", "--python", interpreter(python), str(prefix))
    aligner = any(str(dependency).startswith("montreal-forced-aligner") for dependency in dependencies)
    uv("pip", "install", "--python", str(prefix), *wanted, *(ALIGNER if aligner else ()))
    if aligner:
        script = prefix / "bin/mfa"
        shutil.copyfile(HERE / "mfa.py", script)
        script.write_text(f"#!{prefix}/bin/python\n" + script.read_text())
        script.chmod(script.stat().st_mode | stat.S_IXUSR)


def main(arguments: list[str]) -> None:
    options = dict(pairwise(arguments))
    if "--version" in arguments:
        print("conda 25.1.0")
    elif arguments[:1] == ["info"]:
        (HOME / "bin").mkdir(parents=True, exist_ok=True)
        (HOME / "bin/activate").write_text(ACTIVATE)
        print(json.dumps({"platform": "linux-64", "conda_version": "25.1.0", "conda_prefix": str(HOME)}))
    elif arguments[:1] == ["config"]:
        print(json.dumps({"get": {"channel_priority": "strict"}}))
    elif arguments[:2] == ["env", "create"]:
        create(Path(options["--file"]), Path(options["--prefix"]))
    elif arguments[:1] != ["clean"]:
        sys.exit(f"this stand-in for conda does not know: {' '.join(arguments)}")


if __name__ == "__main__":
    main(sys.argv[1:])
