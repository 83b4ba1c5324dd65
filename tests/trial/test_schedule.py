"""A trial's schedule: what counts towards an arm's length, and labels that keep a secret."""

from __future__ import annotations

import pytest

from controller.core.signals import Mode
from controller.trial.schedule import ArmPlan, Schedule, Turn, named

S = 1_000_000_000
MODES: tuple[Mode, ...] = ("off", "trapezoid", "feedback", "learning")


def walk(
    schedule: Schedule, contacts: int, *, able: bool = True, from_contact: int = 0
) -> list[tuple[int, Turn]]:
    """One contact a second, ten ticks each; a core that switches at the tick after it was asked."""
    turns = []
    for tick in range(10 * from_contact, 10 * contacts):
        turn = schedule.follow(tick * S // 10, tick // 10, able=able, switching=False)
        if turn != Turn():
            turns.append((tick, turn))
    return turns


def test_an_arms_strides_are_counted_after_the_first_contact_and_the_wash_out() -> None:
    first, second = ArmPlan("off", strides=4, wash_out_strides=2), ArmPlan("learning", strides=3)
    turns = walk(Schedule((first, second)), 30)
    # no contact seen yet: contact 1 ends the stride of the change, 2 + 4 whole strides end with contact 7;
    # begun again there: contact 8 ends the stride of the change, 3 whole strides end with contact 11
    assert turns == [
        (0, Turn(begun=first)),
        (70, Turn(ask=second)),
        (71, Turn(ended=first, begun=second)),
        (110, Turn(ended=second, over=True)),
    ]


def test_seconds_run_from_the_end_of_the_wash_out() -> None:
    arm = ArmPlan("feedback", seconds=2.5, wash_out_strides=1)
    turns = walk(Schedule((arm,)), 30)
    assert turns == [(0, Turn(begun=arm)), (45, Turn(ended=arm, over=True))]


def test_nothing_begins_and_nothing_counts_while_current_cannot_flow() -> None:
    schedule = Schedule((ArmPlan("feedback", strides=2), ArmPlan("off", strides=2)))
    assert walk(schedule, 20, able=False) == []
    assert [tick for tick, _ in walk(schedule, 22, from_contact=20)] == [200]
    assert walk(schedule, 40, able=False, from_contact=22) == []  # tripped: waits for a person
    assert [tick for tick, _ in walk(schedule, 45, from_contact=40)] == [420, 421]


def test_a_schedule_without_stimulation_needs_no_arming() -> None:
    assert [tick for tick, _ in walk(Schedule((ArmPlan("off", strides=1),)), 5, able=False)] == [0, 20]


def test_an_arm_begins_when_the_core_has_switched_and_not_before() -> None:
    schedule = Schedule((ArmPlan("off", strides=1), ArmPlan("feedback", strides=1)))
    walk(schedule, 2)
    assert schedule.follow(2 * S, 2, able=True, switching=False).ask is not None
    assert all(schedule.follow(2 * S + n, 2, able=True, switching=True) == Turn() for n in range(50))
    assert schedule.follow(3 * S, 3, able=True, switching=False).begun is not None


def test_an_arm_without_a_length_lasts_until_stopped() -> None:
    assert len(walk(Schedule((ArmPlan("feedback"),)), 1000)) == 1


def test_open_labels_are_the_modes_and_what_comes_again_is_numbered() -> None:
    arms = named([ArmPlan("off"), ArmPlan("learning"), ArmPlan("off")], blinded=False, shuffled=False, seed=1)
    assert [arm.title for arm in arms] == ["off", "learning", "off 2"]
    assert not any(arm.blinded for arm in arms)


def test_blinded_labels_are_drawn_and_one_mode_has_one_letter() -> None:
    plain = [ArmPlan(mode) for mode in (*MODES, *MODES)]
    drawn = {named(plain, blinded=True, shuffled=False, seed=seed)[0].title for seed in range(40)}
    assert drawn == {"A", "B", "C", "D"}
    arms = named(plain, blinded=True, shuffled=True, seed=5)
    assert sorted(arm.mode for arm in arms) == sorted(arm.mode for arm in plain)
    letters = {arm.mode: arm.title[0] for arm in arms}
    assert all(arm.title[0] == letters[arm.mode] for arm in arms)
    assert len({arm.title for arm in arms}) == len(arms)


@pytest.mark.parametrize("seed", range(3))
def test_the_same_seed_draws_the_same_order(seed: int) -> None:
    plain = [ArmPlan(mode) for mode in MODES]
    one, other = (named(plain, blinded=True, shuffled=True, seed=seed) for _ in range(2))
    assert one == other
