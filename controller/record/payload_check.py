"""Is a record's payload one that every reader takes?"""

from __future__ import annotations

import re

import msgspec

from controller.untrusted import mended

HALF_PAIR = re.compile(rb"\\u[dD][89a-fA-F]")  # a surrogate; whether its other half is there shows then
JSON = msgspec.json.Decoder(msgspec.Raw)


def sound(payload: bytes) -> bytes | None:
    """The payload as every reader takes it; None where it is no JSON, or nested deeper than any reads."""
    try:
        payload.decode()
        if HALF_PAIR.search(payload) is None:
            JSON.decode(payload)
            return payload
    except (msgspec.DecodeError, UnicodeDecodeError):
        pass
    except RecursionError:
        return None
    try:
        return mended(payload)
    except ValueError:
        return None
