"""A rig armed from a browser ends its pulses when that screen is gone (F26): the guard in virtual time."""

from __future__ import annotations

import pytest

from controller.safety.judgement import arming_screen
from controller.safety.judgement.arming_screen import Screen
from controller.safety.judgement.faults import FAULTS
from controller.safety.judgement.frame_check import MS
from controller.safety.judgement.guard_types import Link, Reaction, Request, Timer
from controller.safety.judgement.liveness import deadline_ns
from tests.safety.rig import Bench, pulse_train

WARN_MS, GONE_MS = 5_000, 10_000
GO = pulse_train(20.0)


def armed_from(name: str, **changes: object) -> Bench:
    bench = Bench(**changes).ready()
    bench.feed(Request("arm", "console", name))
    assert bench.stage == "armed", bench.notes
    bench.notes.clear()
    return bench


def walk(bench: Bench, until_ns: int) -> None:
    """Samples and frames go on, with pulses in trains that no limit ends; the clock stops at ``until_ns``."""
    while bench.now_ns < until_ns:
        step_ms = min(5.0, (until_ns - bench.now_ns) / MS)
        swings = (until_ns - bench.now_ns) // MS % 1500 < 500
        bench.tick(GO if swings else None, ms=step_ms)


def test_pulses_end_ten_seconds_after_the_last_beat_and_not_a_nanosecond_before() -> None:
    bench = armed_from("tablet")
    walk(bench, bench.now_ns + 3_000 * MS)
    bench.feed(Request("screen", "door", "tablet"))
    beat_ns = bench.now_ns
    walk(bench, beat_ns + GONE_MS * MS)
    assert bench.stage in ("armed", "active")
    assert any(reaction.pulses for _, reaction in bench.reactions)
    bench.now_ns += 1
    bench.feed(Timer())
    assert (bench.stage, bench.fault) == ("tripped", "F26")
    assert bench.known.state.detail == "not heard for 10 s"
    assert FAULTS["F26"].deadline_ms == GONE_MS + 20
    after_ns = bench.now_ns
    for _ in range(100):
        bench.feed(Request("screen", "door", "tablet"))  # it comes back: a trip stays
        bench.tick(GO)
    assert not [r for t, r in bench.reactions if t > after_ns and r.pulses]
    assert (bench.stage, bench.fault) == ("tripped", "F26")


def test_the_timer_is_due_when_the_screen_will_be_gone() -> None:
    bench = armed_from("tablet")
    begin_ns = bench.now_ns
    walk(bench, begin_ns + GONE_MS * MS - 1 * MS)
    assert deadline_ns(bench.setup, bench.known) == begin_ns + GONE_MS * MS


def test_it_warns_once_after_five_seconds_and_again_after_the_next_beat() -> None:
    bench = armed_from("tablet")
    for _ in range(2):
        beat_ns = bench.now_ns
        bench.notes.clear()
        walk(bench, beat_ns + WARN_MS * MS)
        assert bench.notes == []
        walk(bench, beat_ns + WARN_MS * MS + 1)
        walk(bench, beat_ns + WARN_MS * MS + 500 * MS)
        assert [(note.kind, note.fault) for note in bench.notes] == [("warning", "F26")]
        assert bench.notes[0].text == (
            "The screen that armed was not heard for 5 s, 5 s are left to take over from another screen."
        )
        bench.feed(Request("screen", "door", "tablet"))


@pytest.mark.parametrize("name", ["", "other", "Tablet", "tablet "])
def test_the_beat_of_another_screen_keeps_nothing_alive(name: str) -> None:
    bench = armed_from("tablet")
    begin_ns = bench.now_ns
    for second in range(1, 10):
        walk(bench, begin_ns + second * 1_000 * MS)
        assert bench.feed(Request("screen", "door", name)) == Reaction()
    walk(bench, begin_ns + GONE_MS * MS + 1)
    assert bench.fault == "F26"


def test_a_screen_that_beats_once_a_second_walks_on() -> None:
    bench = armed_from("tablet")
    begin_ns = bench.now_ns
    for second in range(1, 31):
        walk(bench, begin_ns + second * 1_000 * MS)
        bench.feed(Request("screen", "door", "tablet"))
    assert bench.stage in ("armed", "active")
    assert bench.notes == []


def test_the_terminal_needs_no_screen_even_after_one_that_was() -> None:
    bench = armed_from("tablet")
    bench.feed(Request("disarm"))
    bench.feed(Link(up=True))
    bench.tick(None)
    bench.feed(Request("arm", "terminal"))
    assert bench.stage == "armed"
    walk(bench, bench.now_ns + 2 * GONE_MS * MS)
    assert bench.stage in ("armed", "active")
    assert all(note.fault is None for note in bench.notes)


def test_another_screen_takes_over_by_an_act_and_then_it_is_the_one_to_be_heard() -> None:
    bench = armed_from("tablet")
    begin_ns = bench.now_ns
    walk(bench, begin_ns + 9_000 * MS)
    bench.notes.clear()
    bench.feed(Request("watch", "Ada", "desk"))
    assert [(note.kind, note.by, note.text) for note in bench.notes] == [
        ("watch", "Ada", "Another screen has taken over from the one that armed.")
    ]
    walk(bench, bench.now_ns + 9_000 * MS)
    bench.feed(Request("screen", "door", "desk"))
    taken_ns = bench.now_ns
    walk(bench, taken_ns + 5_000 * MS)
    bench.feed(Request("screen", "door", "tablet"))  # the first one is no longer asked for
    walk(bench, taken_ns + GONE_MS * MS)
    assert bench.stage in ("armed", "active")
    walk(bench, taken_ns + GONE_MS * MS + 1)
    assert bench.fault == "F26"


@pytest.mark.parametrize(
    ("armed_by", "taking", "why"),
    [
        ("tablet", "", "the screen has no name"),
        ("", "desk", "the terminal armed, no screen has to be heard"),
    ],
)
def test_taking_over_is_refused_with_the_reason(armed_by: str, taking: str, why: str) -> None:
    bench = armed_from(armed_by)
    before = bench.known
    bench.feed(Request("watch", "Ada", taking))
    assert [(note.kind, note.by, note.text) for note in bench.notes] == [
        ("refused", "Ada", f"Not taken over: {why}.")
    ]
    assert bench.known == before


def test_nothing_is_taken_over_where_nothing_can_flow() -> None:
    bench = armed_from("tablet")
    bench.feed(Request("stop", "Ada"))
    bench.feed(Request("watch", "Ada", "desk"))
    assert bench.notes[-1].text == "Not taken over: guard is tripped."
    assert bench.stage == "tripped"


def test_where_the_safe_action_is_a_ramp_the_current_fades_and_the_trip_latches() -> None:
    bench = armed_from("tablet", safe_action="ramp")
    walk(bench, bench.now_ns + GONE_MS * MS)
    assert bench.stage == "active"
    bench.now_ns += 1
    bench.feed(Timer())
    assert (bench.stage, bench.known.state.fault) == ("ramp", "F26")
    walk(bench, bench.now_ns + 105 * MS)
    assert (bench.stage, bench.fault) == ("tripped", "F26")


def test_the_first_cause_stays_when_the_screen_goes_too() -> None:
    bench = armed_from("tablet")
    bench.feed(Request("stop", "Ada"))
    bench.now_ns += 2 * GONE_MS * MS
    bench.feed(Timer())
    assert bench.fault == "F11"


def test_a_beat_makes_no_screen_where_none_armed() -> None:
    assert arming_screen.beaten(5, "tablet", None) is None
    assert arming_screen.beaten(5, "tablet", Screen("tablet", 1, warned=True)) == Screen("tablet", 5)
    assert arming_screen.beaten(5, "desk", Screen("tablet", 1, warned=True)) == Screen(
        "tablet", 1, warned=True
    )
    assert arming_screen.gone(5, None) == arming_screen.warning(5, None) == ""
