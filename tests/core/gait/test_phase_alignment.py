"""Phase from the shank: a swing laid over the reference's, early, late, shifted or not a swing at all; and
from a foot alone: when it tipped."""

from __future__ import annotations

import math

import numpy as np
import pytest

from controller.config.core_params import normal_reference
from controller.core.gait.phase_alignment import SILENT_NS, Alignment, Tipping, at, reversal_percent
from controller.core.gait.swing_phase import AHEAD_MAX_PERCENT

REFERENCE = normal_reference(0.8)
CURVE = np.radians(np.interp(np.arange(101.0), np.arange(101.0), REFERENCE.shank_pitch_deg))
S = 1_000_000_000
NEVER = (0.0, 10.0, -19.9, 15.0, 0.0)  # a foot that does not tip


def aligned(toe_off_percent: float, foot_pitch_deg: tuple[float, ...] = NEVER) -> Alignment:
    return Alignment(CURVE.copy(), toe_off_percent, Tipping.of(foot_pitch_deg))


def swing(
    alignment: Alignment,
    first: float,
    last: float,
    offset_deg: float = 0.0,
    start_s: float = 10.0,
    curve: np.ndarray = CURVE,
    samples: int = 31,
) -> tuple[int, int]:
    """Feed the first samples, at 60 Hz, of a swing of 0.5 s whose events lie at ``first`` and ``last``."""
    begin, end = int(start_s * S), int((start_s + 0.5) * S)
    share = np.arange(31) / 30
    place = first + share * (last - first)
    shank = np.interp(place, np.arange(101.0), curve) + math.radians(offset_deg)
    rate = np.gradient(shank, 0.5 / 30)
    alignment.observe(begin, float(shank[0]), float(rate[0]), swinging=False)
    alignment.begin_swing(begin, 1.3, 80.0)
    for n in range(1, samples):
        alignment.observe(begin + int(share[n] * 0.5 * S), float(shank[n]), float(rate[n]), swinging=True)
    return begin, end


@pytest.mark.parametrize(
    ("first", "last"), [(58.0, 100.0), (62.0, 99.0), (65.0, 101.0), (60.0, 100.0), (64.0, 97.0)]
)
def test_the_phases_of_the_events_are_found(first: float, last: float) -> None:
    alignment = aligned(60.0)
    found = alignment.settle(*swing(alignment, first, last, offset_deg=3.0))
    assert (found.toe_off_percent, found.contact_percent) == pytest.approx((first, last), abs=1.5)
    for n in range(8):
        found = alignment.settle(*swing(alignment, first, last, offset_deg=3.0, start_s=12.0 + n))
    assert (alignment.toe_off_percent, alignment.contact_percent) == pytest.approx((first, last), abs=1.0)
    assert math.degrees(alignment.offset_rad) == pytest.approx(3.0, abs=0.7)


def settled(curve: np.ndarray, first: float, last: float) -> Alignment:
    """After ten strides of a leg that swings along ``curve``, timed by their contacts."""
    alignment = aligned(62.0)
    for n in range(10):
        begin, end = swing(alignment, first, last, start_s=10.0 + n, curve=curve)
        alignment.settle(begin, end, stride_s=0.5 / (last - first) * 100.0)
    return alignment


@pytest.mark.parametrize("times", [0.9, 1.0, 1.1])
def test_a_leg_that_swings_wider_or_less_is_at_the_same_phase(times: float) -> None:
    middle = float(np.mean(CURVE))
    alignment = settled(middle + times * (CURVE - middle), 65.0, 99.0)
    assert (alignment.toe_off_percent, alignment.contact_percent) == pytest.approx((65.0, 99.0), abs=0.7)
    assert alignment.scale == pytest.approx(times, abs=0.03)


@pytest.mark.parametrize("times", [0.75, 1.25])
def test_the_persons_own_shank_is_kept_where_it_was_seen_and_fades_into_the_reference(times: float) -> None:
    middle = float(np.mean(CURVE))
    own = middle + times * (CURVE - middle)
    found = settled(own, 62.0, 100.0).own_rad
    assert np.degrees(found[64:99] - own[64:99]) == pytest.approx(np.zeros(35), abs=1.0)
    assert found[25:37] == pytest.approx(CURVE[25:37], abs=1e-3)  # in stance nothing is seen of it
    steps = np.abs(np.diff(np.append(found, found[1])))
    assert float(steps.max()) < 1.5 * float(np.abs(np.diff(own)).max())


@pytest.mark.parametrize("speed_mps", [0.9, 1.0, 1.1])
def test_at_another_speed_both_phases_stay_within_a_percent(speed_mps: float) -> None:
    other = normal_reference(speed_mps).shank_pitch_deg
    quick = np.radians(np.interp(np.arange(101.0), np.arange(101.0), other))
    alignment = settled(quick, 62.0, 100.0)
    assert (alignment.toe_off_percent, alignment.contact_percent) == pytest.approx((62.0, 100.0), abs=1.0)


def followed(alignment: Alignment, samples: int, first: float, last: float, offset_deg: float = 0.0) -> float:
    """Percent believed at the last of some samples of a swing, after one that lay at 60 to 100."""
    alignment.settle(*swing(alignment, 60.0, 100.0))
    begin, _ = swing(alignment, first, last, offset_deg, start_s=20.0, samples=samples)
    assert alignment.swing is not None
    return alignment.swing.run.percent_at(begin + int((samples - 1) / 30 * 0.5 * S))


@pytest.mark.parametrize(("first", "last"), [(62.5, 102.5), (58.0, 98.0), (60.0, 106.0), (60.0, 94.0)])
def test_a_leg_that_is_ahead_or_quicker_than_its_timetable_is_noticed_within_the_swing(
    first: float, last: float
) -> None:
    place = followed(aligned(60.0), 20, first, last)
    assert place == pytest.approx(first + 19 / 30 * (last - first), abs=0.7)


@pytest.mark.parametrize("lean_deg", [-2.0, 2.0])
def test_a_leg_that_leans_in_this_swing_is_not_taken_for_one_that_is_ahead(lean_deg: float) -> None:
    assert followed(aligned(60.0), 20, 60.0, 100.0, lean_deg) == pytest.approx(60.0 + 19 / 30 * 40.0, abs=0.5)


def test_no_sample_takes_the_phase_far_from_its_timetable() -> None:
    alignment = aligned(60.0)
    alignment.settle(*swing(alignment, 60.0, 100.0))
    alignment.begin_swing(20 * S, 1.3, 80.0)
    for n in range(31):
        alignment.observe(20 * S + n * S // 60, 3.0, 30.0 * (-1.0) ** n, swinging=True)
        if alignment.swing is not None:
            table = 60.0 + n / 60 * 80.0
            assert (
                abs(alignment.swing.run.percent_at(20 * S + n * S // 60) - table) <= AHEAD_MAX_PERCENT + 1e-9
            )


def test_a_shank_not_heard_of_at_toe_off_follows_no_swing() -> None:
    alignment = aligned(60.0)
    begin, end = swing(alignment, 60.0, 100.0)
    alignment.settle(begin, end)
    alignment.begin_swing(end + SILENT_NS, 1.3, 80.0)
    assert alignment.swing is not None
    alignment.begin_swing(end + SILENT_NS + 1, 1.3, 80.0)
    assert alignment.swing is None


def test_a_sample_from_before_the_last_one_changes_nothing() -> None:
    alignment = aligned(60.0)
    followed(alignment, 10, 60.0, 100.0)
    assert alignment.swing is not None
    before = alignment.swing.state
    alignment.observe(20 * S, 3.0, 30.0, swinging=True)
    assert alignment.swing.state == before


@pytest.mark.parametrize("samples", [0, 9])
def test_a_swing_with_few_samples_teaches_nothing(samples: int) -> None:
    alignment = aligned(60.0)
    for n in range(samples):
        alignment.observe(10 * S + n * S // 60, 0.1, 0.0, swinging=True)
    found = alignment.settle(10 * S, 10 * S + S // 2)
    assert (found.toe_off_percent, found.contact_percent, alignment.fits) == (60.0, 100.0, 0)


def test_a_motion_that_is_no_swing_teaches_nothing() -> None:
    alignment = aligned(60.0)
    for n in range(31):
        alignment.observe(10 * S + n * S // 60, math.radians(40.0 * math.sin(n * 1.7)), 0.0, swinging=True)
    alignment.settle(10 * S, 10 * S + S // 2)
    assert alignment.fits == 0


FALLS = tuple(float(pitch) for pitch in np.interp(range(101), (0, 50, 60, 70, 100), (10, 0, -40, -50, 10)))


def tipped(alignment: Alignment, fell_s: float, *, step_s: float = 1 / 60, slope_dps: float = -300.0) -> None:
    """Feed a foot whose pitch passes -20 deg at ``fell_s``, in a straight line from 0 deg to -40 deg."""
    for t_s in np.arange(fell_s + 20.0 / slope_dps, fell_s - 20.0 / slope_dps, step_s):
        pitch_deg = -20.0 + slope_dps * (t_s - fell_s)
        alignment.tipping.observe(round(t_s * S), math.radians(pitch_deg))


def test_where_the_reference_tips_is_read_off_its_curve() -> None:
    assert Tipping.of(FALLS).percent == pytest.approx(55.0)
    assert Tipping.of(NEVER).percent is None


@pytest.mark.parametrize(("after_s", "place"), [(0.1, 60.0), (0.2, 65.0), (0.3, 70.0)])
def test_without_a_shank_the_time_since_the_foot_tipped_says_where_the_toe_went_off(
    after_s: float, place: float
) -> None:
    alignment = aligned(65.0, FALLS)
    tipped(alignment, 10.0)
    toe_off_ns, contact_ns = round((10.0 + after_s) * S), round(10.8 * S)
    alignment.begin_swing(toe_off_ns, 2.0, 50.0)
    assert alignment.shift_percent == pytest.approx(place - 65.0, abs=0.05)
    found = alignment.settle(toe_off_ns, contact_ns, 2.0)
    assert (found.toe_off_percent, found.contact_percent) == pytest.approx((place, 95.0), abs=0.05)
    for _ in range(12):
        alignment.settle(toe_off_ns, contact_ns, 2.0)
    assert (alignment.toe_off_percent, alignment.contact_percent) == pytest.approx((place, 95.0), abs=0.2)


@pytest.mark.parametrize("after_s", [-0.01, 0.51])
def test_a_foot_that_tipped_after_its_toe_off_or_long_before_says_nothing(after_s: float) -> None:
    alignment = aligned(60.0, FALLS)
    tipped(alignment, 10.0)
    toe_off_ns = round((10.0 + after_s) * S)
    alignment.begin_swing(toe_off_ns, 2.0, 50.0)
    found = alignment.settle(toe_off_ns, toe_off_ns + S // 2, 2.0)
    assert (alignment.shift_percent, found.toe_off_percent, found.contact_percent) == (0.0, 60.0, 100.0)


def test_a_foot_that_tipped_unseen_says_nothing() -> None:
    alignment = aligned(60.0, FALLS)
    tipped(alignment, 10.0, step_s=0.061)
    assert alignment.tipping.toe_off_percent(round(10.1 * S), 2.0) is None


@pytest.mark.parametrize(("swing_s", "taken"), [(0.65, True), (0.98, False), (0.2, False)])
def test_a_swing_that_is_no_step_like_the_others_moves_no_event(swing_s: float, taken: bool) -> None:
    alignment = aligned(60.0, FALLS)
    tipped(alignment, 10.0)
    found = alignment.settle(round(10.1 * S), round((10.1 + swing_s) * S), 2.0)
    assert (found.contact_percent != 100.0) == taken
    assert (alignment.contact_percent != 100.0) == taken


def test_the_detectors_toe_off_is_where_the_reference_turns_from_tipping_to_rising() -> None:
    # normal foot pitch is lowest at 65 to 70 % (Schwartz 2008)
    assert 65.0 <= reversal_percent(REFERENCE.foot_pitch_deg) <= 70.0


def test_reading_a_curve_is_held_at_its_ends() -> None:
    curve = np.arange(101.0)
    assert [at(curve, p) for p in (-5.0, 0.0, 33.25, 250.0)] == pytest.approx(
        [0.0, 0.0, 33.25, 100.0], abs=1e-2
    )
