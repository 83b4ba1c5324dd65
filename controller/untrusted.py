"""What comes from outside as text: JSON, numbers, names. A bad one is a value or a ValueError, never worse.

Standard library alone, for the guard reads with it too.
"""

from __future__ import annotations

import json
import re

INTEGER_MAX = 2**63  # what every reader of recordings, tables and brokers' messages can hold
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


def mended(payload: bytes) -> bytes:
    """JSON whose texts are no UTF-8, or hold half surrogate pairs, as JSON that any reader takes.

    Raises ValueError where it is no JSON.
    """
    return json.dumps(read_json(payload.decode("utf-8", "replace")), separators=(",", ":")).encode()


def read_json(data: bytes | str) -> object:
    """The value of a JSON document, its texts clean, its whole numbers of 64 bits.

    Raises ValueError alone, however deep it is nested.
    """
    try:
        return _cleaned(json.loads(data, parse_int=_integer))
    except RecursionError:
        raise ValueError("JSON nested too deeply") from None


def read_object(data: bytes | str) -> dict[str, object]:
    """The object of a JSON document. Raises ValueError where it is none."""
    value = read_json(data)
    if not isinstance(value, dict):
        raise ValueError("no JSON object")
    return value


def _integer(digits: str) -> int:
    value = int(digits)
    if not -INTEGER_MAX <= value < INTEGER_MAX:
        raise ValueError(f"a whole number of {len(digits)} digits, allowed: those of 64 bits")
    return value


def _cleaned(value: object) -> object:
    if isinstance(value, str):
        return clean(value)
    if isinstance(value, list):
        return [_cleaned(each) for each in value]
    if isinstance(value, dict):
        return {clean(key): _cleaned(each) for key, each in value.items()}
    return value


DIGITS_LONG = 19  # of an integer: maybe beyond 64 bits, where arrays and tables end
ANY_DIGIT, LONG = bytes.maketrans(b"123456789", b"0" * 9), b"0" * DIGITS_LONG
_DIGITS = re.compile(rb"0+")


def has_long_integer(payload: bytes) -> bool:
    """Whether so many digits stand together, not behind a point; looked for a run of digits at a time."""
    digits = payload.translate(ANY_DIGIT)
    at = digits.find(LONG)
    while at >= 0:
        if digits[at - 1 : at] != b".":
            return True
        run = _DIGITS.match(digits, at)
        at = digits.find(LONG, run.end() if run else at + 1)
    return False
