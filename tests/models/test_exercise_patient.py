"""The person who exercises: pulses move the limb, the will shows in EMG and movement, muscles tire."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest

from models.exercise_limbs import LIMBS, LimbName
from models.exercise_patient import ExerciseParams, ExercisePatient


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
