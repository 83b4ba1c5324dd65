"""The plausibility monitor: on virtual patients with and without faults, and at its boundaries."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace
from functools import cache

import pytest

from controller.config import core_params, load_session
from controller.demo import DEMO_SESSION
from controller.rehearsal import EPOCH_NS, Rehearsal
from controller.safety.frames import SensorStamp
from controller.safety.plausibility import (
    ACC_RANGE_MPS2,
    GYR_RANGE_RPS,
    TRIP_STRIDES,
    WARN_STRIDES,
    Finding,
    Plausibility,
    _rotation,
    railed,
)
from drivers.interface import ImuSample, Segment, Vec3
from models.cohort import cohort_patient
from models.patient import VirtualPatient

SECONDS = 45.0
LOSS_S = 20.0
SEGMENTS: dict[str, Segment] = {"foot": "foot", "shank": "shank"}
HZ = 60.0
REST: Vec3 = (0.0, 0.0, 9.81)
Change = Callable[[ImuSample], ImuSample]


@cache
def walked(number: int, loss_s: float) -> tuple[list[ImuSample], list[tuple[float, float, float]]]:
    """Samples and pulses of a cohort patient under the demo's trapezoid; no current after ``loss_s``."""
    member = cohort_patient(number)
    params = core_params(load_session(DEMO_SESSION), "trapezoid")
    threshold_ma = member.params.recruitment.i50_ma * member.params.electrode_gain
    params = replace(
        params,
        placements=tuple(replace(place, side=member.params.side) for place in params.placements),
        envelope=replace(
            params.envelope, current_ma=min(1.3 * threshold_ma, 0.95 * member.params.comfort_ma)
        ),
        pulse=replace(params.pulse, current_max_ma=member.params.comfort_ma),
    )
    patient = VirtualPatient(member.params, member.seed, member.schedule(SECONDS))
    samples: list[ImuSample] = []

    def keep(sample: ImuSample) -> ImuSample:
        samples.append(sample)
        return sample

    rehearsal = Rehearsal(params, patient, keep)
    rehearsal.walk(min(loss_s, SECONDS))
    patient.params = replace(member.params, electrode_gain=3.0)  # the pad hangs off: no fibre answers
    rehearsal.walk(SECONDS)
    return samples, rehearsal.pulses


def watched(
    number: int, loss_s: float = SECONDS, change: Change = lambda sample: sample
) -> list[tuple[float, Finding]]:
    samples, pulses = walked(number, loss_s)
    monitor = Plausibility(SEGMENTS, cohort_patient(number).params.comfort_ma)
    left = list(reversed(pulses))
    found = []
    for sample in samples:
        t_s = (sample.t_ns - EPOCH_NS) / 1e9
        while left and left[-1][0] <= t_s:
            monitor.pulse(left.pop()[1])
        given = change(sample)
        for finding in monitor.sample(stamp(given.sensor, given.t_ns, given.acc_mps2, given.gyr_rps)):
            found.append((t_s, finding))
    return found


def stamp(sensor: str, t_ns: int, acc: Vec3, gyr: Vec3, *, valid: bool = True) -> SensorStamp:
    return SensorStamp(7, sensor, t_ns, 1, valid, 1, (acc, gyr))


@pytest.mark.parametrize("number", [0, 3, 5])
def test_a_fault_free_walk_finds_nothing(number: int) -> None:
    assert watched(number) == []


@pytest.mark.parametrize("number", [0, 3])
def test_an_electrode_that_comes_off_is_warned_of_and_then_trips(number: int) -> None:
    found = [(t_s, finding.kind, finding.fault) for t_s, finding in watched(number, LOSS_S)]
    assert [kind for _, kind, fault in found[:2] if fault == "F17"] == ["warning", "trip"]
    assert (
        LOSS_S < found[0][0] < found[1][0] < LOSS_S + TRIP_STRIDES * 2.2
    )  # slowest stride 1.7 s, two of entry


def test_swapped_sensors_are_found() -> None:
    other = {"foot": "shank", "shank": "foot"}
    found = watched(3, change=lambda sample: replace(sample, sensor=other[sample.sensor]))
    assert any(finding.fault == "F21" and "swapped" in finding.text for _, finding in found)


def test_a_sensor_that_has_turned_on_its_strap_is_loose() -> None:
    def turned(sample: ImuSample) -> ImuSample:
        if sample.sensor != "foot" or (sample.t_ns - EPOCH_NS) / 1e9 < LOSS_S:
            return sample
        ax, ay, az = sample.acc_mps2
        gx, gy, gz = sample.gyr_rps
        return replace(sample, acc_mps2=(ay, az, ax), gyr_rps=(gy, gz, gx))

    found = [(t_s, finding) for t_s, finding in watched(3, change=turned) if "loose" in finding.text]
    assert LOSS_S < found[0][0] < LOSS_S + 8.0
    assert found[0][1].fault == "F21"


def test_an_accelerometer_without_gravity_is_found_within_two_windows() -> None:
    found = watched(3, change=lambda sample: replace(sample, acc_mps2=(0.0, 0.0, 1.0)))
    assert "is not gravity" in found[0][1].text
    assert found[0][0] < 10.0


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
