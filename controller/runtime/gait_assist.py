"""Gait assist in the controller process: core, schedule of arms, settings, test trains, consoles."""

from __future__ import annotations

import dataclasses
import time
from pathlib import Path
from typing import Literal

import msgspec

from controller.core.core import Core
from controller.core.params import CoreParams
from controller.core.signals import Decision, TickInputs
from controller.record import records
from controller.runtime.console_server import GaitConsoles
from controller.runtime.plan import ControllerPlan
from controller.runtime.test_trains import Probing
from controller.runtime.therapy import Said
from controller.runtime.tuning import Tuning
from controller.trial.course import Course
from controller.trial.schedule import ArmPlan


class GaitAssist:
    """A :class:`controller.runtime.therapy.Therapy`."""

    def __init__(self, rig: Path, plan: ControllerPlan, params: CoreParams) -> None:
        self._seed = plan.seed
        self._tuning = Tuning(params, plan.allowed)
        self._core = Core(params)
        self._course = Course(plan.schedule, params.mode)
        self._probing = Probing()
        self._consoles = GaitConsoles(rig, self._tuning, self._probing, self._core, self._course)
        self._retuned = False
        self.over = False

    @property
    def params(self) -> CoreParams:
        return self._tuning.params

    @property
    def tick_s(self) -> float:
        return self._tuning.params.tick_s

    def open(self) -> None:
        self._consoles.open()

    def close(self) -> None:
        self._consoles.close()

    def before(self, now_ns: int) -> list[Said]:
        """Between two windows, what waits takes effect."""
        taken = self._tuning.take(now_ns) if self._core.at_boundary else None
        self._retuned = taken is not None
        if taken is None:
            return []
        params, entry = taken
        self._core.reconfigure(params)
        document = msgspec.Raw(msgspec.json.encode(params))
        retuned = records.CoreRetuned(now_ns, entry.version, document)
        return [Said("core/retuned", retuned), Said("audit", entry)]

    def wishes(self, received: TickInputs) -> TickInputs:
        mode, fresh = self._course.ask()
        return dataclasses.replace(
            received, mode=mode, fresh=fresh, probe=self._probing.take(), scope=self._course.scope()
        )

    def step(self, now_ns: int, inputs: TickInputs) -> Decision:
        return self._core.step(now_ns, inputs)

    def after(self, now_ns: int, decision: Decision) -> list[Said]:
        """The arms of a trial: each begins at the tick whose step changed the mode."""
        said: list[Said] = []
        turn = self._course.follow(now_ns, decision.view.strides, switching=self._core.switching)
        if turn.ended is not None:
            said.append(Said("arm", arm_record(now_ns, "end", turn.ended, self._seed)))
        if turn.begun is not None:
            said.append(Said("arm", arm_record(now_ns, "begin", turn.begun, self._seed)))
        self.over = self.over or turn.over
        self._probing.note(self._core.output.test_train, self._foot_rad(), guard_gave=self._course.able)
        said += [Said("audit", entry) for entry in self._consoles.entries()]
        self._consoles.after_tick(now_ns, urgent=self._retuned)
        return said

    def _foot_rad(self) -> tuple[float, float] | None:
        """Pitch and roll of the foot; None without a sensor there, or before it has found its axes."""
        gait = self._core.gait
        if gait.leading.segment != "foot":
            return None
        foot = gait.orientations[gait.leading.sensor]
        if foot.pitch_rad is None or foot.roll_rad is None:
            return None
        return foot.pitch_rad, foot.roll_rad

    def hear_verdict(self, state: str) -> None:
        self._course.guard_state = state

    def hear_guard(self, word: dict[str, object]) -> None:
        """What the guard is armed for, whether it allows feedback, and the most it lets out."""
        if "state" in word:
            scope, unlocked = str(word.get("scope", "walk")), bool(word.get("unlocked"))
            measured = bool(word.get("measured"))
            self._course.hear(str(word["state"]), scope, unlocked=unlocked, measured=measured)
        most_ma = word.get("current_max_ma")
        if isinstance(most_ma, float):
            self._tuning.tighten(most_ma, str(word.get("by", "")), time.time_ns())

    def ended(self, now_ns: int) -> list[Said]:
        arm = self._course.schedule.arm
        return [] if arm is None else [Said("arm", arm_record(now_ns, "end", arm, self._seed))]


def arm_record(now_ns: int, kind: Literal["begin", "end"], arm: ArmPlan, seed: int | None) -> records.Arm:
    """The marker of an arm; a blinded one does not say its mode."""
    mode = arm.title if arm.blinded else arm.mode
    return records.Arm(now_ns, kind, mode, seed, arm.title, arm.wash_out_strides, arm.blinded)
