"""Trigger, proportional control, assistance, loose and swapped electrodes: thresholds, one step each side."""

from __future__ import annotations

import pytest

from controller.core.emg.assist import AssistAsNeeded, AssistParams
from controller.core.emg.onset import HELD_S, RestMeasure, Trigger
from controller.core.emg.placement import ANSWERS_NEEDED, AnswerCheck, SwapCheck
from controller.core.emg.proportional import LOOP_GAIN_MAX, Proportional, ProportionalParams

TICK_NS = 5_000_000


def feed(trigger: Trigger, values: list[float | None], start: int = 0) -> list[bool]:
    return [trigger.step((start + n) * TICK_NS, v, 1.0, 0.2) for n, v in enumerate(values)]


def test_a_trigger_is_held_released_lower_and_refractory() -> None:
    trigger = Trigger(on_sd=5.0, off_sd=2.5, refractory_s=0.5)  # on at 2.0, off below 1.5
    assert feed(trigger, [1.99] * 10) == [False] * 10
    on = feed(trigger, [2.0] * 4, 10)
    assert on == [n * 0.005 >= HELD_S for n in range(4)]
    assert feed(trigger, [1.5, 1.49, 3.0, 3.0, 3.0], 14) == [True, False, False, False, False]
    assert trigger.fired == 1
    assert feed(trigger, [3.0] * 3, 115)[-1]
    assert trigger.fired == 2


def test_what_is_not_known_neither_begins_nor_holds() -> None:
    trigger = Trigger(5.0, 2.5, 0.5)
    assert feed(trigger, [3.0] * 5)[-1]
    assert feed(trigger, [None, 3.0], 5) == [False, False]


def test_rest_is_a_mean_and_its_deviation() -> None:
    rest = RestMeasure()
    for value in (1.0, 2.0, 3.0):
        rest.take(value)
    assert (rest.mean_v, rest.sd_v) == (2.0, pytest.approx((2.0 / 3.0) ** 0.5))


def test_proportional_current_rises_with_effort_and_ends_with_it() -> None:
    law = Proportional(ProportionalParams(gain=1.5, begins=0.12))
    assert all(law.step(0.005, 0.119, 0.0, "").share == 0.0 for _ in range(400))
    shares = [law.step(0.005, 0.5, 0.0, "").share for _ in range(400)]
    assert shares == sorted(shares)
    assert shares[-1] == pytest.approx(1.5 * (0.5 - 0.06))
    assert law.step(0.005, 0.05, 0.0, "").share == 0.0


def test_no_current_begins_where_rest_alone_comes_by_chance() -> None:
    """Begins at 0.12 of the most, but not below a floor of 0.4; ends at half of that."""
    law = Proportional(ProportionalParams(gain=1.5, begins=0.12))
    assert all(law.step(0.005, 0.399, 0.0, "", 0.4).share == 0.0 for _ in range(400))
    for _ in range(400):
        given = law.step(0.005, 0.5, 0.0, "", 0.4)
    assert given.share == pytest.approx(1.5 * (0.5 - 0.2))
    assert law.step(0.005, 0.199, 0.0, "", 0.4).share == 0.0


def test_a_signal_that_is_not_known_gives_no_current_and_the_gain_comes_in_anew() -> None:
    law = Proportional(ProportionalParams())
    for _ in range(400):
        law.step(0.005, 0.8, 0.0, "")
    out = law.step(0.005, 0.8, 0.0, "amplifier saturated")
    assert (out.share, out.reason) == (0.0, "amplifier saturated")
    assert law.step(0.005, 0.8, 0.0, "").gain < 0.01


def test_the_loop_gain_is_measured_and_bounded() -> None:
    """A residual of one activation for a full current at a gain of 1.5 would be a loop gain of 1.5."""
    law, share = Proportional(ProportionalParams(gain=1.5)), 0.0
    for n in range(2000):
        own = 0.5 if n < 1000 else 0.0
        out = law.step(0.005, min(1.0, (own**2 + share**2) ** 0.5), share, "")
        share = out.share
    assert out.loop_gain is not None
    assert out.loop_gain <= LOOP_GAIN_MAX * 1.001
    assert out.reason.startswith("gain lowered")
    assert share == 0.0


@pytest.mark.parametrize("residual", [0.2, 0.5, 1.0, 3.0])
def test_a_residual_alone_never_keeps_the_current(residual: float) -> None:
    law, share = Proportional(ProportionalParams(gain=2.0)), 0.0
    shares = []
    for n in range(3000):
        own = 0.8 if n < 1000 else 0.0
        share = law.step(0.005, min(1.0, own + residual * share), residual * share, "").share
        shares.append(share)
    assert max(shares[1040:]) == 0.0


def test_support_ends_at_the_floor_or_the_ceiling() -> None:
    params = AssistParams(floor=0.1, ceiling=0.9, start=0.5)
    able, unable = AssistAsNeeded(params), AssistAsNeeded(params)
    for _ in range(50):
        able.movement(reached=1.0, own=0.8)
        unable.movement(reached=0.0, own=0.0)
    assert (able.support, unable.support) == (0.1, 0.9)
    assert able.own_share == pytest.approx(0.8 / 0.9)
    assert unable.own_share == 0.0


def test_support_that_is_needed_settles_where_the_law_says() -> None:
    """s = f s + g (1 - r): with r held at 0.9, f 0.9 and g 0.5 the support is 0.5."""
    one = AssistAsNeeded(AssistParams())
    for _ in range(200):
        one.movement(reached=0.9, own=0.3)
    assert one.support == pytest.approx(0.5)


@pytest.mark.parametrize("swapped", [False, True])
def test_swapped_electrodes_are_told_after_some_strides(swapped: bool) -> None:
    check = SwapCheck()
    for n in range(700):
        swinging = n % 100 >= 60
        works, rests = (2e-5, 5e-6) if swinging != swapped else (5e-6, 2e-5)
        check.take(swinging=swinging, tibialis_v=works, gastrocnemius_v=rests)
        if n < 460:
            assert check.finding == ""
    assert ("swapped" in check.finding) == swapped


def test_the_louder_answer_at_the_other_muscle_is_told() -> None:
    check = AnswerCheck("tibialis anterior", "gastrocnemius")
    for n in range(ANSWERS_NEEDED):
        assert check.finding == ""
        check.take(1e-3, 2.1e-3)
        assert n < ANSWERS_NEEDED
    assert "gastrocnemius" in check.finding
    check.take(1e-3, 1.9e-3)
    assert check.finding == ""


@pytest.mark.parametrize(
    "bad", [{"begins": 0.0}, {"least": 0.5, "most": 0.4}, {"gain": 0.0}, {"gain_rise_s": 0.0}]
)
def test_numbers_that_make_no_sense_are_refused(bad: dict[str, float]) -> None:
    with pytest.raises(ValueError, match=r"must be|allowed"):
        ProportionalParams(**bad)
    with pytest.raises(ValueError, match="must be"):
        AssistParams(floor=0.9, ceiling=0.5)


def test_what_old_pulses_feigned_holds_nothing_down_once_they_are_over() -> None:
    """The estimator knows no newer answer while no pulse is given: its last word ages."""
    control = Proportional(ProportionalParams())
    for _ in range(200):
        given = control.step(0.005, 0.7, 0.0, "")
    assert given.share > 0.3
    shares = [control.step(0.005, 0.7, 0.9, "").share for _ in range(200)]
    assert shares[0] == 0.0
    assert max(shares[:49]) == 0.0
    assert max(shares[50:]) > 0.0
