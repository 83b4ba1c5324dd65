"""A trial's schedule: which arm is walked, when it is over, under which name it goes.

Promises that an arm's length counts from the first whole stride after its wash-out, while stimulation is
possible and, but for an arm without any, unlocked. Refuses nothing; time and strides are told to it.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass, replace
from string import ascii_uppercase

from controller.core.signals import Mode


@dataclass(frozen=True, slots=True)
class ArmPlan:
    """One arm: how it walks and for how long after its wash-out (neither length given: until stopped).

    ``fresh`` forgets what was learned before. ``label`` is the arm's name everywhere, one of its own in the
    schedule; ``blinded`` keeps the mode out of everything a person sees.
    """

    mode: Mode
    seconds: float | None = None
    strides: int | None = None
    wash_out_strides: int = 0
    fresh: bool = True
    label: str = ""
    blinded: bool = False

    @property
    def title(self) -> str:
        return self.label or self.mode


def named(arms: Sequence[ArmPlan], *, blinded: bool, shuffled: bool, seed: int) -> tuple[ArmPlan, ...]:
    """The arms in the order they are walked, each with a label of its own.

    Blinded arms are called A, B, ... at random, the same mode the same letter; what comes again has a number.
    """
    source = random.Random(seed)
    order = list(arms)
    if shuffled:
        source.shuffle(order)
    modes = list(dict.fromkeys(arm.mode for arm in arms))
    if blinded:
        source.shuffle(modes)
    names = {mode: ascii_uppercase[index] if blinded else mode for index, mode in enumerate(modes)}
    seen: dict[str, int] = {}
    result: list[ArmPlan] = []
    for arm in order:
        name = names[arm.mode]
        seen[name] = seen.get(name, 0) + 1
        label = name if seen[name] == 1 else f"{name} {seen[name]}"
        result.append(replace(arm, label=label, blinded=blinded))
    return tuple(result)


@dataclass(frozen=True, slots=True)
class Turn:
    """What a tick brought: an arm that ended, one that began, one to ask the core for, or the end of all."""

    ended: ArmPlan | None = None
    begun: ArmPlan | None = None
    ask: ArmPlan | None = None
    over: bool = False


NOTHING = Turn()


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a schedule is: arm ``number`` of ``arms``, from 1, and what is left of it; None for a length
    that it has not. ``wash_out`` strides come before anything counts.
    """

    number: int
    arms: int
    wash_out: int
    strides: int | None
    seconds: float | None


@dataclass(slots=True)
class Schedule:
    """Where in the schedule a session is. ``arm`` is None before the first and after the last one."""

    arms: tuple[ArmPlan, ...]
    number: int = -1
    _asked: bool = False
    _from_strides: int = 0  # contacts seen when the arm could begin to count
    _counts_ns: int | None = None  # when the wash-out was over

    @property
    def arm(self) -> ArmPlan | None:
        return self.arms[self.number] if 0 <= self.number < len(self.arms) else None

    def follow(self, now_ns: int, strides: int, *, able: bool, switching: bool, locked: bool = False) -> Turn:
        """One tick: ``strides`` contacts seen so far, whether stimulation is ``able`` to flow, whether the
        core has yet to take the mode it was asked for, and whether the staged unlock lasts.
        """
        able = able or all(arm.mode == "off" for arm in self.arms)
        if self.number < 0:
            return self._begin(strides) if able and not switching and self.arms else NOTHING
        if self._asked:
            return NOTHING if switching else self._begin(strides)
        arm = self.arm
        counts = able and not switching and (arm is None or arm.mode == "off" or not locked)
        if arm is None or not self._over(arm, now_ns, strides, able=counts):
            return NOTHING
        if self.number + 1 < len(self.arms):
            self._asked = True
            return Turn(ask=self.arms[self.number + 1])
        self.number += 1
        return Turn(ended=arm, over=True)

    def progress(self, now_ns: int, strides: int) -> Progress | None:
        """None before the first arm and after the last one."""
        arm = self.arm
        if arm is None:
            return None
        whole = max(0, strides - self._from_strides - 1)
        walked = max(0, whole - arm.wash_out_strides)
        counted_s = 0.0 if self._counts_ns is None else (now_ns - self._counts_ns) / 1e9
        return Progress(
            self.number + 1,
            len(self.arms),
            max(0, arm.wash_out_strides - whole),
            None if arm.strides is None else max(0, arm.strides - walked),
            None if arm.seconds is None else max(0.0, arm.seconds - counted_s),
        )

    def _begin(self, strides: int) -> Turn:
        ended = self.arm
        self.number, self._asked = self.number + 1, False
        self._from_strides, self._counts_ns = strides, None
        return Turn(ended=ended, begun=self.arm)

    def _over(self, arm: ArmPlan, now_ns: int, strides: int, *, able: bool) -> bool:
        """Whether the arm has had its length; while stimulation cannot flow nothing counts."""
        if not able:
            self._from_strides, self._counts_ns = strides, None
            return False
        whole = strides - self._from_strides - 1  # the first contact ends the stride of the change
        if whole < arm.wash_out_strides:
            return False
        self._counts_ns = now_ns if self._counts_ns is None else self._counts_ns
        if arm.strides is not None:
            return whole - arm.wash_out_strides >= arm.strides
        return arm.seconds is not None and (now_ns - self._counts_ns) / 1e9 >= arm.seconds
