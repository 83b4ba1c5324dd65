"""What the supervisor tells each process: a JSON file in the rig directory, decided once, read strictly."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, TypeVar

import msgspec

from controller.config.tunables import Allowed
from controller.core.exercise.programme import ExerciseParams
from controller.core.params import CoreParams
from controller.trial.schedule import ArmPlan
from drivers.interface import Segment
from models.muscle_names import MuscleName


@dataclass(frozen=True, slots=True)
class SensorPlan:
    """One sensor the controller opens."""

    name: str
    device: str  # as in drivers.catalogue
    address: str
    segment: Segment | None  # on which an inertial sensor sits; None of any other
    required: bool = True


@dataclass(frozen=True, slots=True)
class ControllerPlan:
    """``radio`` is the virtual radio's HCI address; ``None`` means the machine's own adapter.

    ``allowed`` are the settings that may be changed while the session runs; none without an entry.
    """

    session: int
    params: CoreParams | None  # of gait assist
    sensors: tuple[SensorPlan, ...]
    radio: str | None
    schedule: tuple[ArmPlan, ...] = ()
    seed: int | None = None  # of the virtual body
    allowed: dict[str, Allowed] = field(default_factory=dict)
    exercise: ExerciseParams | None = None  # of a programme, in place of gait assist


@dataclass(frozen=True, slots=True)
class ExerciseBody:
    """Which muscle of one limb lies at which output of the stimulator.

    ``other_side``: the EMG sensors sit on the other arm or leg.
    """

    muscles: dict[int, MuscleName]
    other_side: bool = False


@dataclass(frozen=True, slots=True)
class WorldPlan:
    """The virtual world: the patient that walks, or the recordings the emulated sensors stream."""

    sensors: tuple[SensorPlan, ...]
    stimulator: str  # its device, as in drivers.catalogue
    pulse_log: str
    seed: int
    side: Literal["left", "right"]
    recordings: dict[str, str]  # sensor name -> file; empty for the virtual patient
    loss: float = 0.0
    exercise: ExerciseBody | None = None  # the limb that exercises, in place of the leg that walks


Plan = TypeVar("Plan")


def write_plan(path: Path, plan: ControllerPlan | WorldPlan) -> None:
    path.write_bytes(msgspec.json.encode(plan))


def read_plan(path: Path, kind: type[Plan]) -> Plan:
    """Raises msgspec.ValidationError, which names the field, where the file is not of this kind."""
    return msgspec.json.decode(path.read_bytes(), type=kind)
