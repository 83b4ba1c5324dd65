"""The guard's file is taken whole or refused with the key, the value and what is allowed."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from controller.errors import InputError
from controller.safety.arming import QUESTIONS, objections
from controller.safety.react import prepare
from controller.safety.settings import ChannelSettings, SensorSettings, load, parse
from tests.safety.rig import CAPABILITY, raw_settings


def saved(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "limits.json"
    path.write_text(text)
    return path


def test_a_whole_file_is_read(tmp_path: Path) -> None:
    raw = raw_settings(
        channels=[
            {"name": "tibialis anterior", "electrode_area_cm2": 25, "output": 4},
            {"name": "peroneus", "electrode_area_cm2": 8.04},
        ],
        sensors=[{"name": "foot", "age_max_ms": 100}, {"name": "shank"}],
        safe_action="ramp",
        recorder_loss="alarm",
        supervised=True,
        stop_button="/dev/input/event7",
    )
    got = load(saved(tmp_path, json.dumps(raw)))
    assert got.session == 7
    assert got.channels == (
        ChannelSettings("tibialis anterior", 4, 25.0),
        ChannelSettings("peroneus", 1, 8.04),
    )
    assert got.sensors == (SensorSettings("foot", 100.0), SensorSettings("shank", None))
    assert (got.stimulator_device, got.stimulator_port) == ("hasomed-p24", "/dev/null")
    assert (got.safe_action, got.recorder_loss, got.supervised) == ("ramp", "alarm", True)
    assert got.stop_button == "/dev/input/event7"
    assert got.checklist == {question.key: "no" for question in QUESTIONS}
    assert [layer.who for layer in got.layers] == ["session"]


def test_what_may_be_left_out_has_the_careful_value() -> None:
    got = parse(raw_settings(), "x")
    assert (got.safe_action, got.recorder_loss, got.supervised) == ("stop", "stop", False)
    assert got.stop_button is None


@pytest.mark.parametrize("key", ["session", "channels", "limits", "sensors", "stimulator", "checklist"])
def test_a_missing_key_is_named(key: str) -> None:
    raw = raw_settings()
    del raw[key]
    with pytest.raises(InputError, match=f"{key}: found None.*missing"):
        parse(raw, "x")


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"sesion": 1}, "sesion"),
        ({"session": 0}, "1 to"),
        ({"session": 2**63}, "1 to"),
        ({"session": True}, "whole number"),
        ({"session": 7.0}, "whole number"),
        ({"channels": []}, "1 to 8"),
        ({"channels": "one"}, "a list"),
        ({"channels": [{"name": "a", "electrode_area_cm2": 25.0}] * 9}, "1 to 8"),
        ({"channels": [{"name": "a", "electrode_area_cm2": 0}]}, r"channels\[0\].electrode_area_cm2"),
        ({"channels": [{"name": "a", "electrode_area_cm2": 400.5}]}, "at most 400"),
        ({"channels": [{"name": "a", "electrode_area_cm2": True}]}, "a number"),
        ({"channels": [{"name": "a", "electrode_area_cm2": "25"}]}, "a number"),
        ({"channels": [{"name": "", "electrode_area_cm2": 25}]}, "not empty"),
        ({"channels": [{"name": 5, "electrode_area_cm2": 25}]}, "a text"),
        ({"channels": [{"name": "a", "electrode_area_cm2": 25, "area": 1}]}, r"channels\[0\].area"),
        ({"channels": [{"name": "a", "electrode_area_cm2": 25, "output": 8}]}, "0 to 7"),
        ({"channels": [{"name": "a", "electrode_area_cm2": 25, "output": -1}]}, "0 to 7"),
        ({"channels": ["a"]}, "an object"),
        ({"limits": [{"who": "nurse", "limits": {}}]}, "device, compiled, clinic, patient, session"),
        ({"limits": [{"who": 5, "limits": {}}]}, "clinic"),
        ({"limits": [{"who": "session", "limits": []}]}, r"limits\[0\].limits"),
        ({"limits": [{"who": "session"}]}, "missing"),
        ({"limits": [{"who": "session", "limits": {"current": 5}}]}, "current_max_ma"),
        ({"limits": [{"who": "session", "limits": {}, "why": ""}]}, "why"),
        ({"limits": [{"who": "session", "limits": {}}] * 17}, "0 to 16"),
        ({"sensors": []}, "1 to 16"),
        ({"sensors": [{"name": "foot"}] * 2}, "each name once"),
        ({"sensors": [{"name": "foot", "age_max_ms": 1000.5}]}, "at most 1000"),
        ({"sensors": [{"name": "foot", "side": "left"}]}, "side"),
        ({"stimulator": "hasomed-p24"}, "an object"),
        ({"stimulator": {"device": "hasomed-p24"}}, "stimulator.port"),
        ({"stimulator": {"device": "hasomed-p24", "port": "p", "baud": 1}}, "baud"),
        ({"checklist": {"pacemaker": False}}, "no, yes, accepted"),
        ({"checklist": {"pacemaker": "maybe"}}, "no, yes, accepted"),
        ({"checklist": {"tattoo": "no"}}, "tattoo"),
        ({"safe_action": "hold"}, "stop, ramp"),
        ({"recorder_loss": "ignore"}, "stop, alarm"),
        ({"supervised": 1}, "true or false"),
        ({"stop_button": ""}, "not empty"),
    ],
)
def test_anything_else_is_refused_with_the_key_and_what_is_allowed(
    changes: dict[str, Any], words: str
) -> None:
    with pytest.raises(InputError, match=words):
        parse(raw_settings(**changes), "x")


def test_two_channels_on_one_output_are_refused() -> None:
    one = {"name": "a", "electrode_area_cm2": 25.0, "output": 0}
    with pytest.raises(InputError, match="each output once"):
        parse(raw_settings(channels=[one, one]), "x")


def test_an_output_the_device_does_not_have_is_refused() -> None:
    config = parse(raw_settings(channels=[{"name": "a", "electrode_area_cm2": 25.0, "output": 7}]), "x")
    prepare(config, CAPABILITY)
    four = type(CAPABILITY)("four", 4, 130.0, 0.5, 10.0, 4095.0, 100.0, "none", "spec")
    with pytest.raises(InputError, match="0 to 3"):
        prepare(config, four)


@pytest.mark.parametrize("raw", [None, [], "x", 5])
def test_a_file_that_is_no_object_is_refused(raw: object) -> None:
    with pytest.raises(InputError, match="an object"):
        parse(raw, "x")


@pytest.mark.parametrize(
    "text",
    ["", "{", '{"session": NaN}', '{"session": Infinity}', '{"session": 1e999}', "[" * 100_000, "\x00"],
)
def test_a_file_that_is_no_finite_json_is_refused(tmp_path: Path, text: str) -> None:
    with pytest.raises(InputError, match=r"limits\.json"):
        load(saved(tmp_path, text))


def test_a_key_given_twice_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="given twice among session, session"):
        load(saved(tmp_path, '{"session": 1, "session": 2}'))


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"nowhere\.json.*No such file"):
        load(tmp_path / "nowhere.json")


def test_a_file_that_is_no_text_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "limits.json"
    path.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(InputError, match=r"limits\.json"):
        load(path)


# --- the checklist ---


def test_all_answered_no_raises_no_objection() -> None:
    assert objections({question.key: "no" for question in QUESTIONS}) == ()


@pytest.mark.parametrize("question", QUESTIONS)
def test_each_question_has_to_be_answered(question: Any) -> None:
    answers = {other.key: "no" for other in QUESTIONS if other is not question}
    assert objections(answers) == (f"checklist: {question.key} is not answered",)


@pytest.mark.parametrize("question", QUESTIONS)
def test_a_yes_forbids_and_only_a_precaution_can_be_accepted(question: Any) -> None:
    answers = {other.key: "no" for other in QUESTIONS}
    assert len(objections(answers | {question.key: "yes"})) == 1
    assert len(objections(answers | {question.key: "accepted"})) == (1 if question.absolute else 0)


def test_the_checklist_asks_for_what_the_design_names() -> None:
    asked = {question.key for question in QUESTIONS}
    assert {"pacemaker", "cancer", "fracture", "skin", "epilepsy", "pregnancy", "heart"} <= asked
    assert all(question.text.endswith("?") and question.source for question in QUESTIONS)
    # what the makers of drop-foot stimulators exclude, no clinician here can accept
    assert {question.key for question in QUESTIONS if "L300" in question.source} <= {
        question.key for question in QUESTIONS if question.absolute
    }
    assert len(asked) == len(QUESTIONS)
