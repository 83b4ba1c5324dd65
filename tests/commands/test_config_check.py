"""`dorsi config check` refuses whatever `dorsi run` would, and says it in words a person can act on."""

from __future__ import annotations

import codecs
import json
import re
import shutil
from pathlib import Path

import pytest
from typer.testing import CliRunner

from controller.cli import app
from controller.commands.config_check import LABEL_MAX, load_startable, objections
from controller.commands.line import CONFIGS
from controller.commands.run import run_session
from controller.config.core_params import core_params
from controller.config.exercise import load_any
from controller.config.session import Session, load_session
from controller.console.setup.patient_file import look
from controller.errors import ConfigError
from controller.safety.judgement.contraindications import QUESTIONS, Question
from controller.safety.judgement.guard_types import Setup, prepare
from controller.safety.judgement.limits import charge_uc
from controller.safety.settings import parse
from drivers.stimulators.p24 import P24


@pytest.fixture
def session_file(tmp_path: Path) -> Path:
    """A copy of the demo's files that a test may spoil."""
    shutil.copytree(CONFIGS, tmp_path / "configs")
    return tmp_path / "configs" / "sessions" / "demo.toml"


@pytest.fixture
def patient_file(session_file: Path) -> Path:
    return session_file.parents[1] / "patients" / "virtual.toml"


def spoil(file: Path, old: str, new: str) -> None:
    text = file.read_text()
    assert old in text
    file.write_text(text.replace(old, new, 1))


def refused(file: Path) -> list[str]:
    with pytest.raises(ConfigError) as refusal:
        load_startable(file)
    return refusal.value.problems


def line_of(file: Path, begin: str) -> int:
    return next(n for n, line in enumerate(file.read_text().splitlines(), 1) if line.startswith(begin))


@pytest.mark.parametrize("file", sorted((CONFIGS / "sessions").glob("*.toml")), ids=lambda path: path.stem)
def test_nothing_speaks_against_the_sessions_of_the_repository(file: Path) -> None:
    assert objections(load_any(file)) == []


@pytest.mark.parametrize("question", QUESTIONS, ids=lambda question: question.key)
def test_an_answer_that_forbids_arming_is_refused(
    session_file: Path, patient_file: Path, question: Question
) -> None:
    for answer, bad in (("yes", True), ("accepted", question.absolute)):
        spoil(patient_file, f'{question.key} = "no"', f'{question.key} = "{answer}"')
        found = objections(load_session(session_file))
        spoil(patient_file, f'{question.key} = "{answer}"', f'{question.key} = "no"')
        assert bool(found) == bad
        if bad:
            line = line_of(patient_file, question.key)
            assert f"virtual.toml, line {line}: checklist.{question.key}: found '{answer}'" in found[0]
            assert "allowed: 'no'" in found[0]


def test_run_refuses_what_check_refuses(session_file: Path, patient_file: Path) -> None:
    spoil(patient_file, 'pacemaker = "no"', 'pacemaker = "yes"')
    with pytest.raises(ConfigError, match="pacemaker"):
        run_session(session_file, None, [], session_file.parent / "out", None, ask=False)  # type: ignore[arg-type]
    result = CliRunner().invoke(app, ["config", "check", str(session_file)])
    assert result.exit_code == 2
    assert "pacemaker" in result.output
    assert CliRunner().invoke(app, ["demo", "--session", str(session_file)]).exit_code == 2


@pytest.mark.parametrize(("rise_ma", "good"), [("0.5", True), ("0.49", False), ("0.1", False)])
def test_a_rise_smaller_than_the_stimulators_step_would_lift_no_foot(
    session_file: Path, rise_ma: str, good: bool
) -> None:
    spoil(session_file, "rise_max_ma_per_frame = 1.0", f"rise_max_ma_per_frame = {rise_ma}")
    if good:
        load_startable(session_file)
    else:
        (problem,) = refused(session_file)
        assert f"limits.rise_max_ma_per_frame: found {rise_ma}, allowed: 0.5 to 10" in problem


@pytest.mark.parametrize(("current_ma", "good"), [(50.0, True), (50.5, False)])
def test_a_trapezoid_above_the_persons_maximum_names_both_numbers_and_whose_limit_it_is(
    session_file: Path, current_ma: float, good: bool
) -> None:
    spoil(session_file, "current_ma = 32.0", f"current_ma = {current_ma}")
    if good:
        load_startable(session_file)
        return
    (problem,) = refused(session_file)
    assert f"line {line_of(session_file, 'current_ma')}: trapezoid.current_ma: found 50.5" in problem
    assert "at most 50 by current_max_ma 50 (patient)" in problem


@pytest.mark.parametrize(("charge_uc", "good"), [(9.6, True), (9.5, False)])
def test_a_trapezoid_above_the_persons_charge_is_refused(
    session_file: Path, patient_file: Path, charge_uc: float, good: bool
) -> None:
    """32 mA for 300 us are 9.6 uC a phase."""
    spoil(patient_file, "charge_max_uc = 20.0", f"charge_max_uc = {charge_uc}")
    if good:
        load_startable(session_file)
        return
    (problem,) = refused(session_file)
    assert "trapezoid.current_ma: found 32 at 300 us, 9.6 uC a phase" in problem
    assert "at most 31.67 by charge_max_uc 9.5 (patient)" in problem


def test_a_trapezoid_too_dense_for_its_electrode_is_refused(session_file: Path, patient_file: Path) -> None:
    """32 mA x sqrt(2 x 300 us x 40 Hz) / (20 cm2 / 2) = 0.496 mA/cm2."""
    spoil(patient_file, "[limits]", "[limits]\ndensity_rms_max_ma_cm2 = 0.4")
    (problem,) = refused(session_file)
    assert "through 20 cm2, 0.496 mA/cm2" in problem
    assert "by density_rms_max_ma_cm2 0.4 (patient)" in problem


def test_the_second_channel_is_held_against_the_limits_as_well(session_file: Path) -> None:
    two = session_file.with_name("two_channels.toml")
    patient = session_file.parents[1] / "patients" / "virtual_two_channels.toml"
    spoil(two, "[limits]", "[limits]\nwidth_max_us = 250.0")
    problems = refused(two)
    assert any("second_channel.width_us: found 300, allowed: at most 250" in one for one in problems)
    assert any("stimulator.width_us: found 300, allowed: at most 250" in one for one in problems)
    text = re.sub(r"(\[eversion\].*?current_max_ma = )[0-9.]+", r"\g<1>51.0", patient.read_text(), flags=re.S)
    patient.write_text(text)
    assert any("eversion.current_max_ma: found 51" in one for one in refused(two))


@pytest.mark.parametrize(("charge_uc", "most_ma"), [(8.0, 26.5), (20.0, 50.0), (14.9, 49.5), (15.0, 50.0)])
def test_feedback_plans_within_the_charge_and_not_above_it(
    session_file: Path, patient_file: Path, charge_uc: float, most_ma: float
) -> None:
    """At 300 us 8 uC are 26.67 mA; steps of 0.5 mA."""
    spoil(patient_file, "charge_max_uc = 20.0", f"charge_max_uc = {charge_uc}")
    assert core_params(load_session(session_file)).pulse.current_max_ma == most_ma


@pytest.mark.parametrize(("current_ma", "good"), [(26.5, True), (27.0, False)])
def test_a_current_of_exactly_the_charge_limit_is_good_planned_and_let_out(
    session_file: Path, patient_file: Path, current_ma: float, good: bool
) -> None:
    """26.5 mA x 300 us are 7.95 uC."""
    spoil(patient_file, "charge_max_uc = 20.0", "charge_max_uc = 7.95")
    spoil(session_file, "current_ma = 32.0", f"current_ma = {current_ma}")
    session = load_session(session_file)
    assert (objections(session) == []) is good
    assert core_params(session).pulse.current_max_ma == 26.5
    assert charge_uc(26.5, 300.0) <= session.effective.limits.charge_max_uc


def guard_setup(session: Session) -> Setup:
    """What the guard makes of the limits that the supervisor writes down for it."""
    told = {
        "session": 1,
        "channels": [{"name": "dorsiflexion", "electrode_area_cm2": 20.0}],
        "limits": [{"who": layer.who, "limits": dict(layer.values)} for layer in session.asked],
        "sensors": [{"name": "foot", "segment": "foot"}],
        "stimulator": {"device": session.file.stimulator.device, "port": "/dev/null"},
        "checklist": {},
    }
    return prepare(parse(json.loads(json.dumps(told)), "guard.json"), P24("/dev/null").capability)


def test_without_anyones_limits_the_core_plans_with_the_numbers_that_the_guard_judges_by(
    session_file: Path, patient_file: Path
) -> None:
    for file in (session_file, patient_file):
        file.write_text(re.sub(r"(?ms)^\[limits\].*?(?=^\[|^# \[)", "[limits]\n\n", file.read_text()))
    session = load_session(session_file)
    assert all(layer.values == {} for layer in session.asked)
    effective = guard_setup(session).rules.effective
    assert session.effective == effective
    pulse = core_params(session).pulse
    assert (pulse.current_max_ma, effective.limits.current_max_ma) == (100.0, 100.0)  # compiled
    assert (pulse.rise_ma_per_tick, effective.limits.rise_max_ma_per_frame) == (1.0, 1.0)
    assert (pulse.rise_ma_per_250ms, effective.limits.rise_max_ma_per_250ms) == (40.0, 40.0)
    assert effective.limits.train_max_s == 3.0
    assert pulse.train_max_s == pytest.approx(2.95)  # ends before the guard, which counts by arrivals


@pytest.mark.parametrize(
    ("key", "value", "planned"),
    [
        ("rise_max_ma_per_frame", 2.0, "rise_ma_per_tick"),  # above the default of 1, within the compiled 2
        ("rise_max_ma_per_frame", 0.5, "rise_ma_per_tick"),
        ("rise_max_ma_per_250ms", 60.0, "rise_ma_per_250ms"),
        ("rise_max_ma_per_250ms", 10.0, "rise_ma_per_250ms"),
    ],
)
def test_a_persons_limit_is_planned_with_and_judged_by(
    session_file: Path, key: str, value: float, planned: str
) -> None:
    session_file.write_text(re.sub(rf"{key} = [0-9.]+", f"{key} = {value}", session_file.read_text()))
    session = load_session(session_file)
    assert getattr(core_params(session).pulse, planned) == value
    assert getattr(guard_setup(session).rules.effective.limits, key) == value


@pytest.mark.parametrize(("charge_uc", "planned_ma"), [(3.0, 10.0), (2.9, 9.5), (20.0, 45.0)])
def test_the_second_channel_plans_within_the_limits_too(
    session_file: Path, charge_uc: float, planned_ma: float
) -> None:
    """At 300 us 3.0 uC are 10 mA; the person's maximum there is 45 mA."""
    two = session_file.with_name("two_channels.toml")
    spoil(two, "[limits]", f"[limits]\ncharge_max_uc = {charge_uc}")
    second = core_params(load_session(two)).second
    assert second is not None
    assert second.current_max_ma == planned_ma


def test_a_clinic_sets_limits_of_its_own_which_person_and_session_only_tighten(
    session_file: Path, patient_file: Path
) -> None:
    clinic = session_file.with_name("clinic.toml")
    spoil(session_file, "[session]", '[session]\nclinic_file = "clinic.toml"')
    clinic.write_text("[limits]\ndensity_rms_max_ma_cm2 = 1.0\nwidth_max_us = 300.0\n")
    session = load_startable(session_file)
    assert session.effective.set_by["width_max_us"] == "clinic"
    assert session.effective.set_by["current_max_ma"] == "patient"
    assert session.effective == guard_setup(session).rules.effective
    clinic.write_text("[limits]\ncurrent_max_ma = 49.5\n")  # the patient file says 50
    (problem,) = refused(session_file)
    assert "limits of patient: current_max_ma: found 50.0" in problem
    assert "at most 49.5, set by clinic" in problem
    spoil(patient_file, "current_max_ma = 50.0", "current_max_ma = 49.5")
    load_startable(session_file)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (None, "cannot be read"),
        ("[limits]\ncurent_max_ma = 40.0", "did you mean 'current_max_ma'"),
        ("[limit]", "limits: missing"),
    ],
)
def test_a_clinic_file_is_checked_as_strictly_as_the_others(
    session_file: Path, text: str | None, said: str
) -> None:
    spoil(session_file, "[session]", '[session]\nclinic_file = "clinic.toml"')
    if text is not None:
        session_file.with_name("clinic.toml").write_text(text)
    problems = refused(session_file)
    assert any("clinic.toml" in problem and said in problem for problem in problems), problems


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ('address = "DOT shank"', 'address = " dot FOOT "', ("number 2: address", "'foot'")),
        ('name = "foot"', 'name = "Core"', ("number 1: name", "'Core'")),
        ('name = "foot"', 'name = "_"', ("number 1: name", "letter or a digit")),
        ('name = "shank"', 'name = "Fo-ot"', ("number 2: name", "'foot'")),
        ('name = "foot"', 'name = "left_foot_x"', ("number 1: name", f"at most {LABEL_MAX} characters")),
        ('segment = "shank"', 'segment = "foot"', ("number 2: segment", "'foot'", "sits there already")),
        ("rise_ms = 200.0", "rise_ms = 1000.0", None),
        (
            "train_max_s = 2.5",
            "train_max_s = 0.549",
            ("trapezoid: rise, extension and fall", "0.55 s", "0.549"),
        ),
        ("train_max_s = 2.5", "train_max_s = 0.55", None),
        ("session_max_s = 3600.0", "session_max_s = 5.0", ("schedule", "session_max_s 5 (session)")),
    ],
)
def test_what_does_not_fit_together_is_refused(
    session_file: Path, old: str, new: str, words: tuple[str, ...] | None
) -> None:
    spoil(session_file, old, new)
    if words is None:
        load_startable(session_file)
        return
    problems = refused(session_file)
    assert any(all(word in problem for word in words) for problem in problems), problems


def test_a_name_of_just_the_length_is_good(session_file: Path) -> None:
    spoil(session_file, 'name = "foot"', 'name = "left_foot1"')
    load_startable(session_file)


def test_without_a_required_inertial_sensor_nothing_starts(session_file: Path) -> None:
    for segment in ("foot", "shank"):
        spoil(session_file, f'segment = "{segment}"\n', f'segment = "{segment}"\nrequired = false\n')
    assert any("none of the inertial ones is required" in problem for problem in refused(session_file))


BROKER = '\n[telemetry]\nhost = "10.0.0.5"\nport = 8883\n'


@pytest.mark.parametrize(
    ("lines", "words"),
    [
        ('password_file = "nope.txt"', ("telemetry.password_file", "nope.txt")),
        ('ca_file = "nope.pem"', ("telemetry.ca_file", "nope.pem", "No such file")),
        ('ca_file = "demo.toml"', ("telemetry", "do not serve")),
        (
            'tls = true\nclient_certificate_file = "a.pem"\nclient_key_file = "b.pem"',
            ("telemetry.client_key_file", "b.pem"),
        ),
        ('[console]\ntoken_file = "t"', ("console.token_file", "readable file")),
        ('[console]\ncert_file = "c.pem"\nkey_file = "k.pem"', ("console.key_file", "k.pem")),
        ('[console]\ncert_file = "demo.toml"\nkey_file = "demo.toml"', ("console.cert_file", "do not serve")),
    ],
)
def test_a_file_that_is_not_there_or_does_not_serve_is_refused(
    session_file: Path, lines: str, words: tuple[str, ...]
) -> None:
    session_file.write_text(session_file.read_text() + BROKER + lines + "\n")
    problems = refused(session_file)
    assert any(all(word in problem for word in words) for problem in problems), problems


@pytest.mark.parametrize(
    ("host", "good"),
    [
        ("10.0.0.5", True),
        ("broker.local", True),
        ("::1", True),
        ("fe80::1%eth0", True),
        ("mqtt://10.0.0.5", False),
        ("10.0.0.5:1883", False),
        ("broker/", False),
        ("my broker", False),
        ("", False),
    ],
)
def test_a_host_is_a_name_or_an_address_alone(session_file: Path, host: str, good: bool) -> None:
    session_file.write_text(session_file.read_text() + BROKER.replace("10.0.0.5", host))
    if good:
        load_startable(session_file)
        return
    (problem,) = refused(session_file)
    assert "telemetry.host" in problem
    assert "^" not in problem


def test_a_byte_order_mark_is_read_over_in_both_files(session_file: Path, patient_file: Path) -> None:
    for file in (session_file, patient_file):
        file.write_bytes(codecs.BOM_UTF8 + file.read_bytes())
    assert load_startable(session_file).text.startswith("# What")
    assert look(patient_file, {"comfort": 45.0}, {}).edits


# --- words ---


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("width_us = 300.0", 'width_us = "300"', "width_us: found '300', allowed: 50 to 500, without quotes"),
        (
            "required = false",
            'required = "false"',
            "required: found 'false', allowed: true or false, without",
        ),
        (
            "[feedback]",
            "[feedbck]",
            "feedback: missing, allowed: a table [feedback] with kp_nm_per_rad, ti_s",
        ),
        ("[feedback]", "[feedbck]", "feedbck: unknown key (did you mean 'feedback'?)"),
        ('port = "/dev/ttyACM0"', "", "stimulator.port: missing, allowed: a text in quotes"),
        ('site = "demo"', "site = 3", "session.site: found 3, allowed: 1 to 40 lower-case letters"),
        (
            'site = "demo"',
            'site = "Demo 1"',
            "session.site: found 'Demo 1', allowed: 1 to 40 lower-case letters",
        ),
        (
            'name = "foot"',
            'name = "der Fuß"',
            "sensors number 1.name: found 'der Fuß', allowed: 1 to 40 letters",
        ),
        ('segment = "foot"', 'segment = "hand"', "number 1.segment: found 'hand', allowed: 'foot' | 'shank'"),
        (
            'address = "DOT foot"',
            'address = ""',
            "number 1.address: found '', allowed: a text that is not empty",
        ),
        ('arm = "off"', 'arm = "of"', "schedule number 1.arm: found 'of', allowed: 'off' | 'trapezoid'"),
    ],
)
def test_a_refusal_speaks_words_and_no_pattern(session_file: Path, old: str, new: str, said: str) -> None:
    spoil(session_file, old, new)
    problems = refused(session_file)
    assert any(said in problem for problem in problems), problems
    for problem in problems:
        assert not re.search(r"\^|\{1,|Field required|Input should|schedule\.0|sensors\.0", problem)


def test_faults_of_both_files_and_of_their_fit_are_told_together(
    session_file: Path, patient_file: Path
) -> None:
    spoil(session_file, "current_ma = 32.0", "current_ma = 60.0")
    spoil(session_file, 'address = "DOT shank"', 'address = "DOT foot"')
    spoil(patient_file, 'pacemaker = "no"', 'pacemaker = "yes"')
    assert len(refused(session_file)) == 3
    spoil(session_file, "rate_hz = 40.0", "rate_hz = nan")
    spoil(patient_file, "sigma = 0.25", "sigma = 7.0")
    problems = refused(session_file)
    assert any("stimulator.rate_hz" in problem for problem in problems)
    assert any("muscle.sigma" in problem for problem in problems)
