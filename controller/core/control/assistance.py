"""Assistance in percent: how high the laws are asked to lift the foot, as a person beside the walker sets it.

100 % is the person's reference as it is. What is asked for is moved, not the command: a scaled command would
be taken back by the integral within a swing and by learning within some strides. Pure.
"""

from __future__ import annotations

import dataclasses

import numpy as np

from controller.core.gait.phase_alignment import smooth
from controller.core.params import Assistance, CoreParams, Reference

LIFT_DEG = 15.0  # what an unlifted foot lacks in swing, about (the demo's r.m.s. error without current)
RISEN_SHARE = 0.4  # of swing, by which the whole lift is asked for; nothing before toe-off
FLAT_PERCENT = 8.0  # after contact, where it has gone again: the foot is flat


def lift_deg(assistance: Assistance) -> float:
    """By how much the toes are asked up beyond the reference when the heel lands."""
    return LIFT_DEG * (assistance.percent - 100.0) / 100.0


def assisted(reference: Reference, assistance: Assistance) -> Reference:
    """``reference`` with the foot as high as is asked for from early swing to the landing."""
    more_deg = lift_deg(assistance)
    if more_deg == 0.0:
        return reference
    at = np.linspace(0.0, 100.0, len(reference.foot_pitch_deg))
    toe_off = reference.toe_off_percent
    rise = smooth(np.clip((at - toe_off) / (RISEN_SHARE * (100.0 - toe_off)), 0.0, 1.0))
    fall = 1.0 - smooth(np.clip(at / FLAT_PERCENT, 0.0, 1.0))
    lifted = np.asarray(reference.foot_pitch_deg) + more_deg * np.maximum(rise, fall)
    return dataclasses.replace(reference, foot_pitch_deg=tuple(lifted.tolist()))


def asked_reference(params: CoreParams) -> Reference:
    """What a core with these parameters follows at the person's own pace."""
    return assisted(params.reference, params.assistance)
