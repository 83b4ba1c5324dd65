"""An electrode that lifts while pulses run: told in words, no effort, no current; good again once it sits."""

from __future__ import annotations

import math

import numpy as np
import pytest

from controller.core.emg.estimator import EmgEstimator
from controller.core.emg.loose import AFTER_MAX, MainsAppears, MainsGrew, line
from controller.core.emg.params import EmgElectrode, EmgParams
from controller.core.emg.placement import LOOSE
from controller.core.emg.proportional import Proportional, ProportionalParams
from controller.core.signals import PulseGiven
from models.emg import EmgParams as MuscleParams
from models.emg import SurfaceEmg
from tests.core.emg.muscle import START_NS, Array, answers, frames, run, train, volition

RATE_HZ = 1000.0
REST_V = 4.8e-6  # of the model's noise after the high-pass
PARAMS = EmgParams((EmgElectrode("emg", 0, "muscle", rest_v=REST_V, rest_sd_v=4.8e-7, maximum_v=1e-4),))
LIFTS_S, SITS_S, OVER_S, ENDS_S = 3.0, 5.0, 6.5, 7.5  # the train is over at 6.5 s
OMEGA_PER_NS = 2.0 * math.pi * 50.0 / 1e9


def lifted(pulse_hz: float, contact: float, seed: int) -> tuple[Array, list[PulseGiven]]:
    """A steady train from 1 to 6.5 s at rest; the electrode lifts at 3 s and sits again at 5 s."""
    emg = SurfaceEmg(MuscleParams(), np.ones((1, 1)), np.ones((1, 1)), seed)
    pulses = train(1.0, OVER_S, pulse_hz, 18.0) if pulse_hz else []
    told, blocks = 0, []
    for block in range(round(ENDS_S / 0.05)):
        from_s = block * 0.05
        emg.set_contact(0, contact if LIFTS_S <= from_s < SITS_S else 1.0)
        while told < len(pulses) and (pulses[told].t_ns - START_NS) / 1e9 < from_s + 0.05:
            emg.pulse((pulses[told].t_ns - START_NS) / 1e9, 0, 18.0, 6e-4, (0.6,), (0.0,))
            told += 1
        blocks.append(emg.read(from_s, RATE_HZ, np.zeros((50, 1))))
    return np.concatenate(blocks)[:, 0], pulses


@pytest.mark.parametrize("pulse_hz", [0.0, 25.0, 33.0, 40.0])
def test_an_electrode_that_half_lifts_at_rest_is_told_and_is_no_effort(pulse_hz: float) -> None:
    volts, pulses = lifted(pulse_hz, 0.5, 3)
    seen = run(EmgEstimator(PARAMS), frames(volts, RATE_HZ), pulses)
    law, shares = Proportional(ProportionalParams(begins=0.2)), []
    for estimate in seen:
        muscle = estimate.muscles[0]
        shares.append(law.step(0.01, muscle.activation, muscle.leak, muscle.quality).share)
    said = {(e.now_ns - START_NS) / 1e9: e.muscles[0].quality for e in seen}
    assert {q for t, q in said.items() if 2.0 < t < LIFTS_S} == {""}
    assert {q for t, q in said.items() if LIFTS_S + 0.4 < t < SITS_S} == {LOOSE}
    assert {q for t, q in said.items() if t > OVER_S + 0.6} == {""}
    assert seen[-1].muscles[0].onsets == 0
    assert max(shares) == 0.0


@pytest.mark.parametrize("pulse_hz", [0.0, 40.0])
def test_an_effort_that_begins_at_once_is_told(pulse_hz: float) -> None:
    """No muscle is faster than this one: from rest to its most within a sample."""
    pulses = train(0.5, 4.0, pulse_hz, 30.0) if pulse_hz else []
    rng = np.random.default_rng(1)
    volts = 5e-6 * rng.standard_normal(4000) + answers(pulses, 4.0, RATE_HZ, 2e-3)
    volts[2000:3000] += 1e-4 * volition(1.0, RATE_HZ, rng)
    seen = run(EmgEstimator(PARAMS), frames(volts, RATE_HZ), pulses)
    on_s = [(e.now_ns - START_NS) / 1e9 for e in seen if e.muscles[0].triggered]
    assert 2.0 < on_s[0] < (2.15 if pulse_hz else 2.08)


def sine(t_s: Array, hz: float = 50.0) -> list[float]:
    return (3e-5 * np.cos(2.0 * np.pi * hz * t_s + 0.7)).tolist()


def ns(t_s: Array) -> list[int]:
    return np.round(1e9 * t_s).astype(int).tolist()


def test_a_sine_is_found_with_its_size_and_phase() -> None:
    t_s = np.arange(40) / RATE_HZ
    found = line(ns(t_s), sine(t_s), OMEGA_PER_NS, [1, 3])
    assert found is not None
    assert found.weights[0] == pytest.approx(3e-5 * np.exp(0.7j), rel=1e-9)
    assert abs(found.weights[1]) < 1e-12
    assert found.share == pytest.approx(1.0)


def test_noise_is_no_sine() -> None:
    rng, t_s = np.random.default_rng(2), np.arange(40) / RATE_HZ
    shares = [line(ns(t_s), rng.standard_normal(40).tolist(), OMEGA_PER_NS, [1, 3]) for _ in range(200)]
    assert np.mean([one.share for one in shares if one is not None]) == pytest.approx(0.0, abs=0.03)


def test_samples_at_the_mains_own_rate_tell_nothing() -> None:
    """Four samples in each cycle, always the same ones: what an answer to pulses at 50 Hz would look like."""
    t_s = (np.arange(20)[:, None] * 0.02 + np.arange(4) / RATE_HZ).ravel()
    assert line(ns(t_s), sine(t_s), OMEGA_PER_NS, [1]) is None
    assert line([0, 10**6], [1.0, 2.0], OMEGA_PER_NS, [1]) is None


def test_the_end_of_an_answer_that_repeats_is_no_mains() -> None:
    """Each segment of 9 samples holds the same, a hundred times as large as the mains; pulses at 40 Hz."""
    number = np.tile(np.arange(9), 12)
    t_s = np.repeat(np.arange(12) * 0.025, 9) + number / RATE_HZ
    answer = 3e-3 * np.exp(-number / 3.0)
    found = line(ns(t_s), (answer + np.array(sine(t_s))).tolist(), OMEGA_PER_NS, [1], number.tolist())
    assert found is not None
    assert abs(found.weights[0]) == pytest.approx(3e-5, rel=1e-6)


def test_mains_that_grew_is_told_and_mains_that_was_always_there_is_not() -> None:
    """Told above five times rest and four times the usual, until it is half of that."""
    grew = MainsGrew()
    for mains_v, loose in ((1e-6, False), (24.9e-6, False), (25.1e-6, True), (13e-6, True), (12e-6, False)):
        grew.step(0.0, mains_v, None, 5e-6, sure=True)
        assert grew.loose is loose
    unsure = MainsGrew()
    for mains_v in (1e-6, 90e-6):
        unsure.step(0.0, mains_v, None, 5e-6, sure=False)
        assert not unsure.loose
    always = MainsGrew()
    for _ in range(10):
        always.step(0.004, 60e-6, 5e-6, 5e-6, sure=True)
    assert not always.loose


def test_a_jump_that_stays_half_mains_is_held_back_for_no_longer_than_half_a_second() -> None:
    """An effort on an electrode whose mains came with it: told apart by neither look, and not for ever."""
    rng = np.random.default_rng(4)
    t_s = np.arange(4000) / RATE_HZ
    mains_v = 3e-5 * np.sqrt(2.0) * np.sqrt(0.45) * np.cos(2.0 * np.pi * 50.0 * t_s)
    volts = np.where(t_s < 1.0, REST_V, 3e-5 * np.sqrt(0.55)) * rng.standard_normal(4000)
    volts += np.where(t_s < 1.0, 0.0, mains_v)
    appears = MainsAppears(50.0, [1, 3], RATE_HZ)
    held_s = []
    for now_ns, one in zip(ns(t_s), volts.tolist(), strict=True):
        found = appears.late(now_ns, one, REST_V, AFTER_MAX)
        assert (appears.cleaned([now_ns], [one], REST_V, lambda _t_ns: True) or found) is None
        if appears.sudden:
            held_s.append(now_ns / 1e9)
    assert held_s
    assert 1.0 <= held_s[0] < 1.05
    assert held_s[-1] - held_s[0] <= 0.5
