"""What the browser asks for around tuning: the page, proposals and their previews, the trail, profiles.

Promises that nothing is applied without the preview having been there, a name and a reason; a form made from
settings that no longer hold is refused and says so.
"""

from __future__ import annotations

import contextlib
import re
import time
from collections import OrderedDict
from collections.abc import Callable, Iterable
from itertools import count

from fastapi import FastAPI, Request
from fastapi.responses import HTMLResponse, JSONResponse, RedirectResponse, Response
from markupsafe import Markup

from controller.config.console_settings import ConsoleSettings
from controller.config.tunables import BY_KEY, objections
from controller.console import layout
from controller.console.forms import fields, remember, remembered
from controller.console.i18n import Texts
from controller.console.live.feed import Feed
from controller.console.render import render
from controller.console.tuning import audit, tuning_page
from controller.console.tuning.controller_link import TuningLink
from controller.console.tuning.preview_client import PreviewWorker
from controller.console.tuning.preview_messages import Ceiling, Question
from controller.console.tuning.profiles import LAST, Profiles, text
from controller.console.tuning.profiles_page import profiles_html
from controller.console.tuning.tuning_page import Proposal
from controller.errors import InputError
from controller.record.records import Audit, Change
from controller.runtime.tuning import BY_MAX, Wish, unsigned

KEPT = 20  # proposals that can still be looked at
CEILINGS = ("current_max_ma", "charge_max_uc", "dose_max_uc")
VERSION = re.compile("[0-9]{1,9}")
NO_PACE_STRIDE_S, NO_PACE_CV = 1.4, 0.025  # the default patient's, before anybody walked

TextsOf = Callable[[Request], Texts]
Extra = Callable[[], Iterable[Audit]]


class TuningPages:
    """The pages' handlers, and the proposals people look at."""

    def __init__(
        self,
        settings: ConsoleSettings,
        feed: Feed,
        link: TuningLink,
        profiles: Profiles,
        *,
        texts_of: TextsOf,
        trail: Extra,
        found: Callable[[], dict[str, float]],
    ) -> None:
        self._settings = settings
        self._feed = feed
        self._link = link
        self._profiles = profiles
        self._texts_of = texts_of
        self._more = trail
        self._found = found
        self._worker = PreviewWorker()
        self._numbers = count(1)
        self._proposals: OrderedDict[int, Proposal] = OrderedDict()
        self._last = profiles.last()
        self._kept = 0  # version of the settings kept
        link.on_told = self.heard

    def heard(self) -> None:
        """The controller has told something: settings that a person changed are kept for the next start."""
        told = self._link.now
        if told is None or told.version == 0:
            self._kept = 0
        if told is None or told.waiting or told.version == self._kept:
            return
        by = next((entry.by for entry in told.trail[::-1] if entry.kind != "refused"), "")
        self._keep(told.values, by)
        self._kept = told.version

    def _keep(self, values: dict[str, float], by: str) -> None:
        with contextlib.suppress(OSError):
            self._last = self._profiles.save(LAST, by, "", values, self._found())

    def left_over(self) -> dict[str, float]:
        """What the last session, or the controller before this one, had otherwise; empty once changed."""
        told = self._link.now
        if told is None or told.version or self._last is None:
            return {}
        return {
            key: value
            for key, value in self._last.values.items()
            if key in told.allowed and value != told.values[key]
        }

    async def close(self) -> None:
        await self._worker.close()

    def routes(self, app: FastAPI) -> None:
        app.get("/tuning")(self.page)
        app.post("/tuning/propose")(self.propose)
        app.get("/tuning/proposal/{number}")(self.proposal)
        app.get("/tuning/proposal/{number}/progress")(self.progress)
        app.post("/tuning/proposal/{number}/apply")(self.apply)
        app.post("/tuning/undo")(self.undo)
        app.post("/tuning/keep")(self.keep)
        app.get("/audit")(self.audit)
        app.get("/profiles")(self.profile_list)
        app.post("/profiles/save")(self.save)
        app.get("/profiles/{name}.toml")(self.export)
        app.post("/profiles/{name}/propose")(self.propose_profile)

    # --- tuning ---

    async def page(self, request: Request) -> Response:
        self._worker.warm()
        texts = self._texts_of(request)
        done = request.query_params.get("done", "")
        notice = texts.get(f"tuning.done_{done}") if f"tuning.done_{done}" in texts.words else ""
        return self._tuning(request, notice=notice)

    def _tuning(
        self,
        request: Request,
        *,
        notice: str = "",
        typed: dict[str, str] | None = None,
        problems: dict[str, str] | None = None,
        status: int = 200,
    ) -> Response:
        texts = self._texts_of(request)
        by = remembered(request)
        body = tuning_page.tuning_html(
            texts,
            self._link.now,
            typed=typed or {},
            problems=problems or {},
            notice=notice,
            by=by,
            left_over=self.left_over(),
        )
        return self._page(texts, "/tuning", "tuning.title", body, status)

    async def propose(self, request: Request) -> Response:
        texts, told = self._texts_of(request), self._link.now
        form = await fields(request)
        if told is None:
            return self._tuning(request, status=503)
        typed = {key: form[key] for key in BY_KEY if key in form}
        problems: dict[str, str] = {}
        wanted: dict[str, float] = {}
        for key, given in typed.items():
            value = tuning_page.read_number(given)
            if value is None:
                name = texts.get(f"knob.{key}.name")
                problems[key] = texts.get("tuning.no_number").format(name=name, found=given[:40])
            elif value != told.values[key]:
                wanted[key] = value
        for key, value in wanted.items():
            if objections({key: value}, told.allowed):
                problems[key] = texts.get("tuning.out_of_range").format(
                    name=texts.get(f"knob.{key}.name"),
                    found=texts.figure(value),
                    allowed=tuning_page.range_words(texts, told.allowed[key]),
                )
        if form.get("version") != str(told.version):
            problems = {"version": texts.get("tuning.stale_form"), **problems}
        if problems:
            return self._tuning(
                request, typed=typed, problems=problems, status=409 if "version" in problems else 422
            )
        return self.begin(request, wanted)

    def begin(self, request: Request, wanted: dict[str, float]) -> Response:
        """Make a proposal, start its preview, and go to its page."""
        texts, told = self._texts_of(request), self._link.now
        if told is None or not wanted:
            return self._tuning(request, notice=texts.get("tuning.nothing"))
        pace = self._feed.pace()
        ceilings = tuple(
            Ceiling(name, *self._feed.limits[name]) for name in CEILINGS if name in self._feed.limits
        )
        question = Question(
            params=told.params,
            wanted=wanted,
            stride_s=pace.stride_s if pace else NO_PACE_STRIDE_S,
            stride_cv=pace.stride_cv if pace else NO_PACE_CV,
            speed_mps=self._settings.speed_mps,
            measured_error_deg=pace.error_deg if pace else None,
            ceilings=ceilings,
        )
        number = next(self._numbers)
        changes = tuple(Change(key, told.values[key], value) for key, value in wanted.items())
        measured = pace is not None and pace.error_deg is not None
        self._proposals[number] = Proposal(
            number, told.version, changes, self._worker.ask(question), measured
        )
        while len(self._proposals) > KEPT:
            self._proposals.popitem(last=False)
        return RedirectResponse(f"/tuning/proposal/{number}", status_code=303)

    async def proposal(self, request: Request, number: int) -> Response:
        return self._proposal(request, number)

    def _proposal(self, request: Request, number: int, *, problem: str = "", status: int = 200) -> Response:
        texts, found = self._texts_of(request), self._proposals.get(number)
        if found is None:
            body = render("tuning/unknown", texts)
            return self._page(texts, "/tuning", "tuning.proposal", body, 404)
        by = remembered(request)
        body = tuning_page.proposal_html(texts, found, self._link.now, by, problem)
        return self._page(texts, "/tuning", "tuning.proposal", body, status)

    async def progress(self, number: int) -> Response:
        found = self._proposals.get(number)
        if found is None:
            return JSONResponse({"done": True, "progress": 1.0}, status_code=404)
        return JSONResponse({"done": found.job.done, "progress": found.job.progress})

    async def apply(self, request: Request, number: int) -> Response:
        texts, found = self._texts_of(request), self._proposals.get(number)
        form = await fields(request)
        by, reason = form.get("by", ""), form.get("reason", "")
        if found is None or found.job.preview is None or found.old:
            return self._proposal(request, number, problem=texts.get("tuning.no_preview"), status=409)
        figures = tuning_page.figures_of(found.job.preview)
        wish = Wish(found.version, found.wanted, by, reason, time.time_ns(), "change", figures)
        why = unsigned(by, reason) or await self._link.wish(wish)
        if why:
            return self._proposal(request, number, problem=self._words(texts, why), status=409)
        self._proposals.pop(number, None)
        return self._done("change", by)

    async def undo(self, request: Request) -> Response:
        texts, told = self._texts_of(request), self._link.now
        form = await fields(request)
        by, version = form.get("by", ""), form.get("version", "")
        last = None
        if told is not None:
            last = next((entry for entry in told.trail[::-1] if entry.kind in ("change", "undo")), None)
        if last is None or not VERSION.fullmatch(version):
            return self._tuning(request, notice=texts.get("tuning.nothing_to_undo"), status=409)
        wanted = {change.key: change.old for change in last.changes}
        reason = texts.get("tuning.undo_reason").format(version=last.version)
        why = unsigned(by, reason) or await self._link.wish(
            Wish(int(version), wanted, by, reason, time.time_ns(), "undo")
        )
        if why:
            return self._tuning(request, problems={"version": self._words(texts, why)}, status=409)
        return self._done("undo", by)

    async def keep(self) -> Response:
        """The settings of the session file shall hold: what was left over is forgotten."""
        told = self._link.now
        if told is not None and self.left_over():
            self._keep(told.values, self._last.by if self._last else "")
        return RedirectResponse("/tuning", status_code=303)

    @staticmethod
    def _done(kind: str, by: str) -> Response:
        answer = RedirectResponse(f"/tuning?done={kind}", status_code=303)
        remember(answer, by)
        return answer

    @staticmethod
    def _words(texts: Texts, why: str) -> str:
        """The controller's refusal in the reader's language, where it is one of the common ones."""
        key = f"tuning.why_{why.partition(':')[0].replace(' ', '_')}"
        return texts.words.get(key, why)

    # --- the trail ---

    async def audit(self, request: Request) -> Response:
        texts, told = self._texts_of(request), self._link.now
        entries = audit.newest_first(told.trail if told else (), self._more())
        return self._page(texts, "/audit", "audit.title", audit.audit_html(texts, entries))

    # --- profiles ---

    async def profile_list(self, request: Request) -> Response:
        return self._profiles_page(request)

    def _profiles_page(self, request: Request, *, problem: str = "", status: int = 200) -> Response:
        texts, told = self._texts_of(request), self._link.now
        known = self._profiles.all()
        chosen = [p for name in request.query_params.getlist("with")[:2] for p in known if p.name == name]
        body = profiles_html(
            texts,
            known,
            chosen,
            told.values if told else None,
            by=remembered(request),
            problem=problem,
        )
        return self._page(texts, "/profiles", "profiles.title", body, status)

    async def save(self, request: Request) -> Response:
        texts, told = self._texts_of(request), self._link.now
        form = await fields(request)
        by = form.get("by", "")
        if told is None or not 0 < len(by) <= BY_MAX:
            return self._profiles_page(request, problem=texts.get("profiles.no_name"), status=422)
        try:
            self._profiles.save(form.get("name", ""), by, form.get("note", ""), told.values, self._found())
        except (InputError, OSError) as error:
            return self._profiles_page(request, problem=str(error), status=422)
        answer = RedirectResponse("/profiles", status_code=303)
        remember(answer, by)
        return answer

    async def export(self, request: Request, name: str) -> Response:
        try:
            profile = self._profiles.one(name)
        except InputError as error:
            return self._profiles_page(request, problem=str(error), status=422)
        if profile is None:
            return Response(status_code=404)
        headers = {"content-disposition": f'attachment; filename="{profile.pseudonym}_{name}.toml"'}
        return Response(text(profile), media_type="application/toml", headers=headers)

    async def propose_profile(self, request: Request, name: str) -> Response:
        told, texts = self._link.now, self._texts_of(request)
        try:
            profile = self._profiles.one(name)
        except InputError as error:
            return self._profiles_page(request, problem=str(error), status=422)
        if profile is None or told is None:
            return self._tuning(request, status=404)
        wanted = {key: value for key, value in profile.values.items() if value != told.values[key]}
        wrong = {line.partition(":")[0]: line for line in objections(wanted, told.allowed)}
        if wrong:
            typed = {key: texts.figure(value) for key, value in wanted.items()}
            return self._tuning(request, typed=typed, problems=wrong, status=422)
        return self.begin(request, wanted)

    @staticmethod
    def _page(texts: Texts, here: str, title: str, body: Markup, status: int = 200) -> Response:
        page = layout.whole_page(texts, here, texts.get(title), body, with_state=True)
        return HTMLResponse(page, status_code=status)
