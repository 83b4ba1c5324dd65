"""Fatigue against a moved electrode: the trend of the response per charge, what is said of it and when."""

from __future__ import annotations

import pytest

from controller.core.control.fatigue_estimate import (
    MOVED_SAID,
    RECENT_STRIDES,
    RESTED_STRIDES,
    SETTLING_STRIDES,
    TIRED,
    TIRING,
    Fatigue,
)

CHARGE_UC = 200.0
KNOWN = SETTLING_STRIDES + RESTED_STRIDES


def walked(responses: list[float], charge_uc: float = CHARGE_UC) -> Fatigue:
    """After as many strides as there are responses, in units of the rested one."""
    fatigue = Fatigue()
    for response in responses:
        fatigue.note(response * charge_uc, charge_uc)
    return fatigue


def test_nothing_is_known_before_the_rested_muscle_is() -> None:
    assert walked([1.0] * KNOWN).share is None
    assert walked([1.0] * KNOWN).advice == ""
    assert walked([1.0] * (KNOWN + 1)).share == 1.0


def test_the_first_strides_whose_command_still_changes_do_not_count() -> None:
    assert walked([9.0] * SETTLING_STRIDES + [1.0] * (RESTED_STRIDES + 1)).share == 1.0


@pytest.mark.parametrize("more", [1.0, 1.7])
def test_more_charge_for_the_same_torque_is_the_same_fall_as_less_torque(more: float) -> None:
    fatigue = walked([1.0] * KNOWN)
    for _ in range(RECENT_STRIDES):
        fatigue.note(0.85 * more * CHARGE_UC, more * CHARGE_UC)
    assert fatigue.share == pytest.approx(0.85)


@pytest.mark.parametrize(
    ("share", "said"),
    [
        (TIRING + 0.01, ""),
        (TIRING - 0.01, "muscle tires: 84% of its rested response per charge"),
        (TIRED + 0.01, "muscle tires: 71% of its rested response per charge"),
        (TIRED - 0.01, "muscle tired to 69% of its rested response per charge: rest advised"),
    ],
)
def test_a_slow_fall_is_said_and_then_a_rest_is_advised(share: float, said: str) -> None:
    strides = 40
    slow = [1.0 + (share - 1.0) * k / strides for k in range(strides)]
    fatigue = walked([1.0] * KNOWN + slow + [share] * RECENT_STRIDES)
    assert fatigue.share == pytest.approx(share)
    assert fatigue.advice.removeprefix("; ") == said


def test_advice_does_not_flicker_at_its_edge_and_ends_when_the_muscle_has_rested() -> None:
    slow = [1.0 - 0.32 * k / 40 for k in range(40)]
    fatigue = walked([1.0] * KNOWN + slow + [TIRED - 0.02] * RECENT_STRIDES)
    for response in [TIRED + 0.02] * RECENT_STRIDES:
        fatigue.note(response * CHARGE_UC, CHARGE_UC)
    assert fatigue.tired
    for response in [0.95] * RECENT_STRIDES:
        fatigue.note(response * CHARGE_UC, CHARGE_UC)
    assert (fatigue.tired, fatigue.tiring, fatigue.advice) == (False, False, "")


def test_a_fall_from_one_stride_to_the_next_is_an_electrode_and_not_fatigue() -> None:
    fatigue = walked([1.0] * 20 + [0.6] * 2)
    assert fatigue.moved_to is None
    fatigue.note(0.6 * CHARGE_UC, CHARGE_UC)
    assert fatigue.advice == "; response per charge fell at once to 60%: look at the electrodes"
    assert not fatigue.tired
    for _ in range(MOVED_SAID + 2):
        fatigue.note(0.65 * CHARGE_UC, CHARGE_UC)
    assert fatigue.advice == ""
    assert fatigue.share == pytest.approx(1.0)


def test_a_muscle_that_was_tired_stays_so_beside_the_moved_electrode() -> None:
    slow = [1.0 - 0.35 * k / 40 for k in range(40)]
    fatigue = walked([1.0] * KNOWN + slow + [0.65] * 12 + [0.4] * (3 + MOVED_SAID + RECENT_STRIDES))
    assert fatigue.share == pytest.approx(0.65)
    assert fatigue.tired


@pytest.mark.parametrize("odd", [0.0, 0.3, 5.0])
def test_one_odd_stride_says_nothing(odd: float) -> None:
    fatigue = walked([1.0] * 20 + [odd] + [1.0] * 2)
    assert fatigue.share == 1.0
    assert fatigue.advice == ""


@pytest.mark.parametrize("charge_uc", [0.0, -1.0])
def test_a_swing_without_charge_is_not_counted(charge_uc: float) -> None:
    fatigue = walked([1.0] * 20)
    for _ in range(5):
        fatigue.note(1.0, charge_uc)
    assert fatigue.share == 1.0


def test_a_muscle_that_never_answered_gives_no_number() -> None:
    fatigue = walked([-1.0] * KNOWN + [1.0] * 12 + [0.1] * 12)
    assert fatigue.share is None
    assert fatigue.advice == ""


@pytest.mark.parametrize(("third", "named"), [(0.84, True), (0.86, False)])
def test_a_muscle_that_answers_two_swings_far_less_and_a_third_less_was_moved_on_it(
    third: float, named: bool
) -> None:
    fatigue = Fatigue()
    for share in (*(1.0,) * 20, 0.5, 0.6, third):
        fatigue.note(share, 1.0)
    assert (fatigue.moved_to is not None) is named
