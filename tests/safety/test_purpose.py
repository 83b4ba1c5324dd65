"""What a frame's current is for: nothing in an arm that is off, test trains alone when armed for them."""

from __future__ import annotations

import json
import struct
import zlib
from dataclasses import replace
from pathlib import Path

import pytest

from controller.analysis.judge import Finding
from controller.record.records import Arm, GuardEvent, GuardVerdict, Tick, TrialKey
from controller.safety.judgement.frame_check import MS
from controller.safety.judgement.guard_types import Link, Reaction, Request
from controller.safety.judgement.staged_unlock import STRIDES
from controller.safety.judgement.wire import PURPOSES, BadFrame, Frame, Purpose, decode_frame, encode_frame
from drivers.interface import ChannelCommand
from tests.safety.rig import SESSION, Bench, pulse_train
from tests.safety.room import Room
from tests.safety.test_arming import Wired, armed_after_a_test
from tests.safety.test_judge import Session, broken, walk

GO = pulse_train(10.0)


def tick(bench: Bench, purpose: Purpose, channel: ChannelCommand | None = None) -> Reaction:
    """As :meth:`Bench.tick`, with a purpose; what a wired stimulator answers comes before the next one."""
    reaction = bench.tick(channel, purpose=purpose)
    if isinstance(bench, Wired):
        for pulse in reaction.pulses:
            bench.answer(pulse)
    return reaction


def given(reaction: Reaction) -> tuple[str, str]:
    assert reaction.verdict is not None
    return reaction.verdict.verdict, reaction.verdict.reason


# --- the frame


def test_a_purpose_nobody_knows_makes_a_bad_frame() -> None:
    message = encode_frame(Frame(1, 1, 1, 60.0, (None,)))
    body = bytearray(message[:-4])
    place = len(body) - 26 - 1  # ahead of one channel of 26 bytes
    assert body[place] == PURPOSES.index("open_loop")
    for number in range(256):
        body[place] = number
        sealed = bytes(body) + struct.pack("<I", zlib.crc32(bytes(body)))
        found = decode_frame(sealed)
        if number < len(PURPOSES):
            assert isinstance(found, Frame)
            assert found.purpose == PURPOSES[number]
        else:
            assert found == BadFrame(f"purpose {number} is not known")


@pytest.mark.parametrize("stage", ["off", "armed", "active"])
@pytest.mark.parametrize("current_ma", [0.0, -0.0, 0.5, 40.0])
def test_a_frame_that_says_off_and_asks_for_a_pulse_is_a_broken_controller(
    stage: str, current_ma: float
) -> None:
    bench = Bench().ready() if stage == "off" else Bench().armed() if stage == "armed" else Bench().active()
    assert bench.stage == stage
    reaction = tick(bench, "off", pulse_train(current_ma))
    assert given(reaction) == ("blocked", "a pulse is asked for by a frame that says off")
    assert (bench.stage, bench.fault, reaction.pulses) == ("tripped", "F7", ())


def test_a_frame_that_says_off_and_asks_for_nothing_is_sound() -> None:
    bench = Bench().active()
    for _ in range(1000):
        reaction = tick(bench, "off")
        assert (given(reaction)[0], reaction.pulses) == ("ok", ())
    assert bench.stage == "active"


# --- armed in an arm that is off


def in_an_off_arm(loose: frozenset[int] = frozenset()) -> Wired:
    bench = Wired(loose=loose).wants_to_arm(purpose="off")
    assert bench.stage == "armed", bench.notes
    return bench


def test_in_an_arm_that_is_off_not_even_the_electrodes_are_tested() -> None:
    bench = in_an_off_arm()
    assert bench.notes[-1].text == "Armed. The electrodes are tested before the first pulse."
    assert (bench.notes[-1].kind, bench.notes[-1].by) == ("arm", "Ada")
    reactions = [tick(bench, "off") for _ in range(1000)]  # 5 s: a test may take 2
    assert sum(len(reaction.pulses) for reaction in reactions) == 0
    assert bench.stage == "armed"
    bench.feed(Request("stop"))
    bench.feed(Request("acknowledge"))
    bench.feed(Link(up=True))
    tick(bench, "off")
    bench.feed(Request("arm"))
    assert bench.stage == "armed"
    reactions = [tick(bench, "off") for _ in range(1000)]
    assert sum(len(reaction.pulses) for reaction in reactions) == 0


@pytest.mark.parametrize("purpose", ["open_loop", "feedback", "test_train"])
@pytest.mark.parametrize("wanted", [None, GO])
def test_when_the_next_arm_begins_the_electrodes_are_tested_first(
    purpose: Purpose, wanted: ChannelCommand | None
) -> None:
    bench = in_an_off_arm()
    tick(bench, "off")
    reaction = tick(bench, purpose, wanted)
    assert reaction.pulses == ()
    if wanted is not None:
        assert given(reaction) == ("blocked", "the electrodes are not tested yet")
    assert bench.stage == "contact test"
    assert [note.kind for note in bench.notes] == ["arm", "contact"]
    for _ in range(100):
        if bench.stage == "contact test":
            tick(bench, purpose)
    assert bench.stage == "armed"
    assert (bench.notes[-1].kind, bench.notes[-1].by) == ("arm", "Ada")
    assert bench.notes[-1].text == "Armed. The electrodes have contact."
    assert bench.known.untested_by is None
    tick(bench, "open_loop", GO)
    assert bench.stage == "active"


def test_an_electrode_found_open_at_the_next_arm_ends_the_arming() -> None:
    bench = in_an_off_arm(loose=frozenset({0}))
    for _ in range(100):
        tick(bench, "open_loop")
    assert (bench.stage, bench.notes[-1].fault) == ("off", "F22")
    assert (bench.notes[-1].kind, bench.notes[-1].by) == ("refused", "Ada")


def test_an_old_frame_begins_no_test() -> None:
    bench = in_an_off_arm()
    bench.now_ns += 5 * MS
    bench.feed(Frame(SESSION, bench.seq, bench.now_ns, 60.0, (None,), "open_loop"))  # a repeated number
    assert bench.stage == "armed"
    tick(bench, "off")
    assert bench.stage == "armed"
    bench.feed(Request("disarm"))
    tick(bench, "open_loop")
    assert bench.stage == "off"
    assert bench.known.untested_by is None


def test_disarmed_in_an_off_arm_and_armed_in_another_is_tested_as_ever() -> None:
    bench = in_an_off_arm()
    bench.feed(Request("disarm"))
    bench.feed(Link(up=True))
    tick(bench, "open_loop")
    bench.feed(Request("arm"))
    assert bench.stage == "contact test"


def test_a_stimulator_that_cannot_tell_needs_no_test_after_an_off_arm() -> None:
    bench = Bench().ready()
    tick(bench, "off")
    bench.feed(Request("arm"))
    assert (bench.stage, bench.known.untested_by) == ("armed", None)
    tick(bench, "open_loop", GO)
    assert bench.stage == "active"


# --- armed for test trains


def for_tests(**changes: object) -> Bench:
    bench = Bench(**changes).ready()
    bench.feed(Request("arm", "Ada", scope="tests"))
    assert (bench.stage, bench.known.scope) == ("armed", "tests"), bench.notes
    return bench


def test_armed_for_tests_all_but_a_test_train_is_blocked_and_no_fault() -> None:
    bench = for_tests(unlock="strides")
    assert bench.notes[-1].text == "Armed. For test trains alone."
    for purpose in ("open_loop", "feedback"):
        for _ in range(1000):
            reaction = tick(bench, purpose, GO)
            assert given(reaction) == ("blocked", "armed for test trains alone")
            assert reaction.pulses == ()
    assert bench.stage == "armed"
    assert [pulse for _ in range(50) for pulse in tick(bench, "test_train", GO).pulses]
    assert bench.stage == "active"
    assert given(tick(bench, "open_loop", GO))[0] == "blocked"
    assert bench.stage == "active"


def test_a_search_goes_up_to_the_limit_and_not_to_the_share_of_the_staged_unlock() -> None:
    bench = for_tests(unlock="strides")
    for _ in range(100):
        reaction = tick(bench, "test_train", pulse_train(40.0))
    assert reaction.verdict is not None
    assert reaction.verdict.channels == (pulse_train(40.0),)
    assert given(tick(bench, "test_train", pulse_train(40.5)))[0] == "blocked"
    walking = Bench(unlock="strides").armed()
    for _ in range(100):
        reaction = tick(walking, "test_train", pulse_train(40.0))
    assert reaction.verdict is not None
    assert reaction.verdict.channels == (pulse_train(30.0),)


def test_test_trains_earn_no_unlock() -> None:
    bench = for_tests(unlock="strides")
    for _ in range(STRIDES + 1):
        bench.answer()
    assert bench.known.unlock.answered == 0
    bench = for_tests(unlock="person")
    bench.known = bench.known._replace(unlock=replace(bench.known.unlock, answered=STRIDES))
    bench.feed(Request("unlock"))
    assert bench.notes[-1].text == "Not unlocked: armed for test trains alone."
    assert not bench.known.unlock.full


def test_arming_for_walking_is_an_act_of_its_own() -> None:
    bench = for_tests()
    bench.feed(Request("arm"))
    assert (bench.stage, bench.known.scope) == ("armed", "tests")
    assert bench.notes[-1].text == "Not armed: guard is armed."
    for ending in ("disarm", "stop"):
        bench.feed(Request(ending))
        bench.feed(Request("acknowledge"))
        assert (bench.stage, bench.known.scope) == ("off", "walk")
        bench.feed(Link(up=True))
        tick(bench, "open_loop")
        bench.feed(Request("arm"))
        assert (bench.stage, bench.known.scope) == ("armed", "walk")
        tick(bench, "open_loop", GO)
        assert bench.stage == "active"


def test_the_electrodes_are_tested_when_armed_for_tests_too() -> None:
    bench = Wired().wants_to_arm(scope="tests")
    bench.go_through()
    assert (bench.stage, bench.known.scope) == ("armed", "tests")
    assert bench.notes[-1].text == "Armed. The electrodes have contact. For test trains alone."
    assert given(tick(bench, "open_loop", GO))[0] == "blocked"


def test_the_whole_guard_says_and_records_what_it_is_armed_for(tmp_path: Path) -> None:
    room = Room(tmp_path, unlock="strides")
    try:
        room.complete()
        room.tick()
        assert room.operator is not None
        assert room.ask("state")["scope"] == "walk"
        for wrong in ("walks", "", None, 3, ["tests"]):
            room.operator.send(json.dumps({"op": "arm", "scope": wrong}).encode())
            room.round()
            (word,) = (word for word in room.heard(room.operator) if word.get("reply") == "arm")
            assert (word["ok"], word["state"]) == (False, "off")
            assert word["text"].endswith("allowed: walk, tests")
        assert room.controller is not None
        room.heard(room.operator)
        room.operator.send(json.dumps({"op": "arm", "scope": "tests"}).encode())
        room.round()
        for _ in range(200):
            if room.stage != "armed":
                room.tick()
        assert room.stage == "armed"
        words = room.heard(room.operator)
        assert words
        assert {word["scope"] for word in words} == {"tests"}
        room.tick(10.0)
        records = [data for topic, data in room.records if topic == "guard/verdict"]
        last = records[-1]
        assert (last["scope"], last["purpose"], last["unlocked"]) == ("tests", "open_loop", False)
        assert (last["verdict"], last["pulses"]) == ("blocked", [])
        assert records[0]["scope"] == "walk"
    finally:
        room.close()


def test_a_session_without_unlock_is_recorded_as_unlocked(tmp_path: Path) -> None:
    room = Room(tmp_path)
    try:
        room.walk()
        records = [data for topic, data in room.records if topic == "guard/verdict"]
        assert {record["unlocked"] for record in records} == {True}
        assert {record["purpose"] for record in records} == {"open_loop"}
    finally:
        room.close()


# --- and the judge of recordings


def purpose_of(findings: list[Finding]) -> Finding:
    (found,) = (finding for finding in findings if finding.id == "purpose")
    return found


def marked(session: Session, *, mode: str, label: str = "", in_pause: bool = False) -> Session:
    """With the markers of an arm that holds the first swing, or the first pause."""
    first = session.verdicts()[0]
    pause = next(
        index
        for index, (_, _, record) in enumerate(session.messages)
        if index > first and isinstance(record, GuardVerdict) and record.channels == (None,)
    )
    begin_ns = session.messages[pause if in_pause else first][1] - MS
    end_ns = begin_ns + 400 * MS
    session.messages.append(("arm", begin_ns, Arm(begin_ns, "begin", mode, label=label)))
    session.messages.append(("arm", end_ns, Arm(end_ns, "end", mode, label=label)))
    return session


def test_a_recording_with_no_arm_off_puts_the_rule_to_no_test(tmp_path: Path) -> None:
    assert purpose_of(walk().judge(tmp_path)).word == "not put to the test"


@pytest.mark.parametrize("blinded", [False, True])
def test_the_judge_finds_a_pulse_in_an_arm_that_is_off(tmp_path: Path, blinded: bool) -> None:
    session = marked(walk(), mode="C" if blinded else "off", label="C" if blinded else "off")
    if blinded:
        session.messages.append(("trial/key", 1, TrialKey(1, {"C": "off", "A": "trapezoid"})))
    found = purpose_of(session.judge(tmp_path))
    assert not found.kept
    assert "in an arm that is off" in found.detail


def test_the_same_pulses_in_another_arm_and_no_pulse_in_an_off_arm_are_kept(tmp_path: Path) -> None:
    assert purpose_of(marked(walk(), mode="trapezoid").judge(tmp_path)).kept
    found = purpose_of(marked(walk(), mode="off", in_pause=True).judge(tmp_path))
    assert (found.word, found.seen) == ("kept", 80)  # 400 ms of ticks of 5 ms


def test_the_judge_finds_a_pulse_in_an_off_arm_in_the_devices_own_log(tmp_path: Path) -> None:
    session = marked(walk(), mode="off", in_pause=True)
    late = {**session.log[0], "t_ns": session.messages[-1][1] - MS}
    session.log.append(late)
    (found,) = (f for f in session.judge(tmp_path) if f.id == "pulses")
    assert not found.kept
    assert f"pulse at {late['t_ns']} in an arm that is off" in found.detail


@pytest.mark.parametrize("state", ["active", "contact test"])
def test_the_judge_finds_a_pulse_on_a_frame_that_said_off(tmp_path: Path, state: str) -> None:
    session = walk()
    session.alter(session.verdicts()[3], purpose="off", state=state)
    found = purpose_of(session.judge(tmp_path))
    assert (found.kept, found.seen, found.worst) == (False, 1, 1.0)


def test_the_judge_finds_a_pulse_at_a_tick_whose_core_was_off(tmp_path: Path) -> None:
    session = walk()
    verdict = session.messages[session.verdicts()[0]][2]
    assert isinstance(verdict, GuardVerdict)
    for index, (topic, t_ns, record) in enumerate(session.messages):
        if isinstance(record, Tick) and record.seq == verdict.frame_seq:
            off = replace(record.decision, view=replace(record.decision.view, mode="off"))
            session.messages[index] = (topic, t_ns, replace(record, decision=off))
    found = purpose_of(session.judge(tmp_path))
    assert (found.kept, found.seen) == (False, 1)


def test_armed_for_tests_the_judge_allows_test_trains_alone(tmp_path: Path) -> None:
    session = walk()
    for index in session.verdicts():
        session.alter(index, scope="tests", purpose="test_train")
    assert purpose_of(session.judge(tmp_path)).word == "kept"
    session.alter(session.verdicts()[0], purpose="open_loop")
    found = purpose_of(session.judge(tmp_path))
    assert (found.kept, found.worst) == (False, 1.0)
    assert "armed for test trains alone" in found.detail


def test_the_staged_ceiling_is_not_for_test_trains(tmp_path: Path) -> None:
    session = walk()
    session.setup["unlock"] = {"by": "strides", "strides": STRIDES, "ceiling_ma": 15.0}
    assert "unlock" in broken(session.judge(tmp_path))
    for index in session.verdicts():
        session.alter(index, scope="tests", purpose="test_train")
    assert "unlock" not in broken(session.judge(tmp_path))


def test_the_judge_takes_a_test_that_comes_after_an_off_arm(tmp_path: Path) -> None:
    session = armed_after_a_test()
    topic, t_ns, ask = session.messages[0]
    arm = session.messages[1][2]
    assert isinstance(ask, GuardEvent)
    assert isinstance(arm, GuardEvent)
    session.messages.insert(0, (topic, t_ns - 9 * MS, replace(arm, t_ns=t_ns - 9 * MS)))
    assert "F22" not in broken(session.judge(tmp_path))
