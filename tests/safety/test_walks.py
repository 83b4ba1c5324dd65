"""The plausibility monitor on virtual patients who walk, with and without faults."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import cache

import pytest

from controller.config import core_params, load_session
from controller.demo import DEMO_SESSION
from controller.rehearsal import EPOCH_NS, Rehearsal
from controller.safety.plausibility import TRIP_STRIDES, Finding, Plausibility
from drivers.interface import ImuSample
from models.cohort import cohort_patient
from models.patient import VirtualPatient
from tests.safety.test_plausibility import SEGMENTS, stamp

SECONDS = 45.0
LOSS_S = 20.0
BASELINE_S = 10.0
Change = Callable[[ImuSample], ImuSample]


@cache
def walked(number: int, loss_s: float) -> tuple[list[ImuSample], list[tuple[float, float, float]]]:
    """Samples and pulses of a cohort patient under the demo's trapezoid; no current after ``loss_s``."""
    member = cohort_patient(number)
    params = core_params(load_session(DEMO_SESSION), "trapezoid")
    threshold_ma = member.params.recruitment.i50_ma * member.params.electrode_gain
    params = replace(
        params,
        placements=tuple(replace(place, side=member.params.side) for place in params.placements),
        envelope=replace(
            params.envelope, current_ma=min(1.3 * threshold_ma, 0.95 * member.params.comfort_ma)
        ),
        pulse=replace(params.pulse, current_max_ma=member.params.comfort_ma),
    )
    patient = VirtualPatient(member.params, member.seed, member.schedule(SECONDS))
    samples: list[ImuSample] = []

    def keep(sample: ImuSample) -> ImuSample:
        samples.append(sample)
        return sample

    rehearsal = Rehearsal(params, patient, keep)
    rehearsal.walk(min(loss_s, SECONDS))
    patient.params = replace(member.params, electrode_gain=3.0)  # the pad hangs off: no fibre answers
    rehearsal.walk(SECONDS)
    return samples, rehearsal.pulses


def watched(
    number: int, loss_s: float = SECONDS, change: Change = lambda sample: sample
) -> list[tuple[float, Finding]]:
    samples, pulses = walked(number, loss_s)
    return watch_over(number, samples, pulses, change)


def watch_over(
    number: int,
    samples: list[ImuSample],
    pulses: list[tuple[float, float, float]],
    change: Change = lambda sample: sample,
) -> list[tuple[float, Finding]]:
    monitor = Plausibility(SEGMENTS, cohort_patient(number).params.comfort_ma)
    left = list(reversed(pulses))
    found = []
    for sample in samples:
        t_s = (sample.t_ns - EPOCH_NS) / 1e9
        while left and left[-1][0] <= t_s:
            monitor.pulse(left.pop()[1])
        given = change(sample)
        for finding in monitor.sample(stamp(given.sensor, given.t_ns, given.acc_mps2, given.gyr_rps)):
            found.append((t_s, finding))
    return found


@pytest.mark.parametrize("number", [0, 3])
def test_a_fault_free_walk_finds_nothing(number: int) -> None:
    assert watched(number) == []


@pytest.mark.parametrize("number", [0])
def test_an_electrode_that_comes_off_is_warned_of_and_then_trips(number: int) -> None:
    found = [(t_s, finding.kind, finding.fault) for t_s, finding in watched(number, LOSS_S)]
    assert [kind for _, kind, fault in found[:2] if fault == "F17"] == ["warning", "trip"]
    assert (
        LOSS_S < found[0][0] < found[1][0] < LOSS_S + TRIP_STRIDES * 2.2
    )  # slowest stride 1.7 s, two of entry


def test_sensors_on_the_other_leg_show_no_response_and_trip() -> None:
    """Their leg walks like the other, half a stride later, and no pulse ever reaches it."""
    samples, _ = walked(0, 0.0)  # a leg without current
    _, pulses = walked(0, SECONDS)
    found = watch_over(0, samples, [(t_s + 0.6, *rest) for t_s, *rest in pulses if t_s > BASELINE_S])
    assert [(finding.kind, finding.fault) for _, finding in found[:2]] == [
        ("warning", "F17"),
        ("trip", "F17"),
    ]
    assert found[1][0] < BASELINE_S + (TRIP_STRIDES + 2) * 2.2  # some strides have pulses of two


def test_swapped_sensors_are_found() -> None:
    other = {"foot": "shank", "shank": "foot"}
    found = watched(3, change=lambda sample: replace(sample, sensor=other[sample.sensor]))
    assert any(finding.fault == "F21" and "swapped" in finding.text for _, finding in found)


def test_a_sensor_that_has_turned_on_its_strap_is_loose() -> None:
    def turned(sample: ImuSample) -> ImuSample:
        if sample.sensor != "foot" or (sample.t_ns - EPOCH_NS) / 1e9 < LOSS_S:
            return sample
        ax, ay, az = sample.acc_mps2
        gx, gy, gz = sample.gyr_rps
        return replace(sample, acc_mps2=(ay, az, ax), gyr_rps=(gy, gz, gx))

    found = [(t_s, finding) for t_s, finding in watched(3, change=turned) if "loose" in finding.text]
    assert LOSS_S < found[0][0] < LOSS_S + 8.0
    assert found[0][1].fault == "F21"


def test_an_accelerometer_without_gravity_is_found_within_two_windows() -> None:
    found = watched(3, change=lambda sample: replace(sample, acc_mps2=(0.0, 0.0, 1.0)))
    assert "is not gravity" in found[0][1].text
    assert found[0][0] < 10.0
