"""One stride everywhere: console, report, summary, MQTT, exports and benchmarks tell the same of one walk."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from statistics import median
from typing import Any

import msgspec
import pyarrow.parquet
import pytest

from controller.analysis.arm_columns import ArmData
from controller.analysis.arms import read_arms
from controller.analysis.export.export import export
from controller.analysis.summary import summarise
from controller.analysis.tables import stride_sheet
from controller.commands.run import DEMO_SESSION
from controller.config.console_settings import ConsoleSettings
from controller.config.core_params import core_params
from controller.config.session import load_session
from controller.console.live.feed import Feed
from controller.core.signals import GaitEvent, TickInputs
from controller.record.live import Live
from controller.record.numbered_events import StrideTold, told
from controller.record.reader import raw_messages
from controller.record.records import Arm, Pulse, Record, Tick
from controller.record.strides import (
    SETTLED_NS,
    STRIDE_MAX_NS,
    StrideMeter,
    TickAngles,
    dose,
    is_stride,
    measure,
)
from controller.simulation.closed_loop import EPOCH_NS, TICK_S, Rehearsal
from models.patient import VirtualPatient
from tests.record.made import MS, tick, verdict, write

WALK_S = 22.0  # the virtual patient walks from 4 s on
STATUS_TICKS = 20
FIGURES = ("ankle_at_initial_contact_deg", "foot_pitch_at_initial_contact_deg", "swing_pitch_rmse_deg")


@pytest.fixture(scope="module")
def recording(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A learning walk of the core and the virtual body in virtual time, without what the body knows."""
    body = Rehearsal(core_params(load_session(DEMO_SESSION), "learning"), VirtualPatient())
    entries: list[tuple[str, int, Record]] = [("arm", 0, Arm(0, "begin", "learning", 7, "learning"))]
    for seq in range(round(WALK_S / TICK_S)):
        now_ns = EPOCH_NS + round(seq * TICK_S * 1e9)
        before = len(body.pulses)
        decision = body.tick(TickInputs(imu=body.arrivals(seq * TICK_S)))
        entries.append(("tick", now_ns, replace(tick(seq, now_ns=now_ns), decision=decision)))
        pulses = [Pulse(now_ns, 0, ma, us, seq % 64) for _, ma, us in body.pulses[before:]]
        said = replace(verdict(seq, *pulses), t_ns=now_ns, unlocked=True)
        entries.append(("guard/verdict", now_ns, said))
    return write(tmp_path_factory.mktemp("strides") / "walk.mcap", *entries)


@pytest.fixture(scope="module")
def arm(recording: Path) -> ArmData:
    (only,) = read_arms(recording)
    assert len(only.estimated) > 10
    return only


def ticks_of(recording: Path) -> list[Tick]:
    return [
        msgspec.json.decode(message.payload, type=Tick)
        for message in raw_messages(recording)
        if message.topic == "tick"
    ]


def console_strides(recording: Path) -> Iterator[dict[str, Any]]:
    """What the browsers are told, from a live feed at 10 Hz."""
    shown: list[dict[str, Any]] = []
    feed, live = Feed(Path("none"), ConsoleSettings("127.0.0.1", 0, "runs"), shown.append), Live()
    ticks = 0
    for message in raw_messages(recording):
        live.take(message.topic, message.payload)
        ticks += message.topic == "tick"
        if message.topic == "guard/verdict" and ticks % STATUS_TICKS == 0:
            feed._take(live.status(EPOCH_NS, "ok"))
    feed._take(live.status(EPOCH_NS, "ok"))
    return (stride for words in shown for stride in words["strides"])


def test_a_burst_counts_for_a_strides_charge_with_all_its_cycles() -> None:
    pulses = (Pulse(10, 0, 20.0, 300.0, 0), Pulse(20, 0, 30.0, 200.0, 1, cycles=8))
    assert dose(0, 30, pulses) == (pytest.approx(6.0 + 8 * 6.0), 2, 30.0)
    assert pulses[1].phase_charge_uc == pytest.approx(6.0)


def test_a_strides_figures_are_those_of_its_definition(recording: Path, arm: ArmData) -> None:
    """Written down once more, tick by tick: the angle of the tick at the contact that begins the stride."""
    ticks = ticks_of(recording)
    events = [event for one in ticks for event in one.decision.events]
    contacts_ns = [event.t_ns for event in events if event.kind == "initial_contact"]
    assert [s.initial_contact_ns for s in arm.estimated] == contacts_ns[:-1]
    for stride in arm.estimated:
        begin_ns, end_ns = stride.initial_contact_ns, stride.next_initial_contact_ns
        at = [one for one in ticks if one.now_ns <= begin_ns][-1].decision.view
        assert stride.ankle_at_initial_contact_deg == at.ankle_deg
        assert stride.foot_pitch_at_initial_contact_deg == at.foot_pitch_deg
        views = [one.decision.view for one in ticks if begin_ns <= one.now_ns < end_ns]
        errors = [
            (view.foot_pitch_deg - view.reference_pitch_deg) ** 2
            for view in views
            if view.swing and view.foot_pitch_deg is not None and view.reference_pitch_deg is not None
        ]
        assert stride.swing_pitch_rmse_deg == pytest.approx(math.sqrt(sum(errors) / len(errors)))
        given = [p for p in arm.pulses if begin_ns <= p.t_ns < end_ns]
        assert stride.charge_uc == pytest.approx(sum(p.current_ma * p.width_us / 1e3 for p in given))
        (toe_off_ns,) = [e.t_ns for e in events if e.kind == "toe_off" and begin_ns < e.t_ns < end_ns]
        assert stride.swing_s == pytest.approx((end_ns - toe_off_ns) / 1e9)
        assert stride.cadence_spm == pytest.approx(2 * 60 / ((end_ns - begin_ns) / 1e9))


def test_console_report_summary_broker_and_exports_tell_the_same_strides(
    recording: Path, arm: ArmData, tmp_path: Path
) -> None:
    strides = arm.estimated
    events = [event for event in told(recording) if event.kind == "stride"]
    published = [msgspec.json.decode(event.payload_json, type=StrideTold) for event in events]
    console = list(console_strides(recording))
    export(recording, "parquet", tmp_path)
    exported = pyarrow.parquet.read_table(tmp_path / "strides.parquet").to_pylist()
    sheet = stride_sheet(arm)
    assert len(published) == len(exported) == len(console) == len(sheet.rows) == len(strides)
    for stride, mqtt, tile, row, cells in zip(strides, published, console, exported, sheet.rows, strict=True):
        assert mqtt.t_ns == row["t_ns"] == stride.initial_contact_ns
        assert tile["end_s"] == stride.next_initial_contact_ns / 1e9
        assert mqtt.stride_s == row["stride_s"] == tile["duration_s"] == stride.duration_s
        assert mqtt.swing_s == row["swing_s"] == stride.swing_s
        assert tile["swing_percent"] == stride.swing_percent
        assert mqtt.cadence_spm == row["cadence_spm"] == tile["cadence_spm"] == stride.cadence_spm
        assert [getattr(mqtt, name) for name in FIGURES] == [getattr(stride, name) for name in FIGURES]
        assert [row[name] for name in FIGURES] == [getattr(stride, name) for name in FIGURES]
        assert tile["ankle_contact_deg"] == stride.ankle_at_initial_contact_deg
        assert tile["pitch_contact_deg"] == stride.foot_pitch_at_initial_contact_deg
        assert tile["error_deg"] == stride.swing_pitch_rmse_deg
        assert mqtt.charge_uc == row["charge_uc"] == tile["charge_uc"] == stride.charge_uc
        by_head = dict(zip(sheet.heads, cells, strict=True))
        for head, value_deg in (
            ("ankle at contact °", stride.ankle_at_initial_contact_deg),
            ("pitch error °", stride.swing_pitch_rmse_deg),
        ):
            cell = by_head[head].replace("\N{MINUS SIGN}", "-")
            assert cell == "–" if value_deg is None else abs(float(cell) - value_deg) < 0.051
        assert float(by_head["charge µC"]) == pytest.approx(stride.charge_uc, abs=0.51)
    (summary,) = summarise(recording).arms
    counted = [stride for stride in strides if stride.state == "counted"]
    assert summary.counted_strides == len(counted) > 5
    assert summary.charge_per_stride_uc == pytest.approx(median(s.charge_uc for s in counted))
    for name in FIGURES:
        known = [value for s in counted if (value := getattr(s, name)) is not None]
        assert getattr(summary, name).median == pytest.approx(median(known))


@pytest.mark.parametrize(
    ("apart_ns", "whole"),
    [(STRIDE_MAX_NS, True), (STRIDE_MAX_NS + 1, False), (1, True), (0, False), (-1, False)],
)
def test_two_contacts_are_a_stride_up_to_three_seconds_apart(apart_ns: int, whole: bool) -> None:
    assert STRIDE_MAX_NS == 3_000_000_000
    assert is_stride(5, 5 + apart_ns) is whole


def angles(now_ns: int, ankle_deg: float = 1.0, *, swing: bool = False) -> TickAngles:
    return TickAngles(now_ns, 3.0, ankle_deg, 1.0, swing)


def test_a_contacts_angle_is_that_of_the_last_tick_not_after_it_and_a_stride_ends_before_its_end() -> None:
    ticks = [angles(95, 1.0), angles(100, 2.0), angles(105, 3.0, swing=True), angles(200, 9.0, swing=True)]
    pulses = [Pulse(t_ns, 0, 10.0, 300.0, 0) for t_ns in (99, 100, 199, 200)]
    stride = measure(100, 200, ticks, [100, 150, 200], pulses)
    assert (stride.ankle_at_initial_contact_deg, stride.peak_swing_dorsiflexion_deg) == (2.0, 3.0)
    assert (stride.toe_off_ns, stride.pulses, stride.charge_uc) == (150, 2, 6.0)
    assert measure(99, 200, ticks, [], []).ankle_at_initial_contact_deg == 1.0
    assert measure(90, 200, ticks, [], []).ankle_at_initial_contact_deg == 1.0  # none before it is known


def test_what_is_not_known_is_none_and_no_number() -> None:
    nan = math.nan
    stride = measure(
        0, 100, [TickAngles(0, nan, nan, nan, True), TickAngles(50, 3.0, nan, nan, True)], [], []
    )
    assert stride.ankle_at_initial_contact_deg is None
    assert stride.peak_swing_dorsiflexion_deg is None
    assert stride.swing_pitch_rmse_deg is None
    assert (stride.toe_off_ns, stride.swing_s, stride.swing_percent) == (None, None, None)


@pytest.mark.parametrize(("late_ns", "told_yet"), [(SETTLED_NS - 1, 0), (SETTLED_NS, 1)])
def test_a_passing_stride_is_told_once_its_pulses_are_complete(late_ns: int, told_yet: int) -> None:
    meter = StrideMeter()
    assert meter.take_tick(angles(0), [GaitEvent("initial_contact", 0, 0)]) == []
    end_ns = 1000 * MS
    assert meter.take_tick(angles(end_ns), [GaitEvent("initial_contact", end_ns, end_ns)]) == []
    meter.take_pulses([Pulse(end_ns - 1, 0, 10.0, 300.0, 0)])
    found = meter.take_tick(angles(end_ns + late_ns), [])
    assert len(found) == told_yet
    assert [stride.charge_uc for stride in (*found, *meter.end())] == [3.0]
    assert meter.end() == []
