"""The core on a leg that is not the virtual patient, driven from outside as `docs/control.md` shows."""

from __future__ import annotations

from dataclasses import replace
from functools import cache

import numpy as np
import pytest

from controller.config.core_params import normal_reference
from controller.core.core import Core
from controller.core.params import CoreParams
from controller.core.signals import Mode, TickInputs
from drivers.interface import ImuSample, Segment
from tests.core.control.numbers import params
from tests.core.control.other_body import Build, OtherBody

STRIDES = 16
SENSOR_HZ, LINK_NS, EPOCH_NS = 60.0, 20_000_000, 1_000_000_000
BUILDS = {
    "usual": Build(),
    "stiff": Build(passive_factor=2.0, i50_ma=24.0, stride_s=1.5, speed_mps=0.6),
    "slack": Build(passive_factor=0.7, torque_nm=10.0, bandwidth_rps=15.0, delay_s=0.055, stride_s=1.2),
}


def identified(build: Build, mode: Mode) -> CoreParams:
    """What a good identification would have found: each number off by a tenth."""
    core = params(mode)
    muscle = replace(
        core.muscle,
        i50_ma=1.03 * build.i50_ma,
        sigma=0.95 * build.sigma,
        chronaxie_us=1.1 * build.chronaxie_us,
        torque_max_nm=0.9 * build.torque_nm,
        bandwidth_rps=1.1 * build.bandwidth_rps,
        delay_s=build.delay_s - 0.005,
    )
    foot = replace(
        core.foot,
        passive_factor=1.1 * build.passive_factor,
        damping_nms_per_rad=0.5,
        mass_kg=build.mass_kg,
        com_forward_m=0.95 * build.com_m,
        inertia_kgm2=1.1 * build.inertia_kgm2,
    )
    return replace(core, muscle=muscle, foot=foot, reference=normal_reference(build.speed_mps))


@cache
def walked(
    name: str, mode: Mode, stand_s: float = 4.0, segments: tuple[Segment, ...] = ("foot", "shank")
) -> tuple[list[float], Core]:
    """Error of each stride in degrees, and the core at the end."""
    build = BUILDS[name]
    told, body = identified(build, mode), OtherBody(build, STRIDES, stand_s=stand_s)
    told = replace(told, placements=tuple(one for one in told.placements if one.segment in segments))
    core, waiting, number, next_pulse_s = Core(told), [], 0, 0.0
    for tick in range(int(body.time_s[-1] / told.tick_s)):
        now_s = tick * told.tick_s
        body.advance(now_s)
        while number / SENSOR_HZ <= now_s:
            t_ns = EPOCH_NS + round(number / SENSOR_HZ * 1e9)
            for segment in segments:
                acc, gyr = body.sample(segment, number / SENSOR_HZ)
                waiting.append(ImuSample(segment, t_ns, t_ns + LINK_NS, number, acc, gyr))
            number += 1
        now_ns = EPOCH_NS + round(now_s * 1e9)
        here = tuple(sample for sample in waiting if sample.arrival_ns <= now_ns)
        waiting = [sample for sample in waiting if sample.arrival_ns > now_ns]
        decision = core.step(now_ns, TickInputs(imu=here))
        command = decision.command.channels[0]
        if command is not None and now_s >= next_pulse_s:
            body.pulse(now_s, command.current_ma, command.width_us)
            next_pulse_s = now_s + 1.0 / command.rate_hz
    return body.errors_deg(told.reference.foot_pitch_deg), core


@pytest.mark.parametrize("name", BUILDS)
def test_its_foot_drops_without_pulses_and_follows_the_reference_with_them(name: str) -> None:
    off, _ = walked(name, "off")
    learning, core = walked(name, "learning")
    assert float(np.mean(off[1:])) > 8.0
    assert float(np.mean(learning[6:])) < 2.5
    assert core.laws.strides.learner.learned >= STRIDES - 3


@pytest.mark.parametrize("name", BUILDS)
def test_a_foot_sensor_alone_is_enough(name: str) -> None:
    learning, _ = walked(name, "learning", 4.0, ("foot",))
    assert float(np.mean(learning[6:])) < 2.5


def test_a_foot_that_rolls_through_stance_is_walked_with_whether_the_person_stood_before_or_not() -> None:
    errors, core = walked("usual", "learning", 0.4)
    assert float(np.mean(errors[6:])) < 2.5
    assert core.laws.strides.learner.learned >= STRIDES - 4
