"""Staged unlock: open loop at low current until the leg has answered, and a person too where told so."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from controller.record.records import GuardEvent, GuardVerdict, Tick
from controller.safety.judgement.frame_check import MS
from controller.safety.judgement.guard_types import Link, Peer, Reaction, Request
from controller.safety.judgement.plausibility import STRONG_SHARE
from controller.safety.judgement.requests import unlock_stage
from controller.safety.judgement.staged_unlock import SHARE, STRIDES, UnlockStage
from controller.safety.judgement.wire import (
    PURPOSES,
    Frame,
    Purpose,
    SensorStamp,
    decode_frame,
    encode_frame,
    encode_stamp,
)
from drivers.interface import ChannelCommand
from tests.safety.rig import SESSION, Bench, pulse_train
from tests.safety.room import Room
from tests.safety.test_judge import Session, broken, walk

CEILING_MA = 30.0  # three quarters of the session's 40 mA


def by_feedback(bench: Bench, current_ma: float | None = 10.0) -> Reaction:
    bench.now_ns += 5 * MS
    bench.stamp()
    bench.seq += 1
    channel = None if current_ma is None else pulse_train(current_ma)
    return bench.feed(Frame(SESSION, bench.seq, bench.now_ns, 60.0, (channel,), "feedback"))


def verdict(reaction: Reaction) -> str:
    assert reaction.verdict is not None
    return reaction.verdict.verdict


def answers(bench: Bench, count: int = STRIDES) -> Bench:
    for _ in range(count):
        bench.answer()
    return bench


def through_ma(bench: Bench, current_ma: float) -> float:
    """What is let through once the rise is over; in trains short enough for the limit."""
    for _ in range(100):
        bench.tick(pulse_train(current_ma))
    reaction = bench.tick(pulse_train(current_ma))
    assert reaction.verdict is not None
    channel = reaction.verdict.channels[0]
    for _ in range(30):
        bench.tick(None)
    return 0.0 if channel is None else channel.current_ma


def test_without_unlock_a_session_is_open_loop_and_feedback_is_blocked() -> None:
    bench = Bench().armed()
    assert bench.notes[-1].text == "Armed."
    assert through_ma(bench, 35.0) == 35.0
    answers(bench)
    reaction = by_feedback(bench)
    assert verdict(reaction) == "blocked"
    assert reaction.verdict is not None
    assert reaction.verdict.reason == "feedback before the staged unlock"
    assert reaction.pulses == ()
    bench.feed(Request("unlock"))
    assert bench.notes[-1].text == "Not unlocked: this session is open loop."


def test_before_the_unlock_current_is_reduced_to_the_ceiling_and_feedback_blocked() -> None:
    bench = Bench(unlock="strides").armed()
    assert bench.notes[-1].text == (
        "Armed. Staged unlock: open loop at no more than 30 mA, 0 of 3 strides answered."
    )
    assert through_ma(bench, CEILING_MA) == CEILING_MA
    assert through_ma(bench, 35.0) == CEILING_MA
    reaction = next(r for _, r in reversed(bench.reactions) if r.verdict and r.verdict.verdict == "reduced")
    assert reaction.limit == "staged unlock"
    assert verdict(by_feedback(bench)) == "blocked"
    assert verdict(by_feedback(bench, None)) == "ok"  # asks for nothing


@pytest.mark.parametrize("by", ["strides", "person"])
def test_how_far_the_unlock_is_is_told_in_numbers(by: str) -> None:
    bench = Bench(unlock=by).armed()
    assert unlock_stage(bench.setup, bench.known) == UnlockStage(0, 3, by, full=False, ceiling_ma=CEILING_MA)
    assert bench.notes[-1].unlock == unlock_stage(bench.setup, bench.known)
    answers(bench, 2)
    assert bench.notes[-1].unlock == UnlockStage(2, 3, by, full=False, ceiling_ma=CEILING_MA)
    answers(bench, 2)
    told = unlock_stage(bench.setup, bench.known)
    assert told == UnlockStage(3, 3, by, full=by == "strides", ceiling_ma=CEILING_MA)
    bench.feed(Request("unlock", "Ada"))
    done = UnlockStage(3, 3, by, full=True, ceiling_ma=CEILING_MA)
    assert unlock_stage(bench.setup, bench.known) == done
    assert [note.unlock for note in bench.notes if note.kind == "unlock"] == [done]
    while bench.stage != "active":
        bench.tick(pulse_train(1.0))
    bench.feed(Request("disarm"))
    assert bench.stage == "ramp"
    assert unlock_stage(bench.setup, bench.known) is not None
    bench.feed(Request("stop"))
    assert unlock_stage(bench.setup, bench.known) is None


def test_an_open_loop_session_and_one_armed_for_test_trains_have_no_unlock_to_tell() -> None:
    bench = Bench().armed()
    assert (unlock_stage(bench.setup, bench.known), bench.notes[-1].unlock) == (None, None)
    bench = Bench(unlock="person").ready()
    assert unlock_stage(bench.setup, bench.known) is None
    bench.feed(Request("arm", scope="tests"))
    assert bench.stage == "armed"
    assert (unlock_stage(bench.setup, bench.known), bench.notes[-1].unlock) == (None, None)


def test_three_answered_strides_unlock_where_strides_decide() -> None:
    bench = answers(Bench(unlock="strides").armed(), STRIDES - 1)
    assert bench.notes[-1].kind == "answer"
    assert bench.notes[-1].text.startswith("The stride lifted the toes by 8 deg. Staged unlock: open loop")
    assert verdict(by_feedback(bench)) == "blocked"
    answers(bench, 1)
    assert [(note.kind, note.by) for note in bench.notes[-2:]] == [("answer", ""), ("unlock", "strides")]
    assert "3 of 3 strides answered" in bench.notes[-2].text
    assert bench.notes[-1].text == "Unlocked: feedback and the whole current are allowed."
    assert verdict(by_feedback(bench, 1.0)) == "ok"
    assert through_ma(bench, 35.0) == 35.0
    count = len(bench.notes)
    answers(bench, 1)
    assert len(bench.notes) == count  # nothing more to say


def test_where_a_person_decides_strides_are_not_enough_and_the_person_alone_is_not_either() -> None:
    bench = answers(Bench(unlock="person").armed(), STRIDES - 1)
    bench.feed(Request("unlock", "Ada"))
    assert (bench.notes[-1].kind, bench.notes[-1].by) == ("refused", "Ada")
    assert bench.notes[-1].text == "Not unlocked: the leg has answered 2 of 3 strides."
    answers(bench, 1)
    assert bench.notes[-1].text.endswith("3 of 3 strides answered; then a person unlocks.")
    answers(bench, 1)
    assert "3 of 3" in bench.notes[-1].text
    assert verdict(by_feedback(bench)) == "blocked"
    bench.feed(Request("unlock", "Ada"))
    assert (bench.notes[-1].kind, bench.notes[-1].by) == ("unlock", "Ada")
    assert verdict(by_feedback(bench, 1.0)) == "ok"
    bench.feed(Request("unlock", "Ada"))
    assert bench.notes[-1].text == "Not unlocked: it is unlocked already."


@pytest.mark.parametrize(
    "end",
    [
        lambda bench: bench.feed(Request("stop")),
        lambda bench: bench.feed(Request("disarm")),
        lambda bench: bench.feed(Peer("controller", False)),
        lambda bench: bench.wait(61),
    ],
)
def test_whatever_ends_the_arming_goes_back_to_the_first_stage(end: Callable[[Bench], object]) -> None:
    bench = answers(Bench(unlock="strides").armed())
    assert bench.known.unlock.full
    end(bench)
    assert bench.stage in ("off", "tripped")
    bench.feed(Request("acknowledge"))
    answers(bench)  # nothing counts while off
    bench.feed(Request("unlock"))
    assert bench.notes[-1].text == "Not unlocked: guard is off."
    bench.feed(Peer("controller", True))
    bench.feed(Link(up=True))
    bench.tick(None)
    bench.feed(Request("arm"))
    assert bench.stage == "armed"
    assert "0 of 3 strides" in bench.notes[-1].text
    assert verdict(by_feedback(bench)) == "blocked"


@pytest.mark.parametrize(
    ("count", "kind", "text"),
    [
        (STRIDES - 1, "refused", "Not unlocked: the leg has answered 2 of 3 strides."),
        (STRIDES, "unlock", "Unlocked: feedback and the whole current are allowed."),
    ],
)
def test_a_person_unlocks_once_the_last_stride_has_answered_and_not_before(
    count: int, kind: str, text: str
) -> None:
    bench = answers(Bench(unlock="person").armed(), count)
    bench.feed(Request("unlock", "Ada"))
    note = bench.notes[-1]
    assert (note.kind, note.by, note.text) == (kind, "Ada", text)
    assert bench.known.unlock.full == (kind == "unlock")


def test_a_soft_stop_neither_counts_nor_unlocks() -> None:
    bench = Bench(unlock="person", safe_action="ramp").armed()
    through_ma(bench, 20.0)
    for _ in range(30):
        bench.tick(pulse_train(20.0))
    answers(bench)
    bench.feed(Request("disarm"))
    assert bench.stage == "ramp"
    bench.feed(Request("unlock"))
    assert bench.notes[-1].text == "Not unlocked: guard is ramp."
    answers(bench)
    assert bench.notes[-1].kind == "refused"
    assert bench.tick(pulse_train(20.0)).limit == "ramp down"


def test_the_ceiling_lies_where_a_stride_without_answer_means_something() -> None:
    assert SHARE > STRONG_SHARE


def test_what_a_frames_current_is_for_survives_the_way() -> None:
    for purpose in PURPOSES:
        frame = Frame(1, 2, 3, 60.0, (ChannelCommand(1.0, 2.0, 3.0), None), purpose)
        assert decode_frame(encode_frame(frame)) == frame


# --- the guard in one piece: sockets, stimulator, and a leg that answers ---


def stride(room: Room, *, stimulated: bool, feedback: bool = False) -> None:
    """0.7 s of a foot at 200 Hz: rest, heel off, flat again; with current the toes go up by 17 deg first."""
    assert room.controller is not None
    for index in range(140):
        room.seq += 1
        room.now_ns += 5 * MS
        rate_rps = 0.0 if index < 50 else 6.0 if index < 76 else -6.0 if index < 102 else 0.0
        if stimulated and 102 <= index < 122:
            rate_rps = -6.0 if index < 112 else 6.0
        motion = ((0.0, 0.0, 9.81), (0.0, rate_rps, 0.0))
        stamp = SensorStamp(SESSION, "foot", room.now_ns, room.seq, True, room.seq, motion)
        room.controller.send(encode_stamp(stamp))
        on = stimulated and 40 <= index < 120
        channel = pulse_train(36.0) if on else None
        purpose: Purpose = "feedback" if feedback else "open_loop"
        frame = Frame(SESSION, room.seq, room.now_ns, 60.0, (channel,), purpose)
        room.controller.send(encode_frame(frame))
        room.round()
        room.answered()  # a pulse without an answer keeps the next from leaving
        room.verdicts()


@pytest.mark.parametrize("by", ["person", "strides"])
def test_the_whole_guard_lets_feedback_begin_when_the_leg_has_answered(tmp_path: Path, by: str) -> None:
    room = Room(tmp_path, unlock=by, sensors=[{"name": "foot", "segment": "foot"}])
    try:
        room.arm()
        for _ in range(3):
            stride(room, stimulated=False)
        assert not room.ask("unlock")["ok"]
        for done in range(1, STRIDES + 1):
            stride(room, stimulated=True)
            stride(room, stimulated=False)
            assert len(room.events("answer")) == done
        assert max(currents(room)) == CEILING_MA
        if by == "person":
            assert not room.ask("state")["unlocked"]
            count = len(room.device.pulses)
            stride(room, stimulated=True, feedback=True)
            assert len(room.device.pulses) == count  # blocked
            assert room.ask("unlock")["ok"]
        assert room.ask("state")["unlocked"]
        assert [event["by"] for event in room.events("unlock")] == ["tester" if by == "person" else "strides"]
        stride(room, stimulated=True, feedback=True)
        assert max(currents(room)) > CEILING_MA
        assert not room.ask("stop")["unlocked"]
    finally:
        room.close()


def currents(room: Room) -> list[float]:
    return [points[0][1] for _, points in list(room.device.pulses)]


# --- and the judge of recordings ---


def staged(answered: int = STRIDES, mode: str = "trapezoid", ceiling_ma: float = 24.0) -> Session:
    """A sound session with its unlock in the first swing's pause."""
    session = walk()
    session.setup["unlock"] = {"by": "strides", "strides": STRIDES, "ceiling_ma": ceiling_ma}
    for index, (topic, t_ns, record) in enumerate(session.messages):
        if isinstance(record, Tick) and index > 400:
            view = replace(record.decision.view, mode=mode)
            session.messages[index] = (
                topic,
                t_ns,
                replace(record, decision=replace(record.decision, view=view)),
            )
    t_ns = session.messages[300][1]
    said = [GuardEvent(t_ns, "answer", "active", "")] * answered
    events = [*said, GuardEvent(t_ns, "unlock", "active", "")]
    session.messages[300:300] = [("guard/event", t_ns, event) for event in events]
    return session


def test_the_judge_keeps_a_session_unlocked_in_order(tmp_path: Path) -> None:
    assert broken(staged(mode="feedback").judge(tmp_path)) == set()
    assert broken(staged(mode="learning").judge(tmp_path)) == set()


@pytest.mark.parametrize(
    ("session", "words"),
    [
        (lambda: staged(answered=STRIDES - 1), "after 2 of 3 strides"),
        (lambda: staged(ceiling_ma=19.5), ""),
    ],
)
def test_the_judge_finds_an_unlock_too_early_and_a_current_too_high(
    tmp_path: Path, session: Callable[[], Session], words: str
) -> None:
    findings = [one for one in session().judge(tmp_path) if not one.kept]
    assert {one.id for one in findings} == {"unlock"}
    assert words in findings[0].detail


def exercised(on_ticks: int, purpose: str = "open_loop") -> Session:
    """As :func:`staged`, an exercise that needs one contraction and has one of so many ticks."""
    session = walk(on_ticks)
    session.setup |= {"unlock": {"by": "person", "strides": 1, "ceiling_ma": 24.0}, "caps": "exercise"}
    for index, (_, _, record) in enumerate(session.messages):
        if isinstance(record, GuardVerdict):
            session.alter(index, purpose=purpose if index < 300 else "open_loop")
    t_ns = session.messages[300][1]
    said = [GuardEvent(t_ns, kind, "active", "") for kind in ("answer", "unlock")]
    session.messages[300:300] = [("guard/event", t_ns, event) for event in said]
    return session


def test_the_judge_counts_an_exercises_contractions_by_its_pulses(tmp_path: Path) -> None:
    assert broken(exercised(101).judge(tmp_path)) == set()  # pulses from 0 to 500 ms
    for short in (exercised(100), exercised(101, purpose="test_train")):  # to 475 ms
        (finding,) = [one for one in short.judge(tmp_path) if not one.kept]
        assert (finding.id, "after 0 of 1 contractions" in finding.detail) == ("unlock", True)


def test_the_judge_finds_feedback_by_its_purpose(tmp_path: Path) -> None:
    details = [one.detail for one in exercised(101, purpose="feedback").judge(tmp_path) if not one.kept]
    assert any("by feedback" in detail for detail in details)


def test_the_judge_finds_feedback_before_the_unlock_and_in_an_open_loop_session(tmp_path: Path) -> None:
    session = staged(mode="feedback")
    session.messages = [m for m in session.messages if getattr(m[2], "kind", "") != "unlock"]
    (finding,) = [one for one in session.judge(tmp_path) if not one.kept]
    assert finding.id == "unlock"
    assert "by feedback" in finding.detail
    session.setup["unlock"] = None
    (finding,) = [one for one in session.judge(tmp_path) if not one.kept]
    assert finding.id == "unlock"


def test_the_file_says_who_unlocks() -> None:
    with pytest.raises(Exception, match="one of person, strides"):
        Bench(unlock="nobody")
    assert json.dumps(Bench(unlock="person").setup.config.unlock) == '"person"'
