"""The guard's mind in virtual time: arming, every fault of the table, deadlines to the millisecond."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from controller.errors import InputError
from controller.safety.judgement.arming_screen import Screen
from controller.safety.judgement.fault_reaction import RAMP_NS
from controller.safety.judgement.faults import FAULTS, TABLE
from controller.safety.judgement.frame_check import MS
from controller.safety.judgement.guard_types import (
    Link,
    Note,
    Peer,
    RecorderTook,
    Request,
    Timer,
    Trouble,
    begin,
    prepare,
)
from controller.safety.judgement.liveness import deadline_ns
from controller.safety.judgement.on_time import Clock
from controller.safety.judgement.requests import refusals
from controller.safety.judgement.wire import BadFrame, Frame, SensorStamp
from controller.safety.settings import parse
from drivers.interface import FOREIGN_ANSWER, StimulatorNotice
from tests.safety.rig import CAPABILITY, SESSION, START_NS, Bench, pulse_train, raw_settings

GO = pulse_train(20.0)


def pulses(bench: Bench, since_ns: int = 0) -> list[int]:
    return [t_ns for t_ns, reaction in bench.reactions if t_ns >= since_ns for _ in reaction.pulses]


# --- arming ---


def test_with_everything_there_a_person_arms_and_current_flows() -> None:
    bench = Bench().ready()
    bench.feed(Request("arm", "Ada"))
    for _ in range(20):
        bench.tick(GO)
    assert bench.stage == "active"
    assert pulses(bench)
    assert [(note.kind, note.by) for note in bench.notes] == [("arm", "Ada")]


def test_zero_in_gives_zero_out_while_armed() -> None:
    bench = Bench().armed()
    for command in (None, pulse_train(0.0), pulse_train(-0.0)):
        for _ in range(50):
            bench.tick(command)
    assert bench.stage == "armed"
    assert pulses(bench) == []


@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        (lambda bench: bench.feed(Peer("recorder", False)), "no recorder"),
        (lambda bench: bench.feed(RecorderTook(False)), "no recorder"),
        (lambda bench: bench.feed(Peer("controller", False)), "no controller"),
        (lambda bench: bench.feed(Link(up=False, text="gone")), "stimulator is not open"),
        (lambda bench: bench.tick(GO), "asks for current already"),
        (lambda bench: bench.wait(60.1), "no fresh frame"),
        (lambda bench: bench.feed(Peer("controller", True)), "no fresh frame"),
        (lambda bench: [bench.wait(151), bench.frame(None)], "sensor foot is silent"),
        (lambda bench: bench.feed(Request("stop")), "tripped (F11): acknowledge first"),
    ],
)
def test_arming_is_refused_with_the_reason(spoil: Callable[[Bench], object], words: str) -> None:
    bench = Bench().ready()
    spoil(bench)
    before = bench.stage
    bench.feed(Request("arm", "Ada"))
    assert bench.stage == before
    assert (bench.notes[-1].kind, bench.notes[-1].by) == ("refused", "Ada")
    assert words in bench.notes[-1].text


@pytest.mark.parametrize(("current_ma", "stage"), [(0.0, "armed"), (1.0, "off")])
def test_only_a_frame_of_no_current_lets_arm(current_ma: float, stage: str) -> None:
    bench = Bench().ready()
    bench.tick(pulse_train(current_ma))
    bench.feed(Request("arm"))
    assert bench.stage == stage


def test_arming_at_the_edge_of_freshness_is_allowed() -> None:
    bench = Bench().ready()
    bench.now_ns += 60 * MS
    bench.feed(Request("arm"))
    assert bench.stage == "armed"


def test_an_unanswered_checklist_forbids_arming() -> None:
    bench = Bench(checklist={}).ready()
    bench.feed(Request("arm"))
    assert bench.stage == "off"
    assert "pacemaker is not answered" in bench.notes[-1].text


def test_arming_while_armed_is_refused_and_changes_nothing() -> None:
    bench = Bench().active()
    bench.feed(Request("arm"))
    assert bench.stage == "active"
    assert "guard is active" in bench.notes[-1].text


def told(bench: Bench) -> list[tuple[str, str, str]]:
    """The refusals' codes, words and names."""
    return [(why.code, why.text, why.name) for why in refusals(bench.now_ns, bench.setup, bench.known)]


def test_a_fresh_guard_refuses_for_every_reason_at_once() -> None:
    bench = Bench(supervised=True, stop_button="/dev/input/event0")
    assert told(bench) == [
        ("controller", "no controller", ""),
        ("recorder", "no recorder", ""),
        ("button", "STOP button is not there", ""),
        ("stimulator", "stimulator is not open", ""),
        ("frame", "no fresh frame", ""),
        ("sensor", "sensor foot is silent", "foot"),
        ("heartbeat", "no heartbeat of the console", ""),
    ]
    bench.feed(Request("arm"))
    assert bench.notes[-1].text == (
        "Not armed: no controller; no recorder; STOP button is not there; stimulator is not open; "
        "no fresh frame; sensor foot is silent; no heartbeat of the console."
    )


def test_each_refusal_has_its_words() -> None:
    bench = Bench().active()
    assert told(bench) == [
        ("state", "guard is active", ""),
        ("current", "the controller asks for current already", ""),
    ]
    bench.feed(Request("stop"))
    assert told(bench) == [
        ("state", "guard is tripped (F11): acknowledge first", ""),
        ("stimulator", "stimulator is not open", ""),
        ("current", "the controller asks for current already", ""),
    ]


def test_what_is_just_fresh_enough_lets_arm_and_what_is_not_does_not() -> None:
    for extra_ns, stage in ((0, "armed"), (1, "off")):
        bench = Bench(supervised=True).ready()
        bench.now_ns += 350 * MS
        bench.stamp()
        bench.now_ns += 150 * MS + extra_ns
        bench.frame(None)
        bench.known = bench.known._replace(heartbeat_ns=bench.now_ns)
        bench.feed(Request("arm"))
        assert bench.stage == stage
    for extra_ns, stage in ((0, "armed"), (1, "off")):
        bench = Bench(supervised=True).ready()
        bench.feed(Request("heartbeat"))
        bench.now_ns += 500 * MS + extra_ns
        bench.stamp()
        bench.frame(None)
        bench.feed(Request("arm"))
        assert bench.stage == stage


def test_a_session_of_exactly_its_length_is_over() -> None:
    for before_ns, stage in ((3600 * 10**9 - 1, "armed"), (3600 * 10**9, "off")):
        bench = Bench().ready()
        bench.known = bench.known._replace(clocks=(Clock(), Clock(before_ns)))
        bench.feed(Request("arm"))
        assert bench.stage == stage


def test_a_fault_during_a_soft_stop_becomes_its_cause_and_is_told() -> None:
    bench = Bench(safe_action="ramp").active()
    bench.feed(Request("disarm"))
    assert bench.known.state.detail == ""
    bench.feed(Peer("operator", False))
    assert (bench.stage, bench.fault) == ("ramp", "F10")
    assert (bench.notes[-1].kind, bench.notes[-1].fault) == ("trip", "F10")
    bench.feed(Peer("recorder", False))
    assert bench.fault == "F10"
    while bench.stage == "ramp":
        bench.tick(GO)
    assert (bench.stage, bench.fault) == ("tripped", "F10")


def test_nothing_leaves_before_arming_however_much_is_asked() -> None:
    bench = Bench().ready()
    for _ in range(100):
        reaction = bench.tick(GO)
        assert reaction.verdict is not None
        assert reaction.verdict.verdict == "blocked"
        assert reaction.verdict.reason == "guard is off: not armed"
    assert pulses(bench) == []
    bench.feed(Request("stop"))
    verdict = bench.tick(GO).verdict
    assert verdict is not None
    assert verdict.reason == "guard is tripped: F11"


def test_a_disarm_ramps_down_within_100_ms_and_ends_off_without_a_fault() -> None:
    bench = Bench().active()
    begin_ns = bench.now_ns
    bench.feed(Request("disarm", "Ada"))
    assert bench.stage == "ramp"
    assert bench.notes[-1] == Note("disarm", "Disarmed.", by="Ada")
    last = 20.0
    while bench.stage == "ramp":
        reaction = bench.tick(GO)
        verdict = reaction.verdict
        assert verdict is not None
        assert verdict.channels[0] is not None
        assert verdict.channels[0].current_ma < last
        last = verdict.channels[0].current_ma
    assert bench.now_ns - begin_ns == RAMP_NS
    assert (bench.stage, bench.fault) == ("off", None)
    assert bench.reactions[-1][1].stop
    assert bench.notes[-1] == Note("disarm", "The current is down to zero.")


def test_halfway_down_the_ramp_half_the_current_is_left() -> None:
    bench = Bench().active()
    bench.feed(Request("disarm"))
    for _ in range(9):
        bench.tick(GO)
    verdict = bench.tick(GO).verdict
    assert verdict is not None
    assert verdict.channels == (pulse_train(10.0),)
    assert verdict.verdict == "reduced"


def test_disarming_before_any_current_is_off_at_once() -> None:
    bench = Bench().armed()
    assert bench.feed(Request("disarm")).stop
    assert bench.stage == "off"


def test_after_a_stop_the_stimulator_has_to_be_opened_anew() -> None:
    bench = Bench().active()
    bench.feed(Request("stop"))
    bench.tick(None)
    bench.feed(Request("acknowledge"))
    bench.feed(Request("arm"))
    assert "stimulator is not open" in bench.notes[-1].text
    bench.feed(Link(up=True))
    bench.feed(Request("arm"))
    assert bench.stage == "armed"


def test_a_stop_while_off_closes_the_stimulator_too() -> None:
    bench = Bench().ready()
    assert bench.feed(Request("stop")).stop
    bench.feed(Request("acknowledge"))
    bench.tick(None)
    bench.feed(Request("arm"))
    assert "stimulator is not open" in bench.notes[-1].text


# --- every fault of the table ---


def silent_sensor(bench: Bench) -> None:
    while bench.stage == "active":
        bench.now_ns += 5 * MS
        bench.frame(GO)
        bench.feed(Timer())


def gaps(bench: Bench) -> None:
    for _ in range(5):
        bench.stamp_seq += 1
        bench.stamp()


def replays(bench: Bench) -> None:
    for _ in range(3):
        bench.seq -= 1
        bench.frame(GO)


def long_train(bench: Bench) -> None:
    while bench.stage == "active":
        bench.tick(GO)


def late_ticks(bench: Bench) -> None:
    while bench.stage == "active":
        bench.tick(GO, ms=21.0)


def refusing_recorder(bench: Bench) -> None:
    bench.feed(RecorderTook(False))
    while bench.stage == "active":
        bench.tick(GO)


def silent_supervisor(bench: Bench) -> None:
    config = replace(bench.setup.config, overseen=True)
    bench.setup = replace(bench.setup, config=config)
    bench.tick(GO)


def close_frames(bench: Bench) -> None:
    for _ in range(4):
        bench.now_ns += MS - 1
        bench.frame(GO)


def test_frames_too_close_before_an_arming_do_not_count_after_it() -> None:
    bench = Bench().ready()
    for _ in range(3):
        bench.now_ns += MS - 1
        bench.frame(None)
    bench.feed(Request("arm"))
    for stage in ("armed", "armed", "armed", "tripped"):
        bench.now_ns += MS - 1
        bench.frame(None)
        assert bench.stage == stage


def silent_screen(bench: Bench) -> None:
    armed_ns = bench.now_ns - 10_000 * MS - 1
    bench.known = bench.known._replace(screen=Screen("tablet", armed_ns, warned=True))
    bench.tick(GO)


CAUSES: dict[str, Callable[[Bench], object]] = {
    "F1": silent_sensor,
    "F2": gaps,
    "F3": lambda bench: bench.feed(Peer("controller", False)),
    "F4": lambda bench: bench.wait(61),
    "F6": replays,
    "F7": lambda bench: bench.tick(pulse_train(float("nan"))),
    "F9": long_train,
    "F10": lambda bench: bench.feed(Peer("operator", False)),
    "F11": lambda bench: bench.feed(Request("stop")),
    "F12": refusing_recorder,
    "F13": lambda bench: bench.feed(Trouble("F13")),
    "F14": late_ticks,
    "F15": lambda bench: bench.feed(Trouble("F15", "2.0 s")),
    "F16": lambda bench: bench.feed(Trouble("F16", "20 mA")),
    "F17": lambda bench: bench.feed(Trouble("F17", "5 strides")),
    "F21": lambda bench: bench.feed(Trouble("F21", "foot: loose?")),
    "F19": lambda bench: bench.feed(Link(up=False, text="the line has gone")),
    "F20": lambda bench: bench.feed(StimulatorNotice(0, True, 0, 10, "electrode error")),
    "F23": silent_supervisor,
    "F24": close_frames,
    "F25": lambda bench: bench.feed(StimulatorNotice(0, True, 0, FOREIGN_ANSWER, "not sent from here")),
    "F26": silent_screen,
}
NOT_CAUSED_HERE = {
    "F5",  # the guard itself is gone: test_process
    "F8",  # a limit, not an event: test_frame_check
    "F18",  # the controller's part; what it may do to the output is F8
    "F22",  # before arming: test_arming
    "F27",  # the controller's: ../core/control/test_unlifted.py
    "F28",  # the electrodes': test_electrode_load
}


def test_the_table_is_walked_whole() -> None:
    assert set(CAUSES) | NOT_CAUSED_HERE == set(FAULTS)
    numbers = [int(fault.id.removeprefix("F")) for fault in TABLE]
    assert numbers == sorted(set(numbers))


@pytest.mark.parametrize("name", CAUSES)
def test_each_fault_has_the_reaction_of_its_line(name: str) -> None:
    bench = Bench().active()
    bench.notes.clear()
    CAUSES[name](bench)
    line = FAULTS[name]
    assert [note.fault for note in bench.notes] == [name]
    assert bench.notes[0].kind == ("stop" if name == "F11" else "trip" if line.trips else "fault")
    assert bench.notes[0].text.startswith(line.happened)
    assert bench.known.state.detail in bench.notes[0].text
    if line.trips:
        assert bool(bench.known.state.detail) == (
            name != "F3"
        )  # of a connection that ended there is no more to say
    if not line.trips:
        assert bench.stage == "active"
        return
    assert (bench.stage, bench.fault) == ("tripped", name)
    assert any(reaction.stop for _, reaction in bench.reactions)
    since_ns = bench.now_ns + 1
    for _ in range(100):
        bench.tick(GO)
    assert pulses(bench, since_ns) == []


@pytest.mark.parametrize("name", [name for name in CAUSES if FAULTS[name].trips])
def test_a_trip_keeps_its_first_cause_and_only_a_person_clears_it(name: str) -> None:
    bench = Bench().active()
    CAUSES[name](bench)
    for other in ("F7", "F11", "F3", "F19", "F15"):
        CAUSES[other](bench)
        assert bench.fault == name
    bench.feed(Peer("controller", True))
    bench.tick(None)
    bench.feed(Link(up=True))
    bench.feed(Request("arm"))
    bench.feed(Request("disarm"))
    assert (bench.stage, bench.fault) == ("tripped", name)
    bench.feed(Request("acknowledge", "Dr. A"))
    assert (bench.stage, bench.fault) == ("off", None)
    assert bench.notes[-1] == Note("acknowledge", f"{name} acknowledged.", name, "Dr. A")


@pytest.mark.parametrize("name", ["F1", "F9", "F10", "F12", "F17"])
def test_where_the_safe_action_is_a_ramp_current_falls_and_the_trip_follows(name: str) -> None:
    bench = Bench(safe_action="ramp").active()
    if name == "F9":
        bench.known = bench.known._replace(clocks=(Clock(), Clock(3600 * 10**9, on_ns=bench.now_ns)))
        bench.tick(GO)
    else:
        CAUSES[name](bench)
    assert (bench.stage, bench.fault) == ("ramp", name)
    note = bench.notes[-1]
    assert (note.kind, note.fault) == ("trip", name)
    assert note.text == FAULTS[name].text(bench.known.state.detail)
    begin_ns = bench.now_ns
    reduced = 0
    while bench.stage == "ramp":
        bench.now_ns += 5 * MS
        verdict = bench.frame(GO).verdict
        reduced += verdict is not None and verdict.verdict == "reduced"
        bench.feed(Timer())
    assert (bench.stage, bench.fault) == ("tripped", name)
    assert bench.now_ns - begin_ns <= RAMP_NS
    assert reduced >= 18  # a silent sensor does not cut the ramp short
    assert pulses(bench, bench.now_ns + 1) == []


def test_a_hung_controller_cuts_a_ramp_short_but_the_first_cause_stays() -> None:
    bench = Bench(safe_action="ramp").active()
    bench.feed(Peer("operator", False))
    bench.wait(61)
    assert (bench.stage, bench.fault) == ("tripped", "F10")


@pytest.mark.parametrize("fault", TABLE, ids=lambda fault: fault.id)
def test_each_line_says_three_things(fault: object) -> None:
    line = FAULTS[getattr(fault, "id", "")]
    text = line.text("detail")
    assert text.startswith(f"{line.happened} (detail). {line.done}. {line.next}")
    assert text.count(". ") >= 2
    assert text.endswith(".")
    assert line.text().startswith(f"{line.happened}. ")
    assert line.condition
    assert line.detection
    if line.trips:
        assert any(word in line.done.lower() for word in ("stop", "no more pulses", "disarmed"))
        assert line.deadline_ms is not None


# --- deadlines in virtual time ---


def test_a_sensor_is_silent_after_150_ms_and_not_before() -> None:
    bench = Bench().active()
    last_ns = bench.now_ns
    for _ in range(30):
        bench.now_ns += 5 * MS
        bench.frame(GO)
        bench.feed(Timer())
    assert bench.now_ns - last_ns == 150 * MS
    assert bench.stage == "active"
    bench.now_ns += 1
    bench.feed(Timer())
    assert (bench.stage, bench.fault) == ("tripped", "F1")
    assert bench.known.state.detail == "sensor foot: newest valid sample is 150 ms old"


def test_a_sensor_may_ask_for_a_tighter_age() -> None:
    bench = Bench(sensors=[{"name": "foot", "age_max_ms": 100.0}]).active()
    begin_ns = bench.now_ns
    silent_sensor(bench)
    assert (bench.now_ns - begin_ns) / MS == 105
    loose = Bench(sensors=[{"name": "foot", "age_max_ms": 900.0}]).active()
    begin_ns = loose.now_ns
    silent_sensor(loose)
    assert (loose.now_ns - begin_ns) / MS == 155


def test_the_controller_is_hung_after_60_ms_and_not_before() -> None:
    bench = Bench().active()
    bench.wait(60)
    assert bench.stage == "active"
    bench.now_ns += 1
    bench.feed(Timer())
    assert (bench.stage, bench.fault) == ("tripped", "F4")


def test_a_controller_that_comes_back_from_a_hang_before_the_timer_saw_it_trips_all_the_same() -> None:
    bench = Bench().active()
    bench.now_ns += 60 * MS + 1
    bench.stamp()
    reaction = bench.frame(GO)
    assert (bench.stage, bench.fault) == ("tripped", "F4")
    assert bench.known.state.detail == "60 ms between two frames"
    assert reaction.pulses == ()
    assert reaction.verdict is not None
    assert (reaction.verdict.verdict, reaction.verdict.channels) == ("blocked", (None,))


def test_60_ms_between_two_frames_are_borne() -> None:
    bench = Bench().active()
    bench.now_ns += 60 * MS
    bench.stamp()
    bench.frame(GO)
    assert bench.stage == "active"


def test_a_backlog_is_judged_by_the_frames_own_times() -> None:
    bench = Bench().active()
    backlog = []
    for _ in range(8):
        bench.now_ns += 5 * MS
        bench.seq += 1
        backlog.append(Frame(SESSION, bench.seq, bench.now_ns, 60.0, (GO,)))
    count = len(pulses(bench))
    for frame in backlog:
        bench.feed(frame)
    bench.feed(Timer())
    assert bench.stage == "active"
    assert len(pulses(bench)) - count <= 2  # never caught up


def test_expired_frames_do_not_feed_the_watchdog() -> None:
    bench = Bench().active()
    for _ in range(20):
        bench.now_ns += 5 * MS
        bench.stamp()
        bench.seq += 1
        bench.feed(Frame(SESSION, bench.seq, bench.now_ns - 4 * MS, 3.0, (GO,)))
        bench.feed(Timer())
    assert (bench.stage, bench.fault) == ("tripped", "F4")


@pytest.mark.parametrize(("late", "tripped"), [(3, False), (4, True)])
def test_three_late_ticks_in_a_second_are_borne_and_the_fourth_trips(late: int, tripped: bool) -> None:
    bench = Bench().active()
    for _ in range(late):
        bench.tick(GO, ms=20.1)
    assert bench.stage == ("tripped" if tripped else "active")


@pytest.mark.parametrize(("last_ms", "stage"), [(1000.0, "armed"), (999.9, "tripped")])
def test_a_late_tick_counts_for_less_than_a_second(last_ms: float, stage: str) -> None:
    bench = Bench().armed()
    for _ in range(3):
        bench.tick(None, ms=30.0)
    first_ns = bench.now_ns - 60 * MS
    while bench.now_ns < first_ns + 970 * MS:
        bench.tick(None, ms=10.0)
    bench.tick(None, ms=last_ms - 970.0)
    assert bench.stage == stage


def test_late_ticks_far_apart_are_borne() -> None:
    bench = Bench().active(10.0)
    for _ in range(12):
        bench.tick(None, ms=40.0)
        for _ in range(100):
            bench.tick(None)
    assert bench.stage == "active"


def test_20_ms_between_ticks_is_not_late() -> None:
    bench = Bench().active(10.0)
    for _ in range(20):
        bench.tick(None, ms=20.0)
    assert bench.stage == "active"


def test_the_next_timer_is_due_when_the_first_deadline_is() -> None:
    bench = Bench()
    assert deadline_ns(bench.setup, bench.known) is None
    bench.active()
    assert deadline_ns(bench.setup, bench.known) == bench.now_ns + 60 * MS
    bench.wait(30)
    bench.seq += 1
    bench.feed(Frame(SESSION, bench.seq, bench.now_ns, 60.0, (GO,)))
    assert deadline_ns(bench.setup, bench.known) == bench.now_ns + 60 * MS
    for _ in range(5):
        bench.now_ns += 20 * MS
        bench.frame(GO)
    assert deadline_ns(bench.setup, bench.known) == bench.now_ns + 20 * MS  # the sensor's 150 ms
    bench.feed(RecorderTook(False))
    assert deadline_ns(bench.setup, bench.known) == bench.now_ns + 20 * MS
    bench.feed(Request("disarm"))
    assert deadline_ns(bench.setup, bench.known) == bench.now_ns + 60 * MS


def test_in_an_unsupervised_session_heartbeats_mean_nothing() -> None:
    bench = Bench().active(5.0)
    bench.feed(Request("heartbeat"))
    bench.feed(Request("beat"))
    for _ in range(210):
        bench.tick(None)
    assert bench.stage == "active"
    assert deadline_ns(bench.setup, bench.known) == bench.now_ns + 60 * MS


def test_in_a_supervised_session_the_heartbeat_has_a_deadline() -> None:
    bench = Bench(supervised=True)
    bench.ready()
    bench.feed(Request("arm"))
    assert "no heartbeat" in bench.notes[-1].text
    bench.feed(Request("heartbeat"))
    bench.feed(Request("arm"))
    assert bench.stage == "armed"
    for _ in range(90):
        bench.tick(None)
    bench.feed(Request("heartbeat"))
    begin_ns = bench.now_ns
    for _ in range(98):
        bench.tick(None)
    assert deadline_ns(bench.setup, bench.known) == begin_ns + 500 * MS
    bench.tick(None)
    bench.tick(None)
    assert bench.stage == "armed"
    bench.tick(None)
    assert (bench.stage, bench.fault) == ("tripped", "F10")
    assert bench.known.state.detail == "no heartbeat for 500 ms"


def test_the_supervisor_who_hears_the_stop_key_has_a_deadline_where_the_session_asks_for_it() -> None:
    bench = Bench(overseen=True).ready()
    bench.feed(Request("arm"))
    assert bench.notes[-1].text == "Not armed: the supervisor does not answer."
    assert told(bench) == [("supervisor", "the supervisor does not answer", "")]
    bench.feed(Request("beat"))
    for _ in range(200):  # a second is not too long ago
        bench.tick(None)
    bench.feed(Request("arm"))
    assert bench.stage == "armed"
    assert deadline_ns(bench.setup, bench.known) == bench.now_ns
    bench.feed(Timer())
    assert bench.stage == "armed"
    bench.now_ns += 1
    bench.feed(Timer())
    assert (bench.stage, bench.fault) == ("tripped", "F23")
    assert bench.known.state.detail == "no beat for 1000 ms"
    bench.feed(Request("acknowledge"))
    bench.feed(Link(up=True))
    bench.tick(None)
    bench.feed(Request("arm"))
    assert bench.stage == "off"
    for _ in range(1000):
        bench.feed(Request("beat"))
        bench.tick(None)
        bench.feed(Request("arm"))
    assert bench.stage == "armed"


def test_a_recorder_that_takes_nothing_is_borne_for_half_a_second_and_no_longer() -> None:
    bench = Bench().active()
    bench.feed(RecorderTook(False))
    for _ in range(100):
        bench.tick(None)
    assert bench.stage == "active"
    bench.now_ns += 1
    bench.feed(Timer())
    assert (bench.stage, bench.fault) == ("tripped", "F12")
    assert bench.known.state.detail == "it took nothing for 500 ms"


def test_a_new_recorder_does_not_inherit_the_refusals_of_the_last() -> None:
    bench = Bench().ready()
    bench.feed(RecorderTook(False))
    bench.feed(Peer("recorder", False))
    bench.feed(Peer("recorder", True))
    bench.feed(Request("arm"))
    assert bench.stage == "armed"


def test_a_recorder_that_ends_stops_at_once_and_the_time_on_is_kept() -> None:
    bench = Bench().active()
    bench.feed(Peer("recorder", False))
    assert (bench.stage, bench.fault, bench.known.state.detail) == ("tripped", "F12", "")
    assert bench.known.clocks[0].off_ns == bench.now_ns


def test_a_recorder_that_recovers_within_half_a_second_is_forgiven() -> None:
    bench = Bench().active()
    bench.feed(RecorderTook(False))
    for _ in range(90):
        bench.tick(None)
    bench.feed(RecorderTook(False))
    bench.feed(RecorderTook(True))
    for _ in range(90):
        bench.tick(None)
    assert bench.stage == "active"


@pytest.mark.parametrize("cause", [refusing_recorder, lambda bench: bench.feed(Peer("recorder", False))])
def test_in_therapy_a_lost_recorder_alarms_and_stimulation_goes_on(cause: Callable[[Bench], object]) -> None:
    bench = Bench(recorder_loss="alarm").active(5.0)
    bench.notes.clear()
    if cause is refusing_recorder:
        bench.feed(RecorderTook(False))
        for _ in range(102):
            bench.tick(None)
    else:
        cause(bench)
    for _ in range(10):
        bench.tick(None)
    assert bench.stage == "active"
    assert [(note.kind, note.fault) for note in bench.notes] == [("fault", "F12")]


def test_the_session_ends_and_cannot_be_armed_again() -> None:
    bench = Bench(limits=[{"who": "session", "limits": {"session_max_s": 1.0}}]).armed()
    for _ in range(100):
        bench.tick(None)
    bench.feed(Request("disarm"))
    for _ in range(1000):  # time off does not count
        bench.tick(None)
    bench.feed(Link(up=True))
    bench.feed(Request("arm"))
    for _ in range(100):
        bench.tick(None)
        assert bench.stage == "armed"
    bench.tick(None)
    assert (bench.stage, bench.fault) == ("tripped", "F9")
    bench.feed(Request("acknowledge"))
    bench.feed(Link(up=True))
    bench.feed(Request("arm"))
    assert "session is over" in bench.notes[-1].text


def test_the_dose_outlives_a_trip_and_a_new_arming() -> None:
    limits = [{"who": "session", "limits": {"dose_max_uc": 100.0, "train_max_s": 3.0}}]
    bench = Bench(limits=limits).armed()
    given_uc = 0.0
    while bench.stage != "tripped":
        reaction = bench.tick(GO)
        given_uc += sum(pulse.current_ma * pulse.width_us * 1e-3 for pulse in reaction.pulses)
    assert bench.fault == "F9"
    assert 90.0 < given_uc <= 100.0
    bench.feed(Request("acknowledge"))
    bench.tick(None)
    bench.feed(Link(up=True))
    bench.feed(Request("arm"))
    while bench.stage != "tripped":
        reaction = bench.tick(GO)
        given_uc += sum(pulse.current_ma * pulse.width_us * 1e-3 for pulse in reaction.pulses)
    assert given_uc <= 100.0


# --- sensors ---


def feed_stamp(bench: Bench, t_ns: int, seq: int, sensor: str = "foot", session: int = SESSION) -> None:
    bench.feed(SensorStamp(session, sensor, t_ns, seq, True))


def valid_ns(bench: Bench) -> int | None:
    return bench.known.sensors["foot"].valid_ns


def test_repeating_an_old_sample_with_a_new_time_keeps_nothing_alive() -> None:
    bench = Bench().active()
    before = valid_ns(bench)
    for _ in range(3):
        bench.now_ns += 5 * MS
        feed_stamp(bench, bench.now_ns, bench.stamp_seq)
        feed_stamp(bench, bench.now_ns, bench.stamp_seq - 1)
    assert valid_ns(bench) == before


def test_strangers_and_old_sessions_keep_nothing_alive() -> None:
    bench = Bench().active()
    before = bench.known
    feed_stamp(bench, bench.now_ns + 1, 10**6, sensor="elbow")
    feed_stamp(bench, bench.now_ns + 1, 10**6, session=SESSION + 1)
    assert bench.known == before


def test_a_burst_of_old_samples_does_not_turn_time_back() -> None:
    bench = Bench().active()
    newest = valid_ns(bench)
    feed_stamp(bench, bench.now_ns - 80 * MS, bench.stamp_seq + 1)
    assert valid_ns(bench) == newest


def test_an_invalid_sample_keeps_nothing_alive() -> None:
    bench = Bench().active()
    before = valid_ns(bench)
    bench.now_ns += 5 * MS
    bench.stamp(valid=False)
    assert valid_ns(bench) == before


def test_a_restarted_counter_is_taken_up_while_off_and_only_then() -> None:
    bench = Bench().ready()
    bench.now_ns += 5 * MS
    feed_stamp(bench, bench.now_ns, 0)
    assert valid_ns(bench) == bench.now_ns
    feed_stamp(bench, bench.now_ns, 0)
    assert bench.known.sensors["foot"].seq == 0
    before = bench.known
    feed_stamp(bench, bench.now_ns, -1)  # counted anew, and no newer than the one before
    assert bench.known == before
    bench = Bench().active()
    before = valid_ns(bench)
    bench.now_ns += 5 * MS
    feed_stamp(bench, bench.now_ns, 0)
    assert valid_ns(bench) == before


def test_a_gap_is_a_number_left_out_and_counts_for_less_than_100_ms() -> None:
    bench = Bench()
    for t_ms, seq, gaps in (
        (0, 0, 0),
        (10, 2, 1),
        (20, 3, 1),
        (109, 5, 2),
        (110, 6, 1),
        (208, 7, 1),
        (209, 8, 0),
    ):
        bench.now_ns = START_NS + t_ms * MS
        feed_stamp(bench, bench.now_ns, seq)
        assert len(bench.known.sensors["foot"].gaps_ns) == gaps
        assert bench.known.sensors["foot"].ill == ""
    late = Bench()
    feed_stamp(late, late.now_ns, 7)  # the first there is
    assert late.known.sensors["foot"].gaps_ns == ()


@pytest.mark.parametrize(("count", "ill"), [(3, False), (4, True)])
def test_more_than_three_gaps_in_100_ms_make_a_sensor_invalid(count: int, ill: bool) -> None:
    bench = Bench().active()
    for _ in range(count):
        bench.now_ns += 5 * MS
        bench.stamp_seq += 1
        bench.stamp()
    assert (valid_ns(bench) != bench.now_ns) == ill
    assert bench.known.sensors["foot"].ill == ("foot: 4 gaps in 100 ms" if ill else "")
    assert ("foot: 4 gaps in 100 ms" in bench.notes[-1].text) == ill


def test_a_sample_that_comes_after_a_later_one_counts_as_lost() -> None:
    bench = Bench().active()
    first, begin_ns = bench.stamp_seq, bench.now_ns
    for place in (2, 1, 4, 3, 6, 5, 8):
        bench.now_ns = max(bench.now_ns, begin_ns + place * 5 * MS)
        feed_stamp(bench, begin_ns + place * 5 * MS, first + place)
    assert bench.known.sensors["foot"].ill == "foot: 4 gaps in 100 ms"
    assert valid_ns(bench) == begin_ns + 30 * MS  # the sixth


def test_gaps_spread_out_are_borne_and_an_ill_sensor_recovers() -> None:
    bench = Bench().active()
    for _ in range(10):
        bench.tick(None)
        bench.now_ns += 29 * MS
        bench.stamp_seq += 1
        bench.stamp()
    assert valid_ns(bench) == bench.now_ns
    gaps(bench)
    assert bench.known.sensors["foot"].ill
    for _ in range(21):
        bench.tick(None)
    assert valid_ns(bench) == bench.now_ns
    assert not bench.known.sensors["foot"].ill


@pytest.mark.parametrize(("count", "ill"), [(9, False), (10, True)])
def test_ten_identical_samples_are_frozen(count: int, ill: bool) -> None:
    bench = Bench().active()
    bench.notes.clear()
    for _ in range(count):
        bench.now_ns += 5 * MS
        bench.stamp(digest=77)
    assert bench.known.sensors["foot"].ill == ("foot: 10 identical samples" if ill else "")
    bench.stamp(digest=77)
    assert [note.fault for note in bench.notes] == ["F2"]
    bench.stamp(digest=78)
    assert not bench.known.sensors["foot"].ill


def test_a_sensor_without_checksums_is_never_frozen() -> None:
    bench = Bench().active()
    for _ in range(30):
        bench.stamp(digest=0)
    assert not bench.known.sensors["foot"].ill


# --- the rest ---


def test_faults_of_absence_do_not_trip_a_guard_that_is_off() -> None:
    bench = Bench().ready()
    for happening in (
        Peer("controller", False),
        Peer("operator", False),
        Peer("recorder", False),
        Link(up=False, text="gone"),
        StimulatorNotice(0, True, 0, 10, "electrode error"),
    ):
        bench.feed(happening)
        bench.wait(1000)
    assert bench.stage == "off"
    assert bench.notes == []


def test_stop_while_off_forbids_arming_until_acknowledged() -> None:
    bench = Bench().ready()
    bench.feed(Request("stop"))
    bench.feed(Request("stop"))
    assert (bench.stage, bench.fault) == ("tripped", "F11")
    assert [note.kind for note in bench.notes] == ["stop"]


def test_a_recorder_that_comes_while_armed_changes_nothing() -> None:
    bench = Bench().active()
    before = bench.known
    bench.feed(Peer("recorder", True))
    assert bench.known == before


def test_one_operator_of_two_may_leave() -> None:
    bench = Bench().active()
    bench.feed(Peer("operator", True))
    assert bench.known.operators == 2
    bench.feed(Peer("operator", False))
    assert (bench.stage, bench.known.operators) == ("active", 1)


def test_a_stimulator_that_says_it_is_there_changes_nothing() -> None:
    bench = Bench().active()
    before = bench.known
    bench.feed(Link(up=True))
    assert bench.known == before


def test_a_notice_that_is_no_fault_is_none() -> None:
    bench = Bench().active()
    bench.feed(StimulatorNotice(0, False, 0, 0, "done"))
    assert bench.stage == "active"


@pytest.mark.parametrize(("code", "fault"), [(-1, "F19"), (0, "F20"), (10, "F20")])
def test_a_missing_answer_is_the_links_fault_and_a_bad_one_the_stimulators(code: int, fault: str) -> None:
    bench = Bench().active()
    bench.feed(StimulatorNotice(0, True, 0, code, "words"))
    assert bench.fault == fault
    assert "words" in bench.notes[-1].text


def test_a_new_controller_counts_from_anew_but_not_while_armed() -> None:
    bench = Bench().ready()
    bench.feed(Peer("controller", False))
    bench.feed(Peer("controller", True))
    assert bench.known.memory.last_seq == begin(bench.setup).memory.last_seq
    bench.seq = 0
    bench.tick(None)
    bench.feed(Request("arm"))
    assert bench.stage == "armed"


def test_bad_frames_are_answered_and_counted() -> None:
    bench = Bench().active()
    verdict = bench.feed(BadFrame("checksum does not match")).verdict
    assert verdict is not None
    assert (verdict.frame_seq, verdict.t_ns) == (0, 0)
    assert (verdict.verdict, verdict.channels) == ("blocked", (None,))
    assert bench.known.memory.bad_total == 1


def test_old_bad_frames_do_not_count_after_arming() -> None:
    bench = Bench().ready()
    for _ in range(2):
        bench.feed(BadFrame("x"))
    bench.feed(Request("arm"))
    bench.feed(BadFrame("x"))
    assert bench.stage == "armed"


def test_pulses_keep_their_distance_over_a_stop_and_a_new_arming() -> None:
    bench = Bench().active()
    while not bench.tick(GO).pulses:
        pass
    last_ns = bench.now_ns
    bench.feed(Request("stop"))
    bench.feed(Request("acknowledge"))
    bench.feed(Link(up=True))
    bench.now_ns += MS
    bench.frame(None)
    bench.feed(Request("arm"))
    while not bench.tick(GO, ms=1.0).pulses:
        pass
    assert bench.now_ns - last_ns == 19 * MS  # the closest allowed: a new train waits for no old beat


def test_a_train_that_begins_anew_waits_for_the_closest_pulse_allowed_and_not_for_the_old_beat() -> None:
    bench = Bench().active()
    while not bench.tick(GO, ms=1.0).pulses:
        pass
    last_ns = bench.now_ns
    bench.tick(None)
    while not bench.tick(GO, ms=1.0).pulses:
        pass
    assert bench.now_ns - last_ns == 19 * MS


def test_late_ticks_of_before_do_not_count_after_a_new_arming() -> None:
    bench = Bench().armed()
    for _ in range(3):
        bench.tick(None, ms=21.0)
    bench.feed(Request("disarm"))
    bench.feed(Link(up=True))
    bench.feed(Request("arm"))
    bench.tick(None, ms=21.0)
    assert bench.stage == "armed"


def test_the_frame_after_a_new_arming_starts_from_zero() -> None:
    bench = Bench().active()
    bench.feed(Request("stop"))
    bench.feed(Request("acknowledge"))
    bench.tick(None)
    bench.feed(Link(up=True))
    bench.feed(Request("arm"))
    verdict = bench.tick(GO).verdict
    assert verdict is not None
    assert verdict.channels == (pulse_train(1.0),)


def test_where_the_session_asks_for_a_stop_button_it_has_to_be_there() -> None:
    bench = Bench(stop_button="/dev/input/button").ready()
    bench.feed(Request("arm"))
    assert "STOP button is not there" in bench.notes[-1].text
    bench.feed(Peer("button", True))
    bench.feed(Request("arm"))
    assert bench.stage == "armed"
    bench.feed(Peer("button", False))
    assert (bench.stage, bench.fault) == ("tripped", "F10")
    assert bench.known.state.detail == "the STOP button is gone"


@pytest.mark.parametrize("output", [3, 4, 7])
def test_a_channel_the_stimulator_does_not_have_is_named(output: int) -> None:
    raw = raw_settings(channels=[{"name": "tibialis anterior", "electrode_area_cm2": 25.0, "output": output}])
    four = replace(CAPABILITY, channels=4)
    config = parse(raw, "guard.json")
    if output == 3:  # the last of four
        prepare(config, four, "guard.json")
        return
    with pytest.raises(InputError) as refused:
        prepare(config, four, "guard.json")
    error = refused.value
    assert (error.source, error.where, error.found) == ("guard.json", "channels[0].output", output)
    with pytest.raises(InputError, match=r"^limits: channels\[0\]"):
        prepare(config, four)
    assert error.allowed == "0 to 3"


def test_a_layer_that_loosens_is_named_with_its_file() -> None:
    raw = raw_settings(
        limits=[
            {"who": "clinic", "limits": {"current_max_ma": 20.0}},
            {"who": "session", "limits": {"current_max_ma": 30.0}},
        ]
    )
    with pytest.raises(InputError) as refused:
        prepare(parse(raw, "guard.json"), CAPABILITY, "guard.json")
    assert refused.value.source == "guard.json"


def test_frames_alone_are_held_against_the_age_of_the_sensor() -> None:
    """No timer runs while the sample grows old: the frames themselves must not get through."""
    bench = Bench().active()
    newest_ns = bench.now_ns
    while bench.fault is None:
        bench.now_ns += 5 * MS
        before_ns = bench.now_ns
        bench.frame(GO)
    assert bench.fault == "F1"
    assert 150 * MS < before_ns - newest_ns <= 175 * MS
    assert not bench.reactions[-1][1].pulses


def test_a_phase_that_flickers_ends_in_a_trip_within_ten_seconds() -> None:
    bench = Bench().armed()
    begin_ns, pulses = bench.now_ns, 0
    for number in range(6000):
        pulses += len(bench.tick(GO if number % 400 < 380 else None).pulses)  # 1.9 s on, 0.1 s off
        if bench.stage == "tripped":
            break
    assert (bench.stage, bench.fault) == ("tripped", "F9")
    assert 9.0 < (bench.now_ns - begin_ns) / 1e9 < 9.5
    assert "on_share_max" in bench.known.state.detail
    assert pulses < 400
