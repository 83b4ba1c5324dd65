"""The exercise pages' words and messages: every phase, refusal and muscle can be said, in every language."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path
from typing import get_args

import msgspec
import pytest

from controller.analysis.exercise import ExerciseSummary, MuscleDose
from controller.commands import exercise_check
from controller.commands.programmes import all_programmes
from controller.config.console_settings import ConsoleSettings, read_settings, write_settings
from controller.config.exercise_facts import (
    ContractionFacts,
    ExerciseFacts,
    IntensityFacts,
    ProgrammeFacts,
    Reason,
)
from controller.config.exercise_schema import ProgrammeKind
from controller.console import layout
from controller.console.exercise.exercise_page import SCRIPT_WORDS, bound_words, exercise_html
from controller.console.exercise.programmes_page import programmes_html
from controller.console.i18n import LANGUAGES, load_texts
from controller.console.recordings import exercise_recording, recorded, recordings_page
from controller.core.signals import Phase
from controller.record.writer import RecordingWriter
from controller.runtime.exercise_console import RefusalCode
from controller.safety.judgement.limits import WHO
from drivers.catalogue import STIMULATORS
from models.muscle_names import MuscleName

FACTS = ProgrammeFacts(
    name="short",
    title="Short <b>grasp</b>",
    kind="cyclic",
    aim="To try.",
    source="Nobody",
    minutes=1.2,
    repetitions=6,
    warm_up=1,
    set_of=3,
    contractions=(ContractionFacts("wrist-extensors", 300.0, 35.0, 2.5),),
    cannot=(Reason("ramps and hold last 7 s", "train", "wrist-extensors", 7.0, 3.0, "compiled"),),
    contractions_per_day=60,
)
COMFORT = IntensityFacts("wrist-extensors", 22.0, "comfort")
CHARGE = IntensityFacts("quadriceps", 63.5, "charge_max_uc", "patient")
EXERCISE = ExerciseFacts(FACTS, (COMFORT, CHARGE), (FACTS,), "P24")
SETTINGS = ConsoleSettings("127.0.0.1", 0, "runs", session="today", exercise=EXERCISE)
STATIC = Path(layout.__file__).parent / "static"


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_phase_refusal_muscle_and_kind_has_words(language: str) -> None:
    texts = load_texts("exercise")[language]
    for phase in (*get_args(Phase), "unknown"):
        assert texts.get(f"cue.{phase}")
        assert texts.get(f"cue_more.{phase}")
    for code in (*get_args(RefusalCode), "no_controller", "unanswered"):
        assert texts.get(f"exercise_refused.{code}")
    for muscle in get_args(MuscleName):
        assert texts.get(f"muscle.{muscle}")
        assert texts.get(f"action.{muscle}")
    for kind in get_args(ProgrammeKind):
        assert texts.get(f"programme_kind.{kind}")


def test_a_refused_current_names_the_most_that_is_allowed_and_what_holds_it_there() -> None:
    for texts in load_texts("exercise").values():
        assert "{most}" in texts.get("exercise_refused.most")
        assert "{why}" in texts.get("exercise_refused.most")
        assert "{most}" in texts.get("exercise_refused.step")
        for limit in ("current_max_ma", "charge_max_uc", "density_rms_max_ma_cm2", "energy_max_mj"):
            for who in WHO:
                said = bound_words(texts, replace(CHARGE, bound_by=limit, set_by=who))
                assert limit not in said
                assert texts.get(f"who.{who}") in said
    english = load_texts("exercise")["en"]
    assert bound_words(english, COMFORT) == "comfort maximum of the session file"
    assert bound_words(english, CHARGE) == "guard: charge of a pulse, set by the patient file"


def test_the_pages_of_a_walk_keep_their_words_and_an_exercise_says_its_own() -> None:
    walk, exercise = load_texts(), load_texts("exercise")
    for language in LANGUAGES:
        assert set(walk[language].words) == set(exercise[language].words)
    assert "step" in walk["en"].get("state_text.armed")
    for texts in exercise.values():
        assert not re.search(r"swing|step|walk|Schwung|Schritt|Gehen", texts.get("state_text.armed"))
    assert "Set-up" not in exercise["en"].get("refusal.unanswered")


def test_every_word_that_the_pages_script_says_is_told_to_it() -> None:
    script = "".join(
        (STATIC / name).read_text(encoding="utf-8") for name in ("alarms.js", "rig.js", "exercise.js")
    )
    asked = set(re.findall(r'texts\["([\w.]+)"\]|say\("([\w.]+)"', script))
    texts = load_texts("exercise")["en"]
    for key in {one or other for one, other in asked}:
        assert key in texts.words
        assert key.startswith(SCRIPT_WORDS), key


def test_an_exercise_offers_no_page_of_a_walk() -> None:
    bar = layout.bar(load_texts("exercise")["de"], "/", with_state=True)
    for path in ("/tuning", "/setup", "/profiles"):
        assert f'href="{path}"' not in bar
    for path in ("/", "/checklist", "/programmes", "/audit", "/sessions"):
        assert f'href="{path}"' in bar


def test_the_page_has_a_row_with_both_buttons_for_every_muscle_and_escapes_every_text() -> None:
    texts = load_texts("exercise")["en"]
    page = exercise_html(texts, SETTINGS, EXERCISE, '"><script>')
    assert page.count('data-taps="1"') == page.count('data-taps="-1"') == 2
    assert 'aria-label="1 mA more: Quadriceps"' in page
    assert "at most 63.5 mA: guard: charge of a pulse, set by the patient file" in page
    assert "<b>grasp</b>" not in page
    assert "<script>" not in page


def test_the_programmes_say_what_cannot_be_given_and_why_in_the_readers_language() -> None:
    page = programmes_html(load_texts("exercise")["de"], EXERCISE)
    assert "Handstrecker: Rampen und Halten dauern 7 s; höchstens 3 s." in page
    assert "(Begrenzt durch dieses Programm.)" in page
    assert "about" not in page
    assert "60 Kontraktionen am Tag" in page
    good = programmes_html(
        load_texts("exercise")["en"], replace(EXERCISE, programmes=(replace(FACTS, cannot=()),))
    )
    assert "Can be given here" in good
    assert "running now" in good
    assert "<b>grasp</b>" not in good


WORDS_OF = {  # that a sentence of the other language has none of
    "en": {"höchstens", "mindestens", "durch", "bei", "über", "von", "und", "der", "die", "Pulse", "Muskel"},
    "de": {"at", "most", "least", "allowed", "found", "the", "of", "by", "set", "nearest", "number", "and"},
}


@pytest.mark.parametrize("language", LANGUAGES)
def test_why_a_programme_cannot_be_given_is_said_in_one_language_alone(language: str) -> None:
    texts = load_texts("exercise")[language]
    said = set()
    for device in STIMULATORS:
        told = replace(EXERCISE, programmes=tuple(all_programmes(device)))
        page = programmes_html(texts, told).replace("&#39;", "'")
        assert '<li lang="en"' not in page  # what the file says is marked, reasons need not be
        reasons = [part.partition("</ul>")[0] for part in page.split('<ul class="cannot">')[1:]]
        said |= {line.partition("</li>")[0] for part in reasons for line in part.split("<li>")[1:]}
    assert len(said) >= 5
    for line in said:
        assert not WORDS_OF[language] & set(re.findall(r"\w+", line)), line
        assert "_" not in line, line


def test_every_reason_of_the_check_has_words_and_what_has_none_is_marked_as_english() -> None:
    check = Path(exercise_check.__file__).read_text(encoding="utf-8")
    codes = {*re.findall(r'Reason\(\s*text,\s*"(\w+)"', check), "no_long_pulses"}
    for language in LANGUAGES:
        words = load_texts("exercise")[language].words
        assert {key for key in words if key.startswith("programmes_cannot.")} == {
            f"programmes_cannot.{code}" for code in codes
        }
    unread = replace(FACTS, cannot=(Reason("title: found 3, allowed: <text>"),))
    page = programmes_html(load_texts("exercise")["de"], replace(EXERCISE, programmes=(unread,)))
    assert '<li lang="en">title: found 3, allowed: &lt;text&gt;</li>' in page


def test_the_staged_unlock_counts_contractions_and_is_ended_from_this_page() -> None:
    for texts in load_texts("exercise").values():
        page = exercise_html(texts, SETTINGS, EXERCISE, "")
        assert '<p id="held" role="status" class="notice" hidden>' in page
        assert page.count('id="stage"') == page.count('id="unlock"') == page.count('id="stage-words"') == 1
        words = texts.get("unlock.stage")
        assert re.search(r"contractions|Kontraktionen", words)
        assert not re.search(r"stride|step|Schritt|Zyklen", words)


def test_settings_of_an_exercise_come_back_as_written(tmp_path: Path) -> None:
    write_settings(tmp_path / "console.json", SETTINGS)
    assert read_settings(tmp_path / "console.json") == SETTINGS


def test_every_ready_programme_is_listed_with_its_facts_for_every_stimulator(tmp_path: Path) -> None:
    for device in STIMULATORS:
        listed = list(all_programmes(device))
        assert listed
        for one in listed:
            assert one.title
            assert one.source
            assert one.contractions
            assert one.cannot or one.minutes
            assert not any(".toml" in reason.text for reason in one.cannot)
    (tmp_path / "broken.toml").write_text("[programme]\ntitle = 3\n")
    (broken,) = all_programmes(device, tmp_path)
    assert (broken.name, broken.contractions) == ("broken", ())
    assert broken.cannot


def test_an_exercise_among_the_recordings_is_found_and_says_what_was_done(tmp_path: Path) -> None:
    folder = tmp_path / "20261130"
    folder.mkdir()
    writer = RecordingWriter(folder / "session.mcap", {"pseudonym": "P007"})
    writer.finish()
    writer.close()
    dose = MuscleDose("quadriceps", 11, 300, 1.25, 33.0, 60.5, 61.0)
    done = ExerciseSummary("short", "Strong <legs>", 90.0, 9, 10, False, 2, 0, 1, (dose,))
    (folder / "summary.json").write_bytes(msgspec.json.encode(done))
    (item,) = recorded.found(tmp_path, "strong p007")
    assert item.exercise == done
    texts = load_texts()["de"]  # a walk's console lists it too
    listed = recordings_page.list_html(texts, [item], "")
    assert "Strong &lt;legs&gt;: 9 von 10 Wiederholungen, 2 abgebrochen" in listed
    shared = replace(dose, own_share=0.47, support=0.95)
    said = exercise_recording.done_words(texts, replace(done, muscles=(shared,)))
    assert said.endswith(", eigener Anteil 47 % bei einer Unterstützung von 95 %")
    detail = recordings_page.detail_html(texts, item)
    for figure in ("Quadrizeps", "<td>11</td>", "<td>60,5</td>", "<td>1,25</td>"):
        assert figure in detail
