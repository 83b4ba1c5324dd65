"""The summary's figures against closed forms."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import msgspec
import pytest

from controller.analysis.summary import ArmSummary, Latency, Spread, summarise
from controller.core.signals import GaitEvent, TickInputs
from controller.record.records import Arm, GuardEvent, Pulse, Record, TrueStride, Truth
from drivers.interface import EmgFrame
from tests.record.made import IDLE_VIEW, MS, SESSION, imu, tick, verdict, write

Entry = tuple[str, int, Record]
S = 1000 * MS


def truth(t_ns: int) -> Entry:
    return ("world/truth", t_ns, Truth(t_ns, 1.0, 2.0, 3.0, 4.0, 0.5, 50.0, False))


def stride(k: int, ankle_deg: float, rmse_deg: float = 1.0) -> Entry:
    """True stride ``k`` takes from second ``k`` to second ``k + 1``."""
    made = TrueStride(k * S, k * S + 600 * MS, (k + 1) * S, ankle_deg, 15.0, 4.0, rmse_deg, False)
    return ("world/stride", (k + 1) * S, made)


def pulse(t_ns: int, current_ma: float = 20.0) -> Pulse:
    return Pulse(t_ns, 0, current_ma, 300.0, 0)


def only(path: Path) -> ArmSummary:
    arms = summarise(path).arms
    assert len(arms) == 1
    return arms[0]


def test_true_strides_give_median_and_ninetieth_percentile(tmp_path: Path) -> None:
    # linear percentile of 1..11: rank 9 of 10 steps, exactly 10
    strides = [stride(k, float(k + 1)) for k in range(11)]
    arm = only(write(tmp_path / "a.mcap", truth(0), *strides))
    assert arm.true_strides == 11
    assert arm.ankle_at_initial_contact_deg == Spread(6.0, 10.0)
    assert arm.foot_pitch_at_initial_contact_deg == Spread(15.0, 15.0)
    assert arm.peak_swing_dorsiflexion_deg == Spread(4.0, 4.0)


def test_charge_per_stride_is_the_median_of_current_times_width(tmp_path: Path) -> None:
    # 20 mA x 300 us = 6 uC a pulse: strides of 0, 2 and 3 pulses hold 0, 12 and 18 uC
    times_ns = [S, 2 * S - 1, 2 * S, 2 * S + MS, 3 * S - 1, 3 * S, 99 * S]
    pulses = [("guard/verdict", t_ns, verdict(k, pulse(t_ns))) for k, t_ns in enumerate(times_ns)]
    arm = only(write(tmp_path / "a.mcap", truth(0), *(stride(k, 0.0) for k in range(3)), *pulses))
    assert arm.charge_per_stride_uc == pytest.approx(12.0)


def test_no_pulse_is_no_charge_and_no_stride_is_null(tmp_path: Path) -> None:
    assert only(write(tmp_path / "a.mcap", truth(0), stride(0, 0.0))).charge_per_stride_uc == 0.0
    assert only(write(tmp_path / "b.mcap", truth(0))).charge_per_stride_uc is None


def test_sensor_to_pulse_counts_only_pulses_of_ticks_that_used_a_new_sample(tmp_path: Path) -> None:
    used = tick(2, samples=(imu(1, 8 * MS), imu(2, 9 * MS)))  # at 10 ms; the newest came at 9 ms
    records: list[Entry] = [
        ("guard/verdict", 10 * MS, verdict(2, pulse(12 * MS))),  # verdicts may overtake ticks
        ("tick", 10 * MS, used),
        ("tick", 15 * MS, tick(3)),
        ("guard/verdict", 15 * MS, verdict(3, pulse(99 * MS))),
    ]
    assert only(write(tmp_path / "a.mcap", *records)).sensor_to_pulse_ms == Latency(3.0, 3.0, 3.0)


def test_tick_time_is_lateness_plus_duration(tmp_path: Path) -> None:
    # 101 ticks of 0.1 .. 10.1 ms: ranks 50 and 99 of 100 steps
    ticks = [("tick", k * 5 * MS, tick(k, lateness_us=100.0 * k, duration_us=100.0)) for k in range(101)]
    measured = only(write(tmp_path / "a.mcap", *ticks)).tick_ms
    assert measured is not None
    assert (measured.p50, measured.p99, measured.max) == pytest.approx((5.1, 10.0, 10.1))


def test_jumps_in_sequence_are_missed_ticks_and_lost_samples_for_each_sensor(tmp_path: Path) -> None:
    ticks = [
        tick(0, samples=(imu(10, 0), imu(65, 0, "foot"))),
        tick(1, samples=(imu(11, 0), imu(66, 0, "foot"))),
        tick(4, samples=(imu(14, 0), imu(67, 0, "foot"))),  # ticks 2, 3 and shank samples 12, 13 are missing
        tick(5, samples=(imu(2, 0), imu(69, 0, "foot"))),  # shank sensor began anew; foot sample 68 missing
    ]
    arm = only(write(tmp_path / "a.mcap", *(("tick", each.now_ns, each) for each in ticks)))
    assert (arm.missed_ticks, arm.samples_lost) == (2, 3)


def test_emg_frames_number_their_samples(tmp_path: Path) -> None:
    def frame(seq: int, samples: int) -> TickInputs:
        return TickInputs(emg=(EmgFrame("emg", 0, 0, seq, 200.0, ((0.0,),) * samples),))

    # samples 0, 1 and 2, 3 came; 4 to 7 are lost; an unreadable frame 8 counts as what it says; 9 is next
    inputs = [frame(0, 2), frame(2, 2), frame(8, 0), frame(9, 2)]
    ticks = [("tick", k, replace(tick(k), inputs=each)) for k, each in enumerate(inputs)]
    assert only(write(tmp_path / "a.mcap", *ticks)).samples_lost == 4


def test_a_trip_is_counted_once_however_often_it_is_mentioned(tmp_path: Path) -> None:
    states = ["armed", "active", "tripped", "tripped", "off", "armed", "tripped"]
    events = [("guard/event", k, GuardEvent(k, "state", state, "text")) for k, state in enumerate(states)]
    assert only(write(tmp_path / "a.mcap", *events)).trips == 2


def test_arms_are_told_apart_by_time_and_keep_their_mode_and_seed(tmp_path: Path) -> None:
    def walking(begin: int, count: int) -> list[Entry]:
        view = replace(IDLE_VIEW, mode="feedback")
        ticks = [
            tick(k, now_ns=begin * S + k * 500 * MS, view=replace(view, strides=k)) for k in range(count)
        ]
        return [("tick", each.now_ns, each) for each in ticks]

    records: list[Entry] = [
        ("arm", 0, Arm(0, "begin", "off", 3)),
        truth(MS),
        *walking(0, 8),
        stride(1, -10.0),
        ("arm", 4 * S, Arm(4 * S, "end", "off")),
        truth(5 * S),  # between the arms: belongs to none
        ("arm", 6 * S, Arm(6 * S, "begin", "feedback", 4)),
        truth(6 * S),
        *walking(6, 5),
        stride(5, 77.0),  # began before this arm
        stride(6, -2.0),
    ]
    off, feedback = summarise(write(tmp_path / "a.mcap", *records)).arms
    assert (off.mode, off.seed, off.seconds, off.strides, off.true_strides) == ("off", 3, 4.0, 7, 1)
    assert (feedback.mode, feedback.seed, feedback.strides, feedback.true_strides) == ("feedback", 4, 4, 1)
    assert off.ankle_at_initial_contact_deg == Spread(-10.0, -10.0)
    assert feedback.ankle_at_initial_contact_deg == Spread(-2.0, -2.0)


def test_without_a_virtual_body_the_cores_own_estimates_count(tmp_path: Path) -> None:
    # initial contacts at 1, 2 and 3 s, then a stop; swing in the last 0.4 s of each second, 3 deg off
    records: list[Entry] = []
    for k in range(1400):
        now_ns = k * 5 * MS
        at_ms = k * 5 % 1000
        contact = at_ms == 0 and now_ns in {S, 2 * S, 3 * S}
        events = (GaitEvent("initial_contact", now_ns - 20 * MS, now_ns),) if contact else ()
        view = replace(
            IDLE_VIEW,
            swing=at_ms >= 600,
            foot_pitch_deg=13.0,
            reference_pitch_deg=10.0 if at_ms >= 700 else None,
            ankle_deg=-5.0 if at_ms >= 960 else 2.0,
            strides=now_ns // S,
        )
        records.append(("tick", now_ns, tick(k, events=events, view=view)))
    arm = only(write(tmp_path / "a.mcap", *records, session={**SESSION, "mode": "off"}))
    assert arm.true_strides is None
    assert arm.strides == 6
    assert arm.ankle_at_initial_contact_deg == Spread(-5.0, -5.0)
    assert arm.peak_swing_dorsiflexion_deg == Spread(2.0, 2.0)
    assert arm.swing_pitch_rmse_deg == Spread(3.0, 3.0)
    assert arm.foot_pitch_at_initial_contact_deg == Spread(13.0, 13.0)


def test_what_is_not_known_is_null_in_the_json_and_an_empty_recording_has_no_figures(tmp_path: Path) -> None:
    text = msgspec.json.encode(summarise(write(tmp_path / "a.mcap")))
    document = msgspec.json.decode(text)
    assert document["arms"][0] == {
        "mode": "feedback",
        "seed": 7,
        "seconds": 0.0,
        "strides": 0,
        "true_strides": None,
        "ankle_at_initial_contact_deg": None,
        "foot_pitch_at_initial_contact_deg": None,
        "peak_swing_dorsiflexion_deg": None,
        "swing_pitch_rmse_deg": None,
        "charge_per_stride_uc": None,
        "sensor_to_pulse_ms": None,
        "tick_ms": None,
        "missed_ticks": 0,
        "samples_lost": 0,
        "trips": 0,
        "label": "feedback",
        "wash_out_strides": 0,
        "counted_strides": 0,
        "left_out_strides": {},
        "armed": True,
        "rungs_s": {},
        "rung_changes": 0,
        "unlifted_swings": 0,
        "blinded": False,
        "current_ma": None,
        "cadence_spm": None,
    }
