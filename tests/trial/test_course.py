"""The course of a trial: off is off, STOP in every arm, and the staged unlock in the wash-out of its arm."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field, replace

import pytest

from controller.commands.run import DEMO_SESSION
from controller.config.core_params import core_params
from controller.config.session import load_session
from controller.core.signals import Mode
from controller.safety.judgement.guard_types import Happening, Request
from controller.safety.judgement.states import Stage
from controller.trial.course import Course
from controller.trial.schedule import ArmPlan, Turn
from models.cohort import cohort_patient
from models.patient import VirtualPatient
from tests.chaos.virtual import GuardedWalk, comfort_layer, make_setup

MODES: tuple[Mode, ...] = ("off", "trapezoid", "feedback", "learning")
STRIDES, WASH_OUT = 5, 1
TRIAL_MAX_S = 150.0
COMFORT_MA = 50.0


@dataclass(slots=True)
class Trial(GuardedWalk):
    """A trial in virtual time; with ``stop_s``, STOP is pressed that long after each arm's beginning."""

    stop_s: float | None = None
    began_s: float = 0.0
    stopped: bool = True
    over: bool = False
    sent: Counter[tuple[str, str]] = field(default_factory=Counter)  # pulses by arm, and what gave them

    def turned(self, now_s: float, turn: Turn) -> None:
        if turn.begun is not None:
            self.began_s, self.stopped = now_s, self.stop_s is None
        self.over = self.over or turn.over

    def title(self) -> str:
        arm, before = self.course.schedule.arm, self.course.schedule.number < 0
        return arm.title if arm is not None else "before" if before else "after"

    def _given(self, now_s: float, current_ma: float, width_us: float) -> None:
        kind: str = "contact test" if self.known.contact is not None else self.core.mode
        if kind == "trapezoid" and not self.known.unlock.full:
            kind = "locked"
        self.sent[self.title(), kind] += 1
        super(Trial, self)._given(now_s, current_ma, width_us)

    def _misfortune(self, now_s: float) -> None:
        if self.stopped or self.stop_s is None or now_s - self.began_s < self.stop_s:
            return
        if self.known.state.stage in (Stage.ARMED, Stage.ACTIVE):
            self.stopped, self._fault, self._since_s = True, "STOP", now_s
            happening: Happening = Request("stop")
            self.feed(now_s, happening)


def trial(modes: tuple[Mode, ...], stop_s: float | None = None) -> Trial:
    """A cohort patient walks the arms to their end."""
    arms = tuple(
        ArmPlan(mode, strides=STRIDES, wash_out_strides=WASH_OUT, label=f"{number} {mode}")
        for number, mode in enumerate(modes)
    )
    member = cohort_patient(1)
    params = core_params(load_session(DEMO_SESSION), modes[0])
    params = replace(
        params,
        placements=tuple(replace(place, side=member.params.side) for place in params.placements),
        muscle=replace(params.muscle, i50_ma=member.params.recruitment.i50_ma),
    )
    patient = VirtualPatient(member.params, member.seed, member.schedule(TRIAL_MAX_S))
    setup = make_setup(
        comfort_layer(COMFORT_MA), closed_loop=any(mode in ("feedback", "learning") for mode in modes)
    )
    walk = Trial(params, patient, setup=setup, arms=arms, stop_s=stop_s)
    for until_s in range(5, round(TRIAL_MAX_S), 5):
        if not walk.over:
            walk.walk(float(until_s))
    assert walk.over, (walk.title(), walk.known.state, walk.sent)
    return walk


def given(walk: Trial, title: str) -> dict[str, int]:
    return {kind: count for (arm, kind), count in walk.sent.items() if arm == title}


@pytest.mark.parametrize("stop_s", [None, 4.1])
def test_in_an_arm_that_is_off_nothing_is_sent_also_after_stop_and_a_new_arming(stop_s: float | None) -> None:
    walk = trial(MODES, stop_s)
    assert given(walk, "before") == {}
    assert given(walk, "0 off") == {}
    tested = given(walk, "1 trapezoid")
    assert tested["contact test"] > 0
    assert tested["locked"] > 0  # the staged unlock is earned here
    assert tested["trapezoid"] > 0
    for title, mode in (("2 feedback", "feedback"), ("3 learning", "learning")):
        found = given(walk, title)
        assert found[mode] > 0
        assert ("locked" in found) == (stop_s is not None)  # earned anew after each STOP, and not otherwise
    assert walk.trips == ({} if stop_s is None else {"F11": len(MODES)})
    assert walk.wrong == []


def test_the_staged_unlock_is_walked_in_the_first_arm_of_closed_loop_and_does_not_count() -> None:
    walk = trial(("off", "learning", "off", "feedback"))
    assert given(walk, "0 off") == given(walk, "2 off") == {}
    first = given(walk, "1 learning")
    assert set(first) - {"trapezoid"} == {"contact test", "locked", "learning"}
    assert first["locked"] > first.get("trapezoid", 0)  # the rest of the stride in which it unlocked
    assert set(given(walk, "3 feedback")) == {"feedback"}  # unlocked since the learning arm
    assert (dict(walk.trips), walk.wrong) == ({}, [])


# --- what is asked of the core, without one


def course(*modes: Mode) -> Course:
    return Course(tuple(ArmPlan(mode, strides=2) for mode in modes), modes[0])


def test_a_session_that_is_off_asks_for_nothing_else_whatever_the_guard_says() -> None:
    for arms in (course("off"), course("off", "off"), Course((), "off")):
        for state in ("off", "armed", "active", "ramp", "tripped", "contact test"):
            for scope in ("walk", "tests"):
                for unlocked in (False, True):
                    arms.hear(state, scope, unlocked=unlocked, measured=True)
                    assert arms.ask() == (None, False)


def test_an_off_arm_ahead_of_closed_loop_is_off_while_locked() -> None:
    arms = course("off", "feedback")
    for state, unlocked in (("off", False), ("armed", False), ("tripped", False), ("armed", True)):
        arms.hear(state, "walk", unlocked=unlocked, measured=True)
        assert arms.ask() == (None, False)


def test_closed_loop_waits_in_open_loop_for_the_unlock_and_goes_back_to_it_keeping_what_was_learned() -> None:
    arms = course("learning", "off")
    assert arms.ask() == ("trapezoid", False)
    arms.hear("armed", "walk", unlocked=False, measured=True)
    assert arms.ask() == (None, False)
    assert arms.follow(0, 0, switching=True).begun is None
    assert arms.follow(1, 0, switching=False).begun == arms.arms[0]
    for strides in range(20):  # locked: nothing counts
        assert arms.follow(2, strides, switching=False) == Turn()
    arms.hear("active", "walk", unlocked=True, measured=True)
    assert arms.follow(3, 50, switching=False) == Turn()  # asked for at the next tick, and then taken
    assert arms.ask() == ("learning", False)
    assert arms.follow(4, 90, switching=True) == Turn()
    assert arms.follow(5, 91, switching=False) == Turn()
    assert arms.follow(6, 92, switching=False) == Turn()
    arms.hear("tripped", "walk", unlocked=False, measured=True)
    assert arms.ask() == ("trapezoid", False)
    assert arms.follow(7, 99, switching=False) == Turn()
    arms.hear("armed", "walk", unlocked=False, measured=True)
    arms.hear("active", "walk", unlocked=True, measured=True)
    assert arms.ask() == ("learning", False)
    assert arms.follow(8, 110, switching=True) == Turn()
    assert arms.follow(9, 112, switching=False) == Turn()  # one whole stride since contact 110
    assert arms.follow(10, 113, switching=False).ask == arms.arms[1]
    assert arms.ask() == ("off", True)
    assert arms.ask() == (None, False)


def test_armed_for_tests_no_arm_begins_and_trains_can_be_given_ahead_of_an_off_arm() -> None:
    arms = course("off", "feedback")
    arms.hear("armed", "tests", unlocked=False, measured=True)
    assert (arms.ask(), arms.scope()) == (("trapezoid", False), "tests")
    assert arms.follow(0, 0, switching=False) == Turn()
    arms.hear("off", "walk", unlocked=False, measured=True)
    assert arms.follow(1, 0, switching=False) == Turn()
    assert (arms.ask(), arms.scope()) == (("off", False), "walk")
    arms.hear("armed", "walk", unlocked=False, measured=True)
    assert arms.follow(2, 0, switching=False).begun == arms.arms[0]
    arms.hear("off", "walk", unlocked=False, measured=True)
    arms.hear("armed", "tests", unlocked=False, measured=True)
    assert arms.ask() == (None, False)  # in an off arm not even trains
    assert arms.follow(3, 50, switching=False) == Turn()  # and it does not count


def test_while_the_guard_tests_the_electrodes_nothing_is_asked_for() -> None:
    for scope in ("walk", "tests"):
        arms = course("trapezoid")
        arms.hear("contact test", scope, unlocked=False, measured=True)
        assert arms.scope() == "nothing"


def test_the_first_stride_is_without_current_where_the_guard_has_measured_none() -> None:
    arms = course("trapezoid")
    arms.hear("off", "walk", unlocked=True, measured=False)
    arms.follow(0, 7, switching=False)
    arms.hear("armed", "walk", unlocked=True, measured=False)
    for strides, scope in ((7, "nothing"), (8, "nothing"), (9, "walk")):  # two at most: not every foot rests
        arms.follow(1, strides, switching=False)
        assert arms.scope() == scope
    arms.hear("off", "walk", unlocked=True, measured=False)
    arms.follow(2, 9, switching=False)
    arms.hear("armed", "walk", unlocked=True, measured=False)
    arms.follow(3, 9, switching=False)
    assert arms.scope() == "nothing"
    arms.hear("armed", "walk", unlocked=True, measured=True)
    assert arms.scope() == "walk"
    arms.hear("armed", "tests", unlocked=True, measured=False)
    assert arms.scope() == "tests"
