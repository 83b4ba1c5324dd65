"""The judge at every boundary, one step each side, and under every float there is."""

from __future__ import annotations

import math
from dataclasses import replace
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from controller.safety.judgement import frame_check
from controller.safety.judgement.frame_check import (
    MS,
    Judgement,
    Level,
    Memory,
    Rules,
    SensorAge,
    Track,
    dose_uc,
    dosed,
    fresh_memory,
    judge,
    on_share,
    rested,
)
from controller.safety.judgement.limits import Ceiling, Layer, density_rms_ma_cm2, energy_mj, merge
from controller.safety.judgement.wire import BadFrame, Frame
from drivers.interface import ChannelCommand

NOW_NS = 10**12
STEP_NS = 5 * MS
LIMITS: dict[str, float] = {
    "current_max_ma": 40.0,
    "width_min_us": 50.0,
    "width_max_us": 400.0,
    "rate_min_hz": 10.0,
    "rate_max_hz": 50.0,
    "charge_max_uc": 14.0,
    "rise_max_ma_per_frame": 1.0,
    "rise_max_ma_per_250ms": 10.0,
    "train_max_s": 2.0,
    "dose_max_uc": 1000.0,
}


def rules(area_cm2: float = 25.0, channels: int = 1, **limits: float) -> Rules:
    effective = merge((Layer("session", LIMITS | limits),))
    return Rules(7, (area_cm2,) * channels, effective)


RULES = rules()


def at(current_ma: float, width_us: float = 300.0, rate_hz: float = 40.0) -> ChannelCommand:
    return ChannelCommand(current_ma, width_us, rate_hz)


def risen(current_ma: float, width_us: float = 300.0, rules: Rules = RULES) -> Memory:
    """A memory in which this level has been let through for longer than the rise window."""
    level = Level(NOW_NS - 1000 * MS, current_ma, current_ma * width_us * 1e-3)
    return Memory(tuple(Track(levels=(level,)) for _ in rules.areas_cm2))


def frame(*channels: ChannelCommand | None, seq: int = 1, t_ns: int = NOW_NS) -> Frame:
    return Frame(7, seq, t_ns, 60.0, channels)


def verdict(command: ChannelCommand | None, memory: Memory | None = None, rules: Rules = RULES) -> Judgement:
    memory = memory or risen(0.0 if command is None else command.current_ma, 300.0)
    return judge(NOW_NS, frame(command), (), rules, memory)[0]


def up(value: float) -> float:
    return math.nextafter(value, math.inf)


def down(value: float) -> float:
    return math.nextafter(value, -math.inf)


# --- static limits ---


@pytest.mark.parametrize(
    ("fine", "beyond", "limit"),
    [
        (at(40.0), at(up(40.0)), "current_max_ma 40 (session)"),
        (at(20.0, 50.0), at(20.0, down(50.0)), "width_min_us 50 (session)"),
        (at(20.0, 400.0), at(20.0, up(400.0)), "width_max_us 400 (session)"),
        (at(20.0, 300.0, 10.0), at(20.0, 300.0, down(10.0)), "rate_min_hz 10 (session)"),
        (at(20.0, 300.0, 50.0), at(20.0, 300.0, up(50.0)), "rate_max_hz 50 (session)"),
        (at(35.0, 400.0), at(35.01, 400.0), "charge_max_uc 14 (session)"),
    ],
)
def test_a_limit_lets_its_own_value_through_and_blocks_one_step_beyond(
    fine: ChannelCommand, beyond: ChannelCommand, limit: str
) -> None:
    memory = risen(50.0, 400.0)
    good = verdict(fine, memory)
    assert (good.verdict, good.channels, good.reason, good.limit) == ("ok", (fine,), "", "")
    bad = verdict(beyond, memory)
    assert (bad.verdict, bad.channels, bad.limit, bad.fault) == ("blocked", (None,), limit, None)
    assert limit in bad.reason
    assert bad.fresh


def test_energy_blocks_where_it_binds() -> None:
    # 2 * (40 mA)^2 * 500 ohm * 300 us = 0.48 mJ
    memory = risen(40.0)
    assert verdict(at(40.0), memory, rules(energy_max_mj=energy_mj(40.0, 300.0))).verdict == "ok"
    bad = verdict(at(40.0), memory, rules(energy_max_mj=0.479))
    assert (bad.verdict, bad.limit) == ("blocked", "energy_max_mj 0.479 (session)")


def test_density_counts_half_the_electrode() -> None:
    # 40 mA * sqrt(2 * 300 us * 40 Hz) = 6.1968 mA r.m.s.; over half of 6.2 cm2 just below 2 mA/cm2
    assert verdict(at(40.0), rules=rules(area_cm2=6.20)).verdict == "ok"
    bad = verdict(at(40.0), rules=rules(area_cm2=6.19))
    assert (bad.verdict, bad.limit) == ("blocked", "density_rms_max_ma_cm2 2 (compiled)")
    exact = density_rms_ma_cm2(40.0, 300.0, 40.0, 25.0)
    assert verdict(at(40.0), rules=rules(density_rms_max_ma_cm2=exact)).verdict == "ok"


def test_one_channel_beyond_a_limit_blocks_all() -> None:
    both = rules(channels=2)
    memory = risen(50.0, rules=both)
    bad, _ = judge(NOW_NS, frame(at(20.0), at(41.0)), (), both, memory)
    assert bad.channels == (None, None)
    assert "channel 1" in bad.reason
    good, _ = judge(NOW_NS, frame(at(20.0), None), (), both, memory)
    assert good.channels == (at(20.0), None)


# --- bursts ---


BURSTS = Rules(7, (25.0,), merge((Layer("session", {"rate_max_hz": 50.0}),), caps="exercise"))


def burst(
    current_ma: float, cycles: int = 8, width_us: float = 200.0, rate_hz: float = 50.0
) -> ChannelCommand:
    return ChannelCommand(current_ma, width_us, rate_hz, cycles)


def held(current_ma: float, cycles: int, width_us: float = 200.0) -> Memory:
    """Such bursts have been let through for longer than the rise window."""
    level = Level(NOW_NS - 1000 * MS, current_ma, cycles * current_ma * width_us * 1e-3)
    return Memory((Track(levels=(level,)),))


def burst_rules(area_cm2: float = 25.0, **limits: float) -> Rules:
    return Rules(7, (area_cm2,), merge((Layer("session", limits),), caps="exercise"))


def test_one_cycle_more_than_the_limit_is_blocked() -> None:
    eight = burst_rules(cycles_max=8)
    assert judge(NOW_NS, frame(burst(20.0)), (), eight, held(20.0, 8))[0].verdict == "ok"
    got, _ = judge(NOW_NS, frame(burst(20.0, 9)), (), eight, held(20.0, 9))
    assert (got.verdict, got.limit, got.fault) == ("blocked", "cycles_max 8 (session)", None)
    assert "a burst of 9 cycles" in got.reason
    assert verdict(replace(at(20.0), cycles=2)).limit == "cycles_max 1 (compiled)"  # in gait


@pytest.mark.parametrize(
    ("name", "exact", "area_cm2"),
    [
        ("energy_max_mj", energy_mj(20.0, 200.0, 8), 25.0),
        ("density_rms_max_ma_cm2", density_rms_ma_cm2(20.0, 200.0, 50.0, 25.0, 8), 25.0),
        ("dose_max_uc", 8 * 4.0, 25.0),
    ],
)
def test_a_limit_counts_all_cycles_of_a_burst(name: str, exact: float, area_cm2: float) -> None:
    memory = held(20.0, 8)
    fine = burst_rules(area_cm2, **{name: exact})
    assert judge(NOW_NS, frame(burst(20.0)), (), fine, memory)[0].verdict == "ok"
    got, _ = judge(NOW_NS, frame(burst(20.0)), (), burst_rules(area_cm2, **{name: down(exact)}), memory)
    assert (got.verdict, got.limit.split()[0]) == ("blocked", name)
    single = ChannelCommand(20.0, 200.0, 50.0)
    assert judge(NOW_NS, frame(single), (), burst_rules(**{name: down(exact)}), memory)[0].verdict == "ok"


def test_the_charge_limit_is_of_one_phase() -> None:
    memory = held(20.0, 8)
    assert judge(NOW_NS, frame(burst(20.0)), (), burst_rules(charge_max_uc=4.0), memory)[0].verdict == "ok"


@pytest.mark.parametrize("cycles", [-1, 0, 256])
def test_cycles_that_no_frame_can_carry_trip(cycles: int) -> None:
    got = verdict(replace(at(20.0), cycles=cycles))
    assert (got.verdict, got.fault) == ("blocked", "F7")
    assert f"cycles {cycles}, possible are 1 to 255" in got.reason
    assert verdict(replace(at(20.0, 20.0), cycles=255)).fault is None


def test_bursts_that_leave_no_pause_trip_and_single_pulses_never_do() -> None:
    # 10 cycles of 2 x 500 us last 10 ms: a whole period at 100 Hz
    got = verdict(ChannelCommand(1.0, 500.0, 100.0, 10))
    assert (got.fault, got.reason) == ("F7", "channel 0: bursts of 10000 us at 100 Hz leave no pause")
    assert verdict(ChannelCommand(1.0, 500.0, 99.9, 10)).fault is None
    assert verdict(ChannelCommand(1.0, 4000.0, 125.0, 1)).fault is None
    assert verdict(ChannelCommand(1.0, 4000.0, 125.0, 2)).fault == "F7"


def test_bursts_rise_as_pulses_do() -> None:
    pulses = run([(NOW_NS + i * STEP_NS, burst(60.0, 1)) for i in range(90)], BURSTS)
    bursts = run([(NOW_NS + i * STEP_NS, burst(60.0, 8)) for i in range(90)], BURSTS)
    assert currents(bursts) == currents(pulses)
    assert currents(bursts)[:3] == [1.0, 2.0, 3.0]


def test_more_cycles_at_the_same_current_are_a_rise_and_fewer_are_none() -> None:
    # 6 uC were given; a frame may add 1 mA of the widest pulse, 0.5 uC a cycle: (6 + 8 * 0.5) / (8 * 0.2)
    got, after = judge(NOW_NS, frame(burst(30.0, 8)), (), BURSTS, held(30.0, 1))
    assert got.channels[0] is not None
    assert (got.verdict, got.channels[0].cycles) == ("reduced", 8)
    assert got.channels[0].current_ma == pytest.approx(6.25)
    assert got.limit == "rise_max_ma_per_frame 1 (default)"
    assert after.tracks[0].risen_ns == NOW_NS - STEP_NS  # of 10 ms saved, a whole frame's time
    fewer, _ = judge(NOW_NS, frame(burst(30.0, 1)), (), BURSTS, held(30.0, 8))
    assert (fewer.verdict, fewer.channels) == ("ok", (burst(30.0, 1),))


# --- zero and off ---


def test_zero_in_gives_zero_out() -> None:
    for zero in (at(0.0), at(-0.0)):
        got = verdict(zero)
        assert got.verdict == "ok"
        assert got.channels[0] is not None
        assert got.channels[0].current_ma == 0.0


def test_off_stays_off() -> None:
    got = verdict(None)
    assert (got.verdict, got.channels) == ("ok", (None,))


# --- F7 ---


@pytest.mark.parametrize("bad", [math.nan, math.inf, -math.inf, -1.0, -5e-324])
@pytest.mark.parametrize("field", ["current_ma", "width_us", "rate_hz"])
def test_a_field_that_is_no_number_or_negative_trips(field: str, bad: float) -> None:
    got = verdict(replace(at(20.0), **{field: bad}))
    assert (got.verdict, got.channels, got.fault) == ("blocked", (None,), "F7")
    assert got.reason.startswith(f"channel 0: {field} ")


def test_a_channel_that_is_off_hides_no_other() -> None:
    both = rules(channels=2)
    memory = risen(50.0, rules=both)
    assert judge(NOW_NS, frame(None, at(math.nan)), (), both, memory)[0].fault == "F7"
    assert judge(NOW_NS, frame(None, at(41.0)), (), both, memory)[0].verdict == "blocked"
    assert judge(NOW_NS, frame(None, at(52.0)), (), both, fresh_memory(2))[0].channels == (None, None)
    reduced, _ = judge(NOW_NS, frame(None, at(5.0)), (), both, fresh_memory(2))
    assert reduced.channels == (None, at(1.0))


@pytest.mark.parametrize(("field", "top"), [("current_ma", 150.0), ("width_us", 4095.0), ("rate_hz", 2000.0)])
def test_beyond_any_stimulator_trips_and_up_to_it_blocks(field: str, top: float) -> None:
    assert verdict(replace(at(20.0), **{field: top})).fault is None
    assert verdict(replace(at(20.0), **{field: top})).verdict == "blocked"
    assert verdict(replace(at(20.0), **{field: up(top)})).fault == "F7"


@pytest.mark.parametrize("lifetime_ms", [math.nan, math.inf, -1.0, up(1000.0)])
def test_a_lifetime_that_is_none_trips(lifetime_ms: float) -> None:
    got, _ = judge(NOW_NS, replace(frame(None), lifetime_ms=lifetime_ms), (), RULES, fresh_memory(1))
    assert got.fault == "F7"


def test_the_longest_possible_lifetime_is_cut_to_the_frame_limit() -> None:
    long = replace(frame(None), lifetime_ms=1000.0)
    assert judge(NOW_NS + 60 * MS, long, (), RULES, fresh_memory(1))[0].verdict == "ok"
    assert judge(NOW_NS + 60 * MS + 1, long, (), RULES, fresh_memory(1))[0].verdict == "blocked"


@pytest.mark.parametrize("channels", [(), (None, None)])
def test_the_wrong_number_of_channels_trips(channels: tuple[None, ...]) -> None:
    assert judge(NOW_NS, frame(*channels), (), RULES, fresh_memory(1))[0].fault == "F7"


# --- F6 ---


def test_frames_out_of_order_are_dropped_and_the_third_within_a_second_trips() -> None:
    memory = fresh_memory(1)._replace(last_seq=5, last_t_ns=NOW_NS - MS)
    bad = (
        BadFrame("checksum does not match"),
        replace(frame(None, seq=6), session=8),
        frame(None, seq=5),
        frame(None, seq=6, t_ns=NOW_NS - MS - 1),
        frame(None, seq=6, t_ns=NOW_NS + MS + 1),
    )
    for one in bad:
        got, after = judge(NOW_NS, one, (), RULES, memory)
        assert (got.verdict, got.channels, got.fault, got.fresh) == ("blocked", (None,), None, False)
        assert got.reason
        assert after == memory._replace(bad_ns=(NOW_NS,), bad_total=1)
        for t_ns, fault in ((NOW_NS, None), (NOW_NS + 1000 * MS - 1, "F6")):
            got, after = judge(t_ns, bad[0], (), RULES, after)
            assert got.fault == fault
        assert after.bad_total == 3


def test_three_bad_frames_in_more_than_a_second_do_not_trip() -> None:
    memory = fresh_memory(1)
    for index in range(9):
        got, memory = judge(NOW_NS + index * 500 * MS, BadFrame("x"), (), RULES, memory)
        assert got.fault is None
    assert memory.bad_total == 9


def test_the_next_frame_at_the_edge_of_order_is_fine() -> None:
    memory = fresh_memory(1)._replace(last_seq=5, last_t_ns=NOW_NS)
    assert judge(NOW_NS, frame(None, seq=6, t_ns=NOW_NS), (), RULES, memory)[1].bad_total == 0
    assert judge(NOW_NS, frame(None, seq=900, t_ns=NOW_NS + MS), (), RULES, memory)[0].verdict == "ok"


def test_time_may_not_run_backwards_from_frame_to_frame() -> None:
    _, memory = judge(NOW_NS, frame(None, seq=1, t_ns=NOW_NS - MS), (), RULES, fresh_memory(1))
    got, _ = judge(NOW_NS, frame(None, seq=2, t_ns=NOW_NS - MS - 1), (), RULES, memory)
    assert got.reason == "frame 2 is older than the one before it"


def test_a_first_frame_may_have_any_number_from_0() -> None:
    got, memory = judge(NOW_NS, frame(None, seq=0), (), RULES, fresh_memory(1))
    assert got.verdict == "ok"
    assert memory.last_seq == 0
    assert not judge(NOW_NS, frame(None, seq=0), (), RULES, memory)[0].fresh


# --- lifetime ---


@pytest.mark.parametrize(("lifetime_ms", "ends_ms"), [(20.0, 20.0), (60.0, 60.0), (200.0, 60.0), (0.0, 0.0)])
def test_a_frame_ends_with_its_lifetime_and_never_later_than_the_limit(
    lifetime_ms: float, ends_ms: float
) -> None:
    one = replace(frame(at(1.0)), lifetime_ms=lifetime_ms)
    end_ns = NOW_NS + round(ends_ms * MS)
    assert judge(end_ns, one, (), RULES, fresh_memory(1))[0].verdict == "ok"
    got, _ = judge(end_ns + 1, one, (), RULES, fresh_memory(1))
    assert (got.verdict, got.channels, got.fault, got.fresh) == ("blocked", (None,), None, False)
    assert got.reason == f"frame is {ends_ms:.0f} ms old, it ends after {ends_ms:g} ms"


# --- F1, closed ---


@pytest.mark.parametrize(
    ("age_ms", "fault"), [(150.0, None), (up(150.0), "F1"), (math.inf, "F1"), (math.nan, "F1")]
)
def test_a_silent_sensor_is_named(age_ms: float, fault: str | None) -> None:
    ages = (SensorAge("foot", 0.0, 150.0), SensorAge("shank", age_ms, 150.0))
    got, _ = judge(NOW_NS, frame(at(1.0)), ages, RULES, fresh_memory(1))
    assert got.fault == fault
    if fault:
        assert (got.verdict, got.channels) == ("blocked", (None,))
        assert "shank" in got.reason
        assert "150 ms" in got.limit


def test_nothing_leaves_while_closed_and_asking_for_nothing_is_fine() -> None:
    silent = (SensorAge("foot", math.inf, 150.0),)
    got, _ = judge(NOW_NS, frame(at(1.0)), silent, RULES, fresh_memory(1), closed="guard is off")
    assert (got.verdict, got.reason, got.channels, got.fault) == ("blocked", "guard is off", (None,), None)
    got, _ = judge(NOW_NS, frame(None), silent, RULES, fresh_memory(1), closed="guard is off")
    assert (got.verdict, got.reason, got.fault) == ("ok", "nothing asked for", None)


# --- F8 ---


def run(levels: list[tuple[int, ChannelCommand | None]], rules: Rules = RULES) -> list[Judgement]:
    memory, out = fresh_memory(len(rules.areas_cm2)), []
    for seq, (t_ns, command) in enumerate(levels):
        judgement, memory = judge(t_ns, frame(command, seq=seq, t_ns=t_ns), (), rules, memory)
        out.append(judgement)
    return out


def currents(judgements: list[Judgement]) -> list[float]:
    return [0.0 if j.channels[0] is None else j.channels[0].current_ma for j in judgements]


def test_from_off_the_current_rises_by_the_frame_limit_then_by_the_window_limit() -> None:
    steps = run([(NOW_NS + i * STEP_NS, at(40.0)) for i in range(51)])
    assert currents(steps)[:12] == [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 10, 10]
    assert {step.verdict for step in steps} == {"reduced"}
    assert steps[0].limit == "rise_max_ma_per_frame 1 (session)"
    assert steps[10].limit == "rise_max_ma_per_250ms 10 (session)"
    assert "40 to 1 mA" in steps[0].reason
    assert currents(steps)[49:51] == [10, 11]  # 250 ms after the first milliampere


def turn(frames: list[tuple[int, int, ChannelCommand | None]], rules: Rules = RULES) -> list[Judgement]:
    """Frames by the guard's time and their own tick time."""
    memory, out = fresh_memory(len(rules.areas_cm2)), []
    for seq, (now_ns, t_ns, command) in enumerate(frames):
        judgement, memory = judge(now_ns, frame(command, seq=seq, t_ns=t_ns), (), rules, memory)
        out.append(judgement)
    return out


def test_sixty_frames_in_one_turn_of_the_guard_rise_no_more_than_two() -> None:
    free = rules(rise_max_ma_per_250ms=60.0)
    steps = turn([(NOW_NS, NOW_NS - (59 - i) * MS, at(40.0)) for i in range(60)], free)
    assert currents(steps) == [1.0] + [2.0] * 59
    assert {step.verdict for step in steps} == {"reduced"}
    assert steps[2].limit == "rise_max_ma_per_frame 1 (session)"
    soft = rules(rise_max_ma_per_frame=0.5)
    steps = turn([(NOW_NS, NOW_NS - (59 - i) * MS, at(40.0)) for i in range(60)], soft)
    assert currents(steps) == [0.5] + [1.0] * 59


@pytest.mark.parametrize("every_ms", [1.0, 2.5, 4.0, 5.0])
def test_the_current_rises_by_the_guards_time_however_many_frames_come(every_ms: float) -> None:
    free = rules(rise_max_ma_per_250ms=60.0)
    times = [NOW_NS + round(i * every_ms * MS) for i in range(round(100 / every_ms) + 1)]
    steps = turn([(t_ns, t_ns, at(40.0)) for t_ns in times], free)
    for t_ns, current_ma in zip(times, currents(steps), strict=True):
        assert current_ma <= 2.0 + (t_ns - times[0]) / (5 * MS) + 1e-9
    assert currents(steps)[-1] == pytest.approx(2.0 + 20.0 if every_ms < 5.0 else 21.0)


def test_slower_frames_rise_by_one_each_and_save_up_no_jump() -> None:
    slow = run([(NOW_NS + i * 20 * MS, at(10.0)) for i in range(8)])
    assert currents(slow) == [1, 2, 3, 4, 5, 6, 7, 8]
    held = [(NOW_NS + i * STEP_NS, at(1.0)) for i in range(100)]
    end_ns = NOW_NS + 99 * STEP_NS
    rise = [(end_ns + i * MS, at(10.0)) for i in range(1, 6)]
    assert currents(run(held + rise))[-5:] == pytest.approx([2.0, 3.0, 3.4, 3.6, 3.8])  # 10 ms are kept


def test_what_falls_gives_no_rise_back() -> None:
    times = [(NOW_NS + i * MS, at(40.0) if i % 2 else at(0.0)) for i in range(40)]
    let_out = currents(run(times))
    risen_ma = sum(max(0.0, after - before) for before, after in pairwise([0.0, *let_out]))
    assert risen_ma <= 2.0 + 39 / 5 + 1e-9


def test_frames_that_waited_for_a_guard_that_stood_still_are_judged_and_not_blocked() -> None:
    made = [NOW_NS + i * STEP_NS for i in range(40)]
    woken_ns = made[-1]
    before = [(t_ns, t_ns, at(float(min(i + 1, 10)))) for i, t_ns in enumerate(made[:30])]
    after = [(woken_ns, t_ns, at(10.0)) for t_ns in made[30:]]
    assert {step.verdict for step in turn(before + after)} == {"ok"}
    rising = [(woken_ns, t_ns, at(float(i + 1))) for i, t_ns in enumerate(made[30:])]
    steps = turn(rising)
    assert {step.verdict for step in steps} == {"ok", "reduced"}
    assert currents(steps) == [1.0] + [2.0] * 9


def test_frames_that_reach_the_guard_up_to_4_ms_late_may_rise_as_planned() -> None:
    # the core lets no rise be used more than 6 ms after its time: 1 ms after that of an even tick
    late_ns = (0, 4 * MS, 4 * MS, 0, 2 * MS, 4 * MS, 0, 4 * MS)
    frames = []
    for i in range(10):
        t_ns = NOW_NS + i * STEP_NS
        frames.append((t_ns + late_ns[i % 8], t_ns, at(float(i + 1))))
    assert {step.verdict for step in turn(frames)} == {"ok"}


def test_a_wider_pulse_uses_the_time_of_its_charge() -> None:
    # 20 mA from 100 to 120 us is 0.4 uC: as much as a whole tick allows, 1 mA at 400 us; two are kept
    memory = risen(20.0, 100.0)
    for seq, (width_us, let) in enumerate(((119.9, "ok"), (139.8, "ok"), (141.0, "reduced"))):
        got, memory = judge(
            NOW_NS, frame(at(20.0, width_us), seq=seq, t_ns=NOW_NS + (seq - 2) * MS), (), RULES, memory
        )
        assert got.verdict == let


def test_each_channel_has_a_rise_of_its_own() -> None:
    both = rules(channels=2)
    memory = fresh_memory(2)
    for seq, (first, second) in enumerate(((1.0, None), (2.0, 1.0), (2.0, 2.0))):
        one = frame(at(first), None if second is None else at(second), seq=seq, t_ns=NOW_NS + (seq - 3) * MS)
        got, memory = judge(NOW_NS, one, (), both, memory)
        assert got.verdict == "ok"
    got, _ = judge(NOW_NS, frame(at(2.1), at(2.1), seq=3), (), both, memory)
    assert got.channels == (at(2.0), at(2.0))


# --- F24 ---


@pytest.mark.parametrize(("gap_ns", "blocked"), [(0, True), (MS - 1, True), (MS, False)])
def test_a_frame_nearer_than_a_millisecond_to_the_one_before_is_blocked_and_feeds_nothing(
    gap_ns: int, blocked: bool
) -> None:
    _, memory = judge(NOW_NS, frame(at(1.0), seq=1, t_ns=NOW_NS - gap_ns), (), RULES, risen(1.0))
    got, after = judge(NOW_NS, frame(at(1.0), seq=2), (), RULES, memory)
    assert (got.verdict, got.fresh) == (("blocked", False) if blocked else ("ok", True))
    assert got.channels == ((None,) if blocked else (at(1.0),))
    assert got.fault is None
    assert after.last_seq == 2
    assert (after.close_ns == (NOW_NS,)) == blocked
    assert (after.tracks[0].levels[-1].current_ma == 0.0) == blocked  # the rise begins anew
    if blocked:
        assert got.reason == f"frame is {gap_ns / MS:.2f} ms from the one before it, at least 1 ms"


@pytest.mark.parametrize(("last_ms", "fault"), [(999.999, "F24"), (1000.0, None)])
def test_the_fourth_such_frame_within_a_second_trips(last_ms: float, fault: str | None) -> None:
    memory = fresh_memory(1)
    times = [NOW_NS, NOW_NS + 100 * MS, NOW_NS + 200 * MS, NOW_NS + round(last_ms * MS)]
    faults = []
    for number, t_ns in enumerate(times):
        _, memory = judge(t_ns, frame(None, seq=2 * number, t_ns=t_ns), (), RULES, memory)
        got, memory = judge(t_ns, frame(None, seq=2 * number + 1, t_ns=t_ns + MS - 1), (), RULES, memory)
        faults.append(got.fault)
    assert faults == [None, None, None, fault]


def test_exactly_the_allowed_rise_is_not_reduced_and_a_step_more_is() -> None:
    assert verdict(at(21.0), risen(20.0)).verdict == "ok"
    got = verdict(at(up(21.0)), risen(20.0))
    assert got.verdict == "reduced"
    assert got.channels == (at(21.0),)


def test_decreases_are_never_limited() -> None:
    for lower in (at(39.0), at(0.0), None, at(5e-324), at(40.0, 50.0)):
        got = verdict(lower, risen(40.0, 300.0))
        assert (got.verdict, got.channels) == ("ok", (lower,))


def test_after_off_the_rise_begins_again_from_zero() -> None:
    steps = run([(NOW_NS + i * STEP_NS, None if i == 8 else at(40.0)) for i in range(10)])
    assert currents(steps) == [1, 2, 3, 4, 5, 6, 7, 8, 0, 1]


def test_a_blocked_frame_counts_as_off() -> None:
    steps = run([(NOW_NS + i * STEP_NS, at(41.0 if i == 3 else 40.0)) for i in range(5)])
    assert currents(steps) == [1, 2, 3, 0, 1]


def test_a_wider_pulse_is_a_rise_too() -> None:
    # 1 mA at the widest 400 us is 0.4 uC per frame: at 100 us and 20 mA 2.0 uC, so 2.4 uC next
    got = verdict(at(20.0, 300.0), risen(20.0, 100.0))
    assert got.verdict == "reduced"
    assert got.channels[0] is not None
    assert got.channels[0].current_ma * 0.3 == pytest.approx(2.4)
    assert got.channels[0].width_us == 300.0
    assert verdict(at(20.0, 119.9), risen(20.0, 100.0)).verdict == "ok"


@given(
    st.lists(
        st.tuples(st.floats(0.1, 400.0), st.none() | st.tuples(st.floats(0, 40), st.floats(50, 350))),
        min_size=2,
        max_size=60,
    )
)
@settings(deadline=None)
def test_rise_holds_over_any_irregular_times(
    steps: list[tuple[float, tuple[float, float] | None]],
) -> None:
    t_ns, frames = NOW_NS, []
    for ms, command in steps:
        t_ns += round(ms * MS)
        frames.append((t_ns, None if command is None else at(*command)))
    free = rules(train_max_s=3.0, dose_max_uc=40_000.0)
    judgements = run(frames, free)
    times = [t for t, _ in frames]
    let_out = currents(judgements)
    for index, (now_ns, current_ma) in enumerate(zip(times, let_out, strict=True)):
        before = let_out[index - 1] if index else 0.0
        assert current_ma <= before + 1.0 + 1e-9
        inside = [let_out[k] for k in range(index) if times[k] > now_ns - 250 * MS]
        earlier = [let_out[k] for k in range(index) if times[k] <= now_ns - 250 * MS]
        low = min([*inside, earlier[-1] if earlier else 0.0])
        assert current_ma <= low + 10.0 + 1e-9
        for k in range(index):  # in force until the next one; two frames' rise and 1 mA in 5 ms
            assert current_ma <= let_out[k] + 2.0 + (now_ns - times[k + 1]) / (5 * MS) + 1e-6


# --- F9: train, dose ---


def test_a_train_is_blocked_at_its_limit_and_trips_a_second_later() -> None:
    steps = run([(NOW_NS + i * STEP_NS, at(1.0)) for i in range(602)])
    first = next(i for i, step in enumerate(steps) if step.verdict == "blocked")
    assert first == 401  # 400 * 5 ms is 2.000 s exactly, and still let through
    assert steps[first].limit == "train_max_s 2 (session)"
    assert steps[first].fault is None
    assert next(i for i, step in enumerate(steps) if step.fault) == 601
    assert steps[601].fault == "F9"


@pytest.mark.parametrize(("off_ms", "blocked"), [(99.0, True), (100.0, False)])
@pytest.mark.parametrize("pause", [None, at(0.0)])
def test_a_shorter_pause_does_not_begin_a_new_train(
    off_ms: float, blocked: bool, pause: ChannelCommand | None
) -> None:
    end_ns = NOW_NS + 2000 * MS
    steps = [
        (NOW_NS, at(1.0)),
        (NOW_NS + 10 * MS, pause),
    ]  # the guard's own watchdog is not part of the judge
    train = [(NOW_NS + i * STEP_NS, at(1.0)) for i in range(401)]
    after = [(end_ns + STEP_NS, pause), (end_ns + round(off_ms * MS), at(1.0))]
    assert run(train + after)[-1].verdict == ("blocked" if blocked else "ok")
    assert run([*steps, (NOW_NS + 120 * MS, pause), (NOW_NS + 125 * MS, at(1.0))])[-1].verdict == "ok"


def test_blocking_a_train_does_not_end_it() -> None:
    steps = run([(NOW_NS + i * STEP_NS, at(1.0)) for i in range(500)])
    assert {step.verdict for step in steps[401:]} == {"blocked"}


def test_a_phase_that_flickers_is_blocked_and_trips_before_ten_seconds_are_over() -> None:
    # 1.9 s on, 0.1 s off: each train lasts 1.895 s from its first to its last frame; four of them leave
    # 1.42 s of 9 s to the fifth, which begins at 8 s
    steps = run([(NOW_NS + i * STEP_NS, at(1.0) if i % 400 < 380 else None) for i in range(2400)])
    first = next(i for i, step in enumerate(steps) if step.verdict == "blocked")
    assert first == round((8.0 + 1.42) / 0.005) + 1
    assert steps[first].limit == "on_share_max 0.9 (compiled)"
    assert steps[first].fault == "F9"
    assert "current for 90.0% of 10 s" in steps[first].reason


@pytest.mark.parametrize(("more_ns", "blocked"), [(0, False), (1, True)])
@pytest.mark.parametrize("wanted", [at(1.0), at(0.0), None])
def test_the_share_of_ten_seconds_ends_at_its_limit(
    more_ns: int, blocked: bool, wanted: ChannelCommand | None
) -> None:
    early = (NOW_NS - 9500 * MS - more_ns, NOW_NS - 2500 * MS)
    trains = ((NOW_NS - 12_000 * MS, NOW_NS - 10_000 * MS), early, (NOW_NS - 2000 * MS, NOW_NS - 5 * MS))
    memory = Memory((Track(trains=trains),))
    got, after = judge(NOW_NS, frame(wanted), (), RULES, memory)
    on = wanted is not None and wanted.current_ma > 0.0
    assert got.fault == ("F9" if blocked and on else None)
    assert (got.verdict == "blocked") == (blocked and on)
    assert after.tracks[0].trains == ((early, (NOW_NS - 2000 * MS, NOW_NS)) if on else trains)


def test_a_channel_that_was_never_on_has_no_train() -> None:
    assert frame_check._train_s(Track()) == 0.0
    got = verdict(at(0.0, 401.0), fresh_memory(1))
    assert (got.verdict, got.fault) == ("blocked", None)


def test_the_share_counts_what_lies_within_ten_seconds() -> None:
    track = Track(
        trains=((NOW_NS - 12_000 * MS, NOW_NS - 9000 * MS), (NOW_NS - 2500 * MS, NOW_NS - 500 * MS))
    )
    window_ns = RULES.on_window_ns
    assert window_ns == 10_000 * MS
    assert on_share(track, NOW_NS, window_ns) == pytest.approx(0.3)
    assert on_share(track, NOW_NS + 1000 * MS, window_ns) == pytest.approx(0.2)
    assert on_share(track, NOW_NS + 9000 * MS, window_ns) == pytest.approx(0.05)
    assert on_share(track, NOW_NS + 9500 * MS, window_ns) == 0.0
    assert on_share(Track(), NOW_NS, window_ns) == 0.0
    assert on_share(track, NOW_NS, 20_000 * MS) == pytest.approx(0.25)


def test_an_exercises_window_is_its_own_and_named() -> None:
    two_minutes = replace(RULES, on_window_s=120.0)
    start_ns = NOW_NS - 119_000 * MS
    memory = Memory(
        (Track(trains=((start_ns, start_ns + 108_000 * MS), (NOW_NS - 5 * MS, NOW_NS - 5 * MS))),)
    )
    got, after = judge(NOW_NS, frame(at(1.0)), (), two_minutes, memory)
    assert got.verdict == "blocked"
    assert "current for 90.0% of 120 s is beyond on_share_max 0.9 (compiled)" in got.reason
    assert len(after.tracks[0].trains) == 2  # a train as old as that still counts
    assert judge(NOW_NS, frame(at(1.0)), (), RULES, memory)[0].verdict == "ok"


def test_one_channels_share_is_not_the_others() -> None:
    both = rules(channels=2)
    used = Track(trains=((NOW_NS - 9500 * MS, NOW_NS - 200 * MS),))
    memory = Memory((used, Track()))
    assert judge(NOW_NS, frame(None, at(1.0)), (), both, memory)[0].verdict == "ok"
    got, _ = judge(NOW_NS, frame(at(1.0), at(1.0)), (), both, memory)
    assert (got.fault, got.channels) == ("F9", (None, None))


def test_the_dose_blocks_and_trips_when_used_up() -> None:
    track = dosed(Track(), NOW_NS, 1000.0 - 0.3)
    memory = Memory((track,))
    assert judge(NOW_NS, frame(at(1.0)), (), RULES, memory)[0].verdict == "ok"  # 1 mA * 300 us = 0.3 uC
    got, _ = judge(NOW_NS, frame(at(1.0)), (), RULES, Memory((dosed(track, NOW_NS, 0.01),)))
    assert (got.verdict, got.fault, got.limit) == ("blocked", "F9", "dose_max_uc 1000 (session)")


@pytest.mark.parametrize(
    ("one", "ages", "closed"),
    [
        (frame(at(math.nan)), (), ""),
        (frame(at(20.0), t_ns=NOW_NS - 61 * MS), (), ""),
        (frame(at(20.0)), (), "guard is off"),
        (frame(at(20.0)), (SensorAge("foot", 151.0, 150.0),), ""),
        (frame(at(41.0)), (), ""),
        (frame(None), (), ""),
    ],
    ids=["F7", "too old", "closed", "F1", "beyond a limit", "off"],
)
def test_whatever_stops_the_current_the_next_rise_begins_from_zero_now(
    one: Frame, ages: tuple[SensorAge, ...], closed: str
) -> None:
    before = risen(20.0)
    got, after = judge(NOW_NS, one, ages, RULES, before, closed=closed)
    assert got.channels == (None,)
    assert after.tracks[0].levels == (*before.tracks[0].levels, Level(NOW_NS, 0.0, 0.0))
    again = judge(NOW_NS + STEP_NS, frame(None, seq=2, t_ns=NOW_NS + STEP_NS), (), RULES, after)[1]
    assert again.tracks == after.tracks  # off already


def test_another_current_or_another_charge_is_another_level() -> None:
    begun = risen(20.0, 300.0).tracks[0].levels
    for pulse in (at(20.0, 301.0), at(20.0, 200.0), at(15.0, 400.0)):  # the last has the same charge
        _, after = judge(NOW_NS, frame(pulse), (), RULES, risen(20.0, 300.0))
        level = Level(NOW_NS, pulse.current_ma, pulse.current_ma * pulse.width_us / 1e3)
        assert after.tracks[0].levels == (*begun, level)
    assert judge(NOW_NS, frame(at(20.0)), (), RULES, risen(20.0))[1].tracks[0].levels == begun


def test_the_dose_rolls_over_a_minute() -> None:
    track = dosed(dosed(Track(), NOW_NS, 3.0), NOW_NS + 30_000 * MS, 4.0)
    assert dose_uc(track, NOW_NS + 30_000 * MS) == 7.0
    assert dose_uc(track, NOW_NS + 59_999 * MS) == 7.0
    assert dose_uc(track, NOW_NS + 62_000 * MS) == 4.0
    assert dose_uc(track, NOW_NS + 92_000 * MS) == 0.0
    assert dosed(track, NOW_NS + 92_000 * MS, 5.0).doses == ((NOW_NS // 10**9 + 92, 5.0),)
    little = dosed(Track(), NOW_NS, 0.25)
    assert dose_uc(little, NOW_NS + 60_000 * MS) == 0.25
    assert dose_uc(little, NOW_NS + 61_000 * MS) == 0.0


def test_a_bin_counts_until_all_of_it_is_older_than_a_minute() -> None:
    track = dosed(Track(), NOW_NS + 900 * MS, 3.0)
    assert dose_uc(track, NOW_NS + 60_500 * MS) == 3.0  # 59.6 s ago
    assert dose_uc(dosed(track, NOW_NS + 60_500 * MS, 4.0), NOW_NS + 60_500 * MS) == 7.0
    assert dose_uc(track, NOW_NS + 60_999 * MS) == 3.0
    assert dose_uc(track, NOW_NS + 61_000 * MS) == 0.0


def test_a_channel_that_is_on_without_current_has_no_train() -> None:
    steps = run([(NOW_NS + i * STEP_NS, at(1.0 if i < 500 else 0.0)) for i in range(1100)])
    assert {step.verdict for step in steps[402:500]} == {"blocked"}
    assert {step.verdict for step in steps[500:]} == {"ok"}
    assert verdict(at(0.0), rules=rules(train_max_s=0.5)).verdict == "ok"


def test_pulses_of_one_second_share_a_bin() -> None:
    track = dosed(dosed(Track(), NOW_NS, 3.0), NOW_NS + 999 * MS, 4.0)
    assert track.doses == ((NOW_NS // 10**9, 7.0),)


@given(st.lists(st.tuples(st.floats(0, 5000), st.floats(0, 30)), max_size=80))
def test_the_dose_is_never_less_than_that_of_the_last_minute(pulses: list[tuple[float, float]]) -> None:
    t_ns, track, given_ = NOW_NS, Track(), []
    for ms, uc in pulses:
        t_ns += round(ms * MS)
        track = dosed(track, t_ns, uc)
        given_.append((t_ns, uc))
    assert dose_uc(track, t_ns) >= sum(uc for t, uc in given_ if t > t_ns - 60_000 * MS) - 1e-9
    assert dose_uc(track, t_ns) <= sum(uc for t, uc in given_ if t > t_ns - 61_000 * MS) + 1e-9
    assert len(track.doses) <= 62


def test_a_fresh_memory_keeps_nothing_but_the_trains_and_the_dose() -> None:
    old = (Track((Level(1, 2.0, 3.0),), 4, ((5, 6),), ((6, 7.0),)), Track())
    assert rested(old) == (Track(trains=((5, 6),), doses=((6, 7.0),)), Track())
    assert fresh_memory(2).tracks == (Track(), Track())


# --- ramp down ---


def test_the_falling_ceiling_reduces() -> None:
    got, _ = judge(NOW_NS, frame(at(30.0)), (), RULES, risen(30.0), ceiling=Ceiling("ramp down", (12.0,)))
    assert (got.verdict, got.channels, got.limit) == ("reduced", (at(12.0),), "ramp down")
    got, _ = judge(NOW_NS, frame(at(12.0)), (), RULES, risen(30.0), ceiling=Ceiling("ramp down", (12.0,)))
    assert got.verdict == "ok"


# --- whatever comes ---

any_float = st.floats(width=64)
sane = st.tuples(st.floats(0, 160), st.floats(0, 4200), st.floats(0, 2100))
wild = st.tuples(any_float, any_float, any_float)
some_channel = st.none() | st.builds(lambda parts: ChannelCommand(*parts), sane | wild)
some_frame = st.builds(
    Frame,
    st.sampled_from([7, 7, 7, 8]),
    st.integers(0, 50),
    st.integers(NOW_NS - 400 * MS, NOW_NS + 5 * MS),
    st.just(60.0) | any_float,
    st.lists(some_channel, min_size=1, max_size=3).map(tuple),
)


@given(st.lists(some_frame | st.just(BadFrame("x")), max_size=30), any_float)
@settings(deadline=None)
def test_whatever_comes_nothing_leaves_beyond_the_limits(
    frames: list[Frame | BadFrame], sensor_age_ms: float
) -> None:
    two = rules(area_cm2=8.0, channels=2)
    memory = fresh_memory(2)
    for index, one in enumerate(frames):
        now_ns = NOW_NS + index * STEP_NS
        ages = (SensorAge("foot", sensor_age_ms, 150.0),)
        judgement, memory = judge(now_ns, one, ages, two, memory)
        assert judgement.verdict == "ok" or judgement.reason
        assert len(judgement.channels) == 2
        for channel in judgement.channels:
            if channel is None:
                continue
            assert judgement.fault is None
            assert judgement.fresh
            assert sensor_age_ms <= 150.0
            assert 0.0 <= channel.current_ma <= min(40.0, 1.0 * (index + 1))
            assert 50.0 <= channel.width_us <= 400.0
            assert 10.0 <= channel.rate_hz <= 50.0
            assert channel.current_ma * channel.width_us <= 14_000.0 * (1 + 1e-12)
            rms_ma = channel.current_ma * math.sqrt(2e-6 * channel.width_us * channel.rate_hz)
            assert rms_ma / 4.0 <= 2.0 * (1 + 1e-12)


def test_the_constants_are_those_of_the_fault_table() -> None:
    assert frame_check.RISE_WINDOW_NS == 250 * MS
    assert (frame_check.BAD_FRAMES_TRIP, frame_check.BAD_WINDOW_NS) == (3, 1000 * MS)


def test_what_is_said_of_a_silent_sensor_names_why_its_last_sample_was_none() -> None:
    silent = SensorAge("foot", 155.4, 150.0)
    assert silent.words == "sensor foot: newest valid sample is 155 ms old"
    repeats = silent._replace(misfit="it repeats an older one")
    assert repeats.words == f"{silent.words}; the last was not taken, it repeats an older one"
