"""What a recording's head says of its sensors: which device each is, and over which muscle a channel lies.

What it does not say, or says in a way that nobody can read, is simply not known.
"""

from __future__ import annotations

import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from controller.untrusted import read_object
from drivers.catalogue import SENSORS
from drivers.devices import SensorDevice

NOMINAL_SHARE = 0.1  # by which a device's clock may be off its nominal rate; more is another setting of it
INERTIAL_ALSO = "/imu"  # ends the name of the inertial part of an EMG sensor


@dataclass(frozen=True, slots=True)
class Sources:
    """By the names in the session file."""

    devices: Mapping[str, SensorDevice]
    muscles: Mapping[tuple[str, int], str]  # by sensor and channel
    mains_hz: float | None

    def device(self, name: str) -> SensorDevice | None:
        return self.devices.get(name.removesuffix(INERTIAL_ALSO))

    def nominal_hz(self, name: str, measured_hz: float) -> int:
        """Whole samples a second, as EDF wants them: the device's own where the measured rate is near it.

        So two recordings of one device have one rate, whatever its clock ran at.
        """
        device = self.devices.get(name)
        if device is not None and abs(measured_hz - device.rate_hz) <= NOMINAL_SHARE * device.rate_hz:
            return round(device.rate_hz)
        return max(1, round(measured_hz))

    def assumed(self) -> list[str]:
        """The EMG sensors whose volts rest on an assumed gain, with their device."""
        return [f"{name} ({device.title})" for name, device in self.devices.items() if device.size_assumed]


def sources_of(facts: Mapping[str, str]) -> Sources:
    """From the session file and the core's parameters in the head of a recording."""
    devices = {
        str(each["name"]): SENSORS[each["device"]]
        for each in _tables(facts.get("session_file", ""), "sensors")
        if isinstance(each.get("device"), str) and each["device"] in SENSORS and "name" in each
    }
    emg = _emg(facts.get("core_params", ""))
    muscles = {}
    for each in emg.get("electrodes") or ():
        match each:
            case {"sensor": str(sensor), "column": int(channel), "muscle": str(muscle)}:
                muscles[sensor, channel] = muscle
    mains = emg.get("mains_hz")
    return Sources(devices, muscles, float(mains) if isinstance(mains, int | float) else None)


def _tables(text: str, name: str) -> Iterator[dict[str, Any]]:  # Any: a file from anywhere
    try:
        found = tomllib.loads(text).get(name, ())
    except (tomllib.TOMLDecodeError, RecursionError):
        return
    if isinstance(found, list):
        yield from (each for each in found if isinstance(each, dict))


def _emg(params_json: str) -> dict[str, Any]:  # Any: parameters of any version
    """The EMG part of a walk's or an exercise's parameters; empty where there is none."""
    try:
        params = read_object(params_json)
    except ValueError:
        return {}
    effort = params.get("effort")
    found = params.get("emg") or (effort.get("emg") if isinstance(effort, dict) else None)
    return found if isinstance(found, dict) and isinstance(found.get("electrodes"), list) else {}
