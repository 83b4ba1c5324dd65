"""The real control core, recorded and replayed: what it decided once it decides again, bit for bit."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path

import msgspec
import pytest

from controller.config.core_params import core_params
from controller.config.session import load_session
from controller.config.tunables import with_values
from controller.core.params import CoreParams
from controller.core.signals import Applied, TickInputs
from controller.record.records import CoreRetuned, CoreStart, Record, Tick
from controller.record.replay import RecordedCore, replay
from controller.simulation.closed_loop import EPOCH_NS, TICK_S, Rehearsal
from drivers.interface import ImuSample
from models.patient import VirtualPatient
from tests.record.made import MS, tick, write

SESSION_FILE = Path(__file__).resolve().parents[2] / "configs" / "sessions" / "demo.toml"
GRAVITY_MPS2 = 9.81
SWING_RPS = 2 * math.pi * 0.8
RETUNED_S = 7.0  # the virtual patient walks from 4 s on


@pytest.fixture(scope="module")
def params() -> CoreParams:
    return core_params(load_session(SESSION_FILE), "feedback")


def sample(sensor: str, seq: int, t_ns: int) -> ImuSample:
    """A segment that swings like a pendulum, plainly."""
    t_s = t_ns * 1e-9
    pitch_rad = 0.5 * math.sin(SWING_RPS * t_s)
    acc_mps2 = (
        GRAVITY_MPS2 * math.sin(pitch_rad),
        0.1 * math.sin(37 * t_s),
        GRAVITY_MPS2 * math.cos(pitch_rad),
    )
    gyr_rps = (0.01, 0.5 * SWING_RPS * math.cos(SWING_RPS * t_s), -0.0)
    return ImuSample(sensor, t_ns, t_ns + 4 * MS, seq, acc_mps2, gyr_rps)


def walk(params: CoreParams, ticks: int) -> list[tuple[str, int, Record]]:
    """A core that lived in this process, with samples, gaps, refusals and requests of other modes."""
    document = msgspec.json.encode(params)
    advance = RecordedCore(document)
    records: list[tuple[str, int, Record]] = [("core/start", 0, CoreStart(0, 1, msgspec.Raw(document)))]
    sensors = [placement.sensor for placement in params.placements]
    for seq in range(ticks):
        now_ns = 10**9 + seq * 5 * MS
        gap = 400 <= seq < 460
        imu = () if seq % 3 == 2 or gap else tuple(sample(name, seq, now_ns - 4 * MS) for name in sensors)
        applied = (Applied(seq - 1, (None,), "blocked", "rise"),) if seq % 50 == 9 else ()
        inputs = TickInputs(imu=imu, applied=applied, mode="trapezoid" if seq == 700 else None)
        made = replace(tick(seq, now_ns=now_ns), inputs=inputs, decision=advance(now_ns, inputs))
        records.append(("tick", now_ns, made))
    return records


def test_a_walk_replays_identical_and_so_does_every_arm_after_it(tmp_path: Path, params: CoreParams) -> None:
    arms = walk(params, 1200) + walk(replace(params, mode="off"), 200)
    result = replay(write(tmp_path / "a.mcap", *arms, session={}))
    assert result.first_difference is None
    assert result.identical
    assert result.ticks == 1400


def test_a_sample_that_reads_a_little_differently_is_found_at_once(
    tmp_path: Path, params: CoreParams
) -> None:
    records = walk(params, 900)
    topic, t_ns, record = records[601]
    assert isinstance(record, Tick)
    first, *others = record.inputs.imu
    nudged = replace(first, gyr_rps=(*first.gyr_rps[:1], first.gyr_rps[1] + 1e-9, first.gyr_rps[2]))
    changed = replace(record, inputs=replace(record.inputs, imu=(nudged, *others)))
    records[601] = (topic, t_ns, changed)
    result = replay(write(tmp_path / "a.mcap", *records, session={}))
    assert not result.identical
    assert result.first_difference is not None
    assert result.first_difference.startswith("tick 600 at 3.000 s: view.")


def test_a_change_of_settings_replays_at_its_tick_and_is_missed_where_it_is_left_out(
    tmp_path: Path, params: CoreParams
) -> None:
    new = with_values(params, {"feedback.kp_nm_per_rad": 14.0})
    body = Rehearsal(params, VirtualPatient())
    document = msgspec.json.encode(params)
    records: list[tuple[str, int, Record]] = [("core/start", 0, CoreStart(0, 1, msgspec.Raw(document)))]
    retuned_seq = None
    for seq in range(round(10.0 / TICK_S)):
        now_ns = EPOCH_NS + round(seq * TICK_S * 1e9)
        if retuned_seq is None and seq * TICK_S > RETUNED_S and body.core.at_boundary:
            retuned_seq = seq
            body.reconfigure(new)
            changed = msgspec.Raw(msgspec.json.encode(new))
            records.append(("core/retuned", now_ns, CoreRetuned(now_ns, 1, changed)))
        inputs = TickInputs(imu=body.arrivals(seq * TICK_S))
        made = replace(tick(seq, now_ns=now_ns), inputs=inputs, decision=body.tick(inputs))
        records.append(("tick", now_ns, made))
    assert retuned_seq is not None
    assert replay(write(tmp_path / "a.mcap", *records, session={})).identical
    without = [entry for entry in records if entry[0] != "core/retuned"]
    result = replay(write(tmp_path / "b.mcap", *without, session={}))
    assert not result.identical
    assert result.ticks > retuned_seq
