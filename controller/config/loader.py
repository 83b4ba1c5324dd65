"""Reads a TOML file whole and strictly: what is wrong is named by file, line, key, value and allowed range.

Unknown keys, NaN, infinities, wrong types and values out of range are listed, all of a file at once, in one
:class:`ConfigError`. Nothing is clamped.
"""

from __future__ import annotations

import difflib
import tomllib
from pathlib import Path
from typing import Any, TypeVar

from pydantic import ValidationError
from pydantic.fields import FieldInfo
from pydantic_core import ErrorDetails

from controller.config.person_schema import PatientFile
from controller.config.section import RULES, Section
from controller.errors import ConfigError

FILE_BYTES_MAX = 1024 * 1024  # a session file has some KiB; a pipe would be waited for without end
TYPES = {  # pydantic's names of types, in words
    "string": "a text in quotes",
    "bool": "true or false, without quotes",
    "int": "a whole number, without quotes",
    "float": "a number, without quotes",
    "tuple": "a list in [ ]",
    "dict": "a table",
    "model": "a table",
}
BOM = "\ufeff"  # that Windows writes before UTF-8
Model = TypeVar("Model", bound=Section)


def read_file(path: Path, model: type[Model]) -> tuple[Model, str]:
    try:
        if path.exists() and (not path.is_file() or path.stat().st_size > FILE_BYTES_MAX):
            allowed = f"a TOML file of at most {FILE_BYTES_MAX} bytes"
            raise ConfigError([f"{path}: is no file to be read whole, allowed: {allowed}"])
        text = path.read_text(encoding="utf-8-sig")
    except OSError as error:
        raise ConfigError(
            [f"{path}: cannot be read ({error.strerror}), allowed: a readable TOML file"]
        ) from None
    except UnicodeDecodeError:
        raise ConfigError([f"{path}: is not UTF-8 text, allowed: a TOML file"]) from None
    return check_text(path, text, model), text


def check_patient(path: Path, text: str) -> None:
    """Raises ConfigError where ``text`` would not do as the patient file at ``path``."""
    check_text(path, text, PatientFile)


def check_text(path: Path, text: str, model: type[Model]) -> Model:
    """What ``text`` says, as the file at ``path`` would. Raises ConfigError."""
    try:
        table = tomllib.loads(text.removeprefix(BOM))
    except RecursionError:
        raise ConfigError(
            [f"{path}: is nested too deeply, allowed: a TOML file of tables and values"]
        ) from None
    except ValueError as error:  # also a number of thousands of digits
        raise ConfigError([f"{path}: is not TOML: {error}"]) from None
    try:
        return model.model_validate(table)
    except ValidationError as error:
        raise ConfigError([_explain(path, text, model, fault) for fault in error.errors()]) from None


def _explain(path: Path, text: str, model: type[Section], fault: ErrorDetails) -> str:
    """One fault in words: file and line, key, value, allowed, nearest key."""
    place = f"{path}{_line_of(text, fault['loc'])}: {_key(fault['loc'])}"
    if fault["type"] == "extra_forbidden":
        known = _keys_at(model, fault["loc"][:-1])
        near = difflib.get_close_matches(str(fault["loc"][-1]), known, n=1)
        hint = f" (did you mean {near[0]!r}?)" if near else ""
        return f"{place}: unknown key{hint}, allowed: {', '.join(known)}"
    allowed = _allowed(model, fault)
    if fault["type"] == "missing":
        return f"{place}: missing, allowed: {allowed}"
    quoted = isinstance(fault["input"], str) and fault["type"] in ("float_type", "int_type", "bool_type")
    if quoted and "without quotes" not in allowed:
        allowed += ", without quotes"
    return f"{place}: found {fault['input']!r}, allowed: {allowed}"


def place_of(path: Path, text: str, *loc: int | str) -> str:
    """File, line and key of a setting, for messages."""
    return f"{path}{_line_of(text, loc)}: {_key(loc)}"


def _key(loc: tuple[int | str, ...]) -> str:
    """``table.key``; of a list of tables, which one, counted from 1."""
    key = ""
    for part in loc:
        key += f" number {part + 1}" if isinstance(part, int) else f".{part}" if key else part
    return key


def _line_of(text: str, loc: tuple[int | str, ...]) -> str:
    """``, line N`` of the key, where its name stands at the start of a line of its table."""
    tables = [part for part in loc[:-1] if isinstance(part, str)]
    index = next((part for part in loc if isinstance(part, int)), 0)
    current, seen = "", -1
    for number, line in enumerate(text.splitlines(), 1):
        stripped = line.strip()
        if stripped.startswith("["):
            current = stripped.partition("#")[0].strip("[] \t")
            seen = seen + 1 if stripped.startswith("[[") and current == ".".join(tables) else seen
            if loc and current == str(loc[-1]) and len(loc) == 1:
                return f", line {number}"
        elif (
            stripped.split("=")[0].strip() == str(loc[-1])
            and current == ".".join(tables)
            and seen in (-1, index)
        ):
            return f", line {number}"
    return ""


def _keys_at(model: type[Section], loc: tuple[int | str, ...]) -> list[str]:
    section = section_at(model, loc)
    return list(section.model_fields) if section else []


def section_at(model: type[Section], loc: tuple[int | str, ...]) -> type[Section] | None:
    section: type[Section] | None = model
    for part in loc:
        if isinstance(part, int) or section is None:
            continue
        field = section.model_fields.get(part)
        section = _section_in(field.annotation) if field else None
    return section


def _section_in(annotation: Any) -> type[Section] | None:  # Any: whatever a type hint may be
    if isinstance(annotation, type) and issubclass(annotation, Section):
        return annotation
    for inner in getattr(annotation, "__args__", ()):
        found = _section_in(inner)
        if found:
            return found
    return None


def _allowed(model: type[Section], fault: ErrorDetails) -> str:
    """The allowed values of a key, from the model itself."""
    within = [part for part in fault["loc"] if isinstance(part, str)]
    section = section_at(model, tuple(within[:-1]))
    field = section.model_fields.get(within[-1]) if section and within else None
    if field is None:
        return fault["msg"]
    inner = _section_in(field.annotation)
    if inner is not None:
        return f"a table [{'.'.join(within)}] with {', '.join(inner.model_fields)}"
    bounds = range_words(field)
    if bounds:
        return bounds
    choices = getattr(field.annotation, "__args__", ())
    if choices and all(isinstance(choice, str) for choice in choices):
        return " | ".join(repr(choice) for choice in choices)
    pattern = next((meta.pattern for meta in field.metadata if getattr(meta, "pattern", None)), None)
    if pattern in RULES:
        return RULES[pattern]
    if fault["type"] == "value_error":
        return fault["msg"].removeprefix("Value error, ")
    kind = fault["type"].removesuffix("_type").removesuffix("_parsing")
    if kind == "missing":
        kind = {bool: "bool", int: "int", float: "float"}.get(field.annotation, "string")  # type: ignore[arg-type]
    if fault["type"] == "string_too_short":
        return "a text that is not empty"
    return TYPES.get(kind, fault["msg"])


def range_words(field: FieldInfo) -> str:
    """``low to high`` of a number; empty where it has no bounds."""
    bounds = bounds_of(field)
    return f"{bounds.get('ge', '')} to {bounds.get('le', '')}" if bounds else ""


def bounds_of(field: FieldInfo) -> dict[str, float]:
    """``ge`` and ``le`` of a number, as far as it has them."""
    return {
        name: value
        for meta in field.metadata
        for name in ("ge", "le")
        if (value := getattr(meta, name, None)) is not None
    }
