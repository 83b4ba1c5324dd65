"""A session as it will be walked: its files, checked by themselves and against each other, and its limits."""

from __future__ import annotations

import difflib
import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar, get_args

from controller.config.console_settings import objections
from controller.config.loader import FILE_BYTES_MAX, range_words, read_file
from controller.config.person_schema import ClinicFile, PatientFile, PersonFile
from controller.config.rig_schema import RigFile, TherapyKind
from controller.config.schema import LegSensorSection, SessionFile
from controller.config.section import Section
from controller.errors import ConfigError, InputError
from controller.safety.judgement.contraindications import QUESTION
from controller.safety.judgement.limits import Caps, Effective, Layer, device_layer, merge
from controller.trial.schedule import ArmPlan, named
from drivers.catalogue import SENSORS, STIMULATORS, is_inertial, sensor_device
from drivers.catalogue_own import SUFFIX

Rig = TypeVar("Rig", bound=RigFile)


@dataclass(frozen=True, slots=True)
class RigSession:
    """A checked session of any therapy: its files as they were read, where they came from, and their limits.

    ``effective`` is what the core plans with and what the guard judges by: the guard merges the same
    ``asked`` with the device's and the compiled limits of its own.
    """

    path: Path
    text: str
    patient_text: str
    clinic_text: str  # empty where the session names no clinic file
    file: RigFile
    patient: PersonFile
    asked: tuple[Layer, ...]  # the layers that people set: clinic, patient, session
    effective: Effective

    @property
    def patient_path(self) -> Path:
        return self.path.parent / self.file.session.patient_file


@dataclass(frozen=True, slots=True)
class Session(RigSession):
    """A session of gait assist."""

    file: SessionFile
    patient: PatientFile

    @property
    def imus(self) -> tuple[LegSensorSection, ...]:
        return inertial_sensors(self.file)


@dataclass(frozen=True, slots=True)
class Files:
    """A session's person and clinic, as read: what of a session does not hang on its therapy."""

    patient: PersonFile
    patient_text: str
    clinic_text: str
    asked: tuple[Layer, ...]
    problems: tuple[str, ...]  # that the files of any therapy may have


def inertial_sensors(file: SessionFile) -> tuple[LegSensorSection, ...]:
    return tuple(sensor for sensor in file.sensors if is_inertial(sensor.device))


def emg_sensors(file: RigFile) -> tuple[str, ...]:
    """The names of those that measure muscle signals."""
    return tuple(sensor.name for sensor in file.sensors if sensor_device(sensor.device).kind == "emg")


def kind_of(path: Path) -> str:
    """The therapy that a session file asks for, as far as it can be told without checking the file."""
    table = _table(path).get("therapy")
    kind = table.get("kind") if isinstance(table, dict) else None
    return kind if isinstance(kind, str) else get_args(TherapyKind)[0]


def with_devices(path: Path, file: Rig) -> Rig:
    """The session with the files of its own devices, taken from its folder. Raises ConfigError."""
    sensors, problems = [], []
    for sensor in file.sensors:
        device = sensor.device
        if device.endswith(SUFFIX):
            device = str((path.parent / device).resolve())
            try:
                sensor_device(device)
            except ValueError as error:
                problems.append(f"{path}: sensors.device of {sensor.name}: {error}")
        sensors.append(sensor.model_copy(update={"device": device}))
    if problems:
        raise ConfigError(problems)
    return file.model_copy(update={"sensors": tuple(sensors)})


def device_texts(file: RigFile) -> str:
    """The files of a session's own devices, each below its name; empty where it has none."""
    names = sorted({sensor.device for sensor in file.sensors if sensor.device.endswith(SUFFIX)})
    return "\n".join(f"# {Path(name).name}\n{Path(name).read_text(encoding='utf-8-sig')}" for name in names)


def with_patient(file: Rig, patient: Path | None) -> Rig:
    """A session file for another person than the one it names: ``patient`` is that one's file."""
    if patient is None:
        return file
    session = file.session.model_copy(update={"patient_file": str(patient.resolve())})
    return file.model_copy(update={"session": session})


def load_session(path: Path, person: Path | None = None) -> Session:
    """Read and check a session file of gait assist and the patient and clinic file it names; ``person`` is a
    patient file in place of that one.

    Raises ConfigError with one line for every fault found in these files.
    """
    if (kind := kind_of(path)) in ("exercise", "emg-assist"):
        raise ConfigError([f"{path}: therapy.kind: found {kind!r}, allowed here: 'gait-assist'"])
    try:
        file, text = read_file(path, SessionFile)
    except ConfigError as error:
        raise ConfigError([*error.problems, *_of_patient(path)]) from None
    file = with_devices(path, with_patient(file, person))
    patient, patient_text = read_file(path.parent / file.session.patient_file, PatientFile)
    files = read_files(path, file, patient, patient_text)
    problems = list(files.problems)
    widths = file.stimulator.width_min_us, file.stimulator.width_us
    if widths[0] is not None and widths[0] > widths[1]:
        problems.append(
            f"{path}: stimulator.width_min_us: found {widths[0]:g}, allowed: 50 to width_us, {widths[1]:g}"
        )
    second = file.second_channel
    if second is not None and patient.eversion is None:
        problems.append(
            f"{path.parent / file.session.patient_file}: eversion: missing, allowed: a table, for the "
            "session's second_channel"
        )
    if second is not None and second.channel == file.stimulator.channel:
        problems.append(
            f"{path}: second_channel.channel: found {second.channel}, allowed: not the first channel's output"
        )
    problems += [
        f"{path}: schedule: arm {number} has {'both' if arm.strides else 'neither'} length, "
        "allowed: either strides or seconds"
        for number, arm in enumerate(file.schedule, 1)
        if (arm.strides is None) == (arm.seconds is None)
    ]
    if file.emg is not None and file.emg.sensor not in emg_sensors(file):
        found, known = file.emg.sensor, ", ".join(emg_sensors(file)) or "a sensor that measures EMG"
        problems.append(f"{path}: emg.sensor: found {found!r}, allowed: {known}")
    if not inertial_sensors(file):
        inertial = " or ".join(repr(device) for device in SENSORS if is_inertial(device))
        problems.append(f"{path}: sensors: no inertial sensor, allowed: at least one with device {inertial}")
    effective = merged(path, file, files.asked, problems)
    return Session(
        path=path,
        text=text,
        patient_text=patient_text,
        clinic_text=files.clinic_text,
        file=file,
        patient=patient,
        asked=files.asked,
        effective=effective,
    )


def read_files(path: Path, file: RigFile, patient: PersonFile, patient_text: str) -> Files:
    """The clinic file beside the person's, and what is wrong with either or with what all sessions share."""
    asked = [Layer("patient", patient.limits.values()), Layer("session", file.limits.values())]
    clinic_text = ""
    if file.session.clinic_file is not None:
        clinic, clinic_text = read_file(path.parent / file.session.clinic_file, ClinicFile)
        asked.insert(0, Layer("clinic", clinic.limits.values()))
    patient_path = path.parent / file.session.patient_file
    names = [sensor.name for sensor in file.sensors]
    problems = [
        f"{patient_path}: checklist: {key} is missing, allowed: 'no' | 'yes' | 'accepted'"
        for key in QUESTION
        if key not in patient.checklist
    ]
    for key in patient.checklist:
        if key not in QUESTION:
            near = difflib.get_close_matches(key, QUESTION, n=1)
            hint = f" (did you mean {near[0]!r}?)" if near else ""
            problems.append(
                f"{patient_path}: checklist.{key}: unknown key{hint}, allowed: {', '.join(QUESTION)}"
            )
    problems += [
        f"{path}: sensors.name: {name!r} is used twice, allowed: a name of its own for each sensor"
        for name in sorted(set(names))
        if names.count(name) > 1
    ]
    console = file.console
    needed = [sensor for sensor in file.sensors if sensor.required]
    if needed and all(sensor_device(sensor.device).link == "lsl" for sensor in needed):
        problems.append(
            f"{path}: sensors.required: every required sensor is an LSL stream, allowed: one more that is "
            "none, as others stamp and pause a stream as they like"
        )
    measure, can = file.stimulator.measure, STIMULATORS[file.stimulator.device].capability.measures
    if measure is not None and measure not in can:
        allowed = " | ".join(map(repr, can)) or "left out, as this device measures no pulse"
        problems.append(f"{path}: stimulator.measure: found {measure!r}, allowed: {allowed}")
    problems += [
        f"{path}: console.{objection}"
        for objection in objections(console.host, console.token_file, console.cert_file, console.key_file)
    ]
    return Files(patient, patient_text, clinic_text, tuple(asked), tuple(problems))


def merged(
    path: Path, file: RigFile, asked: tuple[Layer, ...], problems: list[str], caps: Caps = "gait"
) -> Effective:
    """The limits that the layers make within a therapy's caps. Raises ConfigError where they loosen, or with
    ``problems``.
    """
    try:
        capability = STIMULATORS[file.stimulator.device].capability
        effective = merge((device_layer(capability), *asked), str(path), caps)
    except InputError as error:
        raise ConfigError([*problems, str(error)]) from None
    if problems:
        raise ConfigError(problems)
    return effective


def _table(path: Path) -> dict[str, object]:
    """What a session file holds, unchecked; nothing where it cannot be read."""
    try:
        if not path.is_file() or path.stat().st_size > FILE_BYTES_MAX:  # a pipe would be waited for
            return {}
        return tomllib.loads(path.read_text(encoding="utf-8-sig"))
    except (OSError, ValueError, RecursionError):
        return {}


def _of_patient(path: Path) -> list[str]:
    """What is wrong with the patient file that a faulty session file names, as far as it can be told."""
    table = _table(path).get("session")
    name = table.get("patient_file") if isinstance(table, dict) else None
    if not isinstance(name, str):
        return []
    try:
        read_file(path.parent / name, PatientFile)
    except ConfigError as error:
        return error.problems
    return []


def arm_plans(session: Session, seed: int) -> tuple[ArmPlan, ...]:
    """The session's arms as they will be walked; ``seed`` draws the order and the blinded labels."""
    file = session.file
    arms = [
        ArmPlan(arm.arm, arm.seconds, arm.strides, arm.wash_out_strides, fresh=arm.learned == "discard")
        for arm in file.schedule
    ] or [ArmPlan(file.session.mode)]
    return named(
        arms, blinded=file.trial.labels == "blinded", shuffled=file.trial.order == "shuffled", seed=seed
    )


def settings(session: Session) -> list[tuple[str, str, str]]:
    """What steers, as ``(table.key, value, allowed range)``: the muscle's numbers and every gain in force."""
    tables: tuple[tuple[str, Section | None], ...] = (
        ("muscle", session.patient.muscle),
        ("ankle", session.patient.ankle),
        ("reference", session.patient.reference),
        ("trapezoid", session.file.trapezoid),
        ("feedback", session.file.feedback),
        ("learning", session.file.learning),
        ("eversion", session.patient.eversion),
        ("second_channel", session.file.second_channel),
    )
    return [
        (f"{name}.{key}", f"{getattr(section, key):g}", range_words(field))
        for name, section in tables
        if section is not None
        for key, field in type(section).model_fields.items()
        if isinstance(getattr(section, key), float)
    ]
