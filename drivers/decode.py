"""What a device's bytes mean, by its protocol: the pure codecs behind one function."""

from __future__ import annotations

import re
from pathlib import Path

from drivers.catalogue import DECODERS, MODE_DECODERS, UUID_BASES
from drivers.devices import BLUETOOTH_BASE
from drivers.own_device import load

_SHORT = re.compile(r"(?:0x)?([0-9a-f]{4})", re.IGNORECASE)
_ASSIGNED = range(0x2A00, 0x2C00)  # characteristics of Bluetooth itself, such as the battery's 2a19


def full_uuid(device: str, channel: str) -> str:
    """A characteristic's UUID of four digits made whole with the device's base; anything else unchanged."""
    short = _SHORT.fullmatch(channel.strip())
    if short is None:
        return channel
    assigned = int(short[1], 16) in _ASSIGNED
    base = BLUETOOTH_BASE if assigned else UUID_BASES.get(device, BLUETOOTH_BASE)
    return base.format(short[1].lower())


def bytes_of(payload_hex: str) -> bytes:
    """Bytes written in hexadecimal, with 0x, colons, hyphens, commas or blanks between them as people do.

    ``ValueError`` names the digit that is none.
    """
    pieces = re.split(r"[\s:,-]+", payload_hex.strip())
    try:
        return b"".join(bytes.fromhex(re.sub(r"^0[xX]", "", piece)) for piece in pieces)
    except ValueError as error:
        raise ValueError(f"HEX: {error}, allowed: pairs of hexadecimal digits") from None


def decode(
    device: str, payload_hex: str, channel: str | None = None, mode: int | None = None
) -> dict[str, object]:
    """Fields of one message; ``channel`` is the characteristic's UUID for Bluetooth devices, its four digits
    suffice.

    ``payload_hex`` may have 0x, colons or spaces between bytes. ``mode`` is the payload mode, for devices
    whose messages do not tell theirs. ``device`` may be the TOML file of a device of one's own. Raises
    ValueError naming the device, the digit or the field that is wrong, and what is allowed.
    """
    if device.endswith(".toml"):
        own = load(Path(device))
        payload = bytes_of(payload_hex)
        try:
            return own.decode(payload, None if channel is None else full_uuid(device, channel))
        except ValueError as error:
            raise ValueError(f"{own.name}: {error}") from None
    if device not in DECODERS:
        allowed = f"{', '.join(DECODERS)}, or a file .toml of a device of one's own"
        raise ValueError(f"device: found {device!r}, allowed: {allowed}")
    if mode is not None and device not in MODE_DECODERS:
        raise ValueError(f"mode: {device} has none; devices with modes: {', '.join(MODE_DECODERS)}")
    payload = bytes_of(payload_hex)
    channel = None if channel is None else full_uuid(device, channel)
    try:
        if mode is not None:
            return MODE_DECODERS[device](payload, channel, mode)
        return DECODERS[device](payload, channel)
    except ValueError as error:
        raise ValueError(f"{device}: {error}") from None
