"""What is wrong with a configuration, in words: the key, what was found, and what to write instead."""

import difflib
import math
import re
from collections.abc import Iterable
from typing import Any

import jsonschema

TYPES = {
    "string": "a text",
    "number": "a number",
    "integer": "a whole number",
    "array": "a list, [a, b]",
    "object": "a section of keys",
    "boolean": "true or false",
    "null": "null",
}
PATTERNS = {  # what a pattern asks for
    "^[a-z0-9][a-z0-9_-]*$": "small letters, digits, - and _",
    "^(auto|cpu|cuda(:[0-9]+)?)$": "auto, cpu, cuda or cuda:<number>",
    "^[a-z0-9]+(-[a-z0-9]+)*$": "small letters and digits, with single hyphens between",
}


def message(error: jsonschema.ValidationError) -> str:
    key = ".".join(str(part) for part in error.absolute_path) or "the configuration"
    if error.validator == "additionalProperties":
        return _unknown(error)
    if error.validator == "required":
        return f"{key}: {error.message}; add it (config.yaml shows each key with its meaning)"
    if error.validator == "enum":
        known = ", ".join(str(value) for value in error.validator_value) + _quoted(error)
        near = suggestion(str(error.instance), error.validator_value)
        return f"{key}: {error.instance!r} is not one of {known}{near}"
    if error.validator == "type":
        return f"{key}: {_instead(error)}"
    if error.validator == "multipleOf":
        below = error.instance // error.validator_value * error.validator_value
        return (
            f"{key}: {error.instance} is no multiple of {error.validator_value}; "
            f"write {below} or {below + error.validator_value}"
        )
    if error.validator == "pattern" and error.validator_value in PATTERNS:
        return f"{key}: {error.instance!r}, expected {PATTERNS[error.validator_value]}"
    return f"{key}: {error.message}; config.yaml shows what belongs there"


def _unknown(error: jsonschema.ValidationError) -> str:
    unknown = sorted(set(error.instance) - set(error.schema["properties"]))
    prefix = ".".join(str(part) for part in error.absolute_path)
    names = ", ".join(f"{prefix}.{name}" if prefix else name for name in unknown)
    section, dot, name = unknown[0].partition(".")
    if dot and section in error.schema["properties"]:
        return f"{names}: unknown key; sections are nested, write {section}: {{{name}: {error.instance[unknown[0]]}}}"
    return f"{names}: unknown key{suggestion(unknown[0], error.schema['properties'])}; remove or correct it"


def _quoted(error: jsonschema.ValidationError) -> str:
    """YAML 1.1 takes off, on, yes and no for truth values."""
    words = {"False": ("off", "no", "false"), "True": ("on", "yes", "true")}.get(repr(error.instance), ())
    meant = [value for value in error.validator_value if value in words]
    return f' (YAML reads {meant[0]} as {str(error.instance).lower()}: quote it, "{meant[0]}")' if meant else ""


def _instead(error: jsonschema.ValidationError) -> str:
    wanted = [error.validator_value] if isinstance(error.validator_value, str) else error.validator_value
    found, expected = error.instance, " or ".join(TYPES[name] for name in wanted)
    if found is None:
        return f"is empty, expected {expected}; fill it in or leave the key out"
    if isinstance(found, str) and {"number", "integer"} & set(wanted):
        return f"{found!r} is a text, expected {expected}{_number(found, 'number' in wanted)}"
    if "string" in wanted:
        return f'{str(found).lower() if isinstance(found, bool) else found} is not {expected}; quote it, "{found}"'
    if "array" in wanted:
        return f"{found!r} is not {expected}; write [{found}]"
    return f"{found!r} is not {expected}"


def _number(text: str, fractions: bool) -> str:
    """YAML 1.1 asks for a full stop and a sign in an exponent: 1e-4 is a text."""
    try:
        value = float(text)
    except ValueError:
        return ""
    if not math.isfinite(value):
        return "; every number must be finite"
    if not fractions and value.is_integer():
        return f"; write {int(value)}"
    mantissa, _, exponent = f"{value:e}".partition("e")
    mantissa = re.sub(r"0+$", "", mantissa).removesuffix(".")
    return f"; write {mantissa if '.' in mantissa else f'{mantissa}.0'}e{exponent[0]}{int(exponent[1:])}"


def suggestion(name: str, known: Iterable[Any]) -> str:
    """` (did you mean x?)` where a known name is close."""
    close = difflib.get_close_matches(name, [str(item) for item in known], n=1)
    return f" (did you mean {close[0]}?)" if close else ""
