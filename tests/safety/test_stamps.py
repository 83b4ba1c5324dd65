"""Stamps that cannot be a sensor's next sample: none of them makes the guard deaf to those after it."""

from __future__ import annotations

import pytest

from controller.safety.judgement.frame_check import FUTURE_NS, MS
from controller.safety.judgement.guard_types import Request
from controller.safety.judgement.liveness import JUMP_MAX, PAST_NS, SensorTrack, misfit
from controller.safety.judgement.wire import SensorStamp
from tests.safety.rig import SESSION, Bench, pulse_train

GO = pulse_train(20.0)
UINT64 = 2**64 - 1


def feed(bench: Bench, t_ns: int, seq: int) -> bool:
    """Whether the sample was taken."""
    stamp = SensorStamp(SESSION, "foot", t_ns, seq, True)
    fits = not misfit(bench.now_ns, stamp, bench.setup, bench.known)
    bench.feed(stamp)
    track = bench.known.sensors["foot"]
    assert fits == (track.misfit == "")
    assert not fits or (track.seq, track.doubted) == (seq, None)
    return fits


@pytest.mark.parametrize(
    ("ahead_ns", "taken"),
    [(FUTURE_NS, True), (FUTURE_NS + 1, False), (-PAST_NS, True), (-PAST_NS - 1, False)],
)
def test_a_time_later_than_the_guards_clock_or_far_behind_is_no_samples(ahead_ns: int, taken: bool) -> None:
    bench = Bench()
    assert feed(bench, bench.now_ns + ahead_ns, 1) == taken
    if not taken:
        assert bench.known.sensors["foot"]._replace(misfit="") == SensorTrack()


def test_a_time_within_the_clocks_reading_is_only_as_new_as_its_arrival() -> None:
    bench = Bench().active()
    assert feed(bench, bench.now_ns + FUTURE_NS, bench.stamp_seq + 1)
    assert bench.known.sensors["foot"].valid_ns == bench.now_ns


def test_one_stamp_from_the_far_future_is_as_if_it_had_not_come() -> None:
    bench = Bench().active()
    before = bench.known.sensors["foot"]
    assert not feed(bench, bench.now_ns + 10**12, bench.stamp_seq + 1)
    assert bench.known.sensors["foot"]._replace(misfit="") == before
    bench.tick(GO)
    assert bench.known.sensors["foot"].valid_ns == bench.now_ns


def test_a_sensor_whose_clock_runs_ahead_is_silent_and_the_words_say_why() -> None:
    bench = Bench().active()
    bench.notes.clear()
    while bench.stage == "active":
        bench.now_ns += 5 * MS
        bench.stamp_seq += 1
        feed(bench, bench.now_ns + 3000 * MS, bench.stamp_seq)
        bench.frame(GO)
    assert bench.fault == "F1"
    assert bench.known.state.detail == (
        "sensor foot: newest valid sample is 155 ms old; "
        "the last was not taken, its time is 3000 ms ahead of the guard's clock"
    )
    bench.feed(Request("acknowledge"))
    bench.feed(Request("arm"))
    assert "sensor foot is silent: its time is 3000 ms ahead of the guard's clock" in bench.notes[-1].text
    bench.tick()
    bench.feed(Request("arm"))
    assert "foot" not in bench.notes[-1].text


def test_a_time_far_behind_and_a_repeat_say_so() -> None:
    bench = Bench().active()
    for t_ns, seq, why in (
        (bench.now_ns - 3000 * MS, bench.stamp_seq + 1, "its time is 3000 ms behind the guard's clock"),
        (bench.now_ns, bench.stamp_seq, "it repeats an older one"),
        (bench.now_ns, 10**6, f"its number jumps from {bench.stamp_seq} to 1000000"),
    ):
        assert not feed(bench, t_ns, seq)
        assert bench.known.sensors["foot"].misfit == why
    stranger = SensorStamp(SESSION, "elbow", bench.now_ns, 1, True)
    assert misfit(bench.now_ns, stranger, bench.setup, bench.known) == "no sensor of this session"


def test_a_number_far_ahead_is_believed_when_the_next_confirms_it() -> None:
    bench = Bench().active()
    seq = bench.stamp_seq
    assert feed(bench, bench.now_ns, seq + JUMP_MAX)
    seq += JUMP_MAX
    assert not feed(bench, bench.now_ns, seq + JUMP_MAX + 1)
    assert not feed(bench, bench.now_ns, seq + JUMP_MAX + 1)  # the same again confirms nothing
    assert feed(bench, bench.now_ns, seq + JUMP_MAX + 2)
    assert len(bench.known.sensors["foot"].gaps_ns) == 2


def test_a_number_far_ahead_that_nothing_confirms_is_forgotten() -> None:
    bench = Bench().active()
    seq = bench.stamp_seq
    assert not feed(bench, bench.now_ns, UINT64)
    assert feed(bench, bench.now_ns, seq + 1)
    assert not feed(bench, bench.now_ns, seq + 100)
    assert not feed(bench, bench.now_ns, seq + 1)  # a repeat takes no doubt away
    assert feed(bench, bench.now_ns, seq + 101)


def test_the_first_number_there_is_may_be_any() -> None:
    bench = Bench()
    assert feed(bench, bench.now_ns, 10**6)
    restarted = Bench()
    assert feed(restarted, restarted.now_ns, 0)
    assert not feed(restarted, restarted.now_ns, JUMP_MAX + 1)
