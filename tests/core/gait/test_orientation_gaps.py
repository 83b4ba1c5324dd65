"""After a gap in the samples, and beyond a body's range, an angle is right or not known; it comes back."""

from __future__ import annotations

import copy
import functools
import math
from collections.abc import Callable

import pytest

from controller.core.gait.joint_range import (
    ANKLE_RANGE_DEG,
    SEGMENT_RANGE_DEG,
    possible_ankle_deg,
    possible_pitch_deg,
)
from controller.core.gait.orientation import FRESH_S, GAP_S
from controller.simulation.closed_loop import EPOCH_NS, LINK_S, SENSOR_HZ, TICK_S, Rehearsal, TracePoint
from drivers.interface import ImuSample
from models.gait import Activity
from models.patient import VirtualPatient
from models.patient_params import PatientParams
from tests.core.control.numbers import params

RIGHT_DEG = 9.0  # without a gap this patient's foot and ankle are within 4 deg of the truth
BACK_STRIDES = 3.5  # a stance shows the foot, a whole stride between two contacts the shank
WALKED_S = 14.0
PHASES = (0.05, 0.4, 0.75)  # of a stride: in stance, as the heel comes off, in swing
AFTER_S = 6.0  # beyond BACK_STRIDES of 1.2 s
BOTH, FOOT, SHANK = ("foot", "shank"), ("foot",), ("shank",)


@functools.cache
def _walked(mode: str, stood_s: float) -> Rehearsal:
    schedule = (Activity("stand", stood_s), Activity("walk", 60.0, 0.9, 1.2))
    walk = Rehearsal(params(mode), VirtualPatient(PatientParams(), 7, schedule))
    walk.walk(WALKED_S)
    walk.trace.clear()  # what is copied walks on from here: nobody looks back
    return walk


def _silent(walk: Rehearsal, segments: tuple[str, ...], begin_s: float, length_s: float) -> None:
    """Lose the samples made in that time."""
    names = {p.sensor for p in walk.params.placements if p.segment in segments}

    def spoil(sample: ImuSample) -> ImuSample | None:
        made_s = (sample.t_ns - EPOCH_NS) / 1e9
        return None if sample.sensor in names and begin_s <= made_s < begin_s + length_s else sample

    walk.spoil = spoil


def _off_deg(point: TracePoint) -> tuple[float | None, float | None]:
    """How far foot pitch and ankle are from the truth; None where they are not claimed."""
    view = point.decision.view
    foot = None if view.foot_pitch_deg is None else abs(view.foot_pitch_deg - point.foot_pitch_deg)
    ankle = None if view.ankle_deg is None else abs(view.ankle_deg - point.ankle_deg)
    return foot, ankle


@pytest.mark.parametrize(
    ("segments", "length_s", "stood_s"),
    [
        *((BOTH, length_s, 3.0) for length_s in (0.1, 0.3, 0.9, 5.0)),
        (BOTH, 0.9, 0.1),
        *((FOOT, length_s, 3.0) for length_s in (0.1, 0.9)),
        *((SHANK, length_s, 3.0) for length_s in (0.3, 5.0)),
    ],
)
def test_after_a_gap_angles_are_right_or_not_known_and_come_back(
    segments: tuple[str, ...], length_s: float, stood_s: float
) -> None:
    before = _walked("off", stood_s)
    last = before.patient.strides()[-1]
    stride_s = last.next_initial_contact_s - last.initial_contact_s
    for phase in PHASES:
        walk = copy.deepcopy(before)
        begin_s = last.next_initial_contact_s + (1.0 + phase) * stride_s
        heard_s = begin_s + length_s + LINK_S + 1.5 / SENSOR_HZ
        _silent(walk, segments, begin_s, length_s)
        walk.walk(heard_s + AFTER_S)
        after = [point for point in walk.trace if point.time_s > heard_s]
        for which in (0, 1):
            known = [off for off in map(_off_deg, after) if off[which] is not None]
            assert max(off[which] or 0.0 for off in known) < RIGHT_DEG, (phase, which)
        back = [point for point in after if point.time_s > heard_s + BACK_STRIDES * stride_s]
        assert all(None not in _off_deg(point) for point in back), phase


@pytest.mark.parametrize(("segment", "gone"), [("foot", (True, True)), ("shank", (False, True))])
def test_a_silent_sensor_shows_no_angle_while_it_is_silent(segment: str, gone: tuple[bool, bool]) -> None:
    walk = copy.deepcopy(_walked("off", 3.0))
    begin_s = WALKED_S + 1.0
    _silent(walk, (segment,), begin_s, 2.0)
    walk.walk(begin_s + 2.0)
    aged_s = begin_s + FRESH_S + TICK_S
    for point in walk.trace:
        if aged_s < point.time_s < begin_s + 2.0:
            assert tuple(off is None for off in _off_deg(point)) == gone


def test_a_gap_as_long_as_is_bridged_loses_nothing_and_a_longer_one_does() -> None:
    for lost, claimed in ((3, True), (4, False)):  # of 60 a second: 67 ms and 83 ms from sample to sample
        assert ((lost + 1) / SENSOR_HZ <= GAP_S) == claimed
        walk = copy.deepcopy(_walked("off", 3.0))
        begin_s = WALKED_S + 1.0
        _silent(walk, ("foot", "shank"), begin_s, lost / SENSOR_HZ)
        walk.walk(begin_s + lost / SENSOR_HZ + LINK_S + 2.0 / SENSOR_HZ)
        assert (walk.trace[-1].decision.view.foot_pitch_deg is not None) == claimed


def test_who_stands_after_a_gap_is_known_before_the_next_step() -> None:
    schedule = (Activity("stand", 3.0), Activity("walk", 9.0, 0.9, 1.2), Activity("stand", 20.0))
    walk = Rehearsal(params("off"), VirtualPatient(PatientParams(), 7, schedule))
    _silent(walk, ("foot", "shank"), 14.0, 0.9)
    walk.walk(18.0)
    lost = [point for point in walk.trace if 15.0 < point.time_s < 15.4]
    assert all(_off_deg(point) == (None, None) for point in lost)
    for point in walk.trace:
        if point.time_s > 16.5:
            foot, ankle = _off_deg(point)
            assert foot is not None
            assert ankle is not None
            assert max(foot, ankle) < RIGHT_DEG


def _turned(walk: Rehearsal, segment: str, since_s: float, turn: Callable[[ImuSample], ImuSample]) -> None:
    names = {p.sensor for p in walk.params.placements if p.segment == segment}
    walk.spoil = lambda sample: (
        turn(sample) if sample.sensor in names and sample.t_ns > EPOCH_NS + round(since_s * 1e9) else sample
    )


def _upside_down(sample: ImuSample) -> ImuSample:
    (ax, ay, az), (gx, gy, gz) = sample.acc_mps2, sample.gyr_rps
    return ImuSample(
        sample.sensor, sample.t_ns, sample.arrival_ns, sample.seq, (-ax, -ay, az), (-gx, -gy, gz)
    )


def test_an_ankle_that_no_body_has_is_not_told_and_the_foot_goes_on() -> None:
    walk = copy.deepcopy(_walked("feedback", 3.0))
    _turned(walk, "shank", WALKED_S, _upside_down)
    walk.walk(WALKED_S + 20.0)
    after = [point for point in walk.trace if point.time_s > WALKED_S]
    for point in after:
        ankle_deg = point.decision.view.ankle_deg
        assert ankle_deg is None or ANKLE_RANGE_DEG[0] <= ankle_deg <= ANKLE_RANGE_DEG[1]
        foot, _ = _off_deg(point)
        assert foot is not None
        assert foot < RIGHT_DEG


def test_a_shank_that_no_body_has_is_lost_until_gravity_shows_it() -> None:
    walk = copy.deepcopy(_walked("off", 3.0))
    shank = next(o for o in walk.core.gait.orientations.values() if o.segment == "shank")
    _, gravity, _ = VirtualPatient(PatientParams(), 7, (Activity("stand", 3.0),)).imu("shank", 0.1)
    t_ns = walk.core.gait.newest_ns
    assert t_ns is not None
    assert shank.pitch_rad is not None
    spin = tuple(10.0 * value for value in shank.frame.axis)  # 143 deg in a quarter of a second
    for number in range(1, 90):
        t_ns += round(1e9 / SENSOR_HZ)
        spinning = number <= 15
        shank.update(t_ns, gravity, spin if spinning else (0.0, 0.0, 0.0))
        pitch_deg = None if shank.pitch_rad is None else math.degrees(shank.pitch_rad)
        assert possible_pitch_deg(pitch_deg, "shank") == pitch_deg
        if number == 15:
            assert pitch_deg is None
            assert shank.roll_rad is None
    assert pitch_deg == pytest.approx(-4.0, abs=RIGHT_DEG)  # as in standing


def test_feedback_does_not_see_the_jump_when_a_shank_falls_silent_in_swing() -> None:
    walk = copy.deepcopy(_walked("feedback", 3.0))
    names = {p.sensor for p in walk.params.placements if p.segment == "shank"}

    def spoil(sample: ImuSample) -> ImuSample | None:
        late = walk.patient.truth().in_swing and walk.patient.truth().phase_percent > 65.0
        return None if sample.sensor in names and late and len(walk.patient.strides()) % 4 == 0 else sample

    walk.spoil = spoil
    changes = 0
    with_shank: bool | None = None
    while walk.ticks * TICK_S < WALKED_S + 12.0:
        walk.walk((walk.ticks + 1) * TICK_S)
        reading, loop = walk.core.gait.reading, walk.core.laws.feedback
        if walk.core.output.window.state != "swing" or reading is None or reading.t_ns != loop.read_ns:
            continue
        now = reading.shank_rad is not None
        if with_shank is not None and now != with_shank:
            changes += 1
            assert loop.pid.derivative_nm == 0.0
        with_shank = now
    assert changes > 2


@pytest.mark.parametrize(
    ("function", "range_deg"),
    [(possible_ankle_deg, ANKLE_RANGE_DEG), (possible_pitch_deg, SEGMENT_RANGE_DEG["foot"])],
)
def test_a_bodys_range_ends_where_it_says(
    function: Callable[[float | None], float | None], range_deg: tuple[float, float]
) -> None:
    low, high = range_deg
    for angle in (low, high, 0.0, -0.0):
        assert function(angle) == angle
    for angle in (math.nextafter(low, -1e9), math.nextafter(high, 1e9), math.nan, math.inf, -math.inf):
        assert function(angle) is None
    assert function(None) is None


def test_the_ankles_range_is_the_one_proposed() -> None:
    assert ANKLE_RANGE_DEG == (-60.0, 50.0)
