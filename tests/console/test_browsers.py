"""The live line to the browsers: who is told what, who is let go, what is no message."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from typing import Any, cast
from unittest.mock import Mock

import pytest
from fastapi import WebSocket

from controller.console.hold_button import HoldButton
from controller.console.live.browser_messages import Json
from controller.console.live.browsers import NEWS_MAX, Browsers, Said, Sees


class Line:
    """In place of a WebSocket, as a real one cannot be made to stall: it may take nothing."""

    def __init__(self, *, deaf: bool = False) -> None:
        self.taken: list[dict[str, Any]] = []
        self.closed = False
        self.says: asyncio.Queue[dict[str, str]] = asyncio.Queue()
        self._deaf = deaf

    async def accept(self) -> None:
        pass

    async def send_text(self, text: str) -> None:
        if self._deaf:
            await asyncio.Event().wait()
        self.taken.append(json.loads(text))

    async def receive(self) -> dict[str, str]:
        return await self.says.get()

    async def close(self, code: int) -> None:
        self.closed = True


def serve(browsers: Browsers, line: Line, sees: Sees = "whole") -> asyncio.Task[None]:
    return asyncio.create_task(browsers.serve(cast(WebSocket, line), {"first": 1}, sees))


def whole(**news: object) -> dict[Sees, Callable[[], Json]]:
    return {"whole": lambda: news}


async def test_one_that_takes_nothing_is_let_go_and_the_others_wait_for_it_in_nothing() -> None:
    browsers = Browsers(lambda said, button: None)
    good, deaf = Line(), Line(deaf=True)
    serving = [serve(browsers, good), serve(browsers, deaf)]
    for number in range(NEWS_MAX + 2):
        browsers.tell(whole(number=number))
        await asyncio.sleep(0)
    await asyncio.wait_for(serving[1], 5.0)
    assert (deaf.closed, good.closed) == (True, False)
    assert good.taken[-1] == {"number": NEWS_MAX + 1}
    serving[0].cancel()


async def test_each_is_told_its_own_news_which_are_made_for_those_alone_who_are_there() -> None:
    browsers = Browsers(lambda said, button: None)
    all_of_it, cut = Line(), Line()
    serving = [serve(browsers, all_of_it), serve(browsers, cut, "assessor")]
    await asyncio.sleep(0)
    nobody = Mock()
    browsers.tell(whole(applied_ma=20.0) | {"assessor": lambda: {"applied_ma": None}, "walker": nobody})
    await asyncio.sleep(0.01)
    assert (all_of_it.taken[-1], cut.taken[-1]) == ({"applied_ma": 20.0}, {"applied_ma": None})
    nobody.assert_not_called()
    for task in serving:
        task.cancel()


@pytest.mark.parametrize("text", ['{"event":"disarm"}', '{"event":"hold","what":"down"}', "["])
async def test_the_walkers_screen_has_nothing_to_say(text: str) -> None:
    heard: list[Said] = []
    line = Line()
    line.says.put_nowait({"text": text})
    await asyncio.wait_for(serve(Browsers(lambda said, button: heard.append(said)), line, "walker"), 5.0)
    assert (line.closed, heard) == (True, [])


@pytest.mark.parametrize("text", ["", "[", "5", '{"event":"arm"}', '{"event":"hold","what":5}', "[" * 50_000])
async def test_what_is_no_message_ends_its_connection_and_is_told_to_nobody(text: str) -> None:
    heard: list[tuple[Said, HoldButton]] = []
    browsers = Browsers(lambda said, button: heard.append((said, button)))
    line = Line()
    line.says.put_nowait({"text": '{"event":"hold","what":"down"}'})
    line.says.put_nowait({"text": text})
    await asyncio.wait_for(serve(browsers, line), 5.0)
    assert line.closed
    assert [said.what for said, _ in heard] == ["down"]
