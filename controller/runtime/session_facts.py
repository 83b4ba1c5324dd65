"""What the supervisor tells of a session: the head of its recording, the guard's file, the sensors' plans."""

from __future__ import annotations

import secrets
from collections.abc import Sequence

import msgspec

from controller.config.core_params import core_params
from controller.config.exercise import ExerciseSession, caps_of, exercise_params
from controller.config.session import Session, device_texts
from controller.core.exercise.programme import ExerciseParams
from controller.core.params import CoreParams
from controller.record.provenance import program
from controller.runtime.person_files import PersonFiles
from controller.runtime.plan import ExerciseBody, SensorPlan
from controller.trial.schedule import ArmPlan
from controller.untrusted import clean


def recording_header(
    session: Session | ExerciseSession, name: str, arms: Sequence[ArmPlan], seed: int | None
) -> dict[str, str]:
    """The head of the recording; ``seed`` is the virtual patient's, None where the body is real."""
    facts = {
        "session": name,
        "id": secrets.token_hex(8),  # tells this recording from another in its place
        "pseudonym": session.patient.patient.pseudonym,
        "arms": ", ".join(arm.title for arm in arms),
        "seed": "" if seed is None else str(seed),
        "virtual": "no" if seed is None else "yes",
        "session_file": session.text,
        "patient_file": session.patient_text,
        "clinic_file": session.clinic_text,
        "device_files": device_texts(session.file),
        "programme_file": session.programme_text if isinstance(session, ExerciseSession) else "",
        "core_params": msgspec.json.encode(params_of(session)).decode(),
        **program(),
    }
    return {key: clean(value) for key, value in facts.items()}  # a folder's name may be any bytes


def params_of(session: Session | ExerciseSession) -> CoreParams | ExerciseParams:
    """The numbers of whichever core the session's therapy has."""
    return exercise_params(session) if isinstance(session, ExerciseSession) else core_params(session)


def guard_settings(
    session: Session | ExerciseSession,
    session_id: int,
    port: str,
    files: PersonFiles,
    *,
    attended: bool,
    virtual: bool,
    overseen: bool,
    closed_loop: bool,
) -> dict[str, object]:
    """The guard's file: see :mod:`controller.safety.settings`."""
    told: dict[str, object] = {
        "session": session_id,
        "channels": [
            {"name": name, "output": output, "electrode_area_cm2": area}
            for name, output, area in _channels(session)
        ],
        "limits": [{"who": layer.who, "limits": dict(layer.values)} for layer in session.asked],
        "sensors": [
            {"name": sensor.name} | ({"segment": sensor.segment} if sensor.segment else {})
            for sensor in sensor_plans(session)
            if sensor.required
        ],
        "stimulator": {"device": session.file.stimulator.device, "port": port}
        | ({} if session.file.stimulator.measure is None else {"measure": session.file.stimulator.measure}),
        # whoever stands before a person at the console answers today's questions there
        "checklist": {} if attended and not virtual else dict(session.patient.checklist),
        "overseen": overseen,
        "supervised": attended,  # the console's heartbeat, F10
        "in_flight_file": str(files.in_flight.resolve()),
    }
    if files.rest is not None:
        told["rest_file"] = str(files.rest.resolve())
    if (button := session.file.session.stop_button) is not None:
        told["stop_button"] = button
    if isinstance(session, ExerciseSession):
        told["caps"] = caps_of(session.programme)
    if closed_loop:
        told["unlock"] = session.file.session.unlock
    return told


def proportional(session: Session | ExerciseSession) -> bool:
    """Whether a person's muscle signal shapes the current, which the guard lets be unlocked first."""
    return isinstance(session, ExerciseSession) and session.programme.programme.kind == "emg-proportional"


def exercise_body(session: ExerciseSession) -> ExerciseBody:
    """The virtual limb of an exercise session."""
    emg = session.programme.emg
    muscles = {place.output: place.muscle for _, place in session.muscles}
    return ExerciseBody(muscles, other_side=emg is not None and emg.side == "opposite")


def _channels(session: Session | ExerciseSession) -> list[tuple[str, int, float]]:
    """Name, output and electrode of each channel of a frame, in its order."""
    if isinstance(session, ExerciseSession):
        return [(one.muscle, place.output, place.electrode_area_cm2) for one, place in session.muscles]
    stimulator = session.file.stimulator
    channels = [("dorsiflexion", stimulator.channel, stimulator.electrode_area_cm2)]
    if second := session.file.second_channel:
        channels.append(("eversion", second.channel, second.electrode_area_cm2))
    return channels


def sensor_plans(session: Session | ExerciseSession) -> tuple[SensorPlan, ...]:
    """Every sensor to be opened; an inertial one of gait assist with its segment."""
    segments = {s.name: s.segment for s in session.imus} if isinstance(session, Session) else {}
    return tuple(
        SensorPlan(sensor.name, sensor.device, sensor.address, segments.get(sensor.name), sensor.required)
        for sensor in session.file.sensors
    )
