"""What the browser asks for around an exercise: its page, intensity, pause, checklist, programmes.

Every tap is answered in words where it is not taken. Nothing here arms but the held button.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Literal, get_args

from fastapi import FastAPI, Request
from fastapi.responses import HTMLResponse, JSONResponse, RedirectResponse, Response
from markupsafe import Markup

from controller.config.console_settings import ConsoleSettings
from controller.config.exercise_facts import ExerciseFacts
from controller.console import layout
from controller.console.exercise.exercise_link import ExerciseLink, Unheard
from controller.console.exercise.exercise_page import bound_words, exercise_html, page_facts
from controller.console.exercise.programmes_page import programmes_html
from controller.console.forms import fields, remember, remembered
from controller.console.i18n import Texts
from controller.console.live.feed import Feed
from controller.console.render import render
from controller.console.setup.progress import unanswered
from controller.console.setup.setup_page import checklist_html
from controller.console.tuning import audit
from controller.core.signals import ExerciseRequest
from controller.runtime.exercise_console import Refused
from controller.runtime.tuning import BY_MAX
from controller.safety.judgement.arming_refusals import Refusal
from controller.safety.judgement.contraindications import ANSWERS, QUESTION, objections

Op = Literal["pause", "go_on", "skip"]
OPS: dict[str, ExerciseRequest] = {op: ExerciseRequest(op) for op in get_args(Op)}


class ExercisePages:
    """The pages of one exercise session, for all browsers."""

    scripts = ("alarms", "rig", "exercise", "socket")

    def __init__(
        self,
        rig: Path,
        settings: ConsoleSettings,
        facts: ExerciseFacts,
        feed: Feed,
        *,
        texts_of: Callable[[Request], Texts],
    ) -> None:
        self._settings = settings
        self._facts = facts
        self._feed = feed
        self._texts_of = texts_of
        self._answers: dict[str, str] = {}
        self.link = ExerciseLink(rig)

    def routes(self, app: FastAPI) -> None:
        app.post("/exercise/tap")(self.tap)
        app.post("/exercise/ask/{op}")(self.ask)
        app.post("/exercise/by")(self.sign)
        app.get("/checklist")(self.checklist)
        app.post("/checklist")(self.answer)
        app.get("/programmes")(self.programmes)
        app.get("/audit")(self.audit)
        app.get("/now")(self.now)

    def note(self, text: str, by: str) -> None:
        """There is no blinded view of a programme, and so nothing to note of one."""

    async def run(self) -> None:
        """The line to the controller."""
        await self.link.run()

    async def close(self) -> None:
        pass

    def draw(self, texts: Texts, request: Request) -> Markup:
        """The page of the session between bar and footer, with what its scripts are told."""
        page = exercise_html(texts, self._settings, self._facts, remembered(request))
        return page + page_facts(texts, self._facts)

    # --- the programme

    async def tap(self, request: Request) -> Response:
        """One tap on a muscle's intensity: 1 mA more, or less."""
        form = await fields(request)
        muscle, taps = form.get("muscle", ""), {"1": 1, "-1": -1}.get(form.get("taps", ""))
        if taps is None:
            return Response(status_code=422)
        if taps < 0 and self._set_ma(muscle) == 0.0:
            return JSONResponse({"said": self._texts_of(request).get("exercise_refused.least")})
        answer = await self.link.tap(muscle, taps, self._by(request))
        return self._answered(request, muscle, answer)

    async def ask(self, request: Request, op: str) -> Response:
        if op not in OPS:
            return Response(status_code=404)
        answer = await self.link.ask(OPS[op], self._by(request))
        return self._answered(request, "", answer)

    def _set_ma(self, muscle: str) -> float | None:
        told = self.link.now
        return next((m.set_ma for m in told.view.muscles if m.muscle == muscle), None) if told else None

    def _by(self, request: Request) -> str:
        """Who signs at this browser; nobody has to before a first tap."""
        return remembered(request) or "console"

    def _answered(self, request: Request, muscle: str, answer: Refused | Unheard | None) -> Response:
        return JSONResponse({"said": self.refusal(self._texts_of(request), muscle, answer)})

    def refusal(self, texts: Texts, muscle: str, answer: Refused | Unheard | None) -> str:
        """In words, with what binds; empty where the request was taken."""
        if answer is None:
            return ""
        if not isinstance(answer, Refused):
            return texts.get(f"exercise_refused.{answer.replace(' ', '_')}")
        bound = next((one for one in self._facts.intensities if one.muscle == muscle), None)
        return texts.get(f"exercise_refused.{answer.code}").format(
            most="" if answer.most_ma is None else texts.figure(answer.most_ma),
            why="" if bound is None else bound_words(texts, bound),
        )

    async def sign(self, request: Request) -> Response:
        """Who makes the changes at this browser from now on."""
        by = (await fields(request)).get("by", "")
        answer = RedirectResponse("/", status_code=303)
        if 0 < len(by) <= BY_MAX:
            remember(answer, by)
        return answer

    # --- pages without live data

    async def checklist(self, request: Request) -> Response:
        return self._checklist(request)

    async def answer(self, request: Request) -> Response:
        """Today's answers, for the guard to judge."""
        form, texts = await fields(request), self._texts_of(request)
        by = form.get("by", "")
        answers = {key: form[key] for key in QUESTION if form.get(key) in ANSWERS}
        if missing := unanswered(answers):
            question = texts.get(f"question.{missing[0]}")
            problem = texts.get("setup.unanswered").format(question=question)
            return self._checklist(request, problem=problem, status=409, answers=answers)
        if not 0 < len(by) <= BY_MAX:
            return self._checklist(request, problem=texts.get("setup.who"), status=409, answers=answers)
        self._answers = answers
        self._feed.answer(answers, by)  # allowed or not: the guard judges them, and disarms
        answer = (
            self._checklist(request, problem=self._forbidden(texts), status=409)
            if self._objections()
            else RedirectResponse("/", status_code=303)
        )
        remember(answer, by)
        return answer

    def _objections(self) -> tuple[Refusal, ...]:
        """Why today's answers forbid this programme, as the guard judges them."""
        muscles = [one.muscle for one in self._facts.intensities]
        return objections(self._answers, muscles, self._facts.caps)

    def _forbidden(self, texts: Texts) -> str:
        questions = dict.fromkeys(texts.get(f"question.{one.name}") for one in self._objections())
        return " ".join((texts.get("setup.forbidden"), *questions))

    def _checklist(
        self,
        request: Request,
        *,
        problem: str = "",
        status: int = 200,
        answers: Mapping[str, str] | None = None,
    ) -> Response:
        """The page; with ``answers`` as they were ticked, in place of those that count."""
        texts = self._texts_of(request)
        ticked = self._answers if answers is None else answers
        sign = render("tuning/signature", texts, by=remembered(request), by_max=BY_MAX)
        body = render(
            "exercise/checklist",
            texts,
            problem=problem,
            good=bool(self._answers) and not self._objections(),
            checklist=checklist_html(texts, self._settings, ticked, "/checklist", more=sign),
        )
        return self._page(texts, "/checklist", "checklist.title", body, status)

    async def programmes(self, request: Request) -> Response:
        texts = self._texts_of(request)
        return self._page(texts, "/programmes", "programmes.title", programmes_html(texts, self._facts))

    async def audit(self, request: Request) -> Response:
        texts, told = self._texts_of(request), self.link.now
        entries = audit.newest_first(told.trail if told else ())
        return self._page(texts, "/audit", "audit.title", audit.audit_html(texts, entries))

    async def now(self) -> Response:
        """The guard's state, for the bar of the pages without live data."""
        told = {"state": self._feed.state, "scope": self._feed.scope, "alarms": self._feed.alarms}
        return JSONResponse(told)

    def _page(self, texts: Texts, here: str, title: str, body: Markup, status: int = 200) -> Response:
        page = layout.whole_page(texts, here, texts.get(title), body, with_state=True)
        return HTMLResponse(page, status_code=status)
