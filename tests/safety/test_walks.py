"""The plausibility monitor on virtual patients who walk, with and without faults."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import cache

import pytest

from controller.commands.run import DEMO_SESSION
from controller.config.core_params import core_params
from controller.config.session import load_session
from controller.core.signals import TickInputs
from controller.safety.judgement.plausibility import TRIP_STRIDES, Finding, Plausibility
from controller.simulation.closed_loop import EPOCH_NS, TICK_S, Rehearsal
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
    while not patient.strides():  # a first stride without current, as the course of a session has it
        rehearsal.tick(TickInputs(imu=rehearsal.arrivals(rehearsal.ticks * TICK_S), scope="nothing"))
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


def scaled(sensor: str, factor: float) -> Change:
    def change(sample: ImuSample) -> ImuSample:
        if sample.sensor != sensor:
            return sample
        x, y, z = sample.gyr_rps
        return replace(sample, gyr_rps=(factor * x, factor * y, factor * z))

    return change


@pytest.mark.parametrize("sensor", ["foot", "shank"])
@pytest.mark.parametrize("factor", [0.5, 2.0])
@pytest.mark.parametrize("number", [0, 3])
def test_a_gyroscope_at_half_or_double_scale_is_found_within_half_a_minute(
    number: int, sensor: str, factor: float
) -> None:
    found = watched(number, change=scaled(sensor, factor))
    at_s = next(t_s for t_s, finding in found if "the scale of a gyroscope is wrong" in finding.text)
    assert at_s < 30.0
    assert {finding.fault for _, finding in found} <= {"F17", "F21"}


@pytest.mark.parametrize("sensor", ["foot", "shank"])
@pytest.mark.parametrize("number", [0, 3])
def test_a_sensor_whose_samples_come_100_ms_late_is_found(number: int, sensor: str) -> None:
    def late(sample: ImuSample) -> ImuSample:
        return replace(sample, t_ns=sample.t_ns + 100_000_000) if sample.sensor == sensor else sample

    found = [(t_s, finding) for t_s, finding in watched(number, change=late) if "late link" in finding.text]
    assert found[0][0] < 40.0
    assert f"the samples of the {sensor} come" in found[0][1].text


def test_one_device_under_two_names_is_found_in_a_walk() -> None:
    samples, pulses = walked(3, SECONDS)
    twice = [
        same
        for sample in samples
        if sample.sensor == "foot"
        for same in (sample, replace(sample, sensor="shank"))
    ]
    found = watch_over(3, twice, pulses)
    assert "one device under two names" in found[0][1].text
    assert found[0][0] < 6.0


def upside_down(sample: ImuSample) -> ImuSample:
    """Turned by half a turn about the axis across the leg."""
    (ax, ay, az), (gx, gy, gz) = sample.acc_mps2, sample.gyr_rps
    return replace(sample, acc_mps2=(-ax, ay, -az), gyr_rps=(-gx, gy, -gz))


def test_a_shank_sensor_that_turns_over_on_its_strap_is_found() -> None:
    def change(sample: ImuSample) -> ImuSample:
        over = sample.sensor == "shank" and (sample.t_ns - EPOCH_NS) / 1e9 > LOSS_S
        return upside_down(sample) if over else sample

    found = [(t_s, finding) for t_s, finding in watched(3, change=change) if "shank" in finding.text]
    assert LOSS_S < found[0][0] < LOSS_S + 16.0
    assert "has turned by" in found[0][1].text


@pytest.mark.parametrize("sensor", ["foot", "shank"])
def test_a_sensor_put_on_upside_down_changes_nothing(sensor: str) -> None:
    """The controller finds each sensor's seat by itself: the same currents, and nothing to find."""
    params = core_params(load_session(DEMO_SESSION), "feedback")

    def walk(change: Change) -> list[tuple[float, float, float]]:
        rehearsal = Rehearsal(params, VirtualPatient(seed=3), change)
        rehearsal.walk(12.0)
        return rehearsal.pulses

    def change(sample: ImuSample) -> ImuSample:
        return upside_down(sample) if sample.sensor == sensor else sample

    sound, turned = walk(lambda sample: sample), walk(change)
    assert len(sound) > 100
    assert [pulse[0] for pulse in turned] == [pulse[0] for pulse in sound]
    assert [pulse[1] for pulse in turned] == pytest.approx([pulse[1] for pulse in sound], abs=0.5)
    assert watched(3, change=change) == []
