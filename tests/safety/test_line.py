"""The guard's mind on a slow stimulator line and on a second sender (F25), in virtual time."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from controller.safety.judgement.faults import FAULTS
from controller.safety.judgement.guard_types import Link, Request
from controller.safety.judgement.liveness import SLOW_AGAIN_NS
from drivers.interface import FOREIGN_ANSWER, LEFT_OUT, StimulatorNotice
from tests.safety.rig import Bench, pulse_train
from tests.safety.test_arming import TWO_CHANNELS, Wired

GO = pulse_train(20.0)


def left_out(bench: Bench, output: int | None = 0) -> StimulatorNotice:
    return StimulatorNotice(bench.now_ns, False, output, LEFT_OUT, "left out")


def foreign(bench: Bench, *, fault: bool = True) -> StimulatorNotice:
    return StimulatorNotice(bench.now_ns, fault, 2, FOREIGN_ANSWER, "command 3, not sent from here")


# --- pulses left out ---


def test_a_pulse_left_out_is_no_fault_and_told_once_in_ten_seconds() -> None:
    bench = Bench().active()
    before = bench.known
    for _ in range(3):
        assert not bench.feed(left_out(bench)).stop
    assert bench.known == before._replace(slow_ns=bench.now_ns)
    assert [(note.kind, note.fault) for note in bench.notes[-1:]] == [("warning", None)]
    assert "answers late" in bench.notes[-1].text
    assert "left out" in bench.notes[-1].text
    assert "USB port" in bench.notes[-1].text
    told = len(bench.notes)
    bench.now_ns += SLOW_AGAIN_NS - 1
    assert bench.feed(left_out(bench)).notes == ()
    bench.now_ns += 1
    assert len(bench.feed(left_out(bench)).notes) == 1
    assert bench.feed(left_out(bench)).notes == ()
    assert len(bench.notes) == told + 1


def test_ten_seconds_are_ten_seconds() -> None:
    assert SLOW_AGAIN_NS == 10_000_000_000


def test_a_test_pulse_that_did_not_leave_is_not_waited_for_and_its_pair_is_tested_anew() -> None:
    bench = Wired(channels=TWO_CHANNELS).wants_to_arm()
    bench.answers = False
    sent = sum(len(reaction.pulses) for reaction in bench.go_through(60))
    assert bench.known.contact is not None
    red, blue = bench.known.contact.probes
    assert red.sent + blue.sent == sent
    assert red.strong == blue.strong == 3
    bench.feed(left_out(bench, 1))  # blue's output
    assert bench.known.contact.probes == (red, blue.__class__(blue.sent - 1, 0, blue.answered))
    bench.answers = True
    bench.go_through()  # three strong ones more
    for _ in range(red.sent):
        bench.feed(StimulatorNotice(bench.now_ns, False, 4, 0, "ok"))
    for _ in range(blue.sent - 2):
        bench.feed(StimulatorNotice(bench.now_ns, False, 1, 0, "ok"))
    assert bench.stage == "contact test"
    bench.feed(StimulatorNotice(bench.now_ns, False, 1, 0, "ok"))
    assert bench.stage == "armed"


@pytest.mark.parametrize("output", [0, 7, None])
def test_a_pulse_left_out_on_an_output_of_nobody_changes_no_test(output: int | None) -> None:
    bench = Wired(channels=TWO_CHANNELS).wants_to_arm()
    bench.go_through(20)
    before = bench.known.contact
    assert before is not None
    bench.feed(left_out(bench, output))
    assert bench.known.contact == before


# --- F25 ---


@pytest.mark.parametrize("make", [Bench.armed, Bench.active])
def test_an_answer_to_a_command_nobody_sent_trips_at_once(make: Callable[[Bench], Bench]) -> None:
    bench = make(Bench())
    reaction = bench.feed(foreign(bench))
    assert (bench.stage, bench.fault) == ("tripped", "F25")
    assert reaction.stop
    assert "command 3, not sent from here" in reaction.notes[0].text
    assert bench.tick(GO).pulses == ()


def test_it_trips_in_the_contact_test_too_whatever_result_it_carries() -> None:
    bench = Wired().wants_to_arm()
    bench.go_through(5)
    assert bench.stage == "contact test"
    bench.feed(foreign(bench))
    assert (bench.stage, bench.fault) == ("tripped", "F25")


def test_while_off_it_is_told_the_output_is_switched_off_and_arming_waits_for_the_line() -> None:
    bench = Bench().ready()
    reaction = bench.feed(foreign(bench))
    assert (bench.stage, reaction.stop) == ("off", True)
    (note,) = reaction.notes
    assert (note.kind, note.fault) == ("warning", "F25")
    assert note.text.startswith(
        f"{FAULTS['F25'].happened} (command 3, not sent from here). The stimulator was"
    )
    assert FAULTS["F25"].next in note.text
    bench.feed(Request("arm"))
    assert bench.stage == "off"
    bench.feed(Link(up=True))
    bench.feed(Request("arm"))
    assert bench.stage == "armed"


def test_what_the_driver_calls_no_fault_is_none() -> None:
    """What still arrives after a stop."""
    bench = Bench().active()
    before = bench.known
    bench.feed(foreign(bench, fault=False))
    assert bench.known == before
