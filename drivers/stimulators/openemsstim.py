"""openEMSstim over BLE: its text commands, to bytes and back. No I/O, and no driver.

It makes no current: it lets through a share of what an external unit gives, so its intensity is a percentage
of that unit's setting. No limit in mA can hold for it.

Source: firmware PedroLopes/openEMSstim @4241982. A channel other than 0 and 1 writes out of bounds there, and
a time above 32767 ms overflows: both are refused here. It cuts on-times to 5000 ms, and a lost link switches
all off.
"""

from __future__ import annotations

import re

SERVICE = "454d532d-5365-7276-6963-652d424c4531"  # "EMS-Service-BLE1" in ASCII
CHARACTERISTIC = "454d532d-5374-6575-6572-756e672d4348"  # "EMS-Steuerung-CH"
CHANNELS = 2
INTENSITY_MAX_PERCENT = 100
TIME_MAX_MS = 32767  # a 16-bit number in the firmware
ON_TIME_MAX_MS = 5000  # longer ones are cut to it

_COMMAND = re.compile(r"C(\d+)I(\d+)T(\d+)G")
_OVER_USB = re.compile(r"WV,001C,((?:[0-9A-Fa-f]{2})+)\.")  # as its radio module hands a command on


def encode(channel: int, intensity_percent: int, time_ms: int) -> bytes:
    """The command for one channel; ``ValueError`` names what is out of range. All 0: stop."""
    for field, value, most in (
        ("channel", channel, CHANNELS - 1),
        ("intensity_percent", intensity_percent, INTENSITY_MAX_PERCENT),
        ("time_ms", time_ms, TIME_MAX_MS),
    ):
        if not 0 <= value <= most:
            raise ValueError(f"{field}: found {value!r}, allowed: 0 to {most}")
    return f"C{channel}I{intensity_percent}T{time_ms}G".encode("ascii")


def over_usb(command: bytes) -> bytes:
    """The same command as the firmware takes it over USB."""
    return b"WV,001C," + command.hex().upper().encode("ascii") + b".\n"


def decode(data: bytes, channel: str | None) -> dict[str, object]:
    """A command of the characteristic, or as over USB; ``ValueError`` names what is wrong with it."""
    if channel is not None and channel.lower() != CHARACTERISTIC:
        raise ValueError(f"channel {channel} is not an openEMSstim characteristic")
    try:
        text = data.decode("ascii")
    except UnicodeDecodeError:
        raise ValueError(f"command {data.hex()}: not ASCII") from None
    wrapped = _OVER_USB.fullmatch(text.rstrip("\r\n"))
    plain = text
    if wrapped is not None:
        plain = bytes.fromhex(wrapped[1]).decode("ascii", "replace")
    found = _COMMAND.fullmatch(plain)
    if found is None:
        raise ValueError(f"command {text!r}, must be like C0I100T1000G")
    number, intensity_percent, time_ms = map(int, found.groups())
    encode(number, intensity_percent, time_ms)  # its ranges
    told: dict[str, object] = {"ascii": text, "name": "stop" if not intensity_percent else "stimulate"}
    if wrapped is not None:
        told["command"] = plain
    return told | {
        "channel": number,
        "intensity_percent_of_external_unit": intensity_percent,
        "time_ms": time_ms,
        "on_time_ms": min(time_ms, ON_TIME_MAX_MS),
    }
