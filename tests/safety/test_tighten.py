"""The largest current is lowered while the session runs: at once, for good, and only downwards."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from controller.record.records import GuardEvent
from controller.safety.judgement.frame_check import MS
from controller.safety.judgement.guard_types import Link, Reaction, Request, Tighten
from drivers.interface import ChannelCommand
from tests.safety.rig import Bench, pulse_train
from tests.safety.room import Room
from tests.safety.test_judge import broken, walk

ON_MA = 20.0


def through(reaction: Reaction) -> tuple[str, ChannelCommand | None]:
    assert reaction.verdict is not None
    return reaction.verdict.verdict, reaction.verdict.channels[0]


def test_a_lower_largest_current_holds_from_the_next_frame_on() -> None:
    bench = Bench().active(ON_MA)
    assert through(bench.tick(pulse_train(ON_MA))) == ("ok", pulse_train(ON_MA))
    bench.feed(Tighten(ON_MA, "Ada"))
    note = bench.notes[-1]
    assert (note.kind, note.by, note.current_max_ma) == ("tighten", "Ada", ON_MA)
    assert note.text == "The largest current is 20 mA until the session ends."
    assert through(bench.tick(pulse_train(ON_MA))) == ("ok", pulse_train(ON_MA))
    assert through(bench.tick(pulse_train(20.5))) == ("blocked", None)
    bench.feed(Tighten(19.5, "Ada"))
    reaction = bench.tick(pulse_train(ON_MA))
    assert through(reaction) == ("blocked", None)
    assert reaction.limit == "current_max_ma 19.5 (session)"
    assert bench.stage == "active"


def test_it_holds_over_stop_and_a_new_arming() -> None:
    bench = Bench(unlock="strides").active(ON_MA)
    bench.feed(Tighten(16.0, "Ada"))
    for ending in ("stop", "disarm"):
        bench.feed(Request("stop") if ending == "stop" else Request("disarm"))
        bench.feed(Request("acknowledge"))
        bench.wait(200)
        bench.feed(Link(up=True))
        bench.tick()
        bench.feed(Request("arm"))
        assert bench.stage == "armed"
        for _ in range(60):
            reaction = bench.tick(pulse_train(16.0))
        assert through(reaction) == ("reduced", pulse_train(12.0))  # three quarters, until it is unlocked
        assert through(bench.tick(pulse_train(16.5))) == ("blocked", None)


@pytest.mark.parametrize(
    ("value", "why"),
    [
        (40.5, "found 40.5, allowed: at most 40, set by session; a running session may only tighten"),
        (None, "allowed: a number"),
        (True, "allowed: a number"),
        ("37", "allowed: a number"),
        ([37.0], "allowed: a number"),
        (float("nan"), "allowed: a finite number above 0"),
        (float("inf"), "allowed: a finite number above 0"),
        (0.0, "allowed: a finite number above 0"),
        (-0.0, "allowed: a finite number above 0"),
        (-3, "allowed: a finite number above 0"),
    ],
)
def test_a_looser_value_and_what_is_none_are_refused_in_words(value: object, why: str) -> None:
    bench = Bench().active(ON_MA)
    before = bench.known
    bench.feed(Tighten(value, "Ada"))
    note = bench.notes[-1]
    assert (note.kind, note.by) == ("refused", "Ada")
    where = "current_max_ma" if value == 40.5 else "limits of session: current_max_ma"
    assert note.text.startswith(f"Not tightened: tighten: {where}: found ")
    assert why in note.text
    assert bench.known == before


def test_it_never_rises_again() -> None:
    bench = Bench().armed()
    bench.feed(Tighten(30, "Ada"))
    bench.feed(Tighten(30.0, "Ada"))  # again: nothing new, and no refusal
    assert [note.kind for note in bench.notes[-2:]] == ["tighten", "tighten"]
    bench.feed(Tighten(30.5, "Ada"))
    assert "at most 30, set by session" in bench.notes[-1].text
    assert bench.known.tightened is not None
    effective = bench.known.tightened.rules.effective
    assert (effective.limits.current_max_ma, effective.set_by["current_max_ma"]) == (30.0, "session")
    assert effective.limits == replace(bench.setup.rules.effective.limits, current_max_ma=30.0)


def test_the_limit_that_a_patient_file_set_keeps_its_name_when_it_is_asked_for_again() -> None:
    bench = Bench(limits=[{"who": "patient", "limits": {"current_max_ma": 35.0}}]).armed()
    bench.feed(Tighten(35.0, "Ada"))
    assert bench.known.tightened is not None
    assert bench.known.tightened.rules.effective.set_by["current_max_ma"] == "patient"


def test_the_whole_guard_takes_it_at_once_tells_everybody_and_records_who(tmp_path: Path) -> None:
    room = Room(tmp_path, unlock="strides")
    try:
        room.complete()
        assert room.operator is not None
        assert room.controller is not None
        room.heard(room.operator)
        room.operator.send(json.dumps({"op": "tighten", "current_max_ma": 24.0, "by": "Ada"}).encode())
        room.round()
        words = room.heard(room.operator)
        (reply,) = (word for word in words if word.get("reply") == "tighten")
        assert reply["ok"]
        (push,) = (word for word in words if "reply" not in word)
        assert push["current_max_ma"] == 24.0
        assert room.heard(room.controller)[-1]["current_max_ma"] == 24.0
        assert room.ask("state")["limits"]["current_max_ma"] == {"value": 24.0, "set_by": "session"}
        (event,) = room.events("tighten")
        assert (event["by"], event["current_max_ma"]) == ("Ada", 24.0)
        room.operator.send(json.dumps({"op": "tighten", "current_max_ma": 25.0, "by": "Bob"}).encode())
        room.round()
        (reply,) = (word for word in room.heard(room.operator) if word.get("reply") == "tighten")
        assert not reply["ok"]
        assert "may only tighten" in reply["text"]
    finally:
        room.close()


# --- and the judge


def test_the_judge_holds_the_session_to_the_lowered_current(tmp_path: Path) -> None:
    session = walk()
    middle = session.verdicts()[20]
    t_ns = session.messages[middle][1] - MS
    lower = GuardEvent(t_ns, "tighten", "active", "words", by="Ada", current_max_ma=ON_MA)
    session.messages.insert(middle, ("guard/event", t_ns, lower))
    assert "current_max_ma" not in broken(session.judge(tmp_path))
    session.messages[middle] = ("guard/event", t_ns, replace(lower, current_max_ma=19.5))
    (found,) = (f for f in session.judge(tmp_path) if f.id == "current_max_ma" and not f.kept)
    assert (found.worst, found.limit) == (ON_MA, 19.5)
    assert "as lowered by Ada" in found.promise
