"""What the supervisor tells of a session: the head of its recording, the guard's file, the sensors' plans."""

from __future__ import annotations

import json
import platform
import secrets
import subprocess
from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path

import msgspec

from controller.config.core_params import core_params
from controller.config.session import Session
from controller.runtime.person_files import PersonFiles
from controller.runtime.plan import SensorPlan
from controller.trial.schedule import ArmPlan
from controller.untrusted import clean

PACKAGES = ("dorsi", "bleak", "bumble", "vqf", "numpy", "mcap", "msgspec")


def recording_header(
    session: Session, name: str, arms: Sequence[ArmPlan], seed: int | None
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
        "core_params": msgspec.json.encode(core_params(session)).decode(),
        "versions": json.dumps({name: version(name) for name in PACKAGES}),
        "commit": _commit(),
        "host": f"{platform.system()} {platform.release()}, Python {platform.python_version()}",
    }
    return {key: clean(value) for key, value in facts.items()}  # a folder's name may be any bytes


def guard_settings(
    session: Session,
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
    stimulator = session.file.stimulator
    required = [s for s in session.file.sensors if s.required]
    channels = [("dorsiflexion", stimulator.channel, stimulator.electrode_area_cm2)]
    if second := session.file.second_channel:
        channels.append(("eversion", second.channel, second.electrode_area_cm2))
    told: dict[str, object] = {
        "session": session_id,
        "channels": [
            {"name": name, "output": output, "electrode_area_cm2": area} for name, output, area in channels
        ],
        "limits": [{"who": layer.who, "limits": dict(layer.values)} for layer in session.asked],
        "sensors": [
            {"name": s.name} | ({"segment": s.segment} if s in session.imus else {}) for s in required
        ],
        "stimulator": {"device": stimulator.device, "port": port},
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
    if closed_loop:
        told["unlock"] = session.file.session.unlock
    return told


def sensor_plans(session: Session) -> tuple[SensorPlan, ...]:
    return tuple(
        SensorPlan(sensor.name, sensor.device, sensor.address, sensor.segment)
        for sensor in session.file.sensors
    )


def _commit() -> str:
    """The commit this runs from, where it is a checkout."""
    try:
        answer = subprocess.run(
            ["git", "-C", str(Path(__file__).parent), "rev-parse", "HEAD"],
            capture_output=True,
            text=True,
            check=False,
        )
    except OSError:
        return "unknown"
    return answer.stdout.strip() or "unknown"
