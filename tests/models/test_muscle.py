"""Muscle models against reference traces, published test numbers and closed forms."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest

from models.muscle import DingParams, simulate
from models.muscle.fatigue import FatigueParams, fitness_rate, fitness_under, settled_fitness
from models.muscle.hammerstein import Hammerstein, HammersteinParams, step_response, zero_order_hold
from tests.data import REFERENCE, needs_reference

DING = sorted((REFERENCE / "ding").glob("*.npz")) if REFERENCE.is_dir() else []
COCOFEST = sorted((REFERENCE / "cocofest").glob("*.npz")) if REFERENCE.is_dir() else []


@needs_reference
@pytest.mark.parametrize("path", DING, ids=lambda p: p.stem)
def test_every_trace_is_within_a_thousandth_of_its_peak_at_every_time(path: Path) -> None:
    reference = np.load(path)
    model = path.stem.split("_")[0]
    trace = simulate(
        model,
        reference["stim_times"],
        width_us=reference["pulse_width_s"] * 1e6 if model == "ding2007" else None,
        current_ma=reference["amplitude_mA"] if model == "hmed2018" else None,
        t_s=reference["time"],
        fatigue="fatigue" in path.stem,
    )
    peak = reference["force"].max()
    assert np.abs(trace.force_n - reference["force"]).max() < 1e-5 * peak
    assert np.abs(trace.cn - reference["cn"]).max() < 1e-5
    assert np.abs(trace.a_n_per_s - reference["A"]).max() < 1e-3
    assert np.abs(trace.tau1_s - reference["tau1"]).max() < 1e-7
    assert np.abs(trace.km - reference["km"]).max() < 1e-7


@needs_reference
@pytest.mark.parametrize("path", COCOFEST, ids=lambda p: p.stem)
def test_cocofest_traces_within_0p05_newton(path: Path) -> None:
    reference = np.load(path)
    width = reference.get("pulse_width_per_pulse")
    trace = simulate(
        path.stem.split("_")[0],
        reference["stim_times"][:33],
        width_us=None if width is None else width * 1e6,
        current_ma=reference.get("pulse_intensity_per_pulse"),
        t_s=reference["time"],
        fatigue="fatigue" in path.stem,
    )
    assert np.abs(trace.force_n - reference["F"]).max() < 0.05


def test_published_peaks() -> None:
    """Peaks of an independent DOP853 solution."""
    twitch = simulate("ding2003", [0.0], t_s=0.6)
    assert twitch.force_n.max() == pytest.approx(99.472195, abs=1e-3)
    doublet = simulate("ding2003", [0.0, 0.005], t_s=0.6)
    assert doublet.force_n.max() == pytest.approx(129.948739, abs=1e-3)
    wide = simulate("ding2007", [0.0], width_us=600.0, t_s=0.6)
    assert wide.force_n.max() == pytest.approx(80.984, abs=2e-3)
    narrow = simulate("ding2007", [0.0], width_us=200.0, t_s=0.6)
    assert narrow.force_n.max() / wide.force_n.max() == pytest.approx(
        math.expm1(-(200 - 131.405) / 194.138) / math.expm1(-(600 - 131.405) / 194.138), rel=1e-9
    )


def test_the_times_asked_for_do_not_change_the_answer() -> None:
    pulses = np.arange(20) * 0.033
    dense = simulate("ding2003", pulses, t_s=1.0)
    sparse = simulate("ding2003", pulses, t_s=[0.2005, 0.7, 1.0])
    assert sparse.force_n[2] == pytest.approx(dense.force_n[-1], rel=1e-7)
    assert sparse.t_s.tolist() == [0.2005, 0.7, 1.0]


def test_no_pulse_no_force() -> None:
    assert not simulate("ding2003", [], t_s=0.5).force_n.any()
    assert not simulate("ding2007", [0.1], width_us=100.0, t_s=0.5).force_n.any()  # below the dead zone
    assert not simulate("hmed2018", [0.1], current_ma=10.0, t_s=0.5).force_n.any()


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"pulse_times_s": [0.1, 0.05]}, "pulse_times_s: found 0.05"),
        ({"pulse_times_s": [0.1, 0.1]}, "pulse_times_s: found 0.1"),
        ({"pulse_times_s": [math.nan]}, "pulse_times_s: found nan"),
        ({"pulse_times_s": [-0.1]}, "pulse_times_s: found -0.1"),
        ({"width_us": -5.0}, "width_us: found -5.0"),
        ({"width_us": [300.0, math.nan, 300.0]}, "width_us: found nan"),
        ({"width_us": [300.0]}, "width_us: found shape"),
        ({"width_us": None}, "width_us: found None"),
        ({"current_ma": 30.0}, "current_ma: found 30.0"),
        ({"t_s": [0.1, 0.05]}, "t_s: found"),
        ({"t_s": math.inf}, "t_s: found inf"),
        ({"model": "ding1999"}, "model: found 'ding1999'"),
    ],
)
def test_bad_input_is_refused_by_name_value_and_range(arguments: dict[str, object], words: str) -> None:
    good: dict[str, object] = {
        "model": "ding2007",
        "pulse_times_s": [0.0, 0.1, 0.2],
        "width_us": 300.0,
        "t_s": 0.5,
    }
    given = good | arguments
    if "pulse_times_s" in arguments:
        given["width_us"] = 300.0
    model, pulses = given.pop("model"), given.pop("pulse_times_s")
    with pytest.raises(ValueError, match=words) as refusal:
        simulate(model, pulses, **given)  # type: ignore[arg-type]  # one of them is wrong
    assert "allowed" in str(refusal.value)


@pytest.mark.parametrize("name", ["tc_s", "km_rest", "tau1_rest_s", "tau_fatigue_s"])
@pytest.mark.parametrize("bad", [-1.0, math.nan, 1e9])
def test_unphysical_muscle_parameters_are_refused(name: str, bad: float) -> None:
    with pytest.raises(ValueError, match=f"^{name}: found .* allowed"):
        DingParams(**{name: bad})


@pytest.mark.parametrize(
    ("activation", "fitness", "tau"),
    [(0.25, 0.714286, 42.8571), (0.5, 0.5, 37.5), (0.75, 1 / 3, 33.3333), (1.0, 0.2, 30.0)],
)
def test_fatigue_settles_where_the_closed_form_says(activation: float, fitness: float, tau: float) -> None:
    p = FatigueParams(beta=0.0)
    assert settled_fitness(activation, 40.0, p)[0] == pytest.approx(fitness, abs=1e-6)
    assert settled_fitness(activation, 40.0, p)[1] == pytest.approx(tau, abs=1e-4)
    expected = fitness + (1 - fitness) * math.exp(-20.0 / tau)
    assert fitness_under(activation, 40.0, 20.0, p) == pytest.approx(expected, abs=1e-6)
    stepped = 1.0
    for _ in range(200000):
        stepped += 1e-4 * fitness_rate(stepped, activation, 0.2, 30.0, 50.0)
    assert stepped == pytest.approx(expected, abs=1e-5)


def test_lower_frequency_fatigues_less() -> None:
    p = FatigueParams()
    assert settled_fitness(0.5, 40.0, p)[0] == pytest.approx(0.716247, abs=1e-6)
    assert settled_fitness(1.0, 40.0, p)[0] == pytest.approx(0.503006, abs=1e-6)
    assert settled_fitness(0.5, 20.0, p)[0] > settled_fitness(0.5, 40.0, p)[0]
    assert fitness_rate(0.09, 0.6, 0.2, 30.0, 50.0) == pytest.approx(0.00948, abs=1e-9)


@pytest.mark.parametrize(
    ("wn", "b", "a", "at"),
    [
        (10, (0.02649902, 0.02243007), (-1.55760157, 0.60653066), (0.09020, 0.26424, 0.59399)),
        (20, (0.09020401, 0.06461411), (-1.21306132, 0.36787944), (0.26424, 0.59399, 0.90842)),
        (25, (0.13020018, 0.08578176), (-1.07052286, 0.28650480), (0.35536, 0.71270, 0.95957)),
    ],
)
def test_hammerstein_is_sampled_exactly(
    wn: float, b: tuple[float, float], a: tuple[float, float], at: tuple[float, ...]
) -> None:
    found_b, found_a = zero_order_hold(wn, 0.025)
    assert found_b == pytest.approx(b, abs=6e-9)
    assert found_a == pytest.approx(a, abs=6e-9)
    p = HammersteinParams(wn, 0.05)
    assert step_response(0.05 + np.array([0.05, 0.1, 0.2]), p) == pytest.approx(at, abs=6e-6)
    sampled = Hammerstein(p, 0.025)
    out = [sampled.step(1.0) for _ in range(12)]
    assert out == pytest.approx(step_response(0.025 * np.arange(1, 13), p), abs=1e-9)
