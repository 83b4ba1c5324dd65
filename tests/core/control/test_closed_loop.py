"""The virtual patient walks: what each arm does to its foot, judged by what really happened."""

from __future__ import annotations

import copy
import math
from dataclasses import replace
from functools import cache
from itertools import pairwise

import numpy as np
import pytest

from controller.core.control.muscle_estimate import LATE_DEAD_BAND_S
from controller.core.gait.estimator import Swing
from controller.core.signals import Mode
from controller.simulation.closed_loop import EPOCH_NS, Rehearsal, Stride
from drivers.interface import ImuSample
from models.gait import Activity
from models.patient import VirtualPatient
from models.patient_params import PatientParams
from tests.core.control.numbers import linear, params

SECONDS = 32.0
REFERENCE_ANKLE_DEG = -2.0  # at initial contact (Schwartz 2008, free speed)


@cache
def walked(mode: Mode, gain: float = 1.0, late_s: float = 0.0) -> Rehearsal:
    body = PatientParams()
    body = replace(body, evocable=min(1.0, body.evocable * gain), delay_s=body.delay_s + late_s)
    rehearsal = Rehearsal(params(mode), VirtualPatient(body, seed=1))
    rehearsal.walk(SECONDS)
    return rehearsal


def errors(strides: list[Stride]) -> list[float]:
    return [stride.error_rms_deg for stride in strides]


@pytest.mark.parametrize("times", [0.6, 0.75, 1.25])
def test_a_shank_that_swings_unlike_the_references_costs_feed_forward_nothing_after_two_strides(
    times: float,
) -> None:
    core = params("feedback")
    shank = np.array(core.reference.shank_pitch_deg)
    unlike = tuple((shank.mean() + times * (shank - shank.mean())).tolist())
    core = replace(core, reference=replace(core.reference, shank_pitch_deg=unlike))
    walk = Rehearsal(core, VirtualPatient(PatientParams(), seed=1))
    walk.walk(SECONDS)
    same = float(np.mean(errors(walked("feedback").strides())[3:]))
    assert float(np.mean(errors(walk.strides())[3:])) < same + 0.5


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_samples_that_are_no_numbers_are_left_out_and_leave_nothing_behind(value: float) -> None:
    def spoil(sample: ImuSample) -> ImuSample:
        return replace(sample, gyr_rps=(value, 0.0, 0.0)) if sample.seq in (400, 401) else sample

    walk = Rehearsal(params("learning"), VirtualPatient(PatientParams(), seed=1), spoil)
    walk.walk(16.0)
    assert all(math.isfinite(p.current_ma or 0.0) for p in walk.trace)
    assert walk.core.laws.strides.learner.learned > 2
    assert float(np.mean(errors(walk.strides())[-3:])) < 4.0


def test_without_stimulation_the_foot_drops() -> None:
    strides = walked("off").strides()
    assert float(np.median([stride.ankle_deg for stride in strides])) <= -8.0


@pytest.mark.parametrize("mode", ["feedback", "learning"])
def test_the_ankle_meets_the_ground_within_three_degrees_of_normal(mode: Mode) -> None:
    strides = walked(mode).strides()[2:]
    assert float(np.median([stride.ankle_deg for stride in strides])) == pytest.approx(
        REFERENCE_ANKLE_DEG, abs=3.0
    )


@pytest.mark.parametrize("mode", ["feedback", "learning"])
def test_the_swing_error_is_less_than_half_of_that_without(mode: Mode) -> None:
    without = float(np.median(errors(walked("off").strides())))
    assert float(np.median(errors(walked(mode).strides()[2:]))) < 0.5 * without


@pytest.mark.parametrize("mode", ["feedback", "learning"])
def test_one_step_from_standing_is_enough_to_lift_the_next(mode: Mode) -> None:
    assert errors(walked(mode).strides())[0] < 0.6 * errors(walked("off").strides())[0]


def test_what_was_given_is_told_at_the_phases_of_another_timetable() -> None:
    walk = walked("learning")
    learner, swing = walk.core.laws.strides.learner, walk.core.gait.swing
    assert swing is not None
    percent_at = {m.t_ns: m.percent for m in learner.memory.moments}
    given, beside = learner.memory.applied(swing)
    later, beside_later = learner.memory.applied(swing, lambda t_ns: (percent_at[t_ns] or 0.0) + 5.0)
    assert later[5:] == pytest.approx(given[:-5])
    assert beside_later[5:] == pytest.approx(beside[:-5])


@pytest.mark.parametrize("mode", ["off", "trapezoid", "feedback", "learning"])
def test_detected_strides_are_the_true_ones_within_one(mode: Mode) -> None:
    walk = walked(mode)
    assert abs(walk.core.gait.clock.strides - len(walk.patient.strides())) <= 1


def test_learning_is_below_three_degrees_within_six_strides_and_stays_there() -> None:
    trace = errors(walked("learning").strides())
    assert max(float(np.mean(trace[n : n + 3])) for n in range(6, len(trace) - 2)) < 3.0


def test_learning_never_lifts_the_foot_far_above_the_reference() -> None:
    assert max(stride.overshoot_deg for stride in walked("learning").strides()) < 7.6  # the plain ILC's worst


@pytest.mark.parametrize(("gain", "late_s"), [(0.4, 0.0), (2.0, 0.0), (1.0, 0.03), (2.0, 0.03)])
def test_a_muscle_unlike_the_identified_one_is_learned_all_the_same(gain: float, late_s: float) -> None:
    # electromechanical delay and evocable torque are the patient's, the controller keeps the demo's numbers
    trace = errors(walked("learning", gain, late_s).strides())
    assert float(np.mean(trace[-6:])) < 4.0
    assert float(np.mean(trace[-6:])) < float(np.mean(trace[:2])) + 0.5


@pytest.mark.parametrize("believes", [True, False])
def test_feedback_and_learning_stay_stable_on_three_times_the_gain_and_a_later_muscle(
    *, believes: bool
) -> None:
    assumed = linear(params("learning"), torque_max_nm=params("learning").muscle.torque_max_nm / 3.0)
    if not believes:
        assumed = replace(assumed, learning=replace(assumed.learning, gain_sd=0.0))
    body = replace(PatientParams(), delay_s=PatientParams().delay_s + 0.03)
    walk = Rehearsal(assumed, VirtualPatient(body, seed=1))
    walk.walk(40.0)
    trace, without = errors(walk.strides()), float(np.median(errors(walked("off").strides())))
    assert max(trace[2:]) < 0.6 * without
    assert float(np.mean(trace[-6:])) < 3.0


def test_the_integral_moves_in_swing_alone() -> None:
    views = [(p.decision.reason, p.decision.view) for p in walked("feedback").trace]
    moved = {
        after[0].split(":")[0] for before, after in pairwise(views) if before[1].integral != after[1].integral
    }
    assert moved == {"swing"}


def test_a_muscle_that_tires_is_asked_for_more_within_bounds_and_a_rest_is_advised() -> None:
    core = params("learning")
    body = replace(PatientParams(), fatigue_s=6.0, fatigue_min=0.05, recovery_s=300.0)
    walk = Rehearsal(core, VirtualPatient(body, seed=1))
    walk.walk(90.0)
    told = [p for p in walk.trace if "rest advised" in p.decision.reason]
    assert told
    assert walk.patient.truth().fitness < 0.7
    assert max(p.current_ma or 0.0 for p in walk.trace) <= core.pulse.current_max_ma
    assert all(p.decision.view.believed_gain >= core.learning.gain_min for p in told)


def test_a_foot_that_the_highest_current_does_not_lift_is_told_and_one_that_comes_up_is_not() -> None:
    core = params("learning")
    weak = replace(core, pulse=replace(core.pulse, current_max_ma=0.8 * core.muscle.i50_ma))
    walk = Rehearsal(weak, VirtualPatient(PatientParams(), seed=1))
    walk.walk(SECONDS)
    last = walk.trace[-1].decision.view
    assert float(np.mean(errors(walk.strides())[-5:])) > 5.0
    assert last.limit_share is not None
    assert last.limit_share > 0.3
    assert any("deg off at the highest current" in p.decision.reason for p in walk.trace)
    assert not any("deg off" in p.decision.reason for p in walked("learning").trace)


@pytest.mark.parametrize("turn_deg", [180.0, 90.0, -90.0])
def test_a_turn_in_four_strides_teaches_nothing(turn_deg: float) -> None:
    walks = (
        Activity("stand", 4.0),
        Activity("walk", 16.0, 0.7, 1.6),
        Activity("walk", 6.4, 0.7, 1.6, turn_deg=turn_deg),
        Activity("walk", 1e3, 0.7, 1.6),
    )
    walk = Rehearsal(params("learning"), VirtualPatient(PatientParams(), seed=3, schedule=walks))
    walk.walk(22.0)  # the turn's first stride is seen to be one when it is over
    before = walk.core.laws.strides.learner.learned
    walk.walk(26.0)
    assert before >= 6
    assert walk.core.laws.strides.learner.learned == before
    walk.walk(40.0)
    assert walk.core.laws.strides.learner.learned > before + 4
    assert float(np.mean(errors(walk.strides())[-5:])) < 3.0


def test_an_electrode_that_shifts_is_made_up_for_within_four_strides() -> None:
    rehearsal = Rehearsal(params("learning"), VirtualPatient(PatientParams(), seed=1))
    rehearsal.walk(18.0)
    before = len(rehearsal.strides())
    rehearsal.patient.params = replace(rehearsal.patient.params, electrode_gain=1.3)
    rehearsal.walk(30.0)
    trace = errors(rehearsal.strides())
    assert max(trace[before : before + 2]) > 4.0
    assert float(np.mean(trace[before + 4 :])) < 3.0


def test_a_moved_electrode_is_named_and_not_taken_for_fatigue() -> None:
    rehearsal = Rehearsal(params("learning"), VirtualPatient(PatientParams(), seed=1))
    rehearsal.walk(36.0)
    rehearsal.patient.params = replace(rehearsal.patient.params, electrode_gain=1.3)
    rehearsal.walk(60.0)
    said = [point.decision.reason for point in rehearsal.trace]
    assert any("look at the electrodes" in reason for reason in said)
    assert not any("rest advised" in reason for reason in said)


def test_a_stride_without_samples_costs_three_strides_at_most_and_no_belief() -> None:
    rehearsal = Rehearsal(params("learning"), VirtualPatient(PatientParams(), seed=1))
    rehearsal.walk(20.0)
    before, believed = len(rehearsal.strides()), rehearsal.core.laws.strides.learner.belief.gain
    silent = (rehearsal.ticks * 5_000_000 + EPOCH_NS, rehearsal.ticks * 5_000_000 + EPOCH_NS + 1_300_000_000)
    rehearsal.spoil = lambda sample: None if silent[0] <= sample.t_ns < silent[1] else sample
    rehearsal.walk(32.0)
    trace = errors(rehearsal.strides())
    assert max(trace[before : before + 2]) > 6.0
    assert max(float(np.mean(trace[n : n + 3])) for n in range(before + 3, len(trace) - 2)) < 3.0
    assert 0.8 < rehearsal.core.laws.strides.learner.belief.gain / believed < 1.25


def test_what_is_believed_of_the_muscle_follows_the_muscle() -> None:
    weak, strong = (walked("learning", gain).core.laws.strides.learner.belief.gain for gain in (0.4, 2.0))
    assert 2.5 < strong / weak < 8.0  # five times, seen through an ankle that answers differently


@pytest.mark.parametrize("off_rad", [-1.8, 1.8])
def test_an_ankle_that_cannot_be_says_nothing_about_the_muscle(off_rad: float) -> None:
    walk = walked("learning")
    learner, swing = copy.deepcopy(walk.core.laws.strides.learner), walk.core.gait.swing
    assert swing is not None
    gain, reflex = learner.belief.log_gain, learner.reflex.strength
    learner.memory.readings = [
        replace(r, shank_rad=None if r.shank_rad is None else r.shank_rad + off_rad)
        for r in learner.memory.readings
    ]
    learner.close(swing, walk.core.gait.clock.swing_s, trusted=True)
    assert not learner.frozen
    learner.weigh(swing)
    assert (learner.belief.log_gain, learner.reflex.strength) == (gain, reflex)


@pytest.mark.parametrize("angle", ["foot_rad", "shank_rad"])
def test_an_angle_that_is_no_number_teaches_nothing_and_leaves_nothing_behind(angle: str) -> None:
    walk = walked("learning")
    learner, swing = copy.deepcopy(walk.core.laws.strides.learner), walk.core.gait.swing
    assert swing is not None
    command, gain, reflex = learner.command_nm, learner.belief.log_gain, learner.reflex.strength
    readings = learner.memory.readings
    learner.memory.readings = [replace(r, **{angle: math.nan}) for r in readings]
    learner.close(swing, walk.core.gait.clock.swing_s, trusted=True)
    assert learner.frozen == "the swing was unlike a step"
    for part in (lambda: learner.weigh(swing), learner.model, learner.move, learner.prove):
        part()
    assert (learner.command_nm == command).all()
    assert (learner.belief.log_gain, learner.reflex.strength) == (gain, reflex)
    learner.memory.readings = readings
    learner.close(swing, walk.core.gait.clock.swing_s, trusted=True)
    for part in (lambda: learner.weigh(swing), learner.model, learner.move):
        part()
    assert not learner.frozen
    assert np.isfinite(learner.command_nm).all()


def test_a_controller_that_slept_through_a_swing_learns_of_it_without_harm() -> None:
    walk = walked("learning")
    learner, swing = copy.deepcopy(walk.core.laws.strides.learner), walk.core.gait.swing
    assert swing is not None
    learner.memory.moments = [m for m in learner.memory.moments if m.t_ns < swing.toe_off_ns]
    learner.close(swing, walk.core.gait.clock.swing_s, trusted=True)
    for part in (lambda: learner.weigh(swing), learner.model, learner.move, learner.prove):
        part()
    assert np.isfinite(learner.command_nm).all()
    assert learner.shortfall.limit_share == 0.0


def test_a_new_pace_leaves_the_command_where_it_is_on_the_phase() -> None:
    core = copy.deepcopy(walked("learning").core)
    gait, strides = core.gait, core.laws.strides
    before_nm, pace = strides.learner.command_nm.copy(), gait.clock.percent_per_s
    gait.clock._usual_swing_s *= 0.8
    assert gait.swing is not None
    swing = Swing(gait.swing, gait.clock.swing_s, 0.0, level=False, first=False, shank_rad=np.zeros(101))
    strides.trusted = False  # a swing that teaches nothing
    strides.land(swing, unsure=False, teaches=True)
    for _ in range(8):
        strides.work(gait.at(EPOCH_NS))
    assert not strides.learning
    assert strides.learner.ankle.percent_per_s == pytest.approx(pace / 0.8)
    assert np.array_equal(strides.learner.command_nm, before_nm)


def test_a_muscle_that_answers_later_is_believed_to_and_one_that_does_not_is_not() -> None:
    rehearsal = Rehearsal(params("learning"), VirtualPatient(PatientParams(), seed=1))
    rehearsal.walk(38.0)
    assert rehearsal.trace[-1].decision.view.believed_late_ms == 0.0
    rehearsal.patient.params = replace(
        rehearsal.patient.params, delay_s=rehearsal.patient.params.delay_s + 0.03
    )
    rehearsal.walk(64.0)
    assert 1e3 * LATE_DEAD_BAND_S < rehearsal.trace[-1].decision.view.believed_late_ms <= 40.0
    assert float(np.mean(errors(rehearsal.strides())[-8:])) < 3.0
