"""The detector and the orientation on the virtual patient, whose true strides and angles are known."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest

from benchmarks.gait import WALKED_S, non_gait, stimulations
from controller.core.gait.detector import GaitDetector
from controller.core.gait.orientation import SegmentOrientation
from drivers.interface import Segment
from models.cohort import cohort, cohort_patient
from models.gait import Activity
from models.patient import STAND_FIRST_S, VirtualPatient
from models.patient_params import PatientParams

RATE_HZ = 60.0  # of the slowest sensor in use


@pytest.mark.parametrize(("segment", "rate_hz"), [("foot", 50.0), ("shank", 400.0)])
def test_contacts_of_a_paretic_leg_are_found_at_the_slowest_and_the_fastest_rate(
    segment: Segment, rate_hz: float
) -> None:
    contacts, true = walked(VirtualPatient(PatientParams(), seed=21), segment, rate_hz, 15.0)
    assert len(contacts) == len(true)
    assert all(min(abs(found - t) for found in contacts) < 0.15 for t in true)


def test_a_spastic_foot_that_jerks_after_toe_off_has_not_landed() -> None:
    member = cohort(2, seed=5)[1]  # its foot stops in early swing, toes down, with a blow like a landing's
    patient = VirtualPatient(member.params, seed=1, schedule=member.schedule(40.0))
    contacts, true = walked(patient, "foot", 128.0, 15.0)
    assert len(contacts) == len(true)
    assert all(min(abs(found - t) for found in contacts) < 0.15 for t in true)


def test_a_spastic_foot_that_beats_in_mid_swing_has_not_landed() -> None:
    """Its reflex throws it to and fro at 7 Hz while the leg still gains speed."""
    member = cohort_patient(6, seed=6)
    patient = VirtualPatient(member.params, seed=0, schedule=member.schedule(40.0))
    contacts, true = walked(patient, "foot", 50.0, 15.0)
    assert len(contacts) == len(true)


@pytest.mark.parametrize("segment", ["foot", "shank"])
def test_a_walk_that_begins_unevenly_is_not_taken_for_standing(segment: Segment) -> None:
    """Of a leg's own spread little is known after three strides."""
    strides_s = (1.3, 1.1, 1.3, 1.5)
    uneven = [Activity("walk", stride_s, 0.9 / stride_s, stride_s) for stride_s in strides_s]
    body = replace(PatientParams(), cadence_cv=0.0, shank_sd_deg=0.0)
    patient = VirtualPatient(body, seed=3, schedule=(Activity("stand", 4.0), *uneven, uneven[-1]))
    detector, walking = GaitDetector(segment, "right"), []
    for t_ns in range(0, 10_000_000_000, 10_000_000):
        _, acc, gyr = patient.imu(segment, t_ns * 1e-9)
        detector.update(t_ns, acc, gyr)
        walking.append(detector.walking(t_ns))
    assert all(walking[walking.index(True) :])


@pytest.mark.parametrize("slower", [1.15, 1.25])
@pytest.mark.parametrize("usual_s", [1.2, 1.5])
def test_a_person_who_slows_down_from_one_stride_to_the_next_loses_no_swing(
    slower: float, usual_s: float
) -> None:
    """Late to tip over the toes is no halt yet; a foot that hangs down in the next swing is a fall."""
    lost, _ = swings_lost("foot", usual_s, slower)
    assert not lost


@pytest.mark.parametrize("segment", ["foot", "shank"])
@pytest.mark.parametrize("slower", [1.6, 2.0])
def test_a_pace_much_slower_than_before_is_followed_from_the_third_stride_on(
    segment: Segment, slower: float
) -> None:
    """A contact that is overdue by the old pace must not end every swing of the new one."""
    lost, change_s = swings_lost(segment, 0.9, slower)
    assert all(toe_off_s < change_s + 3.0 * slower * 0.9 for toe_off_s in lost)


def swings_lost(segment: Segment, usual_s: float, slower: float) -> tuple[list[float], float]:
    """Toe-off of each swing not wholly taken for walking, once that had begun; the change of pace."""
    change_s = 4.0 + 6.3 * usual_s
    brisk = Activity("walk", 6.3 * usual_s, 0.8, usual_s)
    schedule = (Activity("stand", 4.0), brisk, Activity("walk", 60.0, 0.8 / slower, slower * usual_s))
    body = replace(PatientParams(), cadence_cv=0.015, shank_sd_deg=0.5)
    patient = VirtualPatient(body, seed=3, schedule=schedule)
    detector, walking = GaitDetector(segment, "right"), []
    end_s = change_s + 7.0 * slower * usual_s
    for t_ns in range(0, round(end_s * 1e9), 10_000_000):
        _, acc, gyr = patient.imu(segment, t_ns * 1e-9)
        detector.update(t_ns, acc, gyr)
        walking.append(detector.walking(t_ns))
    begun = walking.index(True) / 100.0
    swings = [s for s in patient.strides() if begun < s.toe_off_s and s.next_initial_contact_s < end_s]
    assert len(swings) >= 9
    return [
        swing.toe_off_s
        for swing in swings
        if not all(walking[int(100 * swing.toe_off_s) - 10 : int(100 * swing.next_initial_contact_s)])
    ], change_s


def walked(
    patient: VirtualPatient, segment: Segment, rate_hz: float, until_s: float
) -> tuple[list[float], list[float]]:
    """Contacts found and true ones, of the first ``until_s`` less half a second."""
    detector, contacts = GaitDetector(segment, "left"), []
    for i in range(int(until_s * rate_hz)):
        _, acc, gyr = patient.imu(segment, i / rate_hz)
        for event in detector.update(round(i / rate_hz * 1e9), acc, gyr):
            if event.kind == "initial_contact":
                contacts.append(event.t_ns * 1e-9)
    strides = patient.strides()
    true = [stride.initial_contact_s for stride in strides] + [strides[-1].next_initial_contact_s]
    end_s = max(t for t in true if t < until_s - 0.5) + 0.25
    return [t for t in contacts if t < end_s], [t for t in true if t < end_s]


@pytest.mark.parametrize("stimulated", [False, True])
@pytest.mark.parametrize("segment", ["foot", "shank"])
def test_every_true_stride_is_found_and_the_foot_pitch_is_right(segment: Segment, stimulated: bool) -> None:
    patient = VirtualPatient(PatientParams(), seed=4)
    detector, orientation = GaitDetector(segment, "left"), SegmentOrientation(segment, "left")
    contacts, off_deg, rate_dps, pulse_s = [], [], [], 0.0
    for i in range(int(30 * RATE_HZ)):
        t_s, t_ns = i / RATE_HZ, round(i / RATE_HZ * 1e9)
        while stimulated and pulse_s <= t_s:
            patient.advance(pulse_s)
            if patient.truth().in_swing:
                patient.pulse(pulse_s, 0, 32.0, 300.0)
            pulse_s += 0.03
        _, acc, gyr = patient.imu(segment, t_s)
        orientation.update(t_ns, acc, gyr)
        for event in detector.update(t_ns, acc, gyr):
            orientation.note(event)
            if event.kind == "initial_contact":
                contacts.append(event.t_ns * 1e-9)
        if segment == "foot" and orientation.pitch_rad is not None:
            off_deg.append(math.degrees(orientation.pitch_rad) - patient.truth().foot_pitch_deg)
            rate_dps.append(math.degrees(orientation.pitch_rate_rps or 0.0))
    strides = patient.strides()
    true = [stride.initial_contact_s for stride in strides] + [strides[-1].next_initial_contact_s]
    assert abs(len(contacts) - len(true)) <= 1
    assert all(min(abs(found - t) for found in contacts) < 0.15 for t in true)
    if segment == "foot":
        assert len(off_deg) > 20 * RATE_HZ
        assert np.sqrt(np.mean(np.square(off_deg))) <= 4.0
        lead_s = np.polyfit(rate_dps, off_deg, 1)[0]
        assert abs(lead_s) < 0.25 / RATE_HZ  # the pitch belongs to the sample's own time


def test_a_foot_that_everts_under_stimulation_shows_its_pitch_all_the_same() -> None:
    patient = VirtualPatient(PatientParams(nerve_eversion_share=0.5, inversion_tone_nm=0.0), seed=4)
    detector, orientation = GaitDetector("foot", "left"), SegmentOrientation("foot", "left")
    off_deg, eversion_deg, pulse_s = [], [], 0.0
    for i in range(int(30 * RATE_HZ)):
        t_s, t_ns = i / RATE_HZ, round(i / RATE_HZ * 1e9)
        while pulse_s <= t_s:
            patient.advance(pulse_s)
            if patient.truth().in_swing:
                patient.pulse(pulse_s, 0, 34.0, 300.0)
            pulse_s += 0.03
        _, acc, gyr = patient.imu("foot", t_s)
        orientation.update(t_ns, acc, gyr)
        for event in detector.update(t_ns, acc, gyr):
            orientation.note(event)
        truth = patient.truth()
        if t_s > 15.0 and orientation.pitch_rad is not None and truth.in_swing and truth.phase_percent > 80.0:
            off_deg.append(math.degrees(orientation.pitch_rad) - truth.foot_pitch_deg)
            eversion_deg.append(-truth.inversion_deg)
    assert np.median(eversion_deg) > 10.0
    assert abs(np.median(off_deg)) < 3.0


@pytest.mark.parametrize(("number", "from_s"), [(0, 15.0), (2, 15.5), (5, 15.75)])
def test_after_a_stride_of_silence_the_second_contact_is_walking_again(number: int, from_s: float) -> None:
    member = cohort_patient(number, seed=1)
    patient = VirtualPatient(member.params, seed=member.seed, schedule=member.schedule(40.0))
    detector, walking = GaitDetector("foot", member.params.side), []
    for i in range(int(22 * RATE_HZ)):
        t_s = i / RATE_HZ
        _, acc, gyr = patient.imu("foot", t_s)
        if from_s <= t_s < from_s + 1.5:
            continue
        events = detector.update(round(t_s * 1e9), acc, gyr)
        if t_s > from_s and any(event.kind == "initial_contact" for event in events):
            walking.append(detector.walking(round(t_s * 1e9)))
    assert len(walking) >= 3
    assert all(walking[1:])


@pytest.mark.parametrize("walks", [True, False])
@pytest.mark.parametrize("segment", ["foot", "shank"])
def test_standing_sitting_rising_turning_and_stepping_in_place_start_no_stimulation(
    segment: Segment, *, walks: bool
) -> None:
    begun = stimulations(non_gait(segment, 1, 4.0, walks=walks))
    assert [start for start in begun if start > WALKED_S or not walks] == []


@pytest.mark.parametrize(("from_s", "contacts"), [(0.0, 1), (STAND_FIRST_S + 1.0, 2)])
def test_a_foot_that_stood_shows_its_pitch_after_one_step_and_another_after_two(
    from_s: float, contacts: int
) -> None:
    patient = VirtualPatient(PatientParams(), seed=4)
    detector, orientation = GaitDetector("foot", "left"), SegmentOrientation("foot", "left")
    found = 0
    for i in range(int(from_s * RATE_HZ), int(12 * RATE_HZ)):
        t_ns = round(i / RATE_HZ * 1e9)
        _, acc, gyr = patient.imu("foot", i / RATE_HZ)
        orientation.update(t_ns, acc, gyr)
        if orientation.aligned:
            break
        for event in detector.update(t_ns, acc, gyr):
            orientation.note(event)
            found += event.kind == "initial_contact"
    assert orientation.aligned
    assert found == contacts
