"""Every planted fault still has its place in the code and its test; ``planted.py`` plants them all."""

from __future__ import annotations

import pytest

from tests.safety.planted import PLANTS, Plant, misplaced


@pytest.mark.parametrize("plant", PLANTS, ids=lambda plant: plant.what)
def test_a_planted_fault_still_fits_the_code(plant: Plant) -> None:
    assert misplaced(plant) == ""


def test_there_are_at_least_a_dozen() -> None:
    assert len({plant.what for plant in PLANTS}) >= 12
