"""What this machine has for Dorsi: adapter, serial ports, broker, clocks, scheduling; and what to do."""

from __future__ import annotations

import datetime
import grp
import os
import shutil
import socket
import stat
import time
from dataclasses import dataclass
from pathlib import Path

from serial.tools import list_ports
from serial.tools.list_ports_common import ListPortInfo

from drivers.catalogue import STIMULATORS

MQTT_PORT = 1883
CLOCK_UNSET_BEFORE = 2025  # boards without a battery begin at 1970 or at their image's date
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
    ports = list(list_ports.comports())
    return [
        bluetooth(),
        *serial_ports(ports),
        *modem_manager(),
        *serial_group(),
        _broker(),
        _clock(),
        *wall_clock(time.time()),
        _real_time(),
        _disk(),
    ]


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


def serial_ports(ports: list[ListPortInfo], lasting: Path = Path("/dev/serial/by-id")) -> list[Finding]:
    """A finding for each port with what shows itself there, and one if no stimulator does.

    Which port a device gets changes with the order of plugging in; its link in ``lasting`` does not.
    """
    found = [_serial_port(port, lasting) for port in ports]
    if any(_likely(port) for port in ports):
        return found
    names = ", ".join(device.short for device in STIMULATORS.values())
    to_do = f"connect a stimulator ({names}) by USB and switch it on; the demo needs none"
    return [*found, Finding("stimulator's serial port", False, "none" if found else "no serial port", to_do)]


def _likely(port: ListPortInfo) -> list[str]:
    return [device.short for device in STIMULATORS.values() if (port.vid, port.pid) == device.usb]


def _serial_port(port: ListPortInfo, lasting: Path) -> Finding:
    told = [port.product or port.description or "unnamed"]
    if port.vid is not None and port.pid is not None:
        told.append(f"USB {port.vid:04x}:{port.pid:04x}")
    told.append(f"serial number {port.serial_number}" if port.serial_number else "no serial number")
    likely = _likely(port)
    to_do = ""
    if likely:
        links = sorted(lasting.iterdir()) if lasting.is_dir() else []
        name = next((str(link) for link in links if link.resolve() == Path(port.device)), port.device)
        to_do = f"if that is the {' or '.join(likely)}, put port = '{name}' in the session file"
    return Finding(f"serial port {port.device}", True, ", ".join(told), to_do)


def modem_manager(processes: Path = Path("/proc")) -> list[Finding]:
    """ModemManager where it runs: it opens a new serial port and writes to it, to see if it is a modem."""
    for comm in processes.glob("[0-9]*/comm"):
        try:
            name = comm.read_text(encoding="utf-8").strip()
        except OSError:  # it has ended
            continue
        if name == "ModemManager":
            to_do = "it writes to new serial ports: systemctl disable --now ModemManager"
            return [Finding("ModemManager", False, f"runs (process {comm.parent.name})", to_do)]
    return []


def serial_group(name: str = "dialout") -> list[Finding]:
    """Whether this user is in the group that owns serial ports; nothing to tell for root or without it."""
    try:
        group = grp.getgrnam(name).gr_gid
    except KeyError:
        return []
    if os.geteuid() == 0 or group in (*os.getgroups(), os.getegid()):
        return []
    to_do = f"sudo usermod -aG {name} $USER, then log in anew"
    return [Finding("serial ports' group", False, f"this user is not in {name}", to_do)]


def wall_clock(now_s: float) -> list[Finding]:
    """A clock that was never set: recordings and entries would be dated wrongly; else nothing to tell."""
    today = datetime.datetime.fromtimestamp(now_s, datetime.UTC)
    if today.year >= CLOCK_UNSET_BEFORE:
        return []
    to_do = "set it (timedatectl set-ntp true): recordings and entries carry its date"
    return [Finding("clock", False, f"stands at {today:%Y-%m-%d}, so it was never set", to_do)]


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
