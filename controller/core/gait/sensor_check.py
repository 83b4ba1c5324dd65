"""Watches one sensor for what goes wrong on a body: frozen, clipped, upside down, loose, slipped, other leg,
other segment.

Promises words for the therapist: what is seen, what it means for the therapy, what to do. Refuses to accuse
on less than a few strides.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import acos, degrees, radians
from typing import Literal

from controller.core.gait.sagittal_frame import SagittalFrame, dot
from drivers.interface import Segment, Side, Vec3

FindingKind = Literal["frozen", "clipped", "upside_down", "loose", "slipped", "other_leg", "other_segment"]

FROZEN_SAMPLES = 10  # noise alone changes the last bit sooner
CLIP_RUN = 3  # samples at the very same large value; a held sample repeats once
CLIP_ACC_MPS2 = 19.0  # 2 g, the smallest usual range
CLIP_GYR_RPS = radians(240.0)  # below the smallest usual range of 250 deg/s
CLIP_STRIDES = 2
STRIDES_MIN = 6
SETTLED_STRIDES = 12  # the long axis has found its place
LATE_FROM_S, LATE_TO_S = 0.2, 0.4  # after contact a firm sensor is quiet again
LOOSE_SHARE = (
    0.04  # of the landing's peak: firm sensors show up to 0.03 over ground, ringing ones 0.05 to 0.1
)
LOOSE_MPS2 = 1.5
SLIP_RAD = radians(20.0)
CONING_RAD = radians(
    3.5
)  # the limb cones about the vertical as it swings: left ones by -14 to 0 deg a stride, right ones -2 to 14
REST_RPS = 0.35
FOOT_REST_MIN = 0.03  # a foot rests a tenth of the stride and more
SHANK_REST_MAX = 0.22  # a shank hardly rests while walking
LEARN = 0.2


@dataclass(frozen=True, slots=True)
class Finding:
    """Something is wrong with the sensor: its kind and words for the therapist."""

    kind: FindingKind
    text: str


class SensorCheck:
    """Collects evidence sample by sample and judges it at each contact."""

    def __init__(self, segment: Segment, side: Side) -> None:
        self._segment = segment
        self._side = side
        self._acc: Vec3 = (0.0, 0.0, 0.0)
        self._gyr: Vec3 = (0.0, 0.0, 0.0)
        self._same = 0
        self._clip_runs = [0] * 6
        self._clipped = False
        self._clip_strides = 0
        self._late_sum = 0.0
        self._late_count = 0
        self._late_shake = 0.0
        self._rest_s = 0.0
        self._stride_s = 0.0
        self._rest_share = 0.0
        self._strides = 0
        self._long_axis: Vec3 | None = None
        self._slip_rad = 0.0
        self._peak_shake = 0.0
        self._coning_rad = 0.0
        self._backward = False

    def sample(self, dt_s: float, acc: Vec3, gyr: Vec3, shake_mps2: float, since_contact_s: float) -> None:
        """Follow one sample."""
        self._same = self._same + 1 if gyr == self._gyr and acc == self._acc else 0
        (ax, ay, az), (gx, gy, gz) = acc, gyr
        turning, pulling = gx * gx + gy * gy + gz * gz, ax * ax + ay * ay + az * az
        if turning > CLIP_GYR_RPS * CLIP_GYR_RPS or pulling > CLIP_ACC_MPS2 * CLIP_ACC_MPS2:
            self._watch_clipping(acc, gyr)
        self._acc, self._gyr = acc, gyr
        self._stride_s += dt_s
        if turning < REST_RPS * REST_RPS:
            self._rest_s += dt_s
        if LATE_FROM_S < since_contact_s < LATE_TO_S:
            self._late_sum += shake_mps2
            self._late_count += 1

    def contact(self, frame: SagittalFrame, peak_shake_mps2: float, usual_coning_rad: float) -> None:
        """Judge the stride that ends."""
        self._strides += 1
        self._backward = frame.backward
        self._peak_shake, self._coning_rad = peak_shake_mps2, usual_coning_rad
        if self._late_count:
            self._late_shake += LEARN * (self._late_sum / self._late_count - self._late_shake)
        if self._stride_s > 0.0:
            self._rest_share += LEARN * (self._rest_s / self._stride_s - self._rest_share)
        self._late_sum = self._rest_s = self._stride_s = 0.0
        self._late_count = 0
        self._clip_strides = self._clip_strides + 1 if self._clipped else max(0, self._clip_strides - 1)
        self._clipped = False
        if self._strides == SETTLED_STRIDES:
            self._long_axis = frame.long_axis
        elif self._long_axis is not None:
            self._slip_rad = acos(max(-1.0, min(1.0, dot(frame.long_axis, self._long_axis))))

    def findings(self) -> tuple[Finding, ...]:
        """What is wrong now; empty while all is well or too little was seen."""
        where = f"{self._side} {self._segment}"
        found: list[Finding] = []
        if self._same >= FROZEN_SAMPLES:
            text = (
                f"The {where} sensor repeats the same values. It is not used; restart or replace the sensor."
            )
            found.append(Finding("frozen", text))
        if self._clip_strides >= CLIP_STRIDES:
            text = f"The {where} sensor reaches the end of its range. Angles may be wrong; set a wider range."
            found.append(Finding("clipped", text))
        if self._strides < STRIDES_MIN:
            return tuple(found)
        if self._backward:
            text = (
                f"The {where} sensor sits upside down for the axis given: the limb swings backward. "
                "No step counts as walking; turn it round, or let the axis be found."
            )
            return (*found, Finding("upside_down", text))
        if self._late_shake > max(LOOSE_MPS2, LOOSE_SHARE * self._peak_shake):
            text = f"The {where} sensor rings after each step. Timing is less certain; tighten the strap."
            found.append(Finding("loose", text))
        if self._slip_rad > SLIP_RAD:
            turned = f"The {where} sensor has turned by {degrees(self._slip_rad):.0f} deg on the limb."
            text = f"{turned} The axes are found again, the angles are off; fasten it and stand still."
            found.append(Finding("slipped", text))
        if self._coning_rad * (1.0 if self._side == "left" else -1.0) > CONING_RAD:
            text = (
                f"The {where} sensor moves like one on the other leg. Events are right; check left and right."
            )
            found.append(Finding("other_leg", text))
        if self._segment == "foot" and self._rest_share < FOOT_REST_MIN:
            text = (
                f"The {where} sensor never rests as a foot does. Pitch is not reliable; is it on the shank?"
            )
            found.append(Finding("other_segment", text))
        if self._segment == "shank" and self._rest_share > SHANK_REST_MAX:
            text = f"The {where} sensor rests in every step as a foot does. Timing is off; is it on the foot?"
            found.append(Finding("other_segment", text))
        return tuple(found)

    def _watch_clipping(self, acc: Vec3, gyr: Vec3) -> None:
        runs = self._clip_runs
        for i in range(3):
            big = abs(acc[i]) > CLIP_ACC_MPS2
            runs[i] = runs[i] + 1 if big and acc[i] == self._acc[i] else 1
            big = abs(gyr[i]) > CLIP_GYR_RPS
            runs[i + 3] = runs[i + 3] + 1 if big and gyr[i] == self._gyr[i] else 1
        self._clipped = self._clipped or max(runs) >= CLIP_RUN
