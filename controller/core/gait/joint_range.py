"""The angles that a leg can have: what lies outside comes from a lost sensor, not from the limb.

An angle outside its range is not known: not shown, recorded or exported, nor steered by or learned from.
Degrees; foot and shank pitch toe-up and distal end forward +, ankle dorsiflexion +.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from types import MappingProxyType

from drivers.interface import Segment

# A normal ankle goes 50 deg down and 20 deg up by itself (American Academy of Orthopaedic Surgeons: Joint
# Motion, 1965), in a deep lunge on the foot some 45 deg up (Bennell et al.: Aust J Physiother 1998 44:175);
# both from memory, unverified. Our bounds lie 10 and 5 deg beyond; they are a proposal.
ANKLE_RANGE_DEG = (-60.0, 50.0)
# Proposals: in brisk walking a foot goes from -75 to +40 deg, a shank from -75 to +35 deg. Here there is room
# for a heel lifted behind the other knee, and for a leg stretched out in front of one who sits.
SEGMENT_RANGE_DEG: Mapping[Segment, tuple[float, float]] = MappingProxyType(
    {"foot": (-120.0, 100.0), "shank": (-120.0, 100.0)}
)


def possible_ankle_deg(angle_deg: float | None) -> float | None:
    """An ankle's angle; ``None`` where it is not known or no ankle can have it."""
    return _within(angle_deg, ANKLE_RANGE_DEG)


def possible_pitch_deg(angle_deg: float | None, segment: Segment = "foot") -> float | None:
    """A segment's pitch; ``None`` where it is not known or no limb can have it."""
    return _within(angle_deg, SEGMENT_RANGE_DEG[segment])


def _within(angle_deg: float | None, range_deg: tuple[float, float]) -> float | None:
    if angle_deg is None or not math.isfinite(angle_deg):
        return None
    return angle_deg if range_deg[0] <= angle_deg <= range_deg[1] else None
