"""What the set-up arms for and what it finds: told to a real guard, which is the one that holds it."""

from __future__ import annotations

import asyncio
from dataclasses import asdict, replace
from pathlib import Path

import pytest

from controller.config.console_settings import ConsoleSettings
from controller.console.live.feed import Feed
from controller.console.setup import progress
from controller.console.setup.progress import SetupState
from controller.record.live import Live
from controller.safety.judgement.staged_unlock import UnlockStage
from tests.console.test_checklist import in_a_loop_of_its_own, until
from tests.safety.room import Room

SETTINGS = ConsoleSettings("127.0.0.1", 0, "runs")


def given(room: Room) -> list[float]:
    return [points[0][1] for _, points in list(room.device.pulses)]


@pytest.mark.parametrize("comfort_ma", [None, 24.0])
def test_armed_for_tests_the_guard_lets_no_walking_out_and_armed_for_walking_no_more_than_was_kept(
    tmp_path: Path, comfort_ma: float | None
) -> None:
    async def work() -> None:
        feed = Feed(tmp_path, SETTINGS, lambda _: None)
        keeping = asyncio.create_task(feed.run())
        room = Room(tmp_path).complete()
        try:
            feed.comfort = None if comfort_ma is None else (comfort_ma, "AB")
            await until(
                room, lambda: feed.state == "off" and not feed.refusals and "current_max_ma" in feed.limits
            )
            feed.arm("tests", screen="tablet")
            await until(room, lambda: (feed.state, feed.scope) == ("armed", "tests"))
            assert feed.limits["current_max_ma"] == (40.0, "session")  # the search may go beyond the last one
            before = len(given(room))
            for _ in range(60):
                room.tick(20.0)
            assert len(given(room)) == before
            feed.request("disarm")
            await until(room, lambda: feed.state == "off" and not feed.refusals)
            feed.arm(screen="tablet")
            await until(room, lambda: (feed.state, feed.scope) == ("armed", "walk"))
            most_ma = 40.0 if comfort_ma is None else comfort_ma
            await until(room, lambda: feed.limits["current_max_ma"] == (most_ma, "session"))
            for _ in range(60):
                room.tick(24.0)
            assert max(given(room)) == 24.0
            for _ in range(200):
                room.tick()
            before = len(given(room))
            for _ in range(60):
                room.tick(25.0)
            assert (len(given(room)) > before) == (comfort_ma is None)
            events = room.events("tighten")
            assert [event["by"] for event in events] == ([] if comfort_ma is None else ["AB"])
        finally:
            keeping.cancel()
            room.close()

    in_a_loop_of_its_own(work())


def test_assisted_strides_count_from_where_somebody_begins_to_count() -> None:
    feed = Feed(Path("unused"), SETTINGS, lambda _: None)
    feed._assisted_ns.extend((1_000, 2_000, 3_000))
    assert [feed.assisted(since_ns) for since_ns in (0, 1_000, 1_001, 3_000, 3_001)] == [3, 3, 2, 1, 0]


def test_what_was_kept_goes_into_the_next_session_and_what_a_day_allows_does_not(tmp_path: Path) -> None:
    path = tmp_path / "setup.json"
    kept = SetupState("monday", by="AB", thresholds={"comfort": 24.0}, comfort_ma=24.0, comfort_by="AB")
    kept.finish("thresholds")
    progress.save(path, kept)
    assert progress.load(path, "monday") == kept
    found = progress.load(path, "tuesday")
    assert (found.comfort_ma, found.comfort_by, found.done, found.by) == (24.0, "AB", [], "")
    progress.save(path, replace(kept, comfort_ma=None))
    assert progress.load(path, "tuesday").comfort_ma is None


def test_in_a_blinded_arm_the_console_does_not_say_how_far_the_unlock_is() -> None:
    feed = Feed(Path("unused"), SETTINGS, lambda _: None)
    for blinded, shown in ((False, [0, 1, 2, 3, None]), (True, [None, None, None, 3, None])):
        feed._take(replace(Live().status(0, "ok"), blinded=blinded))
        told = []
        for answered in range(4):
            stage = UnlockStage(answered, needed=3, by="person", full=False, ceiling_ma=30.0)
            feed._take_word({"state": "armed", "text": "", "unlock": asdict(stage)})
            told.append(feed.snapshot()["answered"])
        done = UnlockStage(3, needed=3, by="person", full=True, ceiling_ma=30.0)
        feed._take_word({"state": "armed", "text": "", "unlock": asdict(done)})
        assert [*told, feed.snapshot()["answered"]] == shown
