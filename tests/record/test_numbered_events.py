"""Events and strides told of a session: the same from the passing records as from the recording."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import msgspec
import pytest

from controller.analysis.arms import read_arms
from controller.core.signals import GaitEvent
from controller.record.numbered_events import StrideTold, Teller, Told, told
from controller.record.reader import raw_messages
from controller.record.records import Clock, GuardEvent, Pulse, encode
from tests.record.made import IDLE_VIEW, MS, tick, verdict
from tests.record.walk import STRIDE_MS, TOE_OFF, record_walk

STRIDES = 8


@pytest.fixture(scope="module")
def walk(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return record_walk(tmp_path_factory.mktemp("walk") / "walk.mcap", strides=STRIDES)


def strides(events: list[Told]) -> list[StrideTold]:
    return [
        msgspec.json.decode(event.payload_json, type=StrideTold) for event in events if event.kind == "stride"
    ]


def test_numbers_are_without_gap_and_the_same_from_passing_records(walk: Path) -> None:
    later = list(told(walk))
    assert [event.seq for event in later] == list(range(1, len(later) + 1))
    teller = Teller("walk")
    passing = [
        event for message in raw_messages(walk) for event in teller.take(message.topic, message.payload)
    ]
    assert [*passing, *teller.end()] == later


def test_a_payload_is_the_record_with_session_number_and_utc_before_it(walk: Path) -> None:
    first_trip = next(event for event in told(walk) if b'"trip"' in event.payload_json)
    payload = msgspec.json.decode(first_trip.payload_json)
    assert (payload["session"], payload["seq"]) == ("walk", first_trip.seq)
    assert payload["ts_ms"] == pytest.approx(1_800_000_000_000, abs=60_000)
    assert msgspec.json.decode(first_trip.payload_json, type=GuardEvent).fault == "F1"


def test_every_stride_of_both_arms_is_told_with_the_figures_of_the_recording(walk: Path) -> None:
    by_arm = [arm.estimated for arm in read_arms(walk)]
    expected = [stride for arm in by_arm for stride in arm]
    seen = strides(list(told(walk)))
    assert len(expected) == 2 * STRIDES
    assert [stride.t_ns for stride in seen] == [stride.initial_contact_ns for stride in expected]
    for one, other in zip(seen, expected, strict=True):
        for name in (
            "ankle_at_initial_contact_deg",
            "foot_pitch_at_initial_contact_deg",
            "peak_swing_dorsiflexion_deg",
            "swing_pitch_rmse_deg",
        ):
            assert getattr(one, name) == pytest.approx(getattr(other, name))
        assert one.stride_s == pytest.approx(STRIDE_MS / 1e3)
        assert one.cadence_spm == pytest.approx(100.0)  # 2 steps in 1.2 s
        assert one.swing_s == pytest.approx(STRIDE_MS / 1e3 * (1 - TOE_OFF), abs=0.02)
    assert [stride.arm for stride in seen] == ["off"] * STRIDES + ["feedback"] * STRIDES


def test_charge_is_the_sum_over_the_strides_pulses(walk: Path) -> None:
    off, feedback = read_arms(walk)
    seen = strides(list(told(walk)))
    assert not off.pulses
    assert {stride.charge_uc for stride in seen[:STRIDES]} == {0.0}
    assert {stride.pulses for stride in seen[:STRIDES]} == {0}
    first = seen[STRIDES]
    inside = [p for p in feedback.pulses if first.t_ns <= p.t_ns < first.t_ns + STRIDE_MS * MS]
    assert inside
    assert first.charge_uc == pytest.approx(sum(p.current_ma * p.width_us for p in inside) / 1e3)
    assert first.pulses == len(inside)
    assert first.current_max_ma == max(p.current_ma for p in inside)


def stepping(contacts_ms: list[int], until_ms: int) -> list[StrideTold]:
    """A tick every 5 ms; the contacts are told 20 ms late; a pulse of 10 uC every 100 ms."""
    teller = Teller("s")
    events: list[Told] = []
    for k in range(until_ms // 5):
        now_ms = 5 * k
        contact = tuple(
            GaitEvent("initial_contact", at_ms * MS, now_ms * MS)
            for at_ms in contacts_ms
            if now_ms == at_ms + 20
        )
        view = replace(IDLE_VIEW, ankle_deg=now_ms / 100.0)
        events += teller.take("tick", encode(tick(k, now_ns=now_ms * MS, events=contact, view=view)))
        if now_ms % 100 == 0:
            events += teller.take(
                "guard/verdict", encode(verdict(k, Pulse(now_ms * MS, 0, 20.0, 500.0, k % 64)))
            )
    return strides([*events, *teller.end()])


def test_a_stride_begins_with_its_contact_not_with_the_word_of_it() -> None:
    (stride,) = stepping([500, 1500], 3000)
    assert stride.ankle_at_initial_contact_deg == 5.0
    assert stride.stride_s == 1.0
    assert stride.swing_s is None
    assert stride.charge_uc == pytest.approx(100.0)  # 500, 600 ... 1400 ms
    assert stride.pulses == 10


def test_a_pause_is_no_stride_and_the_end_tells_the_last_one() -> None:
    assert [s.stride_s for s in stepping([100, 3100], 4000)] == [3.0]
    assert stepping([100, 3105], 4000) == []
    assert stepping([100], 4000) == []
    assert len(stepping([100, 1100], 1125)) == 1  # ended before its pulses were sure to be complete


def test_before_the_first_clock_the_time_is_not_invented() -> None:
    teller = Teller("s")
    note = encode(GuardEvent(5 * MS, "state", "armed", "by hand"))
    (early,) = teller.take("guard/event", note)
    assert msgspec.json.decode(early.payload_json)["ts_ms"] is None
    teller.take("clock", encode(Clock(0, 1_000 * MS, 0)))
    (late,) = teller.take("guard/event", note)
    assert msgspec.json.decode(late.payload_json)["ts_ms"] == 1005.0


@pytest.mark.parametrize("payload", [b"", b"{}", b"null", b"[1]", b'{"t_ns":"x"}', b"\xff"])
def test_what_is_no_record_is_passed_over_and_takes_no_number(payload: bytes) -> None:
    teller = Teller("s")
    for topic in ("tick", "guard/verdict", "guard/event", "arm", "clock", "process", "other"):
        assert teller.take(topic, payload) == ()
    (event,) = teller.take("guard/event", encode(GuardEvent(1, "state", "armed", "")))
    assert event.seq == 1
