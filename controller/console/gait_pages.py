"""The pages of a walk: the live page with its charts, set-up, tuning, profiles."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from fastapi import FastAPI, Request
from nicegui import ui

from controller.config.console_settings import ConsoleSettings
from controller.console import layout
from controller.console.i18n import Texts
from controller.console.live.charts import UNITS, options
from controller.console.live.feed import Feed
from controller.console.setup.routes import SetupPages
from controller.console.tuning.controller_link import TuningLink
from controller.console.tuning.profiles import Profiles
from controller.console.tuning.routes import TuningPages


class GaitPages:
    """The pages of one gait-assist session, for all browsers."""

    scripts = ("rig.js", "console.js")

    def __init__(
        self, rig: Path, settings: ConsoleSettings, feed: Feed, *, texts_of: Callable[[Request], Texts]
    ) -> None:
        self._settings = settings
        self.link = TuningLink(rig)
        profiles = Profiles(Path(settings.runs) / "profiles", settings.pseudonym or "unnamed")
        self._setup = SetupPages(rig, settings, feed, self.link, texts_of=texts_of)
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

    def routes(self, app: FastAPI) -> None:
        self._tuning.routes(app)
        self._setup.routes(app)

    async def close(self) -> None:
        await self._tuning.close()
        await self._setup.close()

    def draw(self, texts: Texts, request: Request) -> str:
        """The page of the session, into NiceGUI's; returns what its scripts are told."""
        ui.html(layout.live_top(texts, self._settings), sanitize=False)
        charts: dict[str, int] = {}
        with ui.element("div").classes("charts"):
            for name in (*layout.OVERLAYS, *layout.STRIPS):
                with ui.element("section").classes("card"):
                    ui.html(layout.chart_title(texts, name, UNITS[name]), sanitize=False)
                    if name in layout.OVERLAYS:
                        shape = options(name, texts, self._settings.reference_pitch_deg)
                        chart = ui.echart(shape).classes("chart tall").props("aria-hidden=true")
                        charts[name] = chart.id
                    else:
                        ui.html(layout.strip(name), sanitize=False)
                    ui.html(layout.twin(texts, name), sanitize=False)
        return layout.live_script(texts, self._settings, charts)
