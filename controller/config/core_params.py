"""The control core's numbers, from a checked session and within its limits."""

from __future__ import annotations

from functools import cache

import msgspec
import numpy as np

from controller.config.limits import first_output, plannable_ma, second_output
from controller.config.person_schema import LIFT_PERCENT
from controller.config.section import CURRENT_STEP_MA
from controller.config.session import Session
from controller.core.emg.params import EmgElectrode, EmgParams
from controller.core.emg.walking import CALF, SHIN
from controller.core.params import (
    Assistance,
    CoreParams,
    Envelope,
    FootModel,
    Gains,
    Learning,
    MuscleModel,
    NormalCurves,
    Placement,
    Pulse,
    Reference,
    ResponseMap,
    SecondChannel,
)
from controller.core.signals import Mode
from models.gait import SPEEDS_MPS, normal_knee_deg, normal_pitch_deg, toe_off_percent

TICK_RATE_HZ = 200.0  # absolute deadlines every 5 ms
PULSE_LIFETIME_MS = 60.0  # a command dies with the guard's own limit for a hung controller (F4)
# The core ends a train before the guard does, which counts by the arrival of frames: up to a hung tick apart.
TRAIN_SPARE_S = 0.05
TRAIN_SPARE_SHARE = 0.1  # of a short train
BAND_NARROWS_PERCENT = 10.0  # of the stride on both sides of the contact: how the foot is set down is judged
WHOLE_CYCLE_POINTS = 101  # reference curves: one value a percent


def normal_reference(speed_mps: float, band_deg: float = 0.0, lift_deg: tuple[float, ...] = ()) -> Reference:
    """Normal foot pitch over the stride at a walking speed, with the shank and knee that go with it.

    ``band_deg`` is half the width of its band; towards the contact it narrows to nothing. ``lift_deg``, at
    ``LIFT_PERCENT``, is added to the foot's pitch. The normal curves at five speeds stand beside it, by which
    it follows the pace.
    """
    percent = [float(point) for point in range(WHOLE_CYCLE_POINTS)]
    own = _normal_curves(speed_mps)
    foot = np.array(own.foot_pitch_deg)
    if lift_deg:
        foot = foot + np.interp(percent, LIFT_PERCENT, lift_deg)
    return Reference(
        foot_pitch_deg=tuple(foot.tolist()),
        shank_pitch_deg=own.shank_pitch_deg,
        knee_flexion_deg=own.knee_flexion_deg,
        toe_off_percent=own.toe_off_percent,
        band_deg=tuple(band_deg * _band_share(point) for point in percent) if band_deg > 0.0 else (),
        speed_mps=speed_mps,
        speeds=tuple(_normal_curves(speed) for speed in SPEEDS_MPS),
    )


@cache
def _normal_curves(speed_mps: float) -> NormalCurves:
    percent = [float(point) for point in range(WHOLE_CYCLE_POINTS)]
    foot, shank = (normal_pitch_deg(segment, percent, speed_mps) for segment in ("foot", "shank"))
    return NormalCurves(
        speed_mps=speed_mps,
        foot_pitch_deg=tuple(foot.tolist()),
        shank_pitch_deg=tuple(shank.tolist()),
        knee_flexion_deg=tuple(normal_knee_deg(percent, speed_mps).tolist()),
        toe_off_percent=toe_off_percent(speed_mps),
    )


def _band_share(percent: float) -> float:
    return min(1.0, min(percent, 100.0 - percent) / BAND_NARROWS_PERCENT)


def core_params(session: Session, mode: Mode | None = None) -> CoreParams:
    """The control core's numbers, from a checked session; ``mode`` overrides the session's."""
    file, patient = session.file, session.patient
    mass_kg, height_m = patient.patient.body_mass_kg, patient.patient.body_height_m
    foot_mass_kg = 0.0145 * mass_kg  # Winter's proportions, docs/references.md
    foot_length_m = 0.152 * height_m
    com_forward_m = 0.44 * foot_length_m
    # about the ankle: .015 to .020 kg m2 for 70 kg
    inertia_kgm2 = foot_mass_kg * ((0.25 * foot_length_m) ** 2 + com_forward_m**2)
    limits = session.effective.limits
    stimulator = file.stimulator
    return CoreParams(
        mode=mode or file.session.mode,
        placements=tuple(
            Placement(sensor.name, sensor.segment, patient.patient.paretic_side) for sensor in session.imus
        ),
        muscle=MuscleModel(
            i50_ma=patient.muscle.i50_ma,
            sigma=patient.muscle.sigma,
            chronaxie_us=patient.muscle.chronaxie_us,
            torque_max_nm=patient.muscle.torque_max_nm,
            bandwidth_rps=patient.muscle.bandwidth_rps,
            delay_s=patient.muscle.delay_ms / 1e3,
        ),
        foot=FootModel(
            mass_kg=foot_mass_kg,
            com_forward_m=com_forward_m,
            inertia_kgm2=inertia_kgm2,
            damping_nms_per_rad=patient.ankle.damping_nms_per_rad,
            passive_factor=patient.ankle.passive_factor,
            neutral_deg=patient.ankle.neutral_deg,
            thigh_m=0.245 * height_m,  # Winter
            shank_m=0.246 * height_m,
        ),
        reference=normal_reference(**patient.reference.model_dump()),
        pulse=Pulse(
            channel=0,  # the one channel of a frame; the guard knows its output on the device
            channels=1 if file.second_channel is None else 2,
            width_us=stimulator.width_us,
            rate_hz=stimulator.rate_hz,
            current_max_ma=plannable_ma(limits, first_output(session)),
            current_step_ma=CURRENT_STEP_MA,
            rise_ma_per_tick=limits.rise_max_ma_per_frame,
            rise_ma_per_250ms=limits.rise_max_ma_per_250ms,
            train_max_s=limits.train_max_s - min(TRAIN_SPARE_S, TRAIN_SPARE_SHARE * limits.train_max_s),
            lifetime_ms=PULSE_LIFETIME_MS,
            width_min_us=stimulator.width_min_us,
        ),
        envelope=Envelope(
            current_ma=file.trapezoid.current_ma,
            rise_s=file.trapezoid.rise_ms / 1e3,
            extension_s=file.trapezoid.extension_ms / 1e3,
            fall_s=file.trapezoid.fall_ms / 1e3,
        ),
        gains=Gains(
            kp_nm_per_rad=file.feedback.kp_nm_per_rad,
            ti_s=file.feedback.ti_s,
            td_s=file.feedback.td_s,
            derivative_filter=file.feedback.derivative_filter,
            torque_max_nm=file.feedback.torque_max_nm,
        ),
        tick_s=1.0 / TICK_RATE_HZ,
        learning=msgspec.convert(file.learning.model_dump(), Learning),
        second=_second_channel(session),
        readiness=file.gait.readiness,
        assistance=Assistance(file.gait.assist_percent),
        emg=_emg(session),
    )


def _emg(session: Session) -> EmgParams | None:
    given = session.file.emg
    if given is None:
        return None
    shin = EmgElectrode(given.sensor, given.tibialis_channel, SHIN, maximum_v=given.tibialis_max_uv * 1e-6)
    electrodes = [shin]
    if given.calf_channel is not None:
        electrodes.append(EmgElectrode(given.sensor, given.calf_channel, CALF))
    return EmgParams(tuple(electrodes), mains_hz=given.mains_hz)


def _second_channel(session: Session) -> SecondChannel | None:
    given, muscles, output = session.file.second_channel, session.patient.eversion, second_output(session)
    if given is None or muscles is None or output is None:
        return None
    return SecondChannel(
        channel=1,  # of a frame; the guard knows its output on the device
        i50_ma=muscles.i50_ma,
        sigma=muscles.sigma,
        chronaxie_us=muscles.chronaxie_us,
        width_us=given.width_us,
        current_max_ma=min(muscles.current_max_ma, plannable_ma(session.effective.limits, output)),
        response=ResponseMap(
            (muscles.first_dorsiflexion_nm, muscles.second_dorsiflexion_nm),
            (muscles.first_eversion_nm, muscles.second_eversion_nm),
        ),
        target_deg=given.target_deg,
        band_deg=given.band_deg,
        swing_band_deg=given.swing_band_deg,
        compliance_deg_per_nm=muscles.compliance_deg_per_nm,
        step=given.step,
        change_max_nm=given.change_max_nm,
    )
