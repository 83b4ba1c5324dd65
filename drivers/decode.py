"""What a device's bytes mean, by its protocol: the pure codecs behind one function."""

from __future__ import annotations

from drivers.catalogue import DECODERS, MODE_DECODERS


def decode(
    device: str, payload_hex: str, channel: str | None = None, mode: int | None = None
) -> dict[str, object]:
    """Fields of one message; ``channel`` is the characteristic's UUID for Bluetooth devices.

    ``payload_hex`` may begin with 0x and have colons or spaces between bytes. ``mode`` is the payload mode,
    for devices whose messages do not tell theirs. Raises ValueError naming the device, the digit or the field
    that is wrong, and what is allowed.
    """
    if device not in DECODERS:
        raise ValueError(f"device: found {device!r}, allowed: {', '.join(DECODERS)}")
    if mode is not None and device not in MODE_DECODERS:
        raise ValueError(f"mode: {device} has none; devices with modes: {', '.join(MODE_DECODERS)}")
    try:
        payload = bytes.fromhex(payload_hex.strip().removeprefix("0x").replace(":", " "))
    except ValueError as error:
        raise ValueError(f"HEX: {error}, allowed: pairs of hexadecimal digits") from None
    try:
        if mode is not None:
            return MODE_DECODERS[device](payload, channel, mode)
        return DECODERS[device](payload, channel)
    except ValueError as error:
        raise ValueError(f"{device}: {error}") from None
