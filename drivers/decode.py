"""What a device's bytes mean, by its protocol: the pure codecs behind one function."""

from __future__ import annotations

from drivers.catalogue import DECODERS


def decode(device: str, payload_hex: str, channel: str | None = None) -> dict[str, object]:
    """Fields of one message; ``channel`` is the characteristic's UUID for Bluetooth devices.

    Raises ValueError naming the device, the digit or the field that is wrong, and what is allowed.
    """
    if device not in DECODERS:
        raise ValueError(f"device: found {device!r}, allowed: {', '.join(DECODERS)}")
    try:
        payload = bytes.fromhex(payload_hex)
    except ValueError as error:
        raise ValueError(f"HEX: {error}, allowed: pairs of hexadecimal digits") from None
    try:
        return DECODERS[device](payload, channel)
    except ValueError as error:
        raise ValueError(f"{device}: {error}") from None
