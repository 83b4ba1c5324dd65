"""The whole core, tick by tick: pure, silent when it must be, and never a jump in current."""

from __future__ import annotations

import copy
import math
import pickle
from collections.abc import Callable
from dataclasses import replace
from itertools import pairwise

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from controller.core.core import Core
from controller.core.params import CoreParams
from controller.core.signals import Applied, Decision, Mode, TickInputs
from controller.simulation.closed_loop import EPOCH_NS, TICK_S, Rehearsal
from drivers.interface import ChannelCommand, ImuSample, Vec3
from models.patient import VirtualPatient
from models.recruitment import RecruitmentParams, fraction
from tests.core.control.numbers import linear, params

Recorded = list[tuple[int, TickInputs]]
WALK_S = 14.0


@pytest.fixture(scope="module")
def walk() -> Recorded:
    """What a walking patient's sensors bring, tick by tick, while learning steers."""
    rehearsal = Rehearsal(params("learning"), VirtualPatient(seed=3))
    inputs: Recorded = []
    while rehearsal.ticks * TICK_S < WALK_S:
        now_s = rehearsal.ticks * TICK_S
        brought = TickInputs(imu=rehearsal.arrivals(now_s))
        inputs.append((EPOCH_NS + round(now_s * 1e9), brought))
        rehearsal.tick(brought)
    return inputs


def play(inputs: Recorded, params: CoreParams, core: Core | None = None) -> tuple[list[Decision], Core]:
    core = core or Core(params)
    return [core.step(now_ns, brought) for now_ns, brought in inputs], core


@pytest.mark.parametrize("ahead_ns", [1, 10**12, 2**62])
def test_a_sample_from_later_than_now_is_no_sample(walk: Recorded, ahead_ns: int) -> None:
    """Taken, it would stay the newest for good: nothing after it would be heard, and none found silent."""
    sound, _ = play(walk[:1500], params("feedback"))
    now_ns, brought = walk[1200]
    real = next(reading for inputs in walk[1200:] for reading in inputs[1].imu)
    odd = replace(real, t_ns=now_ns + ahead_ns)
    spoilt = [*walk[:1200], (now_ns, replace(brought, imu=(*brought.imu, odd))), *walk[1201:1500]]
    assert play(spoilt, params("feedback"))[0] == sound


def currents(decisions: list[Decision]) -> list[float | None]:
    commands = [decision.command.channels[0] for decision in decisions]
    return [None if command is None else command.current_ma for command in commands]


def rises(decisions: list[Decision]) -> list[float]:
    return [(b or 0.0) - (a or 0.0) for a, b in pairwise(currents(decisions))]


@pytest.mark.parametrize("mode", ["trapezoid", "feedback", "learning"])
def test_the_same_inputs_give_the_same_bits_and_a_copied_state_goes_on_alike(
    walk: Recorded, mode: Mode
) -> None:
    core = params(mode)
    whole, _ = play(walk, core)
    cut = 2111
    first, state = play(walk[:cut], core)
    kept = copy.deepcopy(state)
    rest, _ = play(walk[cut:], core, state)
    again, _ = play(walk[cut:], core, kept)
    encode = msgspec.json.encode
    assert encode(first + rest) == encode(whole)
    assert encode(again) == encode(rest)
    assert any(value is not None for value in currents(whole))


def test_parameters_that_went_through_a_recording_steer_alike(walk: Recorded) -> None:
    core = params("learning")
    read = msgspec.json.decode(msgspec.json.encode(core), type=CoreParams)
    assert read == core
    assert msgspec.json.encode(play(walk[:1600], read)[0]) == msgspec.json.encode(play(walk[:1600], core)[0])


def test_off_is_none_and_never_a_number(walk: Recorded) -> None:
    decisions, _ = play(walk, params("off"))
    assert set(currents(decisions)) == {None}
    assert {decision.reason for decision in decisions} == {"mode is off"}


def test_every_decision_has_a_reason(walk: Recorded) -> None:
    decisions, _ = play(walk, params("learning"))
    assert all(decision.reason for decision in decisions)


def test_before_the_first_sample_and_the_first_heel_off_there_is_no_pulse_and_the_first_swing_is_lifted(
    walk: Recorded,
) -> None:
    core = params("learning")
    decision = Core(core).step(EPOCH_NS, TickInputs())
    assert decision.command.channels == (None,)
    assert decision.reason == "no sample from foot yet"
    decisions, _ = play(walk, core)
    first = next(n for n, value in enumerate(currents(decisions)) if value is not None)
    before = [event.kind for decision in decisions[: first + 1] for event in decision.events]
    assert "heel_off" in before or "toe_off" in before
    assert "initial_contact" not in before


@pytest.mark.parametrize("mode", ["trapezoid", "feedback", "learning"])
def test_pulses_come_in_pre_swing_swing_and_extension_alone_and_rise_slowly(
    walk: Recorded, mode: Mode
) -> None:
    core = params(mode)
    decisions, _ = play(walk, core)
    assert max(rises(decisions)) <= core.pulse.rise_ma_per_tick
    assert max(value or 0.0 for value in currents(decisions)) <= core.pulse.current_max_ma
    words = (
        "pre-swing",
        "swing",
        "extension",
        "foot is loaded",
        "no toe-off",
        "no initial contact",
        "walking has",
    )
    given = [(decision, decision.command.channels[0]) for decision in decisions]
    primed = [d for d, on in given if on is not None and d.reason.startswith("primed")]
    assert bool(primed) == (mode != "trapezoid")
    assert all(
        decision.reason.startswith(words) or decision.reason.startswith(("primed", "no heel-off"))
        for decision, on in given
        if on is not None
    )


@pytest.mark.parametrize("mode", ["trapezoid", "feedback", "learning"])
def test_a_ramp_down_never_goes_up_and_begins_with_no_pulse_where_there_was_none(
    walk: Recorded, mode: Mode
) -> None:
    core = Core(params(mode))
    before_ma, ramps = 0.0, 0
    for now_ns, inputs in walk:
        decision = core.step(now_ns, inputs)
        if "ramping down" in decision.reason or core.output.window.state == "falling":
            ramps += 1
            assert core.output.first.current_ma <= before_ma
            assert before_ma > 0.0 or decision.command.channels == (None,)
        before_ma = core.output.first.current_ma
    assert ramps > 100


def test_a_ramp_down_from_between_two_steps_of_the_device_is_not_rounded_up(walk: Recorded) -> None:
    core, between = Core(params("learning")), 0
    first, window = core.output.first, core.output.window
    for now_ns, inputs in walk:
        if window.state == "falling" and first.current_ma > 5.0:
            first.current_ma = before_ma = 5.3  # as a pulse of less charge leaves it
            decision = core.step(now_ns, inputs)
            if window.state == "falling" and decision.command.channels[0] is not None:
                between += 1
                assert first.current_ma <= before_ma
        else:
            core.step(now_ns, inputs)
    assert between > 3


@pytest.mark.parametrize("i50_ma", [28.0, 28.3, 28.6, 28.9])
def test_primed_pulses_stay_below_the_motor_threshold_however_the_device_rounds(
    walk: Recorded, i50_ma: float
) -> None:
    core = linear(params("feedback"), i50_ma=i50_ma)
    decisions, _ = play(walk, core)
    muscle = RecruitmentParams(i50_ma, core.muscle.sigma, core.muscle.chronaxie_us)
    sent = [d.command.channels[0] for d in decisions if d.reason.startswith("primed")]
    recruited = [fraction(on.current_ma, on.width_us, muscle) for on in sent if on is not None]
    assert 0.007 < max(recruited) <= 0.01 + 1e-9


@pytest.mark.parametrize("mode", ["trapezoid", "feedback", "learning"])
def test_a_silent_sensor_ends_the_pulses_and_is_named(walk: Recorded, mode: Mode) -> None:
    core = params(mode)
    decisions, _ = play(walk, core)
    swing = [n for n, d in enumerate(decisions) if d.reason.startswith("swing") and n > 1800]
    cut = swing[10]
    decisions, cut_off = play(walk[:cut], core)
    assert currents(decisions)[-1] is not None
    silence = [(now_ns, TickInputs()) for now_ns, _ in walk[cut : cut + 40]]
    decisions, _ = play(silence, core, cut_off)
    last = max(n for n, value in enumerate(currents(decisions)) if value is not None)
    assert last * TICK_S <= 0.1
    assert decisions[-1].reason == "foot sensor silent"


def test_invalid_samples_change_nothing(walk: Recorded) -> None:
    core = params("learning")
    nan3 = (math.nan, math.inf, -math.inf)
    spoiled = [
        (
            now_ns,
            replace(
                brought,
                imu=(*brought.imu, ImuSample("foot", now_ns, now_ns, 1, nan3, nan3, None, False, "x")),
            ),
        )
        for now_ns, brought in walk
    ]
    assert msgspec.json.encode(play(spoiled, core)[0]) == msgspec.json.encode(play(walk, core)[0])


def test_a_sensor_nobody_placed_is_not_listened_to(walk: Recorded) -> None:
    core = params("learning")
    stranger = [
        (now_ns, replace(brought, imu=(*brought.imu, *(replace(s, sensor="hand") for s in brought.imu))))
        for now_ns, brought in walk
    ]
    assert msgspec.json.encode(play(stranger, core)[0]) == msgspec.json.encode(play(walk, core)[0])


extreme = st.tuples(*(st.floats(-200.0, 200.0),) * 3)


@settings(max_examples=10, deadline=None)
@given(st.lists(st.tuples(st.integers(-30, 200), extreme, extreme), max_size=40))
def test_no_sample_makes_the_core_fail_or_break_a_limit(
    walk: Recorded, later: list[tuple[int, Vec3, Vec3]]
) -> None:
    core = copy.deepcopy(_mid_walk(walk))
    now_ns, decisions = walk[2400][0], []
    for gap_ms, acc, gyr in later:
        now_ns += 5_000_000
        made_ns = now_ns + gap_ms * 1_000_000
        sample = ImuSample("foot", made_ns, now_ns, 0, acc, gyr)
        decisions.append(core.step(now_ns, TickInputs(imu=(sample,))))
    values = [value for value in currents(decisions) if value is not None]
    assert all(math.isfinite(value) and 0.0 <= value <= core.params.pulse.current_max_ma for value in values)
    assert not decisions or b"null" not in msgspec.json.encode([d.view.activation for d in decisions])


_KEPT: dict[str, Core] = {}


def _mid_walk(walk: Recorded) -> Core:
    if "core" not in _KEPT:
        _KEPT["core"] = play(walk[:2400], params("learning"))[1]
    return _KEPT["core"]


@pytest.mark.parametrize("mode", ["trapezoid", "feedback", "learning"])
@pytest.mark.parametrize("again", [copy.deepcopy, lambda core: pickle.loads(pickle.dumps(core))])
def test_a_copy_and_a_pickle_go_on_as_the_core_they_were_made_of(
    walk: Recorded, mode: Mode, again: Callable[[Core], Core]
) -> None:
    _, core = play(walk[:2200], params(mode))
    twin, fresh = again(core), again(core)
    on = play(walk[2200:], params(mode), core)[0]
    assert play(walk[2200:], params(mode), twin)[0] == on
    assert play(walk[2200:], params(mode), fresh)[0] == on  # nothing is shared with the others


@pytest.mark.parametrize("first", ["trapezoid", "feedback", "learning"])
def test_a_mode_begins_with_the_window_closed_and_without_a_jump(walk: Recorded, first: Mode) -> None:
    core = params(first)
    wishes: dict[int, Mode] = {1500: "off", 1733: "trapezoid", 2011: "feedback", 2300: "learning"}
    asked = [
        (now_ns, replace(brought, mode=wishes.get(n)) if n in wishes else brought)
        for n, (now_ns, brought) in enumerate(walk)
    ]
    decisions, _ = play(asked, core)
    assert max(rises(decisions)) <= core.pulse.rise_ma_per_tick
    changes = [n for n, (a, b) in enumerate(pairwise(decisions)) if a.view.mode != b.view.mode]
    assert [decisions[n + 1].view.mode for n in changes] == list(wishes.values())
    given = currents(decisions)
    assert all(given[n] is None or given[n + 1] is None for n in changes)


def test_what_the_guard_cut_is_taken_over_and_not_learned_from(walk: Recorded) -> None:
    core = params("learning")
    cut = Applied(1, (ChannelCommand(4.0, 300.0, 40.0),), "reduced", "rise limit")
    on = next(n for n, d in enumerate(play(walk, core)[0]) if n > 1800 and (currents([d])[0] or 0.0) > 15.0)
    judged = [
        (now_ns, replace(brought, applied=(cut,)) if n == on else brought)
        for n, (now_ns, brought) in enumerate(walk)
    ]
    decisions, _ = play(judged, core)
    first_ma = currents(decisions)[on]
    assert first_ma is not None
    assert first_ma <= 4.0 + core.pulse.rise_ma_per_tick
    assert "the guard cut in" in {decision.view.not_learned for decision in decisions[on:]}


def test_time_steps_of_any_size_integrate_the_same_error() -> None:
    core = params("feedback")
    ends = []
    for every in (1, 2):
        rehearsal = Rehearsal(core, VirtualPatient(seed=2))
        while rehearsal.ticks * TICK_S < 12.0:
            now_s = rehearsal.ticks * TICK_S
            for extra in range(every - 1):
                now_ns = EPOCH_NS + round(now_s * 1e9) - (every - 1 - extra) * 2_000_000
                rehearsal.core.step(max(now_ns, EPOCH_NS), TickInputs())
            rehearsal.tick(TickInputs(imu=rehearsal.arrivals(now_s)))
        ends.append(rehearsal.core.laws.feedback.pid.integral_nm)
    assert ends[1] == pytest.approx(ends[0], abs=0.25)
