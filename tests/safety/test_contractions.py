"""In an exercise whole contractions, really given and open loop, earn what strides earn in a walk."""

from __future__ import annotations

import pytest

from controller.safety.judgement.contractions import WHOLE_NS
from controller.safety.judgement.electrode_test import start
from controller.safety.judgement.frame_check import MS, TRAIN_PAUSE_NS
from controller.safety.judgement.guard_types import PulseLeft, Reaction, Request
from controller.safety.judgement.requests import unlock_stage
from controller.safety.judgement.staged_unlock import STRIDES, UnlockStage
from controller.safety.judgement.wire import Purpose
from drivers.interface import ChannelCommand
from tests.safety.rig import Bench, pulse_train

CEILING_MA = 30.0  # three quarters of the session's 40 mA
EMG = [{"name": "foot"}]  # the name under which the bench's sensor speaks


class Arm(Bench):
    """An exercise whose pulses are really written; ``writes`` says whether they are."""

    writes = True

    def tick(
        self, *channels: ChannelCommand | None, ms: float = 5.0, purpose: Purpose = "open_loop"
    ) -> Reaction:
        reaction = super().tick(*channels, ms=ms, purpose=purpose)
        for pulse in reaction.pulses if self.writes else ():
            self.feed(PulseLeft(pulse.channel, pulse.current_ma))
        return reaction

    def contract(self, ms: float = 600.0, pause_ms: float = 150.0, purpose: Purpose = "open_loop") -> Arm:
        """At 40 Hz: a pulse at the begin, then every 25 ms."""
        for _ in range(round(ms / 5.0) + 1):
            self.tick(pulse_train(10.0), purpose=purpose)
        for _ in range(round(pause_ms / 5.0)):
            self.tick(None)
        return self

    @property
    def answered(self) -> int:
        return self.known.unlock.answered


def exercise(unlock: str | None = "person", caps: str = "exercise", **changes: object) -> Arm:
    arm = Arm(caps=caps, sensors=[], unlock=unlock, **changes) if unlock else Arm(caps=caps, sensors=[])
    arm.armed()
    return arm


def by_feedback(arm: Arm) -> str:
    reaction = arm.tick(pulse_train(10.0), purpose="feedback")
    assert reaction.verdict is not None
    return reaction.verdict.verdict


def test_three_whole_contractions_let_a_person_unlock_and_nobody_else() -> None:
    arm = exercise()
    assert arm.notes[-1].text == (
        "Armed. Staged unlock: open loop at no more than 30 mA, 0 of 3 contractions given; "
        "then a person unlocks."
    )
    for number in range(STRIDES):
        assert by_feedback(arm) == "blocked"
        arm.feed(Request("unlock", "Ada"))
        assert arm.notes[-1].text == f"Not unlocked: {number} of 3 contractions were given."
        arm.contract()
        assert arm.answered == number + 1
        assert (arm.notes[-1].kind, arm.notes[-1].text[:34]) == (
            "answer",
            "A contraction of 0.6 s was given. ",
        )
    assert by_feedback(arm) == "blocked"  # given, and nobody has unlocked
    told = UnlockStage(3, 3, "person", full=False, ceiling_ma=CEILING_MA, counted="contractions")
    assert unlock_stage(arm.setup, arm.known) == told
    arm.feed(Request("unlock", "Ada"))
    assert arm.notes[-1].kind == "unlock"
    assert by_feedback(arm) != "blocked"


def test_a_contraction_counts_from_half_a_second_on() -> None:
    assert WHOLE_NS == 500 * MS
    arm = exercise().contract(499.0 - 24.0)  # the last pulse at 475 ms
    assert (arm.answered, arm.known.contraction) == (0, None)
    assert arm.contract(500.0).answered == 1
    assert arm.contract(2000.0).answered == 2  # once, however long


def test_it_is_whole_when_its_current_has_ended_for_a_tenth_of_a_second() -> None:
    assert TRAIN_PAUSE_NS == 100 * MS
    arm = exercise().contract(500.0, pause_ms=95.0)
    assert arm.answered == 0
    arm.tick(None)
    assert arm.answered == 1


def test_a_short_pause_does_not_divide_it() -> None:
    arm = exercise()
    for _ in range(4):
        arm.contract(250.0, pause_ms=90.0)
    assert arm.contract(250.0).answered == 1


def test_a_slow_train_is_one_contraction() -> None:
    arm = exercise()
    for _ in range(201):  # a second at 4 Hz
        arm.tick(ChannelCommand(1.0, 300.0, 4.0))
    for _ in range(30):
        arm.tick(None)
    assert arm.answered == 1


@pytest.mark.parametrize("purpose", ["feedback", "test_train"])
def test_only_an_open_loop_one_counts(purpose: Purpose) -> None:
    arm = exercise()
    for _ in range(4):
        arm.contract(purpose=purpose)
    assert (arm.answered, arm.known.contraction) == (0, None)


def test_what_was_let_through_and_never_written_is_none() -> None:
    arm = exercise()
    arm.writes = False
    assert arm.contract().answered == 0


def test_what_was_blocked_is_none() -> None:
    arm = exercise()
    for _ in range(200):
        arm.tick(ChannelCommand(10.0, 450.0, 40.0))  # the session's widest is 400 us
    assert arm.contract(0.0).answered == 0


def test_zero_current_ends_it_as_off_does() -> None:
    arm = exercise().contract(500.0, pause_ms=0.0)
    for _ in range(25):
        arm.tick(pulse_train(0.0))
    assert arm.answered == 1


def test_pulses_on_two_channels_are_one_contraction() -> None:
    two = [{"name": name, "electrode_area_cm2": 25.0} for name in ("wrist", "fingers")]
    arm = exercise(channels=two)
    for number in range(150):
        arm.tick(pulse_train(10.0), pulse_train(10.0) if number > 50 else None)
    for _ in range(30):
        arm.tick(None, None)
    assert arm.answered == 1


def test_the_electrodes_test_is_no_contraction() -> None:
    arm = exercise()
    arm.feed(Request("stop"))
    arm.known = arm.known._replace(frame_open_loop=True, contact=start("Ada", arm.now_ns, 1))
    arm.feed(PulseLeft(0, 15.0))
    assert arm.known.contraction is None


def test_in_a_walk_no_train_counts() -> None:
    walk = Arm(unlock="person")
    walk.armed()
    assert walk.contract().contract().answered == 0


def test_whatever_ends_the_arming_takes_the_contractions_with_it() -> None:
    arm = exercise().contract().contract(500.0, pause_ms=0.0)
    assert (arm.answered, arm.known.contraction is not None) == (1, True)
    arm.feed(Request("stop"))
    assert (arm.answered, arm.known.contraction) == (0, None)


def test_without_unlock_an_exercise_is_open_loop_at_its_whole_current() -> None:
    arm = exercise(unlock=None)
    assert arm.notes[-1].text == "Armed."
    for _ in range(200):
        reaction = arm.tick(pulse_train(40.0))
    assert reaction.verdict is not None
    assert reaction.verdict.channels == (pulse_train(40.0),)
    for _ in range(30):
        arm.tick(None)
    assert (arm.answered, by_feedback(arm)) == (0, "blocked")
