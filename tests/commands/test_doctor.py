"""What a session on real devices lacks here is found before it starts, with what to do."""

from __future__ import annotations

import os
import pty
from pathlib import Path

from controller.commands.doctor import bluetooth, serial_port, without


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
