"""Any one stamp, whatever it holds: what the guard finds in the walk around it stays the same."""

from __future__ import annotations

from hypothesis import example, given, settings
from hypothesis import strategies as st

from controller.safety.judgement.frame_check import MS
from controller.safety.judgement.guard_types import Note, PulseLeft
from controller.safety.judgement.plausibility import TRIP_STRIDES
from controller.safety.judgement.wire import SensorStamp
from drivers.interface import Vec3
from tests.safety.rig import SESSION, Bench, pulse_train

GO = pulse_train(20.0)
UINT64, INT64 = 2**64 - 1, 2**63 - 1
PERIOD_NS = 16_666_667  # 60 Hz

any_vec = st.tuples(*[st.floats(width=64)] * 3)
any_stamp = st.builds(
    SensorStamp,
    session=st.sampled_from([SESSION, 0, UINT64]),
    sensor=st.sampled_from(["foot", "shank", ""]),
    t_ns=st.one_of(st.integers(-(2**63), INT64), st.integers(-(10**10), 10**10).map(lambda by: by + 10**12)),
    seq=st.one_of(st.integers(0, UINT64), st.integers(0, 400)),
    valid=st.booleans(),
    digest=st.one_of(st.just(0), st.integers(0, 2**32 - 1)),
    motion=st.one_of(st.none(), st.tuples(any_vec, any_vec)),
)


def notes_of_a_walk(odd: SensorStamp | None, at: int) -> list[tuple[int, Note]]:
    """A sample every 5 ms of stimulated walking; then a sensor that freezes, then one that is silent."""
    bench = Bench().active()
    bench.notes.clear()
    told = []
    for tick in range(120):
        bench.now_ns += 5 * MS
        bench.stamp_seq += 1
        if tick < 90:
            digest = tick if tick < 60 else 7
            bench.feed(SensorStamp(SESSION, "foot", bench.now_ns, bench.stamp_seq, True, digest))
        if tick == at and odd is not None:
            bench.feed(odd)
        bench.frame(GO if tick % 100 < 90 else None)
        told += [(tick, note) for note in bench.notes]
        bench.notes.clear()
    return told


@settings(max_examples=150, deadline=None)
@given(odd=any_stamp, at=st.integers(0, 40))
@example(SensorStamp(SESSION, "foot", INT64, 1, True), 5)
@example(SensorStamp(SESSION, "foot", -(2**63), UINT64, True), 5)
@example(SensorStamp(SESSION, "foot", 10**12 + 400 * MS, UINT64, True, 7), 5)
def test_no_single_stamp_changes_what_the_watch_finds_later(odd: SensorStamp, at: int) -> None:
    plain = [(tick, note.fault) for tick, note in notes_of_a_walk(None, 0)]
    assert [fault for _, fault in plain] == ["F2", "F1"]
    assert [(tick, note.fault) for tick, note in notes_of_a_walk(odd, at)] == plain


def foot_motion(place_s: float) -> tuple[Vec3, Vec3]:
    """A stride of 1 s on a bench: flat, heel off, and flat again, with or without current."""
    rate_rps = 0.0 if place_s < 0.3 or place_s >= 0.7 else 5.0 if place_s < 0.5 else -5.0
    return (0.0, 0.0, 9.81), (0.0, rate_rps, 0.0)


def found_in_strides(odd: SensorStamp | None, at: int, *, current: bool) -> list[tuple[int, Note]]:
    """Strides whose current lifts nothing, as the guard hears them; what it says of F17, by stride."""
    bench = Bench(sensors=[{"name": "foot", "segment": "foot"}]).armed()
    begin_ns, first = bench.now_ns, bench.stamp_seq
    found: list[tuple[int, Note]] = []
    for number in range((TRIP_STRIDES * 2 + 8) * 60):
        bench.now_ns = begin_ns + (number + 1) * PERIOD_NS
        stride = number // 60
        place_s = (number % 60) / 60.0
        if current and stride >= 4 and 0.5 < place_s < 0.7:
            bench.feed(PulseLeft(0, 30.0))
        motion = foot_motion(place_s)
        bench.feed(SensorStamp(SESSION, "foot", bench.now_ns, first + 1 + number, True, number, motion))
        if number == at and odd is not None:
            bench.feed(odd)
        found += [(stride, note) for note in bench.notes if note.fault == "F17"]
        bench.notes.clear()
    return found


@settings(max_examples=60, deadline=None)
@given(odd=any_stamp, at=st.integers(0, 900))
@example(SensorStamp(SESSION, "foot", INT64, 40, True, 1, ((0.0, 0.0, 9.8), (0.0, 0.0, 0.0))), 30)
@example(SensorStamp(SESSION, "foot", 10**12 + 10**10, 40, True, 1, ((0.0, 0.0, 9.8), (0.0, 0.0, 0.0))), 30)
def test_no_single_stamp_switches_the_monitor_off(odd: SensorStamp, at: int) -> None:
    """It may lie in one stride and spoil that one; F17 is found all the same, at most one run later."""
    assert found_in_strides(odd, at, current=False) == []
    faults = [(note.kind, note.fault, stride) for stride, note in found_in_strides(odd, at, current=True)]
    kinds = [(kind, fault) for kind, fault, _ in faults]
    assert ("trip", "F17") in kinds
    assert {fault for _, fault in kinds} == {"F17"}
    trip = next(stride for kind, _, stride in faults if kind == "trip")
    assert trip <= 4 + 2 * TRIP_STRIDES
