"""The event machines on curves of a few corners, with the rates that real legs showed."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest

from benchmarks.lifted import covered, pulses
from benchmarks.walks import feet
from controller.core.gait.events.foot import FootEvents
from controller.core.gait.events.limb import LimbEvents
from controller.core.gait.events.shank import ShankEvents
from controller.core.gait.sagittal_frame import GRAVITY_MPS2, SagittalFrame
from controller.core.signals import GaitEvent
from tests.data import needs_data

Corners = list[tuple[float, float]]  # s, deg/s

# A paretic foot that hangs at the end of its swing for 0.2 s, then falls on its forefoot (a treadmill)
HANGING_FOOT: Corners = [
    (0.0, 0), (0.6, 0), (0.8, -110), (0.85, -110), (0.95, 0), (1.05, 248), (1.2, 0), (1.25, -10), (1.4, -10),
    (1.45, 0), (1.5, -70), (1.55, -70), (1.6, 0), (2.0, 0),
]  # fmt: skip
FALLS_S = 1.5
# A shank whose knee gives while it leans over the foot, 0.3 s after contact (the same)
GIVING_KNEE: Corners = [
    (0.0, 0), (0.05, -120), (0.2, -100), (0.25, -90), (0.29, 0), (0.31, 60), (0.33, 0), (0.36, -60),
    (0.55, -60), (0.7, -200), (0.8, 0), (0.95, 380), (1.09, 0), (1.1, 0),
]  # fmt: skip


def run(
    machine: LimbEvents, corners: Corners, strides: int, blow: tuple[float, float] = (0.0, 0.0)
) -> list[GaitEvent]:
    """The events of as many strides from standing upright; ``blow`` is when (s) each is struck, and how hard
    (m/s2)."""
    length_s = corners[-1][0]
    time_s = np.arange(0.0, strides * length_s, 0.01)
    rate_rps = np.radians(np.interp(time_s % length_s, *np.transpose(corners)))
    frame, tilt, events = SagittalFrame(), 0.0, []
    for t_s, rate in zip(time_s.tolist(), rate_rps.tolist(), strict=True):
        tilt = (tilt if t_s % length_s > 0.005 else 0.0) + 0.01 * rate  # no drift from stride to stride
        frame.rate_rps, frame.inclination_rad = rate, tilt
        struck_mps2 = blow[1] if abs(t_s % length_s - blow[0]) < 0.015 else 0.0
        events += machine.update(round(t_s * 1e9), (0.0, 0.0, GRAVITY_MPS2 + struck_mps2), frame)
    return events


def times_s(events: list[GaitEvent], kind: str, after_s: float) -> list[float]:
    """When the events of a kind were told."""
    return [t_s for event in events if event.kind == kind and (t_s := event.emitted_ns / 1e9) > after_s]


def test_a_forefoot_that_falls_after_the_contact_is_no_heel_off() -> None:
    events = run(FootEvents(), HANGING_FOOT, 6, (FALLS_S + 0.03, 20.0))
    contacts, heel_offs = (times_s(events, kind, 2.0) for kind in ("initial_contact", "heel_off"))
    assert [round(t_s % 2.0, 1) for t_s in contacts] == [1.3] * 5
    assert [round(t_s % 2.0, 1) for t_s in heel_offs] == [0.7] * 5


def test_a_knee_that_gives_while_the_shank_leans_is_no_toe_off() -> None:
    toe_offs = times_s(run(ShankEvents(), GIVING_KNEE, 8), "toe_off", 3.3)  # its usual lean is known
    assert len(toe_offs) == 5
    assert all(after - before == pytest.approx(1.1, abs=0.03) for before, after in pairwise(toe_offs))


@needs_data
def test_a_foot_whose_swing_shakes_as_much_as_its_landing_is_lifted_at_every_step() -> None:
    foot = next(feet())  # 10-1 left: the blows of its landings are hardly more than what shakes it in swing
    given = pulses(foot)
    steady = [swing for swing in foot.swings if swing.kind == "steady"]
    assert len(steady) == 10
    assert all(covered(swing, given) for swing in steady)


@pytest.mark.parametrize(("turned_s", "lifts"), [(0.02, False), (0.3, True)])
def test_a_jolt_of_a_standing_foot_is_no_toe_off_and_a_quick_turn_is(turned_s: float, *, lifts: bool) -> None:
    corners: Corners = [(0.0, 0), (2.0, 0), (2.01, 40), (2.01 + turned_s, 40), (2.02 + turned_s, 0), (3.0, 0)]
    assert bool(times_s(run(FootEvents(), corners, 1), "toe_off", 0.0)) == lifts


@pytest.mark.parametrize(("raised_s", "falls_s", "comes_off"), [
    (0.5, 0.16, False),  # toes 10 deg up: it falls flat
    (0.2, 0.08, True),  # 4 deg up, as a foot sways, and 5 deg down
    (0.5, 0.24, True),  # 10 deg up and 17 deg down: past where it was flat
])  # fmt: skip
def test_toes_that_were_up_in_stance_fall_flat_first(
    raised_s: float, falls_s: float, *, comes_off: bool
) -> None:
    up_s = 0.52 + raised_s
    corners: Corners = [
        (0.0, 0), (0.5, 0), (0.52, 20), (up_s, 20), (up_s + 0.02, -70), (up_s + falls_s, -70),
        (up_s + falls_s + 0.02, 0), (1.6, 0),
    ]  # fmt: skip
    assert bool(times_s(run(FootEvents(), corners, 1), "heel_off", 0.0)) == comes_off


@pytest.mark.parametrize(("blow_s", "blow_mps2", "comes_off"), [
    (0.6, 0.0, True), (0.55, 20.0, False), (0.55, 5.0, True), (0.4, 20.0, True),
])  # fmt: skip
def test_a_foot_that_turns_down_after_a_blow_has_just_been_set_down(
    blow_s: float, blow_mps2: float, *, comes_off: bool
) -> None:
    corners: Corners = [(0.0, 0), (0.5, 0), (0.54, -70), (0.62, -70), (0.64, 0), (1.2, 0)]
    events = run(FootEvents(), corners, 1, (blow_s, blow_mps2))
    assert bool(times_s(events, "heel_off", 0.0)) == comes_off


@pytest.mark.parametrize(("rate_dps", "lifts"), [(20.0, False), (35.0, True)])
def test_a_shank_that_stands_sways_and_is_off_the_ground_when_it_swings(
    rate_dps: float, *, lifts: bool
) -> None:
    corners: Corners = [
        (0.0, 0), (0.1, -12), (1.4, -12), (1.6, 0), (1.7, rate_dps), (2.2, rate_dps), (2.3, 0), (3.0, 0),
    ]  # fmt: skip
    assert bool(times_s(run(ShankEvents(), corners, 1), "toe_off", 0.0)) == lifts
