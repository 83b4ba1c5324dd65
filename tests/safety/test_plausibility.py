"""The plausibility monitor at its boundaries; ``test_walks.py`` has it on virtual patients."""

from __future__ import annotations

import math
import re

import pytest

from controller.safety.judgement import plausibility
from controller.safety.judgement.plausibility import (
    ACC_RANGE_MPS2,
    GYR_RANGE_RPS,
    LAG_MS,
    LAG_WINDOWS,
    PUSH_OFF_RAD,
    QUIET_RPS,
    RAILED,
    TRIP_STRIDES,
    WARN_STRIDES,
    WINDOW_S,
    Finding,
    Foot,
    Plausibility,
    Window,
    _filled,
    _lag_ms,
    _rotation,
    _turned,
    railed,
)
from controller.safety.judgement.wire import SensorStamp
from drivers.interface import Quat, Segment, Vec3

SEGMENTS: dict[str, Segment] = {"foot": "foot", "shank": "shank"}
HZ = 60.0
REST: Vec3 = (0.0, 0.0, 9.81)


def stamp(sensor: str, t_ns: int, acc: Vec3, gyr: Vec3, *, valid: bool = True) -> SensorStamp:
    return SensorStamp(7, sensor, t_ns, 1, valid, 1, (acc, gyr))


@pytest.mark.parametrize("bad", [math.nan, math.inf, -math.inf])
def test_what_is_no_number_is_railed(bad: float) -> None:
    assert railed(stamp("foot", 0, (bad, 0.0, 0.0), REST))
    assert railed(stamp("foot", 0, REST, (0.0, bad, 0.0)))


def test_full_scale_is_railed_and_a_hard_heel_strike_is_not() -> None:
    assert railed(stamp("foot", 0, REST, (0.0, 0.0, GYR_RANGE_RPS)))
    assert railed(stamp("foot", 0, (-ACC_RANGE_MPS2, 0.0, 0.0), REST))
    assert not railed(stamp("foot", 0, (0.9 * ACC_RANGE_MPS2, 0.0, 0.0), (0.9 * GYR_RANGE_RPS, 0.0, 0.0)))
    assert not railed(SensorStamp(7, "emg", 0, 1, True))


class Strider:
    """A foot on a bench: rests, lifts its heel, lifts its toes, and lies down again."""

    def __init__(self) -> None:
        self.monitor = Plausibility({"foot": "foot"}, 40.0)
        self.t_ns = 0
        self.found: list[Finding] = []

    def turn(self, rate_rps: float, seconds: float) -> None:
        for _ in range(round(seconds * HZ)):
            self.t_ns += round(1e9 / HZ)
            self.found += self.monitor.sample(stamp("foot", self.t_ns, REST, (0.0, rate_rps, 0.0)))

    def stride(self, lift_rad: float, pulses: int = 0, current_ma: float = 30.0) -> None:
        self.turn(0.0, 0.3)
        self.turn(3.0, 0.3)  # heel off: 0.9 rad toe down
        for _ in range(pulses):
            self.monitor.pulse(current_ma)
        self.turn(-3.0, 0.3 + lift_rad / 3.0)
        self.turn(3.0, lift_rad / 3.0)
        self.turn(0.0, 0.2)


def test_the_warning_comes_at_the_sixth_and_the_trip_at_the_tenth_stride_in_a_row() -> None:
    foot = Strider()
    foot.stride(0.1)
    for number in range(1, TRIP_STRIDES + 1):
        foot.stride(0.1, pulses=10)
        expected = (number >= WARN_STRIDES) + (number >= TRIP_STRIDES)
        assert len(foot.found) == expected, number
    assert [finding.kind for finding in foot.found] == ["warning", "trip"]


def test_one_stride_with_a_response_starts_the_count_anew() -> None:
    foot = Strider()
    foot.stride(0.1)
    for _ in range(WARN_STRIDES - 1):
        foot.stride(0.1, pulses=10)
    foot.stride(0.3, pulses=10)
    for _ in range(WARN_STRIDES - 1):
        foot.stride(0.1, pulses=10)
    assert foot.found == []


def test_a_person_who_arms_again_starts_the_count_anew() -> None:
    foot = Strider()
    foot.stride(0.1)
    for _ in range(WARN_STRIDES - 1):
        foot.stride(0.1, pulses=10)
    foot.monitor.armed()
    for _ in range(WARN_STRIDES - 1):
        foot.stride(0.1, pulses=10)
    assert foot.found == []


@pytest.mark.parametrize(("pulses", "current_ma"), [(4, 30.0), (10, 19.0)])
def test_weak_or_few_pulses_may_show_nothing(pulses: int, current_ma: float) -> None:
    foot = Strider()
    foot.stride(0.1)
    for _ in range(TRIP_STRIDES + 2):
        foot.stride(0.1, pulses, current_ma)
    assert foot.found == []


def test_without_a_stride_without_current_it_says_nothing() -> None:
    foot = Strider()
    for _ in range(TRIP_STRIDES + 2):
        foot.stride(0.1, pulses=10)
    assert foot.found == []


def test_a_gap_a_repeat_or_an_unknown_sensor_tells_nothing() -> None:
    foot = Strider()
    foot.stride(0.1)
    before = len(foot.monitor.without_rad)
    foot.turn(3.0, 0.3)
    foot.monitor.sample(stamp("foot", foot.t_ns, REST, (9.0, 9.0, 9.0)))
    foot.t_ns += 500_000_000
    foot.turn(-3.0, 0.4)
    foot.turn(0.0, 0.2)
    assert len(foot.monitor.without_rad) == before
    assert foot.monitor.sample(stamp("hand", foot.t_ns, REST, REST)) == ()
    assert foot.monitor.sample(SensorStamp(7, "foot", foot.t_ns, 1, True)) == ()
    assert foot.monitor.sample(stamp("foot", foot.t_ns + 1, REST, REST, valid=False)) == ()


def test_a_foot_without_any_acceleration_is_no_error() -> None:
    monitor = Plausibility({"foot": "foot"}, 40.0)
    foot = Strider()
    foot.monitor = monitor
    monitor.rests = [REST] * 3
    for _ in range(3):
        foot.stride(0.1)
    monitor._tilt((0.0, 0.0, 0.0))
    assert monitor.tilted == 1


def test_a_foot_that_only_wobbles_has_made_no_stride() -> None:
    foot = Strider()
    foot.turn(0.0, 0.3)
    foot.turn(1.0, 0.2)  # 0.2 rad: less than any push-off
    foot.turn(-1.0, 0.2)
    foot.turn(0.0, 0.2)
    assert (foot.found, foot.monitor.without_rad, foot.monitor.rests) == ([], [], [])


def test_no_turn_has_no_direction() -> None:
    assert _rotation((1.0, 0.0, 0.0, 0.0)) == (0.0, 0.0, 0.0)


def test_the_first_of_full_scale_is_railed() -> None:
    acc, gyr = RAILED * ACC_RANGE_MPS2, RAILED * GYR_RANGE_RPS
    for x, y, z in ((1.0, 0.0, 0.0), (0.0, -1.0, 0.0), (0.0, 0.0, 1.0)):
        assert railed(stamp("foot", 0, (acc * x, acc * y, acc * z), REST))
        assert railed(stamp("foot", 0, REST, (gyr * x, gyr * y, gyr * z)))


# --- two sensors compared, on a bench ---


def window(
    foot_rps: list[float], shank_rps: list[float], foot_acc: Vec3 = REST, shank_acc: Vec3 = REST
) -> tuple[Finding, ...]:
    """What a window of these rates brings to light at its end, which is 5 s after its first sample."""
    begin_ns = 10**10
    monitor = Plausibility(SEGMENTS, 40.0)
    for sensor, rates, acc in (("foot", foot_rps, foot_acc), ("shank", shank_rps, shank_acc)):
        for number, rate_rps in enumerate(rates):
            t_ns = begin_ns + number * 16_000_000
            assert monitor.sample(stamp(sensor, t_ns, acc, (0.0, rate_rps, 0.0))) == ()
    end_ns = begin_ns + round(WINDOW_S * 1e9)
    assert monitor.sample(stamp("foot", end_ns - 1, foot_acc, (0.0, 0.0, 3.0))) == ()  # counts as well
    return monitor.sample(stamp("foot", end_ns, REST, (0.0, 0.0, 0.0)))


SWAPPED = Finding("trip", "F21", "the sensor on the shank rests longer than the one on the foot: swapped?")


def test_a_shank_that_rests_more_than_twice_as_much_as_the_foot_is_swapped() -> None:
    assert window([0.1, 3.0, 3.0], [0.1, 0.1, 3.0]) == (SWAPPED,)  # two thirds against a quarter
    assert window([0.1, 3.0, 3.0], [0.1, 3.0]) == ()  # a half: just twice as much
    assert window([0.1, 0.1, 3.0], [0.1, 0.1, 3.0]) == ()


def test_who_does_not_walk_may_rest_as_they_like() -> None:
    assert window([0.1, 2.0, 2.0, 3.0], [0.1, 0.1, 0.1, 2.0]) == ()
    assert window([0.1, 2.0, 2.0, 3.0], [0.1, 0.1, 0.1, 2.1]) == (SWAPPED,)


def test_a_rate_at_the_limit_of_rest_is_no_rest() -> None:
    assert window([0.1, 3.0, 3.0], [QUIET_RPS, QUIET_RPS, 3.0]) == ()
    assert window([QUIET_RPS, 3.0, 3.0], [0.1, 3.0, 3.0, 3.0]) == (SWAPPED,)


@pytest.mark.parametrize(
    ("acc_mps2", "found"), [(6.99, True), (7.0, False), (17.0, False), (17.01, True)], ids=str
)
def test_what_is_gravity(acc_mps2: float, found: bool) -> None:
    shank = window([3.0] * 4, [3.0] * 4, shank_acc=(0.0, acc_mps2, 0.0))
    text = f"shank: {acc_mps2:.1f} m/s2 on average is not gravity"
    assert shank == ((Finding("trip", "F21", text),) if found else ())


def test_heel_strikes_do_not_hide_gravity() -> None:
    """A foot of a brisk walker has 19.7 m/s2 on average, and 9.8 to 15.5 in the middle of its samples."""
    strikes = [(0.0, 0.0, 9.81)] * 3 + [(0.0, 0.0, 90.0)] * 2
    monitor = Plausibility({"foot": "foot"}, 40.0)
    found: list[Finding] = []
    for number in range(700):
        found += monitor.sample(
            stamp("foot", 10**10 + number * PERIOD_NS, strikes[number % 5], (0.0, 3.0, 0.0))
        )
    assert found == []


# --- two sensors of one leg, window after window ---


PERIOD_NS = 16_000_000


def swing(t_s: float) -> float:
    """Rates of a shank in rad/s: 0.4 s of swing in every second, slower stance."""
    place = t_s % 1.0
    return (
        4.0 * math.sin(math.pi * place / 0.4) if 0.0 <= place < 0.4 else -1.5 * math.sin((place - 0.4) * 5.0)
    )


def leg(
    windows: int,
    ratio: float = 1.25,
    size: float = 1.0,
    lag_ms: float = 0.0,
    shank_acc: tuple[Vec3, ...] = (REST,),
) -> list[tuple[int, Finding]]:
    """What comes to light, by window of 5 s; the shank's samples are late by ``lag_ms``."""
    monitor = Plausibility(SEGMENTS, 40.0)
    begin_ns, found = 10**10, []
    for number in range(round((windows * WINDOW_S + 0.1) * 1e9) // PERIOD_NS):
        t_s = number * PERIOD_NS / 1e9
        grain = 1e-6 * number  # no two samples of a real sensor are alike
        acc = shank_acc[min(int(t_s // WINDOW_S), len(shank_acc) - 1)]
        for sensor, rate, force in (
            ("foot", ratio * size * swing(t_s) + grain, (grain, 0.0, 9.81)),
            ("shank", size * swing(t_s - lag_ms / 1e3) - grain, acc),
        ):
            sample = stamp(sensor, begin_ns + number * PERIOD_NS, force, (0.0, rate, 0.0))
            found += [(int(t_s // WINDOW_S), finding) for finding in monitor.sample(sample)]
    return found


def test_a_leg_that_walks_finds_nothing() -> None:
    assert leg(9) == []


@pytest.mark.parametrize(("ratio", "found"), [(0.83, True), (0.85, False), (1.66, False), (1.68, True)])
def test_a_ratio_of_foot_to_shank_that_no_leg_has_is_a_wrong_scale(ratio: float, found: bool) -> None:
    finding = Finding(
        "trip",
        "F21",
        f"the foot turns {ratio:.2f} times as fast as the shank, 0.84 to 1.67 is possible: "
        "the scale of a gyroscope is wrong",
    )
    assert leg(4, ratio) == ([(3, finding), (4, finding)] if found else [])


@pytest.mark.parametrize(
    ("ratio", "size", "found"), [(2.0, 0.6, True), (2.0, 0.24, False), (4.0, 0.26, True), (5.0, 0.24, False)]
)
def test_the_scale_is_judged_where_the_leg_moves(ratio: float, size: float, found: bool) -> None:
    """The faster of both at more than 2 rad/s, the slower at more than 1: a shank at half scale as well."""
    assert bool(leg(4, ratio, size)) == found


def test_the_scale_is_judged_over_windows_in_a_row_and_anew_after_arming() -> None:
    monitor = Plausibility(SEGMENTS, 40.0)
    wrong, right = Window(10, 0, 8.0, square_sum=90.0), Window(10, 0, 3.0, square_sum=40.0)
    other = Window(10, 0, 4.0, square_sum=20.0)
    assert monitor._scale(wrong, other) == monitor._scale(wrong, other) == []
    assert monitor._scale(right, other) == []
    assert monitor._scale(wrong, other) == monitor._scale(wrong, other) == []
    monitor.armed()
    assert monitor._scale(wrong, other) == monitor._scale(wrong, other) == []
    assert len(monitor._scale(wrong, other)) == 1
    assert len(monitor._scale(wrong, other)) == 1


@pytest.mark.parametrize(
    ("lag_ms", "late"),
    [(-64.0, "foot"), (-40.0, ""), (0.0, ""), (60.0, ""), (96.0, "shank"), (192.0, "shank")],
)
def test_a_sensor_that_lags_behind_the_other_is_late(lag_ms: float, late: str) -> None:
    found = leg(5, lag_ms=lag_ms)
    assert [number for number, _ in found] == ([5] if late else [])
    if late:
        words = re.fullmatch(
            r"the samples of the (\w+) come (\d+) ms after those of the (\w+): a late link\?",
            found[0][1].text,
        )
        assert words is not None
        assert words[1] == late
        assert abs(float(words[2]) - abs(lag_ms)) <= 20.0
        assert {words[1], words[3]} == {"foot", "shank"}
        assert found[0][1].fault == "F21"


def test_one_window_that_errs_is_outvoted_and_arming_counts_anew() -> None:
    monitor = Plausibility(SEGMENTS, 40.0)
    monitor.lags_ms = [0.0, 200.0, 0.0, 200.0]
    even = Window(10, 0, 3.0, rates={0: 1.0, 1: 3.0, 2: 2.0})
    assert monitor._lag(even, even) == []
    assert monitor.lags_ms == [0.0, 200.0, 0.0, 200.0, 0.0]
    monitor.lags_ms = [200.0, 0.0, 0.0, 200.0, 200.0]
    assert monitor._lag(even, even) == []
    assert monitor.lags_ms == [0.0, 0.0, 200.0, 200.0, 0.0]
    monitor.lags_ms = [0.0, 200.0, 200.0, 200.0, 200.0]
    assert len(monitor._lag(even, even)) == 1
    monitor.armed()
    assert monitor.lags_ms == []


def test_rates_without_any_change_have_no_lag() -> None:
    assert _lag_ms({0: 3.0}, {0: 2.0}) == 0.0


def test_what_a_window_holds_is_what_came() -> None:
    monitor = Plausibility(SEGMENTS, 40.0)
    for number in range(3):
        t_ns = 10**10 + number * 20_000_000 - (number > 0)
        monitor.sample(stamp("shank", t_ns, (1.0, 2.0, 3.0), (0.0, 2.0, 0.0)))
    window = monitor.windows["shank"]
    assert (window.samples, window.square_sum, window.acc_vector) == (3, 12.0, (3.0, 6.0, 9.0))
    assert window.rates == {0: 2.0, 1: 2.0}  # a bin begins at its first nanosecond


@pytest.mark.parametrize(
    ("slower_rps", "faster_rps", "judged"), [(1.0, 5.0, 0), (1.5, 2.0, 0), (1.5, 2.5, 1)]
)
def test_at_its_limit_a_leg_does_not_move(slower_rps: float, faster_rps: float, judged: int) -> None:
    monitor = Plausibility(SEGMENTS, 40.0)
    for sensor, rate_rps in (("foot", faster_rps), ("shank", slower_rps)):
        monitor.sample(stamp(sensor, 10**10, REST, (0.0, rate_rps, 0.0)))
    monitor._windowed()
    assert len(monitor.lags_ms) == judged


@pytest.mark.parametrize("lag_ms", LAG_MS)
def test_a_lag_at_its_limit_is_borne(lag_ms: float) -> None:
    monitor = Plausibility(SEGMENTS, 40.0, lags_ms=[lag_ms] * LAG_WINDOWS)
    even = Window(10, 0, 3.0, rates={0: 1.0, 1: 3.0, 2: 2.0})
    monitor.lags_ms = [lag_ms] * (LAG_WINDOWS - 1)
    assert monitor._lag(even, even) == []


def test_a_late_sensor_trips() -> None:
    assert {finding.kind for _, finding in leg(5, lag_ms=96.0)} == {"trip"}


def test_a_lag_is_looked_for_as_far_as_200_ms_and_no_further() -> None:
    first = {index: float(index == 100) for index in range(250)}
    for lag, seen_ms in ((10, 200.0), (-10, -200.0)):
        assert _lag_ms(first, {index: float(index == 100 + lag) for index in range(250)}) == seen_ms
    beyond = {index: float(index == 111) for index in range(250)}
    assert _lag_ms(first, beyond) == 0.0


def test_a_bin_without_a_sample_has_the_rate_before() -> None:
    filled = _filled({2: 4.0, 4: 1.0, 5: 1.0})
    assert filled[:7] == [0.0, 0.0, 2.0, 2.0, -1.0, -1.0, -1.0]
    assert len(filled) == 250


def same(count: int, others: int) -> list[Finding]:
    monitor = Plausibility(SEGMENTS, 40.0)
    common = {((float(number), 0.0, 0.0), REST) for number in range(count)}
    own = {((float(number), 1.0, 0.0), REST) for number in range(others)}
    monitor.windows = {"foot": Window(motions=common | own), "shank": Window(motions=set(common))}
    more = {((float(number), 2.0, 0.0), REST) for number in range(others)}
    monitor.windows["shank"].motions |= more
    return monitor._same()


@pytest.mark.parametrize(
    ("count", "others", "found"), [(19, 0, False), (20, 0, True), (20, 20, True), (20, 21, False)]
)
def test_two_sensors_that_say_the_same_are_one(count: int, others: int, found: bool) -> None:
    """Half of the fewer values of both, and twenty at least."""
    text = "foot and shank deliver the same values: one device under two names"
    assert same(count, others) == ([Finding("trip", "F21", text)] if found else [])


def test_one_device_under_two_names_is_found_in_the_first_window() -> None:
    monitor = Plausibility({"foot": "foot", "emg": "shank"}, 40.0)
    found: list[Finding] = []
    for number in range(400):
        t_ns = 10**10 + number * PERIOD_NS
        motion = ((0.001 * number, 0.0, 9.81), (0.0, swing(number * 0.016), 0.0))
        for sensor in ("foot", "emg"):
            found += monitor.sample(stamp(sensor, t_ns, *motion))
    assert [finding.text for finding in found if "same" in finding.text] == [
        "emg and foot deliver the same values: one device under two names"
    ]


@pytest.mark.parametrize(("angle_deg", "found"), [(44.0, False), (46.0, True), (180.0, True)])
def test_a_shank_that_has_turned_since_the_first_steps_is_loose(angle_deg: float, found: bool) -> None:
    seats = (REST, REST, REST, tilted(angle_deg), REST, *[tilted(angle_deg)] * 3)
    finding = Finding(
        "trip", "F21", f"the shank's sensor has turned by {angle_deg:.0f} deg since the first steps: loose?"
    )
    assert leg(8, 1.5, shank_acc=seats) == ([(7, finding), (8, finding)] if found else [])


def test_after_arming_the_shanks_first_steps_count_again() -> None:
    monitor = Plausibility(SEGMENTS, 40.0)
    for angle_deg in (0.0, 0.0, 0.0, 60.0):
        assert monitor._upright(tilted(angle_deg)) == []
    monitor.armed()
    for angle_deg in (60.0, 60.0, 60.0, 120.0):
        assert monitor._upright(tilted(angle_deg)) == []
    assert len(monitor._upright(tilted(120.0))) == 1


# --- one foot, sample by sample ---


def test_a_sample_that_came_twice_does_not_end_a_rest() -> None:
    foot = Strider()
    foot.turn(0.0, 0.05)
    since_ns = foot.monitor.quiet_ns
    assert since_ns is not None
    foot.monitor.sample(stamp("foot", foot.t_ns, REST, (0.0, 5.0, 0.0)))
    assert foot.monitor.quiet_ns == since_ns


@pytest.mark.parametrize(("gap_ns", "known"), [(100_000_000, False), (99_999_999, True)])
def test_after_a_tenth_of_a_second_without_a_sample_the_way_is_not_known(gap_ns: int, known: bool) -> None:
    foot = Strider()
    foot.turn(0.0, 0.05)
    foot.turn(3.0, 0.1)
    foot.monitor.sample(stamp("foot", foot.t_ns + gap_ns, REST, (0.0, 3.0, 0.0)))
    assert (foot.monitor.foot != Foot()) == known


def test_a_foot_that_turns_at_the_limit_of_rest_does_not_rest() -> None:
    foot = Strider()
    foot.turn(QUIET_RPS, 0.2)
    assert foot.monitor.quiet_ns is None


@pytest.mark.parametrize(("rest_ns", "judged"), [(79_999_999, 0), (80_000_000, 1)])
def test_a_rest_of_80_ms_ends_a_stride(rest_ns: int, judged: int) -> None:
    foot = Strider()
    foot.turn(0.0, 0.1)
    foot.turn(3.0, 0.3)
    foot.turn(-3.0, 0.3)
    for t_ns in (1, rest_ns + 1):
        foot.monitor.sample(stamp("foot", foot.t_ns + t_ns, REST, (0.0, 0.0, 0.0)))
    assert len(foot.monitor.without_rad) == judged


def test_a_heel_that_has_hardly_come_down_again_has_made_no_stride() -> None:
    foot = Strider()
    foot.turn(0.0, 0.3)
    foot.turn(6.0, 4 / HZ)  # 0.4 rad
    foot.turn(-3.0, 1 / HZ)  # 0.35 rad, still seven eighths of it
    foot.turn(0.0, 0.2)
    assert foot.monitor.without_rad == []


def test_the_lift_is_the_most_the_toes_rise_over_the_flat_foot() -> None:
    foot = Strider()
    foot.stride(0.25)
    assert foot.monitor.without_rad == [pytest.approx(0.25, abs=3.0 / HZ)]


def tilted(angle_deg: float) -> Vec3:
    angle = math.radians(angle_deg)
    return 9.81 * math.sin(angle), 0.0, 9.81 * math.cos(angle)


def test_three_strides_in_a_row_that_rest_askew_are_a_loose_sensor() -> None:
    monitor = Plausibility({"foot": "foot"}, 40.0)
    loose = Finding("trip", "F21", "the foot's sensor lies 30 deg from where it lay at first: loose?")
    rests = [0.0, 0.0, 0.0, 30.0, 30.0, 24.0, 30.0, 30.0]  # a stair between
    assert [monitor._tilt(tilted(angle_deg)) for angle_deg in rests] == [()] * 8
    assert monitor._tilt(tilted(30.0)) == (loose,)
    assert monitor._tilt(tilted(30.0)) == (loose,)


def test_after_arming_the_first_three_rests_count_again() -> None:
    monitor = Plausibility({"foot": "foot"}, 40.0)
    for angle_deg in (0.0, 0.0, 0.0, 30.0, 30.0):
        assert monitor._tilt(tilted(angle_deg)) == ()
    monitor.armed()
    for angle_deg in (30.0, 30.0, 30.0, 60.0, 60.0):
        assert monitor._tilt(tilted(angle_deg)) == ()
    assert len(monitor._tilt(tilted(60.0))) == 1


ROUNDED: tuple[Vec3, ...] = ((0.83, 8.78, -2.38), (-6.54, 0.98, 4.06))


def test_rounding_never_makes_an_angle_impossible() -> None:
    """The cosine of these with themselves is a rounding error above one."""
    for rest in ROUNDED:
        monitor = Plausibility({"foot": "foot"}, 40.0, rests=[rest] * 3)
        assert monitor._tilt(rest) == ()
        x, y, z = rest
        assert monitor._tilt((-x, -y, -z)) == ()
        assert monitor.tilted == 1


@pytest.mark.parametrize(("pulses", "current_ma"), [(5, 30.0), (10, 20.0)])
def test_five_pulses_of_half_the_limit_have_to_show_something(pulses: int, current_ma: float) -> None:
    foot = Strider()
    foot.stride(0.1)
    for _ in range(WARN_STRIDES):
        foot.stride(0.1, pulses, current_ma)
    text = "6 strides lifted the toes 0 deg more than those without current"
    assert foot.found == [Finding("warning", "F17", text)]
    for _ in range(TRIP_STRIDES - WARN_STRIDES):
        foot.stride(0.1, pulses, current_ma)
    assert foot.found[1:] == [Finding("trip", "F17", text.replace("6", "10"))]


def test_a_stride_that_lifts_the_toes_is_an_answer_and_says_by_how_much() -> None:
    foot = Strider()
    foot.stride(0.1)
    foot.stride(0.3)
    foot.stride(0.2)  # the median of those without
    for count in (1, 2):
        foot.stride(0.4, pulses=10)
        assert foot.monitor.answers == count
        assert foot.monitor.gain_deg == pytest.approx(math.degrees(0.2), abs=math.degrees(3.0 / HZ))
    foot.stride(0.4)
    foot.stride(0.2, pulses=10)
    assert foot.monitor.answers == 2


# --- turning ---


def rotated(turn: Quat, vector: Vec3) -> Vec3:
    """``vector`` by the rotation matrix of a unit quaternion (Diebel 2006, eq. 125)."""
    w, x, y, z = turn
    matrix = (
        (1 - 2 * (y * y + z * z), 2 * (x * y - w * z), 2 * (x * z + w * y)),
        (2 * (x * y + w * z), 1 - 2 * (x * x + z * z), 2 * (y * z - w * x)),
        (2 * (x * z - w * y), 2 * (y * z + w * x), 1 - 2 * (x * x + y * y)),
    )
    a, b, c = (math.fsum(p * q for p, q in zip(row, vector, strict=True)) for row in matrix)
    return a, b, c


IDENTITY: Quat = (1.0, 0.0, 0.0, 0.0)
TURNS: tuple[Quat, ...] = (
    IDENTITY,
    (0.5, 0.5, 0.5, 0.5),
    (0.1, 0.7, -0.1, 0.7),
    (0.5, -0.7, 0.5, -0.1),
)


@pytest.mark.parametrize("turn", TURNS)
@pytest.mark.parametrize("gyr", [(1.0, 0.0, 0.0), (0.0, 1.0, 0.0), (0.0, 0.0, 1.0), (1.0, -2.0, 3.0)])
def test_a_turn_is_that_of_a_rigid_body_and_stays_one(turn: Quat, gyr: Vec3) -> None:
    """In its own axes the body turns by gyr x vector a second; the rest is of second order."""
    passed_s = 1e-5
    after = _turned(turn, gyr, passed_s)
    assert math.hypot(*after) == pytest.approx(1.0, abs=1e-15)
    for vector in ((1.0, 0.0, 0.0), (0.0, 1.0, 0.0), (0.0, 0.0, 1.0)):
        (a, b, c), (p, q, r) = gyr, vector
        moved = (
            p + passed_s * (b * r - c * q),
            q + passed_s * (c * p - a * r),
            r + passed_s * (a * q - b * p),
        )
        assert rotated(after, vector) == pytest.approx(rotated(turn, moved), abs=1e-8)


def test_long_turning_ends_where_it_has_to() -> None:
    turn = IDENTITY
    for _ in range(1000):
        turn = _turned(turn, (0.0, 2.0, 0.0), 0.001)
    assert _rotation(turn) == pytest.approx((0.0, 2.0, 0.0), abs=1e-3)


def test_the_rotation_vector_is_that_of_the_quaternion_whatever_its_sign() -> None:
    half = 0.25
    quaternion = (math.cos(half), 0.6 * math.sin(half), 0.0, -0.8 * math.sin(half))
    w, x, y, z = quaternion
    assert _rotation((w, x, y, z)) == pytest.approx((0.3, 0.0, -0.4))
    assert _rotation((-w, -x, -y, -z)) == pytest.approx((0.3, 0.0, -0.4))


# --- at the limit itself: dyadic numbers, so that a tie is a tie on any machine ---


HALF_TURN: Quat = (0.0, 1.0, 0.0, 0.0)  # pi about x


def test_of_two_equal_turns_the_first_is_the_end_of_push_off() -> None:
    monitor = Plausibility(SEGMENTS, 40.0, foot=Foot(HALF_TURN, down=(0.0, math.pi, 0.0)))
    monitor._swing()
    assert monitor.foot.down == (0.0, math.pi, 0.0)


@pytest.mark.parametrize(("down_rad", "lifted"), [(PUSH_OFF_RAD, False), (2 * PUSH_OFF_RAD, True)])
def test_a_push_off_is_more_than_its_limit(down_rad: float, lifted: bool) -> None:
    monitor = Plausibility(SEGMENTS, 40.0, foot=Foot(IDENTITY, down=(down_rad, 0.0, 0.0)))
    monitor._swing()
    assert (monitor.foot.lift_rad is not None) == lifted


@pytest.mark.parametrize(("share", "lifted"), [(math.pi / 4, False), (math.pi / 4 + 2**-10, True)])
def test_the_foot_comes_up_below_its_share_of_the_push_off(
    share: float, lifted: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(plausibility, "PAST_PUSH_OFF", share)
    monitor = Plausibility(SEGMENTS, 40.0, foot=Foot(HALF_TURN, down=(4.0, 0.0, 0.0)))
    monitor._swing()
    assert (monitor.foot.lift_rad is not None) == lifted


RIGHT_DEG = 90.0  # of x and y, and of a vector with nothing: the arc cosine of nought
X: Vec3 = (1.0, 0.0, 0.0)
Y: Vec3 = (0.0, 1.0, 0.0)


@pytest.mark.parametrize(("limit_deg", "counted"), [(RIGHT_DEG, 0), (RIGHT_DEG - 2**-10, 1)])
def test_a_sensor_askew_by_the_limit_itself_is_in_its_place(
    limit_deg: float, counted: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(plausibility, "LOOSE_DEG", limit_deg)
    monkeypatch.setattr(plausibility, "TURNED_DEG", limit_deg)
    monitor = Plausibility(SEGMENTS, 40.0, rests=[X] * 3, uprights=[X] * 3)
    monitor._tilt(Y)
    monitor._upright(Y)
    assert (monitor.tilted, monitor.turned) == (counted, counted)


@pytest.mark.parametrize(
    ("square_sum", "counted"), [(0.25, 0), (0.25 - 2**-20, 1), (4.0, 0), (4.0 + 2**-20, 1)]
)
def test_a_ratio_at_its_limit_is_possible(
    square_sum: float, counted: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(plausibility, "TURN_RATIO", (0.5, 2.0))
    monitor = Plausibility(SEGMENTS, 40.0)
    monitor._scale(Window(1, square_sum=square_sum), Window(1, square_sum=1.0))
    assert monitor.scaled == counted


@pytest.mark.parametrize(("lift_rad", "answers"), [(1.0, 1), (1.0 - 2**-20, 0)])
def test_a_lift_of_just_the_limit_is_an_answer(
    lift_rad: float, answers: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(plausibility, "RESPONSE_DEG", math.degrees(0.5))
    monitor = Plausibility(SEGMENTS, 40.0, without_rad=[0.5])
    monitor._response(Foot(pulses=5, peak_ma=20.0), lift_rad)
    assert monitor.answers == answers


def test_it_has_measured_once_a_stride_without_current_is_over_and_without_a_foot_never_has_to() -> None:
    foot = Strider()
    for pulses in (10, 1):
        foot.stride(0.2, pulses=pulses)
        assert not foot.monitor.measured
    foot.stride(0.2)
    assert foot.monitor.measured
    assert Plausibility({"shank": "shank"}, 40.0).measured
    assert not Plausibility(SEGMENTS, 40.0).measured
