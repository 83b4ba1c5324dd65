"""Figures are made of the strides that were walked as their arm says; the others are counted by why not."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import msgspec
import pytest

from controller.analysis.arms import read_arms
from controller.analysis.report.page import report_html
from controller.analysis.summary import Spread, summarise
from controller.core.signals import GaitEvent, Mode
from controller.record.numbered_events import StrideTold, told
from controller.record.records import (
    Arm,
    GuardEvent,
    GuardVerdict,
    Pulse,
    Record,
    TrialKey,
    TrueStride,
    Truth,
)
from controller.record.stride_state import STATES, Heard, StrideJudge, law
from tests.record.made import IDLE_VIEW, MS, SESSION, tick, verdict, write

S = 1000 * MS
GOOD_DEG, BAD_DEG = 1.84, 15.7
TOLD = {"strides": 20, "stopped": (5, 6, 12), "unlock": (0, 1, 7, 8, 13, 14)}


def walk(
    path: Path,
    mode: Mode = "feedback",
    *,
    wash_out: int = 0,
    blinded: bool = False,
    old: bool = False,
    armed: bool = True,
) -> Path:
    """Twenty strides of a second: three in which STOP held, after each arming two until the unlock.

    A stimulated stride errs by 1.84 deg, any other by 15.7 deg. ``old``: verdicts do not tell the unlock.
    """
    entries: list[tuple[str, int, Record]] = []
    shown = "A" if blinded else mode
    if armed:
        entries.append(("trial/key", 0, TrialKey(0, {"A": mode} if blinded else {})))
        entries.append(("guard/event", 0, GuardEvent(0, "arm", "armed", "")))
        entries.append(("arm", 0, Arm(0, "begin", shown, 3, shown, wash_out, blinded)))
    for k in range(TOLD["strides"]):
        stopped = k in TOLD["stopped"] or not armed
        locked = k in TOLD["unlock"] and mode in ("feedback", "learning")
        if k > 0 and stopped and k - 1 not in TOLD["stopped"] and armed:
            entries.append(("guard/event", k * S + 1, GuardEvent(k * S + 1, "stop", "off", "")))
        if k > 0 and not stopped and k - 1 in TOLD["stopped"]:
            entries.append(("guard/event", k * S - 1, GuardEvent(k * S - 1, "arm", "armed", "")))
        if not locked and k - 1 in TOLD["unlock"] and mode in ("feedback", "learning"):
            entries.append(("guard/event", k * S, GuardEvent(k * S, "unlock", "active", "")))
        steering: Mode = "trapezoid" if locked else mode
        for part in range(20):
            now_ns = k * S + part * 50 * MS
            view = replace(IDLE_VIEW, mode=steering, rung="two sensors", swing=part > 12, strides=k)
            view = replace(view, foot_pitch_deg=10.0, reference_pitch_deg=10.0)
            given = not stopped and mode != "off"
            contact = (GaitEvent("initial_contact", now_ns, now_ns),) if part == 0 else ()
            number = 20 * k + part
            made = tick(number, now_ns=now_ns, events=contact, view=view, current_ma=20.0 if given else None)
            pulses = (Pulse(now_ns, 0, 20.0, 300.0, 0),) if given else ()
            said: GuardVerdict = verdict(number, *pulses, state="off" if stopped else "active")
            said = replace(said, t_ns=now_ns, unlocked=None if old else not locked and not stopped)
            entries += [("tick", now_ns, made), ("guard/verdict", now_ns, said)]
            entries.append(("world/truth", now_ns, Truth(now_ns, 1.0, 2.0, 3.0, 4.0, 0.5, 50.0, False)))
        error_deg = BAD_DEG if stopped or locked else GOOD_DEG
        stride = TrueStride(k * S, k * S + 600 * MS, (k + 1) * S, -2.0, 15.0, 4.0, error_deg, False)
        entries.append(("world/stride", (k + 1) * S, stride))
    if armed:
        end_ns = TOLD["strides"] * S + 1
        entries.append(("arm", end_ns, Arm(end_ns, "end", shown, 3, shown, wash_out, blinded)))
    return write(path, *entries, session={**SESSION, "mode": mode, "core_params": "{}"})


@pytest.mark.parametrize("old", [False, True], ids=["as told now", "as told before"])
def test_figures_are_those_of_the_stimulated_strides_and_the_others_stand_beside(
    tmp_path: Path, old: bool
) -> None:
    (arm,) = summarise(walk(tmp_path / "a.mcap", old=old)).arms
    assert arm.swing_pitch_rmse_deg == Spread(GOOD_DEG, GOOD_DEG)
    assert arm.charge_per_stride_uc == pytest.approx(20 * 6.0)  # 20 pulses of 20 mA x 300 us
    assert arm.left_out_strides == {"unlock": 6, "stopped": 3}
    assert arm.counted_strides == 20 - 9
    assert arm.true_strides == 20
    page = report_html(tmp_path / "a.mcap")
    assert "6 staged unlock, 3 stopped" in page


def test_the_wash_out_is_cut_again_after_each_arming_and_unlock(tmp_path: Path) -> None:
    (arm,) = read_arms(walk(tmp_path / "a.mcap", wash_out=2))
    states = [stride.state for stride in arm.walked]
    assert states == [
        *("unlock", "unlock", "wash_out", "wash_out", "counted"),
        *("stopped", "stopped", "unlock", "unlock", "wash_out", "wash_out", "counted"),
        *("stopped", "unlock", "unlock", "wash_out", "wash_out", "counted", "counted", "counted"),
    ]


def test_an_arm_of_mode_off_counts_all_its_strides(tmp_path: Path) -> None:
    (arm,) = summarise(walk(tmp_path / "a.mcap", "off")).arms
    assert (arm.counted_strides, arm.left_out_strides) == (20, {})


def test_the_broker_and_the_exports_are_told_the_same_states(tmp_path: Path) -> None:
    recording = walk(tmp_path / "a.mcap", wash_out=2)
    (arm,) = read_arms(recording)
    rows = [
        msgspec.json.decode(event.payload_json, type=StrideTold)
        for event in told(recording)
        if event.kind == "stride"
    ]
    assert [row.state for row in rows] == [stride.state for stride in arm.estimated]
    assert len(rows) == 19


def test_a_blinded_arm_says_how_many_count_but_not_why_others_do_not(tmp_path: Path) -> None:
    recording = walk(tmp_path / "a.mcap", blinded=True)
    (blind,), (open_,) = summarise(recording).arms, summarise(recording, unblind=True).arms
    assert blind.left_out_strides == {"left_out": 9}
    assert open_.left_out_strides == {"unlock": 6, "stopped": 3}
    assert blind.counted_strides == open_.counted_strides == 11
    payloads = b"".join(event.payload_json for event in told(recording) if event.kind == "stride")
    assert b"unlock" not in payloads


def test_a_session_never_armed_is_not_armed_and_has_no_figures(tmp_path: Path) -> None:
    (arm,) = summarise(walk(tmp_path / "a.mcap", "trapezoid", armed=False)).arms
    assert not arm.armed
    assert arm.counted_strides == 0
    assert arm.left_out_strides == {"stopped": 20}
    assert arm.swing_pitch_rmse_deg is None
    assert "20 stopped" in report_html(tmp_path / "a.mcap")


def test_a_fallback_and_a_frame_the_guard_changed_are_another_law() -> None:
    ok = [Heard(0, "active", unlocked=True)]
    judge = StrideJudge("feedback")
    assert judge.judge(0, ok, {"feedback"}) == "counted"
    assert judge.judge(1, [], {"feedback", "trapezoid"}) == "other_law"
    assert judge.judge(2, [], {None}) == "other_law"  # nothing was asked for in the whole swing
    assert judge.judge(3, [], {"feedback", None}) == "counted"
    assert judge.judge(4, [Heard(4, "active", changed=True)], {"feedback"}) == "other_law"
    assert judge.judge(5, [Heard(5, "tripped")], {"feedback"}) == "stopped"
    assert judge.judge(6, [Heard(6, "armed")], {"feedback"}) == "stopped"  # armed within it
    assert judge.judge(7, [], {"feedback"}) == "counted"


def test_a_stop_between_two_strides_begins_the_wash_out_anew_and_spoils_no_stride() -> None:
    judge = StrideJudge("trapezoid", wash_out_strides=1)
    heard = [Heard(0, "active")]
    assert [judge.judge(0, heard, {"trapezoid"}), judge.judge(1, [], {"trapezoid"})] == [
        "wash_out",
        "counted",
    ]
    pause = [Heard(20, "off", kind="stop"), Heard(30, "armed", kind="arm")]
    assert judge.judge(40, pause, {"trapezoid"}) == "wash_out"
    assert judge.judge(41, [], {"trapezoid"}) == "counted"


def test_in_an_arm_of_mode_off_current_is_another_law() -> None:
    judge = StrideJudge("off")
    assert judge.judge(0, [Heard(0, "off")], {"off"}) == "counted"
    assert judge.judge(1, [], {"trapezoid", "off"}) == "other_law"


def test_an_arm_of_mode_off_before_any_unlock_is_washed_out_once() -> None:
    judge = StrideJudge("off", wash_out_strides=3)
    locked = [
        [Heard(10 * k - 1, "armed", unlocked=False), Heard(10 * k, "armed", unlocked=False)] for k in range(5)
    ]
    states = [judge.judge(10 * k, heard, {"off"}) for k, heard in enumerate(locked)]
    assert states == ["wash_out"] * 3 + ["counted"] * 2


@pytest.mark.parametrize("mode", ["trapezoid", "feedback", "learning"])
@pytest.mark.parametrize("rung", ["", "off"])
def test_a_rung_that_was_not_told_leaves_the_law_to_the_mode(mode: str, rung: str) -> None:
    assert law(mode, rung, asked=True) == mode
    assert law(mode, rung, asked=False) is None


def test_states_are_these() -> None:
    assert STATES == ("counted", "wash_out", "unlock", "stopped", "other_law", "left_out")


def test_a_pause_is_in_no_figure_and_the_wash_out_begins_anew_after_it() -> None:
    judge = StrideJudge("learning", wash_out_strides=2)
    laws = ["learning"] * 3 + ["off"] * 2 + ["learning"] * 3
    states = [
        judge.judge(k * S, [Heard(k * S, "active", unlocked=True)], {one}) for k, one in enumerate(laws)
    ]
    begun = ["wash_out", "wash_out", "counted"]
    assert states == [*begun, "other_law", "other_law", *begun]


def test_an_arm_without_current_has_no_pause_of_its_own() -> None:
    judge = StrideJudge("off", wash_out_strides=1)
    assert [judge.judge(k * S, [], {"off"}) for k in range(3)] == ["wash_out", "counted", "counted"]


def test_what_current_would_tell_of_a_blinded_arm_is_in_no_event(tmp_path: Path) -> None:
    for blinded in (True, False):
        recording = walk(tmp_path / f"{blinded}.mcap", blinded=blinded)
        strides = [
            msgspec.json.decode(event.payload_json, type=StrideTold)
            for event in told(recording)
            if event.kind == "stride"
        ]
        assert strides
        for stride in strides:
            dose = (stride.charge_uc, stride.pulses, stride.current_max_ma)
            assert (dose == (None, None, None)) is blinded
