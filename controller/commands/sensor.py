"""One sensor alone for some seconds: its rate, what was lost, how late and how unevenly it arrives."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import math
from collections import Counter
from dataclasses import dataclass

from drivers.catalogue import SENSORS, sensor_device
from drivers.interface import DeviceError, EmgFrame, Sample, Sensor
from drivers.links.ble import BleBackend

MS = 1e6


@dataclass(frozen=True, slots=True)
class Account:
    """What a sensor sent. Times in ms; ``late``: arrival behind the sample's own time, as it was mapped."""

    seconds: float
    samples: int
    rate_hz: float
    lost: int
    invalid: dict[str, int]  # by reason
    between_arrivals_ms: tuple[float, float, float]  # median, 99 %, most
    late_ms: tuple[float, float, float]
    battery_percent: int | None
    size: str  # of what it measures, in words


def open_sensor(device: str, address: str, backend: BleBackend | None = None) -> Sensor:
    """A sensor of the catalogue by its name, or one that a TOML file describes. ValueError: neither."""
    try:
        return sensor_device(device).open("sensor", address, backend)
    except KeyError:
        allowed = f"{', '.join(SENSORS)}, or a file .toml"
        raise ValueError(f"device: found {device!r}, allowed: {allowed}") from None


async def listen(sensor: Sensor, seconds: float) -> Account:
    """Connect, take what comes for so long, leave. DeviceError where it does not connect."""
    samples: list[Sample] = []
    async with sensor:
        battery: int | None = None
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                async for sample in sensor:
                    samples.append(sample)
        with contextlib.suppress(DeviceError):
            battery = await sensor.battery_percent()
    return account(samples, seconds, battery)


def account(samples: list[Sample], seconds: float, battery_percent: int | None) -> Account:
    """What so many seconds of one sensor's samples say. A Myo's inertial samples are left out."""
    good = [one for one in samples if one.valid and one.sensor == "sensor"]
    counts = [len(one.volts) if isinstance(one, EmgFrame) else 1 for one in good]
    lost = 0
    for before, count, one in zip(good, counts, good[1:], strict=False):
        lost += max(one.seq - before.seq - count, 0)
    arrivals = sorted({one.arrival_ns for one in good})
    gaps = [(b - a) / MS for a, b in itertools.pairwise(arrivals)]
    total = sum(counts)
    span_s = (good[-1].t_ns - good[0].t_ns) / 1e9 if len(good) > 1 else 0.0
    return Account(
        seconds=seconds,
        samples=total,
        rate_hz=(total - counts[-1]) / span_s if span_s > 0.0 else 0.0,
        lost=lost,
        invalid=dict(Counter(one.reason for one in samples if not one.valid)),
        between_arrivals_ms=_spread(gaps),
        late_ms=_spread([(one.arrival_ns - one.t_ns) / MS for one in good]),
        battery_percent=battery_percent,
        size=_size(good),
    )


def _spread(values: list[float]) -> tuple[float, float, float]:
    if not values:
        return 0.0, 0.0, 0.0
    ordered = sorted(values)
    return ordered[len(ordered) // 2], ordered[math.ceil(0.99 * len(ordered)) - 1], ordered[-1]


def _size(good: list[Sample]) -> str:
    """Means of what was measured, so that a wrong scale or axis is seen at a glance."""
    if not good:
        return "nothing valid"
    if isinstance(good[0], EmgFrame):
        rows = [row for one in good if isinstance(one, EmgFrame) for row in one.volts]
        means = [sum(column) / len(rows) for column in zip(*rows, strict=True)]
        spread = [
            math.sqrt(sum((value - mean) ** 2 for value in column) / len(rows))
            for column, mean in zip(zip(*rows, strict=True), means, strict=True)
        ]
        return "EMG r.m.s. " + ", ".join(f"{1e6 * one:.1f}" for one in spread) + " uV"
    inertial = [one for one in good if not isinstance(one, EmgFrame)]
    acc = sum(math.hypot(*one.acc_mps2) for one in inertial) / len(inertial)
    gyr = sum(math.hypot(*one.gyr_rps) for one in inertial) / len(inertial)
    return f"acceleration {acc:.2f} m/s2 (at rest 9.81), rate {math.degrees(gyr):.1f} deg/s"


def rows_of(told: Account) -> list[tuple[str, str]]:
    """The account in words, for the terminal."""
    median, high, most = told.between_arrivals_ms
    late = told.late_ms
    battery = "not told" if told.battery_percent is None else f"{told.battery_percent} %"
    return [
        ("samples", f"{told.samples} in {told.seconds:g} s"),
        ("rate by its own time", f"{told.rate_hz:.2f} Hz"),
        ("lost", f"{told.lost}"),
        ("between arrivals", f"median {median:.1f}, 99 % {high:.1f}, most {most:.1f} ms"),
        ("arrives after its time", f"median {late[0]:.1f}, 99 % {late[1]:.1f}, most {late[2]:.1f} ms"),
        ("measures", told.size),
        ("battery", battery),
        *((f"invalid: {reason}", f"{count} times") for reason, count in told.invalid.items()),
    ]
