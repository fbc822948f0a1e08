"""Configuration files as they are written: what YAML passes over in silence is refused, with its line; and one laid over another."""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml

from codec_cliff.errors import ConfigError

OTHER_NUMBER = re.compile(
    r"[-+]?(0[0-9_]+|[0-9][0-9_]*(:[0-5]?[0-9])+(\.[0-9_]*)?)"
)  # octal and sexagesimal in YAML 1.1


def check_files(paths: Iterable[str | Path]) -> None:
    """ConfigError where a file is empty, cannot be read, gives a key twice, or a number that YAML reads as another one."""
    for path in paths:
        try:
            document = yaml.compose(Path(path).read_text(encoding="utf-8"), yaml.SafeLoader)
        except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
            raise ConfigError(f"{path}: cannot be read as YAML ({' '.join(str(error).split())})") from error
        if document is None:
            raise ConfigError(f"{path}: holds no key; write at least `study: <name>`, or leave the file out")
        if faults := [f"{path}, line {line}: {fault}" for line, fault in _faults(document, "")]:
            raise ConfigError("; ".join(faults))


def merged(paths: Sequence[Path]) -> dict[str, Any]:
    """The first file with the others over it: mappings merge, lists replace, as Snakemake has it; errors as `check_files`."""
    check_files(paths)
    values: dict[str, Any] = {}
    for path in paths:
        _overlay(values, yaml.safe_load(path.read_text(encoding="utf-8")))
    return values


def _overlay(values: dict[str, Any], changes: Mapping[str, Any]) -> None:
    for key, value in changes.items():
        if isinstance(value, Mapping) and isinstance(values.get(key), dict):
            _overlay(values[key], value)
        else:
            values[key] = value


def _faults(node: yaml.Node, key: str) -> Iterator[tuple[int, str]]:
    if isinstance(node, yaml.MappingNode):
        seen: dict[str, int] = {}
        for name, value in node.value:
            line, path = name.start_mark.line + 1, f"{key}.{name.value}".strip(".")
            if name.value in seen and name.value != "<<":
                yield (
                    line,
                    f"{path} is given twice, first in line {seen[name.value]}, and the first would be lost; put both into one",
                )
            seen[name.value] = line
            yield from _faults(value, path)
    elif isinstance(node, yaml.SequenceNode):
        for item in node.value:
            yield from _faults(item, key)
    elif not node.style and OTHER_NUMBER.fullmatch(node.value) and node.tag.endswith((":int", ":float")):
        yield (
            node.start_mark.line + 1,
            f"{key}: YAML does not read {node.value} as it stands; quote a text, write a number plainly",
        )
