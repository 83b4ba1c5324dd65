"""The head of a recording, as the supervisor hands it to the recorder: a JSON file."""

from __future__ import annotations

from pathlib import Path

import msgspec

from controller.errors import InputError
from controller.untrusted import clean


def read_session(path: Path) -> dict[str, str]:
    """The header file's object as MCAP metadata: text stays text, everything else becomes JSON."""
    try:
        facts = msgspec.json.decode(path.read_bytes(), type=dict[str, msgspec.Raw])
    except (OSError, msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise InputError(str(path), "session header", str(error), "a JSON object") from error
    return {clean(key): clean(_as_text(bytes(value))) for key, value in facts.items()}


def _as_text(value: bytes) -> str:
    return str(msgspec.json.decode(value)) if value.startswith(b'"') else value.decode()
