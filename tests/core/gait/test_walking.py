"""Whether a leg walks, and its phase on recordings: none after a stop, in a turn or in silence."""

from __future__ import annotations

import pickle
from dataclasses import replace
from functools import cache
from typing import NamedTuple

import numpy as np
import pytest

from benchmarks.gait import Leg
from controller.core.gait.detector import GaitDetector
from controller.core.gait.sagittal_frame import GRAVITY_MPS2, SagittalFrame
from controller.core.gait.stride_clock import StrideClock
from controller.core.gait.walking import Walking
from controller.core.signals import EventKind, GaitEvent
from tests.core.gait.runs import FEET, WALKWAY
from tests.data import DATA, needs_data

LEG = WALKWAY[0] if DATA.is_dir() else None
PARETIC = WALKWAY[12] if DATA.is_dir() else None  # S24 left, the slowest
SWINGING = [PARETIC, FEET[0]] if DATA.is_dir() else []


def event(kind: EventKind, t_s: float) -> GaitEvent:
    return GaitEvent(kind, round(t_s * 1e9), round(t_s * 1e9))


def walking_after(strides: int, stride_s: float = 1.2) -> Walking:
    walking = Walking()
    for i in range(strides + 1):
        walking.event(event("initial_contact", i * stride_s), ahead=True)
        if i < strides:
            walking.event(event("toe_off", (i + 0.65) * stride_s), ahead=True)
    walking.sample_ns = round(strides * stride_s * 1e9)
    return walking


def test_a_first_step_forward_on_the_level_is_setting_off_until_a_stride_is_measured() -> None:
    first = walking_after(0)
    assert first.setting_off
    first.settle(level=True)
    assert first.setting_off
    assert not first.walks
    first.event(event("initial_contact", 1.2), ahead=True)
    assert first.walks
    assert not first.setting_off


def test_a_step_that_led_nowhere_or_up_a_stair_is_not_setting_off() -> None:
    on_the_spot, stair, stopped = Walking(), walking_after(0), walking_after(0)
    on_the_spot.event(event("initial_contact", 0.0), ahead=False)
    stair.settle(level=False)
    stopped.stop()
    assert not any(walking.setting_off for walking in (on_the_spot, stair, stopped, Walking()))


def test_two_contacts_far_apart_are_no_stride() -> None:
    walking = walking_after(3)
    walking.event(event("initial_contact", 60.0), ahead=True)
    assert walking.stride_s == pytest.approx(1.2)


def test_a_changed_pace_is_known_after_two_strides() -> None:
    walking = walking_after(6)
    for i in range(1, 4):
        walking.event(event("initial_contact", 7.2 + 0.9 * i), ahead=True)
    assert walking.stride_s == pytest.approx(0.9, abs=0.1)


def walk_until_mid_swing(leg: Leg, after_s: float) -> tuple[GaitDetector, int]:
    detector = GaitDetector(leg.segment, leg.side)
    swing_ns = 0
    for i, t_s in enumerate(leg.time_s):
        t_ns = round(t_s * 1e9)
        events = detector.update(t_ns, tuple(leg.acc_mps2[i].tolist()), tuple(leg.gyr_rps[i].tolist()))
        if t_s > after_s and any(event.kind == "toe_off" for event in events):
            swing_ns = t_ns
        if (
            swing_ns
            and t_ns - swing_ns > 120_000_000
            and detector.walking(t_ns)
            and detector._machine.in_swing
        ):
            return detector, t_ns
    raise AssertionError("no swing in the recording")


@needs_data
@pytest.mark.parametrize("after_s", [4.0, 5.5, 7.0, 14.0, 24.0])
def test_swing_ends_within_300_ms_of_a_stop_in_mid_swing_and_walking_soon_after(after_s: float) -> None:
    assert LEG is not None
    detector, t_ns = walk_until_mid_swing(LEG, after_s)
    assert detector.walking(t_ns)
    gravity = tuple(LEG.acc_mps2[0].tolist())  # standing
    for i in range(1, 300):
        now_ns = t_ns + i * 7_812_500  # 128 Hz
        detector.update(now_ns, gravity, (0.0, 0.0, 0.0))
        if now_ns - t_ns > 300_000_000:
            assert not (detector.walking(now_ns) and detector._machine.in_swing)
    assert not detector.walking(now_ns)


@needs_data
def test_silence_ends_walking() -> None:
    assert LEG is not None
    detector, t_ns = walk_until_mid_swing(LEG, 5.0)
    assert detector.walking(t_ns + 299_000_000)
    assert not detector.walking(t_ns + 301_000_000)


@needs_data
def test_samples_out_of_order_change_nothing() -> None:
    assert LEG is not None
    detector, t_ns = walk_until_mid_swing(LEG, 5.0)
    before = pickle.dumps(detector)
    assert detector.update(t_ns, (0.0, 0.0, 0.0), (50.0, 0.0, 0.0)) == []
    assert detector.update(t_ns - 10**9, (0.0, 0.0, 0.0), (50.0, 0.0, 0.0)) == []
    assert pickle.dumps(detector) == before


class Phase(NamedTuple):
    """What is believed after a sample."""

    phase_percent: float | None
    in_swing: bool
    walking: bool
    strides: int


def phases(leg: Leg) -> tuple[list[Phase], list[GaitEvent]]:
    """The phase after each sample, by the events alone, as a share of this leg's stride; and the events."""
    detector, seen = GaitDetector(leg.segment, leg.side), []
    for t_s, acc, gyr in zip(leg.time_s, leg.acc_mps2.tolist(), leg.gyr_rps.tolist(), strict=True):
        t_ns = round(t_s * 1e9)
        news = detector.update(t_ns, tuple(acc), tuple(gyr))
        seen.append((t_ns, news, detector.walking(t_ns), detector._machine.in_swing))
    events = [one for _, news, *_ in seen for one in news]
    clock, found = StrideClock(toe_off_percent(events)), []
    for t_ns, news, walking, swings in seen:
        for one in news:
            clock.note(one)
        percent = clock.phase().percent_at(t_ns) if walking else None
        found.append(Phase(percent, walking and swings, walking, clock.strides))
    return found, events


def toe_off_percent(events: list[GaitEvent]) -> float:
    """Where this leg's toe-off lies, which the shank's swing shows to the whole core."""
    at_s = contacts(events)
    off_s = [one.t_ns * 1e-9 for one in events if one.kind == "toe_off"]
    strides = np.searchsorted(at_s, off_s)
    shares = [
        (t_s - at_s[k - 1]) / (at_s[k] - at_s[k - 1])
        for t_s, k in zip(off_s, strides, strict=True)
        if 0 < k < len(at_s)
    ]
    return 100.0 * float(np.median(shares))


@cache
def undisturbed(name: str) -> tuple[list[Phase], list[GaitEvent]]:
    return phases(next(leg for leg in (*WALKWAY, *FEET) if leg.name == name))


def contacts(events: list[GaitEvent]) -> np.ndarray:
    return np.array([one.t_ns * 1e-9 for one in events if one.kind == "initial_contact"])


def off_percent(leg: Leg, found: list[Phase], at_s: np.ndarray, from_s: float = 0.0) -> np.ndarray:
    """How far the phase is from the share of the stride that, afterwards, had passed."""
    off = []
    for t_s, phase in zip(leg.time_s, found, strict=True):
        stride = int(np.searchsorted(at_s, t_s, side="right")) - 1
        if phase.phase_percent is None or t_s < from_s or not 0 <= stride < len(at_s) - 1:
            continue
        passed = 100.0 * (t_s - at_s[stride]) / (at_s[stride + 1] - at_s[stride])
        off.append(abs((phase.phase_percent - passed + 50.0) % 100.0 - 50.0))
    return np.array(off)


@needs_data
@pytest.mark.parametrize("leg", SWINGING, ids=lambda leg: leg.name)
def test_the_phase_runs_from_0_to_100_and_is_off_by_little(leg: Leg) -> None:
    found, events = undisturbed(leg.name)
    known = [phase.phase_percent for phase in found if phase.phase_percent is not None]
    assert 0.0 <= min(known) <= max(known) <= 100.0
    off = off_percent(leg, found, contacts(events))
    assert np.median(off) <= 3.0
    assert np.percentile(off, 95) <= 12.0
    for before, after, at in zip(found, found[1:], leg.time_s[1:], strict=False):
        if before.phase_percent is None or after.phase_percent is None or after.strides == before.strides:
            continue
        assert after.phase_percent <= 10.0, f"no reset at the contact of {at:.2f} s"


@needs_data
def test_a_turn_ends_the_phase_and_the_steps_after_it_bring_it_back() -> None:
    assert LEG is not None
    found, _ = undisturbed(LEG.name)
    for (_, end_s), (start_s, next_end_s) in zip(LEG.windows, LEG.windows[1:], strict=False):
        turn = [p for t_s, p in zip(LEG.time_s, found, strict=True) if end_s < t_s < start_s]
        straight = [p for t_s, p in zip(LEG.time_s, found, strict=True) if start_s + 1.5 < t_s < next_end_s]
        assert any(phase.phase_percent is None and not phase.walking for phase in turn)
        assert all(phase.phase_percent is not None for phase in straight)


def stumbled(leg: Leg, caught_s: float, held_s: float) -> Leg:
    """A copy whose swing catches at ``caught_s``: a blow from the front, stillness, the swing goes on."""
    i, step_s = int(np.searchsorted(leg.time_s, caught_s)), float(np.median(np.diff(leg.time_s)))
    rng, n = np.random.default_rng(1), round(held_s / step_s)
    frame = SagittalFrame()
    for t_s, acc, gyr in zip(
        leg.time_s[:i], leg.acc_mps2[:i].tolist(), leg.gyr_rps[:i].tolist(), strict=True
    ):
        frame.update(round(t_s * 1e9), tuple(acc), tuple(gyr))
    still = np.array(frame.up) * GRAVITY_MPS2 + rng.normal(0.0, 0.1, (n, 3))
    still[: max(1, round(0.02 / step_s))] -= 15.0 * frame.sign * np.cross(frame.up, frame.axis)
    return replace(
        leg,
        time_s=leg.time_s[0] + step_s * np.arange(len(leg.time_s) + n),
        acc_mps2=np.concatenate([leg.acc_mps2[:i], still, leg.acc_mps2[i:]]),
        gyr_rps=np.concatenate([leg.gyr_rps[:i], rng.normal(0.0, 0.02, (n, 3)), leg.gyr_rps[i:]]),
    )


@needs_data
@pytest.mark.parametrize("held_s", [0.1, 0.35])
@pytest.mark.parametrize("leg", SWINGING, ids=lambda leg: leg.name)
def test_a_stumble_ends_the_swing_and_two_strides_later_phase_and_contacts_are_right(
    leg: Leg, held_s: float
) -> None:
    found, events = undisturbed(leg.name)
    caught_s = next(
        float(t_s)
        for t_s, phase in zip(leg.time_s, found, strict=True)
        if t_s > leg.windows[0][0] + 4.0 and phase.in_swing and (phase.phase_percent or 0.0) > 75.0
    )
    one = stumbled(leg, caught_s, held_s)
    after, stumbling = phases(one)
    swings = [p.in_swing for t_s, p in zip(one.time_s, after, strict=True) if 0.3 < t_s - caught_s < held_s]
    assert not any(swings)
    assert all(p.phase_percent is None or 0.0 <= p.phase_percent <= 100.0 for p in after)
    two_strides_s = caught_s + held_s + 2.5
    expected = contacts(events) + np.where(contacts(events) > caught_s, held_s, 0.0)
    got = contacts(stumbling)
    assert len(got[got > two_strides_s]) == len(expected[expected > two_strides_s])
    off = off_percent(one, after, got, two_strides_s)
    assert np.percentile(off, 95) <= 12.5  # 12.01 since heel-off waits for the foot to be set down
