"""The rooms of the package, in order: a room imports those above it and no other, and no two files import each other."""

import ast
import re
from graphlib import TopologicalSorter

import pytest

from tests.paths import ROOT

PACKAGE = ROOT / "codec_cliff"
DESCRIPTION = (ROOT / "docs" / "architecture.md").read_text()
# The table of docs/architecture.md is the list: rooms in one row know nothing of each other.
ROOMS = [re.findall(r"`(\w+)`", row) for row in re.findall(r"^\| (`.*?`) \|", DESCRIPTION, re.M)]
NEEDS_A_GPU = "codec_cliff.models.gpu.kernels"  # Triton is not on every platform: imported where a tensor lies on a GPU
ROW = {room: row for row, rooms in enumerate(ROOMS) for room in rooms}
MODULES = {
    ".".join(path.relative_to(PACKAGE.parent).with_suffix("").parts).removesuffix(".__init__"): path
    for path in sorted(PACKAGE.rglob("*.py"))
}


def room_of(module: str) -> str:
    return module.split(".")[1]


def imports(module: str) -> set[str]:
    """The modules of the package that one imports, wherever in the file, by name or through importlib."""
    found = set()
    for node in ast.walk(ast.parse(MODULES[module].read_text())):
        if isinstance(node, ast.ImportFrom) and node.module:
            assert not node.level, f"{module}: relative import; name the room"
            found |= {node.module, *(f"{node.module}.{alias.name}" for alias in node.names)}
        elif isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.Constant) and isinstance(node.value, str):
            found.add(node.value)
    return {name for name in found & set(MODULES) if "." in name} - {module}


@pytest.mark.parametrize("module", [module for module in MODULES if "." in module])
def test_a_room_imports_only_those_above_it(module):
    wrong = {
        name
        for name in imports(module)
        if room_of(name) != room_of(module) and ROW[room_of(name)] >= ROW[room_of(module)]
    }
    assert not wrong


def test_no_files_import_each_other_in_a_circle():
    list(TopologicalSorter({module: imports(module) for module in MODULES}).static_order())  # raises CycleError


@pytest.mark.parametrize("module", MODULES)
def test_imports_of_the_package_stand_at_the_top(module):
    """A function that imports hides a circle; what is heavy or may be missing is named in a table and loaded by importlib."""
    tree = ast.parse(MODULES[module].read_text())
    inside = [
        node.lineno
        for node in ast.walk(tree)
        if isinstance(node, ast.ImportFrom)
        and (node.module or "").startswith("codec_cliff")
        and node not in tree.body
        and NEEDS_A_GPU not in (node.module, f"{node.module}.{node.names[0].name}")
    ]
    assert not inside


def test_every_room_and_root_module_is_described():
    assert set(ROW) == {room_of(module) for module in MODULES if "." in module}
    named = re.findall(r"`([\w/]+\.(?:py|yaml|jinja|smk))`", DESCRIPTION)
    absent = [
        name for name in named if not any((place / name).exists() for place in (PACKAGE, ROOT, ROOT / "workflow"))
    ]
    assert not absent


def test_the_root_holds_only_what_every_room_uses():
    assert len([path for path in PACKAGE.glob("*.py") if path.stem != "__init__"]) <= 10


def test_nothing_below_the_report_knows_a_template():
    below = [module for module in MODULES if "." in module and ROW[room_of(module)] < ROW["report"]]
    assert not [module for module in below if "jinja" in MODULES[module].read_text()]
