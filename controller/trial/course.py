"""The course of a session: which arm is walked and in which mode, as far as the guard allows it.

An arm of mode off is off whatever else holds. Where nobody has walked before arming, the first stride is
without current: the guard measures by it whether the leg answers to pulses (F17, staged unlock). The staged
unlock is walked in open loop at the beginning of the first arm of closed loop and after each re-arming inside
one; it belongs to that arm's wash-out. A pause is mode off until a person goes on: it begins when the current
of the step has ended, what was learned stays, and the arm's length counts anew after it, as after a stop.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from controller.core.signals import CLOSED_LOOP, Mode, Scope
from controller.trial.schedule import ArmPlan, Schedule, Turn

ABLE = ("armed", "active", "ramp")  # states of the guard in which it lets current flow when asked
CONTACT = "contact test"  # the state in which the guard's own pulses test the electrodes
UNLOCKING: Mode = "trapezoid"
MEASURING_STRIDES = 2  # at most, after arming; where the guard can measure none, all are lifted


@dataclass(slots=True)
class Course:
    """Follows schedule and guard. ``mode`` is the one a session without a schedule walks."""

    arms: tuple[ArmPlan, ...]
    mode: Mode
    schedule: Schedule = field(init=False)
    arm: ArmPlan = field(init=False)  # walked, or about to be
    guard_state: str = ""
    armed_for: str = "walk"
    paused: bool = False  # a person has: nothing is given until they go on, or the guard ends it
    locked: bool = field(init=False)
    _needs_unlock: bool = field(init=False)
    _told: Mode = field(init=False)  # to the core, last
    _begins: bool = False  # an arm begins with the next mode told
    _measured: bool = True  # the guard knows a stride without current
    _strides: int = 0
    _able_strides: int = 0  # when the guard was last not able

    def __post_init__(self) -> None:
        self.schedule = Schedule(self.arms)
        self.arm = self.arms[0] if self.arms else ArmPlan(self.mode)
        self._needs_unlock = self.locked = any(arm.mode in CLOSED_LOOP for arm in (self.arm, *self.arms))
        self._told = self.arm.mode

    @property
    def able(self) -> bool:
        """Whether the guard lets current flow if asked."""
        return self.guard_state in ABLE

    def hear(self, state: str, armed_for: str, *, unlocked: bool, measured: bool) -> None:
        """The guard's state, what it is armed for, if it allows feedback, if it knows a stride without."""
        self.guard_state, self.armed_for, self._measured = state, armed_for, measured
        self.locked = self._needs_unlock and not unlocked

    def ask(self) -> tuple[Mode | None, bool]:
        """What to ask of the core at this tick: another mode, and whether to forget what was learned."""
        mode, begins = self._wanted(), self._begins
        if mode == self._told and not begins:
            return None, False
        self._told, self._begins = mode, False
        return mode, begins and self.arm.fresh

    def scope(self) -> Scope:
        """What may be asked for: nothing while the guard tests the electrodes or measures a first stride."""
        if self.guard_state == CONTACT:
            return "nothing"
        if self.armed_for == "tests":
            return "tests"
        walked = self._strides - self._able_strides
        return "walk" if self._measured or walked >= MEASURING_STRIDES else "nothing"

    def follow(self, now_ns: int, strides: int, *, switching: bool) -> Turn:
        """After a tick; ``switching``: the core has yet to take the mode it was told."""
        able = self.able and self.armed_for == "walk"
        self._strides = strides
        self.paused = self.paused and able
        if not able:
            self._able_strides = strides
        able = able and not self.paused
        switching = switching or self._wanted() != self._told
        turn = self.schedule.follow(now_ns, strides, able=able, switching=switching, locked=self.locked)
        if turn.ask is not None:
            self.arm, self._begins = turn.ask, True
        return turn

    def pause(self, *, paused: bool) -> str:
        """Pause from the next stance on, or go on with the next step; why not, in words."""
        if paused and not (self.able and self.armed_for == "walk"):
            return "not armed for walking"
        self.paused = paused
        return ""

    def _wanted(self) -> Mode:
        if self.paused:
            return "off"
        if self.locked and self.arm.mode in CLOSED_LOOP:
            return UNLOCKING
        ahead = self.arm.mode == "off" and self.schedule.number < 0
        if ahead and self.armed_for == "tests" and any(arm.mode != "off" for arm in self.arms):
            return UNLOCKING  # thresholds are looked for before an arm begins in which nothing may be given
        return self.arm.mode
