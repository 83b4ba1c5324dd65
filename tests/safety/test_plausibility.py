"""The plausibility monitor at its boundaries; ``test_walks.py`` has it on virtual patients."""

from __future__ import annotations

import math

import pytest

from controller.safety.frames import SensorStamp
from controller.safety.plausibility import (
    ACC_RANGE_MPS2,
    GYR_RANGE_RPS,
    QUIET_RPS,
    RAILED,
    TRIP_STRIDES,
    WARN_STRIDES,
    WINDOW_S,
    Finding,
    Foot,
    Plausibility,
    _rotation,
    _turned,
    railed,
)
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
    ("acc_mps2", "found"), [(6.99, True), (7.0, False), (14.0, False), (14.01, True)], ids=str
)
def test_what_is_gravity(acc_mps2: float, found: bool) -> None:
    shank = window([3.0] * 4, [3.0] * 4, shank_acc=(0.0, acc_mps2, 0.0))
    text = f"shank: {acc_mps2:.1f} m/s2 on average is not gravity"
    assert shank == ((Finding("trip", "F21", text),) if found else ())


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
