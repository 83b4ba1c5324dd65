"""Other programs' markers and numbers in the recording: real outlets of liblsl, in this process."""

from __future__ import annotations

import asyncio
import math
import time
from collections.abc import Callable

import pytest

from controller.record.live import Live
from controller.record.records import Link, Record, decode, encode
from controller.record.stream_records import Marker, StreamValues, newest_words
from drivers.links.lsl_inlet import OFF_ITS_TIME

pytestmark = pytest.mark.real_time

pylsl = pytest.importorskip("pylsl", reason="pylsl is not installed (extra lsl)")

from controller.telemetry.lsl_in import LslListener  # noqa: E402  # it needs pylsl

PLATE = ("force_x", "force_z")
AHEAD_S = 5e5  # of the sender's clock


def outlet(name: str, form: int, labels: tuple[str, ...]) -> object:
    info = pylsl.StreamInfo(name, "Lab", len(labels), pylsl.IRREGULAR_RATE, form, name)
    listed = info.desc().append_child("channels")
    for label in labels:
        listed.append_child("channel").append_child_value("label", label)
    return pylsl.StreamOutlet(info)


async def until(condition: Callable[[], bool]) -> None:
    for _ in range(1000):
        if condition():
            return
        await asyncio.sleep(0.02)
    raise AssertionError("it did not happen")


async def test_markers_and_numbers_are_recorded_at_this_computers_time_and_a_jump_says_so() -> None:
    name = f"lab-{time.monotonic_ns()}"
    kept: list[Record] = []
    listener = LslListener([f"{name}-markers", f"{name}-plate"], [f"{name}-plate", f"{name}-nobody"])
    markers = outlet(f"{name}-markers", pylsl.cf_string, ("marker",))
    plate = outlet(f"{name}-plate", pylsl.cf_double64, PLATE)
    listener.listen(lambda topic, t_ns, payload: kept.append(decode(topic, payload)))

    def heard(kind: type[Record]) -> list[Record]:
        return [record for record in kept if isinstance(record, kind)]

    try:
        await until(lambda: markers.have_consumers() and plate.have_consumers())  # type: ignore[attr-defined]
        await asyncio.sleep(0.1)
        sent_ns = []
        for count in range(20):
            now_s = time.monotonic()
            sent_ns.append(round(now_s * 1e9))
            markers.push_sample([f"step {count}"], now_s + AHEAD_S + (100.0 if count == 15 else 0.0))  # type: ignore[attr-defined]
            plate.push_sample([float(count), math.nan], now_s + AHEAD_S)  # type: ignore[attr-defined]
            await asyncio.sleep(0.02)
        await until(lambda: len(heard(Marker)) == 20)
        await until(lambda: sum(len(r.rows) for r in kept if isinstance(r, StreamValues)) == 20)
        await until(lambda: len(heard(Link)) >= 2)
    finally:
        await listener.close()
    texts = [record for record in kept if isinstance(record, Marker)]
    assert [record.text for record in texts] == [f"step {count}" for count in range(20)]
    assert [record.text for record in texts if not record.valid] == ["step 15"]
    assert texts[15].reason == OFF_ITS_TIME
    for record, t_ns in zip(texts, sent_ns, strict=True):
        assert t_ns - 1_000_000 <= record.t_ns <= record.arrival_ns
    values = [record for record in kept if isinstance(record, StreamValues)]
    assert {record.labels for record in values} == {PLATE}
    assert [row for record in values for row in record.rows] == [(float(n), None) for n in range(20)]
    why = {record.sensor.removeprefix(name): record.text for record in kept if isinstance(record, Link)}
    assert why["-nobody"] == f"no LSL stream named {name}-nobody"
    assert why["-plate"] == f"{name}-plate: numbers, not what was asked for"  # as markers


def test_what_was_heard_last_is_shown() -> None:
    plate = StreamValues(1, 2, "plate", PLATE, (1, 1), ((1.0, 2.0), (812.25, None)))
    assert newest_words(plate) == "force_x 812.2, force_z no number"
    assert newest_words(StreamValues(1, 2, "plate", (), (), ())) == ""
    live = Live()
    live.take("lsl/values", encode(plate))
    live.take("marker", encode(Marker(1, 2, "marks", "go")))
    assert live.status(3, "ok").streams == {"plate": "force_x 812.2, force_z no number", "marks": "go"}
