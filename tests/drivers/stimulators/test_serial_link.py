"""The serial link never waits: it takes a write whole or refuses it, and knows empty from gone."""

from __future__ import annotations

import errno
import fcntl
import os
import shutil
import subprocess
import sys
import termios
import tty
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from drivers.interface import DeviceError
from drivers.links import port_holders
from drivers.links.serial_link import SerialLink

pytestmark = pytest.mark.real_time


class Line:
    """A pseudo-terminal with the link at one end."""

    def __init__(self) -> None:
        self.far, self._near = os.openpty()
        tty.setraw(self._near)
        os.set_blocking(self.far, False)
        self.link = SerialLink(os.ttyname(self._near), baud=3_000_000, stop_bits=2, rts_cts=True)

    def hang_up(self) -> None:
        if self.far >= 0:
            os.close(self.far)
            os.close(self._near)
            self.far = -1


@pytest.fixture
def line() -> Iterator[Line]:
    line = Line()
    yield line
    line.link.close()
    line.hang_up()


def test_every_byte_passes_unchanged_in_both_directions(line: Line) -> None:
    line.link.open()
    every_byte = bytes(range(256))
    line.link.write(every_byte)
    assert os.read(line.far, 1000) == every_byte
    os.write(line.far, every_byte)
    assert line.link.read_available() == every_byte


def test_empty_line_reads_as_nothing_at_once(line: Line) -> None:
    line.link.open()
    assert line.link.read_available() == b""


def test_opening_forgets_what_came_before(line: Line) -> None:
    line.link.open()
    os.write(line.far, b"old")
    line.link.close()
    line.link.open()
    assert line.link.read_available() == b""


def test_line_that_takes_no_more_refuses_at_once(line: Line) -> None:
    line.link.open()

    def flood() -> None:
        for _ in range(10_000):
            line.link.write(bytes(100))

    with pytest.raises(DeviceError, match="does not take bytes") as caught:
        flood()
    assert not caught.value.transient
    line.link.discard_output()


def test_gone_line_is_a_permanent_error_everywhere(line: Line) -> None:
    line.link.open()
    line.hang_up()
    calls: tuple[Callable[[], object], ...] = (
        line.link.read_available,
        lambda: line.link.write(b"x"),
        line.link.discard_output,
    )
    for call in calls:
        with pytest.raises(DeviceError, match="has gone") as caught:
            call()
        assert not caught.value.transient
    line.link.close()
    line.link.close()


def test_closed_line_refuses(line: Line) -> None:
    assert not line.link.is_open
    with pytest.raises(DeviceError, match="not open"):
        line.link.fileno()
    with pytest.raises(DeviceError, match="not open"):
        line.link.write(b"x")


def test_missing_port_may_be_tried_again() -> None:
    with pytest.raises(DeviceError, match="cannot be opened") as caught:
        SerialLink("/dev/does-not-exist", baud=9600).open()
    assert caught.value.transient


def test_port_that_is_no_terminal_is_refused() -> None:
    with pytest.raises(DeviceError, match="cannot be opened"):
        SerialLink("/dev/null", baud=9600).open()


# --- exclusive use ---

OPENS = """
import os, sys
try:
    os.open(sys.argv[1], os.O_RDWR | os.O_NOCTTY)
except OSError as error:
    sys.exit(error.errno)
"""
HOLDS = """
import os, sys
line = os.open(sys.argv[1], os.O_RDWR | os.O_NOCTTY)
print(flush=True)
sys.stdin.read()
"""
NOBODY = 65534


def _opened_by_another(line: Line) -> int:
    """0 or the number of the error; root is let in always, so then it is somebody else who tries."""
    somebody = NOBODY if os.geteuid() == 0 else None
    os.chmod(line.link.port, 0o666)
    command = [shutil.which("python3", path="/usr/bin:/bin") or sys.executable, "-c", OPENS, line.link.port]
    return subprocess.run(command, user=somebody, check=False).returncode


def test_the_kernel_keeps_later_programs_out(line: Line) -> None:
    assert _opened_by_another(line) == 0
    line.link.open()
    assert _opened_by_another(line) == errno.EBUSY
    line.link.close()
    assert _opened_by_another(line) == 0  # although the far end kept the line open


def test_a_program_that_locks_is_kept_out_whoever_it_is(line: Line) -> None:
    line.link.open()
    second = SerialLink(line.link.port, baud=9600)
    with pytest.raises(DeviceError, match="in use by") as caught:
        second.open()
    assert caught.value.transient
    assert line.link.is_open
    assert not second.is_open


def test_a_program_that_had_the_port_before_is_named_and_the_port_refused(line: Line) -> None:
    with subprocess.Popen(
        [sys.executable, "-c", HOLDS, line.link.port], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as other:
        assert other.stdout is not None
        other.stdout.readline()
        words = rf"in use by python\S* \(process {other.pid}\): close that program"
        with pytest.raises(DeviceError, match=words) as caught:
            line.link.open()
        assert caught.value.transient
        assert not line.link.is_open
        other.communicate()
    line.link.open()
    line.link.require_alone()


def test_a_program_that_comes_later_is_found_when_asked_for(line: Line) -> None:
    line.link.open()
    fcntl.ioctl(line.link.fileno(), termios.TIOCNXCL)  # as if root's
    with subprocess.Popen(
        [sys.executable, "-c", HOLDS, line.link.port], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as other:
        assert other.stdout is not None
        other.stdout.readline()
        with pytest.raises(DeviceError, match=f"process {other.pid}"):
            line.link.require_alone()
        other.communicate()


def test_what_cannot_be_looked_into_holds_nothing(
    line: Line, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Other accounts' processes, and such as end while they are looked at."""
    for name in ("1", "22", "self"):
        (tmp_path / name).mkdir()
    (tmp_path / "22" / "fd").mkdir()
    (tmp_path / "22" / "fd" / "3").symlink_to(line.link.port)
    (tmp_path / "22" / "fd" / "4").symlink_to("/dev/gone")
    (tmp_path / "22" / "fd" / "5").symlink_to("/dev/ptmx")  # its other end: no fdinfo
    monkeypatch.setattr(port_holders, "PROC", tmp_path)
    assert port_holders.others(line.link.port) == ["a program (process 22)"]
    assert port_holders.others("/dev/does-not-exist") == []


def test_bytes_that_have_not_left_are_counted(line: Line) -> None:
    """A pseudo-terminal hands over at once; a port that is gone has nothing waiting either."""
    line.link.open()
    line.link.write(bytes(100))
    assert line.link.waiting_bytes() == 0
    line.hang_up()
    assert line.link.waiting_bytes() == 0
