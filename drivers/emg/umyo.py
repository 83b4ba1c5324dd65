"""uMyo (Ultimate Robotics): its advertisements to values. No I/O, and no driver.

It is never connected: each advertisement holds four bands of its EMG's spectrum and its orientation, but no
sample of the signal. Layout: the maker's Arduino library uMyo_BLE @41f59f8; big-endian. Its advertised name
begins "uMyo".
"""

from __future__ import annotations

import struct

_BODY = struct.Struct(">2B4hh3b")
_NAME_TYPES = (0x08, 0x09)  # shortened and complete local name
_MANUFACTURER = 0xFF


def _structures(payload: bytes) -> dict[int, bytes]:
    """The parts of an advertisement by their type; nothing where their lengths do not add up."""
    found: dict[int, bytes] = {}
    at = 0
    while at < len(payload):
        size = payload[at]
        if size == 0 or at + 1 + size > len(payload):
            return {}
        found[payload[at + 1]] = payload[at + 2 : at + 1 + size]
        at += 1 + size
    return found


def decode(data: bytes, channel: str | None) -> dict[str, object]:
    """A whole advertisement, or what follows its type FF; ``ValueError`` names what is wrong with it.

    ``level`` is the maker's measure of the muscle: the third band and twice the fourth. Of x, y and z of the
    quaternion only the high bytes are sent.
    """
    parts = _structures(data)
    told: dict[str, object] = {}
    body = data
    if _MANUFACTURER in parts:
        name = next((parts[kind].decode("ascii", "replace") for kind in _NAME_TYPES if kind in parts), "")
        if not name.startswith("uMyo"):
            raise ValueError(f"advertisement of {name or 'no name'}, must begin with uMyo")
        told, body = {"name": name}, parts[_MANUFACTURER]
    if len(body) != _BODY.size:
        raise ValueError(f"data: {len(body)} bytes, must be {_BODY.size}")
    number, battery, *rest = _BODY.unpack(body)
    spectrum, (qw, qx, qy, qz) = rest[:4], rest[4:]
    quat = [qw, qx * 256, qy * 256, qz * 256]
    norm = sum(value * value for value in quat) ** 0.5
    return told | {
        "adc_id": number,
        "battery_mv": 2000 + 10 * battery,
        "spectrum": spectrum,
        "level": spectrum[2] + 2 * spectrum[3],
        "quat_wxyz": [value / norm for value in quat] if norm else [0.0] * 4,
    }
