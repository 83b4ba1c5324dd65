"""What comes from outside as text: JSON, numbers, names. A bad one is a value or a ValueError, never worse.

Standard library alone, for the guard reads with it too.
"""

from __future__ import annotations

import json
import re

LONE_SURROGATE = re.compile("[\ud800-\udfff]")
REPLACEMENT = "\N{REPLACEMENT CHARACTER}"


def number(text: str) -> float | None:
    """The number that a cell or field says; None where it says none: ``1_0`` is Python, not a number."""
    try:
        return float(text) if text.isascii() and "_" not in text else None
    except ValueError:
        return None


def clean(text: str) -> str:
    """``text`` as UTF-8 can hold it and a screen can show it: half a surrogate pair and NUL are replaced."""
    return LONE_SURROGATE.sub(REPLACEMENT, text).replace("\0", REPLACEMENT)


def read_json(data: bytes | str) -> object:
    """The value of a JSON document, its texts clean. Raises ValueError alone, however deep it is nested."""
    try:
        return _cleaned(json.loads(data))
    except RecursionError:
        raise ValueError("JSON nested too deeply") from None


def _cleaned(value: object) -> object:
    if isinstance(value, str):
        return clean(value)
    if isinstance(value, list):
        return [_cleaned(each) for each in value]
    if isinstance(value, dict):
        return {clean(key): _cleaned(each) for key, each in value.items()}
    return value
