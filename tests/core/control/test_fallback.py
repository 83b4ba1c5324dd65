"""The fallback ladder, rung by rung by an injected fault, and each change of current below the rise limit."""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import pairwise

import pytest

from controller.core.control.fallback import RUNGS, Ladder, Senses, reach
from controller.core.control.laws import LawOutput
from controller.core.output.stimulation import Stimulation
from controller.core.params import CoreParams
from controller.core.signals import GaitEvent
from controller.simulation.closed_loop import EPOCH_NS, Rehearsal
from drivers.interface import ImuSample
from models.patient import VirtualPatient
from tests.core.control.numbers import params

ALL = Senses(events=True, phase=True, foot=True, shank=True)
MS = 1_000_000


@pytest.mark.parametrize(
    ("missing", "rung"),
    [
        ({}, "two sensors"),
        ({"shank": False}, "one sensor"),
        ({"foot": False}, "learned command"),
        ({"foot": False, "shank": False}, "learned command"),
        ({"phase": False}, "trapezoid"),
        ({"events": False}, "off"),
    ],
)
def test_each_missing_sense_has_its_rung(missing: dict[str, bool], rung: str) -> None:
    assert reach(replace(ALL, **missing)) == rung


def test_it_goes_down_at_once_and_up_only_with_a_new_window() -> None:
    ladder = Ladder()
    assert ladder.stand(0, 0, ALL) == "two sensors"
    assert ladder.stand(5 * MS, 0, replace(ALL, shank=False)) == "one sensor"
    assert ladder.stand(10 * MS, 0, ALL) == "one sensor"
    assert ladder.stand(15 * MS, 0, replace(ALL, phase=False)) == "trapezoid"
    assert ladder.stand(900 * MS, 900 * MS, ALL) == "two sensors"


def test_a_change_of_rung_blends_for_a_while_and_the_current_then_moves_by_a_rise_at_most() -> None:
    ladder = Ladder()
    ladder.stand(0, 0, ALL)
    assert not ladder.blending(0)
    ladder.stand(5 * MS, 0, replace(ALL, phase=False))
    assert ladder.blending(5 * MS)
    assert ladder.blending(204 * MS)
    assert not ladder.blending(206 * MS)
    core = params("feedback")
    for blends, wanted_ma, given_ma in ((True, 2.0, 9.0), (False, 2.0, 2.0)):
        output = Stimulation(core)
        output.window.note(GaitEvent("toe_off", 0, 0), 0)
        for now_ms in range(0, 60, 5):
            output.give(now_ms * MS, LawOutput(wanted_ma=10.0), usual=True)
        assert output.first.current_ma == 10.0
        output.give(60 * MS, LawOutput(wanted_ma=wanted_ma, blends=blends), usual=True)
        assert output.first.current_ma == given_ma


def test_doubts_count_in_a_row_and_one_sure_event_ends_them() -> None:
    ladder = Ladder()
    ladder.doubt(doubtful=True)
    ladder.doubt(doubtful=True)
    assert ladder.doubts == 2
    ladder.doubt(doubtful=False)
    assert ladder.doubts == 0


@dataclass
class Silence:
    """One sensor says nothing between two times."""

    sensor: str
    from_s: float
    until_s: float

    def __call__(self, sample: ImuSample) -> ImuSample | None:
        at_s = (sample.t_ns - EPOCH_NS) / 1e9
        return None if sample.sensor == self.sensor and self.from_s <= at_s < self.until_s else sample


def walked(core: CoreParams, spoil: Silence | None, until_s: float) -> Rehearsal:
    rehearsal = Rehearsal(core, VirtualPatient(seed=4), spoil)
    rehearsal.walk(until_s)
    return rehearsal


def test_a_shank_that_falls_silent_leaves_one_sensor_feedback_and_comes_back_with_a_stride() -> None:
    core = params("learning")
    whole = walked(core, None, 16.0)
    mid_swing = next(
        p.time_s for p in whole.trace if p.time_s > 12.0 and p.decision.reason.startswith("swing")
    )
    walk = walked(core, Silence("shank", mid_swing + 0.03, mid_swing + 1.0), 18.0)
    rungs = [(p.time_s, p.decision.view.rung, p.current_ma) for p in walk.trace if p.current_ma is not None]
    low = [at for at, rung, _ in rungs if rung == "one sensor"]
    assert mid_swing < low[0] < mid_swing + 0.15
    assert any("one sensor" in p.decision.reason for p in walk.trace)
    assert rungs[-1][1] == "two sensors"
    ups = [b for (_, a, _), b in pairwise(rungs) if RUNGS.index(b[1]) < RUNGS.index(a)]
    assert ups
    opened = {p.time_s for a, p in pairwise(walk.trace) if a.current_ma is None and p.current_ma is not None}
    assert all(up[0] in opened for up in ups)
    at = next(n for n, (_, rung, _) in enumerate(rungs) if rung == "one sensor")
    assert abs((rungs[at][2] or 0.0) - (rungs[at - 1][2] or 0.0)) <= core.pulse.rise_ma_per_tick


def test_doubtful_events_leave_a_trapezoid_of_the_last_good_strides_without_a_jump() -> None:
    core = params("learning")
    rehearsal = walked(core, None, 20.0)
    while not rehearsal.trace[-1].decision.reason.startswith("swing"):
        rehearsal.walk(rehearsal.ticks * 0.005 + 0.005)
    rehearsal.walk(rehearsal.ticks * 0.005 + 0.1)
    before = rehearsal.trace[-1].current_ma
    rehearsal.core.laws.ladder.doubts = 2
    rehearsal.walk(rehearsal.ticks * 0.005 + 0.005)
    after = rehearsal.trace[-1]
    assert before is not None
    assert after.current_ma is not None
    assert abs(after.current_ma - before) <= core.pulse.rise_ma_per_tick
    assert "trapezoid from the last good strides" in after.decision.reason
    assert after.decision.view.rung == "trapezoid"


def test_a_foot_whose_attitude_was_lost_gets_the_learned_command_open_loop_until_it_has_stood() -> None:
    core = params("learning")
    heel_off_s = next(
        (event.t_ns - EPOCH_NS) / 1e9
        for point in walked(core, None, 14.0).trace
        for event in point.decision.events
        if event.kind == "heel_off" and point.time_s > 11.0
    )
    # longer than the orientation bridges, over before the swing
    walk = walked(core, Silence("foot", heel_off_s - 0.3, heel_off_s - 0.03), 16.0)
    after = [p for p in walk.trace if p.time_s > heel_off_s and p.current_ma is not None]
    after = [p for p in after if not p.decision.reason.startswith("primed")]
    swing = [p for p in after if p.time_s < heel_off_s + 0.6]
    assert {p.decision.view.rung for p in swing} == {"learned command"}
    assert all("open loop: foot pitch not known" in p.decision.reason for p in swing)
    assert max((p.current_ma or 0.0) for p in swing) > core.pulse.current_max_ma / 2
    steps = [(b.current_ma or 0.0) - (a.current_ma or 0.0) for a, b in pairwise(walk.trace)]
    assert max(steps) <= core.pulse.rise_ma_per_tick
    assert after[-1].decision.view.rung == "two sensors"


def test_a_silent_foot_is_off() -> None:
    walk = walked(params("learning"), Silence("foot", 12.0, 99.0), 13.0)
    assert walk.trace[-1].decision.reason == "foot sensor silent"
    assert walk.trace[-1].current_ma is None
