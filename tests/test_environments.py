"""Every environment has its lock beside it, and the lock holds what the environment asks for."""

import importlib.util

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from tests.paths import ROOT

SPEC = importlib.util.spec_from_file_location("lock", ROOT / "envs" / "lock.py")
lock = importlib.util.module_from_spec(SPEC)
SPEC.loader.exec_module(lock)
ENVIRONMENTS = sorted(path for path in (ROOT / "envs").glob("*.yaml") if path.stem != "codec-cliff")


@pytest.mark.parametrize("environment", ENVIRONMENTS, ids=lambda path: path.stem)
def test_the_lock_holds_what_the_environment_asks_for(environment):
    lines = lock.locked(environment).read_text().splitlines()[1:]
    pinned = dict(line.split(" ;")[0].strip().split("==") for line in lines)
    for requirement in map(Requirement, lock.parts(environment)[1]):
        assert pinned[canonicalize_name(requirement.name)] in requirement.specifier


def test_the_image_is_filled_from_the_lock_by_the_makefiles_uv():
    recipe, makefile = ((ROOT / name).read_text() for name in ("Dockerfile", "Makefile"))
    version = next(line.split()[-1] for line in makefile.splitlines() if line.startswith("UV_VERSION"))
    assert f"uv=={version}" in recipe
    assert "COPY pyproject.toml uv.lock" in recipe
    assert "uv sync --locked" in recipe
