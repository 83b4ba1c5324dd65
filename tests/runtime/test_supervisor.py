"""The supervisor without a rig: STOP by signal goes to the guard from the handler itself."""

from __future__ import annotations

import json
import os
import signal
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from controller.commands.run import DEMO_SESSION
from controller.config.session import load_session
from controller.ipc import bus
from controller.record.privacy import ROLES
from controller.runtime.session_processes import Virtual
from controller.runtime.stop_keys import END, stop_signals
from controller.runtime.supervisor import Supervisor


@pytest.fixture(autouse=True)
def end_as_before() -> Iterator[None]:
    """Ignored once a session is over: children of these tests' process would inherit that."""
    before = signal.getsignal(END)
    yield
    signal.signal(END, before)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM], ids=lambda number: number.name)
def test_a_signal_is_stop_told_to_the_guard_before_anything_else(
    tmp_path: Path, number: signal.Signals
) -> None:
    guard, ours = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    supervisor = Supervisor(load_session(DEMO_SESSION), tmp_path, None, lambda _progress: None)
    supervisor._guard = bus.Sender(ours)
    before = signal.getsignal(number)
    with guard, ours, stop_signals(supervisor._halt, supervisor._end):
        os.kill(os.getpid(), number)
        assert json.loads(guard.recv(bus.MAX_MESSAGE_BYTES))["op"] == "stop"
    assert signal.getsignal(number) == before


@pytest.mark.parametrize(
    ("asked", "virtual", "by"),
    [
        (True, None, "terminal"),
        (False, None, "patient file"),
        (True, Virtual(1, {}), "virtual patient"),
        (False, Virtual(1, {}), "virtual patient"),
    ],
)
def test_a_checklist_that_nobody_was_shown_is_the_patient_files(
    tmp_path: Path, asked: bool, virtual: Virtual | None, by: str
) -> None:
    supervisor = Supervisor(load_session(DEMO_SESSION), tmp_path, virtual, lambda _: None, asked=asked)
    assert supervisor._answered_by == by
    assert by in ROLES  # what is told outside the rig


@pytest.mark.parametrize(
    ("number", "obeyed"),
    [(signal.SIGINT, True), (signal.SIGTERM, True), (signal.SIGTSTP, True), (signal.SIGHUP, False)],
)
def test_a_script_that_starts_it_behind_an_ampersand_takes_no_stop_away_and_nohup_its_own_alone(
    tmp_path: Path, number: signal.Signals, obeyed: bool
) -> None:
    supervisor = Supervisor(load_session(DEMO_SESSION), tmp_path, None, lambda _progress: None)
    before = signal.signal(number, signal.SIG_IGN)
    try:
        with stop_signals(supervisor._halt, supervisor._end):
            signal.raise_signal(number)
        assert bool(supervisor._stop) == obeyed
        assert signal.getsignal(number) == signal.SIG_IGN
    finally:
        signal.signal(number, before)


def test_the_planned_end_is_no_stop_and_a_late_one_ends_nothing() -> None:
    told: list[str] = []
    with stop_signals(told.append, lambda: told.append("end")):
        signal.raise_signal(END)
    signal.raise_signal(END)
    assert told == ["end"]
