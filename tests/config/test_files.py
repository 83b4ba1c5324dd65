"""A settings file is right or it is refused by file, line, key, value and range, before anything starts."""

from __future__ import annotations

import shutil
from dataclasses import fields, replace
from pathlib import Path

import pytest
from typer.testing import CliRunner

from controller.cli import app
from controller.commands.line import CONFIGS
from controller.config.core_params import core_params
from controller.config.exercise import ExerciseSession, exercise_params, load_any
from controller.config.schema import LearningSection
from controller.config.session import arm_plans, load_session
from controller.core.params import Learning
from controller.errors import ConfigError
from controller.safety.judgement.contraindications import QUESTION
from controller.trial.schedule import ArmPlan


@pytest.fixture
def session_file(tmp_path: Path) -> Path:
    """A copy of the demo's files that a test may spoil."""
    shutil.copytree(CONFIGS, tmp_path / "configs")
    return tmp_path / "configs" / "sessions" / "demo.toml"


def spoil(file: Path, old: str, new: str) -> None:
    text = file.read_text()
    assert old in text
    file.write_text(text.replace(old, new, 1))


def refused(file: Path) -> list[str]:
    with pytest.raises(ConfigError) as refusal:
        load_session(file)
    return refusal.value.problems


@pytest.mark.parametrize("file", sorted((CONFIGS / "sessions").glob("*.toml")), ids=lambda path: path.stem)
def test_every_session_of_the_repository_is_good(file: Path) -> None:
    session = load_any(file)
    if isinstance(session, ExerciseSession):
        assert exercise_params(session).course.total > 0
    else:
        assert len(core_params(session).reference.foot_pitch_deg) == 101


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("rate_hz = 40.0", "rate_hz = nan", ("stimulator.rate_hz", "nan", "10 to 60")),
        ("rate_hz = 40.0", "rate_hz = inf", ("stimulator.rate_hz", "inf", "10 to 60")),
        ("rate_hz = 40.0", "rate_hz = -40.0", ("stimulator.rate_hz", "-40.0", "10 to 60")),
        ("rate_hz = 40.0", 'rate_hz = "40"', ("stimulator.rate_hz", "'40'", "10 to 60")),
        ("rate_hz = 40.0", "rate_hz = true", ("stimulator.rate_hz", "True", "10 to 60")),
        ("rate_hz = 40.0", "rate_herz = 40.0", ("stimulator.rate_herz", "unknown key", "'rate_hz'")),
        ("width_min_us = 150.0", "width_min_us = 301.0", ("stimulator.width_min_us", "301", "300")),
        ("width_min_us = 150.0", "width_min_us = 49.0", ("stimulator.width_min_us", "49.0", "50 to 500")),
        ("[stimulator]", '[lsl]\nmarkers = ["a"]\nshow = ["b"]\n[stimulator]', ("lsl.show", "'shown'")),
        ("channel = 0", 'channel = 0\nmeasure = "power"', ("stimulator.measure", "'power'", "'voltage'")),
        (
            'device = "hasomed-p24"',
            'device = "hasomed-rehastim2"\nmeasure = "voltage"',
            ("stimulator.measure", "'voltage'", "left out, as this device measures no pulse"),
        ),
        ("channel = 0", "channel = 8", ("stimulator.channel", "8", "0 to 7")),
        ("[learning]", "[learning]\nstep = 1.01", ("learning.step", "1.01", "0 to 1")),
        ("[learning]", "[learning]\ngain_max = 0.9", ("learning.gain_max", "0.9", "1 to 10")),
        ("[learning]", "[learning]\nforgets = 0.9", ("learning.forgets", "unknown key", "'forget'")),
        ('mode = "feedback"', 'mode = "magic"', ("session.mode", "'magic'", "'off'")),
        ("[trapezoid]", "[trapeze]", ("trapeze", "unknown key", "trapezoid")),
        ('site = "demo"', 'site = "demo/#"', ("session.site", "demo/#", "lower-case letters")),
    ],
)
def test_a_wrong_value_is_refused_by_file_key_value_and_range(
    session_file: Path, old: str, new: str, words: tuple[str, ...]
) -> None:
    spoil(session_file, old, new)
    problems = refused(session_file)
    line = next(problem for problem in problems if words[0] in problem)
    assert str(session_file) in line
    assert all(word in line for word in words)


def test_the_line_of_a_wrong_value_is_named(session_file: Path) -> None:
    number = next(
        number for number, line in enumerate(session_file.read_text().splitlines(), 1) if "rate_hz" in line
    )
    spoil(session_file, "rate_hz = 40.0", "rate_hz = nan")
    assert f"line {number}:" in refused(session_file)[0]


def test_a_missing_key_is_refused_with_what_is_allowed(session_file: Path) -> None:
    spoil(session_file, "width_us = 300.0\n", "")
    assert "stimulator.width_us: missing, allowed: 50 to 500" in refused(session_file)[0]


def test_all_faults_of_a_file_are_told_at_once(session_file: Path) -> None:
    spoil(session_file, "rate_hz = 40.0", "rate_hz = nan")
    spoil(session_file, "fall_ms = 200.0", "fall_ms = 1")
    assert len(refused(session_file)) == 2


@pytest.mark.parametrize(
    ("key", "value"), [("current_max_ma", 130.0), ("current_max_ma", 100.5), ("charge_max_uc", 36.0)]
)
def test_a_limit_looser_than_the_layers_before_is_refused_with_who_set_it(
    session_file: Path, key: str, value: float
) -> None:
    patient = session_file.parents[1] / "patients" / "virtual.toml"
    line = next(line for line in patient.read_text().splitlines() if line.startswith(key))
    spoil(patient, line, f"{key} = {value}")
    (problem,) = refused(session_file)
    assert key in problem
    assert f"{value}" in problem
    assert "set by" in problem


def test_a_limit_above_the_devices_is_refused(session_file: Path) -> None:
    spoil(session_file, "[limits]", "[limits]\ncurrent_max_ma = 131.0")
    assert "limits.current_max_ma: found 131.0, allowed: 0.5 to 130" in refused(session_file)[0]


def test_a_session_may_not_loosen_its_patients_limit(session_file: Path) -> None:
    spoil(session_file, "[limits]", "[limits]\ncurrent_max_ma = 60.0")
    (problem,) = refused(session_file)
    assert "set by patient" in problem


@pytest.mark.parametrize("key", sorted(QUESTION))
def test_every_question_of_the_checklist_must_be_answered(session_file: Path, key: str) -> None:
    patient = session_file.parents[1] / "patients" / "virtual.toml"
    spoil(patient, f'{key} = "no"', "")
    assert any(f"checklist: {key} is missing" in problem for problem in refused(session_file))


@pytest.mark.parametrize(
    ("content", "words"),
    [(b"\xff\xfe", "not UTF-8"), (b"[session", "not TOML"), (b"", "session: missing")],
)
def test_what_is_no_session_file_is_refused(tmp_path: Path, content: bytes, words: str) -> None:
    file = tmp_path / "x.toml"
    file.write_bytes(content)
    assert any(words in problem for problem in refused(file))


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    assert str(tmp_path / "none.toml") in refused(tmp_path / "none.toml")[0]


def test_config_check_prints_each_limit_with_who_set_it() -> None:
    result = CliRunner().invoke(app, ["config", "check", str(CONFIGS / "sessions" / "demo.toml")])
    assert result.exit_code == 0
    row = next(line for line in result.output.splitlines() if "current_max_ma" in line)
    assert "50" in row
    assert "patient" in row


def test_config_check_prints_every_gain_with_its_range() -> None:
    result = CliRunner().invoke(app, ["config", "check", str(CONFIGS / "sessions" / "demo.toml")])
    for key, bounds in (("feedback.kp_nm_per_rad", "0 to 30"), ("learning.step", "0 to 1")):
        row = next(line for line in result.output.splitlines() if key in line)
        assert bounds in row


def test_a_session_without_a_schedule_walks_its_mode_until_stopped(session_file: Path) -> None:
    text = session_file.read_text()
    session_file.write_text(text[: text.index("[[schedule]]")])
    assert arm_plans(load_session(session_file), seed=1) == (ArmPlan("feedback", label="feedback"),)


@pytest.mark.parametrize(
    ("lengths", "words"), [("", "neither"), ("strides = 3\nseconds = 20.0", "both"), ("strides = 0", "1 to")]
)
def test_an_arm_has_one_length(session_file: Path, lengths: str, words: str) -> None:
    text = session_file.read_text()
    session_file.write_text(text[: text.index("[[schedule]]")] + f'[[schedule]]\narm = "off"\n{lengths}\n')
    (problem,) = refused(session_file)
    assert words in problem


def test_a_blinded_schedule_has_letters_for_names(session_file: Path) -> None:
    spoil(session_file, 'labels = "open"', 'labels = "blinded"')
    arms = arm_plans(load_session(session_file), seed=1)
    assert sorted(arm.title for arm in arms) == ["A", "B", "C", "D"]
    assert all(arm.blinded for arm in arms)


def test_a_second_channel_needs_an_output_of_its_own_and_an_identified_map(session_file: Path) -> None:
    two = session_file.with_name("two_channels.toml")
    assert core_params(load_session(two)).pulse.channels == 2
    spoil(two, "channel = 1 ", "channel = 0 ")
    assert "second_channel.channel: found 0" in refused(two)[0]
    spoil(two, "virtual_two_channels.toml", "virtual.toml")
    assert any("virtual.toml: eversion: missing" in problem for problem in refused(two))


def test_the_identified_ankle_reaches_the_core(session_file: Path) -> None:
    spoil(session_file.parents[1] / "patients" / "virtual.toml", "neutral_deg = 0.0", "neutral_deg = -6.5")
    assert core_params(load_session(session_file)).foot.neutral_deg == -6.5


def test_every_number_of_the_learning_law_can_be_set_in_the_session_file() -> None:
    assert set(LearningSection.model_fields) == {field.name for field in fields(Learning)}


def test_a_learning_key_reaches_the_core_and_the_others_keep_the_cores_values(session_file: Path) -> None:
    text = session_file.read_text()
    before = text[: text.index("[learning]")]
    session_file.write_text(before + "[learning]\nstep = 0.25\n")
    assert core_params(load_session(session_file)).learning == replace(Learning(), step=0.25)


def test_config_check_refuses_with_exit_code_2(session_file: Path) -> None:
    spoil(session_file, "rate_hz = 40.0", "rate_hz = nan")
    result = CliRunner().invoke(app, ["config", "check", str(session_file)])
    assert result.exit_code == 2
    assert "rate_hz" in result.output


@pytest.mark.parametrize("readiness", ["cautious", "balanced", "eager"])
def test_how_readily_a_swing_is_lifted_is_one_of_three_words(session_file: Path, readiness: str) -> None:
    spoil(session_file, 'readiness = "balanced"', f'readiness = "{readiness}"')
    assert core_params(load_session(session_file)).readiness == readiness


def test_another_word_for_readiness_is_refused_and_none_means_balanced(session_file: Path) -> None:
    spoil(session_file, '[gait]\nreadiness = "balanced"', "")
    assert core_params(load_session(session_file)).readiness == "balanced"
    session_file.write_text(session_file.read_text() + '\n[gait]\nreadiness = "bold"\n')
    assert "readiness" in refused(session_file)[0]


def test_lsl_streams_are_never_the_only_sensors_that_must_be_heard(session_file: Path) -> None:
    text = session_file.read_text()
    session_file.write_text(text.replace('device = "movella-dot"', 'device = "lsl-imu"', 1))
    load_session(session_file)
    session_file.write_text(text.replace('device = "movella-dot"', 'device = "lsl-imu"'))
    (line,) = refused(session_file)
    assert "sensors.required: every required sensor is an LSL stream" in line
