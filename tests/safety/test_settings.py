"""The guard's file is taken whole or refused with the key, the value and what is allowed."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from controller.errors import InputError
from controller.safety.judgement.contraindications import QUESTIONS, objections
from controller.safety.judgement.guard_types import prepare
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
        overseen=True,
        stop_button="/dev/input/event7",
        unlock="person",
        rest_file="rest.json",
        in_flight_file="rest.inflight",
    )
    got = load(saved(tmp_path, json.dumps(raw)))
    assert got.session == 7
    assert got.channels == (
        ChannelSettings("tibialis anterior", 4, 25.0),
        ChannelSettings("peroneus", 1, 8.04),
    )
    assert got.sensors == (SensorSettings("foot", 100.0), SensorSettings("shank", None))
    assert (got.stimulator_device, got.stimulator_port) == ("hasomed-p24", "/dev/null")
    assert (got.safe_action, got.recorder_loss, got.supervised, got.overseen) == ("ramp", "alarm", True, True)
    assert (got.stop_button, got.unlock, got.rest_file) == ("/dev/input/event7", "person", "rest.json")
    assert got.in_flight_file == "rest.inflight"
    assert got.checklist == {question.key: "no" for question in QUESTIONS}
    assert [layer.who for layer in got.layers] == ["session"]


def test_what_may_be_left_out_has_the_careful_value() -> None:
    got = parse(raw_settings(), "x")
    assert (got.safe_action, got.recorder_loss, got.supervised, got.overseen) == (
        "stop",
        "stop",
        False,
        False,
    )
    assert (got.stop_button, got.unlock, got.rest_file, got.in_flight_file) == (None, None, None, None)
    assert got.caps == "gait"


@pytest.mark.parametrize("caps", ["exercise", "comfort", "denervated"])
def test_what_is_no_walk_may_do_without_sensors_and_only_a_person_unlocks_it(caps: str) -> None:
    got = parse(raw_settings(caps=caps, sensors=[], unlock="person"), "x")
    assert (got.caps, got.sensors, got.unlock) == (caps, (), "person")
    emg = [{"name": "emg", "age_max_ms": 200}]
    assert parse(raw_settings(caps=caps, sensors=emg), "x").sensors == (SensorSettings("emg", 200.0),)
    for changes, where in (
        ({"sensors": [0] * 17}, "sensors"),
        ({"sensors": [{"name": "f", "segment": "foot"}]}, "sensors"),
        ({"unlock": "strides"}, "unlock"),
    ):
        with pytest.raises(InputError) as refused:
            parse(raw_settings(**{"caps": caps, "sensors": []} | changes), "x")
        assert refused.value.where == where


def area(value: object) -> dict[str, Any]:
    return {"channels": [{"name": "a", "electrode_area_cm2": value}]}


def channel(**changes: object) -> dict[str, Any]:
    return {"channels": [{"name": "a", "electrode_area_cm2": 25, **changes}]}


WHOS = "one of device, compiled, clinic, patient, session"
WHOLE_SESSION = "a whole number, 1 to 9223372036854775807"
ANSWER = "one of no, yes, accepted"
MISSING = "a value; the key is missing"


@pytest.mark.parametrize("key", ["session", "channels", "limits", "sensors", "stimulator", "checklist"])
def test_a_missing_key_is_named(key: str) -> None:
    raw = raw_settings()
    del raw[key]
    with pytest.raises(InputError) as refused:
        parse(raw, "x.json")
    assert str(refused.value) == f"x.json: {key}: found None, allowed: {MISSING}"


@pytest.mark.parametrize(
    ("changes", "where", "found", "allowed"),
    [
        ({"sesion": 1}, "sesion", 1, "no such key"),
        ({"session": 0}, "session", 0, WHOLE_SESSION),
        ({"session": 2**63}, "session", 2**63, WHOLE_SESSION),
        ({"session": True}, "session", True, WHOLE_SESSION),
        ({"session": 7.0}, "session", 7.0, WHOLE_SESSION),
        ({"channels": []}, "channels", [], "a list of 1 to 8 objects"),
        ({"channels": "one"}, "channels", "one", "a list of 1 to 8 objects"),
        ({"channels": [0] * 9}, "channels", [0] * 9, "a list of 1 to 8 objects"),
        ({"channels": ["a"]}, "channels[0]", "a", "an object"),
        (area(0), "channels[0].electrode_area_cm2", 0, "a number above 0, at most 400"),
        (area(400.5), "channels[0].electrode_area_cm2", 400.5, "a number above 0, at most 400"),
        (area(True), "channels[0].electrode_area_cm2", True, "a number above 0, at most 400"),
        (area("25"), "channels[0].electrode_area_cm2", "25", "a number above 0, at most 400"),
        (area(float("nan")), "channels[0].electrode_area_cm2", None, "a number above 0, at most 400"),
        (channel(name=""), "channels[0].name", "", "a text that is not empty"),
        (channel(name=5), "channels[0].name", 5, "a text that is not empty"),
        (channel(area=1), "channels[0].area", 1, "no such key"),
        (channel(output=8), "channels[0].output", 8, "a whole number, 0 to 7"),
        (channel(output=-1), "channels[0].output", -1, "a whole number, 0 to 7"),
        ({"limits": [{"who": "nurse", "limits": {}}]}, "limits[0].who", "nurse", WHOS),
        ({"limits": [{"who": 5, "limits": {}}]}, "limits[0].who", 5, WHOS),
        ({"limits": [{"who": "session", "limits": []}]}, "limits[0].limits", [], "an object"),
        ({"limits": [{"who": "session"}]}, "limits[0].limits", None, MISSING),
        ({"limits": [{"who": "session", "limits": {}, "why": ""}]}, "limits[0].why", "", "no such key"),
        ({"limits": [0] * 17}, "limits", [0] * 17, "a list of 0 to 16 objects"),
        ({"sensors": []}, "sensors", [], "a list of 1 to 16 objects"),
        ({"sensors": [0] * 17}, "sensors", [0] * 17, "a list of 1 to 16 objects"),
        ({"sensors": [{"name": "foot"}] * 2}, "sensors", ["foot", "foot"], "each name once"),
        (
            {"sensors": [{"name": "foot", "age_max_ms": 1000.5}]},
            "sensors[0].age_max_ms",
            1000.5,
            "a number above 0, at most 1000",
        ),
        ({"sensors": [{"name": "f", "segment": "knee"}]}, "sensors[0].segment", "knee", "one of foot, shank"),
        (
            {"sensors": [{"name": "f", "segment": "foot"}, {"name": "g", "segment": "foot"}, {"name": "h"}]},
            "sensors",
            ["foot", "foot"],
            "each segment once",
        ),
        ({"sensors": [{"name": "foot", "side": "left"}]}, "sensors[0].side", "left", "no such key"),
        ({"stimulator": "hasomed-p24"}, "stimulator", "hasomed-p24", "an object"),
        ({"stimulator": {"device": "hasomed-p24"}}, "stimulator.port", None, MISSING),
        ({"stimulator": {"device": "d", "port": "p", "baud": 1}}, "stimulator.baud", 1, "no such key"),
        ({"stimulator": {"device": 1, "port": "p"}}, "stimulator.device", 1, "a text that is not empty"),
        ({"checklist": []}, "checklist", [], "an object"),
        ({"checklist": {"pacemaker": False}}, "checklist.pacemaker", False, ANSWER),
        ({"checklist": {"pacemaker": "maybe"}}, "checklist.pacemaker", "maybe", ANSWER),
        ({"checklist": {"tattoo": "no"}}, "checklist.tattoo", "no", "no such key"),
        ({"safe_action": "hold"}, "safe_action", "hold", "one of stop, ramp"),
        ({"recorder_loss": "ignore"}, "recorder_loss", "ignore", "one of stop, alarm"),
        ({"supervised": 1}, "supervised", 1, "true or false"),
        ({"overseen": "yes"}, "overseen", "yes", "true or false"),
        ({"stop_button": ""}, "stop_button", "", "a text that is not empty"),
        ({"rest_file": ""}, "rest_file", "", "a text that is not empty"),
        ({"in_flight_file": ""}, "in_flight_file", "", "a text that is not empty"),
        ({"unlock": "nobody"}, "unlock", "nobody", "one of person, strides"),
        ({"caps": "sport"}, "caps", "sport", "one of gait, exercise, comfort, denervated"),
        ({"caps": "exercise", "unlock": "strides"}, "unlock", "strides", "'person' in exercise"),
        (
            {"caps": "exercise", "sensors": [{"name": "f", "segment": "foot"}]},
            "sensors",
            ["foot"],
            "no segment in exercise: motion is judged in gait alone",
        ),
    ],
)
def test_anything_else_is_refused_with_file_key_value_and_what_is_allowed(
    changes: dict[str, Any], where: str, found: object, allowed: str
) -> None:
    with pytest.raises(InputError) as refused:
        parse(raw_settings(**changes), "x.json")
    error = refused.value
    assert (error.source, error.where, error.allowed) == ("x.json", where, allowed)
    assert error.found == found or found is None


def test_a_limit_that_is_none_is_refused_with_the_file() -> None:
    with pytest.raises(InputError, match=r"^x\.json: limits of session: current: found 5.*current_max_ma"):
        parse(raw_settings(limits=[{"who": "session", "limits": {"current": 5}}]), "x.json")


def test_the_bounds_themselves_are_allowed() -> None:
    sensors = [{"name": f"s{number}", "age_max_ms": 1000} for number in range(16)]
    got = parse(raw_settings(**area(400), session=2**63 - 1, sensors=sensors, limits=[]), "x")
    assert (got.session, got.channels[0].electrode_area_cm2) == (2**63 - 1, 400.0)
    assert {sensor.age_max_ms for sensor in got.sensors} == {1000.0}
    assert parse(raw_settings(**area(0.5), session=1), "x").channels[0].electrode_area_cm2 == 0.5
    layers = [{"who": "session", "limits": {}}] * 16
    assert len(parse(raw_settings(limits=layers), "x").layers) == 16
    channels = [{"name": f"c{number}", "electrode_area_cm2": 25} for number in range(8)]
    assert [channel.output for channel in parse(raw_settings(channels=channels), "x").channels] == [*range(8)]


def test_where_a_sensor_sits_is_kept() -> None:
    sensors = [{"name": "a", "segment": "foot"}, {"name": "b", "segment": "shank"}, {"name": "c"}]
    assert parse(raw_settings(sensors=sensors), "x").sensors == (
        SensorSettings("a", None, "foot"),
        SensorSettings("b", None, "shank"),
        SensorSettings("c", None, None),
    )


def test_two_channels_on_one_output_are_refused() -> None:
    one = {"name": "a", "electrode_area_cm2": 25.0, "output": 0}
    with pytest.raises(InputError, match=r"^x\.json: channels: found \[0, 0\], allowed: each output once"):
        parse(raw_settings(channels=[one, one]), "x.json")


def test_an_output_the_device_does_not_have_is_refused() -> None:
    config = parse(raw_settings(channels=[{"name": "a", "electrode_area_cm2": 25.0, "output": 7}]), "x")
    prepare(config, CAPABILITY)
    four = type(CAPABILITY)("four", 4, 130.0, 0.5, 10.0, 4095.0, 100.0, "none", "spec")
    with pytest.raises(InputError, match="0 to 3"):
        prepare(config, four)


@pytest.mark.parametrize("raw", [None, [], "x", 5])
def test_a_file_that_is_no_object_is_refused(raw: object) -> None:
    with pytest.raises(InputError) as refused:
        parse(raw, "x.json")
    assert str(refused.value) == f"x.json: : found {raw!r}, allowed: an object"


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "Expecting value"),
        ("{", "Expecting property name"),
        ('{"session": NaN}', "NaN is not finite"),
        ('{"session": Infinity}', "Infinity is not finite"),
        ('{"session": 1e999}', "1e999 is not finite"),
        ("[" * 100_000, "recursion"),
        ("\x00", "Expecting value"),
    ],
)
def test_a_file_that_is_no_finite_json_is_refused(tmp_path: Path, text: str, why: str) -> None:
    path = saved(tmp_path, text)
    with pytest.raises(InputError) as refused:
        load(path)
    error = refused.value
    assert (error.source, error.where) == (str(path), "file")
    assert error.allowed == "JSON with finite numbers and each key once"
    assert why in str(error.found)


def test_a_file_that_does_not_hold_is_named(tmp_path: Path) -> None:
    path = saved(tmp_path, "[]")
    with pytest.raises(InputError) as refused:
        load(path)
    assert refused.value.source == str(path)


def test_a_key_given_twice_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="given twice among session, session"):
        load(saved(tmp_path, '{"session": 1, "session": 2}'))


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    path = tmp_path / "nowhere.json"
    with pytest.raises(InputError) as refused:
        load(path)
    error = refused.value
    assert (error.source, error.where, error.allowed) == (str(path), "file", "a readable file")
    assert error.found == "No such file or directory"


def in_german() -> str:
    channels = [{"name": "Größe", "electrode_area_cm2": 25.0}]
    return json.dumps(raw_settings(channels=channels), ensure_ascii=False)


def test_its_text_is_utf_8_whatever_the_computers_language(tmp_path: Path) -> None:
    path = tmp_path / "limits.json"
    path.write_bytes(in_german().encode("utf-8"))
    assert [channel.name for channel in load(path).channels] == ["Größe"]


@pytest.mark.parametrize(
    "data", [b"\xff\xfe\x00", in_german().encode("latin-1"), in_german().encode("utf-16")]
)
def test_a_file_that_is_no_text_is_refused(tmp_path: Path, data: bytes) -> None:
    path = tmp_path / "limits.json"
    path.write_bytes(data)
    with pytest.raises(InputError, match=r"limits\.json"):
        load(path)


# --- the checklist ---


def test_all_answered_no_raises_no_objection() -> None:
    assert objections({question.key: "no" for question in QUESTIONS}, ["dorsiflexion"], "gait") == ()


@pytest.mark.parametrize("question", QUESTIONS)
def test_each_question_has_to_be_answered(question: Any) -> None:
    answers = {other.key: "no" for other in QUESTIONS if other is not question}
    (why,) = objections(answers, ["dorsiflexion"], "gait")
    said = f"checklist: {question.key} is not answered"
    assert (why.code, why.name, why.text) == ("unanswered", question.key, said)


@pytest.mark.parametrize("question", QUESTIONS)
def test_a_yes_forbids_and_only_a_precaution_can_be_accepted(question: Any) -> None:
    answers = {other.key: "no" for other in QUESTIONS}
    (why,) = objections(answers | {question.key: "yes"}, ["dorsiflexion"], "gait")
    said = f"checklist: {question.key} is answered 'yes'"
    assert (why.code, why.name, why.text) == ("checklist", question.key, said)
    assert len(objections(answers | {question.key: "accepted"}, ["dorsiflexion"], "gait")) == (
        1 if question.absolute else 0
    )


def test_the_checklist_asks_for_what_the_design_names() -> None:
    asked = {question.key for question in QUESTIONS}
    assert {"pacemaker", "cancer", "fracture", "skin", "epilepsy", "pregnancy", "heart"} <= asked
    assert all(question.text.endswith("?") and question.source for question in QUESTIONS)
    # what the makers of drop-foot stimulators exclude, no clinician here can accept
    assert {question.key for question in QUESTIONS if "L300" in question.source} <= {
        question.key for question in QUESTIONS if question.absolute
    }
    assert len(asked) == len(QUESTIONS)
