"""An exercise session as it will be run: its files held against each other, and the core's numbers."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import combinations
from pathlib import Path

from controller.config.exercise_rests import Repeated, repeated
from controller.config.exercise_schema import (
    ContractionSection,
    ExerciseFile,
    MuscleSection,
    ProgrammeFile,
)
from controller.config.limits import PulseOutput, plannable_ma
from controller.config.loader import read_file
from controller.config.person_schema import PersonFile
from controller.config.section import CURRENT_STEP_MA
from controller.config.session import (
    RigSession,
    Session,
    kind_of,
    load_session,
    merged,
    read_files,
    with_devices,
    with_patient,
)
from controller.core.emg.assist import AssistParams
from controller.core.emg.params import EmgElectrode, EmgParams
from controller.core.emg.proportional import ProportionalParams
from controller.core.exercise.effort import EffortParams
from controller.core.exercise.programme import Course, ExerciseParams, MusclePlan
from controller.core.signals import Control
from controller.safety.judgement.limits import ON_WINDOW_S, Caps
from drivers.catalogue import STIMULATORS, sensor_device

TICK_S = 0.005
LIFETIME_MS = 60.0  # a command dies with the guard's own limit for a hung controller (F4)
CONTROL: dict[str, Control] = {
    "cyclic": "cyclic",
    "comfort": "cyclic",
    "denervated": "cyclic",
    "emg-triggered": "emg-triggered",
    "emg-proportional": "emg-proportional",
}


@dataclass(frozen=True, slots=True)
class ExerciseSession(RigSession):
    """A session that runs a programme."""

    file: ExerciseFile
    programme_path: Path
    programme_text: str
    programme: ProgrammeFile

    @property
    def muscles(self) -> tuple[tuple[ContractionSection, MuscleSection], ...]:
        """Each contraction of the programme with the place of its muscle, in the order of a frame."""
        places = {place.muscle: place for place in self.file.therapy.muscles}
        return tuple((one, places[one.muscle]) for one in self.programme.contractions)


def load_any(path: Path, person: Path | None = None) -> Session | ExerciseSession:
    """The session of whichever therapy the file asks for, of another ``person`` where one is given. Raises
    ConfigError.
    """
    exercise = kind_of(path) in ("exercise", "emg-assist")
    return load_exercise(path, person) if exercise else load_session(path, person)


def load_exercise(path: Path, person: Path | None = None) -> ExerciseSession:
    """Read and check an exercise session and the programme, person and clinic file it names.

    Raises ConfigError with one line for every fault found in these files.
    """
    file, text = read_file(path, ExerciseFile)
    file = with_devices(path, with_patient(file, person))
    patient, patient_text = read_file(path.parent / file.session.patient_file, PersonFile)
    programme_path = path.parent / file.therapy.programme
    programme, programme_text = read_file(programme_path, ProgrammeFile)
    files = read_files(path, file, patient, patient_text)
    problems = [*files.problems, *_misfits(path, file, programme_path, programme)]
    effective = merged(path, file, files.asked, problems, caps_of(programme))
    return ExerciseSession(
        path=path,
        text=text,
        patient_text=patient_text,
        clinic_text=files.clinic_text,
        file=file,
        patient=patient,
        asked=files.asked,
        effective=effective,
        programme_path=programme_path,
        programme_text=programme_text,
        programme=programme,
    )


def _misfits(path: Path, file: ExerciseFile, programme_path: Path, programme: ProgrammeFile) -> Iterator[str]:
    """What does not go together among session, programme and devices."""
    wanted = [one.muscle for one in programme.contractions]
    places = [place.muscle for place in file.therapy.muscles]
    for name in wanted:
        if wanted.count(name) > 1:
            yield f"{programme_path}: contractions.muscle: {name!r} is there twice, allowed: each muscle once"
            break
    for name in sorted({*places} - {*wanted}):
        yield f"{path}: therapy.muscles: {name!r} is not in the programme, allowed: {', '.join(wanted)}"
    for name in sorted({*wanted} - {*places}):
        yield f"{path}: therapy.muscles: missing {name!r}, allowed: a table for each muscle of the programme"
    for key, found in (("muscle", places), ("output", [str(place.output) for place in file.therapy.muscles])):
        if len(set(found)) != len(found):
            yield f"{path}: therapy.muscles.{key}: found one twice, allowed: each {key} once"
    for place in file.therapy.muscles:
        if place.current_ma > place.current_max_ma:
            yield (
                f"{path}: therapy.muscles: current_ma of {place.muscle}: found {place.current_ma:g}, "
                f"allowed: at most current_max_ma, {place.current_max_ma:g}"
            )
    for number, one in enumerate(programme.contractions, 1):
        if words := too_long_words(programme, one, number, file.stimulator.device):
            yield f"{programme_path}: {words}"
    yield from _listens(path, file, programme_path, programme)


def too_long_words(programme: ProgrammeFile, one: ContractionSection, number: int, device: str) -> str:
    """Why a long pulse for muscle without a nerve cannot be given; empty where it can."""
    sheet = STIMULATORS[device].capability
    if programme.programme.kind != "denervated" or one.width_us <= sheet.width_max_us:
        return ""
    return (
        f"contractions number {number} ({one.muscle}): width_us: found "
        f"{one.width_us:g}, allowed: at most {sheet.width_max_us:g} with {sheet.name}; no shorter "
        "pulse reaches muscle without a nerve, so this stimulator has nothing near it"
    )


def _listens(path: Path, file: ExerciseFile, programme_path: Path, programme: ProgrammeFile) -> Iterator[str]:
    """Whether a programme that listens to a muscle has something to listen to."""
    kind, therapy = programme.programme.kind, file.therapy.kind
    if (kind == "emg-proportional") != (therapy == "emg-assist"):
        right = "emg-assist" if kind == "emg-proportional" else "exercise"
        yield f"{path}: therapy.kind: found {therapy!r}, allowed: {right!r} for a programme of kind {kind!r}"
    if not kind.startswith("emg-"):
        return
    if programme.emg is None:
        yield f"{programme_path}: emg: missing, allowed: a table [emg] for a programme of kind {kind!r}"
    elif programme.emg.release_percent >= programme.emg.threshold_percent:
        yield (
            f"{programme_path}: emg.release_percent: found {programme.emg.release_percent:g}, allowed: below "
            f"threshold_percent, {programme.emg.threshold_percent:g}"
        )
    elif programme.emg.floor_percent > programme.emg.ceiling_percent:
        yield (
            f"{programme_path}: emg.floor_percent: found {programme.emg.floor_percent:g}, allowed: at most "
            f"ceiling_percent, {programme.emg.ceiling_percent:g}"
        )
    heard = [place for place in file.therapy.muscles if place.emg_sensor is not None]
    if not heard:
        yield f"{path}: therapy.muscles: no emg_sensor, allowed: one or more for a programme of kind {kind!r}"
    sensors = {sensor.name: sensor for sensor in file.sensors}
    for place in heard:
        sensor = sensors.get(place.emg_sensor or "")
        if sensor is None or sensor_device(sensor.device).kind != "emg":
            emg = [name for name, one in sensors.items() if sensor_device(one.device).kind == "emg"]
            allowed = ", ".join(emg) or "a sensor of [[sensors]] that measures EMG"
            yield f"{path}: therapy.muscles.emg_sensor: found {place.emg_sensor!r}, allowed: {allowed}"
        elif place.emg_channel >= (channels := sensor_device(sensor.device).emg_channels):
            yield (
                f"{path}: therapy.muscles.emg_channel of {place.muscle}: found {place.emg_channel}, allowed: "
                f"0 to {channels - 1} with {sensor.device}"
            )
    for place, other in combinations(heard, 2):
        if (place.emg_sensor, place.emg_channel) == (other.emg_sensor, other.emg_channel):
            yield (
                f"{path}: therapy.muscles.emg_channel of {other.muscle}: found {other.emg_channel}, allowed: "
                f"not that of {place.muscle}: one channel shows one muscle"
            )


def caps_of(programme: ProgrammeFile) -> Caps:
    """Which compiled limits hold for such a programme."""
    kind = programme.programme.kind
    return kind if kind in ("comfort", "denervated") else "exercise"


def cycles_of(one: ContractionSection) -> int:
    """Biphasic cycles of a burst; 1 for a pulse."""
    if one.carrier_hz is None or one.burst_ms is None:
        return 1
    return max(1, round(one.carrier_hz * one.burst_ms / 1e3))


def output_of(one: ContractionSection, place: MuscleSection) -> PulseOutput:
    """Its pulses and its electrode, at the highest rate the programme asks for."""
    doublet_hz = 0.0 if one.doublet_ms is None else 1e3 / one.doublet_ms
    rate_hz = max(one.rate_hz, one.rate_end_hz or 0.0, doublet_hz)
    return PulseOutput(one.width_us, rate_hz, place.electrode_area_cm2, cycles_of(one))


def most_ma_of(session: ExerciseSession, one: ContractionSection, place: MuscleSection) -> float:
    """The highest current that may be set: what the person bears, as far as no limit blocks it."""
    return min(place.current_max_ma, plannable_ma(session.effective.limits, output_of(one, place)))


def repeated_of(session: ExerciseSession, one: ContractionSection, place: MuscleSection) -> Repeated:
    """Its contraction as it is given again and again, at the highest current that may be set."""
    rate_hz = max(one.rate_hz, one.rate_end_hz or 0.0)  # a doublet is one interval of a contraction
    output = replace(output_of(one, place), rate_hz=rate_hz)
    most_ma = most_ma_of(session, one, place)
    return repeated(one.ramp_up_s, one.hold_s, one.ramp_down_s, output, most_ma)


def exercise_settings(session: ExerciseSession) -> list[tuple[str, str, str]]:
    """What is given, as ``(setting, value, allowed)``: each muscle's currents within what binds."""
    return [
        (f"therapy.muscles.{plan.muscle}", f"{plan.current_ma:g} mA", f"0 to {plan.current_max_ma:g} mA")
        for plan in exercise_params(session).muscles
    ]


def exercise_params(session: ExerciseSession) -> ExerciseParams:
    """The exercise core's numbers, from a checked session and within its limits."""
    programme, limits = session.programme, session.effective.limits
    repetitions = programme.repetitions
    return ExerciseParams(
        name=session.programme_path.stem,
        title=programme.programme.title,
        control=CONTROL[programme.programme.kind],
        muscles=tuple(
            MusclePlan(
                muscle=one.muscle,
                channel=channel,
                current_ma=place.current_ma * one.intensity_percent / 100.0,
                current_max_ma=most_ma_of(session, one, place),
                width_us=one.width_us,
                rate_hz=one.rate_hz,
                begin_s=one.begin_s,
                ramp_up_s=one.ramp_up_s,
                hold_s=one.hold_s,
                ramp_down_s=one.ramp_down_s,
                rest_least_s=repeated_of(session, one, place).rest_least_s(
                    limits, ON_WINDOW_S[caps_of(session.programme)]
                ),
                cycles=cycles_of(one),
                rate_end_hz=one.rate_end_hz,
                doublet_ms=one.doublet_ms,
                motor_ma=min(place.motor_ma, place.current_ma),
            )
            for channel, (one, place) in enumerate(session.muscles)
        ),
        course=Course(
            repetitions=repetitions.count,
            rest_s=repetitions.rest_s,
            warm_up_repetitions=repetitions.warm_up,
            warm_up_share=repetitions.warm_up_percent / 100.0,
            set_repetitions=repetitions.set_of,
            set_rest_s=repetitions.set_rest_s,
            waits_after_set=repetitions.pause_after_set,
        ),
        tick_s=TICK_S,
        lifetime_ms=LIFETIME_MS,
        current_step_ma=CURRENT_STEP_MA,
        rise_ma_per_tick=limits.rise_max_ma_per_frame,
        rise_ma_per_250ms=limits.rise_max_ma_per_250ms,
        train_max_s=limits.train_max_s,
        effort=_effort(session),
    )


def _effort(session: ExerciseSession) -> EffortParams | None:
    """What the person's own signal has to say; None where the programme does not listen."""
    emg = session.programme.emg
    if emg is None or not session.programme.programme.kind.startswith("emg-"):
        return None
    electrodes = tuple(
        EmgElectrode(
            sensor=place.emg_sensor,
            column=place.emg_channel,
            muscle=one.muscle,
            maximum_v=place.emg_max_uv * 1e-6,
            answers=emg.side == "same",
        )
        for one, place in session.muscles
        if place.emg_sensor is not None
    )
    floor, ceiling = emg.floor_percent / 100.0, emg.ceiling_percent / 100.0
    proportional, assist = None, None
    if session.programme.programme.kind == "emg-proportional":
        proportional = ProportionalParams(emg.gain, emg.threshold_percent / 100.0, floor, ceiling)
    if emg.withdraws:
        assist = AssistParams(floor, ceiling, start=ceiling)
    return EffortParams(
        emg=EmgParams(electrodes, mains_hz=session.file.therapy.mains_hz),
        threshold=emg.threshold_percent / 100.0,
        release=emg.release_percent / 100.0,
        refractory_s=emg.refractory_s,
        try_s=emg.try_s,
        proportional=proportional,
        assist=assist,
        goal=emg.goal_percent / 100.0,
    )
