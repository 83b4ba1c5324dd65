"""An exercise programme in the controller process: core, what people ask of it, consoles."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterator
from pathlib import Path
from typing import Literal

from controller.core.exercise.exercise_core import ExerciseCore
from controller.core.exercise.programme import ExerciseParams
from controller.core.signals import Decision, ExerciseRequest, Scope, TickInputs
from controller.record import records
from controller.runtime.exercise_console import ExerciseConsoles
from controller.runtime.plan import ControllerPlan
from controller.runtime.therapy import Said

FLOWS = ("armed", "active")  # states of the guard in which it lets a contraction begin


class Exercise:
    """A :class:`controller.runtime.therapy.Therapy`: it runs once the guard is armed, until it is done."""

    def __init__(self, rig: Path, plan: ControllerPlan, params: ExerciseParams) -> None:
        self._seed = plan.seed
        self._core = ExerciseCore(params)
        self._consoles = ExerciseConsoles(rig, self._core)
        self._guard_state, self._armed_for = "", "walk"
        self._unlocked = params.control != "emg-proportional"
        self._most_ma = math.inf  # that the guard lets out since a person has lowered it
        self._begun = False
        self.over = False

    @property
    def params(self) -> ExerciseParams:
        return self._core.params

    @property
    def tick_s(self) -> float:
        return self._core.params.tick_s

    def open(self) -> None:
        self._consoles.open()

    def close(self) -> None:
        self._consoles.close()

    def before(self, now_ns: int) -> list[Said]:
        """What was asked for is in the inputs of the tick, and recorded with it."""
        return [Said("audit", entry) for entry in self._consoles.entries()]

    def wishes(self, received: TickInputs) -> TickInputs:
        asked = self._consoles.requests()
        return dataclasses.replace(received, scope=self._scope(), exercise=(*asked, *self._lowering(asked)))

    def step(self, now_ns: int, inputs: TickInputs) -> Decision:
        return self._core.step(now_ns, inputs)

    def after(self, now_ns: int, decision: Decision) -> list[Said]:
        said: list[Said] = []
        if not self._begun and self._scope() != "nothing":
            self._begun = True
            said.append(Said("arm", self._arm(now_ns, "begin")))
        self.over = self._core.timeline.phase == "done"
        self._consoles.after_tick(now_ns)
        return said

    def hear_verdict(self, state: str) -> None:
        self._guard_state = state

    def hear_guard(self, word: dict[str, object]) -> None:
        if "state" in word:
            self._guard_state, self._armed_for = str(word["state"]), str(word.get("scope", "walk"))
            proportional = self._core.params.control == "emg-proportional"
            self._unlocked = not proportional or bool(word.get("unlocked"))

        most_ma = word.get("current_max_ma")
        if isinstance(most_ma, float):
            self._most_ma = most_ma

    def _lowering(self, asked: tuple[ExerciseRequest, ...]) -> Iterator[ExerciseRequest]:
        """What is set, or asked for now, beyond what the guard lets out: planned within it again."""
        wanted = {one.muscle: one.set_ma for one in self._core.seen().muscles}
        wanted |= {one.muscle: one.current_ma for one in asked if one.op == "intensity"}
        for muscle, current_ma in wanted.items():
            if current_ma > self._most_ma:
                yield ExerciseRequest("intensity", muscle, self._most_ma)

    def ended(self, now_ns: int) -> list[Said]:
        return [Said("arm", self._arm(now_ns, "end"))] if self._begun else []

    def _scope(self) -> Scope:
        if self._guard_state not in FLOWS or self._armed_for != "walk":
            return "nothing"
        return "walk" if self._unlocked else "open_loop"

    def _arm(self, now_ns: int, kind: Literal["begin", "end"]) -> records.Arm:
        """The programme is its session's one arm."""
        return records.Arm(now_ns, kind, "programme", self._seed, self._core.params.name, 0, blinded=False)
