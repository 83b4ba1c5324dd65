"""Settings that a person changed, and a controller started anew: the console says that they are reset."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
from fastapi import FastAPI

from controller.config.console_settings import ConsoleSettings
from controller.config.session import load_session
from controller.config.tunable_ranges import tunable
from controller.console.i18n import load_texts
from controller.console.live.feed import Feed
from controller.console.tuning.controller_link import TuningLink
from controller.console.tuning.profiles import LAST, Profiles
from controller.console.tuning.routes import TuningPages
from controller.core.core import Core
from controller.runtime.console_server import GaitConsoles
from controller.runtime.test_trains import Probing
from controller.runtime.tuning import Tuning, Wish
from controller.trial.course import Course
from tests.core.control.numbers import DEMO, params

PATIENCE_S = 10.0
PARAMS = params("feedback")
GAIN = "feedback.kp_nm_per_rad"


class ControllerEnd:
    """What of the controller process the console talks to, with a boundary at every turn."""

    def __init__(self, rig: Path) -> None:
        self.tuning = Tuning(PARAMS, tunable(load_session(DEMO)))
        self.consoles = GaitConsoles(rig, self.tuning, Probing(), Core(PARAMS), Course((), PARAMS.mode))
        self.consoles.open()

    def turn(self) -> None:
        now_ns = time.monotonic_ns()
        self.consoles.after_tick(now_ns, urgent=self.tuning.waiting)  # a wish waits for a moment
        self.consoles.after_tick(now_ns, urgent=self.tuning.take(now_ns) is not None)


async def until(controller: ControllerEnd, true: Callable[[], bool]) -> None:
    async with asyncio.timeout(PATIENCE_S):
        while not true():
            controller.turn()
            await asyncio.sleep(0.005)


async def restarted(rig: Path) -> None:
    settings = ConsoleSettings("127.0.0.1", 0, str(rig), session="s1", pseudonym="P1")
    link, profiles = TuningLink(rig), Profiles(rig, "P1")
    texts = load_texts()["en"]
    pages = TuningPages(
        settings, Feed(rig, settings, lambda _: None), link, profiles,
        texts_of=lambda _: texts, trail=tuple, found=dict,
    )  # fmt: skip
    keeping = asyncio.create_task(link.run())
    first = ControllerEnd(rig)
    await until(first, lambda: link.now is not None)
    assert pages.left_over() == {}
    wishing = asyncio.create_task(link.wish(Wish(0, {GAIN: 12.0}, "AB", "foot slaps", 7)))
    await until(first, wishing.done)
    assert wishing.result() == ""
    kept = profiles.one(LAST)
    assert kept is not None
    assert (kept.by, kept.values[GAIN]) == ("AB", 12.0)
    assert pages.left_over() == {}  # they hold
    first.consoles.close()
    second = ControllerEnd(rig)
    await until(second, lambda: link.now is not None and link.now.version == 0)
    assert pages.left_over() == {GAIN: 12.0}
    app = FastAPI()
    pages.routes(app)
    transport = httpx.ASGITransport(app)
    async with httpx.AsyncClient(transport=transport, base_url="http://console") as client:
        page = (await client.get("/tuning")).text
        assert "The settings are those of the session file." in page
        assert "<td>Proportional gain</td><td>8</td><td>12</td>" in page
        assert f'action="/profiles/{LAST}/propose"' in page
        again = TuningPages(  # another day's console
            settings, Feed(rig, settings, lambda _: None), link, profiles,
            texts_of=lambda _: texts, trail=tuple, found=dict,
        )  # fmt: skip
        assert again.left_over() == {GAIN: 12.0}
        assert (await client.post("/tuning/keep")).status_code == 303
        assert "The settings are those of the session file." not in (await client.get("/tuning")).text
    assert pages.left_over() == {}
    keeping.cancel()
    await pages.close()
    second.consoles.close()


def test_settings_reset_by_a_new_start_are_told_with_a_way_back(tmp_path: Path) -> None:
    with ThreadPoolExecutor(1) as thread:  # the browser tests of this folder keep a loop in this one
        thread.submit(asyncio.run, restarted(tmp_path)).result()
