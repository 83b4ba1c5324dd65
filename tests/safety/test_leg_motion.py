"""The leg's motion is part of the guard's own state: what comes in tells every trip, nothing else does."""

from __future__ import annotations

from typing import Any

import pytest

from controller.safety import guard as guard_process
from controller.safety.judgement import electrode_test, on_time
from controller.safety.judgement.frame_check import MS
from controller.safety.judgement.guard_step import react
from controller.safety.judgement.guard_types import (
    Happening,
    Known,
    Link,
    Note,
    Peer,
    PulseLeft,
    Reaction,
    Request,
    Setup,
    Tighten,
    begin,
)
from controller.safety.judgement.leg_motion import MEASURED
from controller.safety.judgement.plausibility import GYR_RANGE_RPS, TRIP_STRIDES, WARN_STRIDES, WINDOW_S
from controller.safety.judgement.wire import SensorStamp
from drivers.interface import Vec3
from tests.safety.rig import SESSION, Bench, pulse_train
from tests.safety.room import MakeRoom

FOOT = [{"name": "foot", "segment": "foot"}]
SAMPLES = 60  # a stride, in one second
WINDOW_NS = round(WINDOW_S * 1e9)
REST: Vec3 = (0.0, 0.0, 9.81)
NEW: tuple[Vec3, Vec3] = REST, (0.1, 0.2, 0.3)


def motion(number: int, lift: float = 1.0) -> tuple[Vec3, Vec3]:
    """A stride on a bench: flat, heel off, toes up by as much or ``lift`` times it, and flat again."""
    place = number % SAMPLES
    rate_rps = 0.0 if place < 18 or place >= 42 else 5.0 if place < 30 else -5.0 * lift
    return REST, (0.0, rate_rps, 0.0)


class Leg(Bench):
    """A guard whose foot sensor walks."""

    def __init__(self, **changes: Any) -> None:  # Any: JSON
        super().__init__(sensors=FOOT, **changes)
        self.ready()

    def hear(self, acc: Vec3, gyr: Vec3, *, skip: int = 0) -> Reaction:
        self.stamp_seq += 1 + skip
        sample = SensorStamp(SESSION, "foot", self.now_ns, self.stamp_seq, True, self.stamp_seq, (acc, gyr))
        return self.feed(sample)

    def stride(self, current_ma: float | None = None, lift: float = 1.0) -> None:
        for number in range(SAMPLES):
            self.now_ns += 1_000_000_000 // SAMPLES
            if current_ma is not None and 30 < number < 40:
                self.feed(PulseLeft(0, current_ma))
            self.hear(*motion(number, lift))

    def arm(self) -> None:
        self.tick()
        self.feed(Request("arm"))
        assert self.stage == "armed", self.notes

    def told(self, kind: str) -> list[Note]:
        return [note for note in self.notes if note.kind == kind]


@pytest.mark.parametrize(("name", "acc"), [("F17", REST), ("F21", (0.0, 0.0, 25.0))])
def test_what_a_guard_has_heard_tells_its_trip_again(
    name: str, acc: Vec3, room_of: MakeRoom, monkeypatch: pytest.MonkeyPatch
) -> None:
    heard: list[tuple[int, Happening, Reaction]] = []

    def listening(now_ns: int, happening: Happening, setup: Setup, known: Known) -> tuple[Reaction, Known]:
        reaction, known = react(now_ns, happening, setup, known)
        heard.append((now_ns, happening, reaction))
        return reaction, known

    monkeypatch.setattr(guard_process, "react", listening)
    room = room_of(sensors=FOOT, limits=[{"who": "session", "limits": {"current_max_ma": 40.0}}]).arm()
    first = room.seq + 1
    for number in range(20 * SAMPLES):
        current_ma = 30.0 if number > 2 * SAMPLES and 20 < number % SAMPLES < 45 else None
        room.now_ns += 1_000_000_000 // SAMPLES
        both = (acc, motion(number)[1])
        room.guard.feed(SensorStamp(SESSION, "foot", room.now_ns, first + number, True, number, both))
        room.tick(current_ma, ms=0.0, sampled=False)
        if room.stage == "tripped":
            break
    assert room.fault == name

    known, told, tripped = begin(room.setup), [], 0
    for now_ns, happening, reaction in heard:
        again, known = react(now_ns, happening, room.setup, known)
        assert again == reaction
        tripped += any(note.fault == name and note.kind == "trip" for note in again.notes)
        told.append(getattr(happening, "fault", ""))
    assert tripped == 1
    assert name not in told
    assert known == room.guard.known


def test_a_step_of_the_guard_leaves_what_was_known_as_it_was() -> None:
    leg = Leg(unlock="strides")
    leg.stride()
    leg.tick()
    for later_ns, happening in (
        (1, SensorStamp(SESSION, "foot", leg.now_ns + 1, leg.stamp_seq + 1, True, 1, NEW)),
        (
            WINDOW_NS,
            SensorStamp(SESSION, "foot", leg.now_ns + WINDOW_NS, leg.stamp_seq + 1, True, 1, motion(0)),
        ),
        (1, PulseLeft(0, 30.0)),
        (1, Request("arm")),
    ):
        before = repr(leg.known)
        _, after = react(leg.now_ns + later_ns, happening, leg.setup, leg.known)
        assert repr(leg.known) == before
        assert repr(after) != before


def test_a_first_stride_without_current_is_told_once() -> None:
    leg = Leg()
    for _ in range(3):
        leg.stride()
    assert [note.text for note in leg.told("measured")] == [MEASURED]


def test_strides_that_lift_the_toes_are_answers_and_unlock() -> None:
    leg = Leg(unlock="strides")
    leg.stride()
    leg.arm()
    for _ in range(4):
        leg.stride(30.0, lift=1.4)
    (first, *_) = leg.told("answer")
    assert first.text.startswith("The stride lifted the toes by ")
    assert leg.known.unlock.full


@pytest.mark.parametrize(("most_ma", "warned"), [(40.0, 0), (24.0, 1)])
def test_what_a_strong_stride_is_goes_by_the_limit_in_force(most_ma: float, warned: int) -> None:
    leg = Leg()
    leg.feed(Tighten(most_ma, "Ada"))
    for _ in range(3):
        leg.stride()
    for _ in range(WARN_STRIDES + 1):
        leg.stride(15.0)  # more than half of 24, less than half of 40
    assert [note.fault for note in leg.told("warning")] == ["F17"] * warned


def test_nothing_trips_that_is_not_armed_and_arming_counts_anew() -> None:
    leg = Leg()
    for _ in range(3):
        leg.stride()
    for _ in range(WARN_STRIDES + 8):
        leg.stride(30.0)
    assert leg.stage == "off"
    assert leg.known.plausibility.silent > WARN_STRIDES
    leg.arm()
    assert leg.known.plausibility.silent == 0
    assert leg.known.plausibility.rests == []


@pytest.mark.parametrize(("testing", "counted"), [(False, 1), (True, 0)])
def test_a_pulse_of_the_electrodes_test_asks_for_no_answer(testing: bool, counted: int) -> None:
    leg = Leg()
    if testing:
        leg.known = leg.known._replace(contact=electrode_test.start("Ada", leg.now_ns, 1))
    leg.feed(PulseLeft(0, 30.0))
    assert leg.known.plausibility.foot.pulses == counted
    assert leg.known.metronomes[0].fired_ns == leg.now_ns


@pytest.mark.parametrize("spoil", ["railed", "twice", "ahead"])
def test_a_sample_that_is_none_shows_nothing_of_the_leg(spoil: str) -> None:
    leg = Leg()
    leg.stride()
    before = leg.known.plausibility
    leg.now_ns += 0 if spoil == "twice" else 5 * MS
    if spoil == "railed":
        leg.hear(REST, (0.0, GYR_RANGE_RPS, 0.0))
        assert leg.known.sensors["foot"].valid_ns != leg.now_ns
    elif spoil == "twice":
        leg.hear(*motion(3), skip=-1)
    else:
        leg.hear(*motion(3), skip=1000)
    assert leg.known.plausibility is before


def test_a_guard_begins_with_the_largest_current_in_force() -> None:
    assert begin(Bench().setup).plausibility.current_max_ma == 40.0


def test_a_pulse_is_kept_apart_from_when_it_was_written() -> None:
    bench = Bench().active()
    bench.feed(PulseLeft(0, 20.0))
    assert bench.known.metronomes[0].fired_ns == bench.now_ns
    reaction = bench.tick(pulse_train(20.0), ms=18.0)  # at most 50 Hz, a millisecond nearer
    assert reaction.pulses == ()
    assert bench.tick(pulse_train(20.0), ms=1.0).pulses != ()


def test_a_trip_of_the_legs_motion_ends_the_time_armed_at_that_moment() -> None:
    leg = Leg()
    leg.arm()
    while leg.stage == "armed":
        leg.now_ns += 1_000_000_000 // SAMPLES
        before = leg.known.clocks
        reaction = leg.hear((0.0, 0.0, 25.0), (0.0, 0.0, 0.0))
    assert leg.fault == "F21"
    assert reaction.stop
    assert leg.known.clocks == on_time.switched_off(leg.now_ns, before) != before


def test_armed_strides_without_response_are_warned_of_and_trip_in_words() -> None:
    leg = Leg()
    leg.stride()
    leg.arm()
    for _ in range(TRIP_STRIDES):
        leg.stride(30.0)
    (warning,), (trip,) = leg.told("warning"), leg.told("trip")
    words = "strides lifted the toes 0 deg more than those without current"
    assert (warning.fault, warning.text) == ("F17", f"{WARN_STRIDES} {words}")
    assert (trip.fault, f"{TRIP_STRIDES} {words}" in trip.text) == ("F17", True)
    assert (leg.stage, leg.fault) == ("tripped", "F17")


def test_a_sample_that_ends_no_stride_is_no_answer() -> None:
    leg = Leg(unlock="strides")
    leg.stride()
    leg.arm()
    leg.hear(*motion(0))
    assert leg.known.unlock.answered == 0
    assert leg.told("answer") == []


def test_one_device_under_two_names_trips() -> None:
    bench = Bench(sensors=[*FOOT, {"name": "shank", "segment": "shank"}])
    for peer in ("recorder", "operator", "controller"):
        bench.feed(Peer(peer, True))
    bench.feed(Link(up=True))
    for number in range(round(WINDOW_S * SAMPLES) + 2):
        bench.now_ns += 1_000_000_000 // SAMPLES
        both = (0.001 * number, 0.0, 9.81), motion(number)[1]
        for name in ("foot", "shank"):
            bench.feed(SensorStamp(SESSION, name, bench.now_ns, number + 1, True, number + 1, both))
        if number == SAMPLES:
            bench.frame(None)
            bench.feed(Request("arm"))
            assert bench.stage == "armed", bench.notes
    assert bench.fault == "F21"
    assert "foot and shank deliver the same values" in bench.notes[-1].text


@pytest.mark.parametrize(("name", "seen"), [("emg", True), ("foot", False)])
def test_a_sensor_that_shows_no_motion_of_the_leg_changes_nothing(name: str, seen: bool) -> None:
    bench = Bench(sensors=[*FOOT, {"name": "emg"}]).ready()
    before = bench.known.plausibility
    both = motion(20) if seen else None
    bench.feed(SensorStamp(SESSION, name, bench.now_ns + 1, 2, True, 1, both))
    assert bench.known.sensors[name].seq == 2
    assert bench.known.plausibility is before
