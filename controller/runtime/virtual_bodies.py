"""The bodies of the virtual world: one that walks, one that exercises a limb.

Each lives in its own seconds, answers pulses, and tells its truth to the recorder.
"""

from __future__ import annotations

from typing import Protocol

from controller.record import records
from controller.record.records import Record
from controller.runtime.plan import ExerciseBody, WorldPlan
from drivers.interface import Quat, Segment, Vec3
from models.exercise_limbs import limb_of
from models.exercise_params import ExerciseParams
from models.exercise_patient import ExercisePatient, Side
from models.gait import ActivityKind
from models.patient import VirtualPatient
from models.patient_params import PatientParams

Point = tuple[int, float]  # of a pulse: us and mA
# What a walker does when asked; seated, the leg hangs
ASKED: dict[bytes, ActivityKind] = {b"stand": "stand", b"walk": "walk", b"sit": "hang"}


class LivingBody(Protocol):
    """What the world asks of a body; times in its own seconds."""

    def imu(self, segment: Segment, t_s: float) -> tuple[Quat, Vec3, Vec3] | None: ...

    def emg(self, t_s: float, rate_hz: float) -> list[float]:
        """One sample of every channel, V."""

    def pulse(self, t_s: float, output: int, points: list[Point]) -> None:
        """A pulse or burst at an output of the stimulator, as its points."""

    def hear(self, word: bytes) -> None:
        """What somebody in the room says: ``stand``, ``walk`` and ``sit``, ``try`` and ``rest``."""

    def truth(self, t_s: float, now_ns: int, origin_ns: int) -> list[tuple[str, Record]]:
        """What really happens now, and what has happened since the last call."""


def body_of(plan: WorldPlan) -> LivingBody:
    """The body that the plan asks for; its machine code is made now and not while its sensors are heard."""
    return Walker(plan) if plan.exercise is None else Exerciser(plan.exercise, plan.seed)


class Walker:
    """A leg that walks; its foot drops."""

    def __init__(self, plan: WorldPlan) -> None:
        VirtualPatient.compile()  # takes seconds, once
        self._patient = VirtualPatient(PatientParams(side=plan.side), seed=plan.seed)
        self._strides_told = 0

    def imu(self, segment: Segment, t_s: float) -> tuple[Quat, Vec3, Vec3] | None:
        return self._patient.imu(segment, t_s)

    def emg(self, t_s: float, rate_hz: float) -> list[float]:
        volts: list[float] = self._patient.emg(t_s, 1, rate_hz)[0].tolist()
        return volts

    def pulse(self, t_s: float, output: int, points: list[Point]) -> None:
        width_us, current_ma = points[0]
        self._patient.pulse(t_s, output, abs(current_ma), float(width_us))

    def hear(self, word: bytes) -> None:
        if (kind := ASKED.get(word)) is not None:
            self._patient.turn_to(kind)

    def truth(self, t_s: float, now_ns: int, origin_ns: int) -> list[tuple[str, Record]]:
        self._patient.advance(t_s)
        truth = self._patient.truth()
        told: list[tuple[str, Record]] = [
            (
                "world/truth",
                records.Truth(
                    now_ns,
                    truth.foot_pitch_deg,
                    truth.shank_pitch_deg,
                    truth.ankle_deg,
                    truth.torque_nm,
                    truth.activation,
                    truth.phase_percent,
                    truth.in_swing,
                ),
            )
        ]
        strides = self._patient.strides()
        for stride in strides[self._strides_told :]:
            made = records.TrueStride(
                origin_ns + round(stride.initial_contact_s * 1e9),
                origin_ns + round(stride.toe_off_s * 1e9),
                origin_ns + round(stride.next_initial_contact_s * 1e9),
                stride.ankle_at_initial_contact_deg,
                stride.foot_pitch_at_initial_contact_deg,
                stride.peak_swing_dorsiflexion_deg,
                stride.swing_pitch_rmse_deg,
                stride.forefoot_contact,
            )
            told.append(("world/stride", made))
        self._strides_told = len(strides)
        return told


class Exerciser:
    """A limb whose person tries when told to."""

    def __init__(self, body: ExerciseBody, seed: int) -> None:
        ExercisePatient.compile()
        outputs = sorted(body.muscles)
        self._channel = {output: channel for channel, output in enumerate(outputs)}
        params = ExerciseParams(
            limb=limb_of(body.muscles.values()), outputs=tuple(body.muscles[output] for output in outputs)
        )
        self._patient = ExercisePatient(params, seed)
        self._side: Side = "other" if body.other_side else "affected"

    def imu(self, segment: Segment, t_s: float) -> None:
        """An exercise has no inertial sensor."""

    def emg(self, t_s: float, rate_hz: float) -> list[float]:
        volts: list[float] = self._patient.emg(t_s, 1, rate_hz, self._side)[0].tolist()
        return volts

    def pulse(self, t_s: float, output: int, points: list[Point]) -> None:
        channel = self._channel.get(output)
        if channel is None:
            return  # nobody's skin lies there
        width_us, current_ma = points[0]
        cycles = sum(1 for _, ma in points if ma > 0.0)
        self._patient.pulse(t_s, channel, abs(current_ma), float(width_us), max(1, cycles))

    def hear(self, word: bytes) -> None:
        if word in (b"try", b"rest"):
            self._patient.cue(word == b"try")

    def truth(self, t_s: float, now_ns: int, origin_ns: int) -> list[tuple[str, Record]]:
        self._patient.advance(t_s)
        truth = self._patient.truth()
        made = records.TrueExercise(
            now_ns,
            truth.angle_deg,
            truth.finger_angle_deg,
            truth.torque_nm,
            truth.shift_mm,
            truth.activation,
            truth.own_share,
            truth.fitness,
            truth.trying,
            truth.sensation,
        )
        return [("world/exercise", made)]
