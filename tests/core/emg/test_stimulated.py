"""EMG of stimulated muscles whose truth is known: changing M-waves, several channels, loose electrodes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest

from controller.core.emg.estimator import EmgEstimate, EmgEstimator
from controller.core.emg.params import EmgElectrode, EmgParams, MWaveMethod
from controller.core.emg.placement import LOOSE
from controller.core.signals import PulseGiven
from models.emg import EmgParams as MuscleParams
from models.emg import SurfaceEmg
from tests.core.emg.muscle import START_NS, Array, answers, frames, run, train, volition

NOISE_V = 5e-6
ELECTRODE = EmgElectrode("emg", 0, "muscle", rest_v=NOISE_V, rest_sd_v=5e-7, maximum_v=1e-4)
PARAMS = EmgParams((ELECTRODE,))


def noise(seconds: float, rate_hz: float = 1000.0) -> Array:
    return NOISE_V * np.random.default_rng(1).standard_normal(round(seconds * rate_hz))


def known(seen: Sequence[EmgEstimate], from_s: float) -> Array:
    rows = [e.muscles[0] for e in seen if e.now_ns > START_NS + from_s * 1e9]
    return np.array([m.envelope_v for m in rows if not m.quality and m.envelope_v is not None])


def strides(seconds: float, rate_hz: float) -> list[PulseGiven]:
    """0 to 100 % of 30 mA in each stride of 1.2 s."""
    pulses = []
    for pulse in train(0.1, seconds, rate_hz, 30.0):
        phase = (pulse.t_ns - START_NS) / 1e9 % 1.2 / 1.2
        share = np.clip(min((phase - 0.4) / 0.3, (1.0 - phase) / 0.1), 0.0, 1.0)
        if share > 0.05:
            pulses.append(PulseGiven(0, pulse.t_ns, 30.0 * float(share), 300.0))
    return pulses


@pytest.mark.parametrize(("method", "least"), [("prediction", 0.95), ("gram-schmidt", 0.8)])
def test_the_envelope_follows_volition_20_db_below_m_waves_that_change(
    method: MWaveMethod, least: float
) -> None:
    rate_hz, seconds = 1000.0, 20.0
    pulses = strides(seconds, 33.0)
    waves = answers(pulses, seconds, rate_hz, 2e-3)
    effort = (np.arange(round(seconds * rate_hz)) // 800 % 2).astype(float)
    own = 5e-5 * effort * volition(seconds, rate_hz, np.random.default_rng(2))
    seen = run(
        EmgEstimator(EmgParams((ELECTRODE,), method=method)),
        frames(noise(seconds) + waves + own, rate_hz),
        pulses,
    )
    truth = np.sqrt(np.convolve(own**2, np.ones(125) / 125.0)[: len(own)])
    t_s = np.array([(e.now_ns - START_NS) / 1e9 for e in seen])
    value = np.array([m.envelope_v if not (m := e.muscles[0]).quality else np.nan for e in seen], dtype=float)
    use = (t_s > 5.0) & np.isfinite(value)
    assert np.mean(use[t_s > 5.0]) > 0.95
    follows = [
        np.corrcoef(value[use], truth[np.searchsorted(np.arange(len(own)) / rate_hz, t_s[use] - lag) - 1])[
            0, 1
        ]
        for lag in (0.0, 0.01, 0.02)
    ]
    assert max(follows) > least


def test_two_channels_at_rates_of_their_own_are_never_taken_for_an_effort() -> None:
    """What one answer leaves in the other is never twice the same: it is told as not known."""
    first, second = train(0.3, 10.0, 25.0, 30.0, 0), train(0.311, 10.0, 30.0, 20.0, 1)
    pulses = sorted([*first, *second], key=lambda p: p.t_ns)
    volts = noise(10.0) + answers(first, 10.0, 1000.0, 1e-3) - answers(second, 10.0, 1000.0, 1e-3)
    seen = run(EmgEstimator(PARAMS), frames(volts, 1000.0), pulses)
    assert seen[-1].muscles[0].onsets == 0
    assert "not known yet" in seen[-1].muscles[0].quality


def test_two_channels_at_the_same_rate_leave_nothing() -> None:
    seconds = 12.0
    first, second = train(0.3, seconds, 25.0, 30.0, 0), train(0.315, seconds, 25.0, 20.0, 1)
    pulses = sorted([*first, *second], key=lambda p: p.t_ns)
    volts = noise(seconds) + answers(pulses, seconds, 1000.0, 1e-3)
    seen = run(EmgEstimator(PARAMS), frames(volts, 1000.0), pulses)
    assert np.sqrt(np.mean(known(seen, 3.0) ** 2)) < 1.2 * NOISE_V
    assert seen[-1].muscles[0].onsets == 0


def test_a_change_of_rate_and_trains_that_begin_and_end_do_not_trigger() -> None:
    pulses = [
        p
        for n, hz in enumerate((20.0, 40.0, 27.0, 33.3))
        for p in train(1.0 + 3.0 * n, 3.0 + 3.0 * n, hz, 25.0)
    ]
    volts = noise(13.0) + answers(pulses, 13.0, 1000.0, 2e-3)
    seen = run(EmgEstimator(PARAMS), frames(volts, 1000.0), pulses)
    assert seen[-1].muscles[0].onsets == 0
    assert np.sqrt(np.mean(known(seen, 1.5) ** 2)) < 1.2 * NOISE_V


def test_the_size_of_the_m_wave_is_told_for_each_pulse() -> None:
    pulses = [PulseGiven(0, p.t_ns, 30.0 - n * 0.1, 300.0) for n, p in enumerate(train(0.5, 5.0, 25.0, 30.0))]
    made = frames(noise(5.0) + answers(pulses, 5.0, 1000.0, 2e-3), 1000.0)
    early, late = (
        run(EmgEstimator(PARAMS), made[:end], pulses)[-1].muscles[0].m_wave_v for end in (100, 490)
    )
    assert early == pytest.approx(2e-3 * 28.9 / 30.0, rel=0.06)
    assert late == pytest.approx(2e-3 * 19.1 / 30.0, rel=0.06)


def test_a_pulse_that_is_told_too_late_is_not_known_and_teaches_nothing() -> None:
    pulses = train(0.5, 4.0, 40.0, 30.0)
    made = frames(noise(4.0) + answers(pulses, 4.0, 1000.0, 2e-3), 1000.0)
    estimator, worst = EmgEstimator(PARAMS), 0.0
    for frame in made:
        estimator.take(frame, [p for p in pulses if 30_000_000 <= frame.arrival_ns - p.t_ns < 40_000_000])
        seen = estimator.at(frame.arrival_ns).muscles[0]
        worst = max(worst, 0.0 if frame.arrival_ns < START_NS + 10**9 else seen.activation)
    assert worst == 0.0
    assert "not known yet" in seen.quality


def test_an_electrode_that_comes_off_is_told_and_activates_nothing() -> None:
    emg = SurfaceEmg(MuscleParams(), np.ones((1, 1)), np.ones((1, 1)), 3)
    on = emg.read(0.0, 1000.0, np.zeros((2000, 1)))[:, 0]
    emg.set_contact(0, 0.0)
    off = emg.read(2.0, 1000.0, np.zeros((3000, 1)))[:, 0]
    seen = run(EmgEstimator(PARAMS), frames(np.concatenate((on, off)), 1000.0))
    assert {e.muscles[0].quality for e in seen[50:195]} == {""}
    assert {e.muscles[0].quality for e in seen[230:]} == {LOOSE}
    assert max(e.muscles[0].activation for e in seen[230:]) == 0.0


def test_the_rail_is_not_silence() -> None:
    volts = noise(3.0)
    volts[1000:] = 5.5e-3 * np.sign(np.sin(np.arange(2000) / 20.0))
    params = EmgParams((EmgElectrode("emg", 0, "muscle", rest_v=NOISE_V, range_v=5.5e-3),))
    seen = run(EmgEstimator(params), frames(volts, 1000.0))
    assert "saturated" in seen[-1].muscles[0].quality
    assert not seen[-1].muscles[0].triggered


@pytest.mark.parametrize("rate_hz", [200.0, 250.0, 500.0])
def test_slow_sensors_measure_an_effort_between_trains(rate_hz: float) -> None:
    """At 200 Hz the M-wave has a few samples: what is told there is an effort without pulses."""
    volts = noise(6.0, rate_hz)
    part = slice(round(3.0 * rate_hz), round(4.5 * rate_hz))
    volts[part] += 1e-4 * volition(1.5, rate_hz, np.random.default_rng(4))
    seen = run(EmgEstimator(PARAMS), frames(volts, rate_hz))
    on = [(e.now_ns - START_NS) / 1e9 for e in seen if e.muscles[0].triggered]
    assert 3.0 < on[0] < 3.12
    assert 4.4 < on[-1] < 4.7


@pytest.mark.parametrize("rate_hz", [200.0, 500.0])
def test_a_slow_sensor_never_triggers_while_pulses_run(rate_hz: float) -> None:
    """What is left of M-waves there is as large as an effort; between trains an effort counts."""
    volts, pulses = noise(6.0, rate_hz), train(0.5, 3.5, 33.0, 30.0)
    volts += answers(pulses, 6.0, rate_hz, 2e-3)
    for from_s in (2.0, 4.5):
        part = slice(round(from_s * rate_hz), round((from_s + 1.0) * rate_hz))
        volts[part] += 1e-4 * volition(1.0, rate_hz, np.random.default_rng(4))
    seen = run(EmgEstimator(PARAMS), frames(volts, rate_hz), pulses)
    on_s = [(e.now_ns - START_NS) / 1e9 for e in seen if e.muscles[0].triggered]
    assert 4.5 < min(on_s) < 4.65
    assert all("too slow" in e.muscles[0].slow for e in seen[10:])
    assert {e.muscles[0].stimulated for e in seen[60:340]} == {True}
    assert not seen[-1].muscles[0].stimulated


def test_a_slow_sensor_over_a_muscle_that_does_not_answer_steers() -> None:
    """The other side of the body: pulses are told, and nothing of them is there."""
    volts, pulses = noise(3.0, 500.0), train(0.5, 3.0, 33.0, 30.0)
    volts[1000:] += 1e-4 * volition(1.0, 500.0, np.random.default_rng(4))
    params = EmgParams((replace(ELECTRODE, answers=False),))
    seen = run(EmgEstimator(params), frames(volts, 500.0), pulses)
    assert {e.muscles[0].slow for e in seen} == {""}
    assert seen[-1].muscles[0].triggered
