"""3F MotiMove 8: its serial messages, to bytes and back. No I/O, and no driver.

Source: the public driver of a user (M. Schmoll), no document of the vendor; the bytes of train start and stop
are a correction of that code, unverified. Its users map each wished current to another one by a table of 171
entries before they send it: what the device gives for a number is not known here.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

START = 0xFF
PULSE_BY_PULSE, TRAIN_START, TRAIN_STOP = 0x08, 0x02, 0x03
CHANNELS = 8
PULSE_MESSAGE_BYTES = 35
STAGGERED, SIMULTANEOUS = 0x00, 0xAB
CURRENT_MAX_MA, CURRENT_SIMULTANEOUS_MAX_MA = 170, 100
WIDTH_STEP_US, WIDTH_MAX_US = 10, 1000
PERIOD_MIN_MS, PERIOD_MAX_MS = 10, 254
SENSORS = ("AI", "S1", "S2")
HIGH_VOLTAGE = ("off", "on", "keep")
NAMES = {PULSE_BY_PULSE: "pulse by pulse", TRAIN_START: "train start", TRAIN_STOP: "train stop"}


@dataclass(frozen=True, slots=True)
class Pulses:
    """One message of eight pulses: current of each channel in mA, width in us, every how manyth period."""

    period_ms: int
    intensity_percent: int
    currents_ma: Sequence[int]
    widths_us: Sequence[int]
    prescalers: Sequence[int] = (1,) * CHANNELS
    simultaneous: bool = False
    doublet_interval_us: int = 0  # 0: none; else 2700 to 10000 in steps of 100
    sensor: int = 0
    high_voltage: int = 1  # 0 off, 1 on, 2 keep


def _check(field: str, value: int, low: int, high: int) -> None:
    if not low <= value <= high:
        raise ValueError(f"{field}: found {value}, allowed: {low} to {high}")


def _message(body: bytes) -> bytes:
    """Start byte, length behind it, body, sum of all but the start in 7 bits."""
    counted = bytes((len(body) + 2,)) + body
    return bytes((START,)) + counted + bytes((sum(counted) & 0x7F,))


def encode(pulses: Pulses) -> bytes:
    """A message of pulses; ``ValueError`` names what is out of range, and the range."""
    _check("period_ms", pulses.period_ms, PERIOD_MIN_MS, PERIOD_MAX_MS)
    _check("intensity_percent", pulses.intensity_percent, 0, 100)
    _check("sensor", pulses.sensor, 0, len(SENSORS) - 1)
    _check("high_voltage", pulses.high_voltage, 0, len(HIGH_VOLTAGE) - 1)
    most_ma = CURRENT_SIMULTANEOUS_MAX_MA if pulses.simultaneous else CURRENT_MAX_MA
    for name, values, most in (
        ("currents_ma", pulses.currents_ma, most_ma),
        ("widths_us", pulses.widths_us, WIDTH_MAX_US),
        ("prescalers", pulses.prescalers, 255),
    ):
        _check(f"number of {name}", len(values), CHANNELS, CHANNELS)
        for value in values:
            _check(name, value, 0, most)
    interval = pulses.doublet_interval_us // 100
    if interval:
        _check("doublet_interval_us", pulses.doublet_interval_us, 2700, 10_000)
    return _message(
        bytes(
            (
                PULSE_BY_PULSE,
                SIMULTANEOUS if pulses.simultaneous else STAGGERED,
                pulses.period_ms,
                pulses.intensity_percent,
                *pulses.currents_ma,
                *(width // WIDTH_STEP_US for width in pulses.widths_us),
                *pulses.prescalers,
                interval > 0,
                interval,
                pulses.sensor,
                pulses.high_voltage,
            )
        )
    )


def encode_train(*, start: bool) -> bytes:
    """Starts or stops the train that the device keeps; unverified on hardware."""
    return _message(bytes((TRAIN_START if start else TRAIN_STOP,)))


def decode(data: bytes, channel: str | None) -> dict[str, object]:
    """One message in words; ``channel`` has no meaning. ``ValueError`` names what is wrong with it."""
    if data[:1] != bytes((START,)):
        raise ValueError(f"start: found {data[:1].hex() or 'nothing'}, a message starts with ff")
    if len(data) < 4 or data[1] != len(data) - 1:
        announced = data[1] if len(data) > 1 else "none"
        raise ValueError(f"length: {announced} announced, {len(data) - 1} bytes follow the start")
    total = sum(data[1:-1]) & 0x7F
    if total != data[-1]:
        raise ValueError(f"sum: {data[-1]:02x} announced, the bytes give {total:02x}")
    kind = data[2]
    if kind not in NAMES:
        raise ValueError(f"type: {kind:02x} is none of MotiMove 8")
    told: dict[str, object] = {"sum7": total, "name": NAMES[kind]}
    if kind != PULSE_BY_PULSE:
        if len(data) != 4:
            raise ValueError(f"length: {len(data)} bytes, {NAMES[kind]} has 4")
        return told
    if len(data) != PULSE_MESSAGE_BYTES:
        raise ValueError(f"length: {len(data)} bytes, {NAMES[kind]} has {PULSE_MESSAGE_BYTES}")
    delay, period_ms, intensity_percent = data[3:6]
    if delay not in (STAGGERED, SIMULTANEOUS):
        raise ValueError(f"pulse delay: {delay:02x}, allowed: 00 or ab")
    doublet, interval, sensor, voltage = data[30:34]
    if sensor >= len(SENSORS) or voltage >= len(HIGH_VOLTAGE):
        raise ValueError(f"sensor {sensor}, high voltage {voltage}, allowed: 0 to 2")
    return told | {
        "pulses": "simultaneous" if delay == SIMULTANEOUS else "staggered",
        "period_ms": period_ms,
        "intensity_percent": intensity_percent,
        "currents_ma": list(data[6:14]),
        "widths_us": [WIDTH_STEP_US * width for width in data[14:22]],
        "prescalers": list(data[22:30]),
        "doublet_interval_us": 100 * interval if doublet else 0,
        "sensor": SENSORS[sensor],
        "high_voltage": HIGH_VOLTAGE[voltage],
    }
