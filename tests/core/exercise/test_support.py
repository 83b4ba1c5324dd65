"""Support that withdraws, in virtual time: the stimulator's own log shows less as the person does more."""

from __future__ import annotations

from pathlib import Path

import pytest

from controller.commands.exercise import virtual_session_text
from controller.config.exercise import load_exercise
from controller.core.exercise.timeline import READY_S
from tests.core.exercise.virtual import programme_run

PROGRAMME = """
[programme]
title = "As needed"
kind = "emg-triggered"
aim = "Support that withdraws."
source = "A test"

[[contractions]]
muscle = "wrist-extensors"
width_us = 250.0
rate_hz = 30.0
ramp_up_s = 0.5
hold_s = 1.0
ramp_down_s = 0.5

[repetitions]
count = 4
rest_s = 2.5

[emg]
threshold_percent = 20.0
release_percent = 10.0
withdraws = true
floor_percent = {floor}
ceiling_percent = {ceiling}
goal_percent = {goal}
"""
STEP_MA = 0.5


@pytest.mark.parametrize(
    ("floor", "ceiling", "goal", "supports"),
    [
        (
            75,
            100,
            5,
            [1.0, 0.9, 0.81, 0.75],
        ),  # the goal is reached: a tenth less each time, down to the floor
        (20, 80, 100, [0.8, 0.8, 0.8, 0.8]),  # far from it: as much as the ceiling allows
    ],
)
def test_the_current_of_each_contraction_is_the_supports_share(
    tmp_path: Path, floor: int, ceiling: int, goal: int, supports: list[float]
) -> None:
    programme, session = tmp_path / "programme.toml", tmp_path / "session.toml"
    programme.write_text(PROGRAMME.format(floor=floor, ceiling=ceiling, goal=goal))
    session.write_text(virtual_session_text(programme))
    run = programme_run(load_exercise(session), repetitions=4)
    most_ma: list[float] = []
    last_s = 0.0
    run.run(60.0)
    for given in run.given():
        if given.t_s < READY_S:
            continue  # the electrodes' test
        if given.t_s - last_s > 1.0:
            most_ma.append(0.0)
        last_s = given.t_s
        most_ma[-1] = max(most_ma[-1], *(current_ma for _, current_ma in given.points))
    run.close()
    assert run.trips == []
    set_ma = run.params.muscles[0].current_ma
    assert most_ma == pytest.approx([support * set_ma for support in supports], abs=STEP_MA)
    shares = [view.own_share for view in run.core.seen().emg]
    assert all(share is not None and 0.0 < share < 1.0 for share in shares)
