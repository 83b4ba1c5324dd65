"""The electrodes are tested before arming: weakly, only when asked for, and an open one is never armed."""

from __future__ import annotations

import json
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import pytest

from controller.record.records import GuardEvent
from controller.safety.judgement.contraindications import QUESTIONS
from controller.safety.judgement.frame_check import MS
from controller.safety.judgement.guard_types import Checklist, Link, Peer, Reaction, Request, Scope
from controller.safety.judgement.liveness import deadline_ns
from controller.safety.judgement.pulse_schedule import PulseOrder
from controller.safety.judgement.wire import BadFrame, Purpose
from drivers.interface import ChannelCommand, ContactCheck, StimulatorNotice
from drivers.stimulators import sheets
from tests.safety.rig import CAPABILITY, Bench, make_setup, pulse_train
from tests.safety.room import Room
from tests.safety.test_judge import Session, broken, walk

CHECK = ContactCheck(15.0, 10)  # ScienceMode4: result 10, detectable from 15 mA on
TWO_CHANNELS = [
    {"name": "red", "output": 4, "electrode_area_cm2": 25.0},
    {"name": "blue", "output": 1, "electrode_area_cm2": 25.0},
]


class Wired(Bench):
    """A guard whose stimulator answers every pulse, those on ``loose`` outputs with an electrode error."""

    def __init__(self, *, loose: frozenset[int] = frozenset(), **changes: object) -> None:
        super().__init__(**changes)
        self.setup = replace(make_setup(**changes), capability=replace(CAPABILITY, contact=CHECK))
        self.loose = loose
        self.answers = True

    def wired_tick(self, *channels: ChannelCommand | None) -> Reaction:
        """A tick, and what the stimulator answers to its pulses before the next one."""
        reaction = self.tick(*channels)
        for pulse in reaction.pulses if self.answers else ():
            self.answer(pulse)
        return reaction

    def answer(self, pulse: PulseOrder) -> None:
        output = self.setup.config.channels[pulse.channel].output
        bad = output in self.loose and pulse.current_ma >= CHECK.current_ma
        self.feed(StimulatorNotice(self.now_ns, bad, output, 10 if bad else 0, "electrode error"))

    def wants_to_arm(self, purpose: Purpose = "open_loop", scope: Scope = "walk") -> Wired:
        self.feed(Peer("recorder", True))
        self.feed(Peer("operator", True))
        self.feed(Peer("controller", True))
        self.feed(Link(up=True))
        self.off = (None,) * len(self.setup.config.channels)
        self.tick(*self.off, purpose=purpose)
        self.feed(Request("arm", "Ada", scope=scope))
        return self

    def go_through(self, count: int = 100) -> list[Reaction]:
        """Reactions to ticks until the test is over."""
        found = []
        for _ in range(count):
            if self.stage == "contact test":
                found.append(self.wired_tick(*self.off))
        return found


def currents(reactions: list[Reaction]) -> list[float]:
    return [pulse.current_ma for reaction in reactions for pulse in reaction.pulses]


def test_good_contact_arms_after_a_few_pulses_too_weak_to_feel() -> None:
    bench = Wired().wants_to_arm()
    assert bench.stage == "contact test"
    reactions = bench.go_through()
    assert bench.stage == "armed"
    assert [(note.kind, note.by) for note in bench.notes] == [("contact", "Ada"), ("arm", "Ada")]
    assert [note.text for note in bench.notes] == [
        "Testing the electrodes.",
        "Armed. The electrodes have contact.",
    ]
    assert currents(reactions)[-3:] == [15.0] * 3
    assert sum(ma == 15.0 for ma in currents(reactions)) == 3
    widths = {pulse.width_us for reaction in reactions for pulse in reaction.pulses}
    assert widths == {20.0}  # the narrowest the limits allow: 0.3 uC a phase
    assert len(reactions) * 5 <= 250  # ms
    assert bench.known.contact is None  # over: no deadline of it is left


def test_a_frame_that_comes_again_is_blocked_while_the_electrodes_are_tested() -> None:
    bench = Wired().wants_to_arm()
    taken = bench.wired_tick(*bench.off).verdict
    assert taken is not None
    assert taken.verdict == "ok"
    bench.seq -= 1
    again = bench.frame(*bench.off)
    assert bench.stage == "contact test"
    assert again.verdict is not None
    assert (again.verdict.verdict, again.pulses) == ("blocked", ())


def test_an_open_electrode_is_never_armed_and_the_words_say_what_to_do() -> None:
    bench = Wired(loose=frozenset({0})).wants_to_arm()
    reactions = bench.go_through()
    assert bench.stage == "off"
    assert currents(reactions)[-1:] == [15.0]
    assert sum(ma == 15.0 for ma in currents(reactions)) == 1  # the first that shows it is the last
    note = bench.notes[-1]
    assert (note.kind, note.fault, note.by) == ("refused", "F22", "Ada")
    assert "(electrode error)" in note.text
    assert "press down both pads" in note.text
    assert bench.reactions[-1][1].stop  # the output stage is switched off
    bench.feed(Request("arm"))
    assert "stimulator is not open" in bench.notes[-1].text
    bench.feed(Link(up=True))
    bench.loose = frozenset()
    bench.tick(None)
    bench.feed(Request("arm"))
    bench.go_through()
    assert bench.stage == "armed"


def test_every_channel_is_tested_by_its_own_output() -> None:
    for loose, stage in ((frozenset[int](), "armed"), (frozenset({1}), "off"), (frozenset({4}), "off")):
        bench = Wired(loose=loose, channels=TWO_CHANNELS).wants_to_arm()
        bench.go_through()
        assert bench.stage == stage
    bench = Wired(channels=TWO_CHANNELS).wants_to_arm()
    bench.answers = False
    reactions = bench.go_through(60)
    given = [sum(p.channel == n for r in reactions for p in r.pulses if p.current_ma == 15.0) for n in (0, 1)]
    assert given == [3, 3]
    for output in (0, 7, None):  # answers for nobody of ours
        bench.feed(StimulatorNotice(bench.now_ns, False, output, 0, "ok"))
    sent = sum(len(r.pulses) for r in reactions)
    for _ in range(sent):  # all of one channel, none of the other
        bench.feed(StimulatorNotice(bench.now_ns, False, 4, 0, "ok"))
    assert bench.stage == "contact test"


def test_an_answer_that_is_late_or_strange_does_not_count() -> None:
    bench = Wired().wants_to_arm()
    bench.answers = False
    reactions = bench.go_through(60)
    for _ in range(20):
        bench.feed(StimulatorNotice(bench.now_ns, False, 0, -3, "unexpected"))
    assert bench.stage == "contact test"
    for _ in range(sum(len(reaction.pulses) for reaction in reactions) - 1):
        bench.feed(StimulatorNotice(bench.now_ns, False, 0, 0, "ok"))
    assert bench.stage == "contact test"
    bench.feed(StimulatorNotice(bench.now_ns, False, 0, 0, "ok"))
    assert bench.stage == "armed"


def test_no_verdict_in_time_is_no_contact() -> None:
    bench = Wired().wants_to_arm()
    bench.answers = False
    bench.go_through(400)
    assert bench.stage == "contact test"
    bench.go_through(1)
    assert bench.stage == "off"
    assert bench.notes[-1].fault == "F22"
    assert "not tested within 2 s" in bench.notes[-1].text


def test_a_timer_is_due_when_the_test_is_over() -> None:
    bench = Wired().wants_to_arm()
    since_ns = bench.now_ns
    bench.answers = False
    bench.go_through(399)
    assert deadline_ns(bench.setup, bench.known) == since_ns + 2000 * MS


def test_nothing_of_the_controllers_leaves_while_the_electrodes_are_tested() -> None:
    bench = Wired().wants_to_arm()
    for _ in range(60):
        reaction = bench.wired_tick(pulse_train(20.0))
        assert reaction.pulses == ()
        assert reaction.verdict is not None
        assert (reaction.verdict.verdict, reaction.verdict.channels) == ("blocked", (None,))
        assert "contact test" in reaction.verdict.reason
    reactions = bench.go_through()
    assert bench.stage == "armed"
    assert {r.verdict.channels for r in reactions if r.verdict} == {(None,)}
    assert {(r.verdict.verdict, r.verdict.reason) for r in reactions if r.verdict} == {
        ("ok", "electrode contact test")
    }
    first = bench.wired_tick(pulse_train(20.0))
    assert first.verdict is not None
    assert first.verdict.channels == (pulse_train(1.0),)  # from zero again, not from the test's 15 mA


def test_the_first_pulse_after_the_test_waits_for_the_closest_allowed_and_not_for_the_tests_beat() -> None:
    bench = Wired().wants_to_arm()
    bench.go_through()
    last_ns = max(t_ns for t_ns, reaction in bench.reactions if reaction.pulses)
    while not bench.wired_tick(pulse_train(20.0)).pulses:
        pass
    assert bench.now_ns - last_ns == 20 * MS  # the limit of 50 Hz; the test's own 25 Hz would be 40 ms


@pytest.mark.parametrize(
    ("spoil", "fault"),
    [
        (lambda bench: bench.tick(pulse_train(float("nan"))), "F7"),
        (lambda bench: bench.tick(None, None), "F7"),
        (lambda bench: bench.feed(Request("stop")), "F11"),
        (lambda bench: bench.feed(Peer("controller", False)), "F3"),
        (lambda bench: bench.feed(Peer("operator", False)), "F10"),
        (lambda bench: bench.wait(61), "F4"),
        (lambda bench: bench.feed(StimulatorNotice(0, True, 0, 8, "high voltage")), "F20"),
        (lambda bench: bench.feed(StimulatorNotice(0, True, 0, -1, "no answer")), "F19"),
    ],
)
def test_what_would_trip_while_armed_trips_in_the_test(spoil: object, fault: str) -> None:
    bench = Wired().wants_to_arm()
    for _ in range(8):
        bench.wired_tick(None)
    assert callable(spoil)
    spoil(bench)
    assert (bench.stage, bench.fault) == ("tripped", fault)
    assert bench.known.contact is None


def test_a_person_who_disarms_ends_the_test() -> None:
    bench = Wired().wants_to_arm()
    bench.wired_tick(None)
    assert bench.feed(Request("disarm")).stop
    assert (bench.stage, bench.known.contact) == ("off", None)


def test_a_damaged_frame_gives_no_test_pulse() -> None:
    bench = Wired().wants_to_arm()
    assert bench.feed(BadFrame("x")).pulses == ()


def test_test_pulses_count_into_the_dose() -> None:
    bench = Wired().wants_to_arm()
    reactions = bench.go_through()
    dose_uc = sum(uc for _, uc in bench.known.memory.tracks[0].doses)
    assert dose_uc == pytest.approx(sum(currents(reactions)) * 20.0 * 1e-3)


@pytest.mark.parametrize("limits", [{"current_max_ma": 14.5}, {"rise_max_ma_per_250ms": 14.5}])
def test_limits_below_what_the_device_needs_are_said_and_arm_untested(limits: dict[str, float]) -> None:
    bench = Wired(limits=[{"who": "session", "limits": limits}]).wants_to_arm()
    assert bench.stage == "armed"
    assert bench.notes[-1].text == "Armed. The electrodes were not tested: the limits are below 15 mA."
    assert bench.notes[-1].by == "Ada"


@pytest.mark.parametrize("limits", [{"current_max_ma": 15.0}, {"rise_max_ma_per_250ms": 15.0}])
def test_limits_of_just_what_the_device_needs_let_it_test(limits: dict[str, float]) -> None:
    bench = Wired(limits=[{"who": "session", "limits": limits}]).wants_to_arm()
    bench.go_through()
    assert bench.notes[-1].text == "Armed. The electrodes have contact."


def test_a_rate_limit_below_the_tests_own_holds() -> None:
    bench = Wired(limits=[{"who": "session", "limits": {"rate_max_hz": 10.0}}]).wants_to_arm()
    times = []
    for _ in range(200):
        if bench.stage == "contact test" and bench.wired_tick(None).pulses:
            times.append(bench.now_ns)
    assert bench.stage == "armed"
    assert min(b - a for a, b in pairwise(times)) >= 100 * MS


def test_the_p24_says_how_it_tells_an_open_electrode() -> None:
    assert sheets.P24.contact == CHECK


def test_the_whole_guard_takes_todays_checklist_and_does_not_arm_an_open_electrode(tmp_path: Path) -> None:
    room = Room(tmp_path)
    try:
        room.complete()
        assert room.operator is not None
        for answers in ({}, NO):
            request = {"op": "checklist", "answers": answers, "by": "Ada"}
            room.operator.send(json.dumps(request).encode())
            room.round()
        replies = [word["ok"] for word in room.heard(room.operator) if word.get("reply") == "checklist"]
        assert replies == [False, True]
        (said,) = room.events("checklist")
        assert (said["by"], said["answers"], "pacemaker" in said["text"]) == ("Ada", NO, False)
        assert room.ask("state")["checklist"] == NO
        room.device.loose_electrodes.add(0)
        room.tick()
        assert room.ask("arm")["state"] == "contact test"
        for _ in range(100):
            if room.stage == "contact test":
                room.tick()
        assert room.stage == "off"
        assert [event["fault"] for event in room.events("refused")] == [None, "F22"]
        assert "electrode error" in room.events("refused")[1]["text"]
        assert room.device.pulses
        assert all(points[0][1] < CHECK.current_ma for _, points in room.device.pulses)
        assert not room.events("arm")
    finally:
        room.close()


# --- and the judge of recordings holds the guard to it ---


def armed_after_a_test() -> Session:
    """A sound session whose arming was asked for, tested and granted."""
    session = walk()
    session.setup["contact"] = {"current_ma": 15.0, "width_us": 20.0, "rate_hz": 25.0}
    topic, t_ns, arm = session.messages[0]
    assert isinstance(arm, GuardEvent)
    ask = replace(arm, kind="contact", state="contact test", t_ns=t_ns - MS)
    session.messages.insert(0, (topic, t_ns - MS, ask))
    return session


def test_the_judge_sees_an_arming_after_a_test_as_kept(tmp_path: Path) -> None:
    assert "F22" not in broken(armed_after_a_test().judge(tmp_path))


def test_the_judge_finds_an_arming_without_a_test(tmp_path: Path) -> None:
    session = armed_after_a_test()
    del session.messages[0]
    findings = {finding.id: finding for finding in session.judge(tmp_path)}
    assert not findings["F22"].kept
    assert "without a test" in findings["F22"].detail


def test_the_judge_finds_a_test_nobody_asked_for_and_one_too_strong(tmp_path: Path) -> None:
    session = armed_after_a_test()
    session.alter(session.verdicts()[20], state="contact test")
    findings = {finding.id: finding for finding in session.judge(tmp_path)}
    assert not findings["F22"].kept
    assert "nobody asked for" in findings["F22"].detail
    assert "300 us" in findings["F22"].detail


# --- the checklist, answered for this session ---

NO = {question.key: "no" for question in QUESTIONS}
AT = "2026-01-02T03:04:05+00:00"


def test_the_checklist_asks_for_all_that_the_sources_name() -> None:
    assert {question.key for question in QUESTIONS} >= {
        "pacemaker",
        "cancer",
        "fracture",
        "skin",
        "epilepsy",
        "pregnancy",
        "heart",
    }
    assert all(question.source for question in QUESTIONS)


def test_todays_answers_are_recorded_with_who_and_when_and_hold_over_the_files() -> None:
    bench = Bench(checklist={}).ready()
    bench.feed(Checklist(NO, "Ada", AT))
    note = bench.notes[-1]
    assert (note.kind, note.by) == ("checklist", "Ada")
    assert note.text == f"Checklist answered at {AT}."  # the words go out of the rig, the answers do not
    assert note.answers == NO
    bench.feed(Request("arm"))
    assert bench.stage == "armed"


def test_todays_yes_forbids_arming_whatever_the_file_says() -> None:
    bench = Bench().ready()
    bench.feed(Checklist(NO | {"skin": "yes"}, "Ada", AT))
    bench.feed(Request("arm"))
    assert bench.stage == "off"
    assert "checklist: skin is answered 'yes'" in bench.notes[-1].text
    bench.feed(Checklist(NO, "Ada", AT))
    bench.feed(Request("arm"))
    assert bench.stage == "armed"


def test_a_yes_while_armed_disarms_and_a_no_changes_nothing() -> None:
    bench = Bench().active()
    bench.feed(Checklist(NO, "Ada", AT))
    assert bench.stage == "active"
    bench.feed(Checklist(NO | {"pregnancy": "accepted"}, "Ada", AT))
    assert bench.stage == "active"
    bench.notes.clear()
    bench.feed(Checklist(NO | {"pregnancy": "yes"}, "Ada", AT))
    assert bench.stage == "ramp"
    assert [(note.kind, note.by) for note in bench.notes] == [("checklist", "Ada"), ("disarm", "Ada")]
    assert bench.notes[-1].text == "Disarmed: checklist: pregnancy is answered 'yes'."
    since_ns = bench.now_ns
    while bench.stage == "ramp":
        bench.tick(pulse_train(20.0))
    assert (bench.stage, bench.now_ns - since_ns) == ("off", 100 * MS)


@pytest.mark.parametrize(
    "answers", [None, [], {}, {"skin": "no"}, NO | {"hair": "no"}, NO | {"skin": "maybe"}, NO | {"skin": 1}]
)
def test_half_a_checklist_is_not_taken(answers: object) -> None:
    bench = Bench().ready()
    bench.feed(Checklist(answers, "Ada", AT))
    assert (bench.notes[-1].kind, bench.notes[-1].by) == ("refused", "Ada")
    assert bench.notes[-1].text.startswith("Checklist not taken: each question needs an answer")
    assert bench.known.checklist is None
