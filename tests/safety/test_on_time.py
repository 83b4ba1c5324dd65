"""Bouts and sessions have an end, then a rest, and no restart shortens either."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from controller.errors import InputError
from controller.safety.guard import Guard
from controller.safety.judgement import on_time
from controller.safety.judgement.guard_types import Link, Request, prepare
from controller.safety.judgement.limits import Effective, Layer, merge
from controller.safety.judgement.on_time import (
    FRESH,
    Clock,
    kept,
    objections,
    restored,
    spent,
    switched_off,
    switched_on,
)
from controller.safety.kept_file import KeptFile
from controller.safety.settings import parse
from drivers.stimulators.p24 import P24
from tests.safety.rig import Bench, raw_settings
from tests.safety.room import Room

S = 1_000_000_000
BOUT = {"bout_max_s": 2.0, "pause_min_s": 90.0}


def limits(**values: float) -> Effective:
    return merge((Layer("session", values),))


def wait_off(bench: Bench, seconds: float) -> None:
    bench.now_ns += round(seconds * S)
    bench.feed(Link(up=True))
    bench.tick(None)


def walk_until_off(bench: Bench) -> int:
    for count in range(10_000):
        if bench.stage != "armed":
            return count
        bench.tick(None)
    raise AssertionError("never ended")


def test_after_a_full_bout_arming_waits_for_the_pause_and_says_how_long() -> None:
    bench = Bench(limits=[{"who": "patient", "limits": BOUT}]).armed()
    assert walk_until_off(bench) == 401  # 2 s of ticks, and one past it
    assert (bench.stage, bench.fault) == ("tripped", "F9")
    assert "bout_max_s 2 (patient)" in bench.notes[-1].text
    bench.feed(Request("acknowledge"))
    wait_off(bench, 30.0)
    bench.feed(Request("arm"))
    assert bench.stage == "off"
    text = "bout is over: bout_max_s 2 (patient); rest for another 60 s, pause_min_s 90 (patient)"
    assert text in bench.notes[-1].text
    wait_off(bench, 59.9)
    bench.feed(Request("arm"))
    assert bench.stage == "off"
    wait_off(bench, 0.2)
    bench.feed(Request("arm"))
    assert bench.stage == "armed"
    assert walk_until_off(bench) == 401  # a whole new bout


def test_a_rest_that_is_too_short_ends_nothing() -> None:
    bench = Bench(limits=[{"who": "patient", "limits": BOUT}]).armed()
    for _ in range(300):
        bench.tick(None)
    bench.feed(Request("disarm"))
    wait_off(bench, 89.9)
    bench.feed(Request("arm"))
    assert bench.stage == "armed"
    assert walk_until_off(bench) < 102


def test_the_longer_rest_of_a_session_holds_over_that_of_a_bout() -> None:
    values = {**BOUT, "session_max_s": 3.0}
    bench = Bench(limits=[{"who": "patient", "limits": values}]).armed()
    walk_until_off(bench)
    bench.feed(Request("acknowledge"))
    wait_off(bench, 91.0)
    bench.feed(Request("arm"))
    assert walk_until_off(bench) == 200  # the first bout went a tick past its end
    assert "session_max_s 3 (patient)" in bench.notes[-1].text
    bench.feed(Request("acknowledge"))
    wait_off(bench, 91.0)
    bench.feed(Request("arm"))
    assert "session is over" in bench.notes[-1].text
    assert "rest for another 58 min, session_pause_min_s 3600 (compiled)" in bench.notes[-1].text
    wait_off(bench, 3600.0)
    bench.feed(Request("arm"))
    assert bench.stage == "armed"


def test_a_stop_while_off_does_not_begin_the_rest_anew() -> None:
    bench = Bench(limits=[{"who": "patient", "limits": BOUT}]).armed()
    walk_until_off(bench)
    bench.feed(Request("acknowledge"))
    wait_off(bench, 80.0)
    bench.feed(Request("stop"))
    bench.feed(Request("acknowledge"))
    wait_off(bench, 11.0)
    bench.feed(Request("arm"))
    assert bench.stage == "armed"


@pytest.mark.parametrize(("name", "looser"), [("pause_min_s", 59.0), ("session_pause_min_s", 3599.0)])
def test_a_pause_may_only_get_longer(name: str, looser: float) -> None:
    with pytest.raises(InputError, match="at least"):
        limits(**{name: looser})


def test_exactly_the_limit_is_not_past_it_and_exactly_the_pause_is_enough() -> None:
    effective = limits(**BOUT)
    on = switched_on(5 * S, FRESH, effective)
    assert spent(7 * S, on, effective) == ""
    assert spent(7 * S + 1, on, effective) == "bout_max_s 2 (session)"
    off = switched_off(7 * S, on)
    assert off == (Clock(2 * S, None, 7 * S), Clock(2 * S, None, 7 * S))
    assert objections(97 * S - 1, off, effective) != ()
    assert objections(97 * S, off, effective) == ()
    assert [clock.used_ns for clock in switched_on(97 * S - 1, off, effective)] == [2 * S, 2 * S]
    assert [clock.used_ns for clock in switched_on(97 * S, off, effective)] == [0, 2 * S]
    just_less = switched_off(7 * S - 1, on)
    assert objections(7 * S, just_less, effective) == ()


def test_minutes_are_said_as_minutes() -> None:
    effective = limits(bout_max_s=1.0, pause_min_s=200.0)
    off = (Clock(S, None, 0), Clock())
    assert "another 120 s" in objections(80 * S + 1, off, effective)[0].text
    assert "another 2 min" in objections(80 * S, off, effective)[0].text
    half_an_hour = (Clock(S, None, 0), Clock())
    long = limits(bout_max_s=1.0, pause_min_s=1830.0)
    assert "another 30 min" in objections(30 * S, half_an_hour, long)[0].text
    (told,) = objections(0, half_an_hour, limits(bout_max_s=1.0, pause_min_s=7200.0))
    assert "another 120 min" in told.text
    assert (told.code, told.left_s) == ("bout", 7200.0)


def test_what_is_on_counts_up_to_now_and_has_not_rested_at_all() -> None:
    effective = limits(**BOUT)
    on = switched_on(5 * S, FRESH, effective)
    assert objections(7 * S - 1, on, effective) == ()
    assert "rest for another 90 s" in objections(7 * S, on, effective)[0].text


# --- over restarts ---


def test_kept_and_restored_in_the_same_boot_is_the_same_rest_by_any_clock() -> None:
    off = (Clock(2 * S, None, 10 * S), Clock(5 * S, None, 10 * S))
    data = json.loads(json.dumps(kept(20 * S, 1020 * S, "a", off)))
    assert restored(data, 20 * S, 1020 * S, "a") == off
    # the guard comes back 30 s later, of which the computer slept 25: they are rest too
    assert restored(data, 25 * S, 1050 * S, "a") == (Clock(2 * S, None, -15 * S), Clock(5 * S, None, -15 * S))


def test_what_was_on_when_the_guard_died_counts_as_off_from_then() -> None:
    on = (Clock(S, 10 * S), Clock(3 * S, 10 * S))
    data = kept(14 * S, 114 * S, "a", on)
    assert restored(data, 20 * S, 120 * S, "a") == (Clock(5 * S, None, 14 * S), Clock(7 * S, None, 14 * S))


def test_after_a_restart_of_the_computer_only_the_rest_since_then_counts() -> None:
    data = kept(14 * S, 10**6 * S, "a", (Clock(2 * S, None, 4 * S), Clock()))
    assert restored(data, 40 * S, 40 * S, "b") == (Clock(2 * S, None, 0), Clock())


def test_a_rest_that_begins_in_the_future_is_no_rest() -> None:
    data = {"boot": "a", "spans": {"bout": {"used_ns": S, "off_ns": 500 * S}}}
    assert restored(data, 20 * S, 120 * S, "a")[0] == Clock(S, None, 20 * S)


@pytest.mark.parametrize(
    "found",
    [
        [],
        {},
        {"spans": 3},
        {"boot": "a", "spans": {"bout": 3}},
        {"boot": "a", "spans": {"bout": {"used_ns": 1}}},
        {"boot": "a", "spans": {"bout": {"used_ns": -1, "off_ns": 1}}},
        {"boot": "a", "spans": {"bout": {"used_ns": 1.5, "off_ns": 1}}},
        {"boot": "a", "spans": {"session": {"used_ns": True, "off_ns": 1}}},
        {"boot": "a", "spans": {"session": {"used_ns": 1, "off_ns": "1"}}},
    ],
)
def test_anything_else_is_not_a_past(found: object) -> None:
    with pytest.raises(ValueError, match=r"no on-times|bout: |session: "):
        restored(found, 0, 0, "a")


def test_a_past_without_on_time_is_a_past() -> None:
    data = {"boot": "a", "spans": {"bout": {"used_ns": 0, "off_ns": 15 * S}}}
    assert restored(data, 20 * S, 20 * S, "a")[0] == Clock(0, None, 15 * S)


def make_guard(tmp_path: Path, name: str, **changes: Any) -> Guard:  # Any: JSON
    folder = tmp_path / name
    folder.mkdir()
    config = parse(raw_settings(rest_file=str(tmp_path / "rest.json"), **changes), "test")
    return Guard(folder, prepare(config, P24("/dev/null").capability), P24("/dev/null"))


@pytest.mark.parametrize("found", [b"", bytes(8192), b" " * 8192, b'{"boot":"a","spans":{}}', {"spans": 7}])
def test_a_damaged_file_of_on_times_is_refused_before_anything_starts(
    tmp_path: Path, found: bytes | dict[str, object]
) -> None:
    if isinstance(found, bytes):
        (tmp_path / "rest.json").write_bytes(found)
    else:
        file = KeptFile(tmp_path / "rest.json")
        file.write(found, sync=False)
        assert file.close(10.0)
    with pytest.raises(InputError, match=r"rest\.json.*remove the file when they have rested"):
        make_guard(tmp_path, "a")
    assert not (tmp_path / "a" / "guard.sock").exists()


def test_a_new_file_is_made_and_read_by_the_next_guard(tmp_path: Path) -> None:
    first = make_guard(tmp_path, "a")
    assert first.known.clocks == FRESH
    first.known = first.known._replace(clocks=(Clock(5 * S, None, 0), Clock()))
    first._keep_rest(first.now_ns())
    assert first._kept.rest is not None
    with pytest.raises(InputError, match="one rig of a person at a time; end the other one first"):
        make_guard(tmp_path, "at-the-same-time")
    first._end()
    second = make_guard(tmp_path, "b")
    assert [clock.used_ns for clock in second.known.clocks] == [5 * S, 0]
    second._end()


def test_a_place_that_cannot_be_written_is_refused(tmp_path: Path) -> None:
    (tmp_path / "rest.json").mkdir()
    with pytest.raises(InputError, match="a file that can be written"):
        make_guard(tmp_path, "a")


def test_on_time_and_rest_outlive_a_killed_guard(tmp_path: Path) -> None:
    changes: dict[str, Any] = {
        "rest_file": str(tmp_path / "rest.json"),
        "limits": [{"who": "patient", "limits": {"bout_max_s": 3.0, "pause_min_s": 120.0}}],
    }
    rooms = []
    try:
        for name, seconds, end in (("a", 2.5, "armed"), ("b", 1.7, "tripped"), ("c", 0.0, "off")):
            (tmp_path / name).mkdir()
            for before in rooms[-1:]:
                before.guard._kept.rest.close(10.0)  # type: ignore[union-attr]  # as the kernel does
            room = Room(tmp_path / name, **changes)  # the one before is left as a killed one is
            rooms.append(room)
            room.arm() if seconds else room.complete()
            for _ in range(round(seconds * 200)):
                room.tick()
            assert (room.stage, room.fault) == (end, "F9" if end == "tripped" else None)
        answer = rooms[-1].ask("state")
        (left_s,) = [why["left_s"] for why in answer["refusals"] if why["code"] == "bout"]
        assert 119.0 < left_s <= 120.0
        assert (
            "bout_max_s 3 (patient); rest for another 2 min, pause_min_s 120" in rooms[-1].ask("arm")["text"]
        )
        rooms[-1].now_ns += 120 * S
        assert not any(why["code"] == "bout" for why in rooms[-1].ask("state")["refusals"])
    finally:
        for room in rooms:
            room.close()


def test_the_spans_name_limits_that_exist() -> None:
    effective = limits()
    assert all(effective.named(name) for span in on_time.SPANS for name in (span.most, span.pause))
