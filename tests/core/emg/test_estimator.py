"""The door of the EMG estimator: what it knows, when it says that it does not; same in, same out."""

from __future__ import annotations

import copy
import math
import pickle

import numpy as np
import pytest

from controller.core.emg.estimator import EmgEstimator
from controller.core.emg.params import EmgElectrode, EmgParams
from drivers.interface import EmgFrame
from tests.core.emg.muscle import START_NS, answers, frames, run, train, volition

NOISE_V = 5e-6
PARAMS = EmgParams(
    (EmgElectrode("emg", 0, "tibialis anterior", rest_v=NOISE_V, rest_sd_v=5e-7, maximum_v=1e-4),)
)


def noise(seconds: float, rate_hz: float = 1000.0, seed: int = 1) -> np.ndarray:
    return NOISE_V * np.random.default_rng(seed).standard_normal(round(seconds * rate_hz))


def test_an_effort_without_stimulation_is_measured_and_triggers() -> None:
    volts = noise(4.0)
    volts[2000:3000] += 1e-4 * volition(1.0, 1000.0, np.random.default_rng(2))
    seen = run(EmgEstimator(PARAMS), frames(volts, 1000.0))
    assert [e.of("tibialis anterior").triggered for e in seen[50:200]] == [False] * 150
    begun = next(i for i, e in enumerate(seen) if e.muscles[0].triggered)
    assert 2.0 < begun * 0.01 < 2.08
    assert seen[290].muscles[0].envelope_v == pytest.approx(1e-4, rel=0.3)
    assert seen[320].muscles[0].activation < 0.05  # within 200 ms of rest


@pytest.mark.parametrize("rate_hz", [1000.0, 1925.93])
def test_stimulation_without_effort_is_silence(rate_hz: float) -> None:
    pulses = train(1.0, 9.0, 33.0, 30.0)  # the interval is no whole number of samples
    volts = noise(10.0, rate_hz) + answers(pulses, 10.0, rate_hz, 2e-3)
    seen = run(EmgEstimator(PARAMS), frames(volts, rate_hz), pulses)
    known = [e.muscles[0] for e in seen[200:] if not e.muscles[0].quality]
    assert len(known) > 700
    assert np.sqrt(np.mean([m.envelope_v**2 for m in known])) < 1.2 * NOISE_V
    assert known[-1].onsets == 0


def test_a_cold_start_is_not_taken_for_an_effort() -> None:
    pulses = train(1.0, 3.0, 40.0, 30.0)
    volts = noise(3.0) + answers(pulses, 3.0, 1000.0, 5e-3)
    seen = run(EmgEstimator(PARAMS), frames(volts, 1000.0), pulses)
    assert any("not known yet" in e.muscles[0].quality for e in seen)
    assert max(e.muscles[0].activation for e in seen) < 0.2
    assert seen[-1].muscles[0].onsets == 0


def test_a_pickle_and_a_copy_go_on_as_it_would() -> None:
    pulses = train(0.5, 3.0, 40.0, 20.0)
    made = frames(noise(3.0) + answers(pulses, 3.0, 1000.0, 2e-3), 1000.0)
    first = EmgEstimator(PARAMS)
    early = [p for p in pulses if p.t_ns < made[150].t_ns]
    late = pulses[len(early) :]
    run(first, made[:150], early)
    others = [copy.deepcopy(first), pickle.loads(pickle.dumps(first))]
    expected = run(first, made[150:], late)
    assert all(run(other, made[150:], late) == expected for other in others)


def test_frames_of_any_length_give_the_same() -> None:
    pulses = train(0.5, 3.0, 40.0, 20.0)
    volts = noise(3.0) + answers(pulses, 3.0, 1000.0, 2e-3)
    ends = [
        run(EmgEstimator(PARAMS), frames(volts, 1000.0, frame_s=size), pulses)[-1]
        for size in (0.005, 0.04, 0.1)
    ]
    assert ends[0] == ends[1] == ends[2]


def test_broken_frames_are_no_harm() -> None:
    estimator = EmgEstimator(PARAMS)
    made = frames(noise(1.0), 1000.0)
    run(estimator, made)
    end_ns = made[-1].arrival_ns
    before = estimator.at(end_ns)
    for bad in (
        EmgFrame("emg", end_ns, end_ns, 1000, 1000.0, (), valid=False, reason="short"),
        EmgFrame("emg", end_ns, end_ns, 1000, math.nan, ((0.0,),)),
        EmgFrame("other", end_ns, end_ns, 1000, 1000.0, ((0.0,),)),
        made[0],  # a second time
    ):
        estimator.take(bad)
        assert estimator.at(end_ns) == before
    estimator.take(EmgFrame("emg", end_ns, end_ns + 10**7, 1000, 1000.0, ((math.nan,), (math.inf,), ())))
    assert math.isfinite(estimator.at(end_ns + 2 * 10**7).muscles[0].envelope_v or 0.0)


def test_silence_of_the_sensor_is_told() -> None:
    estimator = EmgEstimator(PARAMS)
    assert estimator.at(START_NS).muscles[0].quality == "no EMG arrives"
    made = frames(noise(1.0), 1000.0)
    run(estimator, made)
    late = estimator.at(made[-1].arrival_ns + 10**9).muscles[0]
    assert (late.quality, late.activation, late.triggered) == ("no EMG arrives", 0.0, False)


def test_rest_is_measured_where_it_is_not_known() -> None:
    estimator = EmgEstimator(EmgParams((EmgElectrode("emg", 0, "wrist extensors"),)))
    estimator.resting(START_NS, True)
    run(estimator, frames(noise(3.0), 1000.0))
    rest_v = estimator.at(START_NS + 3 * 10**9).muscles[0].rest_v
    assert rest_v == pytest.approx(NOISE_V, rel=0.1)


def test_the_floor_is_what_rest_reaches_as_an_activation() -> None:
    """Rest 5 uV, SD 0.5 uV: 5 SD above it is 7.5 uV; with pulses three times rest. Of a most of 100 uV."""
    for pulses, top_uv in (([], 7.5), (train(0.3, 0.5, 33.0, 10.0), 15.0)):
        seen = run(EmgEstimator(PARAMS), frames(noise(0.5), 1000.0), pulses)[-1].muscles[0]
        assert seen.floor == pytest.approx(math.sqrt((top_uv**2 - 5.0**2) / (100.0**2 - 5.0**2)))


def test_a_number_that_makes_no_sense_is_refused() -> None:
    with pytest.raises(ValueError, match="rest_v"):
        EmgParams((EmgElectrode("emg", 0, "ta", rest_v=math.nan),))
    with pytest.raises(ValueError, match="mains_hz"):
        EmgParams(PARAMS.electrodes, mains_hz=55.0)
    with pytest.raises(ValueError, match="no EMG electrode"):
        EmgParams(())
