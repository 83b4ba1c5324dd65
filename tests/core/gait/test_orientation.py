"""Foot pitch against markers, whatever the mounting; nothing claimed before alignment; the state copies."""

from __future__ import annotations

import copy
import math
import pickle
from dataclasses import replace

import numpy as np
import pytest

from benchmarks.gait import Leg, motion_capture, rotation
from controller.core.gait.detector import GaitDetector
from controller.core.gait.orientation import SegmentOrientation
from controller.core.signals import GaitEvent
from controller.simulation.closed_loop import EPOCH_NS, Rehearsal
from models.cohort import cohort_patient
from models.gait import Activity
from models.patient import VirtualPatient
from models.patient_params import PatientParams
from tests.core.control.numbers import params
from tests.data import DATA, needs_data

FEET = list(motion_capture()) if DATA.is_dir() else []


def pitches_deg(leg: Leg) -> np.ndarray:
    detector, orientation = GaitDetector("foot", leg.side), SegmentOrientation("foot", leg.side)
    found = []
    for i, t_s in enumerate(leg.time_s):
        t_ns, acc, gyr = round(t_s * 1e9), tuple(leg.acc_mps2[i].tolist()), tuple(leg.gyr_rps[i].tolist())
        orientation.update(t_ns, acc, gyr)
        for event in detector.update(t_ns, acc, gyr):
            orientation.note(event)
        found.append(np.nan if orientation.pitch_rad is None else np.degrees(orientation.pitch_rad))
    return np.array(found)


def marker_pitch_deg(side: str) -> tuple[np.ndarray, np.ndarray]:
    data = np.load(DATA / "gaitmap_foot_mocap" / "healthy_2x20m_mocap_mm.npz")
    names = list(data["columns"])
    toe, heel = (
        data["xyz"][:, [names.index(f"{side[0].upper()}_{marker}_{axis}") for axis in "xyz"]]
        for marker in ("TOE", "FCC")
    )
    line = toe - heel
    times = np.arange(len(line)) / float(data["fs"])
    return times, np.degrees(np.arctan2(line[:, 2], np.hypot(line[:, 0], line[:, 1])))


def deviations_deg(leg: Leg) -> tuple[np.ndarray, np.ndarray]:
    """Ours minus the marker line, over whole strides and in swing; the line's zero is its foot-flat."""
    times, marker = marker_pitch_deg(leg.side)
    ours = np.interp(times, leg.time_s, pitches_deg(leg))
    flat = [np.median(marker[(times > t + 0.25) & (times < t + 0.35)]) for t in leg.contacts]
    off = ours - (marker - np.nanmedian(flat))
    whole, swing = [], []
    for start, end in zip(leg.contacts, leg.contacts[1:], strict=False):
        toe_off = leg.toe_offs[(leg.toe_offs > start) & (leg.toe_offs < end)]
        part = (times >= start) & (times < end)
        if end - start < 1.6 and len(toe_off) and np.isfinite(off[part]).all():
            whole.append(off[part])
            swing.append(off[(times >= toe_off[0]) & (times < end)])
    assert len(whole) >= 20
    return np.concatenate(whole), np.concatenate(swing)


@needs_data
@pytest.mark.parametrize("leg", FEET, ids=lambda leg: leg.name)
def test_foot_pitch_agrees_with_the_marker_line(leg: Leg) -> None:
    whole, swing = deviations_deg(leg)
    assert np.sqrt(np.mean(whole**2)) <= 4.0
    assert np.sqrt(np.mean(swing**2)) <= 2.5


@needs_data
def test_mounting_changes_nothing() -> None:
    turn = rotation(np.array([0.3, -0.8, 0.4]), 2.0)
    leg = FEET[0]
    turned = replace(leg, acc_mps2=leg.acc_mps2 @ turn, gyr_rps=leg.gyr_rps @ turn)
    assert pitches_deg(turned) == pytest.approx(pitches_deg(leg), abs=0.3, nan_ok=True)


@needs_data
def test_nothing_is_claimed_before_two_contacts_and_then_for_good() -> None:
    leg = FEET[0]
    known = np.isfinite(pitches_deg(leg))
    first_s = leg.time_s[np.argmax(known)]
    assert leg.contacts[0] < first_s < leg.contacts[2] + 0.1
    assert known[np.argmax(known) :].all()


@needs_data
def test_a_copied_or_pickled_state_goes_on_bit_for_bit() -> None:
    leg = FEET[0]
    one = SegmentOrientation("foot", leg.side)

    def feed(orientation: SegmentOrientation, start: int, stop: int) -> None:
        for i in range(start, stop):
            acc, gyr = tuple(leg.acc_mps2[i].tolist()), tuple(leg.gyr_rps[i].tolist())
            orientation.update(round(leg.time_s[i] * 1e9), acc, gyr)

    feed(one, 0, 1500)
    others = [copy.deepcopy(one), pickle.loads(pickle.dumps(one))]
    for orientation in (one, *others):
        for _ in range(2):
            orientation._contacts += 1
        feed(orientation, 1500, 2500)
    assert one.pitch_rad is not None
    assert [other.pitch_rad for other in others] == [one.pitch_rad, one.pitch_rad]


@needs_data
def test_pitch_is_carried_on_by_its_rate_for_a_few_milliseconds_only() -> None:
    leg = FEET[0]
    orientation, detector = SegmentOrientation("foot", leg.side), GaitDetector("foot", leg.side)
    for i in range(1000):
        t_ns, acc, gyr = (
            round(leg.time_s[i] * 1e9),
            tuple(leg.acc_mps2[i].tolist()),
            tuple(leg.gyr_rps[i].tolist()),
        )
        orientation.update(t_ns, acc, gyr)
        for event in detector.update(t_ns, acc, gyr):
            orientation.note(event)
    assert orientation.pitch_rad is not None
    assert orientation.pitch_rate_rps is not None
    step = orientation.pitch_at(t_ns + 10_000_000)
    assert step == pytest.approx(orientation.pitch_rad + 0.01 * orientation.pitch_rate_rps)
    assert orientation.pitch_at(t_ns + 100_000_000) == orientation.pitch_at(t_ns + 50_000_000)
    assert orientation.pitch_at(t_ns + 100_000_001) is None


@needs_data
@pytest.mark.parametrize("begin_s", [0.0, 0.3, 0.6])
@pytest.mark.parametrize("leg", FEET, ids=lambda leg: leg.name)
def test_after_a_silent_stride_nothing_is_claimed_until_the_attitude_has_settled(
    leg: Leg, begin_s: float
) -> None:
    whole = pitches_deg(leg)
    contact = np.flatnonzero(np.diff(leg.contacts[4:]) < 1.6)[0] + 4  # within a pass of the walkway
    begin_s += float(leg.contacts[contact])
    silent = (leg.time_s >= begin_s) & (leg.time_s < begin_s + 1.2)
    cut = replace(
        leg, time_s=leg.time_s[~silent], acc_mps2=leg.acc_mps2[~silent], gyr_rps=leg.gyr_rps[~silent]
    )
    ours = np.full(len(leg.time_s), np.nan)
    ours[~silent] = pitches_deg(cut)
    after = (leg.time_s > begin_s + 1.2) & (leg.time_s < begin_s + 4.0)
    off = ours[after] - whole[after]
    assert float(np.sqrt(np.nanmean(off**2))) < 4.0  # as against the markers


def test_a_sensor_that_lay_on_a_table_before_it_was_strapped_on_takes_the_persons_standing_for_upright() -> (
    None
):
    patient, shank = VirtualPatient(PatientParams(), 1), SegmentOrientation("shank", "right")
    _, upright, _ = patient.imu("shank", 0.1)
    lying_s, turn_s, swung, off_deg = 3.0, 1.0, False, []
    for number in range(round(14.0 * 60)):
        at_s, at_ns = number / 60.0, EPOCH_NS + round(number / 60.0 * 1e9)
        if at_s < lying_s + turn_s:  # turned by 80 deg about its x axis, then upright
            left = min(1.0, (lying_s + turn_s - at_s) / turn_s) * math.radians(80.0)
            x, y, z = upright
            acc = (x, y * math.cos(left) - z * math.sin(left), y * math.sin(left) + z * math.cos(left))
            gyr = (math.radians(80.0) / turn_s if at_s > lying_s else 0.0, 0.0, 0.0)
            shank.update(at_ns, acc, gyr)
            continue
        patient_s = at_s - lying_s - turn_s
        patient.advance(patient_s)
        _, acc, gyr = patient.imu("shank", patient_s)
        shank.update(at_ns, acc, gyr)
        truth = patient.truth()
        if swung and not truth.in_swing:
            shank.note(GaitEvent("initial_contact", at_ns, at_ns, 1.0))
        swung = truth.in_swing
        if truth.in_swing and shank.pitch_rad is not None:
            off_deg.append(math.degrees(shank.pitch_rad) - truth.shank_pitch_deg)
    assert len(off_deg) > 30
    assert np.sqrt(np.mean(np.square(off_deg))) < 4.0


@pytest.mark.parametrize(("stood_s", "contacts"), [(4.0, 1), (0.1, 2)])
def test_a_shank_that_stood_is_known_from_its_first_contact_on_and_another_from_the_second(
    stood_s: float, contacts: int
) -> None:
    schedule = (Activity("stand", stood_s), Activity("walk", 20.0, 0.9, 1.2))
    patient, shank = VirtualPatient(PatientParams(), 1, schedule), SegmentOrientation("shank", "right")
    seen, swung, off_deg = 0, False, []
    for number in range(round((stood_s + 6.0) * 60)):
        at_s, at_ns = number / 60.0, EPOCH_NS + round(number / 60.0 * 1e9)
        patient.advance(at_s)
        _, acc, gyr = patient.imu("shank", at_s)
        shank.update(at_ns, acc, gyr)
        assert shank.aligned == (seen >= contacts)
        truth = patient.truth()
        if swung and not truth.in_swing:
            seen += 1
            shank.note(GaitEvent("initial_contact", at_ns, at_ns, 1.0))
        swung = truth.in_swing
        if truth.in_swing and shank.pitch_rad is not None:
            off_deg.append(math.degrees(shank.pitch_rad) - truth.shank_pitch_deg)
    assert seen > 3
    if stood_s > 1.0:
        assert np.sqrt(np.mean(np.square(off_deg))) < 2.0


@pytest.mark.parametrize("number", [37, 43, 44])
def test_a_foot_that_inverts_as_it_lets_go_shows_the_same_pitch(number: int) -> None:
    """These turn by 20 deg about their long axis where the ball leaves the ground."""
    member = cohort_patient(number, seed=12)
    walk = Rehearsal(params("off"), VirtualPatient(member.params, member.seed, member.schedule(30.0)))
    walk.walk(20.0)
    off_deg = [
        point.decision.view.foot_pitch_deg - point.foot_pitch_deg
        for point in walk.trace
        if point.in_swing and point.time_s > 8.0 and point.decision.view.foot_pitch_deg is not None
    ]
    assert len(off_deg) > 500
    assert float(np.sqrt(np.mean(np.square(off_deg)))) < 2.5
