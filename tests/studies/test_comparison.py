"""Figures of a study against closed forms and scipy's own example, and what cannot be known."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest

from controller.studies.comparison import WORST, figures, interval, spread
from controller.studies.gathered import PersonArm
from controller.studies.measures import NAMES
from controller.studies.protocol import ComparisonSection, OutcomeSection

PRIMARY = OutcomeSection(measure="swing_pitch_rmse_deg", role="primary")
CHARGE = OutcomeSection(measure="charge_uc", role="secondary", person="median")
PAIR = ComparisonSection(arm="b", against="a")


def walked(person: str, arm: str, errors: list[float], charge: float = 1.0, wash_out: int = 0) -> PersonArm:
    values = np.full((len(errors), len(NAMES)), np.nan)
    values[:, NAMES.index("swing_pitch_rmse_deg")] = errors
    values[:, NAMES.index("charge_uc")] = charge
    return PersonArm(person, arm, values, Counter(counted=len(errors), wash_out=wash_out))


def test_a_spread_is_the_textbook_s() -> None:
    found = spread(np.array([2.0, 4.0, 4.0, 4.0, 5.0, 5.0, 7.0, 9.0]))
    assert (found.n, found.mean, found.median, found.q1, found.q3) == (8, 5.0, 4.5, 4.0, 5.5)
    assert found.sd == pytest.approx((32 / 7) ** 0.5)


@pytest.mark.parametrize(("values", "sd"), [([], None), ([3.0], None), ([3.0, 3.0], 0.0)])
def test_what_a_spread_cannot_know_is_none(values: list[float], sd: float | None) -> None:
    assert spread(np.array(values)).sd == sd
    assert (spread(np.array(values)).mean is None) == (not values)


def test_differences_are_paired_by_person() -> None:
    people = [walked(f"p-{n}", "a", [n + 2.0, n + 4.0]) for n in range(6)]
    people += [walked(f"p-{n}", "b", [n + 1.0 + 0.1 * n]) for n in range(5)]  # the last did not walk it
    found = figures(people, [PRIMARY], [PAIR]).differences[0]
    assert (found.n, found.arm, found.against) == (5, "b", "a")
    assert found.mean == pytest.approx(-2.0 + 0.1 * 2)
    assert found.low is not None
    assert found.high is not None
    assert -2.0 < found.low < found.mean < found.high < -1.6


def test_an_interval_covers_the_truth_as_often_as_it_says() -> None:
    source = np.random.default_rng(5)
    inside = 0
    for _ in range(60):
        low, high = interval(source.normal(1.0, 2.0, 40))
        assert low is not None
        assert high is not None
        inside += low <= 1.0 <= high
    assert 50 <= inside <= 60  # 95 %: fewer than 50 of 60 once in 10,000 times; the seed is fixed


@pytest.mark.parametrize("values", [[1.0], [2.0, 2.0, 2.0]])
def test_no_interval_where_none_is_defined(values: list[float]) -> None:
    assert interval(np.array(values)) == (None, None)


def test_the_flow_counts_everybody_once() -> None:
    people = [walked("p-0", "a", [1.0], wash_out=3), walked("p-1", "a", [], wash_out=2)]
    people.append(PersonArm("p-2", "a", np.empty((0, len(NAMES))), failed="it died"))
    found = figures(people, [PRIMARY, CHARGE], []).arms[0]
    assert (found.persons, found.failed, found.without, found.strides) == (3, {"it died": 1}, 1, 6)
    assert found.states == {"counted": 1, "wash_out": 5}
    assert [one.n for one in found.spreads] == [1, 1]


def test_the_worst_come_first() -> None:
    people = [walked(f"p-{n}", arm, [float((n * 7) % 10)]) for n in range(10) for arm in ("a", "b")]
    found = figures(people, [PRIMARY], [PAIR]).worst
    assert [(arm, value) for _, arm, value in found] == [("b", 9.0 - n) for n in range(WORST)]
