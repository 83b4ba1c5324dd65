"""The STOP button by itself: bytes of key events on a pipe."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from controller.safety.stop_button import EVENT, StopButton

KEY, ENTER = 0x01, 28  # linux/input-event-codes.h


def event(kind: int, value: int) -> bytes:
    return EVENT.pack(1, 2, kind, ENTER, value)


@pytest.fixture
def pipe(tmp_path: Path) -> Path:
    path = tmp_path / "event0"
    os.mkfifo(path)
    return path


def test_only_a_key_going_down_is_a_press(pipe: Path) -> None:
    writer = os.open(pipe, os.O_RDWR)
    button = StopButton(pipe)
    assert button.pressed() is False  # nothing there
    os.write(writer, event(KEY, 0) + event(KEY, 2) + event(0x04, 1) + event(0x00, 0))
    assert button.pressed() is False
    os.write(writer, event(KEY, 0) + event(KEY, 1) + event(0x00, 0))
    assert button.pressed() is True
    assert button.pressed() is False  # told once
    button.close()
    os.close(writer)


def test_half_an_event_is_no_press_and_does_not_hide_one(pipe: Path) -> None:
    writer = os.open(pipe, os.O_RDWR)
    button = StopButton(pipe)
    os.write(writer, event(KEY, 1)[:10])
    assert button.pressed() is False
    os.write(writer, event(KEY, 1) + event(KEY, 1)[:10])
    assert button.pressed() is True
    button.close()
    os.close(writer)


def test_a_button_that_is_not_there_cannot_be_opened(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        StopButton(tmp_path / "event0")


def test_the_end_of_the_events_is_the_end_of_the_button(pipe: Path) -> None:
    writer = os.open(pipe, os.O_RDWR)
    button = StopButton(pipe)
    os.close(writer)
    assert button.pressed() is None
    button.close()


def test_a_device_that_was_pulled_out_is_gone() -> None:
    """Reading it is an error (ENODEV), as it is (EIO) to read a process's memory where there is none."""
    button = StopButton(Path("/proc/self/mem"))
    with pytest.raises(OSError, match="Input/output error"):
        os.read(button.fileno(), 1)
    assert button.pressed() is None
    button.close()
