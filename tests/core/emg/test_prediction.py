"""What is taken off a segment: closed forms of the comb, of least squares, of what noise has in common."""

from __future__ import annotations

import math

import numpy as np
import pytest

from controller.core.emg.answers import KNOWN_AFTER, RECENT, Answers, shifted
from controller.core.emg.params import MWaveMethod
from controller.core.emg.prediction import References, orthogonalised, predict, predict_together, principal
from tests.core.emg.muscle import hermite

FRAME = 40
WAVE = 1e-3 * hermite(np.arange(FRAME) / 1000.0)
GOOD = np.ones(FRAME, dtype=bool)
NOISE_V = 5e-6
NO_CHANGE = np.zeros((1, FRAME))


def references(rows: np.ndarray) -> References:
    return References(rows, np.full(len(rows), NOISE_V**2), NO_CHANGE, NOISE_V**2)


def test_the_comb_leaves_exactly_nothing_of_what_repeats() -> None:
    made = predict("comb", references(WAVE[None, :]), WAVE, GOOD)
    assert not np.any(WAVE - made.volts)


@pytest.mark.parametrize("method", ["comb", "prediction", "gram-schmidt"])
def test_noise_keeps_its_power(method: MWaveMethod) -> None:
    """The comb's difference of two noises is sqrt 2 as large; each gain undoes what its method changes."""
    rng, left = np.random.default_rng(1), []
    for _ in range(400):
        rows = 3.0 * WAVE + NOISE_V * rng.standard_normal((1 if method == "comb" else 8, FRAME))
        y = 3.0 * WAVE + NOISE_V * rng.standard_normal(FRAME)
        made = predict(method, references(rows), y, GOOD)
        left.append((y - made.volts) * made.gain)
    assert np.std(left) == pytest.approx(NOISE_V, rel=0.03)
    if method == "comb":
        assert made.gain == math.sqrt(0.5)


@pytest.mark.parametrize("method", ["prediction", "gram-schmidt"])
@pytest.mark.parametrize("size", [0.0, 0.2, 1.0, 3.0, -1.0])
def test_an_answer_of_any_size_is_taken_off(method: MWaveMethod, size: float) -> None:
    rng = np.random.default_rng(2)
    rows = WAVE * rng.uniform(0.5, 1.0, (8, 1)) + NOISE_V * rng.standard_normal((8, FRAME))
    left = size * WAVE - predict(method, references(rows), size * WAVE, GOOD).volts
    assert np.sqrt(np.mean(left**2)) < max(1.0, 2.0 * abs(size)) * NOISE_V


def test_channels_together_are_as_each_alone() -> None:
    """Also where they have seen other samples, and one has nothing in common with its references."""
    rng, known, y, good = np.random.default_rng(5), [], [], []
    for size in (0.5, 2.0, 0.0):
        rows = size * WAVE * rng.uniform(0.5, 1.0, (8, 1)) + NOISE_V * rng.standard_normal((8, FRAME))
        known.append(references(rows))
        y.append(size * WAVE + NOISE_V * rng.standard_normal(FRAME))
        good.append(np.arange(FRAME) >= rng.integers(0, 8))
    together = predict_together(known, y, good)
    for one, its, seen, made in zip(known, y, good, together, strict=True):
        alone = predict("prediction", one, its, seen)
        assert np.array_equal(alone.volts, made.volts)
        assert alone.gain == made.gain
    assert not np.any(together[2].volts)


def test_noise_has_no_direction_in_common() -> None:
    rng = np.random.default_rng(3)
    _, found = principal(rng.standard_normal((300, 12, 25)), np.full(300, 25))
    assert np.mean(found > 0) < 0.02


def test_directions_are_orthonormal() -> None:
    rng = np.random.default_rng(4)
    rows = rng.standard_normal((5, FRAME)) + 20.0 * rng.standard_normal((5, 2)) @ rng.standard_normal(
        (2, FRAME)
    )
    found, (kept,) = principal(rows[None], np.array([FRAME]))
    basis = found[0, :kept] @ rows
    assert kept >= 2
    assert basis @ basis.T == pytest.approx(np.eye(kept), abs=1e-9)
    assert not np.any(found[0, kept:])
    directions, _ = orthogonalised(rows, np.ones(5))
    basis = directions @ rows
    assert len(basis) >= 2
    assert basis @ basis.T == pytest.approx(np.eye(len(basis)), abs=1e-9)


@pytest.mark.parametrize("by", [-1.5, -0.5, 0.0, 0.3, 2.25])
def test_a_shift_by_part_of_a_sample_follows_the_wave(by: float) -> None:
    t_s = np.arange(200) / 2000.0
    row = np.sin(2.0 * np.pi * 100.0 * t_s)[None, :]
    expected = np.sin(2.0 * np.pi * 100.0 * (t_s + by / 2000.0))
    assert shifted(row, np.array([by]))[0][8:-8] == pytest.approx(expected[8:-8], abs=1e-3)


def test_the_newest_answers_are_kept_and_the_mean_is_their_mean() -> None:
    kept = Answers(FRAME)
    for n in range(RECENT + 3):
        kept.add(np.full(FRAME, float(n + 1)), (5, FRAME), 0.0, 1e-12)
        kept.mean(0, np.full(FRAME, float(n + 1)), (5, FRAME), 1e-12)
    chosen = kept.of_use(5, 0.0)
    assert chosen.rows[0, 0] == RECENT + 3.0
    assert len(chosen.rows) == RECENT + 1
    assert chosen.rows[-1, 0] == pytest.approx(np.mean(np.arange(RECENT + 3) + 1.0))
    assert chosen.noise_v2[-1] == pytest.approx(1e-12 / (RECENT + 3))
    assert (chosen.first, chosen.reach, chosen.strongest) == (5, FRAME, 0)


def test_references_that_are_seen_much_later_than_the_segment_are_left_out() -> None:
    kept = Answers(FRAME)
    for n in range(8):
        kept.add(np.full(FRAME, 1.0 + n), (12 if n % 2 else 5, FRAME), 0.0, 1e-12)
    assert kept.of_use(5, 0.0).first == 5
    assert len(kept.of_use(5, 0.0).rows) == 4 >= KNOWN_AFTER
    assert len(kept.of_use(12, 0.0).rows) == 8
