"""The oracle finds a sound session sound, and finds every planted breach, each by its own name."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import asdict, dataclass, field, replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from controller.analysis.judge import Finding, as_table, judge_recording
from controller.analysis.judge.faults import NOTICED
from controller.analysis.judge.pulse_log import read_pulse_log
from controller.errors import InputError
from controller.record.compact import recompact
from controller.record.reader import raw_messages
from controller.record.records import GuardEvent, GuardVerdict, Process, Pulse, Record, Tick
from controller.record.writer import RecordingWriter
from controller.safety.judgement.faults import TABLE
from controller.safety.judgement.frame_check import MS
from controller.safety.judgement.guard_types import Peer, Request
from controller.safety.judgement.limits import NAMES
from drivers.interface import ChannelCommand, StimulatorCapability
from tests.record.made import imu, tick, write
from tests.safety.rig import CAPABILITY, SESSION_LIMITS, START_NS, Bench, pulse_train

ON = pulse_train(20.0)


@dataclass
class Session:
    """A recording in the making, open to forgery."""

    setup: dict[str, Any]
    messages: list[tuple[str, int, Record]]
    log: list[dict[str, Any]]

    def verdicts(self) -> list[int]:
        """Where the verdicts with pulses are."""
        return [
            index
            for index, (_, _, record) in enumerate(self.messages)
            if isinstance(record, GuardVerdict) and record.pulses
        ]

    def alter(self, index: int, **changes: Any) -> None:
        topic, t_ns, record = self.messages[index]
        assert isinstance(record, GuardVerdict)
        self.messages[index] = (topic, t_ns, replace(record, **changes))

    def alter_channel(self, index: int, **changes: Any) -> None:
        record = self.messages[index][2]
        assert isinstance(record, GuardVerdict)
        assert record.channels[0] is not None
        self.alter(index, channels=(replace(record.channels[0], **changes),))

    def alter_pulse(self, index: int, **changes: Any) -> None:
        record = self.messages[index][2]
        assert isinstance(record, GuardVerdict)
        self.alter(index, pulses=tuple(replace(pulse, **changes) for pulse in record.pulses))

    def judge(self, tmp_path: Path, *, with_log: bool = True) -> list[Finding]:
        path = tmp_path / "session.mcap"
        path.unlink(missing_ok=True)
        setup = SetupRecord(**self.setup)
        write(path, ("guard/setup", START_NS, setup), *self.messages)
        log = tmp_path / "pulses.jsonl"
        log.write_text("".join(json.dumps(line) + "\n" for line in self.log))
        before = judge_recording(path, log if with_log else None)
        recompact(path)
        found = judge_recording(path, log if with_log else None)
        assert found == before, "by columns as by messages"
        return found


@dataclass
class SetupRecord:
    limits: dict[str, Any]
    channels: list[dict[str, Any]]
    sensors: list[dict[str, Any]]
    pace: dict[str, float] = field(default_factory=dict)
    contact: dict[str, float] | None = None
    unlock: dict[str, Any] | None = None
    caps: str = "gait"
    on_window_s: float = 10.0
    t_ns: int = START_NS
    checklist: dict[str, str] = field(default_factory=dict)
    stimulator: StimulatorCapability = CAPABILITY


def walk(on_ticks: int = 100, doublet: bool = False) -> Session:
    """Two swings of half a second or so, then STOP; the bench's guard in virtual time.

    With a ``doublet`` the first two pulses of each swing are 20 ms apart, the others follow at 30 Hz.
    """
    bench = Bench().ready()
    limits = asdict(bench.setup.rules.effective.limits)
    session = Session(
        {
            "limits": {name: {"value": value, "set_by": "session"} for name, value in limits.items()},
            "channels": [{"name": "ta", "output": 0, "electrode_area_cm2": 25.0}],
            "sensors": [{"name": "foot", "age_max_ms": 150.0}],
            "pace": {"tick_ms": 5.0, "rise_kept_ms": 10.0, "frame_gap_min_ms": 1.0},
        },
        [],
        [],
    )
    packet = 0

    def note(reaction: Any) -> None:
        for one in reaction.notes:
            event = GuardEvent(bench.now_ns, one.kind, bench.stage, one.text, one.fault)
            session.messages.append(("guard/event", bench.now_ns, event))

    note(bench.feed(Request("arm")))
    for index in range(400):
        wish = pulse_train(20.0, rate_hz=50.0 if index % 200 < 5 else 30.0) if doublet else ON
        reaction = bench.tick(wish if index % 200 < on_ticks else None)
        sample = replace(
            imu(index, bench.now_ns + MS, "foot"), arrival_ns=bench.now_ns, t_ns=bench.now_ns - MS
        )
        one = tick(index + 1, now_ns=bench.now_ns, samples=(sample,))
        view = replace(one.decision.view, mode="trapezoid")
        one = replace(one, decision=replace(one.decision, view=view))
        session.messages.append(("tick", bench.now_ns, one))
        pulses = []
        for order in reaction.pulses:
            at_ns = bench.now_ns + 300_000
            pulses.append(Pulse(at_ns, order.channel, order.current_ma, order.width_us, packet))
            points = [[order.width_us, order.current_ma], [100, 0.0], [order.width_us, -order.current_ma]]
            line = {"t_ns": at_ns + MS, "channel": order.channel, "points": points, "packet": packet}
            session.log.append(line)
            packet = (packet + 1) % 64
        verdict = reaction.verdict
        assert verdict is not None
        record = GuardVerdict(
            verdict.frame_seq,
            verdict.t_ns,
            bench.now_ns,
            verdict.state,
            verdict.verdict,
            verdict.reason,
            verdict.channels,
            tuple(pulses),
            reaction.limit,
        )
        session.messages.append(("guard/verdict", bench.now_ns, record))
    note(bench.feed(Request("stop")))
    bench.now_ns += MS
    note(bench.feed(Peer("controller", False)))
    gone = Process(bench.now_ns, "dorsi-controller", 1, "gone")
    session.messages.append(("process", bench.now_ns, gone))
    return session


def broken(findings: list[Finding]) -> set[str]:
    return {finding.id for finding in findings if not finding.kept}


def test_a_sound_session_is_kept_in_every_point(tmp_path: Path) -> None:
    findings = walk().judge(tmp_path)
    assert broken(findings) == set()
    unseen = {finding.id for finding in findings if finding.word != "kept"}
    # nothing unrecorded, no arm off, and STOP the only thing that happened
    assert unseen == {"F12", "purpose", *NOTICED} - {"F11"}
    worst = {finding.id: finding.worst for finding in findings}
    assert worst["current_max_ma"] == 20.0
    assert worst["charge_max_uc"] == 6.0
    assert worst["F1"] == pytest.approx(1.3)
    assert worst["F4"] == pytest.approx(0.3)
    assert worst["pulse_gap_min_ms"] == pytest.approx(25.0)
    assert worst["delivery"] == 0
    assert worst["session_max_s"] == pytest.approx(2.0 - 0.025)  # what F9 may take is not counted
    assert 0.4 < (worst["train_max_s"] or 0) < 0.5
    assert worst["on_share_max"] == pytest.approx(2 * (worst["train_max_s"] or 0) / 10.0, abs=0.003)
    assert worst["F24"] is None  # nothing noticed; the frames are 5 ms apart
    assert worst["dose_max_uc"] == pytest.approx(
        sum(20.0 if line["points"][0][1] == 20 else line["points"][0][1] for line in walk().log) * 0.3
    )


def test_a_recording_from_before_the_rise_went_by_time_is_judged_by_what_held_then(tmp_path: Path) -> None:
    session = walk()
    forge_rise_in_one_turn(session)
    forge_close_frame(session)
    session.setup["pace"] = {}
    assert broken(session.judge(tmp_path)) == set()


def test_a_train_counts_for_the_share_as_far_as_it_lies_within_ten_seconds(tmp_path: Path) -> None:
    session = walk()
    first = session.messages[session.verdicts()[0]][2]
    assert isinstance(first, GuardVerdict)
    trains_s = ((0.0, 1.0), (3.0, 5.0), (7.0, 9.0), (11.5, 13.0), (25.0, 26.0))
    end_ns = session.messages[-1][1]
    session.log, session.messages = [], [m for m in session.messages if isinstance(m[2], GuardEvent)][:1]
    for begin_s, end_s in trains_s:
        for number in range(round((end_s - begin_s) / 0.025) + 1):
            t_ns = end_ns + round((begin_s + 0.025 * number) * 1e9)
            pulses = tuple(replace(pulse, t_ns=t_ns) for pulse in first.pulses)
            verdict = replace(first, t_ns=t_ns, received_ns=t_ns, pulses=pulses)
            session.messages.append(("guard/verdict", t_ns, verdict))
    found = {finding.id: finding for finding in session.judge(tmp_path, with_log=False)}["on_share_max"]
    assert found.worst == pytest.approx((2.0 + 2.0 + 1.5) / 10.0)  # from 3 to 13 s
    assert found.seen == 5
    session.setup["on_window_s"] = 120.0
    found = {finding.id: finding for finding in session.judge(tmp_path, with_log=False)}["on_share_max"]
    assert found.worst == pytest.approx((1.0 + 2.0 + 2.0 + 1.5 + 1.0) / 120.0)
    assert "share of 120 s" in found.promise


def test_a_pulse_on_its_way_when_the_recorder_died_is_borne(tmp_path: Path) -> None:
    session = walk()
    end_ns = session.messages[-1][1]
    session.log.append({**session.log[-1], "t_ns": end_ns + 20 * MS, "packet": 63})
    findings = {finding.id: finding for finding in session.judge(tmp_path)}
    assert broken(list(findings.values())) == set()
    assert findings["F12"].worst == pytest.approx(21.0)  # 1 ms passed between the last verdict and the stop


def test_without_pulses_nothing_is_called_kept_that_was_not_seen(tmp_path: Path) -> None:
    session = walk()
    session.messages = [m for m in session.messages if not isinstance(m[2], GuardVerdict)]
    session.log = []
    findings = {finding.id: finding for finding in session.judge(tmp_path)}
    assert findings["current_max_ma"].word == "not put to the test"
    assert findings["F1"].worst is None
    assert findings["trip"].word == "kept"


def forge_current(session: Session) -> None:
    session.alter_pulse(session.verdicts()[20], current_ma=40.5)


def forge_wide(session: Session) -> None:
    session.alter_pulse(session.verdicts()[20], width_us=401.0)


def forge_narrow(session: Session) -> None:
    session.alter_pulse(session.verdicts()[20], width_us=19.0)


def forge_rate(session: Session) -> None:
    session.alter_channel(session.verdicts()[20], rate_hz=51.0)


def forge_slow_rate(session: Session) -> None:
    session.alter_channel(session.verdicts()[20], rate_hz=0.9)


def forge_charge(session: Session) -> None:
    session.alter_pulse(session.verdicts()[20], current_ma=39.0, width_us=390.0)


def forge_energy(session: Session) -> None:
    session.setup["limits"]["energy_max_mj"]["value"] = 0.1  # 20 mA, 300 us: 0.12 mJ


def forge_density(session: Session) -> None:
    session.setup["channels"][0]["electrode_area_cm2"] = 3.0  # 3.1 mA r.m.s. over 1.5 cm2


def forge_cycles(session: Session) -> None:
    session.alter_pulse(session.verdicts()[20], cycles=2)


def forge_phases(session: Session) -> None:
    """A burst of the charge that was sent, but both positive phases first."""
    session.alter_pulse(session.verdicts()[20], cycles=2)
    (positive, _, negative) = session.log[20]["points"]
    session.log[20] = {**session.log[20], "points": [positive, positive, negative, negative]}


def forge_train(session: Session) -> None:
    session.setup["limits"]["train_max_s"]["value"] = 0.3


def forge_dose(session: Session) -> None:
    session.setup["limits"]["dose_max_uc"]["value"] = 100.0


def forge_session_length(session: Session) -> None:
    session.setup["limits"]["session_max_s"]["value"] = 1.9


def forge_closeness(session: Session) -> None:
    first = session.messages[session.verdicts()[20]][2]
    assert isinstance(first, GuardVerdict)
    session.alter_pulse(session.verdicts()[21], t_ns=first.pulses[0].t_ns + 18 * MS)


def forge_silence(session: Session) -> None:
    session.messages = [m for m in session.messages if m[0] != "tick" or m[1] < START_NS + 300 * MS]


def forge_invalid_samples(session: Session) -> None:
    for index, (topic, t_ns, record) in enumerate(session.messages):
        if isinstance(record, Tick) and t_ns > START_NS + 300 * MS:
            samples = tuple(replace(sample, valid=False) for sample in record.inputs.imu)
            inputs = replace(record.inputs, imu=samples)
            session.messages[index] = (topic, t_ns, replace(record, inputs=inputs))


def forge_death(session: Session) -> None:
    gone = Process(START_NS + 200 * MS, "dorsi-controller", 1, "gone")
    session.messages.append(("process", gone.t_ns, gone))


def forge_old_frame(session: Session) -> None:
    index = session.verdicts()[20]
    session.alter(index, t_ns=session.messages[index][1] - 62 * MS)


def forge_blocked(session: Session) -> None:
    session.alter(session.verdicts()[20], verdict="blocked", reason="no")


def forge_order(session: Session) -> None:
    session.alter(session.verdicts()[20], frame_seq=1)


def forge_nonsense(session: Session) -> None:
    session.alter_channel(session.verdicts()[20], width_us=-1.0)


def forge_rise(session: Session) -> None:
    session.alter(session.verdicts()[20], channels=(ChannelCommand(22.0, 300.0, 40.0),))


def test_frames_that_were_not_the_next_one_are_no_fall_of_the_current(tmp_path: Path) -> None:
    """The guard drops them (F6) and what it let through before stands: the next frame is no jump."""
    session = walk()
    middle = session.verdicts()[20]
    good = session.messages[middle][2]
    assert isinstance(good, GuardVerdict)
    dropped = replace(good, verdict="blocked", reason="dropped", channels=(None,), pulses=())
    astray = (
        replace(dropped, frame_seq=0, t_ns=0),  # no frame at all
        dropped,  # one that came twice
        replace(dropped, frame_seq=good.frame_seq + 1, t_ns=good.t_ns - 1),
        replace(dropped, frame_seq=good.frame_seq + 1, t_ns=good.received_ns + 2 * MS),
    )
    for record in astray:
        session.messages.insert(middle + 1, ("guard/verdict", good.received_ns + 1, record))
    assert broken(session.judge(tmp_path)) == set()
    for _ in astray:
        del session.messages[middle + 1]
    in_order = replace(dropped, frame_seq=good.frame_seq + 1, t_ns=good.t_ns)
    session.messages.insert(middle + 1, ("guard/verdict", good.received_ns + 1, in_order))
    session.setup["pace"] = {}
    assert "F8" in broken(session.judge(tmp_path))


def forge_rise_in_one_turn(session: Session) -> None:
    """The rise to 10 mA, each frame by 1 mA, in one turn of a guard that stood still."""
    rising = [
        index
        for index, (_, _, record) in enumerate(session.messages)
        if isinstance(record, GuardVerdict) and record.channels[0] is not None
    ][:10]
    turn_ns = session.messages[rising[-1]][1]
    for index in rising:
        session.alter(index, received_ns=turn_ns)


def forge_close_frame(session: Session) -> None:
    index = session.verdicts()[20]
    record = session.messages[index][2]
    assert isinstance(record, GuardVerdict)
    session.alter(index, t_ns=record.t_ns - 5 * MS + MS - 1)


def forge_on_share(session: Session) -> None:
    session.setup["limits"]["on_share_max"]["value"] = 0.09


def forge_window_rise(session: Session) -> None:
    session.setup["limits"]["rise_max_ma_per_250ms"]["value"] = 19.0


def forge_pulse_after_stop(session: Session) -> None:
    index = session.verdicts()[-1]
    end_ns = session.messages[-1][1]
    verdict = session.messages[index][2]
    assert isinstance(verdict, GuardVerdict)
    session.messages.append(("guard/verdict", end_ns, replace(verdict, t_ns=end_ns, received_ns=end_ns)))
    session.alter_pulse(len(session.messages) - 1, t_ns=end_ns, packet=63)
    session.log.append({**session.log[-1], "t_ns": end_ns, "packet": 63})


def forge_state(session: Session) -> None:
    session.alter(session.verdicts()[20], state="armed")


def forge_unarmed(session: Session) -> None:
    session.messages = [
        m for m in session.messages if not (isinstance(m[2], GuardEvent) and m[2].kind == "arm")
    ]


def forge_unsent(session: Session) -> None:
    session.log.insert(5, {**session.log[5], "packet": 60})


def forge_other_current(session: Session) -> None:
    session.log[5] = {**session.log[5], "points": [[300.0, 30.0], [100, 0.0], [300.0, -30.0]]}


def forge_balance(session: Session) -> None:
    points = session.log[5]["points"]
    session.log[5] = {**session.log[5], "points": [points[0], points[1], [299.0, points[2][1]]]}


def forge_unrecorded(session: Session) -> None:
    end_ns = session.messages[-1][1]
    session.log.append({**session.log[-1], "t_ns": end_ns + 601 * MS, "packet": 63})


def forge_loss(session: Session) -> None:
    del session.log[5:8]


def delay(session: Session, first: int, last: int, until_ns: int) -> None:
    """The line stalls: the device gives pulses ``first`` to ``last`` at ``until_ns``, 2.3 ms apart."""
    for place, index in enumerate(range(first, last + 1)):
        session.log[index]["t_ns"] = until_ns + place * 2_300_000


def forge_stall(session: Session) -> None:
    """120 ms and five pulses, the last of them in time: as close as a line of 18 ms may bring two."""
    delay(session, 6, 10, session.log[10]["t_ns"])


def forge_burst(session: Session) -> None:
    forge_stall(session)
    session.log[9]["t_ns"] = session.log[8]["t_ns"] + 1_999_999


def forge_late(session: Session) -> None:
    session.log[-1]["t_ns"] += 59_000_001  # 1 ms is there already


def forge_pulses_after_stop_in_a_stall(session: Session) -> None:
    delay(session, len(session.log) - 6, len(session.log) - 1, session.messages[-1][1] + 1000 * MS)


def forge_second_pulse_after_stop(session: Session) -> None:
    """Within 60 ms of the stop, but two, of a train that ended half a second before."""
    end_ns = session.messages[-1][1]
    session.log[-2]["t_ns"] = session.log[-1]["t_ns"]
    session.log[-1]["t_ns"] = end_ns + 20 * MS
    session.log.append({**session.log[-1], "t_ns": end_ns + 40 * MS})


def forge_loss_before_stop(session: Session) -> None:
    del session.log[-8:]


FORGERIES: dict[Callable[[Session], None], set[str]] = {
    forge_current: {"current_max_ma", "pulses"},
    forge_wide: {"width_max_us", "pulses"},
    forge_narrow: {"width_min_us", "pulses"},
    forge_rate: {"rate_max_hz"},
    forge_slow_rate: {"rate_min_hz"},
    forge_charge: {"charge_max_uc", "pulses"},
    forge_energy: {"energy_max_mj"},
    forge_density: {"density_rms_max_ma_cm2"},
    forge_cycles: {"cycles_max", "pulses"},
    forge_phases: {"cycles_max", "pulses", "phases"},
    forge_train: {"train_max_s"},
    forge_dose: {"dose_max_uc"},
    forge_session_length: {"session_max_s"},
    forge_closeness: {"pulse_gap_min_ms"},
    forge_silence: {"F1"},
    forge_invalid_samples: {"F1"},
    forge_death: {"F3"},
    forge_old_frame: {"F4", "F24"},
    forge_blocked: {"F6"},
    forge_order: {"F6"},
    forge_nonsense: {"F7"},
    forge_rise: {"F8"},
    forge_rise_in_one_turn: {"F8"},
    forge_close_frame: {"F24"},
    forge_on_share: {"on_share_max"},
    forge_window_rise: {"F8"},
    forge_pulse_after_stop: {"trip", "F8", "F11"},
    forge_state: {"states"},
    forge_unarmed: {"states"},
    forge_unsent: {"pulses", "F25", "given_gap_min_ms"},
    forge_other_current: {"pulses"},
    forge_balance: {"balance"},
    forge_loss: {"delivery"},
    forge_stall: {"given_late_ms"},
    forge_burst: {"given_late_ms", "given_gap_min_ms"},
    forge_late: {"given_late_ms"},
    forge_pulses_after_stop_in_a_stall: {"given_after_stop", "given_after_stop_ms", "given_late_ms"},
    forge_second_pulse_after_stop: {"given_after_stop", "given_late_ms"},
    forge_loss_before_stop: {"delivery"},
    forge_unrecorded: {"F12", "given_after_stop_ms"},
}


@pytest.mark.parametrize("topic", ["guard/event", "guard/verdict", "tick", "process", "link", "audit"])
def test_a_message_that_cannot_be_read_breaks_a_promise_of_its_own(tmp_path: Path, topic: str) -> None:
    session = walk()
    whole = {finding.promise for finding in session.judge(tmp_path) if not finding.kept}
    path, cut = tmp_path / "session.mcap", tmp_path / "cut.mcap"
    writer = RecordingWriter(cut, {})
    kept = list(raw_messages(path))
    for at, message in enumerate(kept):
        writer.add(message.topic, message.t_ns, message.payload)
        if at == len(kept) // 2:
            writer.add(topic, message.t_ns, b'{"t_ns":')
            writer.add(topic, message.t_ns, b"\xff")
    writer.finish()
    writer.close()
    broken = [
        f for f in judge_recording(cut, tmp_path / "pulses.jsonl") if not f.kept and f.promise not in whole
    ]
    assert [(found.promise, found.seen) for found in broken] == [
        ("every message of the recording can be read", 2)
    ]
    assert topic in broken[0].detail


@pytest.mark.parametrize("forge", FORGERIES, ids=lambda forge: forge.__name__)
def test_each_forgery_is_found_by_its_own_name(tmp_path: Path, forge: Callable[[Session], None]) -> None:
    session = walk()
    forge(session)
    assert broken(session.judge(tmp_path)) == FORGERIES[forge]


def test_a_doublet_is_as_close_as_asked_for_and_dense_for_so_long(tmp_path: Path) -> None:
    session = walk(doublet=True)
    findings = {finding.id: finding for finding in session.judge(tmp_path)}
    assert broken(list(findings.values())) == set()
    assert findings["pulse_gap_min_ms"].worst == pytest.approx(20.0)
    gaps_ms = [(b["t_ns"] - a["t_ns"]) / 1e6 for a, b in pairwise(session.log)]
    assert gaps_ms[:4] == pytest.approx([20.0, 35.0, 35.0, 30.0])  # 33.3 ms on ticks of 5 ms
    fast = next(f for f in session.judge(tmp_path) if f.id == "rate_max_hz")
    assert fast.worst == 50.0


def test_a_burst_counts_with_all_its_cycles(tmp_path: Path) -> None:
    session = walk()
    cycles = 8
    for index in session.verdicts():
        session.alter_pulse(index, cycles=cycles)
    session.log = [
        {**line, "points": [line["points"][0], line["points"][2]] * cycles} for line in session.log
    ]
    alone = {finding.id: finding.worst or 0.0 for finding in walk().judge(tmp_path)}
    burst = {finding.id: finding.worst or 0.0 for finding in session.judge(tmp_path)}
    assert burst["charge_max_uc"] == alone["charge_max_uc"] == 6.0
    assert burst["dose_max_uc"] == pytest.approx(8 * alone["dose_max_uc"])
    assert burst["energy_max_mj"] == pytest.approx(8 * alone["energy_max_mj"])
    assert burst["density_rms_max_ma_cm2"] == pytest.approx(8**0.5 * alone["density_rms_max_ma_cm2"])
    assert burst["pulses"] == burst["phases"] == burst["balance"] == 0


def test_the_last_moment_of_a_command_is_in_time_and_so_is_what_a_line_may_bring_together(
    tmp_path: Path,
) -> None:
    session = walk()
    session.log[-1]["t_ns"] += 59 * MS
    session.log[4]["t_ns"] = session.log[5]["t_ns"] - 2 * MS
    findings = {finding.id: finding for finding in session.judge(tmp_path)}
    assert broken(list(findings.values())) == set()
    assert findings["given_late_ms"].worst == pytest.approx(60.0)
    assert findings["given_gap_min_ms"].worst == pytest.approx(2.0)


def test_one_pulse_on_its_way_at_a_stop_may_be_given_or_not(tmp_path: Path) -> None:
    session = walk()
    last = session.log.pop()
    findings = {finding.id: finding for finding in session.judge(tmp_path)}
    assert broken(list(findings.values())) == set()
    assert findings["delivery"].detail.startswith("1 on their way at a stop")
    session.log.append({**last, "t_ns": session.messages[-1][1] + 10 * MS})
    gap_ms = (session.messages[-1][1] + 10 * MS - last["t_ns"] + MS) / 1e6
    late = {finding.id: finding for finding in session.judge(tmp_path)}["given_late_ms"].worst
    assert late == pytest.approx(gap_ms)


def test_pulses_left_out_are_counted_beside_those_sent(tmp_path: Path) -> None:
    session = walk()
    for index in session.verdicts()[3:5]:
        session.alter(index, left_out=(0,))
    findings = {finding.id: finding for finding in session.judge(tmp_path)}
    assert findings["delivery"].word == "kept"
    assert "2 left out before sending" in findings["delivery"].detail


@pytest.mark.parametrize(("before_ms", "kept"), [(49.0, True), (51.0, False)])
def test_a_foreign_pulse_is_the_end_of_the_guards_own_within_50_ms(
    tmp_path: Path, before_ms: float, kept: bool
) -> None:
    session = walk()
    last = session.log[-1]
    session.log.append({**last, "channel": 2, "packet": 60, "t_ns": last["t_ns"] - round(before_ms * MS)})
    session.log.sort(key=lambda line: line["t_ns"])
    findings = [finding for finding in session.judge(tmp_path) if finding.id == "F25" and finding.seen]
    assert [(finding.kept, finding.worst) for finding in findings] == [(kept, pytest.approx(before_ms))]
    assert "pulses" in broken(session.judge(tmp_path))


def test_every_line_of_the_fault_table_and_every_limit_is_reported(tmp_path: Path) -> None:
    session = walk()
    session.setup["contact"] = {"current_ma": 15.0, "width_us": 20.0, "rate_hz": 25.0}
    ids = {finding.id for finding in session.judge(tmp_path)}
    elsewhere = {
        "F2": "samples that do not count, F1",
        "F5": "no pulse without a command, pulses and delivery",
        "F13": "nothing on stimulation",
        "F27": "swings without pulses: counted in the summary",
        "F18": "the rise, F8",
        "F28": "nothing on stimulation",
        "frame_age_max_ms": "F4",
        "sensor_age_max_ms": "F1",
        "rise_max_ma_per_frame": "F8",
        "rise_max_ma_per_250ms": "F8",
        "pause_min_s": "what is less goes on counting, bout_max_s",
        "session_pause_min_s": "session_max_s",
    }
    assert {fault.id for fault in TABLE} | set(NAMES) <= ids | set(elsewhere)
    assert not ids & set(elsewhere)


def test_the_limits_of_the_session_are_those_that_are_judged(tmp_path: Path) -> None:
    findings = {finding.id: finding for finding in walk().judge(tmp_path)}
    for name, value in SESSION_LIMITS.items():
        assert findings[name].limit == value


def test_two_arms_are_judged_each_by_its_own_rules(tmp_path: Path) -> None:
    session = walk()
    path = tmp_path / "session.mcap"
    loose, tight = SetupRecord(**session.setup), SetupRecord(**walk().setup)
    tight.limits["current_max_ma"]["value"] = 10.0
    later_ns = session.messages[-1][1] + MS
    write(
        path,
        ("guard/setup", START_NS, loose),
        *session.messages,
        ("guard/setup", later_ns, tight),
        *[(topic, t_ns + later_ns, record) for topic, t_ns, record in session.messages],
    )
    found = [finding for finding in judge_recording(path) if finding.id == "current_max_ma"]
    assert [(finding.kept, finding.detail) for finding in found] == [
        (True, "arm 1 of 2"),
        (False, "arm 2 of 2"),
    ]


def test_without_a_pulse_log_the_recording_alone_is_judged(tmp_path: Path) -> None:
    ids = {finding.id for finding in walk().judge(tmp_path, with_log=False)}
    assert "F1" in ids
    assert not ids & {"pulses", "balance", "delivery"}


def test_a_recording_without_a_guard_is_refused(tmp_path: Path) -> None:
    path = write(tmp_path / "session.mcap")
    with pytest.raises(InputError, match="guard/setup"):
        judge_recording(path)


def test_a_setup_of_another_shape_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "session.mcap"
    write(path, ("guard/setup", 1, SetupRecord({"current_max_ma": 5.0}, [], [])))
    with pytest.raises(InputError, match="guard/setup"):
        judge_recording(path)


def test_a_cut_pulse_log_is_read_up_to_its_last_whole_line(tmp_path: Path) -> None:
    log = tmp_path / "pulses.jsonl"
    log.write_text('{"t_ns": 5, "channel": 0, "points": [[300, 2.0]], "packet": 1}\n{"t_ns": 7, "cha')
    assert [pulse.t_ns for pulse in read_pulse_log(log)] == [5]
    log.write_text('{"t_ns": 5}\n')
    with pytest.raises(InputError, match="line 1"):
        read_pulse_log(log)
    with pytest.raises(InputError, match="no file"):
        read_pulse_log(tmp_path / "none")


def test_the_table_for_people_has_a_word_and_a_figure(tmp_path: Path) -> None:
    rows = as_table(walk().judge(tmp_path))
    assert ("kept", "current_max_ma", "current at most 40 mA", "20 mA", "40", "") in rows
