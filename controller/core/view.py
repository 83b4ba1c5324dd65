"""What a tick shows of the core's beliefs, and a checksum over all that the next tick depends on."""

from __future__ import annotations

import math
import struct
import zlib

from controller.core.control.laws import LawOutput, Laws
from controller.core.emg.walking import WalkingEmg
from controller.core.gait.estimator import GaitEstimate, GaitEstimator
from controller.core.output.stimulation import Stimulation
from controller.core.params import sample
from controller.core.signals import Mode, View


def view(
    mode: Mode,
    gait: GaitEstimate,
    laws: Laws,
    output: Stimulation,
    *,
    phase_percent: float | None,
    out: LawOutput,
    mark: int,
    tested: bool,
    emg: WalkingEmg | None,
) -> View:
    strides, pid = laws.strides, laws.feedback.pid
    learner, pace, reference, needed = strides.learner, strides.pace, strides.reference, strides.needed
    foot_rad, shank_rad, rate_rps = gait.foot_rad, gait.shank_rad, gait.foot_rate_rps
    percent = gait.command_percent if gait.phase.swinging else None
    target_deg = None if percent is None else sample(reference.foot_pitch_deg, min(percent, 99.99))
    ankle_rad = None if foot_rad is None or shank_rad is None else foot_rad - shank_rad
    return View(
        mode=mode,
        phase_percent=phase_percent,
        swing=gait.phase.swinging,
        strides=gait.strides,
        foot_pitch_deg=None if foot_rad is None else math.degrees(foot_rad),
        foot_pitch_rate_dps=None if rate_rps is None else math.degrees(rate_rps),
        ankle_deg=None if ankle_rad is None else math.degrees(ankle_rad),
        reference_pitch_deg=target_deg,
        reference_speed_mps=pace.speed_mps,
        pace_stride_s=pace.stride_s,
        feedforward=out.feedforward_nm,
        proportional=pid.proportional_nm,
        integral=pid.integral_nm,
        derivative=pid.derivative_nm,
        activation=out.activation,
        fingerprint=mark,
        rung=laws.ladder.rung,
        believed_gain=learner.belief.gain,
        believed_late_ms=1e3 * learner.lateness.late_s,
        believed_reflex_nms=learner.reflex.strength,
        strides_learned=learner.learned,
        not_learned=learner.frozen,
        response_share=learner.fatigue.share,
        limit_share=learner.shortfall.limit_share,
        learning_bound=learner.bound,
        stride_error_deg=learner.error_rms_deg,
        toe_clearance_mm=needed.clearance_mm if strides.withdraws else None,
        support_swing=needed.mid_swing.share if strides.withdraws else None,
        support_landing=needed.landing.share if strides.withdraws else None,
        inversion_deg=None if laws.steering is None else laws.steering.inversion_deg,
        eversion_demand_nm=None if laws.steering is None else laws.steering.demand_nm,
        eversion_lost_nm=None if laws.shares is None else laws.shares.lost_eversion_nm,
        unlifted_swings=output.unlifted.count,
        unlifted_advice=output.unlifted.advice,
        test_train=tested,
        volition=None if emg is None else emg.volition,
        emg_agreement=None if emg is None else emg.agreement,
        emg_finding="" if emg is None else emg.finding,
    )


def fingerprint(gait: GaitEstimator, laws: Laws, output: Stimulation, mode: Mode, events: int) -> int:
    """A checksum over what the next tick depends on: angles, timing, window, current, loop."""
    clock, window, pid, learner = gait.clock, output.window, laws.feedback.pid, laws.strides.learner
    angles = [
        value
        for orientation in gait.orientations.values()
        for value in (orientation.raw_rad, orientation.pitch_rad or 0.0, orientation.pitch_rate_rps or 0.0)
    ]
    numbers = struct.pack(
        f"<{len(angles) + 12}d",
        *angles,
        learner.belief.log_gain,
        learner.lateness.late_s,
        learner.reflex.strength,
        gait.alignment.shift_percent,
        laws.expected_nm,
        pid.integral_nm,
        pid.derivative_nm,
        output.first.current_ma,
        clock.stride_s,
        clock.swing_s,
        clock.pre_swing_s,
        window.fall_s,
    )
    marks = (
        clock.heel_off_ns,
        clock.toe_off_ns,
        clock.initial_contact_ns,
        window.since_ns,
        window.opened_ns,
        window.train_ns,
        window.contact_ns,
        window.stance_s,
    )
    numbers += learner.command_nm.tobytes()
    if gait.alignment.swing is not None:
        numbers += struct.pack("<3d", *gait.alignment.swing.state)
    if laws.strides.withdraws:
        numbers += laws.strides.needed.mark
    if laws.steering is not None and output.second is not None:
        numbers += struct.pack("<2d", laws.steering.demand_nm, output.second.current_ma)
    return zlib.crc32(numbers + repr((marks, window.state, mode, events)).encode())
