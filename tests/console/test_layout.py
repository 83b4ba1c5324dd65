"""The console's pure parts: strides, alarms, texts, settings, recordings."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path
from typing import get_args

import msgspec
import pytest

from controller.analysis.summary import ArmSummary, Spread, Summary
from controller.config.console_settings import (
    ConsoleSettings,
    objections,
    read_settings,
    read_token,
    write_settings,
)
from controller.console import layout
from controller.console.i18n import LANGUAGES, WORDS, choose, language_of, load_texts
from controller.console.live.alarms import PASSING_S, Alarms
from controller.console.live.browser_messages import on_time_told
from controller.console.live.main_screen import main_html
from controller.console.live.stride_curves import Trace
from controller.console.live.walker_view import walker_page
from controller.console.recordings import recorded, recordings_page
from controller.console.setup.progress import EFFECTS, MARKS
from controller.errors import InputError
from controller.record.live import TracePoint
from controller.record.strides import Stride
from controller.record.writer import RecordingWriter
from controller.safety.judgement.arming_refusals import RefusalCode
from controller.safety.judgement.faults import FAULTS
from controller.telemetry.connection_trouble import KINDS
from drivers.stimulators.sciencemode4 import CHANNELS, channel_name

MS = 1_000_000
SIDES, SEGMENTS = ("left", "right"), ("foot", "shank")
STEP_NS = 20 * MS
STRIDE_NS = 1000 * MS


def point(t_ns: int, charge_uc: float = 0.0) -> TracePoint:
    """Second half of every second is swing, 4 degrees above the reference; pitch is the time in ms."""
    phase_ns = t_ns % STRIDE_NS
    pitch_deg = phase_ns / MS
    return TracePoint(
        t_ns,
        pitch_deg,
        pitch_deg - 4.0,
        -5.0,
        20.0,
        18.0,
        phase_ns / 1e7,
        phase_ns >= STRIDE_NS // 2,
        charge_uc,
    )


def walk(seconds: int) -> list[TracePoint]:
    return [point(t_ns, charge_uc=t_ns / 1e7) for t_ns in range(0, seconds * STRIDE_NS + 1, STEP_NS)]


STRIDE = Stride(1 * STRIDE_NS, None, 2 * STRIDE_NS, -5.0, 3.0, 4.0, 2.0)


def test_a_strides_curves_are_those_of_its_points() -> None:
    trace = Trace()
    trace.take(walk(3))
    curves = trace.curves(STRIDE)
    assert curves.pitch_deg[25] == pytest.approx(500.0, abs=20.0)
    assert set(curves.applied_ma) == {18.0}


def test_a_hole_in_the_trace_is_a_hole_in_the_curves() -> None:
    trace = Trace()
    trace.take([p for p in walk(3) if not 1300 * MS < p.t_ns < 1600 * MS])
    pitch_deg = trace.curves(STRIDE).pitch_deg
    holes = [2 * index for index, value in enumerate(pitch_deg) if value is None]
    assert holes == [42, 44, 46, 48]  # percent: more than 100 ms from 1300 and from 1600 ms
    assert Trace().curves(STRIDE).applied_ma == (None,) * 51


def test_the_charge_of_the_last_minute_forgets_what_is_older_and_an_arm_before() -> None:
    trace = Trace()
    trace.take([point(0, 0.0), point(10**9, 50.0), point(61 * 10**9, 80.0)])
    assert trace.minute_uc == 30.0
    trace.take([point(62 * 10**9, 0.0), point(63 * 10**9, 5.0)])
    assert trace.minute_uc == 5.0


def test_a_latched_alarm_stays_until_acknowledged_and_a_passing_one_ends() -> None:
    alarms = Alarms()
    alarms.noticed("F8", "", 100.0)
    alarms.noticed("F8", "", 101.0)
    alarms.tripped("F1", "sensor foot", 100.0)
    alarms.tripped("F1", "", 150.0)
    first, second = alarms.now(102.0)
    assert (first.fault, first.latched, first.since_s, first.detail) == ("F1", True, 100.0, "sensor foot")
    assert (second.fault, second.times, second.latched) == ("F8", 2, False)
    assert [alarm.fault for alarm in alarms.now(101.0 + PASSING_S + 0.1)] == ["F1"]
    alarms.tripped(None, "", 200.0)
    assert alarms.now(200.0) == ()


def test_a_fault_that_lasts_is_counted_once_and_ends_when_it_does() -> None:
    alarms = Alarms()
    for tenth in range(50):
        alarms.lasts("F12", "disk full", 100.0 + tenth / 10)
    (alarm,) = alarms.now(105.0)
    assert (alarm.times, alarm.since_s, alarm.detail) == (1, 100.0, "disk full")
    assert alarms.now(104.9 + PASSING_S + 0.1) == ()


def test_a_fault_nobody_knows_makes_no_alarm() -> None:
    alarms = Alarms()
    alarms.noticed("F99", "", 0.0)
    alarms.tripped("F99", "", 0.0)
    assert alarms.now(0.0) == ()


def test_there_are_words_for_every_trouble_with_the_broker() -> None:
    for texts in load_texts().values():
        for kind in KINDS:
            assert texts.get(f"telemetry.{kind}")


def test_there_are_words_for_every_refusal_of_the_guard_with_a_place_for_what_it_names() -> None:
    for texts in load_texts().values():
        for code in get_args(RefusalCode):
            named = code in ("checklist", "sensor", "bout", "session")
            assert ("{name}" in texts.get(f"refusal.{code}")) is named


def test_every_language_has_every_word_and_every_fault_its_own() -> None:
    texts = load_texts()
    assert set(texts["de"].words) == set(texts["en"].words)
    german = (WORDS / "de.toml").read_text(encoding="utf-8")
    for name in FAULTS:
        assert f"[fault.{name}]" in german


def test_every_phrase_is_one_the_controller_says() -> None:
    """A sentence that was changed at its source and not here would show half in English."""
    root = Path(__file__).resolve().parents[2]
    files = (path for room in ("controller", "drivers") for path in (root / room).rglob("*.py"))
    sources = " ".join(path.read_text(encoding="utf-8") for path in files)
    said = re.sub(r'"\s*\n\s*f?"', "", sources)
    placed = [said.replace("{where}", f"{side} {segment}") for side in SIDES for segment in SEGMENTS]
    placed += [channel_name(channel) for channel in range(CHANNELS)]
    placed += [f"train of 5 mA: {effect}" for effect in EFFECTS] + [f"thresholds: {mark} 5" for mark in MARKS]
    for phrase in load_texts()["de"].phrases:
        assert phrase.removeprefix("by ") in " ".join(placed), phrase


def test_a_reason_is_whole_in_the_readers_language() -> None:
    said = (
        "foot is loaded: ramping down; learned command (7 strides) and feedback, two sensors"
        "; muscle tired to 45% of its rested response per charge: rest advised"
        "; foot stays 8 deg off at the highest current: look at the electrodes, or ask for less lift"
    )
    for phrase, own in load_texts()["de"].phrases.items():
        said = said.replace(phrase, own)
    assert (
        said
        == "der Fuß ist belastet: klingt ab; gelernter Befehl (7 Schritte) und Rückführung, zwei Sensoren"
        "; Muskel ermüdet auf 45% der ausgeruhten Antwort je Ladung: eine Pause ist ratsam"
        "; der Fuß bleibt 8 Grad daneben beim höchsten Strom: nach den Elektroden sehen"
        ", oder weniger Hebung verlangen"
    )
    assert load_texts()["en"].phrases == {}


def test_every_word_that_the_main_screens_scripts_say_is_told_to_them() -> None:
    static = Path(layout.__file__).parent / "static"
    script = "".join(
        (static / f"{name}.js").read_text(encoding="utf-8")
        for name in ("alarms", "rig", "steps", "walk", "console", "walker")
    )
    asked = set(re.findall(r'texts\["([\w.]+)"\]|say\("([\w.]+)"', script))
    assert len(asked) > 20
    for texts in load_texts().values():
        assert {one or other for one, other in asked} <= set(texts.words)


def test_the_walkers_screen_has_stop_and_no_other_way_to_the_rig() -> None:
    for texts in load_texts().values():
        page = walker_page(texts)
        assert re.findall(r'<form method="(\w+)" action="([^"]+)"', page) == [("post", "/stop")]
        assert re.findall(r"<(?:button|input)[^>]* id=\"?([\w-]+)", page) == ["stop", "tone", "volume"]
        assert set(re.findall(r'href="(/[^"]+)"', page)) == {
            *(f"{layout.STATIC}/{name}.css" for name in ("console", "live", "recordings", "walker")),
            f"/language/{'de' if texts.language == 'en' else 'en'}",
        }
        assert "mA" not in page
    script = (Path(layout.__file__).parent / "static" / "walker.js").read_text(encoding="utf-8")
    assert not re.search(r"fetch|tell\(|XMLHttp|send\(", script)


@pytest.mark.parametrize(
    ("address", "page"),
    [
        ("http://a/walker", "/walker"),
        ("http://a/ended/20260101-1", "/ended/20260101-1"),
        ("http://a/persons/P017/start", "/persons/P017/start"),
        ("http://a/persons/P017/begin", "/"),
        ("http://a/tuning", "/tuning"),
        ("http://a/setup?step=walk", "/setup?step=walk"),
        ("http://a/sessions/20260101-1", "/sessions/20260101-1"),
        ("http://a/tuning/proposal/3", "/tuning"),  # which a GET of another kind may not find
        ("http://a/profiles/walk-1/propose", "/profiles"),
        ("http://a//evil.example/", "/"),
        ("http://a/language/de", "/"),
        ("https://evil.example/tuning", "/tuning"),  # a page of the console's own all the same
        ("", "/"),
    ],
)
def test_another_language_keeps_the_page(address: str, page: str) -> None:
    assert layout.page_to_keep(address) == page


@pytest.mark.parametrize(
    ("cookie", "asked", "language"),
    [("", "", "en"), ("de", "en", "de"), ("", "fr-CH, de;q=0.8, en;q=0.5", "de"), ("xx", "", "en")],
)
def test_the_language_is_the_cookies_then_the_browsers(cookie: str, asked: str, language: str) -> None:
    assert choose(cookie, asked) == language
    head = f"GET / HTTP/1.1\r\nCookie: a=b; dorsi_lang={cookie}\r\nAccept-Language: {asked}\r\n\r\n"
    assert language_of(head.encode()) == language


def test_the_network_needs_token_and_tls_and_loopback_needs_neither() -> None:
    assert objections("127.0.0.1", None, None, None) == []
    assert objections("::1", None, None, None) == []
    assert len(objections("192.168.1.20", None, "cert.pem", "key.pem")) == 1
    assert len(objections("0.0.0.0", "token", None, None)) == 1
    assert objections("192.168.1.20", "token", "cert.pem", "key.pem") == []
    assert len(objections("127.0.0.1", None, "cert.pem", None)) == 1


def test_settings_come_back_as_written_and_a_bad_file_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "console.json"
    settings = ConsoleSettings("127.0.0.1", 0, "runs", reference_pitch_deg=(1.0, 2.0))
    write_settings(path, settings)
    assert read_settings(path) == settings
    write_settings(path, replace(settings, host="0.0.0.0"))
    with pytest.raises(InputError, match="reached from the network"):
        read_settings(path)
    for text in ("", "{}", "[]", "\x00"):
        path.write_text(text)
        with pytest.raises(InputError):
            read_settings(path)


def test_a_short_or_missing_token_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "token"
    with pytest.raises(InputError):
        read_token(path)
    path.write_text("short")
    with pytest.raises(InputError, match="at least"):
        read_token(path)
    path.write_text("a long enough token\n")
    assert read_token(path) == "a long enough token"


def recording(runs: Path, name: str, arms: tuple[ArmSummary, ...], pseudonym: str = "P007") -> None:
    folder = runs / name
    folder.mkdir(parents=True)
    writer = RecordingWriter(folder / "session.mcap", {"pseudonym": pseudonym})
    writer.finish()
    writer.close()
    if arms:
        (folder / "summary.json").write_bytes(msgspec.json.encode(Summary(arms)))


def summary(mode: str, error_deg: float) -> ArmSummary:
    spread = Spread(error_deg, 2 * error_deg)
    return ArmSummary(mode, 1, 60.0, 40, None, None, None, None, spread, 250.0, None, None, 0, 0, 0)


def test_recordings_are_found_by_every_word_and_nothing_else_is_opened(tmp_path: Path) -> None:
    runs = tmp_path / "runs"
    recording(runs, "20260101", (summary("feedback", 4.0),))
    recording(runs, "20260102", (), pseudonym="P008")
    (runs / "stray").mkdir()
    (tmp_path / "secret").mkdir()
    assert [item.name for item in recorded.found(runs)] == ["20260102", "20260101"]
    assert [item.name for item in recorded.found(runs, "p007 FEEDBACK")] == ["20260101"]
    assert recorded.found(runs, "p007 trapezoid") == []
    assert recorded.found(tmp_path / "nothing") == []
    for name in ("../secret", "stray", "", ".", ".."):
        assert recorded.one(runs, name) is None


def test_two_recordings_side_by_side_show_both_medians(tmp_path: Path) -> None:
    recording(tmp_path, "a", (summary("off", 12.5),))
    recording(tmp_path, "b", (summary("feedback", 4.25),))
    texts = load_texts()["de"]
    chosen = [item for name in ("a", "b") if (item := recorded.one(tmp_path, name))]
    page = recordings_page.compare_html(texts, chosen)
    assert "12,5° (90 %: 25,0°)" in page
    assert "4,2° (90 %: 8,5°)" in page
    assert texts.get("sessions.compare_hint") in recordings_page.compare_html(texts, chosen[:1])


def test_the_list_says_what_was_never_armed_and_how_many_strides_are_in_no_figure(tmp_path: Path) -> None:
    whole = replace(
        summary("feedback", 1.84), counted_strides=150, left_out_strides={"stopped": 40, "unlock": 9}
    )
    never = replace(summary("trapezoid", 15.8), armed=False, left_out_strides={"stopped": 61})
    recording(tmp_path, "a", (whole,))
    recording(tmp_path, "b", (never,))
    texts = load_texts()["en"]
    page = recordings_page.list_html(texts, recorded.found(tmp_path), "")
    assert "150 (+49 in no figure)" in page
    assert "0 (+61 in no figure)" in page
    assert "not armed" in page
    assert "rapezoid" not in page


@pytest.mark.parametrize(("pseudonym", "linked"), [("P017", True), ("", False)])
def test_a_recording_of_nobody_has_no_link_to_a_person(tmp_path: Path, pseudonym: str, linked: bool) -> None:
    recording(tmp_path, "a", (summary("off", 1.0),), pseudonym=pseudonym)
    page = recordings_page.list_html(load_texts()["en"], recorded.found(tmp_path), "")
    assert (f'<a href="/sessions?q={pseudonym}">{pseudonym}</a>' in page) == linked


def test_a_script_in_a_name_is_shown_and_not_run(tmp_path: Path) -> None:
    evil = "<script>alert(1)<"
    recording(tmp_path, evil, (summary("off", 1.0),), pseudonym="<img src=x onerror=alert(2)>")
    for language in LANGUAGES:
        texts = load_texts()[language]
        page = recordings_page.list_html(texts, recorded.found(tmp_path), '"><script>')
        assert "<script" not in page
        assert "<img" not in page
    settings = ConsoleSettings("127.0.0.1", 0, "runs", pseudonym="</script><script>alert(3)</script>")
    assert "<script>" not in main_html(load_texts()["en"], settings, "AB")


def test_stop_is_a_native_button_in_a_plain_form_before_everything_else() -> None:
    bar = layout.bar(load_texts()["en"], "/", with_state=True)
    assert bar.startswith('<header id="bar"><form method="post" action="/stop"')
    assert bar.index("<button") < bar.index("<a ")
    assert "disabled" not in bar


def test_a_rest_is_due_when_the_first_of_bout_and_session_is_over() -> None:
    limits = {"bout_max_s": (1800.0, "patient"), "session_max_s": (2400.0, "clinic")}
    assert on_time_told({"bout": 604.0, "session": 604.0}, limits) == {"on_s": 600.0, "rest_in_s": 1200.0}
    assert on_time_told({"bout": 60.0, "session": 2000.0}, limits) == {"on_s": 60.0, "rest_in_s": 400.0}
    assert on_time_told({"bout": 1900.0, "session": 1900.0}, limits)["rest_in_s"] == 0.0
    for silent in (None, {}, {"bout": "long"}):
        assert on_time_told(silent, limits) == {}
