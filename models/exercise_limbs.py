"""The limbs that exercise programmes move: joints, muscles, electrodes, as tables.

Angles: extension and dorsiflexion +. Strength and size are of a healthy adult of 70 kg and 1.70 m; the
person's own factors are in the patient. Segments follow Winter's proportions; muscle forces and arms are from
memory (Delp 1990 and Holzbaur 2005, unverified) unless a line says otherwise.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import Literal

from models.gait2392 import MUSCLES
from models.muscle_names import MuscleName
from models.recruitment import RecruitmentParams

TA_FIBRE_M = MUSCLES["tibialis_anterior"].fibre_m

LimbName = Literal["wrist-and-fingers", "knee", "sit-to-stand", "shoulder", "ankle"]
SegmentName = Literal["hand", "forearm", "shank", "thigh", "upper-arm", "trunk", "foot"]


@dataclass(frozen=True, slots=True)
class Joint:
    """One degree of freedom: an angle in degrees, or for the shoulder a shift in millimetres.

    SI inside: inertia kg m2 (kg), damping Nms/rad (Ns/m), stiffness Nm/rad (N/m). Gravity makes
    -``gravity_nm`` cos(angle - ``gravity_from_deg``), for a shift -``gravity_nm`` throughout.
    """

    name: str
    inertia: float
    damping: float
    stiffness: float
    rest: float  # where the passive moment is zero
    low: float
    high: float
    gravity_nm: float
    gravity_from_deg: float = 0.0
    shift: bool = False
    ankle: bool = False  # the passive moment is Riener and Edrich's instead


@dataclass(frozen=True, slots=True)
class LimbMuscle:
    """One muscle or group; ``arms_m`` in metres for each joint, + moves the joint's value up.

    ``optimum`` is the value of the joint where the fibre is at optimal length. Its recruitment is that of its
    usual electrode.
    """

    name: MuscleName
    f0_n: float
    fibre_m: float
    arms_m: tuple[float, ...]
    optimum: tuple[float, ...]
    recruitment: RecruitmentParams
    agonist: bool  # what a cue asks for
    flexor: bool = False  # has the spastic person's tone and stretch reflex


@dataclass(frozen=True, slots=True)
class Segment:
    """Where an inertial sensor can sit; its pitch is ``turns`` times the main joint's angle + ``pitch_deg``.

    Axes: x forward, y left, z up; pitch + = toe up, distal end forward. ``place_m`` is the sensor's (x, z)
    from the joint's axis in segment axes (assumed).
    """

    name: SegmentName
    turns: float
    pitch_deg: float
    place_m: tuple[float, float]


@dataclass(frozen=True, slots=True)
class Limb:
    """A limb, the main joint first; of its segments the first moves, the second stays."""

    name: LimbName
    joints: tuple[Joint, ...]
    muscles: tuple[LimbMuscle, ...]
    segments: tuple[Segment, Segment]


# Hand 0.006 M, length 0.108 H, centre 0.506, radius of gyration about the wrist 0.587 (Winter); forearm
# pronated, hand over the edge of a table. Passive stiffness and damping assumed.
_WRIST = Joint("wrist", 0.0049, 0.06, 1.2, 0.0, -75.0, 70.0, 0.38)
_FINGERS = Joint("fingers", 0.0006, 0.008, 0.12, -45.0, -100.0, 15.0, 0.03)
# Shank and foot 0.061 M, 0.285 H, centre 0.606, radius of gyration 0.735 (Winter); damping as measured in
# pendulum tests, order of magnitude only.
_KNEE = Joint("knee", 0.54, 0.5, 2.0, -75.0, -115.0, 3.0, 12.4)
# Half of head, arms, trunk and thighs (0.68 M) over a thigh of 0.245 H; how much of it stays on this leg says
# the patient's share of the load. The seat is the lower stop.
_STAND = Joint("knee", 4.1, 8.0, 2.0, -75.0, -92.0, 3.0, 97.0, -90.0)
# Head of the humerus under the weight of the arm, 0.05 M, half of it carried by the lap: 17 N at 2 N/mm
# leaves it 8.6 mm low at rest (stiffness assumed; a gap of a finger's breadth counts as subluxation).
_HUMERUS = Joint("humeral head", 3.5, 80.0, 2000.0, 0.0, -40.0, 0.0, 17.2, shift=True)
_ANKLE = Joint("ankle", 0.018, 0.5, 0.0, 0.0, -55.0, 35.0, 1.15, ankle=True)

_QUADRICEPS = LimbMuscle("quadriceps", 5700.0, 0.088, (0.040,), (-60.0,), RecruitmentParams(45.0, 0.35), True)
_HAMSTRINGS = LimbMuscle(
    "hamstrings", 3400.0, 0.100, (-0.030,), (-40.0,), RecruitmentParams(45.0, 0.35), False, True
)

LIMBS: dict[LimbName, Limb] = {
    "wrist-and-fingers": Limb(
        "wrist-and-fingers",
        (_WRIST, _FINGERS),
        (
            LimbMuscle(
                "wrist-extensors",
                500.0,
                0.075,
                (0.014, 0.0),
                (10.0, 0.0),
                RecruitmentParams(14.0, 0.25),
                True,
            ),
            LimbMuscle(
                "finger-extensors",
                270.0,
                0.070,
                (0.012, 0.009),
                (0.0, -40.0),
                RecruitmentParams(14.0, 0.25),
                True,
            ),
            LimbMuscle(
                "finger-flexors",
                600.0,
                0.075,
                (-0.012, -0.011),
                (0.0, -40.0),
                RecruitmentParams(15.0, 0.25),
                False,
                True,
            ),
        ),
        (Segment("hand", 1.0, 0.0, (0.08, 0.02)), Segment("forearm", 0.0, 0.0, (-0.1, 0.04))),
    ),
    "knee": Limb(
        "knee",
        (_KNEE,),
        (_QUADRICEPS, _HAMSTRINGS),
        (Segment("shank", 1.0, 90.0, (0.03, -0.2)), Segment("thigh", 0.0, 90.0, (0.05, 0.2))),
    ),
    "sit-to-stand": Limb(
        "sit-to-stand",
        (_STAND,),
        (_QUADRICEPS, _HAMSTRINGS),
        (Segment("thigh", -1.0, 0.0, (0.05, 0.25)), Segment("shank", 0.0, 0.0, (0.03, -0.2))),
    ),
    "shoulder": Limb(
        "shoulder",
        (_HUMERUS,),
        (
            # how much of the pull is upward is assumed
            LimbMuscle(
                "supraspinatus", 488.0, 0.068, (0.4,), (0.0,), RecruitmentParams(25.0, 0.3), True
            ),
            LimbMuscle(
                "deltoid-posterior", 260.0, 0.137, (0.6,), (0.0,), RecruitmentParams(22.0, 0.3), True
            ),
        ),
        (Segment("upper-arm", 0.0, 0.0, (0.04, -0.15)), Segment("trunk", 0.0, 0.0, (0.1, 0.0))),
    ),
    "ankle": Limb(
        "ankle",
        (_ANKLE,),
        (
            # gait2392: tibialis anterior 905 N and 42 mm, soleus 3549 N (OpenSim 4.6); the knee is bent
            LimbMuscle(
                "dorsiflexors", 905.0, TA_FIBRE_M, (0.042,), (-5.0,), RecruitmentParams(28.0, 0.25), True
            ),
            LimbMuscle(
                "calf", 3549.0, 0.050, (-0.045,), (10.0,), RecruitmentParams(35.0, 0.3), False, True
            ),
        ),
        (Segment("foot", 1.0, 0.0, (0.07, 0.01)), Segment("shank", 0.0, 0.0, (0.03, 0.2))),
    ),
}  # fmt: skip


def limb_of(muscles: Collection[str]) -> LimbName:
    """The limb that has all these muscles. Raises ValueError where none has."""
    for name, limb in LIMBS.items():
        if set(muscles) <= {muscle.name for muscle in limb.muscles}:
            return name
    raise ValueError(f"no virtual limb has {', '.join(sorted(muscles))}")
