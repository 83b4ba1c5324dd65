"""Today's checklist goes from the console to a real guard, which judges it; a new guard is told it again."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

from controller.config.console_settings import ConsoleSettings
from controller.console.live.feed import Feed
from controller.safety.judgement.contraindications import QUESTIONS
from tests.safety.room import Room

PATIENCE_S = 10.0
GOOD = {question.key: "no" for question in QUESTIONS}
NOBODY: dict[str, str] = {}  # what a guard knows of a person before today


def in_a_loop_of_its_own(work: Coroutine[object, object, None]) -> None:
    with ThreadPoolExecutor(1) as thread:  # the browser tests of this folder keep a loop in this one
        thread.submit(asyncio.run, work).result()


async def until(room: Room, true: Callable[[], bool]) -> None:
    """Both go on, the guard by hand."""
    async with asyncio.timeout(PATIENCE_S):
        while not true():
            room.tick()
            await asyncio.sleep(0.002)


@contextmanager
def guard(rig: Path) -> Iterator[Room]:
    room = Room(rig, checklist=NOBODY).complete()
    try:
        yield room
    finally:
        room.close()


def keys(feed: Feed) -> list[str]:
    return [key for key, _ in feed.refusals]


def test_the_guard_arms_by_the_answers_given_today_and_names_what_forbids(tmp_path: Path) -> None:
    async def work() -> None:
        feed = Feed(tmp_path, ConsoleSettings("127.0.0.1", 0, "runs"), lambda _: None)
        keeping = asyncio.create_task(feed.run())
        with guard(tmp_path) as room:
            await until(room, lambda: keys(feed) == ["unanswered"])
            feed.arm(screen="tablet")
            feed.answer({**GOOD, "skin": "yes"}, "AB")
            await until(room, lambda: feed.refusals == [("checklist", "skin")])
            feed.arm(screen="tablet")
            feed.answer(GOOD, "AB")
            await until(room, lambda: feed.refusals == [])
            assert room.stage == "off"
            feed.arm(screen="tablet")
            await until(room, lambda: feed.state == "armed")
            feed.answer({**GOOD, "skin": "yes"}, "AB")
            await until(room, lambda: room.stage == "off")
            assert [event["by"] for event in room.events("checklist")] == ["AB", "AB", "AB"]
        keeping.cancel()

    in_a_loop_of_its_own(work())


def test_a_guard_that_was_started_anew_is_told_again(tmp_path: Path) -> None:
    async def work() -> None:
        feed = Feed(tmp_path, ConsoleSettings("127.0.0.1", 0, "runs"), lambda _: None)
        keeping = asyncio.create_task(feed.run())
        for number in range(2):
            rig = tmp_path
            with guard(rig) as room:
                if number == 0:
                    await until(room, lambda: keys(feed) == ["unanswered"])
                    feed.answer(GOOD, "AB")
                await until(room, lambda room=room: bool(room.events("checklist")))
                await until(room, lambda: feed.state == "off" and feed.refusals == [])
                assert len(room.events("checklist")) == 1
        keeping.cancel()

    in_a_loop_of_its_own(work())
