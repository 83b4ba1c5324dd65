"""``dorsi console``: the home page and what is around a session, for as long as the service lives.

It starts and ends rigs and shows what they left. It has no guard and so no STOP: whatever stimulates has a
console of its own, which this one leads to.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

from fastapi import FastAPI, Request
from fastapi.responses import HTMLResponse, JSONResponse, RedirectResponse, Response
from fastapi.staticfiles import StaticFiles
from markupsafe import Markup

from controller.config.console_settings import ConsoleSettings, Place, read_token
from controller.console import layout
from controller.console.access import Entry
from controller.console.entrance import Entrance
from controller.console.forms import fields, remember, remembered
from controller.console.home import home_page, new_person, persons, progress_page, start_page
from controller.console.home.clinic import Clinic
from controller.console.home.home_page import Card
from controller.console.home.persons import WALK
from controller.console.home.rigs import Rigs, Started
from controller.console.i18n import COOKIE, Texts, choose, load_texts
from controller.console.recordings import recorded
from controller.console.recordings.file_jobs import Desk
from controller.console.recordings.recorded import Recorded
from controller.console.recordings.routes import RecordingPages
from controller.console.render import render
from controller.console.setup.progress import SetupState
from controller.errors import ConfigError, InputError

STATIC = Path(__file__).resolve().parents[1] / "static"


@dataclass(frozen=True, slots=True)
class ServiceSettings:
    """``place`` is where the rigs' consoles listen; the service itself at its ``home_port``."""

    place: Place
    runs: Path
    patients: Path
    sessions: Path
    training: Path  # session file of the training mode
    rehearse: bool = False  # every session is walked by the virtual patient


class Service:
    """The pages; ``folder`` is private to this process."""

    def __init__(self, settings: ServiceSettings, folder: Path) -> None:
        place = settings.place
        self._settings = settings
        self._token = read_token(Path(place.token_file))
        self._console = ConsoleSettings(
            host=place.host,
            port=place.home_port,
            runs=str(settings.runs),
            token_file=place.token_file,
            cert_file=place.cert_file,
            key_file=place.key_file,
        )
        self._clinic = Clinic(
            runs=settings.runs,
            patients=settings.patients,
            sessions=settings.sessions,
            rehearse=settings.rehearse,
        )
        self._texts = load_texts("home")
        self._rigs = Rigs(settings.runs.resolve(), place, self._token, folder)
        self._desk = Desk(lambda: self._rigs.now is not None)
        self._recordings = RecordingPages(settings.runs, self._desk, texts_of=self._of, frame=self._framed)

    def app(self) -> Entry:
        """The pages, behind the same rules of access as a session's console."""
        app = FastAPI(docs_url=None, redoc_url=None, openapi_url=None)
        app.mount(layout.STATIC, StaticFiles(directory=STATIC))
        Entrance(self._token, secure=self._console.scheme == "https", texts_of=self._of).routes(app)
        self._recordings.routes(app)
        app.get("/")(self.home)
        app.get("/new-person")(self.new)
        app.post("/new-person")(self.make)
        app.get("/persons/{pseudonym}")(self.progress)
        app.get("/persons/{pseudonym}/start")(self.ask)
        app.post("/persons/{pseudonym}/start")(self.start)
        app.post("/persons/{pseudonym}/begin")(self.begin)
        app.post("/persons/{pseudonym}/setup")(self.set_up)
        app.post("/training")(self.training)
        app.get("/rig")(self.rig)
        app.get("/rig/state")(self.rig_state)
        app.get("/rig/end")(self.ask_end)
        app.post("/rig/end")(self.end)
        app.get("/ended/{name}")(self.ended)
        app.get("/ended/{name}/state")(self.ended_state)
        return Entry(app, self._console, self._token, self._texts)

    async def close(self) -> None:
        """End the session that lives, and wait until all is summed up."""
        await self._desk.close()
        await self._rigs.close()

    # --- pages

    def home(self, request: Request) -> Response:
        texts, settings = self._of(request), self._settings
        sessions = self._clinic.sessions_by_person(self._live_name())
        choices = persons.all_settings(settings.sessions)
        cards = [
            Card(
                who,
                mine := sessions.get(who.pseudonym, []),
                persons.last_settings(who, mine, choices),
                several=len(choices) > 1,
            )
            for who in persons.persons(settings.patients)
        ]
        body = home_page.home_html(
            texts, cards, patients=settings.patients, sessions=settings.sessions, rehearse=settings.rehearse
        )
        return self._page(request, "/", texts.get("page.home"), body)

    def new(self, request: Request) -> Response:
        texts = self._of(request)
        return self._page(request, "", texts.get("home.new"), new_person.form_html(texts, {}))

    async def make(self, request: Request) -> Response:
        texts, form = self._of(request), await fields(request)
        try:
            known = {who.pseudonym for who in persons.persons(self._settings.patients)}
            if (name := form.get("pseudonym", "")) in known:
                raise ConfigError([f"pseudonym: found {name!r}, allowed: one that no patient file has"])
            new_person.make(self._settings.patients, form)
        except (ConfigError, OSError) as error:
            body = new_person.form_html(texts, form, problem=str(error))
            return self._page(request, "", texts.get("home.new"), body, status=409)
        return RedirectResponse("/", status_code=303)

    def progress(self, request: Request, pseudonym: str) -> Response:
        texts = self._of(request)
        if persons.person(self._settings.patients, pseudonym) is None:
            return self._unknown(request)
        sessions = self._clinic.sessions_by_person(self._live_name()).get(pseudonym, [])
        body = progress_page.progress_html(texts, pseudonym, sessions)
        return self._page(request, "", f"{pseudonym}: {texts.get('home.progress')}", body)

    # --- a session

    def ask(self, request: Request, pseudonym: str, settings: str = "") -> Response:
        return self._ask(request, pseudonym, settings, by=remembered(request))

    def _ask(
        self,
        request: Request,
        pseudonym: str,
        settings: str,
        *,
        by: str,
        problem: str = "",
        status: int = 200,
    ) -> Response:
        texts = self._of(request)
        found = self._clinic.person_and_settings(pseudonym, settings)
        if found is None:
            return self._unknown(request)
        who, chosen, choices = found
        now = self._rigs.now
        begun = now is not None and now.asking and now.pseudonym == pseudonym
        last = self._clinic.last_answers(who)
        body = start_page.start_html(
            texts, who, chosen, [] if begun else choices, last, by=by, problem=problem, begun=begun
        )
        return self._page(request, "", texts.get("home.start"), body, status=status, banner=not begun)

    async def begin(self, request: Request, pseudonym: str) -> Response:
        """As last time: the rig comes up while the checklist is asked; its guard arms nothing before."""
        found = self._clinic.person_and_settings(pseudonym)
        if found is None:
            return self._unknown(request)
        who, chosen, _ = found
        if chosen.kind != WALK:
            return await self._begin(request, who.pseudonym, chosen.path, who.path, "/checklist")
        questions = RedirectResponse(f"/persons/{quote(pseudonym)}/start", status_code=303)
        now = self._rigs.now
        if now is not None and now.asking and now.pseudonym == pseudonym:
            return questions
        answer = await self._begin(request, who.pseudonym, chosen.path, who.path, "/", asks=True)
        return questions if answer.status_code == 303 else answer

    async def start(self, request: Request, pseudonym: str) -> Response:
        """With today's answers, which the session's console gives to its guard."""
        texts, form = self._of(request), await fields(request)
        found = self._clinic.person_and_settings(pseudonym, form.get("settings", ""))
        if found is None:
            return self._unknown(request)
        who, chosen, _ = found
        if chosen.kind != WALK:
            return await self._begin(request, who.pseudonym, chosen.path, who.path, "/checklist")
        given = start_page.read_form(form, self._clinic.last_answers(who))

        def refused(problem: str) -> Response:
            return self._ask(request, pseudonym, chosen.name, by=given.by, problem=problem, status=409)

        if given.problem:
            question = texts.get(f"question.{given.question}") if given.question else ""
            return refused(texts.get(given.problem).format(question=question))
        if SetupState("", answers=dict(given.answers)).objections():
            return refused(texts.get("setup.forbidden"))
        now = self._rigs.now
        answer: Response = RedirectResponse("/rig", status_code=303)
        if now is None or not now.asking or now.pseudonym != pseudonym:
            answer = await self._begin(request, who.pseudonym, chosen.path, who.path, "/", asks=True)
            now = self._rigs.now if answer.status_code == 303 else None
        if now is not None:
            now.given = (given.answers, given.by)
        remember(answer, given.by)
        return answer

    async def set_up(self, request: Request, pseudonym: str) -> Response:
        """Into the guided set-up, which asks the checklist itself."""
        found = self._clinic.person_and_settings(pseudonym, "")
        if found is None:
            return self._unknown(request)
        who, chosen, _ = found
        first_page = "/setup" if chosen.kind == WALK else "/checklist"
        return await self._begin(request, who.pseudonym, chosen.path, who.path, first_page)

    async def training(self, request: Request) -> Response:
        """The virtual patient walks, whatever devices there are."""
        return await self._begin(request, "", self._settings.training, None, "/", virtual=True)

    async def _begin(
        self,
        request: Request,
        who: str,
        session: Path,
        patient: Path | None,
        first_page: str,
        *,
        asks: bool = False,
        virtual: bool = False,
    ) -> Response:
        try:
            await self._rigs.start(
                self._rigs.new_name(),
                session,
                patient,
                pseudonym=who,
                virtual=virtual or self._settings.rehearse,
                first_page=first_page,
                asks=asks,
            )
        except InputError as error:
            texts = self._of(request)
            body = render("problem", texts, problem=str(error))
            return self._page(request, "", texts.get("home.not_started"), body, status=409)
        return RedirectResponse("/rig", status_code=303)

    def rig(self, request: Request) -> Response:
        """To the session's own console, as soon as it answers."""
        texts, now = self._of(request), self._rigs.now
        if now is None:
            return RedirectResponse("/", status_code=303)
        if now.asking:
            return RedirectResponse(f"/persons/{quote(now.pseudonym)}/start", status_code=303)
        if now.ready:
            where = f"{self._door(request)}/enter?token={quote(self._token)}&to={quote(now.first_page)}"
            return RedirectResponse(where, status_code=303, headers={"Cache-Control": "no-store"})
        body = home_page.waiting_html(texts, now)
        return self._page(request, "", texts.get("home.start"), body, banner=False)

    async def rig_state(self) -> Response:
        """Where a waiting page goes next; empty while it waits, or asks the checklist."""
        now = self._rigs.now
        if now is None:
            last = self._rigs.newest
            return JSONResponse({"next": f"/ended/{quote(last.name)}" if last else "/"})
        return JSONResponse({"next": "/rig" if now.ready and not now.asking else ""})

    def ask_end(self, request: Request) -> Response:
        texts, now = self._of(request), self._rigs.now
        if now is None:
            return RedirectResponse("/", status_code=303)
        return self._page(request, "", texts.get("home.end"), home_page.end_html(texts, now), banner=False)

    async def end(self) -> Response:
        now = self._rigs.now
        self._rigs.end()
        return RedirectResponse(f"/ended/{quote(now.name)}" if now else "/", status_code=303)

    # --- after it

    def ended(self, request: Request, name: str) -> Response:
        texts, one = self._of(request), self._rigs.one(name)
        item = recorded.one(self._settings.runs, name)
        if item is None and one is None:
            return self._unknown(request)
        title = texts.get("home.ended")
        if one is not None and not _told(one, item):
            return self._page(request, "", title, home_page.summing_html(texts, name), banner=False)
        words = {"person": self._again(item, one), "problem": "", "note": ""}
        if one is not None and one.state in ("refused", "failed"):
            words["note"] = home_page.state_words(texts, one)
            words["problem"] = one.words()
        body = home_page.ended_html(texts, item, self._clinic.before(item), words)
        return self._page(request, "", title, body)

    async def ended_state(self, name: str) -> Response:
        one, item = self._rigs.one(name), recorded.one(self._settings.runs, name)
        told = one is None or _told(one, item)
        return JSONResponse({"next": f"/ended/{quote(name)}" if told else ""})

    def _again(self, item: Recorded | None, one: Started | None) -> str:
        """Whose next walk it may be; empty after a training."""
        name = one.pseudonym if one is not None else item.pseudonym if item is not None else ""
        return name if persons.person(self._settings.patients, name) else ""

    # --- what they share

    def _live_name(self) -> str:
        now = self._rigs.now
        return now.name if now is not None else ""

    def _door(self, request: Request) -> str:
        """The address of the session's console, by the host's name that this browser uses."""
        name = request.url.hostname or "127.0.0.1"
        host = f"[{name}]" if ":" in name else name
        return f"{self._console.scheme}://{host}:{self._settings.place.port}"

    def _of(self, request: Request) -> Texts:
        return self._texts[
            choose(request.cookies.get(COOKIE, ""), request.headers.get("accept-language", ""))
        ]

    def _framed(self, request: Request, title: str, body: Markup, here: str = "/sessions") -> str:
        """A whole page, on its top the session that lives."""
        texts = self._of(request)
        banner = home_page.banner_html(texts, self._rigs.now, self._door(request))
        return layout.whole_page(texts, here, title, banner + body)

    def _page(
        self, request: Request, here: str, title: str, body: Markup, *, status: int = 200, banner: bool = True
    ) -> Response:
        if banner:
            page = self._framed(request, title, body, here)
        else:
            page = layout.whole_page(self._of(request), here, title, body)
        return HTMLResponse(page, status_code=status, headers={"Cache-Control": "no-store"})

    def _unknown(self, request: Request) -> Response:
        texts = self._of(request)
        body = render("line", texts, words=texts.get("home.unknown"))
        return self._page(request, "", "Dorsi", body, status=404)


def _told(one: Started, item: Recorded | None) -> bool:
    """Whether its numbers are there, or none will come."""
    return not one.live and ((item is not None and item.summed_up) or one.state != "summing up")
