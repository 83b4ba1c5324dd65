"""One person's runs: every arm walked from the beginning, each by the real core on the virtual body.

Promises the same results for the same task on any machine with the same program; a run that cannot be walked
is a result that says why. A task is a person: identified once, then walked through the arms.
"""

from __future__ import annotations

import dataclasses
from bisect import bisect_left
from dataclasses import dataclass

import numpy as np

from controller.core.core import Core
from controller.core.params import CoreParams
from controller.record.stride_state import StrideJudge
from controller.simulation.closed_loop import TrueMeasure
from controller.simulation.loop import Samples
from controller.simulation.walk import Walk, pulse_checksum
from controller.studies.compared_laws import ComparedLaw, put, told
from controller.studies.measures import values
from controller.studies.person import identified, patient_of, titrated, walked
from controller.studies.protocol import FaultsSection, Protocol, StudyArmSection
from models.cohort import CohortPatient, cohort_patient
from models.patient import VirtualPatient
from models.patient_params import RANGES, PatientParams

MM_PER_M = 1000.0
StrideRow = tuple[int, str, tuple[float | None, ...]]  # number from 1, state, value of every measure


@dataclass(frozen=True, slots=True)
class Arm:
    """An arm as a worker needs it: ``params`` before the person's own numbers."""

    name: str
    params: CoreParams
    titrated: bool
    current_max_ma: float | None  # where the arm tightens it
    faults: FaultsSection
    instead: ComparedLaw | None = None  # of the learning law


@dataclass(frozen=True, slots=True)
class Task:
    """One person and the arms that are still to be walked."""

    cohort: str
    seed: int
    number: int
    base: CoreParams
    arms: tuple[Arm, ...]
    strides: int  # in all
    wash_out_strides: int

    @property
    def key(self) -> str:
        """Of the person, in messages and file names."""
        return f"{self.cohort}-{self.number}"


@dataclass(frozen=True, slots=True)
class Run:
    """One arm walked by one person. ``why`` says why it failed; ``sha256`` is over its pulses."""

    arm: str
    done: bool
    why: str
    seconds: float
    pulses: int
    sha256: str
    strides: tuple[StrideRow, ...]


def arm_of(protocol: Protocol, section: StudyArmSection) -> Arm:
    tightens = section.gains.get("limits.current_max_ma")
    titration = section.current == "titrated"
    return Arm(section.name, protocol.params(section), titration, tightens, section.faults, section.instead)


def perform(task: Task) -> tuple[Run, ...]:
    """Walk every arm of a task, in their order."""
    member = cohort_patient(task.number, task.seed)
    try:
        known = identified(member, task.base)
    except Exception as error:  # noqa: BLE001 - whatever ends a run is its result, told in words
        return tuple(failed(arm.name, f"not identified: {error}") for arm in task.arms)
    return tuple(perform_arm(task, member, known, arm) for arm in task.arms)


def failed(arm: str, why: str) -> Run:
    return Run(arm, done=False, why=" ".join(why.split())[:300], seconds=0.0, pulses=0, sha256="", strides=())


def perform_arm(task: Task, member: CohortPatient, known: CoreParams, arm: Arm) -> Run:
    """Walk one arm of a person that has been identified."""
    try:
        walk, measures = walk_arm(begin_arm(member, known, arm), member, task.strides)
    except Exception as error:  # noqa: BLE001 - as above
        return failed(arm.name, f"{type(error).__name__}: {error}")
    return Run(
        arm=arm.name,
        done=True,
        why="",
        seconds=round(walk.ticks * walk.params.tick_s, 3),
        pulses=len(walk.pulses),
        sha256=pulse_checksum(walk.pulses),
        strides=tuple(_rows(walk, measures, arm.params.mode, task.wash_out_strides)),
    )


@dataclass(frozen=True, slots=True)
class Begun:
    """An arm before its first step: what the core is told, who walks, what happens on the way."""

    params: CoreParams
    patient: VirtualPatient
    spoil: Samples | None
    shifted: PatientParams  # the body from ``after_strides`` on
    after_strides: int
    instead: ComparedLaw | None

    def settle(self, core: Core) -> None:
        """Before the first step: the law that the arm compares with, if it does."""
        if self.instead is not None:
            put(core, self.instead)

    def between(self, strides: int) -> None:
        """Between two pieces of the walk, so many strides after its beginning."""
        if strides >= self.after_strides:
            self.patient.params = self.shifted


def begin_arm(member: CohortPatient, known: CoreParams, arm: Arm) -> Begun:
    """Prepare the walk of one arm."""
    params, faults = personal(arm, known), arm.faults
    if arm.titrated:
        params = titrated(member, params)
    patient = patient_of(weakened(member, faults))
    return Begun(
        params=believed(params, faults)
        if arm.instead is None
        else told(believed(params, faults), arm.instead),
        patient=patient,
        spoil=spoil(member, faults),
        shifted=shifted_electrodes(patient.params, faults),
        after_strides=faults.after_strides,
        instead=arm.instead,
    )


def walk_arm(begun: Begun, member: CohortPatient, strides: int) -> tuple[Walk, list[TrueMeasure]]:
    """The walk of one arm and the measures of its true strides."""
    walk = Walk(begun.params, begun.patient, begun.spoil)
    begun.settle(walk.core)
    return walk, walked(walk, member, strides, begun.between)


def personal(arm: Arm, known: CoreParams) -> CoreParams:
    """The arm's mode, gains and sensors with the person's own body, reference and comfort."""
    own_max_ma = known.pulse.current_max_ma
    most_ma = own_max_ma if arm.current_max_ma is None else min(own_max_ma, arm.current_max_ma)
    sides = {placement.sensor: placement.side for placement in known.placements}
    return dataclasses.replace(
        arm.params,
        placements=tuple(dataclasses.replace(p, side=sides[p.sensor]) for p in arm.params.placements),
        muscle=known.muscle,
        foot=known.foot,
        reference=known.reference,
        pulse=dataclasses.replace(arm.params.pulse, current_max_ma=most_ma),
    )


# --- faults


def believed(params: CoreParams, faults: FaultsSection) -> CoreParams:
    """What the core is told where the identification was wrong."""
    torque_nm = params.muscle.torque_max_nm * faults.believed_torque_factor
    return dataclasses.replace(params, muscle=dataclasses.replace(params.muscle, torque_max_nm=torque_nm))


def weakened(member: CohortPatient, faults: FaultsSection) -> CohortPatient:
    """The person with a later muscle and a stiffer ankle, which the core is not told."""
    body = member.params
    changed = dataclasses.replace(
        body,
        delay_s=_within("delay_s", body.delay_s + faults.delay_more_ms / 1e3),
        stiffness=_within("stiffness", body.stiffness * faults.stiffness_factor),
    )
    return dataclasses.replace(member, params=changed)


def shifted_electrodes(body: PatientParams, faults: FaultsSection) -> PatientParams:
    gain = _within("electrode_gain", body.electrode_gain * faults.electrode_factor)
    return dataclasses.replace(body, electrode_gain=gain)


def spoil(member: CohortPatient, faults: FaultsSection) -> Samples | None:
    """Loses that share of the samples, the same ones for the same person."""
    if faults.samples_lost_share == 0.0:
        return None
    source = np.random.default_rng([0x105, member.seed])
    return lambda sample: None if source.random() < faults.samples_lost_share else sample


def _within(name: str, value: float) -> float:
    """The nearest value that the model is made for."""
    low, high = RANGES[name]
    return min(high, max(low, value))


# --- results


def _rows(walk: Walk, measures: list[TrueMeasure], mode: str, wash_out: int) -> list[StrideRow]:
    """Every stride with its state, by the rule that holds for recordings too, and its measures."""
    judge = StrideJudge(mode, wash_out)
    times_ns = [t_ns for t_ns, _ in walk.swings]
    rows: list[StrideRow] = []
    for number, one in enumerate(measures, 1):
        stride = one.stride
        swing_ns = stride.toe_off_ns or stride.initial_contact_ns
        first, last = (bisect_left(times_ns, t_ns) for t_ns in (swing_ns, stride.next_initial_contact_ns))
        laws = {law for _, law in walk.swings[first:last]}
        state = judge.judge(stride.initial_contact_ns, (), laws)
        measured = values(
            stride,
            toe_clearance_mm=MM_PER_M * one.true.toe_clearance_m,
            forefoot_contact=float(one.true.forefoot_contact),
            cleared=float(one.true.toe_clearance_m > 0.0 and not one.true.forefoot_contact),
        )
        rows.append((number, state, measured))
    return rows
