"""The pages of a walk: the live page with its charts, set-up, tuning, profiles."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path

from fastapi import FastAPI, Request
from markupsafe import Markup

from controller.config.console_settings import ConsoleSettings
from controller.console.forms import remembered
from controller.console.i18n import Texts
from controller.console.live import walker_view
from controller.console.live.blinded_view import WholeView, line_html
from controller.console.live.browser_messages import Json
from controller.console.live.details import details_html
from controller.console.live.feed import Feed
from controller.console.live.main_screen import main_html
from controller.console.live.routes import WalkRoutes
from controller.console.live.strength import Strength
from controller.console.render import NOTHING
from controller.console.setup.routes import SetupPages
from controller.console.tuning.controller_link import TuningLink
from controller.console.tuning.profiles import Profiles
from controller.console.tuning.routes import TuningPages


class GaitPages:
    """The pages of one gait-assist session, for all browsers."""

    scripts = ("alarms", "rig", "steps", "walk", "console", "socket")

    def __init__(
        self,
        rig: Path,
        settings: ConsoleSettings,
        feed: Feed,
        whole: WholeView,
        *,
        texts_of: Callable[[Request], Texts],
    ) -> None:
        self._settings = settings
        self._whole = whole
        self._texts_of = texts_of
        self.link = TuningLink(rig)
        profiles = Profiles(Path(settings.runs) / "profiles", settings.pseudonym or "unnamed")
        self._setup = SetupPages(rig, settings, feed, self.link, texts_of=texts_of, sees=whole.sees)
        self._tuning = TuningPages(
            settings,
            feed,
            self.link,
            profiles,
            texts_of=texts_of,
            trail=self._setup.trail,
            found=self._setup.found,
        )
        feed.left_over = lambda: bool(self._tuning.left_over())
        self._strength = Strength(
            self.link,
            peak_ma=lambda: feed.peak_ma,
            comfort_ma=lambda: None if feed.comfort is None else feed.comfort[0],
        )
        self._walk = WalkRoutes(self._strength, self.link, texts_of=texts_of)
        feed.beside = self._beside

    def _beside(self) -> Json:
        """What the main screen shows of the controller: strength, pause, how far the schedule is."""
        told = self.link.now
        progress = None if told is None else told.walk.progress
        paused = None if told is None or not told.walk.paused else "yes" if told.walk.resting else "coming"
        return {
            "strength": self._strength.told(),
            "paused": paused,
            "progress": None if progress is None else asdict(progress),
            "then": None if told is None else told.walk.mode,
        }

    def note(self, text: str, by: str) -> None:
        """Into the audit trail and the recording."""
        self._setup.note(text, by)

    async def run(self) -> None:
        """The line to the controller, and the taps on their way there."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self.link.run())
            group.create_task(self._strength.run())

    def routes(self, app: FastAPI) -> None:
        self._walk.routes(app)
        walker_view.routes(app, self._texts_of)
        self._tuning.routes(app)
        self._setup.routes(app)

    async def close(self) -> None:
        await self._tuning.close()
        await self._setup.close()

    def draw(self, texts: Texts, request: Request) -> Markup:
        """The page of the session between bar and footer, with what its scripts are told."""
        sees = self._whole.sees(request)
        line = line_html(texts, whole=sees) if self._whole.blinded else NOTHING
        main = main_html(texts, self._settings, remembered(request), line)
        return main + details_html(texts, self._settings, blinded=not sees)
