"""What each process of a session is told, and its start: recorder, console, world, guard, controller.

Promises settings in files of the rig's own folder; raises ProcessFailedError where one does not come up.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import msgspec

from controller.config.console_settings import ConsoleSettings, new_token, write_settings
from controller.config.core_params import core_params
from controller.config.exercise import ExerciseSession, exercise_params
from controller.config.session import Session
from controller.config.tunable_ranges import tunable
from controller.core.signals import CLOSED_LOOP
from controller.runtime.person_files import PersonFiles
from controller.runtime.plan import ControllerPlan, WorldPlan, write_plan
from controller.runtime.process_group import Rig
from controller.runtime.session_facts import (
    exercise_body,
    guard_settings,
    proportional,
    recording_header,
    sensor_plans,
)
from controller.trial.schedule import ArmPlan

READY_S = 180.0  # first start compiles the patient's inner loop


@dataclass(frozen=True, slots=True)
class Virtual:
    """What stands in for body and devices: the virtual patient (seeded), or recordings by sensor name."""

    seed: int
    recordings: Mapping[str, Path]
    loss: float = 0.0


@dataclass(frozen=True, slots=True)
class Attended:
    """A person arms, acknowledges and stops from the console; ``announce`` is told its address, with the
    token in it where the session has drawn one: for the person's screen alone, for no log."""

    settings: ConsoleSettings
    announce: Callable[[str], None]


class SessionProcesses:
    """Of one session, into ``out``; ``overseen``: somebody's beats go to the guard (F23)."""

    def __init__(
        self,
        session: Session | ExerciseSession,
        out: Path,
        virtual: Virtual | None,
        attended: Attended | None,
        *,
        overseen: bool = True,
    ) -> None:
        self._session = session
        self._out = out
        self._virtual = virtual
        self._attended = attended
        self._overseen = overseen

    def start_recorder(
        self, rig: Rig, recording: Path, arms: Sequence[ArmPlan], mqtt: Mapping[str, object] | None
    ) -> None:
        """``mqtt``: the broker's settings, or None."""
        header = rig.path / "header.json"
        seed = None if self._virtual is None else self._virtual.seed
        header.write_bytes(msgspec.json.encode(recording_header(self._session, self._out.name, arms, seed)))
        arguments = ["--rig", str(rig.path), "--out", str(recording), "--header", str(header)]
        if mqtt is not None:
            settings = rig.path / "mqtt.json"
            settings.touch(mode=0o600)  # may hold a password
            settings.write_bytes(msgspec.json.encode(mqtt))
            arguments += ["--mqtt", str(settings)]
        if (lsl := self._session.file.lsl) is not None:
            arguments += ["--lsl", lsl.scope, "--name", self._session.file.session.rig]
            arguments += [f"--lsl-marker={name}" for name in lsl.markers]
            arguments += [f"--lsl-shown={name}" for name in lsl.shown]
        rig.start("recorder", "controller.runtime.recorder", *arguments)

    def start_console(self, rig: Rig, attended: Attended) -> None:
        """The door with STOP first: it is there before anything can flow."""
        path, settings, enter = rig.path / "console.json", attended.settings, ""
        if settings.token_file is None:  # other users of this computer reach the address too
            token_file = rig.path / "console.token"
            enter = f"/enter?token={new_token(token_file)}"
            settings = replace(settings, token_file=str(token_file))
        write_settings(path, settings)
        arguments = ("--rig", str(rig.path), "--settings", str(path))
        rig.start("stop", "controller.console.door", *arguments)
        attended.announce(str(rig.word("stop", READY_S)["url"]) + enter)
        rig.start("console", "controller.console.app", *arguments)

    def start_world(self, rig: Rig) -> tuple[str | None, str]:
        """The radio (None: the machine's own) and the stimulator's port."""
        if self._virtual is None:
            return None, self._session.file.stimulator.port
        write_plan(
            rig.path / "world.json",
            WorldPlan(
                sensors=sensor_plans(self._session),
                stimulator=self._session.file.stimulator.device,
                pulse_log=str(self._out / "pulses.jsonl"),
                seed=self._virtual.seed,
                side=self._session.patient.patient.paretic_side,
                recordings={name: str(path) for name, path in self._virtual.recordings.items()},
                loss=self._virtual.loss,
                exercise=exercise_body(self._session) if isinstance(self._session, ExerciseSession) else None,
            ),
        )
        rig.start("world", "controller.runtime.virtual_world", "--rig", str(rig.path))
        word = rig.word("world", READY_S)
        return str(word["radio"]), str(word["port"])

    def start_guard(
        self, rig: Rig, session_id: int, port: str, files: PersonFiles, arms: Sequence[ArmPlan]
    ) -> None:
        """Whether an arm needs the staged unlock is the arms' to say."""
        told = guard_settings(
            self._session,
            session_id,
            port,
            files,
            attended=self._attended is not None,
            virtual=self._virtual is not None,
            overseen=self._overseen,
            closed_loop=any(arm.mode in CLOSED_LOOP for arm in arms) or proportional(self._session),
        )
        path = rig.path / "guard.json"
        path.write_text(json.dumps(told, allow_nan=False), encoding="utf-8")
        rig.start("guard", "controller.safety.guard", "--rig", str(rig.path), "--limits", str(path))

    def start_controller(
        self, rig: Rig, session_id: int, arms: tuple[ArmPlan, ...], radio: str | None
    ) -> None:
        """``radio``: the virtual one, None for the machine's own."""
        session, seed = self._session, self._virtual.seed if self._virtual else None
        sensors = sensor_plans(session)
        if isinstance(session, ExerciseSession):
            exercise = exercise_params(session)
            plan = ControllerPlan(session_id, None, sensors, radio, arms, seed, exercise=exercise)
        else:
            params = core_params(session, arms[0].mode)
            plan = ControllerPlan(session_id, params, sensors, radio, arms, seed, tunable(session))
        write_plan(rig.path / "controller.json", plan)
        rig.start("controller", "controller.runtime.controller", "--rig", str(rig.path))
