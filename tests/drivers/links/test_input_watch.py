"""Input of a terminal is told by a thread: nobody asks the terminal before there is some."""

from __future__ import annotations

import os
import select
import threading
import tty
from collections.abc import Iterator
from dataclasses import dataclass

import pytest

from drivers.emulated.p24 import EmulatedP24
from drivers.interface import DeviceError
from drivers.links import serial_link
from drivers.links.input_watch import InputWatch
from drivers.links.serial_link import SerialLink

PATIENCE_MS = 20_000


@dataclass
class Line:
    here: int
    there: int
    watch: InputWatch

    def told(self, wait_ms: int = PATIENCE_MS) -> bool:
        poller = select.poll()
        poller.register(self.watch.fileno(), select.POLLIN)
        return bool(poller.poll(wait_ms))


def gone(link: SerialLink) -> None:
    while True:
        link.read_available()


@pytest.fixture
def line() -> Iterator[Line]:
    there, here = os.openpty()
    tty.setraw(here)
    os.set_blocking(here, False)
    watch = InputWatch(here)
    yield Line(here, there, watch)
    watch.close()
    os.close(here)
    os.close(there)


def test_it_tells_of_input_again_and_again_and_of_nothing_else(line: Line) -> None:
    assert not line.told(0)
    assert not line.watch.ready
    for text in (b"one", b"two"):
        os.write(line.there, text)
        assert line.told()
        while not line.watch.ready:
            pass
        assert os.read(line.here, 100) == text
        line.watch.taken()
        assert not line.told(50)
        assert not line.watch.ready


def test_what_was_left_in_the_line_is_told_once_more(line: Line) -> None:
    os.write(line.there, b"abcd")
    assert line.told()
    while not line.watch.ready:
        pass
    assert os.read(line.here, 1) == b"a"
    line.watch.taken()
    assert line.told()


def test_its_thread_ends_with_it() -> None:
    there, here = os.openpty()
    before = threading.active_count()
    watch = InputWatch(here)
    assert threading.active_count() == before + 1
    watch.close()
    assert threading.active_count() == before
    os.close(here)
    os.close(there)


def test_a_real_time_link_does_not_ask_a_line_without_input_and_hears_all_the_same_that_it_is_gone(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    asked = []

    def read(fd: int, count: int) -> bytes:
        asked.append(fd)
        return real(fd, count)

    device, real = EmulatedP24(), os.read
    monkeypatch.setattr(serial_link.os, "read", read)
    link = SerialLink(device.port, baud=3_000_000, real_time=True)
    try:
        link.open()
        assert [link.read_available() for _ in range(100)] == [b""] * 100
        assert asked == []
        poller = select.poll()
        poller.register(link.fileno(), select.POLLIN)
        device.vanish()
        assert poller.poll(PATIENCE_MS)
        with pytest.raises(DeviceError, match="has gone"):
            gone(link)
    finally:
        link.close()
        device.close()
