"""Shin and calf in walking: a witness of the phase, and what the person does of the lift."""

from __future__ import annotations

import dataclasses

import pytest

from controller.core.emg.params import EmgElectrode, EmgParams
from controller.core.emg.walking import CALF, SHIN
from controller.core.signals import GaitMode, PulseGiven, TickInputs
from controller.simulation.closed_loop import EPOCH_NS, TICK_S, Rehearsal
from drivers.interface import EmgFrame
from models.patient import VirtualPatient
from models.patient_params import PatientParams
from tests.core.control.numbers import params

EMG_HZ, SAMPLES = 1000.0, 20
WALKS_S = 24.0


def walked(mode: GaitMode, volition: float, shin: int = 0, calf: int = 1) -> Rehearsal:
    """A walk with EMG at 1 kHz, a frame of 20 samples a tick late."""
    electrodes = (
        EmgElectrode("emg", shin, SHIN, rest_v=4e-6, rest_sd_v=0.4e-6, maximum_v=60e-6),
        EmgElectrode("emg", calf, CALF),
    )
    core = dataclasses.replace(params(mode), emg=EmgParams(electrodes))
    patient = VirtualPatient(PatientParams(volition=volition, side="left"), seed=4)
    walk, seq, told = Rehearsal(core, patient), 0, 0
    while walk.ticks * TICK_S < WALKS_S:
        now_s = walk.ticks * TICK_S
        frames: tuple[EmgFrame, ...] = ()
        if now_s >= 0.1 and walk.ticks % 4 == 0:
            from_s = now_s - 0.04
            volts = patient.emg(from_s, SAMPLES, EMG_HZ)
            t_ns = EPOCH_NS + round(from_s * 1e9)
            rows = tuple(tuple(row) for row in volts.tolist())
            frames = (EmgFrame("emg", t_ns, t_ns + 20_000_000, seq, EMG_HZ, rows),)
            seq += SAMPLES
        pulses = tuple(
            PulseGiven(0, EPOCH_NS + round(t_s * 1e9), ma, us) for t_s, ma, us in walk.pulses[told:]
        )
        told = len(walk.pulses)
        walk.tick(TickInputs(imu=walk.arrivals(now_s), emg=frames, pulses=pulses))
    return walk


@pytest.fixture(scope="module")
def stimulated() -> Rehearsal:
    return walked("trapezoid", 0.5)


def test_the_muscles_see_the_phase_that_steers_with_and_without_pulses(stimulated: Rehearsal) -> None:
    for walk in (walked("off", 0.5), stimulated):
        agreement = walk.trace[-1].decision.view.emg_agreement
        assert agreement is not None
        assert agreement > 0.7
        assert walk.trace[-1].decision.view.emg_finding == ""
    assert stimulated.pulses


def test_volition_is_higher_in_who_lifts_more(stimulated: Rehearsal) -> None:
    weak = walked("trapezoid", 0.05)
    found = [walk.trace[-1].decision.view.volition for walk in (weak, stimulated)]
    assert None not in found
    assert found[0] < 0.5 * found[1]  # type: ignore[operator]


def test_swapped_leads_are_told_in_words() -> None:
    seen = walked("off", 0.5, shin=1, calf=0).trace[-1].decision.view
    assert "swap" in seen.emg_finding
    assert seen.emg_agreement is not None
    assert seen.emg_agreement < 0.4


def test_the_walk_is_the_same_with_and_without_muscle_signals(stimulated: Rehearsal) -> None:
    """They steer nothing."""
    plain = Rehearsal(params("trapezoid"), VirtualPatient(PatientParams(volition=0.5, side="left"), seed=4))
    plain.walk(WALKS_S)
    assert [point.current_ma for point in plain.trace] == [point.current_ma for point in stimulated.trace]
