"""Arms of a trial in a recording: wash-outs count nowhere, a blinded arm shows nothing of its mode."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import msgspec
import pyarrow.parquet
import pytest

from controller.analysis.arms import read_arms
from controller.analysis.export.export import export
from controller.analysis.report.figures import colour
from controller.analysis.report.page import report_html
from controller.analysis.summary import Spread, summarise
from controller.core.signals import GaitEvent, Mode
from controller.record.live import Live
from controller.record.numbered_events import told
from controller.record.records import Arm, GuardEvent, Pulse, Record, TrialKey, TrueStride, Truth, encode
from drivers.interface import ChannelCommand
from tests.record.made import IDLE_VIEW, MS, SESSION, imu, tick, verdict, write

S = 1000 * MS
AFTER = Spread(2.0, 2.8)  # of 1, 2 and 3 deg
KEY = {"A": "learning", "B": "trapezoid"}


def trial(path: Path, *, blinded: bool = True) -> Path:
    """Two arms of four strides of a second each, the first of each a wash-out; errors 9, 1, 2, 3 deg."""
    entries: list[tuple[str, int, Record]] = []
    if blinded:
        entries.append(("trial/key", 0, TrialKey(0, KEY)))
    modes: tuple[tuple[str, Mode], ...] = (("A", "learning"), ("B", "trapezoid"))
    for number, (label, mode) in enumerate(modes):
        begin_ns = 10 * number * S
        shown = label if blinded else mode
        entries.append(("arm", begin_ns, Arm(begin_ns, "begin", shown, 3, shown, 1, blinded)))
        told_state = GuardEvent(begin_ns, "state", "active", f"pulses of {mode}")
        entries.append(("guard/event", begin_ns, told_state))
        for k in range(100):
            now_ns = begin_ns + k * 50 * MS
            view = replace(IDLE_VIEW, mode=mode, strides=k // 20, swing=k % 20 > 12)
            contact = (GaitEvent("initial_contact", now_ns, now_ns),) if k % 20 == 0 else ()
            made = tick(
                1000 * number + k,
                now_ns=now_ns,
                samples=(imu(k, now_ns),),
                events=contact,
                view=view,
                current_ma=20.0,
            )
            entries.append(("tick", now_ns, made))
            entries.append(("world/truth", now_ns, Truth(now_ns, 1.0, 2.0, 3.0, 4.0, 0.5, 50.0, False)))
            pulse = Pulse(now_ns, 0, 20.0, 300.0, 0)
            given = replace(verdict(1000 * number + k, pulse), t_ns=now_ns)
            entries.append(("guard/verdict", now_ns, given))
        for k, error_deg in enumerate((9.0, 1.0, 2.0, 3.0)):
            start_ns = begin_ns + k * S
            stride = TrueStride(start_ns, start_ns + S // 2, start_ns + S, -2.0, 15.0, 4.0, error_deg, False)
            entries.append(("world/stride", start_ns + S, stride))
        entries.append(("arm", begin_ns + 5 * S, Arm(begin_ns + 5 * S, "end", shown, 3, shown, 1, blinded)))
    return write(path, *entries, session={**SESSION, "session_file": 'arm = "learning"', "core_params": "{}"})


def test_strides_of_the_wash_out_count_in_no_figure(tmp_path: Path) -> None:
    (first, second) = summarise(trial(tmp_path / "a.mcap", blinded=False)).arms
    for arm in (first, second):
        assert arm.swing_pitch_rmse_deg == AFTER
        assert arm.wash_out_strides == 1
        assert arm.true_strides == 4
        assert arm.charge_per_stride_uc == pytest.approx(20 * 6.0)  # 20 pulses of 20 mA x 300 us
    assert [arm.mode for arm in (first, second)] == ["learning", "trapezoid"]
    assert len(read_arms(tmp_path / "a.mcap")[0].walked) == 4


def test_a_blinded_arms_figures_say_nothing_that_gives_its_mode_away(tmp_path: Path) -> None:
    summary = summarise(trial(tmp_path / "a.mcap"))
    text = msgspec.json.encode(summary).decode()
    assert not any(word in text for word in ("learning", "trapezoid", ":20.0"))
    assert [arm.label for arm in summary.arms] == ["A", "B"]
    assert summary.arms[0].charge_per_stride_uc is None
    assert summary.arms[0].swing_pitch_rmse_deg == AFTER


def test_the_report_of_a_blinded_trial_keeps_the_secret_until_it_is_asked_for(tmp_path: Path) -> None:
    recording = trial(tmp_path / "a.mcap")
    blind, open_ = report_html(recording), report_html(recording, unblind=True)
    assert not any(word in blind for word in ("learning", "trapezoid", "pulses of"))
    assert "A: learning" in open_
    assert "B: trapezoid" in open_


def test_unblinded_figures_are_those_of_an_open_trial(tmp_path: Path) -> None:
    open_ = summarise(trial(tmp_path / "a.mcap", blinded=False)).arms
    unblinded = summarise(trial(tmp_path / "b.mcap"), unblind=True).arms
    assert [replace(arm, label="") for arm in unblinded] == [replace(arm, label="") for arm in open_]


def test_the_live_feed_and_the_broker_are_told_the_label_alone(tmp_path: Path) -> None:
    live = Live()
    live.take("arm", encode(Arm(0, "begin", "A", None, "A", 1, blinded=True)))
    live.take("tick", encode(tick(1, view=replace(IDLE_VIEW, mode="learning"))))
    through = (ChannelCommand(20.0, 150.0, 40.0),)
    live.take("guard/verdict", encode(replace(verdict(1), channels=through)))
    status = live.status(S, "ok")
    assert (status.arm, status.mode, status.reason) == ("A", "A", "")
    assert (status.applied_ma, status.width_us) == (20.0, None)  # the current is shown: a person watches it
    payloads = b"".join(
        event.payload_json for event in told(trial(tmp_path / "a.mcap")) if event.kind != "guard_event"
    )
    assert b"learning" not in payloads


def test_an_angle_that_no_body_has_is_told_nowhere_even_where_it_was_recorded(tmp_path: Path) -> None:
    """As by a core that turned a shank over after its sensor had been silent: 175 deg for some strides."""
    entries: list[tuple[str, int, Record]] = []
    for k in range(100):
        now_ns = k * 50 * MS
        ankle_deg = 175.0 if k < 40 else -60.0
        view = replace(
            IDLE_VIEW,
            swing=k % 20 > 12,
            ankle_deg=ankle_deg,
            foot_pitch_deg=15.0 if k < 40 else -121.0,
            reference_pitch_deg=10.0,
        )
        contact = (GaitEvent("initial_contact", now_ns, now_ns),) if k % 20 == 0 else ()
        entries.append(("tick", now_ns, tick(k, now_ns=now_ns, events=contact, view=view)))
    recording = write(tmp_path / "a.mcap", *entries)
    first, second, third, fourth = read_arms(recording)[0].estimated
    assert first.ankle_at_initial_contact_deg is None
    assert second.peak_swing_dorsiflexion_deg is None
    assert first.swing_pitch_rmse_deg == pytest.approx(5.0)
    assert third.ankle_at_initial_contact_deg == fourth.peak_swing_dorsiflexion_deg == -60.0
    assert fourth.swing_pitch_rmse_deg is None
    export(recording, "parquet", tmp_path / "out")
    for table in ("ticks", "strides"):
        columns = pyarrow.parquet.read_table(tmp_path / "out" / f"{table}.parquet").to_pydict()
        for name, values in columns.items():
            if "ankle" in name or "dorsiflexion" in name:
                assert {value for value in values if value is not None} == {-60.0}
    told_angles = b"".join(event.payload_json for event in told(recording))
    assert b"175.0" not in told_angles
    assert b"-121.0" not in told_angles


def test_blinded_arms_have_colours_of_their_own_and_none_of_a_mode() -> None:
    blinded = [colour(label) for label in ("A", "B", "C", "D")]
    assert len({*blinded, *map(colour, ("off", "trapezoid", "feedback", "learning"))}) == 8
    assert colour("B 2") == colour("B")
