"""Rails, dead amplifiers, pulses found without a log, drift and mains: boundaries and recordings."""

from __future__ import annotations

import math

import numpy as np
import pytest

from controller.core.emg.artefact import DEAD, RECOVERS, RECOVERY_S, SATURATED, AmplifierCheck
from controller.core.emg.filters import HighPass, MainsCanceller
from controller.core.emg.pulse_finder import PulseFinder
from tests.core.emg.muscle import volition
from tests.data import DATA, needs_data

RATE_HZ = 2000.0


def said(volts: np.ndarray, range_v: float | None = None, rate_hz: float = RATE_HZ) -> list[str]:
    check = AmplifierCheck(rate_hz, range_v)
    return [check.step(float(x)) for x in volts]


def test_a_rail_is_learned_when_it_was_met_several_times() -> None:
    rng = np.random.default_rng(1)
    volts = 1e-4 * rng.standard_normal(2000)
    for first in range(100, 2000, 200):
        volts[first : first + 8] = 5.5e-3
    words = said(volts)
    assert SATURATED not in words[:400]
    assert words[700:708] == [SATURATED] * 8
    after = round(RECOVERY_S * RATE_HZ)
    assert words[708 : 708 + after] == [RECOVERS] * after
    assert words[708 + after] == ""


def test_activity_alone_has_no_rail() -> None:
    volts = 3e-4 * volition(60.0, RATE_HZ, np.random.default_rng(2))
    assert set(said(volts)) == {""}


def test_a_known_range_needs_no_learning() -> None:
    assert said(np.array([0.0, 0.969, 0.971, -1.0]), 1.0) == ["", "", SATURATED, SATURATED]


def test_no_change_at_all_is_a_dead_amplifier() -> None:
    words = said(np.concatenate((np.arange(10.0) * 1e-6, np.full(60, 1e-5))))
    assert words[48] == ""  # 39 times the same
    assert words[60] == DEAD


@needs_data
def test_clipping_of_the_arm_recording_is_found_and_nothing_else() -> None:
    with np.load(DATA / "emg_fes_handcycle" / "fes_emg_16ch_0-3s.npz") as file:
        volts = file["emg_V"].astype(float)
    for column in volts:
        found, truth = np.array(said(column)) == SATURATED, np.abs(column) > 5.3e-3
        assert not np.any(found & ~truth)
        if truth.sum() > 100:
            assert (found & truth).sum() > 0.85 * truth.sum()


@needs_data
def test_pulses_of_the_arm_recording_are_found_at_33_hz_in_each_burst() -> None:
    with np.load(DATA / "emg_fes_handcycle" / "fes_emg_16ch_0-3s.npz") as file:
        volts = file["emg_V"].astype(float).T
    finder = PulseFinder(RATE_HZ, volts.shape[1])
    found = [one for n, row in enumerate(volts) if (one := finder.step(round(n * 1e9 / RATE_HZ), row))]
    times_ms = np.array([one.t_ns / 1e6 for one in found])
    # left triceps from 10 ms on, right triceps from 393, left biceps from 462, and so on: every 30 ms
    for first_ms, count in (
        (10.5, 12),
        (393.0, 13),
        (461.0, 12),
        (849.5, 13),
        (1291.5, 14),
        (1779.0, 14),
        (2253.0, 13),
    ):
        expected = first_ms + 30.0 * np.arange(count)
        near = np.array([np.min(np.abs(times_ms - one)) for one in expected])
        assert np.sum(near <= 3.0) >= count - 1


def test_activity_without_pulses_has_none() -> None:
    rng = np.random.default_rng(3)
    volts = 1e-4 * np.stack([volition(10.0, RATE_HZ, rng) for _ in range(8)], axis=1)
    finder = PulseFinder(RATE_HZ, 8)
    assert sum(finder.step(n * 500_000, row) is not None for n, row in enumerate(volts)) <= 2


def test_the_high_pass_is_butterworths_second_order() -> None:
    """|H| of 1/sqrt 2 at the corner; 40 dB a decade below it; nothing of a constant."""
    t_s = np.arange(4000) / 1000.0
    for hz, gain in ((60.0, math.sqrt(0.5)), (6.0, 0.01), (300.0, 1.0)):
        high = HighPass(60.0, 1000.0)
        out = [high.step(math.sin(2.0 * math.pi * hz * t)) for t in t_s]
        assert np.max(np.abs(out[2000:])) == pytest.approx(gain, rel=0.06)
    high = HighPass(60.0, 1000.0)
    assert [high.step(3.0) for _ in range(5)] == pytest.approx([0.0] * 5, abs=1e-12)


@pytest.mark.parametrize("hz", [49.9, 50.0, 50.1])
def test_mains_is_cancelled_and_its_size_is_told(hz: float) -> None:
    mains, left = MainsCanceller(50.0, 1000.0), []
    for n in range(6000):
        t_ns = 10**15 + n * 10**6
        volts = 3e-5 * math.sin(2.0 * math.pi * hz * n / 1000.0)
        left.append(volts - mains.estimate(t_ns))
        mains.learn([t_ns], [left[-1]])
    assert np.std(left[3000:]) < 0.35 * np.std(left[:50])
    assert mains.amplitude_v == pytest.approx(3e-5, rel=0.1)
