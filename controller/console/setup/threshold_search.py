"""The search for thresholds: a short train a tap, the next one in a small step by what a person says of it.

Refuses a train that nobody judged the one before of, to a leg that walks, and where the guard is not armed.
"""

from __future__ import annotations

import asyncio
import contextlib
import math
import time
from collections.abc import Callable
from typing import Protocol

from fastapi import Request
from fastapi.responses import Response

from controller.console.forms import fields
from controller.console.live.feed import Feed
from controller.console.setup import progress
from controller.console.setup.progress import SetupState, Step
from controller.console.tuning.controller_link import TuningLink
from controller.core.output.test_train import train_s
from controller.runtime.test_trains import END, ProbeWish
from controller.runtime.tuning import CEILING

TRAIN_S = train_s(ProbeWish(0.0).hold_s)
TRAIN_ANSWER_S = 0.5
PAUSE_S = 0.8  # at least, between two trains: current for two thirds of the time, of nine tenths allowed
ABLE = ("armed", "active")


class Refuse(Protocol):
    """The page of the step a form came from, with the reason."""

    def __call__(self, request: Request, key: str, **values: str) -> Response: ...


class ThresholdSearch:
    """The search of one session, for all browsers."""

    def __init__(
        self,
        feed: Feed,
        link: TuningLink,
        state: Callable[[], SetupState],
        *,
        keep: Callable[[str], None],
        refuse: Refuse,
        stay: Callable[[Step], Response],
    ) -> None:
        self._feed = feed
        self._link = link
        self._state = state
        self._keep = keep
        self._refuse = refuse
        self._stay = stay
        self._giving = asyncio.Lock()
        self._train_over_s = -math.inf
        self._from_deg: float | None = None  # foot pitch as the last train began
        self._most_deg = 0.0

    async def train(self, request: Request) -> Response:
        return await self._give(request)

    async def _give(self, request: Request) -> Response:
        """The next train; of two that are asked for at once the first."""
        if self._giving.locked():
            return self._refuse(request, "setup.say_first")
        async with self._giving:
            return await self._give_one(request)

    async def _give_one(self, request: Request) -> Response:
        """After a pause that leaves the muscle and the guard's share of time room."""
        state, told = self._state(), self._link.now
        if self._feed.state not in ABLE or told is None:
            return self._refuse(request, "setup.not_armed")
        if state.given_ma is not None:
            return self._refuse(request, "setup.say_first")
        if told.walking:
            return self._refuse(request, "setup.stand_still")
        await asyncio.sleep(min(TRAIN_S + PAUSE_S, self._train_over_s + PAUSE_S - time.monotonic()))
        self._from_deg, self._most_deg = self._feed.newest("foot_pitch_deg"), 0.0
        before = told.probe.number
        state.level_ma = min(state.level_ma, self.most_ma())
        self._link.probe(ProbeWish(state.level_ma, felt="sensory" in state.thresholds))
        until_s = time.monotonic() + TRAIN_ANSWER_S
        while time.monotonic() < until_s:
            await asyncio.sleep(0.02)
            told = self._link.now
            if told is None or told.probe.number > before or told.probe.refused:
                break
        if told is None or told.probe.number == before:
            why = told.probe.refused if told else ""
            return self._refuse(request, "setup.no_train", why=why)
        state.given_ma = state.level_ma
        state.trains += 1
        self._train_over_s = time.monotonic() + TRAIN_S
        self._keep(f"test train of {state.level_ma:g} mA")
        return self._stay("thresholds")

    async def effect(self, request: Request) -> Response:
        """What a person says of the train; where the search goes on, the next one is given with it."""
        form, state, told = await fields(request), self._state(), self._link.now
        given, level_ma = form.get("effect", ""), state.given_ma
        if form.get("train") != str(state.trains):  # a second tap, or a page that shows an earlier train
            return self._stay("thresholds")
        if given not in progress.EFFECTS or level_ma is None:
            return self._stay("thresholds")
        if told is not None and told.probe.running:
            if given not in progress.ENDING:
                return self._refuse(request, "setup.not_over")
            self._link.probe(END)
            self._train_over_s = time.monotonic()
        progress.say_effect(state, given, self.most_ma())
        self._keep(f"train of {level_ma:g} mA: {given}")
        if "comfort" in state.thresholds or self._feed.state not in ABLE:
            return self._stay("thresholds")
        return await self._give(request)

    def most_ma(self) -> float:
        """The largest current that the controller plans with."""
        told = self._link.now
        return math.inf if told is None else told.values[CEILING]

    async def level(self, request: Request) -> Response:
        """Lower the next train; upwards goes only step by step, by what a person says of each."""
        with contextlib.suppress(ValueError):
            by_ma = float((await fields(request)).get("by_ma", "0"))
            if math.isfinite(by_ma) and by_ma < 0.0:
                self._state().level_ma = max(0.5, self._state().level_ma + by_ma)
        return self._stay("thresholds")

    def moved_deg(self) -> float | None:
        """The most the foot has turned since the last train began."""
        pitch_deg = self._feed.newest("foot_pitch_deg")
        if pitch_deg is None or self._from_deg is None:
            return None
        told = self._link.now
        if told is not None and told.probe.running:
            self._most_deg = max(self._most_deg, abs(pitch_deg - self._from_deg))
        return self._most_deg
