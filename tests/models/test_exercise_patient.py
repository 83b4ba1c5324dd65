"""The person who exercises: pulses move the limb, the will shows in EMG and movement, muscles tire."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest

from models.emg import EmgParams
from models.exercise_limbs import LIMBS, LimbName
from models.exercise_params import ExerciseParams
from models.exercise_patient import BURST_GAIN, ExercisePatient, burst_gain
from models.recruitment import fraction


def _params(limb: LimbName, **changes: object) -> ExerciseParams:
    agonists = tuple(m.name for m in LIMBS[limb].muscles if m.agonist)
    return replace(ExerciseParams(limb=limb, outputs=agonists), **changes)  # type: ignore[arg-type]


def _stimulate(
    patient: ExercisePatient,
    seconds: float,
    *,
    rate_hz: float = 30.0,
    factor: float = 1.4,
    start_s: float = 0.0,
) -> None:
    """All outputs at ``factor`` times the half-recruiting current of their muscle, 300 us."""
    curves = {m.name: m.recruitment for m in patient.limb.muscles}
    for i in range(round(seconds * rate_hz)):
        for output, muscle in enumerate(patient.params.outputs):
            patient.pulse(start_s + i / rate_hz, output, factor * curves[muscle].i50_ma, 300.0)
        patient.advance(start_s + (i + 1) / rate_hz)


@pytest.mark.parametrize("limb", ["wrist-and-fingers", "knee", "ankle"])
def test_stimulated_agonists_extend_the_limb_and_it_falls_back_without_them(limb: LimbName) -> None:
    patient = ExercisePatient(_params(limb))
    hanging = patient.truth().angle_deg
    _stimulate(patient, 1.5)
    lifted = patient.truth()
    patient.advance(20.0)  # the shank swings like a pendulum
    after = patient.truth()
    assert hanging is not None
    assert lifted.angle_deg is not None
    assert after.angle_deg is not None
    assert lifted.angle_deg > hanging + 25.0
    assert after.angle_deg == pytest.approx(hanging, abs=1.0)
    assert lifted.own_share == 0.0
    assert lifted.sensation == "felt"
    assert after.sensation == "nothing"


def test_a_cue_moves_the_will_after_the_reaction_time_and_a_resting_person_never() -> None:
    patient = ExercisePatient(_params("wrist-and-fingers", reaction_sd_s=0.0, reaction_s=0.3), seed=2)
    patient.advance(1.0)
    patient.cue(True)
    patient.advance(1.29)
    assert not patient.truth().trying
    patient.advance(2.5)
    truth = patient.truth()
    assert truth.trying
    assert truth.own_share == 1.0
    patient.cue(False)
    patient.advance(5.0)
    assert not patient.truth().trying
    resting = ExercisePatient(_params("wrist-and-fingers", intent="rest"))
    resting.cue(True)
    resting.advance(3.0)
    assert not resting.truth().trying


def test_the_same_seed_gives_the_same_emg_in_blocks_and_sample_by_sample() -> None:
    blocks, single = ExercisePatient(seed=4), ExercisePatient(seed=4)
    for patient in (blocks, single):
        patient.cue(True)
    one, other = [], []
    for i in range(20):
        for patient in (blocks, single):
            patient.pulse(0.05 * i, 0, 15.0, 300.0)
        one.append(blocks.emg(0.05 * i, 50, 1000.0))
        other.extend(single.emg(0.05 * i + k / 1000.0, 1, 1000.0) for k in range(50))
    assert np.abs(np.concatenate(one) - np.concatenate(other)).max() < 1e-12


def test_a_wrong_muscle_or_value_is_refused_by_name() -> None:
    with pytest.raises(ValueError, match="outputs: found 'quadriceps', allowed for wrist-and-fingers"):
        ExerciseParams(outputs=("quadriceps",))
    with pytest.raises(ValueError, match="volition"):
        ExerciseParams(volition=math.nan)
    with pytest.raises(ValueError, match="channel: found 3"):
        ExercisePatient().pulse(0.0, 3, 10.0, 300.0)


@pytest.mark.parametrize("limb", ["knee", "wrist-and-fingers"])
def test_a_relaxed_limb_hangs_where_its_weight_and_stiffness_balance(limb: LimbName) -> None:
    patient = ExercisePatient(_params(limb, stiffness=1.5))
    joint = LIMBS[limb].joints[0]
    angle_deg = patient.truth().angle_deg
    assert angle_deg is not None
    passive = -1.5 * joint.stiffness * math.radians(angle_deg - joint.rest)
    weight = joint.gravity_nm * math.cos(math.radians(angle_deg - joint.gravity_from_deg))
    assert passive - weight == pytest.approx(0.0, abs=2e-3 * joint.gravity_nm)


def test_a_let_go_shank_swings_at_the_frequency_of_its_pendulum() -> None:
    """Undamped sqrt((m g c sin(q) + k) / J) about rest: 0.82 Hz; damping lowers it by less than 1 %."""
    patient = ExercisePatient(_params("knee"))
    _stimulate(patient, 0.5)
    rates = []
    for i in range(8000):
        patient.advance(1.5 + i / 1000.0)
        rates.append(patient.imu("shank", 1.5 + i / 1000.0)[2][1])
    joint = LIMBS["knee"].joints[0]
    stiff = joint.gravity_nm * math.sin(math.radians(87.9)) + joint.stiffness
    expected_hz = math.sqrt(stiff / joint.inertia) / (2.0 * math.pi)
    smooth = np.convolve(rates, np.ones(50) / 50.0, "valid")
    crossings = np.flatnonzero(np.diff(np.sign(smooth[3000:6000])) > 0)
    periods_s = np.diff(crossings[[0, *(np.flatnonzero(np.diff(crossings) > 300) + 1)]]) / 1000.0
    assert 1.0 / np.mean(periods_s) == pytest.approx(expected_hz, rel=0.05)


def test_the_head_of_the_humerus_hangs_low_by_its_weight_and_stimulation_brings_it_back() -> None:
    """17.2 N over 2 N/mm: 8.6 mm."""
    patient = ExercisePatient(_params("shoulder"))
    low = patient.truth()
    _stimulate(patient, 2.0, factor=1.2)
    held = patient.truth()
    assert low.shift_mm == pytest.approx(-8.6, abs=0.05)
    assert low.angle_deg is None
    assert held.shift_mm is not None
    assert held.shift_mm > -2.0


def test_who_cannot_stand_up_alone_can_with_stimulation_and_not_by_stimulation_alone() -> None:
    heights = []
    for stimulated, willing in ((False, True), (True, False), (True, True)):
        patient = ExercisePatient(_params("sit-to-stand", intent="cue" if willing else "rest"))
        patient.cue(True)
        if stimulated:
            _stimulate(patient, 6.0)
        patient.advance(6.0)
        heights.append(patient.truth().angle_deg or -1000.0)
    alone, stimulation, both = heights
    assert alone < -85.0
    assert stimulation < -85.0
    assert both > -20.0


def _loss(on_s: float, off_s: float, rate_hz: float, contractions: int) -> float:
    """Share of the first contraction's fitness that the last has lost, in the quadriceps."""
    patient = ExercisePatient(_params("knee", intent="rest"))
    left = []
    for k in range(contractions):
        _stimulate(patient, on_s, rate_hz=rate_hz, start_s=k * (on_s + off_s))
        left.append(patient.truth().fitness)
        patient.advance((k + 1) * (on_s + off_s))
    return 1.0 - left[-1] / left[0]


def test_a_session_of_ten_seconds_on_and_off_tires_as_published() -> None:
    """Bickel, Gregory and Azuero 2012 (quadriceps, repeated contractions from a quarter of the voluntary
    torque): 25 % sd 14 % lost at a low rate, about 50 % at a higher one. Longer pauses tire less
    (Packman-Braun 1988, wrist extensors after stroke; from memory, unverified)."""
    losses = {rate_hz: _loss(10.0, 10.0, rate_hz, 20) for rate_hz in (25.0, 40.0)}
    assert 0.11 < losses[25.0] < losses[40.0] < 0.39
    assert _loss(10.0, 30.0, 40.0, 20) < 0.6 * losses[40.0]


def test_spastic_flexors_close_the_hand_and_answer_a_fast_stretch() -> None:
    relaxed, spastic = (
        ExercisePatient(_params("wrist-and-fingers", tone=tone, reflex_gain=gain))
        for tone, gain in ((0.0, 0.0), (0.05, 0.05))
    )
    assert (spastic.truth().finger_angle_deg or 0.0) < (relaxed.truth().finger_angle_deg or 0.0) - 5.0
    highest = 0.0
    for i in range(15):
        for output, muscle in enumerate(spastic.params.outputs):
            assert muscle != "finger-flexors"
            spastic.pulse(i / 30.0, output, 25.0, 300.0)
        spastic.advance((i + 1) / 30.0)
        highest = max(highest, spastic.truth().muscles["finger-flexors"].drive)
    assert highest > 0.06
    spastic.advance(4.0)
    assert spastic.truth().muscles["finger-flexors"].drive == pytest.approx(0.05, abs=0.005)


def test_cycles_of_a_burst_add_up_until_about_ten_milliseconds() -> None:
    gains = [burst_gain(cycles, 0.0004) for cycles in (1, 5, 25, 50)]
    assert gains[0] == 1.0
    assert gains == sorted(gains)
    assert gains[2] > 1.0 + 0.9 * (BURST_GAIN - 1.0)  # 25 cycles of 2.5 kHz
    weak, strong = ExercisePatient(), ExercisePatient()
    for i in range(20):
        weak.pulse(i / 50.0, 0, 20.0, 200.0)
        strong.pulse(i / 50.0, 0, 20.0, 200.0, cycles=25, cycle_s=0.0004)
    for patient in (weak, strong):
        patient.advance(0.5)
    assert strong.truth().activation > weak.truth().activation + 0.02


def test_a_denervated_muscle_answers_long_pulses_alone_and_without_m_wave() -> None:
    patient = ExercisePatient(_params("ankle", denervated=True, emg=EmgParams(artefact_v_per_ma=0.0)))
    for i in range(20):
        patient.pulse(i / 20.0, 0, 100.0, 300.0)
        patient.advance((i + 1) / 20.0)
    assert patient.truth().activation < 0.001
    for i in range(5):
        patient.pulse(1.0 + i / 5.0, 0, 60.0, 100_000.0)
        patient.advance(1.0 + (i + 1) / 5.0)
    assert patient.truth().activation > 0.1
    assert np.abs(patient.emg(1.5, 500, 1000.0)).max() < 1e-4


def test_both_sides_try_together_and_the_other_side_sees_no_m_wave() -> None:
    patient = ExercisePatient(seed=3)
    patient.cue(True)
    for i in range(60):
        patient.pulse(i / 30.0, 0, 20.0, 300.0)
    patient.advance(2.0)
    affected = patient.emg_parts(1.5, 500, 1000.0)
    other = patient.emg_parts(1.5, 500, 1000.0, side="other")
    assert np.abs(affected.m_wave[:, 0]).max() > 1e-3
    assert not other.m_wave.any()
    p = patient.params
    assert other.envelope[-1, 0] == pytest.approx(p.other_effort * p.emg.volition_v, rel=0.1)
    assert affected.envelope[-1, 0] == pytest.approx(p.volition * p.effort * p.emg.volition_v, rel=0.3)


def test_the_m_wave_of_a_pulse_is_as_large_as_what_it_recruits() -> None:
    quiet = EmgParams(noise_v=0.0, mains_v=0.0, drift_v=0.0, m_wave_scatter=0.0, artefact_v_per_ma=0.0)
    patient = ExercisePatient(replace(ExerciseParams(), emg=quiet, intent="rest"))
    curve = LIMBS["wrist-and-fingers"].muscles[0].recruitment
    for i, current_ma in enumerate((8.0, 12.0, 16.0, 24.0)):
        patient.pulse(0.1 * i, 0, current_ma, 300.0)
        wave = patient.emg(0.1 * i, 100, 1000.0)[:, 0]
        size = np.ptp(wave) / (1.7155 * quiet.m_wave_v)
        assert size == pytest.approx(fraction(current_ma, 300.0, curve), rel=0.06, abs=1e-3)


def test_a_person_learns_attempt_by_attempt_and_may_not_follow_every_cue() -> None:
    learner = ExercisePatient(_params("knee", gain_per_attempt=0.1, unsteady=0.0))
    drives = []
    for k in range(4):
        learner.cue(True)
        learner.advance(4.0 * k + 2.0)
        drives.append(learner.truth().muscles["quadriceps"].drive)
        learner.cue(False)
        learner.advance(4.0 * k + 4.0)
    assert drives[3] / drives[0] == pytest.approx(1.1**3, rel=0.01)
    absent = ExercisePatient(_params("knee", attempts_made=0.0))
    absent.cue(True)
    absent.advance(2.0)
    assert not absent.truth().trying


def test_a_cue_taken_back_early_and_given_again_is_followed_in_order() -> None:
    patient = ExercisePatient(_params("knee", reaction_sd_s=0.0))
    patient.cue(True)
    patient.advance(0.1)
    patient.cue(False)
    patient.advance(0.4)
    assert patient.truth().trying  # the reaction of 0.35 s to the first cue; the second comes at 0.45 s
    patient.advance(0.5)
    assert not patient.truth().trying
    patient.cue(True)
    patient.cue(True)
    patient.advance(40.0)
    assert not patient.truth().trying  # held no longer than 30 s


def test_what_is_too_much_is_told_and_spill_reaches_the_neighbours() -> None:
    patient = ExercisePatient(replace(ExerciseParams(), spill=0.6))
    patient.pulse(0.0, 0, 40.0, 300.0)
    patient.advance(0.1)
    truth = patient.truth()
    assert truth.sensation == "too much"
    assert truth.muscles["finger-extensors"].stimulated > 0.02
    patient.advance(0.5)
    assert patient.truth().sensation == "nothing"


def test_two_outputs_on_one_muscle_have_motor_units_of_their_own_and_tire_it_less() -> None:
    """Sequential stimulation through several electrodes tires far less (Sayenko 2014)."""
    left = []
    for outputs, rate_hz in ((("quadriceps",), 40.0), (("quadriceps", "quadriceps"), 20.0)):
        patient = ExercisePatient(ExerciseParams(limb="knee", outputs=outputs, intent="rest"))
        for i in range(round(60 * rate_hz)):
            for output in range(len(outputs)):
                patient.pulse((i + 0.5 * output) / rate_hz, output, 50.0, 300.0)
            patient.advance((i + 1) / rate_hz)
        left.append(patient.truth().fitness)
    assert left[1] > left[0] + 0.03


def test_a_sensor_at_rest_feels_gravity_and_its_turn_is_the_joints() -> None:
    patient = ExercisePatient(_params("knee"))
    _, force, _ = patient.imu("shank", 0.1)
    assert math.hypot(*force) == pytest.approx(9.81, abs=0.15)
    before = patient.truth().angle_deg
    turned, step_s = 0.0, 0.001
    for i in range(400):
        if i % 25 == 0:
            patient.pulse(0.1 + i * step_s, 0, 60.0, 300.0)
        turned -= math.degrees(patient.imu("shank", 0.1 + i * step_s)[2][1]) * step_s
    after = patient.truth().angle_deg
    assert before is not None
    assert after is not None
    assert after - before > 10.0
    assert turned == pytest.approx(after - before, abs=0.5)


def test_times_too_long_ago_and_unknown_names_are_refused() -> None:
    patient = ExercisePatient()
    patient.advance(3.0)
    with pytest.raises(ValueError, match="t_s: found 1"):
        patient.emg(1.0, 10, 1000.0)
    with pytest.raises(ValueError, match="segment: found 'foot', allowed: hand, forearm"):
        patient.imu("foot", 3.0)
    with pytest.raises(ValueError, match="muscle: found 'calf'"):
        patient.cue(True, "calf")
    with pytest.raises(ValueError, match="cycles"):
        patient.pulse(3.0, 0, 10.0, 300.0, cycles=0)
