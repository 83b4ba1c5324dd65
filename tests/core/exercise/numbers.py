"""Programmes for the tests of the exercise core."""

from __future__ import annotations

import dataclasses
from typing import Any

from controller.core.exercise.programme import Course, ExerciseParams, MusclePlan

EXTENSORS = MusclePlan(
    muscle="wrist-extensors",
    channel=0,
    current_ma=20.0,
    current_max_ma=30.0,
    width_us=300.0,
    rate_hz=40.0,
    begin_s=0.0,
    ramp_up_s=1.0,
    hold_s=2.0,
    ramp_down_s=0.5,
)
FLEXORS = dataclasses.replace(
    EXTENSORS, muscle="finger-flexors", channel=1, current_ma=15.0, begin_s=4.0, hold_s=1.0
)


def programme(*muscles: MusclePlan, control: Any = "cyclic", **course: Any) -> ExerciseParams:
    """A short programme; ``course`` replaces keys of its course."""
    return ExerciseParams(
        name="short",
        title="Short",
        control=control,
        muscles=muscles or (EXTENSORS,),
        course=Course(**{"repetitions": 2, "rest_s": 3.0, **course}),
        tick_s=0.005,
        lifetime_ms=60.0,
        current_step_ma=0.5,
        rise_ma_per_tick=1.0,
        rise_ma_per_250ms=40.0,
        train_max_s=30.0,
    )
