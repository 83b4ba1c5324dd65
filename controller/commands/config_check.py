"""Everything that speaks against starting a session: what `dorsi config check` says and `dorsi run` refuses.

The two files by themselves are checked by :mod:`controller.config`; here they are held against each other,
against the person's limits and checklist, and against the files they name.
"""

from __future__ import annotations

import ssl
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path

from controller.commands.exercise_check import exercise_objections
from controller.config.console_settings import read_token
from controller.config.exercise import ExerciseSession, caps_of, load_any
from controller.config.limits import PulseOutput, broken_by, current_ceilings, first_output, second_output
from controller.config.loader import place_of
from controller.config.rig_schema import SensorSection
from controller.config.session import RigSession, Session, load_session
from controller.errors import ConfigError, InputError
from controller.safety.judgement.contraindications import QUESTIONS, not_enough
from controller.safety.judgement.limits import charge_uc, density_rms_ma_cm2, energy_mj
from controller.telemetry.settings import check_lsl, mqtt_settings
from drivers.catalogue import is_inertial

LABEL_MAX = 10  # characters of a sensor's name that an EDF label of 16 has room for beside axis and blank
TAKEN = ("core",)  # what exports call the control core's own signals


def load_startable(path: Path, person: Path | None = None) -> Session | ExerciseSession:
    """A session file and those it names, of which nothing speaks against a start; ``person`` is a patient
    file in place of the one it names. Raises ConfigError.
    """
    session = load_any(path, person)
    found = objections(session)
    if found:
        raise ConfigError(found)
    return session


def load_walk(path: Path) -> Session:
    """The same of gait assist alone."""
    session = load_session(path)
    if found := objections(session):
        raise ConfigError(found)
    return session


def objections(session: Session | ExerciseSession) -> list[str]:
    """Why this session may not begin: a line each with file, key, value and what is allowed; or none."""
    if isinstance(session, ExerciseSession):
        named = _names(session.path, session.file.sensors)
        return [*_checklist(session), *exercise_objections(session), *named, *_files(session)]
    return [
        *_checklist(session),
        *_currents(session),
        *_times(session),
        *_sensors(session),
        *_files(session),
    ]


def _checklist(session: RigSession) -> Iterator[str]:
    path, answers = session.patient_path, session.patient.checklist
    for question in QUESTIONS:
        answer = answers.get(question.key)
        if answer == "no" or (answer == "accepted" and not question.absolute):
            continue
        allowed = "'no'" if question.absolute else "'no', or 'accepted' by the clinician in charge"
        place = place_of(path, session.patient_text, "checklist", question.key)
        yield (
            f"{place}: found {answer!r}, which forbids stimulation, allowed: {allowed} ({question.text}): "
            f"{question.why}"
        )
    if isinstance(session, ExerciseSession):
        muscles = [one.muscle for one in session.programme.contractions]
        for rule in not_enough(answers, muscles, caps_of(session.programme)):
            place = place_of(path, session.patient_text, "checklist", rule.key)
            what = " ".join(filter(None, (rule.caps, rule.region and f"at the {rule.region}")))
            yield (
                f"{place}: found 'accepted', which is not enough for this programme ({what}), allowed: 'no': "
                f"{rule.why} ({rule.source})"
            )


@dataclass(frozen=True, slots=True)
class _Wanted:
    """A current that the files ask for, with the pulses and the electrode it goes through."""

    path: Path
    text: str
    key: str
    current_ma: float
    output: PulseOutput


def _wanted(session: Session) -> Iterator[_Wanted]:
    path, text, trapezoid = session.path, session.text, session.file.trapezoid
    yield _Wanted(path, text, "trapezoid.current_ma", trapezoid.current_ma, first_output(session))
    second, muscles = second_output(session), session.patient.eversion
    if second is not None and muscles is not None:
        path, text = session.patient_path, session.patient_text
        yield _Wanted(path, text, "eversion.current_max_ma", muscles.current_max_ma, second)


def _currents(session: Session) -> Iterator[str]:
    effective = session.effective
    for wanted in _wanted(session):
        place = place_of(wanted.path, wanted.text, *wanted.key.split("."))
        current_ma, output = wanted.current_ma, wanted.output
        width_us, area_cm2 = output.width_us, output.area_cm2
        density = density_rms_ma_cm2(current_ma, width_us, output.rate_hz, area_cm2)
        means = {
            "current_max_ma": "",
            "charge_max_uc": f" at {width_us:g} us, {charge_uc(current_ma, width_us):.3g} uC a phase",
            "density_rms_max_ma_cm2": f" through {area_cm2:g} cm2, {density:.3g} mA/cm2",
            "energy_max_mj": f" at {width_us:g} us, {energy_mj(current_ma, width_us):.3g} mJ a pulse",
        }
        broken = broken_by(effective.limits, output, current_ma)
        for most_ma, name in current_ceilings(effective.limits, output):
            if name in broken:
                yield (
                    f"{place}: found {current_ma:g}{means[name]}, allowed: at most {most_ma:.4g} "
                    f"by {effective.named(name)}"
                )
    stimulator, second = session.file.stimulator, session.file.second_channel
    asked = [
        ("stimulator.width_us", stimulator.width_us, "width_max_us"),
        ("stimulator.rate_hz", stimulator.rate_hz, "rate_max_hz"),
    ]
    if second is not None:
        asked.append(("second_channel.width_us", second.width_us, "width_max_us"))
    for key, value, name in asked:
        most = getattr(effective.limits, name)
        if value > most:
            place = place_of(session.path, session.text, *key.split("."))
            yield f"{place}: found {value:g}, allowed: at most {most:g} by {effective.named(name)}"


def _times(session: Session) -> Iterator[str]:
    """What could never be reached: a train cut before its end, arms longer than the session may be."""
    trapezoid, effective = session.file.trapezoid, session.effective
    limits = effective.limits
    train_s = (trapezoid.rise_ms + trapezoid.extension_ms + trapezoid.fall_ms) / 1e3
    if train_s > limits.train_max_s:
        yield (
            f"{place_of(session.path, session.text, 'trapezoid')}: rise, extension and fall last "
            f"{train_s:g} s without the swing, allowed: at most {limits.train_max_s:g} s "
            f"by {effective.named('train_max_s')}"
        )
    armed_s = sum(arm.seconds or 0.0 for arm in session.file.schedule if arm.arm != "off")
    if armed_s > limits.session_max_s:
        yield (
            f"{place_of(session.path, session.text, 'schedule')}: its arms stimulate for {armed_s:g} s, "
            f"allowed: at most {limits.session_max_s:g} s by {effective.named('session_max_s')}"
        )


def _sensors(session: Session) -> Iterator[str]:
    path = session.path
    if not any(sensor.required for sensor in session.imus):
        yield (
            f"{path}: sensors: none of the inertial ones is required, allowed: at least one with "
            "required = true, whose silence ends stimulation"
        )
    yield from _names(path, session.file.sensors)
    seated = [(number, sensor) for number, sensor in enumerate(session.file.sensors, 1) if _inertial(sensor)]
    for (_, one), (number, other) in combinations(seated, 2):
        if one.segment == other.segment:
            allowed = f"one inertial sensor a segment; {one.name!r} sits there already"
            yield _at(path, number, "segment", other.segment, allowed)


def _names(path: Path, sensors: Sequence[SensorSection]) -> Iterator[str]:
    """Names that an export cannot tell apart or write, and one device given as two."""
    for number, sensor in enumerate(sensors, 1):
        if _plain(sensor.name) in TAKEN:
            yield _at(
                path,
                number,
                "name",
                sensor.name,
                f"another name; exports call the core's angles {TAKEN[0]!r}",
            )
        if not _plain(sensor.name):
            yield _at(path, number, "name", sensor.name, "a name with a letter or a digit")
        if len(sensor.name) > LABEL_MAX:
            yield _at(path, number, "name", sensor.name, f"at most {LABEL_MAX} characters, as labels of EDF")
    for (_, one), (number, other) in combinations(enumerate(sensors, 1), 2):
        if one.address.strip().casefold() == other.address.strip().casefold():
            yield _at(
                path, number, "address", other.address, f"not that of {one.name!r}: a device is one sensor"
            )
        if one.name != other.name and _plain(one.name) == _plain(other.name):
            allowed = f"a name whose letters and digits differ from {one.name!r}, for exports"
            yield _at(path, number, "name", other.name, allowed)


def _at(path: Path, number: int, key: str, found: str, allowed: str) -> str:
    return f"{path}: [[sensors]] number {number}: {key}: found {found!r}, allowed: {allowed}"


def _plain(name: str) -> str:
    """A name as the narrowest of the exports writes it."""
    return "".join(filter(str.isalnum, name)).casefold()


def _inertial(sensor: SensorSection) -> bool:
    return is_inertial(sensor.device)


def _files(session: RigSession) -> Iterator[str]:
    """The broker's and the console's files, by opening them as the session will."""
    yield from _refusals(lambda: _broker(session))
    yield from _refusals(lambda: check_lsl(session))
    console, folder, path = session.file.console, session.path.parent, session.path
    if console.token_file is not None:
        token = folder / console.token_file
        yield from (f"{path}: console.token_file: {one}" for one in _refusals(lambda: read_token(token)))
    cert, key = console.cert_file, console.key_file
    if cert is not None and key is not None:
        yield from _unread(path, folder, (("console.cert_file", cert), ("console.key_file", key)))
        if (folder / cert).is_file() and (folder / key).is_file():
            try:
                ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(
                    folder / cert, folder / key, password=""
                )
            except OSError as error:
                yield (
                    f"{path}: console.cert_file: {cert!r} and key_file {key!r} do not serve ({error}), "
                    "allowed: a certificate in PEM and its own key, without a password"
                )


def _broker(session: RigSession) -> None:
    settings, table = mqtt_settings(session), session.file.telemetry
    if settings is None or table is None:
        return
    named = (
        ("telemetry.ca_file", table.ca_file),
        ("telemetry.client_certificate_file", table.client_certificate_file),
        ("telemetry.client_key_file", table.client_key_file),
    )
    unread = list(_unread(session.path, session.path.parent, named))
    if unread:
        raise ConfigError(unread)
    try:
        settings.tls_context()
    except OSError as error:
        raise ConfigError(
            [f"{session.path}: telemetry: its certificate files do not serve ({error}), allowed: PEM"]
        ) from None


def _unread(path: Path, folder: Path, named: Sequence[tuple[str, str | None]]) -> Iterator[str]:
    for key, name in named:
        if name is None:
            continue
        try:
            (folder / name).open("rb").close()
        except OSError as error:
            yield f"{path}: {key}: {name!r} cannot be read ({error.strerror}), allowed: a readable file"


def _refusals(check: Callable[[], object]) -> list[str]:
    """What a check that raises has to say."""
    try:
        check()
    except ConfigError as error:
        return error.problems
    except InputError as error:
        return [str(error)]
    return []
