"""What the browser asks for around the set-up: its steps, test trains, the identification tests.

Promises that every step a person confirms is checked against what the rig says, and recorded. Refuses a train
that nobody judged the one before of.
"""

from __future__ import annotations

import asyncio
import contextlib
import math
import time
from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import replace
from pathlib import Path

from fastapi import FastAPI, Request
from fastapi.responses import HTMLResponse, JSONResponse, RedirectResponse, Response

from controller.config.console_settings import ConsoleSettings
from controller.console import layout
from controller.console.forms import fields
from controller.console.hold_button import HoldButton
from controller.console.i18n import Texts
from controller.console.live.blinded_view import assessors
from controller.console.live.browser_messages import Json
from controller.console.live.feed import Feed, Scope
from controller.console.setup import progress, setup_page
from controller.console.setup.identification import Identification
from controller.console.setup.last_answers import setup_file
from controller.console.setup.leg_drawing import MARKED, place_on_leg
from controller.console.setup.patient_file_page import PatientFilePage
from controller.console.setup.progress import PADS, STEPS, SetupState, Step, unanswered
from controller.console.setup.seated_test import SeatedTest
from controller.console.setup.threshold_search import ThresholdSearch
from controller.console.tuning import audit
from controller.console.tuning.controller_link import TuningLink
from controller.ipc import bus
from controller.record.records import Audit
from controller.runtime.tuning import BY_MAX, CEILING, SAME_MA
from controller.safety.judgement.contraindications import ANSWERS, QUESTION
from drivers.catalogue import is_inertial

SENSOR_AGE_MAX_MS = 300.0
KEPT = 200  # entries of the trail
TIGHTEN_ANSWER_S = 2.0
PLANNED_S = 5.0  # the controller's next boundary: at once where the leg stands

ABLE = ("armed", "active")


class SetupPages:
    """The set-up of one session, for all browsers."""

    def __init__(
        self,
        rig: Path,
        settings: ConsoleSettings,
        feed: Feed,
        link: TuningLink,
        *,
        texts_of: Callable[[Request], Texts],
        sees: Callable[[Request], bool] = lambda _: True,
    ) -> None:
        self._rig = rig
        self._settings = settings
        self._feed = feed
        self._link = link
        self._texts_of = texts_of
        self._sees = sees
        runs = Path(settings.runs)
        self._file = setup_file(runs, settings.pseudonym)
        self._folder = runs / settings.session
        self._state = progress.load(self._file, settings.session)
        self._trail: deque[Audit] = deque(maxlen=KEPT)
        self._button = HoldButton()
        self._walk_ns: int | None = None  # when the last step was opened
        self._search = ThresholdSearch(
            feed, link, lambda: self._state, keep=self._keep, refuse=self._refuse, stay=self._stay
        )
        self._seated = SeatedTest(
            settings, feed, link, lambda: self._state, note=self.note, texts_of=texts_of
        )
        self._tests = Identification(self._folder, virtual=settings.virtual, done=self._identified)
        self._patient_file = PatientFilePage(settings, lambda: self._state, self._keep, texts_of=texts_of)
        self._remember_comfort()
        if not unanswered(self._state.answers):
            self._feed.answer(self._state.answers, self._state.by)

    def trail(self) -> Iterable[Audit]:
        return tuple(self._trail)

    def found(self) -> dict[str, float]:
        """Thresholds and identified numbers, for a profile."""
        marks = {f"{mark}_ma": value for mark, value in self._state.thresholds.items()}
        return {**{f"thresholds.{key}": value for key, value in marks.items()}, **self._state.identified}

    def routes(self, app: FastAPI) -> None:
        self._seated.routes(app)
        app.get("/setup")(self.page)
        app.get("/now")(self.now)
        for step in STEPS:
            app.post(f"/setup/{step}")(getattr(self, f"post_{step}"))
        app.get("/setup/file")(self._patient_file.page)
        app.post("/setup/file")(self._patient_file.write)
        app.post("/setup/anew")(self.anew)
        app.post("/setup/virtual")(self.virtual)
        app.post("/setup/pads")(self.mark_pad)
        app.post("/setup/hold")(self.hold)
        app.post("/setup/guard/{op}")(self.guard)
        app.post("/setup/train")(self._search.train)
        app.post("/setup/effect")(self._search.effect)
        app.post("/setup/level")(self._search.level)
        app.post("/setup/search-again")(self.search_again)
        app.post("/setup/tests/run")(self.run_tests)
        app.get("/setup/tests/progress")(self._tests.progress)
        app.get("/setup/tests/fit.png")(self._tests.fit)

    # --- pages ---

    async def page(self, request: Request) -> Response:
        return self._page(request)

    def _page(
        self, request: Request, *, problem: str = "", status: int = 200, state: SetupState | None = None
    ) -> Response:
        """The set-up as it is, or as ``state`` shows it."""
        texts, state = self._texts_of(request), state or self._state
        wishes = (request.query_params.get("step", ""), request.url.path.removeprefix("/setup/"))
        shown = next((step for step in STEPS if step in wishes), self._state.step)
        if shown == "walk" and self._walk_ns is None:
            self._walk_ns = time.monotonic_ns()
        if shown is None:
            body = setup_page.finished_html(texts, self._state)
        else:
            problem = problem or (self._tests.word if shown == "tests" else "")
            body = setup_page.setup_html(
                texts,
                self._settings,
                state,
                shown,
                problem=problem,
                busy=self._tests.busy,
                most_ma=self._search.most_ma(),
            )
        page = layout.whole_page(texts, "/setup", texts.get("setup.title"), body, with_state=True)
        return HTMLResponse(page, status_code=status)

    def _refuse(self, request: Request, key: str, **values: str) -> Response:
        """The page of the step a form came from, with the reason."""
        return self._page(request, problem=self._texts_of(request).get(key).format(**values), status=409)

    def _next(self, step: Step, text: str) -> Response:
        self._state.finish(step)
        self._keep(text)
        return RedirectResponse("/setup", status_code=303)

    def _stay(self, step: Step) -> Response:
        progress.save(self._file, self._state)
        return RedirectResponse(f"/setup?step={step}", status_code=303)

    def _keep(self, text: str) -> None:
        """Save, and record what was confirmed: in the trail, and in the recording."""
        progress.save(self._file, self._state)
        self._remember_comfort()
        self.note(text, self._state.by)

    def note(self, text: str, by: str) -> None:
        """What somebody did, into the trail and the recording."""
        self._trail.append(audit.recorded(self._rig, text, by))

    def _remember_comfort(self) -> None:
        """The feed holds every arming for walking to what was kept, and below what is too strong today."""
        kept, most_ma = self._state, self._state.most_ma
        self._feed.comfort = None if most_ma is None else (most_ma, kept.comfort_by or kept.by)

    def _assisted(self) -> int:
        """Assisted strides since the last step was opened."""
        return 0 if self._walk_ns is None else self._feed.assisted(self._walk_ns)

    async def now(self, request: Request) -> Response:
        """What the pages' script shows: asked for three times a second."""
        feed, told = self._feed, self._link.now
        sensors = [
            {
                "name": name,
                "age_ms": feed.sensor_age_ms(name),
                "link": feed.link(name),
                "axes": name in told.found if is_inertial(device) and told is not None else None,
            }
            for name, device, _ in self._settings.sensors
        ]
        pace = feed.pace()
        news: Json = {
            "state": feed.state,
            "alarms": feed.alarms,
            "refusals": feed.refusals,
            "sensors": sensors,
            "findings": told.findings if told else [],
            "walking": told.walking if told else None,
            "strides": feed.stride_count,
            "assisted": self._assisted(),
            "scope": feed.scope,
            "error_deg": pace.error_deg if pace else None,
            "moved_deg": self._search.moved_deg(),
            "answered": feed.answered,
            "needed": feed.needed,
            "then": told.walk.mode if told else None,
            "applied_ma": feed.newest("applied_ma"),
            "running": told.probe.running if told else False,
            "ended": told.probe.ended if told else "",
            "seated": self._seated.now(),
        }
        return JSONResponse(news if self._sees(request) else assessors(news))

    # --- steps ---

    async def post_patient(self, request: Request) -> Response:
        by = (await fields(request)).get("by", "")
        if not 0 < len(by) <= BY_MAX:
            return self._refuse(request, "setup.who")
        self._state.by = by
        return self._next("patient", f"person confirmed: {self._settings.pseudonym}")

    async def post_checklist(self, request: Request) -> Response:
        form = await fields(request)
        answers = {key: form[key] for key in QUESTION if form.get(key) in ANSWERS}
        missing = unanswered(answers)
        if missing:
            texts = self._texts_of(request)
            problem = texts.get("setup.unanswered").format(question=texts.get(f"question.{missing[0]}"))
            return self._page(
                request, problem=problem, status=409, state=replace(self._state, answers=answers)
            )
        self._state.answers = answers
        self._feed.answer(answers, self._state.by)  # allowed or not: the guard judges them, and disarms
        said = ", ".join(f"{key} {answer}" for key, answer in answers.items())
        if self._state.objections():
            self._state.reopen("checklist")
            self._keep(f"checklist does not allow stimulation: {said}")
            return self._refuse(request, "setup.forbidden")
        return self._next("checklist", f"checklist: {said}")

    async def post_sensors(self, request: Request) -> Response:
        told = self._link.now
        for name, device, _ in self._settings.sensors:
            age_ms = self._feed.sensor_age_ms(name)
            if is_inertial(device) and (age_ms is None or age_ms > SENSOR_AGE_MAX_MS):
                return self._refuse(request, "setup.silent", sensor=name)
            if is_inertial(device) and (told is None or name not in told.found):
                return self._refuse(request, "setup.no_axes", sensor=name)
        if told is not None and told.findings:
            return self._refuse(request, "setup.finding", finding=told.findings[0])
        return self._next("sensors", "sensors found and placed")

    async def post_electrodes(self, request: Request) -> Response:
        if self._feed.state not in ABLE:
            return self._refuse(request, "setup.not_armed")
        return self._next("electrodes", "electrodes placed, tested by the guard when arming")

    async def mark_pad(self, request: Request) -> Response:
        """Where a pad sits on this person; the next session shows it."""
        form = await fields(request)
        pad = next((one for one in PADS if one == form.get("pad")), None)
        place = place_on_leg(form.get("x", ""), form.get("y", ""))
        if pad is None or place is None:
            return Response(status_code=422)
        self._state.pads[pad] = place
        self._keep(f"{MARKED[pad]} {place[0]}, {place[1]} of the drawing")
        return Response(status_code=204)

    async def post_thresholds(self, request: Request) -> Response:
        """What was found binds from here on: the guard's largest current, and with it every plan."""
        comfort_ma = self._state.thresholds.get("comfort")
        if comfort_ma is None:
            return self._refuse(request, "setup.no_comfort")
        if not await self._tightened(comfort_ma):
            return self._refuse(request, "setup.not_tightened")
        await self._planned(comfort_ma)
        self._state.comfort_ma, self._state.comfort_by = comfort_ma, self._state.by
        self._remember_comfort()
        self._end_tests()
        found = ", ".join(f"{mark} {value:g} mA" for mark, value in self._state.thresholds.items())
        return self._next("thresholds", f"thresholds: {found}")

    async def post_tests(self, request: Request) -> Response:
        self._end_tests()
        found = ", ".join(f"{key} {value:g}" for key, value in self._state.identified.items())
        return self._next("tests", f"identified: {found}" if found else "identification tests left out")

    async def run_tests(self, request: Request) -> Response:
        self._tests.begin(at_plate=(await fields(request)).get("at") == "plate")
        return self._stay("tests")

    def _identified(self, numbers: dict[str, float]) -> None:
        self._state.identified = numbers
        progress.save(self._file, self._state)

    async def post_walk(self, request: Request) -> Response:
        assisted = self._assisted()
        if "thresholds" not in self._state.done:
            return self._refuse(request, "setup.no_thresholds")
        if not assisted and self._sees(request):  # of a blinded arm, a refusal would tell that it is off
            return self._refuse(request, "setup.no_step")
        return self._next("walk", f"first steps: {assisted} assisted since this step was opened")

    async def anew(self) -> Response:
        kept, self._walk_ns = self._state, None
        self._state = SetupState(
            kept.session, by=kept.by, comfort_ma=kept.comfort_ma, comfort_by=kept.comfort_by, pads=kept.pads
        )
        self._keep("set-up begun anew")
        return RedirectResponse("/setup", status_code=303)

    # --- arming, test trains ---

    async def hold(self, request: Request) -> Response:
        """The button that arms: down, held (again and again), up; as on the live page."""
        form = await fields(request)
        if self._button.held(form.get("what")):
            scope: Scope = (
                "walk" if form.get("step") == "walk" else "tests"
            )  # walking is the last step's alone
            self._feed.arm(scope, screen=form.get("screen", ""))
        return Response(status_code=204)

    async def _tightened(self, current_max_ma: float) -> bool:
        """Lower the guard's largest current, and wait for its word that it holds."""
        self._feed.tighten(current_max_ma, self._state.by)
        until_s = time.monotonic() + TIGHTEN_ANSWER_S
        while time.monotonic() < until_s:
            held_ma, _ = self._feed.limits.get("current_max_ma", (math.inf, ""))
            if held_ma <= current_max_ma:
                return True
            await asyncio.sleep(0.02)
        return False

    async def _planned(self, current_max_ma: float) -> None:
        """Wait until the controller plans with it, too: no page after this one shows the value before."""
        until_s = time.monotonic() + PLANNED_S
        while time.monotonic() < until_s:
            told = self._link.now
            if told is None or told.values[CEILING] < current_max_ma + SAME_MA:
                return
            await asyncio.sleep(0.02)

    def _end_tests(self) -> None:
        """Arming for walking is an act of its own: what was armed for test trains is not any more."""
        self._walk_ns = None
        if self._feed.scope == "tests" and self._feed.state in ABLE:
            self._feed.request("disarm")

    async def guard(self, op: str) -> Response:
        if op not in ("disarm", "unlock"):  # an alarm is acknowledged at its card, which says the cause
            return Response(status_code=404)
        self._feed.request(op)
        return Response(status_code=204)

    async def search_again(self) -> Response:
        progress.restart_search(self._state)
        self._walk_ns = None
        self._state.reopen("thresholds")
        return self._stay("thresholds")

    async def virtual(self, request: Request) -> Response:
        """The virtual patient stands, walks or sits, as a person would when asked."""
        what = (await fields(request)).get("do", "")
        if self._settings.virtual and what in ("stand", "walk", "sit"):
            with contextlib.suppress(TimeoutError, OSError):
                sender = bus.Sender(bus.connect(self._rig, "world", timeout_s=0.0))
                sender.send(what.encode())
                sender.close()
        back = request.headers.get("referer", "")
        step = next((step for step in STEPS if back.endswith(f"step={step}")), None)
        return RedirectResponse(f"/setup?step={step}" if step else "/setup", status_code=303)

    async def close(self) -> None:
        self._tests.close()
        await self._seated.close()
