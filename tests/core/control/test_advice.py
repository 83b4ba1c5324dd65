"""A foot that does not come up as it should: when it is said, what is said to be in its way, when it ends."""

from __future__ import annotations

import pytest

from controller.core.control.advice import (
    AT_LIMIT,
    RECENT_STRIDES,
    SETTLING_STRIDES,
    SHORT_DEG,
    STEADY_DEG,
    STRONG_REFLEX_NMS,
    Shortfall,
)


def walked(error_deg: float, limit_share: float = 0.0, strides: int = SETTLING_STRIDES) -> Shortfall:
    shortfall = Shortfall()
    for _ in range(strides):
        shortfall.note(error_deg, limit_share)
    return shortfall


@pytest.mark.parametrize(("strides", "said"), [(SETTLING_STRIDES - 1, False), (SETTLING_STRIDES, True)])
def test_the_first_strides_are_not_judged(strides: int, said: bool) -> None:
    assert bool(walked(20.0, strides=strides).advice(0.0)) == said
    assert Shortfall().advice(9.0) == ""


@pytest.mark.parametrize(("error_deg", "said"), [(SHORT_DEG, False), (SHORT_DEG + 0.01, True)])
def test_a_foot_near_enough_needs_no_word(error_deg: float, said: bool) -> None:
    assert bool(walked(error_deg).advice(9.0)) == said


@pytest.mark.parametrize(
    ("limit_share", "reflex_nms", "said"),
    [
        (AT_LIMIT + 0.01, 9.0, " at the highest current: look at the electrodes, or ask for less lift"),
        (
            AT_LIMIT,
            STRONG_REFLEX_NMS,
            ": a spastic calf answers the lift; walk slower, have its tone looked at",
        ),
        (AT_LIMIT, STRONG_REFLEX_NMS - 0.01, ": identify the muscle anew"),
    ],
)
def test_what_is_in_the_way_is_named_with_what_to_do(
    limit_share: float, reflex_nms: float, said: str
) -> None:
    assert walked(8.0, limit_share).advice(reflex_nms) == "; foot stays 8 deg off" + said


def test_two_odd_swings_in_five_are_no_lasting_error() -> None:
    shortfall = walked(2.0)
    for error_deg in (20.0, 2.0, 20.0, 2.0, 2.0):
        shortfall.note(error_deg, 0.0)
        assert not shortfall.short
    for _ in range(RECENT_STRIDES):
        shortfall.note(20.0, 0.0)
    assert shortfall.short


@pytest.mark.parametrize(("off_deg", "said"), [(0.01, True), (-0.01, False)])
def test_what_was_said_does_not_flicker_at_its_edge(off_deg: float, said: bool) -> None:
    shortfall = walked(8.0)
    for _ in range(RECENT_STRIDES):
        shortfall.note(SHORT_DEG - STEADY_DEG + off_deg, 0.0)
    assert bool(shortfall.advice(0.0)) == said
