"""The exercise core asks for what the programme says, within the limits, and for nothing else."""

from __future__ import annotations

import copy
import dataclasses
import math
import pickle
from collections.abc import Iterator

import pytest

from controller.core.exercise.exercise_core import SETTING_RISE_MA_PER_S, ExerciseCore
from controller.core.exercise.programme import ExerciseParams
from controller.core.exercise.soft_current import SoftCurrent
from controller.core.exercise.timeline import READY_S
from controller.core.signals import Applied, Decision, ExerciseRequest, PulseGiven, TickInputs
from drivers.interface import ChannelCommand
from tests.core.exercise.numbers import EXTENSORS, FLEXORS, programme

S = 1_000_000_000
TICK_NS = 5_000_000
AT_WORK = TickInputs(scope="walk")


def run(
    core: ExerciseCore, seconds: float, from_s: float = 0.0, inputs: TickInputs = AT_WORK
) -> Iterator[tuple[float, Decision]]:
    for now_ns in range(round(from_s * S), round((from_s + seconds) * S), TICK_NS):
        yield now_ns / S, core.step(now_ns, inputs)


def currents_ma(params: ExerciseParams, seconds: float) -> list[tuple[float, list[float | None]]]:
    return [
        (t_s, [None if one is None else one.current_ma for one in decision.command.channels])
        for t_s, decision in run(ExerciseCore(params), seconds)
    ]


def test_each_muscle_is_given_its_trapezoid_and_off_is_not_zero() -> None:
    trace = dict(currents_ma(programme(EXTENSORS, FLEXORS), READY_S + 7.0))
    for t_s, wanted in (
        (READY_S - 0.005, [None, None]),
        (READY_S + 0.5, [10.0, None]),
        (READY_S + 2.0, [20.0, None]),
        (READY_S + 3.6, [None, None]),
        (READY_S + 5.5, [None, 15.0]),
        (READY_S + 6.6, [None, None]),
    ):
        near = min(trace, key=lambda at_s, t_s=t_s: abs(at_s - t_s))  # type: ignore[misc]
        for found, right in zip(trace[near], wanted, strict=True):
            assert found == (None if right is None else pytest.approx(right, abs=0.5)), t_s


def test_nothing_is_asked_for_while_nothing_may_flow() -> None:
    core = ExerciseCore(programme())
    for _, decision in run(core, 20.0, inputs=TickInputs(scope="nothing")):
        assert decision.command.channels == (None,)
        assert decision.purpose == "open_loop"
    assert decision.view.exercise is not None
    assert decision.view.exercise.phase == "waiting"


def test_the_current_ends_at_the_tick_at_which_it_may_not_flow() -> None:
    core = ExerciseCore(programme())
    *_, (_, last) = run(core, READY_S + 2.0)
    assert last.command.channels[0] is not None
    stopped = core.step(round((READY_S + 2.0) * S), TickInputs(scope="nothing"))
    assert stopped.command.channels == (None,)


def test_the_warm_up_is_weaker() -> None:
    params = programme(warm_up_repetitions=1, warm_up_share=0.5)
    assert max(row[0] or 0.0 for _, row in currents_ma(params, READY_S + 4.0)) == 10.0


def test_a_current_rises_no_faster_than_the_limits_whatever_the_ramp() -> None:
    quick = dataclasses.replace(EXTENSORS, ramp_up_s=0.001, current_ma=90.0, current_max_ma=90.0)
    rows = [(t_s, row[0] or 0.0) for t_s, row in currents_ma(programme(quick), READY_S + 2.0)]
    for i, (_, now_ma) in enumerate(rows):
        assert now_ma - (rows[i - 1][1] if i else 0.0) <= 1.0
        assert now_ma - rows[max(0, i - 50)][1] <= 40.0
    assert rows[-1][1] == 90.0


@pytest.mark.parametrize("wanted_ma", [float("inf"), 1e9])
def test_a_silly_wish_still_rises_slowly(wanted_ma: float) -> None:
    soft = SoftCurrent(0.5, 1.0, 40.0)
    assert soft.move(3600.0, wanted_ma) <= 1.0
    assert soft.move(-1.0, wanted_ma) <= 1.0


def test_a_fall_is_not_slowed_and_less_that_was_let_through_is_taken_over() -> None:
    soft = SoftCurrent(0.5, 1.0, 40.0)
    for _ in range(100):
        soft.move(0.005, 20.0)
    assert soft.current_ma == 20.0
    soft.correct(7.0)
    assert soft.move(0.005, 20.0) <= 8.0
    assert soft.move(0.005, 3.0) == 3.0


def test_a_blocked_frame_lets_the_current_rise_anew() -> None:
    core = ExerciseCore(programme())
    list(run(core, READY_S + 2.0))
    blocked = TickInputs(applied=(Applied(1, (None,), "blocked", "test"),), scope="walk")
    after = core.step(round((READY_S + 2.0) * S), blocked).command.channels[0]
    assert after is None or after.current_ma <= 1.0


def test_the_intensity_follows_a_person_within_the_persons_maximum() -> None:
    core = ExerciseCore(programme())
    for wanted_ma, set_ma in ((22.0, 22.0), (99.0, 30.0), (-5.0, 0.0)):
        core.step(0, TickInputs(exercise=(ExerciseRequest("intensity", "wrist-extensors", wanted_ma),)))
        assert core.seen().muscles[0].set_ma == set_ma
    core.step(0, TickInputs(exercise=(ExerciseRequest("intensity", "quadriceps", 5.0),)))
    assert core.seen().muscles[0].set_ma == 0.0


def test_however_often_an_intensity_is_raised_it_takes_effect_slowly_and_falls_at_once() -> None:
    """Twenty requests of 2 mA each in 100 ms of a contraction, each of them from two consoles."""
    core = ExerciseCore(programme(dataclasses.replace(EXTENSORS, current_ma=10.0, hold_s=10.0)))
    begin_s, given_ma = READY_S + 2.0, []
    list(run(core, begin_s))
    for k in range(20):
        wanted = ExerciseRequest("intensity", "wrist-extensors", 10.0 + 2.0 * k)
        inputs = dataclasses.replace(AT_WORK, exercise=(wanted, wanted))
        list(run(core, 0.005, begin_s + 0.005 * k, inputs))
    assert core.seen().muscles[0].set_ma == 30.0
    for t_s, decision in run(core, 5.0, begin_s + 0.1):
        (channel,) = decision.command.channels
        assert channel is not None
        given_ma.append(channel.current_ma)
        assert channel.current_ma <= 10.0 + SETTING_RISE_MA_PER_S * (t_s + 0.005 - begin_s) + 1e-6
    assert max(given_ma) >= 19.5
    fall = dataclasses.replace(AT_WORK, exercise=(ExerciseRequest("intensity", "wrist-extensors", 5.0),))
    (channel,) = core.step(round((begin_s + 5.1) * S), fall).command.channels
    assert channel is not None
    assert channel.current_ma == 5.0


@pytest.mark.parametrize("wanted_ma", [math.nan, math.inf, -math.inf, -0.0])
def test_an_intensity_that_is_no_current_never_exceeds_the_persons_maximum(wanted_ma: float) -> None:
    core = ExerciseCore(programme())
    list(run(core, READY_S + 2.0))
    wanted = ExerciseRequest("intensity", "wrist-extensors", wanted_ma)
    for _, decision in run(core, 0.5, READY_S + 2.0, dataclasses.replace(AT_WORK, exercise=(wanted,))):
        (channel,) = decision.command.channels
        assert channel is None or 0.0 < channel.current_ma <= 22.0


@pytest.mark.parametrize("late_s", [0.1, 3.0, 1e4])
def test_a_late_tick_or_a_clock_that_jumps_makes_no_current_rise_at_once(late_s: float) -> None:
    core = ExerciseCore(programme())
    *_, (_, last) = run(core, READY_S + 0.2)
    (before,) = last.command.channels
    (after,) = core.step(round((READY_S + 0.2 + late_s) * S), AT_WORK).command.channels
    assert before is not None
    assert after is None or after.current_ma <= before.current_ma + 1.0
    (back,) = core.step(S, AT_WORK).command.channels  # and backwards
    assert back is None or back.current_ma <= before.current_ma + 2.0


def test_a_person_pauses_goes_on_and_skips_a_rest() -> None:
    core = ExerciseCore(programme())
    list(run(core, READY_S + 3.6))
    assert core.timeline.phase == "rest"
    now_ns = round((READY_S + 3.6) * S)
    for op, phase in (("skip", "ready"), ("pause", "paused"), ("go_on", "ready")):
        core.step(now_ns, dataclasses.replace(AT_WORK, exercise=(ExerciseRequest(op),)))  # type: ignore[arg-type]
        assert core.timeline.phase == phase


def test_where_the_guard_gives_less_the_view_and_the_reason_say_so_until_the_next_contraction() -> None:
    core = ExerciseCore(programme())
    less = TickInputs(applied=(Applied(1, (None,), "reduced", "20 to 5 mA by the stage"),), scope="walk")
    early = core.step(0, less)  # no contraction asked for anything
    assert early.view.exercise is not None
    assert early.view.exercise.held == ""
    list(run(core, READY_S + 1.0, 0.005))
    held = core.step(round((READY_S + 1.005) * S), less)
    assert held.view.exercise is not None
    assert held.view.exercise.held == "20 to 5 mA by the stage"
    assert held.reason == "contraction: wrist-extensors; the guard gives less: 20 to 5 mA by the stage"
    said = {decision.view.exercise.held for _, decision in run(core, 5.4, READY_S + 1.01)}  # type: ignore[union-attr]
    assert said == {"20 to 5 mA by the stage"}
    *_, (_, last) = run(core, 0.2, READY_S + 6.41)
    assert core.timeline.phase == "on"
    assert last.view.exercise is not None
    assert last.view.exercise.held == ""


def contractions(core: ExerciseCore) -> list[int]:
    return [muscle.contractions for muscle in core.seen().muscles]


@pytest.mark.parametrize(
    ("pulsed", "pause_s", "counted"),
    [((0, 1), None, [1, 1]), ((1,), None, [0, 1]), ((), None, [0, 0]), ((0, 1), 6.0, [0, 0])],
)
def test_a_contraction_counts_once_its_repetition_is_given_where_the_muscle_had_a_pulse(
    pulsed: tuple[int, ...], pause_s: float | None, counted: list[int]
) -> None:
    """The second muscle's part ends at 6.5 s: a pause before that breaks both off, the first one's too."""
    core = ExerciseCore(programme(EXTENSORS, FLEXORS))
    list(run(core, READY_S + 1.0))
    pulses = tuple(PulseGiven(channel, round((READY_S + 0.5) * S), 10.0, 300.0) for channel in pulsed)
    core.step(round((READY_S + 1.0) * S), dataclasses.replace(AT_WORK, pulses=pulses))
    assert contractions(core) == [0, 0]
    list(run(core, 5.0, READY_S + 1.005))
    if pause_s is not None:
        paused = dataclasses.replace(AT_WORK, exercise=(ExerciseRequest("pause"),))
        core.step(round((READY_S + pause_s) * S), paused)
    list(run(core, 1.0, READY_S + 6.01))
    assert contractions(core) == counted
    late = tuple(PulseGiven(channel, round((READY_S + 0.5) * S), 10.0, 300.0) for channel in (0, 1))
    core.step(round((READY_S + 7.1) * S), dataclasses.replace(AT_WORK, pulses=late))
    assert contractions(core) == counted


def test_the_first_interval_of_a_hold_is_the_doublet() -> None:
    plan = dataclasses.replace(EXTENSORS, doublet_ms=20.0)
    core = ExerciseCore(programme(plan))
    list(run(core, READY_S + 1.5))
    rates = []
    for k, pulsed in enumerate((False, True, False, True, False)):
        now_ns = round((READY_S + 1.5) * S) + k * TICK_NS
        pulses = (PulseGiven(0, now_ns - 1, 20.0, 300.0),) if pulsed else ()
        command = core.step(now_ns, dataclasses.replace(AT_WORK, pulses=pulses)).command.channels[0]
        assert command is not None
        rates.append(command.rate_hz)
    assert rates == [40.0, 50.0, 50.0, 40.0, 40.0]


@pytest.mark.parametrize("again", [copy.deepcopy, lambda core: pickle.loads(pickle.dumps(core))])
def test_a_copy_and_a_pickle_go_on_as_it_would(again) -> None:  # type: ignore[no-untyped-def]
    core = ExerciseCore(programme(EXTENSORS, FLEXORS))
    list(run(core, READY_S + 1.0))
    other = again(core)
    for (_, one), (_, two) in zip(run(core, 8.0, READY_S + 1.0), run(other, 8.0, READY_S + 1.0), strict=True):
        assert one == two


def test_the_command_is_what_the_stimulator_is_told() -> None:
    core = ExerciseCore(programme())
    *_, (_, last) = run(core, READY_S + 2.0)
    assert last.command.channels[0] == ChannelCommand(20.0, 300.0, 40.0)
    assert last.command.lifetime_ms == 60.0
