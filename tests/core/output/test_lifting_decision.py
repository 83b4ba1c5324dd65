"""The decision to lift: every swing of a walk, the first and those of turns, and no standing leg."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from benchmarks.lifted import covered, pulses
from benchmarks.movements import backward
from benchmarks.walks import Swing, Walk, treadmill, walkway
from controller.core.gait.detector import GaitDetector
from controller.core.output.lifting_decision import STILL_S, judge
from controller.core.params import Readiness
from drivers.interface import Segment
from models.gait import Activity
from models.patient import VirtualPatient
from models.patient_params import PatientParams
from tests.data import needs_data

STEP_NS = 10_000_000
SHAKES = ("still", "thrown", "turned", "dead")
WALK = (Activity("stand", 4.0), Activity("walk", 12.0), Activity("stand", 6.0))


def verdicts(
    segment: Segment, readiness: Readiness, until_s: float = 22.0
) -> tuple[list[tuple[float, str, str]], VirtualPatient]:
    """Time (s), what speaks against a lift and what is in doubt, after each sample."""
    patient = VirtualPatient(replace(PatientParams(), cadence_cv=0.02), seed=3, schedule=WALK)
    detector, told = GaitDetector(segment, "left"), []
    for t_ns in range(0, round(until_s * 1e9), STEP_NS):
        _, acc, gyr = patient.imu(segment, t_ns * 1e-9)
        detector.update(t_ns, acc, gyr)
        verdict = judge(t_ns, detector, readiness, level=False)
        told.append((t_ns * 1e-9, verdict.against, verdict.doubt))
    return told, patient


@pytest.mark.parametrize("segment", ["foot", "shank"])
def test_nothing_speaks_against_any_swing_of_a_walk_and_the_first_is_in_doubt(segment: Segment) -> None:
    told, patient = verdicts(segment, "balanced")
    swings = [s for s in patient.strides() if s.toe_off_s > 4.0]
    assert len(swings) > 6
    for swing in swings:
        inside = [t for t in told if swing.toe_off_s + 0.05 < t[0] < swing.next_initial_contact_s - 0.02]
        assert not any(against for _, against, _ in inside), swing
    landed_s = patient.strides()[0].initial_contact_s
    first = [t for t in told if landed_s - 0.35 < t[0] < landed_s - 0.1]
    assert {(against, doubt) for _, against, doubt in first} == {("", "first step")}


@pytest.mark.parametrize("segment", ["foot", "shank"])
def test_a_leg_that_stands_is_not_lifted_and_the_reason_says_so(segment: Segment) -> None:
    told, _ = verdicts(segment, "balanced", 4.0)
    assert {against for t_s, against, _ in told if t_s > 1.0} == {"standing still"}


def test_a_rest_is_standing_after_its_time_and_not_before() -> None:
    detector, against = GaitDetector("shank", "left"), {}
    for k in range(60):
        detector.update(k * STEP_NS, (0.0, 0.0, 9.81), (0.0, 0.0, 0.0))
        against[k] = judge(k * STEP_NS, detector, "balanced", level=False).against
    last = round(STILL_S * 1e9) // STEP_NS
    assert (against[last - 1], against[last + 1]) == ("", "standing still")


def test_silence_speaks_against_a_lift() -> None:
    detector = GaitDetector("shank", "left")
    assert judge(0, detector, "eager", level=False).against == "no samples"
    detector.update(0, (0.0, 0.0, 9.81), (0.0, 0.0, 0.0))
    assert judge(299_000_000, detector, "balanced", level=False).against == ""
    assert judge(301_000_000, detector, "balanced", level=False).against == "no samples"


def test_a_cautious_decision_waits_for_what_a_balanced_one_lifts_in_doubt() -> None:
    cautious, _ = verdicts("shank", "cautious")
    balanced, _ = verdicts("shank", "balanced")
    assert all(c[1] or not b[1] for c, b in zip(cautious, balanced, strict=True))
    assert any(c[1] == "first step" and not b[1] for c, b in zip(cautious, balanced, strict=True))


def shaken(walk: Walk, how: str, seed: int) -> Walk:
    """0.2 s of something else before the walk."""
    rng, step_s = np.random.default_rng(seed), float(np.median(np.diff(walk.time_s)))
    n = round(0.2 / step_s)
    way = rng.standard_normal((1, 3))
    acc = np.tile(9.81 * way / np.linalg.norm(way), (n, 1))
    gyr = np.tile(0.1 * rng.standard_normal((1, 3)), (n, 1))
    if how == "thrown":
        acc, gyr = 30.0 * rng.standard_normal((n, 3)), 10.0 * rng.standard_normal((n, 3))
    elif how == "turned":
        gyr = np.linspace(-1.0, 1.0, n)[:, None] * 5.0 * rng.standard_normal((1, 3))
    elif how == "dead":
        acc, gyr = np.zeros((n, 3)), np.zeros((n, 3))
    return replace(
        walk,
        time_s=np.concatenate([walk.time_s[0] + step_s * np.arange(-n, 0), walk.time_s]),
        acc_mps2=np.concatenate([acc, walk.acc_mps2]),
        gyr_rps=np.concatenate([gyr, walk.gyr_rps]),
    )


def virtual_walk(segment: Segment, seed: int) -> Walk:
    """A walk that a session meets when it is under way: no standing before it."""
    body = replace(PatientParams(), cadence_cv=0.02)
    patient = VirtualPatient(body, seed=seed, schedule=(Activity("walk", 20.0),))
    blocks, strides = [], {}
    for second in range(18):
        blocks.append(patient.imu_block(segment, second, 100, 100.0))
        strides |= {stride.initial_contact_s: stride for stride in patient.strides()}
    rows = np.concatenate(blocks)
    swings = [
        Swing("straight", stride.toe_off_s, stride.next_initial_contact_s, stride.initial_contact_s)
        for _, stride in sorted(strides.items())
        if stride.next_initial_contact_s < 17.9
    ]
    time_s = np.arange(len(rows)) / 100.0
    return Walk(
        "virtual", str(seed), str(seed), segment, "left", time_s, rows[:, 4:7], rows[:, 7:10],
        tuple(swings), np.array([]),
    )  # fmt: skip


@pytest.mark.parametrize("how", SHAKES)
@pytest.mark.parametrize("segment", ["foot", "shank"])
def test_whatever_the_sensor_felt_before_a_walk_every_swing_after_five_strides_is_lifted(
    segment: Segment, how: str
) -> None:
    """The way the limb swings is found anew: a hand that puts the sensor on must not shut the leg off."""
    for seed in (1, 2, 3):
        walk = virtual_walk(segment, seed)
        assert len(walk.swings) > 9
        for number in range(3):
            given = pulses(shaken(walk, how, number))
            assert all(covered(swing, given) for swing in walk.swings[5:]), (seed, number)


@needs_data
def test_of_the_recorded_walks_every_swing_is_lifted() -> None:
    """Elderly and hemiparetic shanks on the walkway: 419 swings, the first of each pass among them."""
    missed = [
        (walk.name, walk.side, swing.contact_s)
        for walk in walkway()
        for given in [pulses(walk)]
        for swing in walk.swings
        if not covered(swing, given)
    ]
    assert missed == []


@needs_data
def test_a_slow_roll_before_the_walk_shuts_no_leg_off() -> None:
    """The right foot of this walk had not one of its 139 swings lifted; begun 3 s later, all."""
    walk = next(w for w in treadmill("foot") if (w.name, w.side) == ("pp04_2Reg", "right"))
    given = pulses(walk)
    assert sum(covered(swing, given) for swing in walk.swings) >= 0.99 * len(walk.swings)


@needs_data
@pytest.mark.parametrize(("segment", "name"), [("shank", "E01"), ("shank", "E02"), ("foot", "pp11_1Reg")])
def test_a_person_who_walks_backward_gets_hardly_a_pulse(segment: Segment, name: str) -> None:
    walk = next(w for w in backward(segment) if w.name == name)
    given, (begin_s, _) = pulses(walk), walk.silent_s[0]
    late = given.time_s > begin_s
    assert np.mean(given.on[given.time_s < begin_s - 1.0]) > 0.3
    assert np.mean(given.on[late]) < 0.05
    assert any("moving backward" in why for why, now in zip(given.why, late, strict=True) if now)
