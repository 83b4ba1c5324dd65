"""A try begins from a muscle seen at rest: not from noise at a loosened electrode, not from an old effort."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import pytest

from controller.core.emg.params import EmgElectrode, EmgParams
from controller.core.emg.proportional import ProportionalParams
from controller.core.exercise.effort import Effort, EffortParams
from drivers.interface import EmgFrame
from tests.core.emg.muscle import answers, frames, train, volition

S = 1_000_000_000
TICK_NS = 5_000_000
RATE_HZ = 1000.0
ELECTRODE = EmgElectrode("emg", 0, "wrist-extensors", rest_v=2e-6, rest_sd_v=0.5e-6, maximum_v=100e-6)
PARAMS = EffortParams(EmgParams((ELECTRODE,), mains_hz=None), threshold=0.4, release=0.2, refractory_s=1.0)


class Arm:
    """An arm whose muscle is at ``volts`` (r.m.s.), or whose sensor is silent; the effort it is taken for."""

    def __init__(self) -> None:
        self.effort, self.now_ns, self.tries_ns = Effort(PARAMS), S, list[int]()

    def live(self, seconds: float, volts: float | None) -> None:
        for now_ns in range(self.now_ns, self.now_ns + round(seconds * S), TICK_NS):
            rows = tuple(self._rows(now_ns, volts or 0.0))
            frame = EmgFrame("emg", now_ns, now_ns + TICK_NS, now_ns // 1_000_000, RATE_HZ, rows)
            self.now_ns = now_ns + TICK_NS
            self.effort.take(self.now_ns, () if volts is None else (frame,), (), resting=False)
            if self.effort.tried:
                self.tries_ns.append(self.now_ns)

    @staticmethod
    def _rows(from_ns: int, volts: float) -> Iterator[tuple[float, ...]]:
        for i in range(5):
            t_s = from_ns / 1e9 + i / RATE_HZ
            yield (volts * math.sqrt(2.0) * math.sin(2.0 * math.pi * 120.0 * t_s),)


@pytest.fixture
def arm() -> Arm:
    arm = Arm()
    arm.live(2.0, 2e-6)
    assert arm.tries_ns == []
    return arm


def test_a_try_counts_once_until_the_muscle_is_at_rest_again(arm: Arm) -> None:
    arm.live(3.0, 80e-6)
    assert len(arm.tries_ns) == 1
    arm.live(1.0, 2e-6)
    arm.live(1.0, 80e-6)
    assert len(arm.tries_ns) == 2


def test_an_effort_that_goes_on_through_the_refractory_time_is_no_new_try(arm: Arm) -> None:
    arm.effort.rested(arm.now_ns)
    arm.live(3.0, 80e-6)
    assert arm.tries_ns == []
    arm.live(1.0, 2e-6)
    arm.live(1.0, 80e-6)
    assert len(arm.tries_ns) == 1


def test_a_signal_that_comes_back_strong_after_a_silence_is_no_try(arm: Arm) -> None:
    arm.live(1.0, None)
    assert arm.effort.activation is None
    assert arm.effort.view()[0].quality
    arm.live(2.0, 80e-6)
    assert arm.tries_ns == []
    arm.live(1.0, 2e-6)
    arm.live(1.0, 80e-6)
    assert len(arm.tries_ns) == 1


@pytest.mark.parametrize(("rate_hz", "follows"), [(500.0, False), (1000.0, True)])
def test_a_slow_sensor_gives_no_proportional_current_and_says_why(rate_hz: float, follows: bool) -> None:
    """It would take what is left of M-waves for the person's own."""
    effort = Effort(replace(PARAMS, proportional=ProportionalParams()))
    pulses = train(0.5, 4.0, 33.0, 30.0)
    rng = np.random.default_rng(1)
    volts = answers(pulses, 4.0, rate_hz, 1e-3) + 2e-6 * rng.standard_normal(round(4.0 * rate_hz))
    volts[round(2.0 * rate_hz) :] += 80e-6 * volition(2.0, rate_hz, rng)
    for frame in frames(volts, rate_hz):
        now = tuple(p for p in pulses if frame.t_ns <= p.t_ns < frame.arrival_ns)
        effort.take(frame.arrival_ns, (frame,), now, resting=False)
        effort.contracts(0.01, on=True)
    assert (effort.share("wrist-extensors") > 0.0) == follows
    assert ("too slow" in effort.view()[0].quality) != follows
