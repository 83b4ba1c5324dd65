"""What an exercise session's consoles ask for and are told: pause, go on, skip, each muscle's intensity."""

from __future__ import annotations

import logging
import math
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import msgspec

from controller.core.exercise.exercise_core import ExerciseCore
from controller.core.exercise.programme import ExerciseParams
from controller.core.signals import ExerciseRequest, ExerciseView
from controller.record.records import Audit, Change
from controller.runtime.console_server import Consoles
from controller.runtime.tuning import BY_MAX

WORDS = {"pause": "exercise paused", "go_on": "exercise goes on", "skip": "rest or try cut short"}
STEP_MAX_MA = 2.0  # the intensity rises by no more in one request; it may fall at once
RefusalCode = Literal[
    "by",  # nobody's name, or too long a one
    "muscle",  # not one of the programme
    "number",  # no current
    "most",  # more than this muscle may be given
    "step",  # more at once than one request may add
]
log = logging.getLogger("dorsi.controller")


@dataclass(frozen=True, slots=True)
class ExerciseAsked:
    """One message of a console: what, by whom, and the wall clock's time."""

    request: ExerciseRequest
    by: str
    utc_ns: int


@dataclass(frozen=True, slots=True)
class Refused:
    """Why a request was not taken; ``most_ma`` is the largest current that would have been, for a current."""

    code: RefusalCode
    text: str  # for the recording, in English
    most_ma: float | None = None


@dataclass(frozen=True, slots=True)
class ExerciseTold:
    """What a console is told, as JSON. ``asked`` counts the requests heard so far, ``refused`` is why the
    last of them was not taken.
    """

    params: ExerciseParams
    view: ExerciseView
    trail: tuple[Audit, ...]
    asked: int
    refused: Refused | None


class ExerciseConsoles(Consoles):
    """Takes requests for the next tick; an intensity is held to small steps and the person's maximum."""

    def __init__(self, rig: Path, core: ExerciseCore) -> None:
        super().__init__(rig)
        self._core = core
        self._requests: list[ExerciseRequest] = []
        self._entries: list[Audit] = []
        self._trail: list[Audit] = []
        self._asked = 0
        self._refused: Refused | None = None
        self._version = 0

    def requests(self) -> tuple[ExerciseRequest, ...]:
        """Those for this tick."""
        taken, self._requests = tuple(self._requests), []
        return taken

    def entries(self) -> list[Audit]:
        """The audit entries since the last call."""
        taken, self._entries = self._entries, []
        return taken

    def take(self, message: bytes) -> None:
        asked = msgspec.json.decode(message, type=ExerciseAsked)
        self._asked += 1
        self._refused = refused = self._why_not(asked)
        before = self._set_ma(asked.request.muscle)
        if refused is None:
            self._requests.append(asked.request)
        if asked.request.op != "intensity":
            self._note(asked, "setup", text=WORDS[asked.request.op])
        elif before is not None:
            self._version += refused is None
            change = Change(f"intensity.{asked.request.muscle}_ma", before, asked.request.current_ma)
            self._note(asked, "change", reason="intensity", changes=(change,))

    def _note(
        self,
        asked: ExerciseAsked,
        kind: Literal["change", "setup"],
        *,
        reason: str = "",
        text: str = "",
        changes: tuple[Change, ...] = (),
    ) -> None:
        """Who asked for what, taken or not."""
        refused = self._refused
        entry = Audit(
            t_ns=time.monotonic_ns(),
            utc_ns=asked.utc_ns,
            version=self._version,
            kind=kind if refused is None else "refused",
            by=asked.by,
            reason=reason,
            text=text if refused is None else refused.text,
            changes=changes,
        )
        self._entries.append(entry)
        self._trail.append(entry)

    def told(self, now_ns: int) -> bytes:
        view = self._core.seen()
        return msgspec.json.encode(
            ExerciseTold(self._core.params, view, tuple(self._trail[-20:]), self._asked, self._refused)
        )

    def _set_ma(self, muscle: str) -> float | None:
        """As it will be at the next tick; None where there is no such muscle."""
        asked = [one for one in self._requests if (one.op, one.muscle) == ("intensity", muscle)]
        return asked[-1].current_ma if asked else self._present_ma(muscle)

    def _present_ma(self, muscle: str) -> float | None:
        return next((m.set_ma for m in self._core.seen().muscles if m.muscle == muscle), None)

    def _why_not(self, asked: ExerciseAsked) -> Refused | None:
        """Why the request is not taken; None where it is."""
        if not 0 < len(asked.by.strip()) <= BY_MAX:
            return Refused("by", f"by: found {len(asked.by.strip())} characters, allowed: 1 to {BY_MAX}")
        request = asked.request
        if request.op != "intensity":
            return None
        plan = next((m for m in self._core.params.muscles if m.muscle == request.muscle), None)
        present_ma, next_ma = self._present_ma(request.muscle), self._set_ma(request.muscle)
        if plan is None or present_ma is None or next_ma is None:
            known = ", ".join(m.muscle for m in self._core.params.muscles)
            return Refused("muscle", f"muscle: found {request.muscle!r}, allowed: {known}")
        least_ma = min(present_ma, next_ma)  # of one tick only one step up, whatever else it was asked for
        most_ma = min(plan.current_max_ma, least_ma + STEP_MAX_MA)
        text = f"current_ma: found {request.current_ma:g}, allowed: 0 to {most_ma:g}"
        if not (math.isfinite(request.current_ma) and request.current_ma >= 0.0):
            return Refused("number", text, most_ma)
        if request.current_ma > most_ma:
            return Refused("most" if request.current_ma > plan.current_max_ma else "step", text, most_ma)
        return None
