"""What the exercise pages answer without a rig: the checklist as judged, taps that nobody hears."""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import httpx
import pytest
from fastapi import FastAPI, Request

from controller.config.console_settings import ConsoleSettings
from controller.config.exercise_facts import ContractionFacts, ExerciseFacts, IntensityFacts, ProgrammeFacts
from controller.console.exercise.routes import ExercisePages
from controller.console.i18n import Texts, load_texts
from controller.console.live.feed import Feed
from controller.safety.judgement.contraindications import QUESTIONS

SHOULDER = ProgrammeFacts(
    "shoulder", "Shoulder", "cyclic", "Holds it.", "Nobody", 10.0, 10, 0, None,
    (ContractionFacts("supraspinatus", 300.0, 35.0, 6.0),),
)  # fmt: skip
FACTS = ExerciseFacts(SHOULDER, (IntensityFacts("supraspinatus", 30.0, "comfort"),), (SHOULDER,), "P24")


class Client:
    """A browser without scripts: it keeps cookies, and follows nothing."""

    def __init__(self, app: FastAPI) -> None:
        self._app = app
        self._cookies = httpx.Cookies()

    def get(self, path: str) -> httpx.Response:
        return self._ask("GET", path, {})

    def post(self, path: str, data: dict[str, str] | None = None) -> httpx.Response:
        return self._ask("POST", path, data or {})

    def _ask(self, method: str, path: str, data: dict[str, str]) -> httpx.Response:
        async def ask() -> httpx.Response:
            transport = httpx.ASGITransport(self._app)
            async with httpx.AsyncClient(
                transport=transport, base_url="http://console", cookies=self._cookies
            ) as client:
                answer = await client.request(method, path, data=data)
                self._cookies = client.cookies
                return answer

        with ThreadPoolExecutor(1) as thread:  # the browser tests of this folder keep a loop in this one
            return thread.submit(asyncio.run, ask()).result()


GOOD = {question.key: "no" for question in QUESTIONS}


@pytest.fixture
def told() -> list[dict[str, str]]:
    """The answers that the guard was told."""
    return []


@pytest.fixture
def console(tmp_path: Path, told: list[dict[str, str]]) -> Client:
    settings = ConsoleSettings("127.0.0.1", 0, str(tmp_path), exercise=FACTS)
    feed = Feed(tmp_path, settings, lambda _: None)

    def answer(answers: dict[str, str], by: str) -> None:
        told.append(answers)

    feed.answer = answer  # type: ignore[assignment, method-assign]
    texts = load_texts("exercise")["en"]

    def texts_of(request: Request) -> Texts:
        return texts

    app = FastAPI()
    ExercisePages(tmp_path, settings, FACTS, feed, texts_of=texts_of).routes(app)
    return Client(app)


def test_good_answers_go_to_the_guard_and_back_to_the_exercise(
    console: Client, told: list[dict[str, str]]
) -> None:
    answer = console.post("/checklist", data={**GOOD, "by": "AB"})
    assert (answer.status_code, answer.headers["location"]) == (303, "/")
    assert told == [GOOD]
    assert "Nothing speaks against stimulation" in console.get("/checklist").text
    assert 'value="AB"' in console.get("/checklist").text


@pytest.mark.parametrize("key", ["heart", "epilepsy"])
def test_what_is_accepted_and_still_forbids_this_place_is_told_and_named(
    console: Client, told: list[dict[str, str]], key: str
) -> None:
    """At the shoulder: controller.safety.judgement.contraindications.RULES."""
    answer = console.post("/checklist", data={**GOOD, key: "accepted", "by": "AB"})
    assert answer.status_code == 409
    assert "These answers do not allow stimulation" in answer.text
    assert load_texts()["en"].get(f"question.{key}") in answer.text
    assert "Nothing speaks against" not in answer.text
    assert len(told) == 1  # the guard judges them too


@pytest.mark.parametrize("left_out", ["by", "skin"])
def test_an_answer_or_a_name_left_out_goes_to_nobody(
    console: Client, told: list[dict[str, str]], left_out: str
) -> None:
    form = {**GOOD, "by": "AB"}
    del form[left_out]
    assert console.post("/checklist", data=form).status_code == 409
    assert told == []


def test_a_request_that_no_controller_hears_says_that_nothing_was_changed(console: Client) -> None:
    said = {"said": "The controller is not running. Nothing was changed."}
    tap = {"muscle": "supraspinatus", "taps": "1"}
    assert console.post("/exercise/tap", data=tap).json() == said
    assert console.post("/exercise/ask/pause").json() == said
    assert console.post("/exercise/tap", data={**tap, "taps": "50"}).status_code == 422
    assert console.post("/exercise/ask/intensity").status_code == 404


def test_the_other_pages_are_there(console: Client) -> None:
    assert "Shoulder" in console.get("/programmes").text
    assert "No change in this session yet" in console.get("/audit").text
    assert console.get("/now").json() == {"state": "unknown", "scope": "", "alarms": []}


def test_initials_are_kept_for_the_next_change(console: Client) -> None:
    assert console.post("/exercise/by", data={"by": "CD"}).status_code == 303
    assert 'value="CD"' in console.get("/checklist").text
    assert "set-cookie" not in console.post("/exercise/by", data={"by": "X" * 21}).headers


def test_tens_is_forbidden_where_little_is_felt_though_a_clinician_accepts_it(tmp_path: Path) -> None:
    facts = replace(FACTS, caps="comfort")
    settings = ConsoleSettings("127.0.0.1", 0, str(tmp_path), exercise=facts)
    texts = load_texts("exercise")["en"]
    app = FastAPI()
    feed = Feed(tmp_path, settings, lambda _: None)
    ExercisePages(tmp_path, settings, facts, feed, texts_of=lambda _: texts).routes(app)
    answer = Client(app).post("/checklist", data={**GOOD, "sensation": "accepted", "by": "AB"})
    assert answer.status_code == 409
