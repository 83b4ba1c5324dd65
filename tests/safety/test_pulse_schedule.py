"""The pulse schedule: on time, never twice, never caught up."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from controller.safety.judgement.frame_check import MS
from controller.safety.judgement.pulse_schedule import (
    Metronome,
    PulseOrder,
    beat,
    closest_ns,
    orders,
    quantised,
    written,
)
from drivers.interface import ChannelCommand
from tests.safety.rig import CAPABILITY

NOW_NS = 10**12
AT_40_HZ = ChannelCommand(20.0, 300.0, 40.0)
RATE_MAX_HZ = 50.0


def fired(times_ms: list[float], channel: ChannelCommand | None = AT_40_HZ) -> list[float]:
    metronome, out = Metronome(), []
    for ms in times_ms:
        fires, metronome = beat(NOW_NS + round(ms * MS), channel, metronome, RATE_MAX_HZ)
        if fires:
            out.append(ms)
    return out


def test_on_regular_ticks_the_pulses_keep_their_rate() -> None:
    assert fired([5.0 * i for i in range(41)]) == [0, 25, 50, 75, 100, 125, 150, 175, 200]


def test_a_rate_that_does_not_fit_the_ticks_is_kept_on_average() -> None:
    thirty = replace(AT_40_HZ, rate_hz=30.0)
    assert len(fired([5.0 * i for i in range(2000)], thirty)) == 300


def test_half_a_millisecond_early_fires_and_more_does_not() -> None:
    assert fired([0.0, 24.5]) == [0.0, 24.5]
    assert fired([0.0, 24.49, 25.0]) == [0.0, 25.0]


def test_an_early_or_late_pulse_does_not_shift_the_schedule() -> None:
    assert fired([0.0, 24.6, 49.7, 54.0, 74.8, 100.0]) == [0.0, 24.6, 49.7, 74.8, 100.0]
    assert fired([0.0, 29.0, 49.4, 50.0, 75.0]) == [0.0, 29.0, 50.0, 75.0]


def test_missed_pulses_are_not_caught_up() -> None:
    assert fired([0.0, *[200.0 + 5 * i for i in range(21)]]) == [0.0, 200.0, 225.0, 250.0, 275.0, 300.0]


def test_a_pulse_late_by_a_whole_period_begins_the_schedule_anew() -> None:
    assert fired([0.0, 50.0, 70.0, 75.0]) == [0.0, 50.0, 75.0]
    assert fired([0.0, 49.9, 70.0, 75.0]) == [0.0, 49.9, 70.0]


def test_no_channel_gives_a_pulse_before_it_is_due() -> None:
    after = (Metronome(NOW_NS, NOW_NS),)
    assert orders(NOW_NS + 5 * MS, (AT_40_HZ,), after, RATE_MAX_HZ, CAPABILITY) == ((), after)


def test_the_weakest_pulse_the_device_can_make_is_sent() -> None:
    weak = (ChannelCommand(0.5, 300.0, 40.0),)
    due, _ = orders(NOW_NS, weak, (Metronome(),), RATE_MAX_HZ, CAPABILITY)
    assert due == (PulseOrder(0, 0.5, 300.0),)


def test_a_burst_is_ordered_with_its_cycles() -> None:
    burst = (replace(AT_40_HZ, width_us=200.0, cycles=8),)
    due, _ = orders(NOW_NS, burst, (Metronome(),), RATE_MAX_HZ, CAPABILITY)
    assert due == (PulseOrder(0, 20.0, 200.0, 8),)


def test_two_pulses_are_never_closer_than_the_rate_limit_but_for_a_millisecond() -> None:
    assert fired([0.0, 44.0, 50.0, 62.999, 63.0]) == [0.0, 44.0, 63.0]


def varied(rates_hz: list[float], written_ms: float = 0.0) -> list[float]:
    """When pulses leave on ticks of 5 ms of these rates, each written so long after its tick."""
    metronomes, out = (Metronome(),), []
    for number, rate_hz in enumerate(rates_hz):
        now_ns = NOW_NS + number * 5 * MS
        due, metronomes = orders(
            now_ns, (replace(AT_40_HZ, rate_hz=rate_hz),), metronomes, RATE_MAX_HZ, CAPABILITY
        )
        if due:
            out.append(number * 5.0)
            metronomes = written(metronomes, 0, now_ns + round(written_ms * MS))
    return out


@pytest.mark.parametrize("written_ms", [0.0, 0.1, 1.0])
def test_a_doublet_at_the_rate_limit_leaves_as_asked_and_the_train_goes_on_from_its_second_pulse(
    written_ms: float,
) -> None:
    """20 ms, then 30 Hz: on ticks of 5 ms that is 20 + 33.3 ms and so on, never off by more than a tick."""
    leaves = varied([50.0] * 5 + [30.0] * 95, written_ms)
    ideal = [0.0, *(20.0 + 1000.0 / 30.0 * number for number in range(15))]
    assert leaves[:2] == [0.0, 20.0]
    assert [after - before for after, before in zip(leaves, ideal, strict=False)] == pytest.approx(
        [0.0, 0.0, *([1 + 2 / 3, 3 + 1 / 3, 0.0] * 5)[: len(leaves) - 2]]
    )


@pytest.mark.parametrize("written_ms", [0.0, 0.1, 1.0])
def test_a_train_at_the_rate_limit_keeps_it_though_each_pulse_is_written_after_its_tick(
    written_ms: float,
) -> None:
    assert varied([50.0] * 41, written_ms) == [20.0 * number for number in range(11)]


def test_a_pulse_written_later_than_that_moves_the_next_to_another_tick() -> None:
    assert varied([50.0] * 12, written_ms=1.01) == [0.0, 25.0, 50.0]


def test_a_train_whose_rate_falls_is_due_by_the_present_rate() -> None:
    """50 Hz for 100 ms, then 25 Hz: the pulse on its way waits for the longer period."""
    assert varied([50.0] * 21 + [25.0] * 20) == [0.0, 20.0, 40.0, 60.0, 80.0, 100.0, 140.0, 180.0]
    assert varied([25.0] * 11 + [50.0] * 10) == [0.0, 40.0, 60.0, 80.0, 100.0]


def test_a_pulse_written_late_keeps_the_next_of_its_channel_at_a_distance_and_no_other() -> None:
    judged = tuple(Metronome(NOW_NS, NOW_NS) for _ in range(3))
    late_ns = NOW_NS + 45 * MS
    after = written(judged, 1, late_ns)
    assert after == (judged[0], Metronome(NOW_NS, late_ns), judged[2])
    for ms, fires in ((50.0, False), (63.999, False), (64.0, True)):
        assert beat(NOW_NS + round(ms * MS), AT_40_HZ, after[1], RATE_MAX_HZ)[0] == fires


def test_the_closest_two_pulses_may_come_is_never_rounded_down() -> None:
    near_ns = MS
    assert [closest_ns(rate_hz) + near_ns for rate_hz in (50.0, 30.0, 100.0)] == [
        20 * MS,
        33_333_334,
        10 * MS,
    ]


def test_orders_keep_the_rate_limit_of_each_channel() -> None:
    late = (Metronome(NOW_NS, NOW_NS + 10 * MS), Metronome(NOW_NS, NOW_NS + 10 * MS - 1))
    due, _ = orders(NOW_NS + 30 * MS - MS - 1, (AT_40_HZ, AT_40_HZ), late, RATE_MAX_HZ, CAPABILITY)
    assert [pulse.channel for pulse in due] == [1]


def test_off_and_on_again_starts_at_once_but_not_sooner_than_the_rate_limit() -> None:
    fires, metronome = beat(NOW_NS, AT_40_HZ, Metronome(), RATE_MAX_HZ)
    assert fires
    fires, metronome = beat(NOW_NS + 5 * MS, None, metronome, RATE_MAX_HZ)
    assert not fires
    assert metronome == Metronome(None, NOW_NS)
    assert not beat(NOW_NS + 20 * MS - MS - 1, AT_40_HZ, metronome, RATE_MAX_HZ)[0]
    assert beat(NOW_NS + 19 * MS, AT_40_HZ, metronome, RATE_MAX_HZ)[0]


@given(
    st.lists(st.tuples(st.floats(0.01, 80.0), st.none() | st.floats(1.0, 50.0)), max_size=80),
    st.floats(20.0, 100.0),
)
def test_whatever_the_times_and_rates_no_two_pulses_are_too_close(
    steps: list[tuple[float, float | None]], rate_max_hz: float
) -> None:
    now_ns, last_ns, metronome = NOW_NS, None, Metronome()
    for ms, rate_hz in steps:
        now_ns += round(ms * MS)
        channel = None if rate_hz is None else replace(AT_40_HZ, rate_hz=min(rate_hz, rate_max_hz))
        fires, metronome = beat(now_ns, channel, metronome, rate_max_hz)
        assert not (fires and channel is None)
        if fires:
            assert last_ns is None or now_ns - last_ns >= 1e9 / rate_max_hz - MS
            last_ns = now_ns


@pytest.mark.parametrize(
    ("current_ma", "width_us", "expected"),
    [
        (20.0, 300.0, (20.0, 300.0)),
        (20.49, 300.99, (20.0, 300.0)),
        (20.5, 299.0, (20.5, 299.0)),
        (0.49, 300.0, (0.0, 300.0)),
    ],
)
def test_the_device_gets_no_more_than_was_judged(
    current_ma: float, width_us: float, expected: tuple[float, float]
) -> None:
    assert quantised(ChannelCommand(current_ma, width_us, 40.0), CAPABILITY) == expected


def test_a_step_that_does_not_divide_evenly_is_not_lost_to_rounding() -> None:
    tenth = replace(CAPABILITY, current_step_ma=0.1)
    current_ma, _ = quantised(ChannelCommand(0.3, 300.0, 40.0), tenth)
    assert current_ma == pytest.approx(0.3)


def test_a_pulse_too_weak_for_the_device_is_not_sent_but_keeps_its_place() -> None:
    channels = (ChannelCommand(0.4, 300.0, 40.0), AT_40_HZ, None)
    due, after = orders(NOW_NS, channels, (Metronome(),) * 3, RATE_MAX_HZ, CAPABILITY)
    assert due == (PulseOrder(1, 20.0, 300.0),)
    assert after == (Metronome(NOW_NS, NOW_NS), Metronome(NOW_NS, NOW_NS), Metronome())
