"""The serial link never waits: it takes a write whole or refuses it, and knows empty from gone."""

from __future__ import annotations

import os
import tty
from collections.abc import Callable, Iterator

import pytest

from drivers.interface import DeviceError
from drivers.links.serial_link import SerialLink


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
