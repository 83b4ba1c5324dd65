"""Two channels: the foot lifted first and turned second, by an identified map, on a body that walks."""

from __future__ import annotations

from dataclasses import replace
from functools import cache

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from controller.core.control.two_channels import Shares, Steering, identify_map, identify_second, share_out
from controller.core.core import Core
from controller.core.params import CoreParams, ResponseMap, SecondChannel
from controller.core.signals import TickInputs
from controller.simulation.closed_loop import EPOCH_NS, TICK_S, Rehearsal
from models.foot_plate import WIDTH_US, perform_holds
from models.patient import VirtualPatient
from models.patient_params import PatientParams
from models.recruitment import RecruitmentParams
from tests.core.control.numbers import params

# the first lifts and inverts a little, the second everts and pulls the foot down: Nm at full recruitment
RESPONSE = ResponseMap((14.0, -4.0), (-1.5, 12.0))
SECOND = SecondChannel(1, 30.0, 0.25, 200.0, WIDTH_US, 45.0, RESPONSE)
share = st.floats(0.0, 1.0)


@given(first=share, eversion_nm=st.floats(-4.0, 4.0))
@settings(max_examples=80)
def test_what_can_be_had_is_had_on_both_axes(first: float, eversion_nm: float) -> None:
    shares = share_out(RESPONSE, first, eversion_nm, 1.0)
    given_nm = np.array([RESPONSE.dorsiflexion_nm, RESPONSE.eversion_nm]) @ [shares.first, shares.second]
    lost_nm = np.array([shares.lost_dorsiflexion_nm, shares.lost_eversion_nm])
    assert given_nm + lost_nm == pytest.approx(np.array([14.0 * first, eversion_nm]))
    assert 0.0 <= shares.first <= 1.0
    assert 0.0 <= shares.second <= 1.0


@given(first=share, eversion_nm=st.floats(-20.0, 20.0), second_max=share)
@settings(max_examples=80)
def test_dorsiflexion_is_never_given_up_for_eversion(
    first: float, eversion_nm: float, second_max: float
) -> None:
    assert abs(share_out(RESPONSE, first, eversion_nm, second_max).lost_dorsiflexion_nm) < 1e-9


def test_at_full_dorsiflexion_the_second_channel_is_off() -> None:
    shares = share_out(RESPONSE, 1.0, 5.0, 1.0)
    assert (shares.first, shares.second) == (1.0, 0.0)
    assert shares.lost_eversion_nm == pytest.approx(
        5.0 + 1.5
    )  # asked, and the inversion of the first beside it


def test_a_map_is_found_in_holds_with_an_offset_of_the_plate() -> None:
    activations = [(0.0, 0.0), (0.4, 0.0), (0.9, 0.0), (0.0, 0.5), (0.0, 0.8)]
    torques = [(14.0 * a - 4.0 * b + 0.3, -1.5 * a + 12.0 * b - 0.2) for a, b in activations]
    found = identify_map(activations, torques)
    assert found.dorsiflexion_nm == pytest.approx(RESPONSE.dorsiflexion_nm)
    assert found.eversion_nm == pytest.approx(RESPONSE.eversion_nm)


@pytest.mark.parametrize(
    ("activations", "turn_nm", "words"),
    [
        ([(0.0, 0.0), (0.5, 0.0), (0.0, 0.5)], 12.0, "4 or more"),
        ([(0.0, 0.0), (0.2, 0.2), (0.4, 0.4), (0.6, 0.6)], 12.0, "no difference"),
        ([(0.0, 0.0), (0.5, 0.0), (0.0, 0.5), (0.0, 0.9)], 0.4, "eversion"),
    ],
)
def test_holds_that_say_too_little_are_refused(
    activations: list[tuple[float, float]], turn_nm: float, words: str
) -> None:
    with pytest.raises(ValueError, match=words):
        identify_map(activations, [(14.0 * a, turn_nm * b) for a, b in activations])


GIVEN = Shares(0.3, 0.0, 0.0, 0.0)


@pytest.mark.parametrize("body", [PatientParams(), replace(PatientParams(), second_dorsiflexion_share=0.2)])
def test_the_half_point_of_the_second_channel_is_found_in_the_holds(body: PatientParams) -> None:
    holds = perform_holds(body)
    curve, response = identify_second(
        body.recruitment, [h.current_ma for h in holds], [h.torque_nm for h in holds], WIDTH_US
    )
    assert curve.i50_ma == pytest.approx(body.recruitment_eversion.i50_ma, rel=0.05)
    assert response.eversion_nm[1] > 5.0


def walked_on(
    steering: Steering,
    inversion_deg: float,
    *,
    before_deg: float = -30.0,
    shares: Shares | None = GIVEN,
    ordinary: bool = True,
) -> None:
    """A stride whose foot is turned elsewhere until it lands, and what left in it."""
    if shares is not None:
        steering.given(350_000_000, shares)  # acts in the landing
    for number in range(25):
        steering.in_stance(1.5, 0.25)
        turned_deg = inversion_deg if number >= 20 else before_deg
        steering.in_swing(number * 15_000_000, 1.5 + turned_deg)
    steering.close(ordinary=ordinary)


def test_the_demand_moves_by_the_error_beyond_the_band_and_no_further_than_a_stride_may() -> None:
    steering = Steering(SECOND)
    walked_on(steering, 0.9)
    assert steering.demand_nm == 0.0
    walked_on(steering, 8.0)
    assert steering.demand_nm == pytest.approx(SECOND.step * (8.0 - 1.0) / 14.0)
    walked_on(steering, 90.0)
    assert steering.demand_nm == pytest.approx(SECOND.step * 7.0 / 14.0 + 1.0)


def test_inversion_in_mid_swing_counts_beyond_its_wide_band_where_the_landing_is_good() -> None:
    # 20 samples before the landing, 75 to 360 ms before contact; the band narrows within the last 200 ms
    bands_deg = [1.0 + 9.0 * min(1.0, 0.015 * (24 - number) / 0.2) for number in range(20)]
    steering = Steering(SECOND)
    walked_on(steering, 0.0, before_deg=4.0)
    assert steering.demand_nm == 0.0
    walked_on(steering, 0.0, before_deg=13.0)
    mean_deg = float(np.mean([13.0 - band for band in bands_deg]))
    assert steering.demand_nm == pytest.approx(SECOND.step * mean_deg / 14.0)
    walked_on(steering, -3.0, before_deg=13.0)  # the landing comes first
    assert steering.demand_nm == pytest.approx(SECOND.step * (mean_deg - 2.0) / 14.0)


def test_the_demand_does_not_run_away_from_what_can_be_had() -> None:
    steering = Steering(SECOND)
    for _ in range(50):
        walked_on(steering, 20.0, shares=share_out(RESPONSE, 0.9, steering.demand_nm, 0.1))
    assert steering.demand_nm < 12.0 * 0.1 + 1.0


def test_a_stride_that_was_not_ordinary_moves_nothing() -> None:
    steering = Steering(SECOND)
    walked_on(steering, 9.0, ordinary=False)
    assert steering.demand_nm == 0.0


def test_strides_without_stimulation_move_nothing_and_are_seen() -> None:
    steering = Steering(SECOND)
    for _ in range(50):
        walked_on(steering, 9.0, shares=None)
    assert (steering.demand_nm, steering.inversion_deg) == (0.0, pytest.approx(9.0))


def test_a_foot_that_the_first_channel_everts_is_everted_further_from_there() -> None:
    steering = Steering(SECOND)
    everting = replace(RESPONSE, eversion_nm=(1.5, 12.0))
    walked_on(steering, -8.0, shares=share_out(everting, 0.4, 0.0, 1.0))
    assert steering.demand_nm == 0.0  # the second one cannot turn it back
    walked_on(steering, 8.0, shares=share_out(everting, 0.4, 0.0, 1.0))
    assert steering.demand_nm == pytest.approx(0.6 + SECOND.step * (8.0 - 1.0) / 14.0)


def test_a_foot_that_only_another_electrode_can_turn_back_is_told() -> None:
    steering = Steering(SECOND)
    everting = share_out(replace(RESPONSE, eversion_nm=(1.5, 12.0)), 0.4, 0.0, 1.0)
    walked_on(steering, -4.5, shares=everting)
    walked_on(steering, -4.5, shares=everting)
    assert not steering.advice
    walked_on(steering, -4.5, shares=everting)
    assert "move its electrode" in steering.advice
    walked_on(steering, -2.5, shares=everting)
    assert not steering.advice


def test_what_was_lost_counts_where_the_muscles_had_followed_it() -> None:
    steering = Steering(SECOND)
    for acts_ns, lost_nm in ((100_000_000, 5.0), (350_000_000, -0.3), (500_000_000, 5.0)):
        steering.given(acts_ns, replace(GIVEN, lost_eversion_nm=lost_nm))
    walked_on(steering, 8.0, shares=None)
    assert steering.demand_nm == pytest.approx(0.3 + SECOND.step * (8.0 - 1.0) / 14.0)


# --- on a body that walks

BODIES = {
    "usual": PatientParams(),
    "inverting": PatientParams(
        nerve_eversion_share=0.0, inversion_tone_nm=0.3, second_dorsiflexion_share=0.2
    ),
}


def with_second(core: CoreParams, body: PatientParams) -> CoreParams:
    """The map from holds on a plate, in the activations of the identified recruitment."""
    holds = perform_holds(body)
    curve, response = identify_second(
        RecruitmentParams(core.muscle.i50_ma, core.muscle.sigma, core.muscle.chronaxie_us),
        [hold.current_ma for hold in holds],
        [hold.torque_nm for hold in holds],
        WIDTH_US,
    )
    second = replace(SECOND, i50_ma=curve.i50_ma, sigma=curve.sigma, response=response)
    return replace(core, pulse=replace(core.pulse, channels=2), second=second)


@cache
def walked(body: str, *, turned: bool) -> Rehearsal:
    core = params("learning")
    walk = Rehearsal(
        with_second(core, BODIES[body]) if turned else core, VirtualPatient(BODIES[body], seed=4)
    )
    walk.walk(19.0)
    return walk


def inversions(walk: Rehearsal) -> list[float]:
    """True inversion at the end of each stride, in degrees."""
    return [stride.inversion_at_initial_contact_deg for stride in walk.patient.strides()][1:]


def late_errors(walk: Rehearsal) -> list[float]:
    return [stride.error_rms_deg for stride in walk.strides()]


@pytest.mark.parametrize("body", BODIES)
def test_the_foot_is_turned_within_three_degrees_in_five_strides(body: str) -> None:
    alone, turned = inversions(walked(body, turned=False)), inversions(walked(body, turned=True))
    assert float(np.mean(alone[5:])) > 4.0
    assert all(abs(inversion) < 3.0 for inversion in turned[5:])


@pytest.mark.parametrize("body", BODIES)
def test_and_is_still_lifted(body: str) -> None:
    alone, turned = late_errors(walked(body, turned=False)), late_errors(walked(body, turned=True))
    assert float(np.mean(turned[5:])) < float(np.mean(alone[5:])) + 1.0
    assert float(np.median(turned[5:])) < 3.0


def test_an_arm_without_pulses_winds_nothing_up_and_one_that_discards_begins_anew() -> None:
    core = with_second(params("off"), BODIES["inverting"])
    walk = Rehearsal(core, VirtualPatient(BODIES["inverting"], seed=4))
    walk.walk(14.0)
    assert walk.core.laws.steering is not None
    assert walk.core.laws.steering.demand_nm == 0.0
    walk.tick(TickInputs(imu=walk.arrivals(walk.ticks * TICK_S), mode="learning"))
    walk.walk(24.0)
    assert walk.core.laws.steering.demand_nm > 0.1
    walk.tick(TickInputs(imu=walk.arrivals(walk.ticks * TICK_S), mode="learning", fresh=True))
    while walk.core.switching:
        walk.tick(TickInputs(imu=walk.arrivals(walk.ticks * TICK_S)))
    assert walk.core.laws.steering.demand_nm == 0.0


def test_neither_channel_rises_faster_than_it_may_and_both_end_together() -> None:
    walk = walked("inverting", turned=True)
    rise_ma = walk.params.pulse.rise_ma_per_tick
    before_ma = before_nc = 0.0
    seen = 0
    for point in walk.trace:
        first, second = point.decision.command.channels
        current_ma = second.current_ma if second is not None else 0.0
        charge_nc = current_ma * second.width_us if second is not None else 0.0
        assert current_ma - before_ma <= rise_ma
        assert charge_nc - before_nc <= rise_ma * WIDTH_US
        assert second is None or first is not None
        before_ma, before_nc, seen = current_ma, charge_nc, seen + (second is not None)
    assert seen > 200


def test_the_second_channel_never_rises_in_a_ramp_down_whatever_turning_still_asks_for() -> None:
    walk = Rehearsal(
        with_second(params("learning"), BODIES["inverting"]), VirtualPatient(BODIES["inverting"], 4)
    )
    steering, second, ramps = walk.core.laws.steering, walk.core.output.second, 0
    assert steering is not None
    assert second is not None
    while walk.ticks * TICK_S < 14.0:
        falls, before_ma = walk.core.output.window.state == "falling", second.current_ma
        steering.demand_nm = 6.0 if falls else 1.0
        walk.tick(TickInputs(imu=walk.arrivals(walk.ticks * TICK_S)))
        if falls and walk.core.output.window.state == "falling":
            ramps += 1
            assert second.current_ma <= before_ma
    assert ramps > 50


def test_the_second_channel_turns_the_foot_as_far_with_less_charge_in_shorter_pulses() -> None:
    body = BODIES["inverting"]
    core = with_second(params("learning"), body)
    of_one_width = replace(core, pulse=replace(core.pulse, width_min_us=None))
    fixed, shaped = Rehearsal(of_one_width, VirtualPatient(body, seed=4)), walked("inverting", turned=True)
    fixed.walk(19.0)
    (fixed_us, fixed_uc), (shaped_us, shaped_uc) = (second_pulses(walk) for walk in (fixed, shaped))
    assert set(fixed_us) == {WIDTH_US}
    assert min(shaped_us) == core.pulse.width_min_us
    assert sum(shaped_uc) < 0.9 * sum(fixed_uc)
    ends = [float(np.mean(inversions(walk)[5:])) for walk in (fixed, shaped)]
    assert abs(ends[1] - ends[0]) < 1.0


def second_pulses(walk: Rehearsal) -> tuple[list[float], list[float]]:
    """Width (us) and charge (uC) of everything commanded on the second channel, tick by tick."""
    given = [point.decision.command.channels[1] for point in walk.trace]
    pulses = [pulse for pulse in given if pulse is not None]
    return [p.width_us for p in pulses], [p.width_us * p.current_ma * 1e-3 for p in pulses]


def test_one_channel_and_two_are_told_apart_by_the_parameters_alone() -> None:
    core = with_second(params("learning"), BODIES["usual"])
    decision = Core(core).step(EPOCH_NS, TickInputs())
    assert decision.command.channels == (None, None)
    assert decision.view.eversion_demand_nm == 0.0
