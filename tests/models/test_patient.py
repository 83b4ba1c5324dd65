"""The virtual patient: the foot drops by physics, pulses correct it, sensors agree with each other."""

from __future__ import annotations

import itertools
import math
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from drivers.interface import Segment
from models.emg import EmgParams
from models.gait import Activity
from models.patient import TrueStride, VirtualPatient
from models.patient_params import PatientParams
from models.recruitment import fraction

PERFECT = replace(
    PatientParams(),
    foot_mount_wxyz=(0.5, 0.5, -0.5, 0.5),
    shank_mount_wxyz=(0.5, 0.5, 0.5, 0.5),
    gyr_bias_dps=0.0,
    gyr_noise_dps=0.0,
    acc_bias_mps2=0.0,
    acc_noise_mps2=0.0,
    contact_ringing=0.0,
)


def walk(current_ma: float, seconds: float = 30.0, seed: int = 3) -> list[TrueStride]:
    """Strides of the default patient, stimulated from pre-swing to just past contact."""
    patient = VirtualPatient(seed=seed)
    t, due = 0.0, 0.0
    while t < seconds:
        t += 0.005
        patient.advance(t)
        truth = patient.truth()
        wanted = truth.walking and (truth.phase_percent > 60.0 or truth.phase_percent < 5.0)
        if current_ma > 0 and wanted and t >= due:
            patient.pulse(t, 0, current_ma, 300.0)
            due = t + 0.025 - 1e-9
    return patient.strides()


def median(strides: list[TrueStride], name: str) -> float:
    return float(np.median([getattr(s, name) for s in strides]))


def test_without_stimulation_the_foot_drops() -> None:
    strides = walk(0.0)
    assert len(strides) >= 16
    assert -20.0 < median(strides, "ankle_at_initial_contact_deg") <= -8.0
    assert np.mean([s.forefoot_contact for s in strides]) > 0.5


def test_a_moderate_current_brings_the_ankle_back_to_normal() -> None:
    off, on = walk(0.0), walk(26.0)
    assert abs(median(on, "ankle_at_initial_contact_deg") + 2.5) < 3.0
    assert median(on, "swing_pitch_rmse_deg") < 0.5 * median(off, "swing_pitch_rmse_deg")
    assert not any(s.forefoot_contact for s in on)


def test_more_current_means_more_dorsiflexion() -> None:
    angles = [median(walk(ma, 16.0), "ankle_at_initial_contact_deg") for ma in (22.0, 26.0, 30.0, 38.0)]
    assert angles == sorted(angles)
    assert angles[-1] - angles[0] > 8.0


def test_strides_vary_but_do_not_overlap() -> None:
    strides = walk(0.0)
    durations = [s.next_initial_contact_s - s.initial_contact_s for s in strides]
    assert 1.2 < float(np.mean(durations)) < 1.6
    assert 0.005 < float(np.std(durations)) < 0.1
    for first, second in itertools.pairwise(strides):
        assert first.next_initial_contact_s == second.initial_contact_s
        assert first.initial_contact_s < first.toe_off_s < first.next_initial_contact_s


def test_same_seed_same_life_other_seed_other_life() -> None:
    assert walk(25.0, 8.0) == walk(25.0, 8.0)
    assert walk(25.0, 8.0, seed=4) != walk(25.0, 8.0, seed=5)


def test_the_foot_is_still_when_it_is_flat() -> None:
    patient = VirtualPatient(PERFECT, seed=3)
    still = 0
    for i in range(2000):
        t = 6.0 + 0.005 * i
        patient.advance(t)
        truth = patient.truth()
        if not truth.in_swing and 20.0 < truth.phase_percent < 35.0:
            _, acc, gyr = patient.imu("foot", t)
            assert max(abs(g) for g in gyr) < 1e-9
            assert math.dist((0, 0, 0), acc) == pytest.approx(9.80665, abs=1e-6)
            assert truth.foot_pitch_deg == pytest.approx(0.0, abs=1e-9)
            still += 1
    assert still > 100


@pytest.mark.parametrize("segment", ["foot", "shank"])
def test_gyroscope_accelerometer_and_quaternion_tell_one_story(segment: Segment) -> None:
    """Integrating the angular rate gives the quaternion; integrating the force moves and stops the sensor."""
    schedule = (Activity("stand", 1.0), Activity("walk", 6.0, turn_deg=90.0), Activity("stand", 20.0))
    patient = VirtualPatient(replace(PERFECT, side="right"), seed=2, schedule=schedule)
    rate_hz = 1000.0
    blocks = [patient.imu_block(segment, 0.5 + k, 1000, rate_hz) for k in range(14)]
    rows = np.concatenate(blocks)
    q = rows[0, :4].copy()
    velocity, worst_angle = np.zeros(3), 0.0
    speeds = []
    for i, row in enumerate(rows):
        true = row[:4]
        worst_angle = max(worst_angle, 2 * math.acos(min(1.0, abs(float(q @ true)))))
        w, x, y, z = true
        rotation = np.array(
            [
                [1 - 2 * (y * y + z * z), 2 * (x * y - w * z), 2 * (x * z + w * y)],
                [2 * (x * y + w * z), 1 - 2 * (x * x + z * z), 2 * (y * z - w * x)],
                [2 * (x * z - w * y), 2 * (y * z + w * x), 1 - 2 * (x * x + y * y)],
            ]
        )
        velocity += (rotation @ row[4:7] - (0, 0, 9.80665)) / rate_hz
        speeds.append(velocity.copy())
        omega = 0.5 * (row[7:10] + rows[min(i + 1, len(rows) - 1), 7:10])
        angle = float(np.linalg.norm(omega)) / rate_hz
        axis = omega / max(1e-12, float(np.linalg.norm(omega)))
        dw, dv = math.cos(angle / 2), math.sin(angle / 2) * axis
        q = np.array(
            [
                q[0] * dw - q[1:] @ dv,
                *(q[0] * dv + dw * q[1:] + np.cross(q[1:], dv)),
            ]
        )
        q /= np.linalg.norm(q)
    assert math.degrees(worst_angle) < 0.1
    assert float(np.max(np.linalg.norm(speeds, axis=1))) > 1.2  # it really moved
    assert float(np.linalg.norm(speeds[-1])) < 0.03  # and stands still at the end


def test_emg_carries_artefact_and_m_wave_after_a_pulse() -> None:
    patient = VirtualPatient(seed=1)
    patient.advance(0.5)
    quiet = patient.emg(0.4, 100, 1000.0)
    patient.pulse(0.5, 0, 35.0, 300.0)
    loud = patient.emg(0.5, 30, 1000.0)
    assert quiet.shape == (100, 8)
    assert np.abs(quiet).max() < 0.4e-3
    assert np.abs(loud[5:20]).max() > 1e-3  # the M-wave, after the spike
    assert np.abs(loud[29]).max() < 0.4e-3


@pytest.mark.parametrize("bad", [-1.0, math.nan, math.inf, 1e9])
def test_an_unphysical_pulse_is_refused_by_name(bad: float) -> None:
    patient = VirtualPatient()
    with pytest.raises(ValueError, match="current_ma"):
        patient.pulse(0.0, 0, bad, 300.0)
    with pytest.raises(ValueError, match="width_us"):
        patient.pulse(0.0, 0, 20.0, bad)
    with pytest.raises(ValueError, match="channel"):
        patient.pulse(0.0, 7, 20.0, 300.0)


@pytest.mark.parametrize("name", ["stiffness", "evocable", "delay_s", "fatigue_s", "hip_hike_m"])
@pytest.mark.parametrize("bad", [-5.0, math.nan, 1e6])
def test_an_unphysical_parameter_is_refused_by_name_value_and_range(name: str, bad: float) -> None:
    with pytest.raises(ValueError, match=f"{name}: found .* allowed: .* to "):
        replace(PatientParams(), **{name: bad})  # type: ignore[arg-type]  # names vary in type


def test_a_pulse_that_is_late_acts_at_once() -> None:
    patient = VirtualPatient()
    patient.advance(1.0)
    patient.pulse(0.2, 0, 40.0, 300.0)
    patient.advance(1.12)
    assert patient.truth().activation > 0.05


@pytest.mark.parametrize(("speed_mps", "stride_s"), [(0.7, 1.6), (1.0, 1.3), (1.3, 1.1)])
def test_a_normally_driven_leg_clears_the_ground_as_normal_ones_do(speed_mps: float, stride_s: float) -> None:
    """Smallest toe clearance of normal walking: 19 mm, sd 5 mm, near mid-swing (Moosabhoy and Gard 2006)."""
    body = replace(PatientParams(), volition=0.3, stiffness=1.0, push_off=1.0, hip_hike_m=0.02)
    walk = Activity("walk", 30.0, speed_mps=speed_mps, stride_s=stride_s)
    patient = VirtualPatient(body, seed=2, schedule=(Activity("stand", 4.0), walk))
    patient.advance(34.0)
    clearance_m = [stride.toe_clearance_m for stride in patient.strides()[2:]]
    assert 0.002 < float(np.median(clearance_m)) < 0.03
    assert min(clearance_m) > -0.002


EVERYTHING = (
    Activity("stand", 2.0),
    Activity("walk", 6.0, speed_mps=0.7, stride_s=1.4),
    Activity("walk", 6.0, speed_mps=1.2, stride_s=1.15),
    Activity("turn", 5.0, speed_mps=0.6, stride_s=1.5, turn_deg=180.0),
    Activity("stand", 3.0),
    Activity("step_in_place", 6.0),
    Activity("stairs", 7.0, stride_s=1.6),
    Activity("stand", 3.0),
    Activity("sit", 5.0),
    Activity("stand_up", 4.0),
    Activity("weight_shift", 5.0),
    Activity("walk", 6.0),
)


def test_a_day_of_activities_is_performed_without_a_jump() -> None:
    patient = VirtualPatient(PERFECT, seed=9, schedule=EVERYTHING)
    seconds = sum(a.duration_s for a in EVERYTHING)
    angles, headings = [], []
    for i in range(int(seconds * 200)):
        patient.advance(i / 200)
        truth = patient.truth()
        angles.append((truth.foot_pitch_deg, truth.shank_pitch_deg, truth.knee_deg))
        headings.append(truth.heading_deg)
    steps = np.abs(np.diff(np.array(angles), axis=0))
    assert steps.max() < 5.0  # 1000 deg/s
    knees = np.array(angles)[:, 2]
    starts = np.cumsum([0.0] + [a.duration_s for a in EVERYTHING])
    sitting = slice(int((starts[8] + 3) * 200), int(starts[9] * 200))
    assert knees[sitting].min() > 70.0
    standing_up = slice(int((starts[9] + 3) * 200), int(starts[10] * 200))
    assert knees[standing_up].max() < 15.0
    assert 90.0 < headings[-1] < 250.0


def test_faster_walking_gives_shorter_strides_in_time() -> None:
    schedule = (Activity("walk", 10.0, 0.7, 1.4), Activity("walk", 20.0, 1.2, 1.1))
    patient = VirtualPatient(seed=2, schedule=schedule)
    patient.advance(25.0)
    strides = patient.strides()
    late = [s.next_initial_contact_s - s.initial_contact_s for s in strides if s.initial_contact_s > 15.0]
    early = [s.next_initial_contact_s - s.initial_contact_s for s in strides if s.initial_contact_s < 8.0]
    assert np.mean(early) == pytest.approx(1.4, abs=0.1)
    assert np.mean(late) == pytest.approx(1.1, abs=0.1)


def test_standing_after_a_walk_is_not_a_stride() -> None:
    schedule = (Activity("walk", 8.0), Activity("stand", 10.0), Activity("walk", 8.0))
    patient = VirtualPatient(seed=2, schedule=schedule)
    patient.advance(26.0)
    assert max(s.next_initial_contact_s - s.initial_contact_s for s in patient.strides()) < 2.0


def test_a_stiff_or_spastic_ankle_drops_more() -> None:
    def ankle(**changes: Any) -> float:
        patient = VirtualPatient(replace(PatientParams(), **changes), seed=3)
        t, due = 0.0, 0.0
        while t < 16.0:
            t += 0.005
            patient.advance(t)
            truth = patient.truth()
            if truth.walking and (truth.phase_percent > 60 or truth.phase_percent < 5) and t >= due:
                patient.pulse(t, 0, 27.0, 300.0)
                due = t + 0.025 - 1e-9
        return median(patient.strides(), "peak_swing_dorsiflexion_deg")

    normal = ankle()
    assert ankle(stiffness=2.0) < normal - 1.0
    assert ankle(reflex_gain_nms=8.0, reflex_threshold_dps=10.0) < normal - 0.5
    assert ankle(evocable=0.3) < normal - 1.0


def test_the_second_channel_everts() -> None:
    def inversion(channel: int) -> float:
        patient = VirtualPatient(seed=3)
        t, due = 0.0, 0.0
        while t < 14.0:
            t += 0.005
            patient.advance(t)
            truth = patient.truth()
            if truth.walking and (truth.phase_percent > 60 or truth.phase_percent < 5) and t >= due:
                patient.pulse(t, channel, 26.0, 300.0)
                due = t + 0.025 - 1e-9
        return median(patient.strides(), "inversion_at_initial_contact_deg")

    assert inversion(1) < inversion(0) - 2.0


def test_a_long_walk_with_strong_pulses_tires_the_muscle() -> None:
    assert (
        walk(40.0, 40.0)[-1].ankle_at_initial_contact_deg < walk(40.0, 40.0)[2].ankle_at_initial_contact_deg
    )
    patient = VirtualPatient(replace(PatientParams(), fatigue_model="ding"), seed=3)
    for i in range(1200):
        patient.pulse(0.025 * i, 0, 45.0, 300.0)
        patient.advance(0.025 * i)
    tired = patient.truth().activation
    assert tired < 0.8


def test_loose_pads_and_sliding_skin_change_the_answer_but_not_its_repeatability() -> None:
    def activations(**changes: Any) -> list[float]:
        patient = VirtualPatient(replace(PatientParams(), **changes), seed=3)
        out = []
        for i in range(400):
            patient.pulse(0.025 * i, 0, 28.0, 300.0)
            patient.advance(0.025 * i)
            out.append(patient.truth().activation)
        return out

    plain = activations()
    for changes in ({"electrode_wander": 0.1}, {"skin_slide_per_deg": 0.01}, {"drift_per_minute": 0.1}):
        assert activations(**changes) != plain
        assert activations(**changes) == activations(**changes)
    assert activations(drift_per_minute=0.1)[-1] < plain[-1]


def test_emg_of_the_calf_and_the_shin_follow_their_phases() -> None:
    """Tibialis anterior on at 0 to 13 % and 56 to 100 % of the cycle; the gastrocnemius peaks at 40 %."""
    patient = VirtualPatient(replace(PatientParams(), volition=0.3), seed=3)
    rows, phases = [], []
    for k in range(8000):
        t_s = 6.0 + k / 400.0
        rows.append(patient.emg(t_s, 1, 400.0)[0])
        phases.append(patient.truth().phase_percent)
    volts, phase = np.array(rows), np.array(phases)
    bins = [np.sqrt(np.mean(volts[(phase >= p) & (phase < p + 5.0)] ** 2, axis=0)) for p in range(0, 100, 5)]
    shin, calf = np.array(bins)[:, 0], np.array(bins)[:, 1]
    assert 7 <= int(np.argmax(calf)) <= 9  # 35 to 50 %
    assert calf[8] > 3.0 * calf[14]
    assert shin[[0, 1, 13, 14]].min() > 1.3 * shin[4:7].max()
    assert calf[8] > 2.0 * shin[8]  # little crosstalk


def test_the_m_wave_of_the_walking_patient_is_as_large_as_its_recruitment() -> None:
    quiet = EmgParams(noise_v=0.0, mains_v=0.0, drift_v=0.0, m_wave_scatter=0.0, artefact_v_per_ma=0.0)
    patient = VirtualPatient(replace(PatientParams(), volition=0.0, push_off=0.4), seed=1, emg=quiet)
    for i, current_ma in enumerate((20.0, 28.0, 45.0)):
        patient.pulse(0.5 + 0.1 * i, 0, current_ma, 300.0)
        wave = patient.emg_parts(0.5 + 0.1 * i, 200, 2000.0).m_wave[:, 0]
        recruited = fraction(current_ma, 300.0, patient.params.recruitment)
        assert np.ptp(wave) == pytest.approx(1.7155 * quiet.m_wave_v * recruited, rel=0.12)


def test_a_second_pulse_at_the_same_instant_and_many_ahead_are_handled() -> None:
    patient = VirtualPatient()
    patient.pulse(0.1, 0, 30.0, 300.0)
    patient.pulse(0.1, 0, 30.0, 300.0)
    patient.advance(0.3)
    assert math.isfinite(patient.truth().activation)
    for i in range(240):
        patient.pulse(1.0 + 0.001 * i, 0, 20.0, 300.0)
    for i in range(8):
        patient.pulse(2.0 + 0.001 * i, 0, 20.0, 300.0)
    with pytest.raises(ValueError, match="pulses ahead"):
        patient.pulse(3.0, 0, 20.0, 300.0)


def test_the_past_is_kept_for_a_second_and_no_longer() -> None:
    patient = VirtualPatient()
    patient.advance(5.0)
    assert len(patient.imu("foot", 4.95)[1]) == 3
    with pytest.raises(ValueError, match=r"t_s: found 3.0, allowed: at least"):
        patient.imu("foot", 3.0)
    with pytest.raises(ValueError, match="segment: found 'hand'"):
        patient.imu("hand", 5.0)  # type: ignore[arg-type]  # no segment


def test_hard_treatment_never_breaks_the_model() -> None:
    """Strong random pulses, odd bodies and short activities: numbers stay finite, joints keep their range."""
    kinds = ("walk", "stand", "turn", "step_in_place", "stairs", "sit", "stand_up", "weight_shift")
    source = np.random.default_rng(11)
    for number in range(20):
        params = replace(
            PatientParams(),
            stiffness=float(source.uniform(0.1, 5.0)),
            damping_nms=float(source.uniform(0.0, 3.0)),
            reflex_gain_nms=float(source.uniform(0.0, 20.0)),
            evocable=float(source.uniform(0.05, 1.0)),
            push_off=float(source.uniform(0.4, 1.2)),
            hip_hike_m=float(source.uniform(0.0, 0.1)),
        )
        schedule = tuple(
            Activity(kind, float(source.uniform(0.5, 5.0)), float(source.uniform(0.2, 2.0)), 1.0)
            for kind in source.permutation(kinds)
        )
        patient = VirtualPatient(params, seed=number, schedule=schedule)
        for i in range(120):
            t = 0.2 * i
            patient.pulse(t, int(source.integers(2)), float(source.uniform(0.0, 130.0)), 500.0)
            rows = patient.imu_block("foot", t, 40, 200.0)
            assert np.isfinite(rows).all()
            assert np.isfinite(patient.imu_block("shank", t, 40, 200.0)).all()
            assert -75.0 < patient.truth().ankle_deg < 50.0


def test_a_single_sample_is_the_block_s_to_the_bit() -> None:
    """The noise is drawn many samples at a time, whoever asks for how many."""
    one_by_one, in_blocks = VirtualPatient(seed=5), VirtualPatient(seed=5)
    for first in range(0, 600, 60):
        for segment in ("foot", "shank"):
            block = in_blocks.imu_block(segment, first / 100.0, 60, 100.0)
            for row, number in zip(block.tolist(), range(first, first + 60), strict=True):
                times = first / 100.0 + (number - first) / 100.0
                quat, force, rate = one_by_one.imu(segment, times)
                assert [*quat, *force, *rate] == row
