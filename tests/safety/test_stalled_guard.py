"""A guard that is stopped between its judgement and the stimulator, as can happen on a machine under load."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from controller.safety.envelope import MS
from controller.safety.pulses import PulseOrder
from tests.safety.room import Room


def test_a_guard_that_stood_still_after_judging_sends_nothing_of_it_and_trips(tmp_path: Path) -> None:
    room = Room(tmp_path)
    try:
        room.walk()
        given = len(room.device.pulses)
        send = room.guard._send_pulses

        def stand_still_and_send(pulses: Sequence[PulseOrder], made_ns: int) -> list[dict[str, object]]:
            room.now_ns += 61 * MS if pulses else 0  # a frame may be 60 ms old
            return send(pulses, made_ns)

        room.guard._send_pulses = stand_still_and_send  # type: ignore[method-assign]  # the fault
        for _ in range(10):
            room.tick(20.0)
        assert (room.stage, room.fault) == ("tripped", "F4")
        assert len(room.device.pulses) == given
    finally:
        room.close()
