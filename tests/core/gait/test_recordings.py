"""The detector on real recordings: every contact, nothing invented, whatever the mounting, and the same in
pieces.
"""

from __future__ import annotations

import copy
import pickle
from dataclasses import replace

import numpy as np
import pytest

from benchmarks.gait import (
    DAMAGES,
    Damage,
    Leg,
    damaged,
    detect,
    score,
    without_swing,
)
from benchmarks.lifted import pulses
from benchmarks.walks import Walk
from controller.core.gait.detector import GaitDetector
from controller.core.signals import GaitEvent
from tests.core.gait.runs import FEET, STAIRS, TREADMILL, WALKWAY, run_of
from tests.data import DATA, needs_data


def feed(detector: GaitDetector, leg: Leg, start: int, stop: int) -> list[GaitEvent]:
    events: list[GaitEvent] = []
    for i in range(start, stop):
        events += detector.update(
            round(leg.time_s[i] * 1e9), tuple(leg.acc_mps2[i].tolist()), tuple(leg.gyr_rps[i].tolist())
        )
    return events


@needs_data
def test_walkway_contacts_are_all_found_early_and_evenly_and_none_invented() -> None:
    scores = [score(leg, run_of(leg.name).events) for leg in WALKWAY]
    assert sum(one.missed for one in scores) == 0
    assert sum(one.extra for one in scores) == 0
    p50, p95 = np.percentile(np.concatenate([one.latency_ms for one in scores]), (50, 95))
    assert p50 <= 45
    assert p95 <= 80
    assert max(one.mad_ms for one in scores) <= 12
    assert np.percentile(np.concatenate([one.deviation_ms for one in scores]), 95) <= 25


@needs_data
@pytest.mark.parametrize("how", DAMAGES)
def test_a_bad_radio_clock_sensor_or_strap_costs_at_most_one_contact_in_a_hundred(how: Damage) -> None:
    """The most affected legs and one foot; the benchmark takes every recording."""
    legs = [leg for leg in WALKWAY if leg.name in ("S22 left", "S24 left", "S28 right")] + FEET[:1]
    scores = [score(leg, detect(damaged(leg, how))) for leg in legs]
    assert sum(one.missed for one in scores) <= 1
    assert sum(one.extra for one in scores) <= 1


@needs_data
def test_no_event_is_dated_after_its_emission() -> None:
    for leg in (*WALKWAY, *FEET):
        assert all(event.t_ns <= event.emitted_ns for event in run_of(leg.name).events)


@needs_data
@pytest.mark.parametrize("rate_hz", [50.0, 400.0])
def test_contacts_are_found_at_any_usual_rate(rate_hz: float) -> None:
    for leg in (WALKWAY[10], WALKWAY[12]):
        times = np.arange(leg.time_s[0], leg.time_s[-1], 1.0 / rate_hz)
        acc, gyr = (
            np.column_stack([np.interp(times, leg.time_s, column) for column in values.T])
            for values in (leg.acc_mps2, leg.gyr_rps)
        )
        found = score(leg, detect(replace(leg, time_s=times, acc_mps2=acc, gyr_rps=gyr)))
        assert (found.missed, found.extra) == (0, 0)


@needs_data
@pytest.mark.parametrize("leg", FEET, ids=lambda leg: leg.name)
def test_foot_events_agree_with_motion_capture(leg: Leg) -> None:
    events = run_of(leg.name).events
    contact, toe_off = score(leg, events), score(leg, events, "toe_off")
    assert contact.missed == toe_off.missed == contact.extra == toe_off.extra == 0
    assert np.median(np.abs(contact.error_ms)) <= 15
    assert np.median(contact.latency_ms) <= 40
    assert np.median(np.abs(toe_off.error_ms)) <= 15
    assert np.median(toe_off.latency_ms) <= 60


@needs_data
@pytest.mark.parametrize("leg", TREADMILL, ids=lambda leg: leg.name)
def test_durations_agree_with_light_barriers(leg: Leg) -> None:
    events = run_of(leg.name).events
    for kind in ("initial_contact", "toe_off"):
        found = score(leg, events, kind)
        assert (found.missed, found.extra) == (0, 0)
    contacts, toe_offs = (
        np.array([event.t_ns * 1e-9 for event in events if event.kind == kind])
        for kind in ("initial_contact", "toe_off")
    )

    def nearest(times: np.ndarray, t: float) -> float:
        return float(times[np.argmin(np.abs(times - t))])

    off = []
    for start, end in zip(leg.contacts, leg.contacts[1:], strict=False):
        inside = leg.toe_offs[(leg.toe_offs > start) & (leg.toe_offs < end)]
        if len(inside) == 1 and end - start < 2.0:
            ours = nearest(contacts, start), nearest(toe_offs, inside[0]), nearest(contacts, end)
            off.append(
                (
                    ours[2] - ours[0] - (end - start),
                    ours[1] - ours[0] - (inside[0] - start),
                    ours[2] - ours[1] - (end - inside[0]),
                )
            )
    assert len(off) > 80
    assert np.all(np.median(np.abs(off), axis=0) <= 0.020)


@needs_data
def test_stairs_and_the_steps_before_and_after_them_start_stimulation_at_most_twice() -> None:
    """Each of the four begins with one or two steps on the level, which may be taken for setting off, and
    ends with as many; 77 steps in all."""
    assert sum(len(run_of(leg.name).starts_s) for leg in STAIRS) <= 2


@needs_data
@pytest.mark.parametrize("leg", [*TREADMILL[:1], *FEET[1:]], ids=lambda leg: leg.name)
def test_a_gyroscope_that_is_off_costs_no_stimulation(leg: Leg) -> None:
    off = starts(damaged(leg, "gyroscope 5 deg/s off about each axis"))
    assert abs(off - starts(leg)) <= 1


def starts(leg: Leg) -> int:
    """How often pulses begin."""
    none = np.array([])
    walk = Walk("", leg.name, "", leg.segment, leg.side, leg.time_s, leg.acc_mps2, leg.gyr_rps, (), none)
    on = pulses(walk).on
    return int(np.sum(on[1:] & ~on[:-1]))


@needs_data
def test_hardly_any_stimulation_starts_in_a_turn_without_a_swing() -> None:
    false = [without_swing(leg, run_of(leg.name).starts_s) for leg in WALKWAY]
    assert sum(len(starts) for starts in false) <= 1


@needs_data
def test_confidence_means_the_same_for_every_event_and_stays_between_0_and_1() -> None:
    for leg in (*WALKWAY, *FEET):
        events = run_of(leg.name).events
        assert all(0.0 <= event.confidence <= 1.0 for event in events)
        for kind in ("initial_contact", "foot_flat", "heel_off", "toe_off"):
            assert np.median([event.confidence for event in events if event.kind == kind]) > 0.8


@needs_data
def test_mounting_changes_nothing() -> None:
    leg = WALKWAY[10]
    turn, _ = np.linalg.qr(np.random.default_rng(7).normal(size=(3, 3)))
    turn *= np.sign(np.linalg.det(turn))
    turned = replace(leg, acc_mps2=leg.acc_mps2 @ turn, gyr_rps=leg.gyr_rps @ turn)
    assert [(e.kind, e.emitted_ns) for e in detect(turned)] == [
        (e.kind, e.emitted_ns) for e in run_of(leg.name).events
    ]


@needs_data
@pytest.mark.parametrize("leg", [WALKWAY[12], FEET[0]] if DATA.is_dir() else [], ids=lambda leg: leg.name)
def test_a_run_in_two_pieces_equals_one_run(leg: Leg) -> None:
    half = len(leg.time_s) // 2
    whole = run_of(leg.name).events
    first = GaitDetector(leg.segment, leg.side)
    before = feed(first, leg, 0, half)
    assert before == [event for event in whole if event.emitted_ns <= round(leg.time_s[half - 1] * 1e9)]
    for second in (pickle.loads(pickle.dumps(first)), copy.deepcopy(first)):
        assert before + feed(second, leg, half, len(leg.time_s)) == whole
