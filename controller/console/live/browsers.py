"""The browsers that look at the live page, each by one WebSocket: news go out, the held button comes in.

Promises that no browser waits for another: one that takes nothing for seconds is let go, and comes again for
all of it. Refuses what is no message of the page by ending its connection; the walker's page has none.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Mapping
from typing import Literal

import msgspec
from fastapi import WebSocket, WebSocketDisconnect

from controller.console.hold_button import HoldButton
from controller.console.live.browser_messages import Json

NEWS_MAX = 100  # waiting for one browser: the feed's of ten seconds
CLOSING_S = 1.0
Sees = Literal["whole", "assessor", "walker"]  # what a browser is told
LOOKS_ON: Sees = "walker"  # whoever sees this has nothing to say
NO_MESSAGE = 1003  # close code of a message that nobody understands (RFC 6455, 7.4.1)


class Said(msgspec.Struct, frozen=True):
    """What a page tells: its button to arm down, held and up; a tap to disarm, to end the unlock."""

    event: Literal["hold", "disarm", "unlock"]
    what: str = ""
    screen: str = ""


class _Browser:
    def __init__(self, sees: Sees) -> None:
        self.sees = sees
        self.button = HoldButton()
        self.news: asyncio.Queue[str] = asyncio.Queue(NEWS_MAX)
        self.sending: asyncio.Task[None] | None = None


class Browsers:
    """``hear`` is told what a page said, and whether its button has been held for long enough."""

    def __init__(self, hear: Callable[[Said, HoldButton], None]) -> None:
        self._hear = hear
        self._browsers: set[_Browser] = set()

    def tell(self, news: Mapping[Sees, Callable[[], Json]]) -> None:
        """Send every browser its own of the news, which are made only where somebody is there for them."""
        browsers = tuple(self._browsers)
        texts = {sees: _text(news[sees]()) for sees in {browser.sees for browser in browsers}}
        for browser in browsers:
            try:
                browser.news.put_nowait(texts[browser.sees])
            except asyncio.QueueFull:
                if browser.sending is not None:
                    browser.sending.cancel()

    async def serve(self, socket: WebSocket, first: Json, sees: Sees) -> None:
        """Until it goes; ``first`` is what it is told as it comes."""
        await socket.accept()
        browser = _Browser(sees)
        browser.news.put_nowait(_text(first))
        browser.sending = asyncio.create_task(self._send(socket, browser))
        hearing = asyncio.create_task(self._listen(socket, browser))
        self._browsers.add(browser)
        try:
            await asyncio.wait((browser.sending, hearing), return_when="FIRST_COMPLETED")
        finally:
            self._browsers.discard(browser)
            for task in (browser.sending, hearing):
                task.cancel()
            await asyncio.gather(browser.sending, hearing, return_exceptions=True)
            with contextlib.suppress(RuntimeError, WebSocketDisconnect, TimeoutError):  # gone, or deaf
                async with asyncio.timeout(CLOSING_S):
                    await socket.close(NO_MESSAGE)

    async def _send(self, socket: WebSocket, browser: _Browser) -> None:
        while True:
            await socket.send_text(await browser.news.get())

    async def _listen(self, socket: WebSocket, browser: _Browser) -> None:
        while (text := (await socket.receive()).get("text")) is not None and browser.sees != LOOKS_ON:
            try:
                said = msgspec.json.decode(text, type=Said)
            except (msgspec.DecodeError, UnicodeError, RecursionError):
                return
            self._hear(said, browser.button)


def _text(news: Json) -> str:
    return msgspec.json.encode(news).decode()
