"""Every rung of the fallback ladder by an injected fault, and what the recording's figures say of it."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

from controller.analysis.arm_columns import ArmData, rung_changes, rung_seconds
from controller.analysis.arms import read_arms
from controller.analysis.report.page import report_html
from controller.core.control.fallback import RUNGS
from controller.core.signals import TickInputs
from controller.record.records import Record, Tick
from controller.simulation.closed_loop import EPOCH_NS, TICK_S, Rehearsal
from drivers.interface import ImuSample
from models.gait import Activity
from models.patient import VirtualPatient
from tests.core.control.numbers import params
from tests.record.made import SESSION, write

UNEVEN_S = 20.0  # from here quick, slow and quick again: no ordinary strides, until they are even again
WALK = (
    Activity("stand", 4.0),
    Activity("walk", UNEVEN_S - 4.0, 0.7, 1.6),
    *(Activity("walk", 4 * stride_s, 0.7, stride_s) for stride_s in (0.8, 1.8, 0.8)),
    Activity("walk", 1e3, 0.7, 1.6),
)
RISE_MA = params("learning").pulse.rise_ma_per_tick


class Silences:
    """Sensors that say nothing between two times each."""

    def __init__(self) -> None:
        self.spans: list[tuple[str, float, float]] = []

    def __call__(self, sample: ImuSample) -> ImuSample | None:
        at_s = (sample.t_ns - EPOCH_NS) / 1e9
        mute = any(sample.sensor == who and a <= at_s < b for who, a, b in self.spans)
        return None if mute else sample


def into_swing(walk: Rehearsal, from_s: float) -> float:
    """Walk on until 60 ms into a swing with current."""
    walk.walk(from_s)
    while not (walk.trace[-1].decision.view.swing and (walk.trace[-1].current_ma or 0.0) > 5.0):
        walk.walk((walk.ticks + 1) * TICK_S)
    walk.walk((walk.ticks + 12) * TICK_S)
    return walk.ticks * TICK_S


@pytest.fixture(scope="module")
def recording(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One walk with four faults: shank silent, foot silent for 85 ms, foot silent for 300 ms, odd strides."""
    faults = Silences()
    walk = Rehearsal(params("learning"), VirtualPatient(seed=4, schedule=WALK), faults)
    for from_s, sensor, seconds in ((12.0, "shank", 0.5), (14.0, "foot", 0.085), (17.0, "foot", 0.3)):
        at_s = into_swing(walk, from_s)
        faults.spans.append((sensor, at_s, at_s + seconds))
    walk.walk(38.0)
    entries: list[tuple[str, int, Record]] = []
    for number, point in enumerate(walk.trace):
        now_ns = EPOCH_NS + round(point.time_s * 1e9)
        entries.append(("tick", now_ns, Tick(now_ns, number, number, 0.0, 0.0, TickInputs(), point.decision)))
    return write(
        tmp_path_factory.mktemp("rungs") / "a.mcap", *entries, session={**SESSION, "core_params": "{}"}
    )


@pytest.fixture(scope="module")
def arm(recording: Path) -> ArmData:
    (only,) = read_arms(recording)
    return only


def test_each_fault_brings_its_rung_and_the_ladder_is_climbed_again(arm: ArmData) -> None:
    fallen = [
        change for change in rung_changes(arm.ticks) if RUNGS.index(change.after) > RUNGS.index(change.before)
    ]
    assert {"one sensor", "learned command", "trapezoid", "off"} == {change.after for change in fallen}
    uneven_ns = EPOCH_NS + int(UNEVEN_S * 1e9)
    assert {change.after for change in fallen if change.t_ns > uneven_ns} == {"trapezoid"}
    assert arm.ticks.rung[np.isfinite(arm.ticks.rung)][-1] == RUNGS.index("two sensors")


def test_no_change_of_rung_moves_the_current_by_more_than_it_may_rise(arm: ArmData) -> None:
    changes = rung_changes(arm.ticks)
    assert len(changes) >= 6
    for change in changes:
        assert change.step_ma <= RISE_MA
        if (
            change.after != "off"
        ):  # a silent leading sensor ends the pulses at once: decreases are never limited
            assert change.step_ma >= -RISE_MA


def test_the_ladder_is_climbed_in_a_closed_window_alone(arm: ArmData) -> None:
    for change in rung_changes(arm.ticks):
        if RUNGS.index(change.after) < RUNGS.index(change.before):
            assert change.current_ma - change.step_ma == 0.0


def test_the_time_on_the_rungs_is_the_time_current_might_flow(arm: ArmData) -> None:
    seconds = rung_seconds(arm.ticks)
    assert all(spent > 0.0 for spent in seconds.values())
    assert 0.25 < seconds["one sensor"] < 1.5  # until its window closed
    assert seconds["off"] == pytest.approx(
        0.2, abs=0.1
    )  # 300 ms of silence, of which 100 ms are fresh enough
    known = sum(b - a for a, b in pairwise([*arm.ticks.now_ns]) if b - a) / 1e9
    assert sum(seconds.values()) < known


def test_the_report_gives_the_time_below_each_rung_and_names_every_change(
    recording: Path, arm: ArmData
) -> None:
    html = report_html(recording)
    below = sum(spent for rung, spent in rung_seconds(arm.ticks).items() if rung != "two sensors")
    assert (
        f"<td>two sensors</td><td>{rung_seconds(arm.ticks)['two sensors']:.1f}</td><td>{below:.1f}</td>"
        in html
    )
    for words in (
        "the shank&#39;s sensor is not heard",
        "the events are uncertain",
        "foot&#39;s pitch is not known",
    ):
        assert words in html


def test_the_report_says_what_was_learned_and_why_strides_taught_nothing(
    recording: Path, arm: ArmData
) -> None:
    html = report_html(recording)
    last = arm.lessons[-1]
    assert last.strides_learned >= 5
    assert last.learning_bound is not None
    assert f"<td>strides that taught</td><td>{last.strides_learned}</td>" in html
    assert f"last {last.believed_gain:.2f}</td>" in html
    assert "taught nothing: samples were missing" in html
    assert "calm calf has none)</td><td>0.0" in html
    assert last.response_share is None  # so few strides do not show the rested muscle
    assert "rested muscle&#39;s</td><td>–</td>" in html
