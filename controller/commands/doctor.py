"""What this machine has for Dorsi: adapter, serial ports, broker, clocks, scheduling; and what to do."""

from __future__ import annotations

import os
import shutil
import socket
import stat
import time
from dataclasses import dataclass
from pathlib import Path

from serial.tools import list_ports

from drivers.catalogue import STIMULATORS

MQTT_PORT = 1883
CLOCK_STEP_MAX_NS = 1_000_000  # ticks of 5 ms want a clock that is much finer


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing looked at: what was found, and what to do where it is not good."""

    what: str
    good: bool
    found: str
    to_do: str


def examine() -> list[Finding]:
    """Look at everything; never fails and starts nothing."""
    return [bluetooth(), *_stimulators(), _broker(), _clock(), _real_time(), _disk()]


def without(port: str, *, radio: bool) -> list[Finding]:
    """What a session on real devices lacks here: Bluetooth if it needs a radio, its stimulator's port."""
    needed = [*([bluetooth()] if radio else []), serial_port(port)]
    return [finding for finding in needed if not finding.good]


def bluetooth(folder: Path = Path("/sys/class/bluetooth")) -> Finding:
    """The adapters that the kernel knows."""
    adapters = sorted(path.name for path in folder.iterdir()) if folder.is_dir() else []
    to_do = "" if adapters else "plug in a USB Bluetooth LE adapter and install bluez; the demo needs none"
    return Finding("Bluetooth adapter", bool(adapters), ", ".join(adapters) or "none", to_do)


def serial_port(port: str) -> Finding:
    """Whether the stimulator's port is there, is a port, and may be opened."""
    name = f"stimulator's port {port}"
    try:
        mode = Path(port).stat().st_mode
    except OSError:
        there = ", ".join(each.device for each in list_ports.comports()) or "no serial port"
        to_do = "connect the stimulator by USB, switch it on, and put its port in the session file"
        return Finding(name, False, f"not there; here: {there}", to_do)
    if not stat.S_ISCHR(mode):
        return Finding(name, False, "no serial port", "put the stimulator's port in the session file")
    if not os.access(port, os.R_OK | os.W_OK, effective_ids=os.access in os.supports_effective_ids):
        to_do = "add this user to the group that owns it (dialout), then log in anew"
        return Finding(name, False, "no permission to read and write", to_do)
    return Finding(name, True, port, "")


def _stimulators() -> list[Finding]:
    """A finding for each port that shows itself as a stimulator does, or one that none is there."""
    ports = list(list_ports.comports())
    found = []
    for device in STIMULATORS.values():
        likely = [port.device for port in ports if (port.vid, port.pid) == device.usb]
        if likely:
            to_do = f"if that is the {device.short}, put port = '{likely[0]}' in the session file"
            found.append(Finding(f"{device.short} serial port", True, ", ".join(likely), to_do))
    if found:
        return found
    names = ", ".join(device.short for device in STIMULATORS.values())
    others = ", ".join(port.device for port in ports) or "no serial port"
    to_do = f"connect a stimulator ({names}) by USB and switch it on; the demo needs none"
    return [Finding("stimulator's serial port", False, others, to_do)]


def _broker() -> Finding:
    try:
        socket.create_connection(("127.0.0.1", MQTT_PORT), timeout=0.5).close()
    except OSError:
        installed = shutil.which("mosquitto", path=os.environ.get("PATH", "") + ":/usr/sbin")
        to_do = "start mosquitto" if installed else "apt-get install mosquitto; sessions run without it too"
        return Finding("MQTT broker", False, f"nobody on 127.0.0.1:{MQTT_PORT}", to_do)
    return Finding("MQTT broker", True, f"127.0.0.1:{MQTT_PORT}", "")


def _clock() -> Finding:
    info = time.get_clock_info("monotonic")
    step_ns = round(info.resolution * 1e9)
    good = info.monotonic and step_ns <= CLOCK_STEP_MAX_NS
    return Finding(
        "monotonic clock", good, f"{info.implementation}, {step_ns} ns", "" if good else "use Linux"
    )


def _real_time() -> Finding:
    try:
        os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(1))
        os.sched_setscheduler(0, os.SCHED_OTHER, os.sched_param(0))
    except (OSError, AttributeError):
        to_do = "allow it: rtprio 20 for this user in /etc/security/limits.conf; without it ticks may be late"
        return Finding("real-time scheduling", False, "not permitted", to_do)
    return Finding("real-time scheduling", True, f"SCHED_FIFO, {os.cpu_count()} cores", "")


def _disk() -> Finding:
    free_mb = shutil.disk_usage(Path.cwd()).free // 1_000_000
    good = free_mb >= 500  # the guard does not arm below (fault F12)
    return Finding(
        "disk here", good, f"{free_mb} MB free", "" if good else "free at least 500 MB for recordings"
    )
