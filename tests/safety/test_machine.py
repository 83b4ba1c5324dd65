"""A model-based test: any order of events, and what must hold after each of them.

The model is far smaller than the guard: who is there, when the newest valid sample and frame came, what was
let out. It shares no code with the judge.
"""

from __future__ import annotations

from typing import Literal

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from controller.safety.judgement.frame_check import MS
from controller.safety.judgement.guard_types import (
    Known,
    Link,
    Peer,
    Reaction,
    RecorderTook,
    Request,
    Timer,
    Trouble,
)
from controller.safety.judgement.liveness import deadline_ns
from controller.safety.judgement.wire import BadFrame, Frame
from drivers.interface import StimulatorNotice
from tests.safety.rig import SESSION, Bench, pulse_train

CURRENT_MAX_MA, WIDTH_MAX_US, RATE_MAX_HZ = 40.0, 400.0, 50.0  # as in rig.SESSION_LIMITS
LATE_NS = MS  # by which a pulse may be nearer, as the one before was written after its tick (docs/safety.md)
STAGED_MAX_MA = 30.0  # three quarters
FRAME_MAX_NS, SENSOR_MAX_NS = 60 * MS, 150 * MS
RISE_MA, RISE_UC = 1.0, 0.4  # a frame, the latter at the widest pulse


class Walk(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        self.bench = Bench()
        self.sampled_ns: int | None = None
        self.pulse_ns: int | None = None
        self.stages: list[str] = ["off"]
        self.causes: list[str | None] = [None]
        self.acknowledged = False
        self.level = (0.0, 0.0)  # mA and uC let through last

    def see(self, reaction: Reaction, frame_came: bool = False, *, next_one: bool = True) -> None:
        """What must hold of every reaction; ``next_one``: the frame is the next of this session."""
        bench = self.bench
        before, after = self.stages[-1], bench.stage
        for pulse in reaction.pulses:
            assert frame_came, "a pulse without a frame"
            assert after in ("active", "ramp")
            assert 0 < pulse.current_ma <= CURRENT_MAX_MA
            assert pulse.width_us <= WIDTH_MAX_US
            assert self.sampled_ns is not None
            assert after == "ramp" or bench.now_ns - self.sampled_ns <= SENSOR_MAX_NS
            assert self.pulse_ns is None or bench.now_ns - self.pulse_ns >= 1e9 / RATE_MAX_HZ - LATE_NS
            self.pulse_ns = bench.now_ns
        if before == "tripped" and after != "tripped":
            assert self.acknowledged, "a trip was left without an acknowledgement"
            assert after == "off"
        if before == "tripped" == after:
            assert bench.fault == self.causes[-1], "the first cause was lost"
        if before in ("off", "tripped"):
            assert after not in ("active", "ramp"), "current without arming"
        if after in ("off", "tripped") and before not in ("off", "tripped"):
            assert reaction.stop, "the stimulator was not silenced"
        verdict = reaction.verdict
        if verdict is not None and any(channel is not None for channel in verdict.channels):
            assert after in ("armed", "active", "ramp")
            assert verdict.verdict in ("ok", "reduced")
        if verdict is not None:
            given = [(c.current_ma, c.current_ma * c.width_us * 1e-3) for c in verdict.channels if c]
            current_ma, charge_uc = given[0] if given else (0.0, 0.0)
            assert current_ma <= self.level[0] + RISE_MA + 1e-9, "the current jumped"
            assert charge_uc <= self.level[1] + RISE_UC + 1e-9, "the charge jumped"
            if next_one:
                self.level = current_ma, charge_uc
        if after in ("off", "tripped"):
            self.level = 0.0, 0.0
        self.stages.append(after)
        self.causes.append(bench.fault)
        self.acknowledged = False

    @rule(ms=st.floats(0.1, 200.0))
    def time_passes(self, ms: float) -> None:
        self.see(self.bench.wait(ms))

    @rule(
        ms=st.floats(3.0, 12.0),
        count=st.integers(1, 30),
        current_ma=st.none() | st.floats(0, 45),
        sampled=st.sampled_from([True, True, True, False]),
    )
    def ticks(self, ms: float, count: int, current_ma: float | None, sampled: bool) -> None:
        channel = None if current_ma is None else pulse_train(current_ma)
        for _ in range(count):
            self.bench.now_ns += round(ms * MS)
            if sampled:
                self.bench.stamp()
                self.sampled_ns = self.bench.now_ns
            self.see(self.bench.frame(channel), frame_came=True)
            self.see(self.bench.feed(Timer()))

    @rule(
        current_ma=st.floats(),
        width_us=st.floats(),
        rate_hz=st.floats(),
        lifetime_ms=st.floats() | st.just(60.0),
    )
    def nonsense(self, current_ma: float, width_us: float, rate_hz: float, lifetime_ms: float) -> None:
        self.bench.seq += 1
        channel = pulse_train(current_ma, width_us, rate_hz)
        frame = Frame(SESSION, self.bench.seq, self.bench.now_ns, lifetime_ms, (channel,))
        self.see(self.bench.feed(frame), frame_came=True)

    @rule(back=st.integers(0, 5), old_ms=st.floats(0, 500))
    def replay(self, back: int, old_ms: float) -> None:
        seq = max(self.bench.seq - back, 0)
        t_ns = self.bench.now_ns - round(old_ms * MS)
        reaction = self.bench.feed(Frame(SESSION, seq, t_ns, 60.0, (pulse_train(20.0),)))
        self.see(reaction, frame_came=True, next_one=False)

    @rule()
    def damage(self) -> None:
        reaction = self.bench.feed(BadFrame("x"))
        assert not reaction.pulses
        self.see(reaction, next_one=False)

    @rule(current_ma=st.floats(0, 45), width_us=st.floats(10, 450), rate_hz=st.floats(0.5, 60))
    def settings_change(self, current_ma: float, width_us: float, rate_hz: float) -> None:
        """From one frame to the next the controller wants another pulse (F18)."""
        for _ in range(3):
            self.bench.now_ns += 5 * MS
            self.bench.stamp()
            self.sampled_ns = self.bench.now_ns
            self.see(self.bench.frame(pulse_train(current_ma, width_us, rate_hz)), frame_came=True)

    @rule()
    def invalid_sample(self) -> None:
        self.bench.stamp(valid=False)

    @rule(role=st.sampled_from(["controller", "recorder"]), present=st.booleans())
    def peer(self, role: str, present: bool) -> None:
        if role == "controller":
            self.see(self.bench.feed(Peer("controller", present)))
        else:
            self.see(self.bench.feed(Peer("recorder", present)))

    @rule()
    def operator_comes(self) -> None:
        self.see(self.bench.feed(Peer("operator", True)))

    @precondition(lambda self: self.bench.known.operators > 0)
    @rule()
    def operator_goes(self) -> None:
        self.see(self.bench.feed(Peer("operator", False)))

    @rule(took=st.booleans())
    def recorder(self, took: bool) -> None:
        self.see(self.bench.feed(RecorderTook(took)))

    @rule(up=st.booleans())
    def link(self, up: bool) -> None:
        self.see(self.bench.feed(Link(up=up, text="x")))

    @rule(code=st.sampled_from([-1, 0, 10]), fault=st.booleans())
    def notice(self, code: int, fault: bool) -> None:
        self.see(self.bench.feed(StimulatorNotice(self.bench.now_ns, fault, 0, code, "x")))

    @rule(fault=st.sampled_from(["F13", "F15", "F16", "F17"]))
    def trouble(self, fault: str) -> None:
        self.see(self.bench.feed(Trouble(fault)))

    @rule()
    def stop(self) -> None:
        self.see(self.bench.feed(Request("stop")))
        assert self.bench.stage == "tripped"

    @rule()
    def disarm(self) -> None:
        self.see(self.bench.feed(Request("disarm")))

    @rule()
    def acknowledge(self) -> None:
        self.acknowledged = True
        self.see(self.bench.feed(Request("acknowledge")))

    @rule()
    def arm(self) -> None:
        self.see(self.bench.feed(Request("arm")))

    @rule()
    def make_everything_well_and_arm(self) -> None:
        bench = self.bench
        bench.feed(Request("acknowledge"))
        self.stages.append(bench.stage)
        self.causes.append(bench.fault)
        if bench.stage != "off":
            return
        bench.ready()
        self.sampled_ns = bench.now_ns
        bench.feed(RecorderTook(True))
        bench.feed(Request("arm"))
        self.stages.append(bench.stage)
        self.causes.append(bench.fault)
        assert bench.stage == "armed", bench.notes[-1]

    @invariant()
    def a_trip_has_a_cause_and_nothing_else_has(self) -> None:
        assert (self.bench.fault is not None) == (self.bench.stage == "tripped")

    @invariant()
    def a_timer_is_due_exactly_while_current_may_flow(self) -> None:
        due_ns = deadline_ns(self.bench.setup, self.bench.known)
        assert (due_ns is None) == (self.bench.stage in ("off", "tripped"))
        assert due_ns is None or due_ns <= self.bench.now_ns + FRAME_MAX_NS


class StagedWalk(Walk):
    """The same, where feedback waits for three answered strides and a person since the last arming."""

    def __init__(self) -> None:
        super().__init__()
        self.bench = Bench(unlock="person")
        self.answered = 0
        self.unlocked = False

    def see(self, reaction: Reaction, frame_came: bool = False, *, next_one: bool = True) -> None:
        super().see(reaction, frame_came, next_one=next_one)
        if self.bench.stage in ("off", "tripped"):
            self.answered, self.unlocked = 0, False
        if not self.unlocked:
            assert all(pulse.current_ma <= STAGED_MAX_MA for pulse in reaction.pulses)

    @rule(current_ma=st.none() | st.floats(0, 45))
    def feedback(self, current_ma: float | None) -> None:
        bench = self.bench
        bench.now_ns += 5 * MS
        bench.stamp()
        self.sampled_ns = bench.now_ns
        bench.seq += 1
        channel = None if current_ma is None else pulse_train(current_ma)
        reaction = bench.feed(Frame(SESSION, bench.seq, bench.now_ns, 60.0, (channel,), "feedback"))
        assert self.unlocked or bench.stage == "ramp" or not reaction.pulses, "feedback before the unlock"
        self.see(reaction, frame_came=True)

    @rule(count=st.integers(1, 4))
    def strides_answer(self, count: int) -> None:
        for _ in range(count):
            self.see(self.bench.answer())
            self.answered += self.bench.stage in ("armed", "active")

    @rule()
    def unlock(self) -> None:
        self.see(self.bench.feed(Request("unlock", "Ada")))
        self.unlocked |= self.answered >= 3 and self.bench.stage in ("armed", "active")

    @invariant()
    def the_unlock_is_what_the_model_says(self) -> None:
        assert self.bench.known.unlock.full <= self.unlocked


class OverseenWalk(Walk):
    """The same, where the process that hears STOP has to show every second that it lives (F23)."""

    op: Literal["beat", "heartbeat"] = "beat"
    setting = "overseen"
    most_ns = 1000 * MS

    def __init__(self) -> None:
        super().__init__()
        self.bench = Bench(**{self.setting: True})
        self.beat_ns: int | None = None

    @property
    def heard(self) -> bool:
        return self.beat_ns is not None and self.bench.now_ns - self.beat_ns <= self.most_ns

    def see(self, reaction: Reaction, frame_came: bool = False, *, next_one: bool = True) -> None:
        super().see(reaction, frame_came, next_one=next_one)
        if self.stages[-2] in ("off", "tripped"):
            assert self.bench.stage in ("off", "tripped") or self.heard, "armed with nobody to hear STOP"

    @rule(count=st.integers(1, 3))
    def beats(self, count: int) -> None:
        """However many come, they change nothing but the time of the newest: no trip ends, nothing arms."""
        for _ in range(count):
            before = self.bench.known
            reaction = self.bench.feed(Request(self.op, "supervisor"))
            self.beat_ns = self.bench.now_ns
            assert reaction == Reaction()
            assert self._but_for_beats(self.bench.known) == self._but_for_beats(before)

    @staticmethod
    def _but_for_beats(known: Known) -> Known:
        return known._replace(beat_ns=None, heartbeat_ns=None)

    @rule(share=st.floats(0.9, 1.1))
    def it_hangs_while_all_else_is_well(self, share: float) -> None:
        """Samples, frames and the recorder go on; the guard alone can notice, and does at the next timer."""
        bench = self.bench
        end_ns = bench.now_ns + round(share * self.most_ns)
        while bench.now_ns < end_ns:
            bench.now_ns = min(bench.now_ns + 20 * MS, end_ns)
            bench.stamp()
            self.sampled_ns = bench.now_ns
            self.see(bench.frame(pulse_train(1.0) if bench.now_ns // (200 * MS) % 2 else None), True)
            self.see(bench.feed(Timer()))
            over = bench.stage in ("off", "tripped", "ramp")  # a soft stop is at zero within 100 ms
            assert self.heard or over, "nobody hears STOP, and current may flow"

    @rule()
    def make_everything_well_and_arm(self) -> None:
        self.bench.feed(Request(self.op, "supervisor"))
        self.beat_ns = self.bench.now_ns
        super().make_everything_well_and_arm()

    @invariant()
    def the_guard_wakes_before_one_that_hangs_is_overdue(self) -> None:
        if self.bench.stage in ("off", "tripped", "ramp"):
            return
        assert self.beat_ns is not None
        due_ns = deadline_ns(self.bench.setup, self.bench.known)
        assert due_ns is not None
        assert due_ns <= self.beat_ns + self.most_ns


class AttendedWalk(OverseenWalk):
    """The same with the console of a person, which has to be heard every half second (F10)."""

    op = "heartbeat"
    setting = "supervised"
    most_ns = 500 * MS


TestWalk = Walk.TestCase
TestStagedWalk = StagedWalk.TestCase
TestStagedWalk.settings = settings(max_examples=80, stateful_step_count=40, deadline=None)
TestOverseenWalk = OverseenWalk.TestCase
TestAttendedWalk = AttendedWalk.TestCase
TestOverseenWalk.settings = settings(max_examples=80, stateful_step_count=40, deadline=None)
TestAttendedWalk.settings = settings(max_examples=50, stateful_step_count=40, deadline=None)
TestWalk.settings = settings(max_examples=120, stateful_step_count=40, deadline=None)
