"""A configuration against its schema: defaults filled in, every error naming the key and the remedy."""

import math
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import jsonschema
import yaml

from codec_cliff.errors import ConfigError
from codec_cliff.files import expanded
from codec_cliff.study.messages import message

SCHEMA = Path(__file__).with_name("config.schema.yaml")


def validated(values: Mapping[str, Any]) -> dict[str, Any]:
    """A deep copy of `values` with the schema's defaults; ConfigError lists every key that the schema refuses."""
    schema = yaml.safe_load(SCHEMA.read_text())
    values = _plain(values)
    _fill_defaults(values, schema)
    errors = list(jsonschema.Draft202012Validator(schema).iter_errors(values))
    if errors:
        raise ConfigError("; ".join(message(error) for error in errors))
    return values


def with_paths(values: dict[str, Any]) -> dict[str, Any]:
    """The values with `~` and variables in paths filled in; ConfigError where a variable is not set."""
    corpus, tables = values["corpus"], values["tables"]
    return values | {
        "tables": tables | {"reference_codecs": [_codec(codec) for codec in tables["reference_codecs"]]},
        "cache": _path("cache", values["cache"]),
        "corpus": corpus | {"root": _path("corpus.root", corpus["root"])},
    }


def _codec(codec: str | dict[str, str]) -> str | dict[str, str]:
    """A published codec's id as it is; a folder of reconstructions with its path filled in."""
    if isinstance(codec, str):
        return codec
    return codec | {"folder": _path(f"tables.reference_codecs, {codec['name']}", codec["folder"])}


def _path(key: str, value: str | None) -> str | None:
    if value is None:
        return None
    if unknown := re.search(r"^~|\$(\w+|\{[^}]*\})", expanded(value)):
        raise ConfigError(f"{key}: {value}: there is no {unknown[0]} to fill in; set it, or write the path out")
    return expanded(value)


def _plain(value: Any) -> Any:
    """A deep copy in dicts and lists; the caller's config stays as it was. ConfigError for a number that is none."""
    if isinstance(value, float) and not math.isfinite(value):
        raise ConfigError(f"the configuration holds the number {value}; every number must be finite")
    if isinstance(value, Mapping):
        return {str(key): _plain(item) for key, item in value.items()}
    return [_plain(item) for item in value] if isinstance(value, list | tuple) else value


def _fill_defaults(values: Any, schema: Mapping[str, Any]) -> None:
    if not isinstance(values, dict):
        return
    for name, part in schema.get("properties", {}).items():
        if "default" in part and name not in values:
            values[name] = _plain(part["default"])
        if name in values:
            _fill_defaults(values[name], part)
    extra = schema.get("additionalProperties")
    if isinstance(extra, Mapping):
        for name in set(values) - set(schema.get("properties", {})):
            _fill_defaults(values[name], extra)
