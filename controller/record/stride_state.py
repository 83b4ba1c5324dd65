"""Whether a stride counts in the figures of its arm, and if not, why: one rule for every reader.

``counted``; ``wash_out``: the first strides of the arm, and again after each new arming, unlock or pause;
``unlock``: walked before the staged unlock was complete; ``stopped``: STOP, a trip or not armed;
``other_law``: what steered in its swing was not the arm's law (none, in a pause), or the guard changed it. Of
a blinded arm the last three are ``left_out``: which of them it was would give the mode away.

In an arm of mode off nothing is to be stimulated: its strides count also where the guard is not armed. An arm
that was interrupted goes on: its strides count again after a wash-out of full length.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Literal, get_args

from controller.core.signals import CLOSED_LOOP, Mode

StrideState = Literal["counted", "wash_out", "unlock", "stopped", "other_law", "left_out"]
STATES: tuple[StrideState, ...] = get_args(StrideState)
SECRET: tuple[StrideState, ...] = ("unlock", "stopped", "other_law")  # of a blinded arm
ABLE = ("armed", "active", "ramp")  # states of the guard in which it lets current flow when asked
ENDS = ("stop", "trip", "disarm")  # what the guard notes when stimulation ends


@dataclass(frozen=True, slots=True)
class Heard:
    """What the guard said of one frame, or of itself, at ``t_ns``; None where it was not told."""

    t_ns: int
    state: str
    changed: bool = False  # it blocked or reduced the frame
    unlocked: bool | None = None
    kind: str = ""  # of a guard's event; empty for a verdict


@dataclass(slots=True)
class StrideJudge:
    """Gives each stride of one arm its state, in the order walked.

    ``mode`` is the arm's true one; empty where it is not known, and then no law is another's.
    """

    mode: str
    wash_out_strides: int = 0
    unlocked: bool = True  # in recordings that tell it by events alone
    _state: str | None = field(default=None)
    _walked: int = field(default=0)  # strides since the arm's beginning, the last stop or unlock

    def judge(self, begin_ns: int, heard: Iterable[Heard], laws: Iterable[str | None]) -> StrideState:
        """The state of the next stride, which began at ``begin_ns``: by what was heard of the guard since the
        last stride and in this one, and by the laws that steered at the ticks of its swing.
        """
        told = list(heard)
        before = [each for each in told if each.t_ns < begin_ns]
        if any(self._hear(before)[:2]) and self.mode != "off":
            self._walked = 0  # the wash-out begins anew; where nothing is given nothing is to be washed out
        stopped, locked, changed = self._hear(each for each in told if each.t_ns >= begin_ns)
        steered = set(laws)
        other = bool(steered) and bool(self.mode) and steered - {None} != {self.mode}
        state: StrideState = "other_law" if other or changed else "counted"
        if self.mode == "off":
            state = "other_law" if steered - {None, "off"} else "counted"
        elif stopped:
            state = "stopped"
        elif locked and state == "other_law":
            state = "unlock"
        paused = self.mode != "off" and "off" in steered
        self._walked = 0 if paused or state in ("stopped", "unlock") else self._walked + 1
        if state == "counted" and self._walked <= self.wash_out_strides:
            state = "wash_out"
        return state

    def _hear(self, heard: Iterable[Heard]) -> tuple[bool, bool, bool]:
        """Whether current could not flow at some time, the unlock was to come, a frame was changed."""
        stopped = self._state is not None and self._state not in ABLE
        locked, changed = not self.unlocked, False
        for each in heard:
            self._state = each.state.lower() or self._state
            stopped = stopped or self._state not in ABLE or each.kind in ENDS
            changed = changed or each.changed
            if each.unlocked is not None:
                self.unlocked = each.unlocked
            elif each.kind in ("arm", "unlock"):
                self.unlocked = each.kind == "unlock" or self.mode not in CLOSED_LOOP
            locked = locked or not self.unlocked
        return stopped, locked, changed


def shown(state: StrideState, *, secret: bool) -> StrideState:
    """The state as readers of a blinded arm may see it."""
    return "left_out" if secret and state in SECRET else state


def law(mode: str, rung: str, *, asked: bool) -> str | None:
    """The control law at a tick; None where a mode that asks for current asked for none.

    As in the core: feedback needs the foot's pitch, learning only a phase.
    """
    if mode == "off":
        return "off"
    if not asked:
        return None
    if rung == "trapezoid" or (mode == "feedback" and rung == "learned command"):
        return "trapezoid"
    return mode


def mode_of(label: str, mode: str, key: dict[str, str]) -> str:
    """An arm's true mode by the key of a blinded trial; empty where neither tells it."""
    found = key.get(label, mode)
    return found if found in get_args(Mode) else ""
