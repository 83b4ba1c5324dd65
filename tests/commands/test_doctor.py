"""What a session on real devices lacks here is found before it starts, with what to do."""

from __future__ import annotations

import os
import pty
from pathlib import Path

import pytest
from serial.tools.list_ports_common import ListPortInfo

from controller.commands.doctor import (
    bluetooth,
    examine,
    modem_manager,
    serial_group,
    serial_port,
    serial_ports,
    wall_clock,
    without,
)
from drivers.catalogue import STIMULATORS


def test_a_port_that_is_not_there_or_is_none_is_told(tmp_path: Path) -> None:
    missing = serial_port(str(tmp_path / "none"))
    assert (missing.good, missing.found.startswith("not there")) == (False, True)
    assert missing.to_do
    (tmp_path / "file").write_text("")
    assert serial_port(str(tmp_path / "file")).found == "no serial port"
    assert serial_port(str(tmp_path)).found == "no serial port"


def test_a_port_without_permission_is_told_and_one_with_it_is_good() -> None:
    ours, theirs = pty.openpty()
    try:
        port = os.ttyname(theirs)
        assert serial_port(port).good
        os.chmod(port, 0)
        user = os.geteuid()
        if user == 0:
            os.seteuid(65534)  # root may read anything
        try:
            finding = serial_port(port)
        finally:
            os.seteuid(user)
        assert (finding.good, finding.found) == (False, "no permission to read and write")
        assert "group" in finding.to_do
    finally:
        os.close(ours)
        os.close(theirs)


def test_a_radio_is_looked_for_where_the_kernel_shows_it(tmp_path: Path) -> None:
    assert not bluetooth(tmp_path / "none").good
    assert not bluetooth(tmp_path).good
    (tmp_path / "hci0").mkdir()
    assert (bluetooth(tmp_path).good, bluetooth(tmp_path).found) == (True, "hci0")


def test_a_session_without_radio_sensors_needs_no_radio(tmp_path: Path) -> None:
    assert [each.what for each in without(str(tmp_path / "none"), radio=False)] == [
        f"stimulator's port {tmp_path / 'none'}"
    ]


def usb(device: str, ids: tuple[int, int], product: str, number: str | None) -> ListPortInfo:
    port = ListPortInfo(device)
    port.vid, port.pid = ids
    port.product, port.serial_number = product, number
    return port


def test_each_serial_port_is_told_with_its_device_and_serial_number(tmp_path: Path) -> None:
    p24 = usb("/dev/ttyACM0", STIMULATORS["hasomed-p24"].usb, "P24", "3951")
    (tmp_path / "usb-Hasomed_P24_3951-if00").symlink_to("/dev/ttyACM0")
    mouse = usb("/dev/ttyUSB3", (0x1A86, 0x7523), "USB Serial", None)
    first, second = serial_ports([p24, mouse], tmp_path)
    assert first.found == "P24, USB 0483:5740, serial number 3951"
    assert f"port = '{tmp_path}/usb-Hasomed_P24_3951-if00'" in first.to_do
    assert second.found == "USB Serial, USB 1a86:7523, no serial number"
    assert (second.good, second.to_do) == (True, "")
    told = serial_ports([mouse], tmp_path)
    assert (told[-1].what, told[-1].good) == ("stimulator's serial port", False)
    (none,) = serial_ports([], tmp_path / "none")
    assert none.found == "no serial port"
    assert "'/dev/ttyACM0'" in serial_ports([p24], tmp_path / "none")[0].to_do


def test_modem_manager_is_told_where_it_runs(tmp_path: Path) -> None:
    for number, name in (("12", "bash"), ("34", "ModemManager")):
        assert modem_manager(tmp_path) == []
        (tmp_path / number).mkdir()
        (tmp_path / number / "comm").write_text(name + "\n")
    (told,) = modem_manager(tmp_path)
    assert (told.good, told.found) == (False, "runs (process 34)")
    assert "disable" in told.to_do


def test_a_user_outside_the_serial_ports_group_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    assert serial_group("no-such-group") == []
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    monkeypatch.setattr(os, "getegid", lambda: 1000)
    monkeypatch.setattr(os, "getgroups", lambda: [1000])
    (told,) = serial_group("root")
    assert "usermod -aG root" in told.to_do
    monkeypatch.setattr(os, "getgroups", lambda: [1000, 0])
    assert serial_group("root") == []


def test_a_clock_that_was_never_set_is_told() -> None:
    new_year_2025_s = 1_735_689_600.0
    assert wall_clock(new_year_2025_s) == []
    assert wall_clock(new_year_2025_s - 1.0) != []
    (told,) = wall_clock(0.0)
    assert (told.good, "1970-01-01" in told.found) == (False, True)


def test_all_of_it_runs_here() -> None:
    told = examine()
    assert all(finding.found for finding in told)
    assert all(finding.to_do for finding in told if not finding.good)
