"""What the console of a session is told, and that its address is printed."""

from __future__ import annotations

import importlib.util
from collections import Counter
from dataclasses import asdict, replace
from datetime import UTC, datetime
from pathlib import Path

from rich.console import Console

from controller.analysis.dose_book import Owner
from controller.analysis.dose_file import read_book
from controller.commands.programmes import all_programmes, facts_of, stimulator_name
from controller.config.console_settings import ConsoleSettings, Place
from controller.config.core_params import normal_reference
from controller.config.exercise import ExerciseSession, caps_of, exercise_params, output_of
from controller.config.exercise_facts import ExerciseFacts, IntensityFacts
from controller.config.limits import current_ceilings
from controller.config.session import Session
from controller.errors import ConfigError, InputError
from controller.runtime.person_files import FOLDER
from controller.runtime.session_processes import Attended


def console_for(
    session: Session | ExerciseSession,
    out: Path,
    console: Console,
    *,
    port: int,
    virtual: bool,
    place: Place | None = None,
) -> Attended:
    """``place`` is where the service that started the session wants its console, in place of the session
    file's. Raises ConfigError where the console is not installed.
    """
    if importlib.util.find_spec("fastapi") is None:
        raise ConfigError(["--console: fastapi is not installed, allowed: pip install 'dorsi[console]'"])
    settings = _settings(session, out, port=port, virtual=virtual)
    if place is not None:
        settings = replace(settings, **asdict(place))
    if isinstance(session, Session):
        settings = _walking(settings, session)
    else:
        settings = replace(
            settings, mode="programme", exercise=_exercise(session, out.resolve().parent, virtual=virtual)
        )
    return Attended(
        settings,
        lambda url: console.print(
            f"Console: {url}  (arm there; STOP there or here)", markup=False, soft_wrap=True
        ),
    )


def _settings(session: Session | ExerciseSession, out: Path, *, port: int, virtual: bool) -> ConsoleSettings:
    given, folder = session.file.console, session.path.parent

    def beside(name: str | None) -> str | None:
        return None if name is None else str((folder / name).resolve())

    return ConsoleSettings(
        host=given.host,
        port=port,
        runs=str(out.resolve().parent),
        token_file=beside(given.token_file),
        cert_file=beside(given.cert_file),
        key_file=beside(given.key_file),
        session=out.name,
        pseudonym=session.patient.patient.pseudonym,
        virtual=virtual,
        side=session.patient.patient.paretic_side,
        checklist=tuple(session.patient.checklist.items()),
        patient_file="" if virtual else str((folder / session.file.session.patient_file).resolve()),
        standard_model=session.patient.patient.model == "standard",
    )


def _walking(settings: ConsoleSettings, session: Session) -> ConsoleSettings:
    speed_mps = session.patient.reference.speed_mps
    reference = normal_reference(speed_mps)
    return replace(
        settings,
        mode=session.file.session.mode,
        blinded=bool(session.file.schedule) and session.file.trial.labels == "blinded",
        reference_pitch_deg=reference.foot_pitch_deg,
        normal_swing_percent=100.0 - reference.toe_off_percent,
        speed_mps=speed_mps,
        sensors=tuple((sensor.name, sensor.device, sensor.segment) for sensor in session.file.sensors),
    )


def _exercise(session: ExerciseSession, runs: Path, *, virtual: bool) -> ExerciseFacts:
    device = session.file.stimulator.device
    today = _contractions_today(runs, Owner(session.patient.patient.pseudonym, virtual))
    minutes = exercise_params(session).whole_s / 60.0
    return ExerciseFacts(
        programme=facts_of(session.programme_path.stem, session.programme, minutes),
        intensities=tuple(
            replace(one, earlier_today=today.get(one.muscle, 0)) for one in _intensities(session)
        ),
        programmes=tuple(all_programmes(device)),
        stimulator=stimulator_name(device),
        caps=caps_of(session.programme),
    )


def _intensities(session: ExerciseSession) -> list[IntensityFacts]:
    """Each muscle's most, in the order of the programme, with what holds it there."""
    found = []
    for plan, (one, place) in zip(exercise_params(session).muscles, session.muscles, strict=True):
        if plan.current_max_ma >= place.current_max_ma:
            found.append(IntensityFacts(plan.muscle, plan.current_max_ma, "comfort"))
            continue
        _, name = min(current_ceilings(session.effective.limits, output_of(one, place)))
        set_by = session.effective.set_by[name]
        found.append(IntensityFacts(plan.muscle, plan.current_max_ma, name, set_by))
    return found


def _contractions_today(runs: Path, owner: Owner) -> Counter[str]:
    """Of each muscle, in today's sessions so far; a book that cannot be read counts for none."""
    found: Counter[str] = Counter()
    try:
        entries = read_book(runs / FOLDER, owner).entries
    except InputError:
        return found
    today = (
        datetime.now(UTC).astimezone().date().isoformat()
    )  # the day of this computer's calendar, as the book's
    for entry in entries:
        if entry.day == today:
            found.update({muscle.muscle: muscle.contractions for muscle in entry.muscles})
    return found
